/*
 * kf_bus.h -- the inside of the Kafka bus: one thread and its producer.
 *
 * Shape     The io thread owns the window, the routes and the producer (librdkafka's threads do the network). While the bus is
 *           down nothing is in flight and it may wait for brokers; while it is up it never waits, but for the short probe after
 *           all connections were lost.
 *
 *                        metadata of the topic
 *           CONNECTING -------------------------> UP
 *               ^                                  |  all brokers gone, a fatal error, one batch too large
 *               +--- a new producer -- all that is in flight is answered
 *
 * Threads   publish() puts into `inbox` and rings. Fields say whose they are.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "base/map.h"
#include "base/mpsc.h"
#include "bus/bell.h"
#include "bus/bus_metrics.h"
#include "bus/kafka.h"
#include "bus/trouble.h"
#include "bus/window.h"

/* Events of one key. Held after one of them was not taken, until the later ones are back and a moment has passed. */
struct kf_route {
	struct str key;
	size_t flying; /* with the producer, those that we gave up on too */
	bool held;
	uint64_t held_until_ms;
	char text[];
};

/* A message from produce to its report. */
struct kf_flight {
	struct window_slot *slot;
	uint32_t use; /* of the slot: another one is another publish */
	struct kf_route *route;
	struct kf_flight *prev;
	struct kf_flight *next;
};

struct kafka {
	struct bus bus;
	struct kafka_config config; /* our copy */
	struct bus_metrics metrics;
	void (*on_state)(void *ctx, enum bus_state state);
	void *ctx;

	/* any thread */
	_Atomic int state;
	_Atomic uint32_t in_flight;
	struct trouble trouble; /* the io thread's to set */
	struct mpsc inbox;      /* publishes on their way to the io thread */
	struct bell bell;
	_Atomic bool stop;

	/* io thread */
	pthread_t io;
	int epoll;
	int reports; /* eventfd: the producer has something for us */
	rd_kafka_t *rk;
	rd_kafka_topic_t *topic;
	rd_kafka_queue_t *queue;
	struct window window;
	struct map routes;
	struct kf_flight *flights;
	struct buf text;    /* the key of the publish at hand */
	bool purge_due;     /* what is queued behind a failed message is to come back */
	size_t held_flying; /* held routes that have something flying */
	uint64_t purge_ms;
	bool doubtful;         /* all connections were lost: look before going on */
	bool lost;             /* go on with a new producer */
	bool solo;             /* one message a batch: the broker refused a batch */
	bool want_solo;        /* the next producer is so */
	_Atomic uint32_t turn; /* of the partitions, for KAFKA_ROUNDROBIN; in the producer's threads */
	uint64_t heard_ms;
	struct why said; /* the producer's last error; until it is connected the first in the alphabet */
	bool was_up;
};

/* kf_io.c */
void *kf_io_run(void *arg);
/* Frees the slot and answers its publish. */
void kf_finish(struct kafka *kf, struct window_slot *slot, enum err err);

/* kf_link.c: the producer */
/* A producer whose brokers know the topic; in slices, between which `kf_refuse_inbox` runs. */
enum err kf_connect(struct kafka *kf, struct why *why);
/* Do the brokers still answer? Waits at most a second. */
enum err kf_probe(struct kafka *kf, struct why *why);
/* Ends the producer; every flight is gone, and is answered by kf_io.c. Takes a kafka without one. */
void kf_disconnect(struct kafka *kf);
/* Waits for what is on the way. */
void kf_let_land(struct kafka *kf, uint64_t wait_ms);

/* kf_flow.c: messages out and their reports back */
void kf_send_unsent(struct kafka *kf);
void kf_take_reports(struct kafka *kf);
/* The producer's last call to us has been heard. */
void kf_clear_reports(struct kafka *kf);
/* E_TIMEOUT, with the producer's last error. */
enum err kf_no_ack(const struct kafka *kf, uint32_t ms, struct why *why);
/* Ends the event too. */
void kf_take_event(struct kafka *kf, rd_kafka_event_t *event);
/* E_UNAVAILABLE: an earlier event of this route is not settled. */
enum err kf_route_for(struct kafka *kf, struct bus_publish *p, uint64_t now_ms, struct kf_route **ret_route);
void kf_forget_flights(struct kafka *kf);
void kf_forget_routes(struct kafka *kf);

/* kf_io.c: what publish() put while the bus is down. */
void kf_refuse_inbox(struct kafka *kf);
