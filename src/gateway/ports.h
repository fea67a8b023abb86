/*
 * ports.h -- the sockets and certificates of the ports that the routes name.
 *
 * Shape     a reload is prepared first (sockets bound, certificates read) and then either taken or dropped as a whole.
 * Owner     embedded in the process. TLS contexts live until the end: old connections still use theirs.
 * Threads   the main thread.
 */
#pragma once

#include "gateway/route.h"
#include "gateway/worker.h"
#include "net/listen.h"
#include "net/tls.h"

struct port_tls {
	uint16_t port;
	char *cert_path;
	char *key_path;
	struct tls_server *server;
	bool retired; /* the port has another certificate file now, or none */
	struct port_tls *next;
};

#define PORTS_INHERITED_MAX 64

struct ports {
	struct port_tls *tls;
	uint16_t *open; /* the ports the workers listen on */
	size_t open_count;
	uint16_t *next; /* the same of what is prepared */
	struct listen_inherited inherited[PORTS_INHERITED_MAX];
	size_t inherited_count;
};

/* Takes over the sockets of systemd, when there are any. */
enum err ports_init(struct ports *p, struct why *why);
void ports_release(struct ports *p);

/* Updates for all workers, or nothing: on an error everything that was opened is closed again. */
enum err ports_prepare(struct ports *p, struct route_table *table, size_t workers, struct why *why,
		       struct worker_update ***ret_updates);

/* What was prepared for `table` is on its way: remember what is open now. */
void ports_commit(struct ports *p, const struct route_table *table);

/* Reads all certificates again; one that is bad is reported and the old one stays. */
void ports_reload_tls(struct ports *p);
