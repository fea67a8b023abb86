/*
 * ids.h -- the names of resources and of their versions.
 *
 * Shape     a resource id is "<name>_<uid>", an event id "<name>_<uid>_<version>". A command and a deletion have a word behind the
 *           version, "<version>.<word>": they carry the same version as the spec beside them, and an answer must tell them apart.
 *           Everything else (requests, heartbeats) has a random UUID.
 * Owner     parsing lends slices of its input. Names may contain "_", UIDs and versions never do.
 * Source    argocd-agent facts 2.7, 11.12, 11.13; docs/delivery.md "Sending again"
 */
#pragma once

#include "base/buf.h"
#include "wire/event.h"

struct wire_id {
	struct str name;
	struct str uid;
	struct str version; /* without the word; may be empty */
	struct str word;    /* empty: none */
};

/* Append an id. */
void wire_resource_id(struct str name, struct str uid, struct buf *ret_id);
void wire_event_id(enum wire_type type, struct str name, struct str uid, struct str version, struct buf *ret_id);

/* Take one apart; false: it is none. */
bool wire_resource_id_parse(struct str id, struct wire_id *ret_id);
bool wire_event_id_parse(struct str id, struct wire_id *ret_id);
