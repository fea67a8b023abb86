/*
 * js_bus.h -- the inside of the JetStream bus: two threads and what they share.
 *
 * Shape     The io thread owns the window and the current link: it sends, reads acks, keeps the deadlines, answers every
 *           publish and says when the bus is up or down. It never waits for the server. The supervisor does all that may
 *           block: connecting, the stream, the sync probe, pings. A connection is one link; it is never repaired, only
 *           replaced, so that nothing is kept back while the server is away.
 *
 *                    supervisor                             io thread
 *           connect, attach ----- incoming ----------------> adopts the link
 *           stream and sync checked: ready = true ---------> bus is up
 *           stream is gone: ready = false -----------------> bus is down, in flight answered; is_up = false
 *           gives up: shutdown(fd) ------------------------> reads the end, answers what is in flight
 *           destroys the link <--------------- gone = true -+
 *
 * Threads   publish() puts into `inbox` and wakes the io thread. Fields say whose they are.
 */
#pragma once

#include <nats/nats.h>
#include <pthread.h>

#include "base/mpsc.h"
#include "bus/bell.h"
#include "bus/bus_metrics.h"
#include "bus/jetstream.h"
#include "bus/servers.h"
#include "bus/trouble.h"
#include "bus/window.h"

struct jetstream;

/* One connection, from connect to destruction. */
struct js_link {
	struct jetstream *js;
	_Atomic(natsConnection *) nc; /* set at attach */
	int fd;                   /* a duplicate of its socket, ours: for epoll and for shutdown(2); -1: not attached */
	bool tls;                 /* supervisor: TLS is asked for, so the library may block in a read or write */
	natsSubscription *sub;    /* acks; set before ready */
	char *inbox;              /* "_INBOX.x"; set before ready */
	_Atomic bool want_write;  /* the library holds bytes to send */
	_Atomic bool detached;    /* the library gave the connection up */
	_Atomic bool ready;       /* supervisor: may be published to */
	struct trouble said;      /* io: what the server said against us */
	_Atomic uint64_t sent;    /* io: number of the last publish that the library took */
	uint64_t answered;        /* io: the highest number that the server answered */
	_Atomic uint64_t ponged;  /* supervisor: what was sent up to here, the server has read */
	_Atomic uint64_t busy_ms; /* io: since when the library reads or writes; 0: it does not */
	_Atomic uint64_t oldest_ms; /* io: when the oldest publish without an answer was sent; 0: there is none */
	bool polling_out;           /* io: epoll also waits for room to write */
	bool is_up;                 /* under js->lock: the io thread has seen `ready` */
	bool gone;                  /* under js->lock: the io thread is done with it */
};

#define JS_GRAVES 64

struct jetstream {
	struct bus bus;
	struct jetstream_config config; /* our copy */
	struct servers servers;
	struct bus_metrics metrics;
	void (*on_state)(void *ctx, enum bus_state state);
	void *ctx;

	/* any thread */
	_Atomic int state;
	_Atomic int sync;
	_Atomic uint64_t max_payload;
	_Atomic uint32_t in_flight;
	struct trouble trouble; /* the supervisor's to set */
	struct mpsc inbox;      /* publishes on their way to the io thread */
	struct bell bell;
	_Atomic bool stop_io;
	_Atomic(struct js_link *) incoming; /* supervisor to io */
	_Atomic uint64_t give_up_ms; /* a connect that lasts longer is interrupted by the io thread; 0: none runs */

	/* io thread */
	pthread_t io;
	int epoll;
	struct js_link *link;
	struct window window;
	struct buf text;            /* subject, reply and id of the publish at hand */
	natsMsg *graves[JS_GRAVES]; /* messages done with: bury() in js_flow.c */
	size_t grave_count;
	size_t grave_bytes;

	/* supervisor */
	pthread_t supervisor;
	pthread_t supervisor_self; /* set by itself before give_up_ms */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* with lock: stop, recheck, link->is_up, link->gone */
	bool stop;
	bool recheck; /* a publish found no stream */
	bool ping;    /* a publish waits long for its ack */
	bool was_up;
	int logged_sync; /* -1: none yet */
};

/* js_link.c: called in the supervisor's thread, but for the callbacks of the library */
enum err js_link_connect(struct jetstream *js, const struct server *server, struct js_link **ret_link, struct why *why);
/* Waits for the io thread to let go of it, then frees it. Takes NULL. */
void js_link_close(struct js_link *link);

/* Bytes since it was made, as the kernel counts them: what the peer's took, what came. */
struct js_traffic {
	uint64_t taken;
	uint64_t came;
};

struct js_traffic js_link_traffic(const struct js_link *link);

/* What the peer will have taken when all that is published by now is there. */
uint64_t js_link_standing(const struct js_link *link);

/* js_io.c */
void *js_io_run(void *arg);

/* js_flow.c: in the io thread */
void js_send_unsent(struct jetstream *js);
void js_take_acks(struct jetstream *js);
void js_finish(struct jetstream *js, struct window_slot *slot, enum err err);
/* Gives the messages done with back to the library. */
void js_dig_up(struct jetstream *js);
static inline bool js_is_up(const struct jetstream *js)
{
	return atomic_load(&js->state) == BUS_UP;
}

/* js_supervisor.c */
void *js_supervisor_run(void *arg);
/* Tell the supervisor that a publish found no stream, */
void js_supervisor_recheck(struct jetstream *js);
/* and that one waits long for its ack. */
void js_supervisor_ping(struct jetstream *js);
