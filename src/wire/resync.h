/*
 * resync.h -- the small payloads: what is compared after a reconnect, and errors.
 *
 * Shape     JSON objects of a few members, written in the order in which the Go program writes them; read in any order,
 *           unknown members skipped, missing ones empty.
 * Owner     reading lends slices of the input or of the arena.
 * Errors    E_MALFORMED  not a JSON object, or a member of the wrong type; E_NOMEM
 * Source    argocd-agent facts 2.8, 2.10, 11.15
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"
#include "wire/checksum.h"

/*
 * What request-synced-resource-list (checksum), response-synced-resource (kind, namespace, name, uid) and request-update (all) say;
 * request-resource-resync says nothing.
 */
struct wire_resync {
	struct str kind;      /* "Application"; wire_target_of_kind() */
	struct str namespace; /* empty: none */
	struct str name;
	struct str uid; /* at the source of truth; empty: not known */
	/* WIRE_CHECKSUM bytes, or empty: none. request-update in our dialect: the version that was applied. */
	struct str checksum;
	struct str count; /* request-synced-resource-list in our dialect: of copies, in decimal; empty: not said */
};

struct wire_failure {
	struct str name;
	struct str namespace;
	struct str message;
};

/* Append the payload of `type`, which is one of the four. */
void wire_resync_write(enum wire_type type, const struct wire_resync *r, struct buf *ret_json);

/* Read the payload of any of the four. */
enum err wire_resync_read(struct str json, struct buf *arena, struct wire_resync *ret, struct why *why);

/* The payload of an error event: why an agent could not do what it was told. */
void wire_failure_write(const struct wire_failure *f, struct buf *ret_json);
enum err wire_failure_read(struct str json, struct buf *arena, struct wire_failure *ret, struct why *why);
