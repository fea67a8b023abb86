/*
 * sim_sync.h -- one principal, its agents, the streams between them and the people at both ends, in one thread on a virtual
 * clock.
 *
 * Shape     hub and sites are the real ones, each on a memory backend and a journal; disks of ledgers, streams, clocks and people
 *           are the simulation's. Everything that happens comes from one seed.
 *
 *               sim_sync.c          runs: a time of trouble, healing, silence
 *               sim_sync_clock.c    what happens later; randomness
 *               sim_sync_disk.c     ledgers: rows that are durable, batches that fail, crashes
 *               sim_sync_end.c      processes: start, turn, crash
 *               sim_sync_late.c     what a watch says late, and not in order
 *               sim_sync_stream.c   streams: delay, cuts, repetitions, lies
 *               sim_sync_people.h   people and controllers, with files of their own
 *               sim_sync_watch.c    promises that hold after every step
 *               sim_sync_equal.c    promises that hold after healing
 *               sim_sync_count.c    what is counted is what is there
 *
 * Units     virtual ms.
 */
#pragma once

#include "agent/site.h"
#include "backend/memory.h"
#include "base/heap.h"
#include "delivery/list.h"
#include "principal/hub.h"

#define SIM_AGENTS          4
#define SIM_NAMES           6      /* objects of each kind that people make for an agent */
#define SIM_MESSAGE_MAX     2000   /* bytes */
#define SIM_RESYNC_MS       120000 /* ends that hold copies compare this often */

#define PRINCIPAL_NAMESPACE "argocd"
#define PRINCIPAL_UIDS      "01000000" /* how they begin: the seed of its store */
#define SITE_NAMESPACE      "site"

struct sim;
struct stream;

/* A row of a ledger that is durable. */
struct disk_row {
	enum ledger_table table;
	struct ledger_row row;
	char *key;
	char text[];
};

struct disk {
	struct map rows; /* by table and key columns */
	uint64_t slow_ms;
	unsigned failures; /* batches that will fail */
	char identity[40]; /* of the principal whose it is: with its ledger it loses that, too */
	struct map backup; /* rows as they were at some time */
	char backup_identity[40];
	uint64_t full_until_ms; /* with the objects' */
};

#define SIM_UNDOS 16

/* What somebody did to an application, as long as that is the newest there. */
struct undo {
	struct object *before;
	char version[24]; /* of what it became */
};

#define SIM_OBJECTS 128 /* at one end, at most */

struct object_list {
	struct object *all[SIM_OBJECTS];
	size_t n;
};

/* One process: the principal (agent NULL), or an agent. */
struct end {
	struct sim *sim;
	struct agent *agent;
	struct memory_store *store; /* outlives the process, as the disk does */
	struct object_list saved;   /* of the store, as it was at some time */
	struct disk disk;
	struct backend watched;         /* the backend that the process sees */
	struct backend *memory;         /* behind it; NULL: the process is down */
	struct backend_watcher watcher; /* the process' own */
	struct journal *journal;
	struct hub *hub;
	struct site *site;
	struct undo undos[SIM_UNDOS];
	size_t edits;
	uint64_t life; /* counts processes */
	bool stopping;
	uint64_t frozen_until_ms;    /* its process gets no time */
	uint64_t turn_at;            /* UINT64_MAX: no turn is planned */
	int64_t wall_ms;             /* what its wall clock is ahead of the run's */
	struct link late;            /* what its watch has still to say */
	struct object *by_hand[128]; /* which people made or removed, until it hears of it */
	size_t by_hands;
	bool listed; /* it has heard of all that there was */
};

/* What the simulation knows about an agent. */
struct agent {
	struct end end;
	unsigned index;
	char name[8];
	enum agent_mode mode;
	struct wire_dialect dialect;
	struct identity_policy policy;
	struct stream *stream; /* the newest; NULL: none */
	bool connecting;
	bool liar;
	bool moved; /* it has come in another mode: the principal has begun anew with it, without a restart */
};

/* An object that people made: what it may expect of the sync. By UID at its source. */
struct story {
	char uid[64];
	struct agent *agent; /* whose it is */
	bool unwanted;       /* it was deleted, moved away or excluded at some time: its copy may go */
	bool outstanding;    /* an operation was asked for and not executed */
	bool closed;         /* nothing more is expected of its operations */
	uint64_t op;         /* the newest that was asked for */
	uint64_t op_crashes; /* sim.crashes then */
	unsigned executed;   /* times, of `op` */
};

struct sim {
	uint64_t seed;
	uint64_t random;
	uint64_t now;
	uint64_t order; /* of happenings */
	uint64_t steps;
	uint64_t deliveries; /* messages that arrived */
	uint64_t chatter;    /* messages that left since silence began, but comparisons */
	uint64_t crashes;
	uint64_t next_epoch;
	uint64_t next_number; /* of versions and operations */
	bool trace;
	bool healed; /* no more faults, no more changes */
	bool silent; /* nothing more to say */
	bool by_destination;
	bool calm;     /* nobody crashes in this run */
	bool restores; /* in this run ledgers go back in time */
	bool tight;    /* there is too little room for what peers have, until all heals */
	bool lazy;     /* controllers say nothing of a new application before they are asked for something */
	bool poor;     /* until all heals an allocation of a process fails now and then */
	bool mixed;    /* peers come in the other dialect now and then: another program has taken their place */
	bool moody;    /* agents come back in the other mode, or with the disks of another agent */
	bool narrow;   /* until all heals no message may have more than SIM_MESSAGE_MAX; some objects do not fit */
	bool late;     /* watches report late, and not in order across objects */
	bool rewinds;  /* objects go back in time, as ledgers do */
	bool lonely;   /* one agent leaves and does not come back until all heals */
	bool picky;    /* the principal starts with a label selector now and then */
	bool picks;    /* it has one */
	bool holds;    /* people give finalizers to applications, of which controllers at the agents know */
	struct selector *selector;
	struct heap happenings;
	struct map stories;
	struct map confirmed;        /* ids of state that was confirmed, by agent and direction */
	struct map held;             /* UIDs at the principal that the guard holds */
	struct object *seen_gone[8]; /* while the principal lists what there is */
	size_t seen_gone_n;
	struct patterns *everywhere;
	struct end principal;
	struct agent agents[SIM_AGENTS];
};

/* -- sim_sync.c -- */

void sim_trace(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A promise was broken: says which, and how to see it again; the process ends. */
_Noreturn void sim_broken(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory of the simulation's own: there must be enough. */
void *sim_alloc(const struct sim *s, size_t n);
char *sim_text(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* -- sim_sync_clock.c -- */
uint64_t sim_random(struct sim *s);
uint64_t sim_below(struct sim *s, uint64_t n);
bool sim_once_in(struct sim *s, unsigned n);

/* The kernel's randomness is drawn from this as well: keys of hash maps decide about orders. */
void sim_seed_kernel(uint64_t seed);

/*
 * Memory: from sim_enter() to sim_leave() a process is at work, one of whose allocations may fail. What it calls back pauses that:
 * the simulation's own never do.
 */
void sim_enter(struct sim *s);
void sim_leave(void);
long sim_pause(void);
void sim_resume(const long *left);

#define SIM_OWN __attribute__((cleanup(sim_resume), unused)) long left_ = sim_pause()

struct happening {
	struct heap_node node;
	void (*run)(struct sim *s, struct happening *h);
	struct end *end;
	uint64_t life; /* of `end` */
	uint64_t number;
	void *data;
	struct stream *stream;
};

/* A copy of `h` happens `delay_ms` from now. What belongs to a process that has died since does not. */
void sim_later(struct sim *s, uint64_t delay_ms, const struct happening *h);

/* Run the next one. */
void sim_step(struct sim *s);
void sim_forget_happenings(struct sim *s);
extern const struct memory_clock sim_memory_clock; /* `ctx` is the sim's */

/* -- sim_sync_disk.c -- */
struct journal *disk_journal(struct end *e);
void disk_release(struct disk *d);

/* Nothing can be written to this disk for a while. */
bool disk_is_full(const struct disk *d, const struct sim *s);

/* Keep a copy of all rows; and go back to it, or to an empty disk when there is none. The process is down. */
void disk_save(struct end *e);
void disk_restore(struct end *e);

/* All durable rows of a table, in the order of their key. */
void disk_read(struct end *e, enum ledger_table table, void (*on_row)(void *ctx, const struct ledger_row *row),
	       void *ctx);

/* Is there a durable row of this table, about this peer (NULL: any) and UID? */
bool disk_has(const struct disk *d, enum ledger_table table, const char *peer, struct str uid);

/* -- sim_sync_end.c -- */
const char *end_name(const struct end *e);
void end_start(struct end *e);
void end_crash(struct end *e);

/* It ends what is under way, if it can, and stops. */
void end_stop(struct end *e);

/* Nothing of it is kept. */
void end_release(struct end *e);

/* It gets its turn soon. */
void end_plan(struct end *e, uint64_t at_ms);
bool end_is_up(const struct end *e);
int64_t end_wall_ns(void *e);                                /* of an end: its wall clock */
struct session *end_session(struct end *e, struct agent *a); /* NULL: none */

/* -- sim_sync_late.c -- */

/* People have made `o`, or removed it: in some runs the process hears of it late, and of another object before. */
void late_by_hand(struct end *e, const struct object *o);

/* The process is to hear of this. */
void late_report(struct end *e, struct object *o, bool gone);
void late_start(struct end *e);
void late_listed(struct end *e); /* from now on it may be late */
void late_forget(struct end *e);

/* -- sim_sync_stream.c -- */

/* The agent tries to connect, later and again until it can. */
void stream_want(struct agent *a);
void stream_cut(struct agent *a);

/* Send what may go from this end. */
void stream_pump(struct end *from, struct agent *a);
void stream_free(struct stream *st);
bool stream_is_quiet(const struct agent *a);

/* Both sides of it know that it is open. */
bool stream_is_open(const struct agent *a);

/* -- people: the files that sim_sync_people.h names -- */

/* Somebody does something. */
void people_act(struct sim *s);

/* Every controller at the agents does what is asked of it; true: there was something. */
bool people_controllers(struct sim *s);

/* A change here and there, of which the simulation makes no story. */
void people_touch(struct sim *s);

/*
 * The principal's applications that have a status leave their agents, or come back: then the copies have none, and the principal has to
 * hear of it.
 */
void people_exclude_or_include(struct sim *s);

/* The end is down: what somebody did there last is as it was before, without anything being said of it. */
void people_undo(struct end *e);
void people_forget_undos(struct end *e);

/* The end is down: its objects are as they were when they were kept, or are kept. */
void people_save(struct end *e);
void people_rewind(struct end *e);
void object_list_release(struct object_list *l);

/* The principal is down, and may leave others to themselves when it is back. */
void people_pick(struct sim *s);

/* The principal is down: its objects of one agent are gone when it comes back. */
void people_bad_restore(struct sim *s);

/* The principal is down: its applications come back as others, of the same names. */
void people_rebuild(struct sim *s);

/* The agent is down: nothing is expected any more of what is there and at the principal. */
void people_part_with(struct agent *a);

/* They are back, at the latest now. */
void people_good_restore(struct sim *s);

struct story *story_of(struct sim *s, const char *uid);

/* Of the original, whether this is it or its copy. */
struct story *story_about(struct sim *s, const struct object *o);
void story_free_all(struct sim *s);

/* -- sim_sync_watch.c -- */

/* A message leaves: may it? */
void watch_message(struct end *from, struct agent *a, struct str message);

/* A write is asked of a backend: may it be? */
void watch_write(struct end *e, const struct backend_write *w);

/* An answer came and did this. */
void watch_answer(struct end *e, struct agent *a, const struct peer_heard *heard);

/* An event was dealt with at the principal, by what it knows of the agent in this mode. */
void watch_applied(struct agent *a, enum agent_mode mode, const struct replica_place *place,
		   enum delivery_outcome outcome);

/* The hub knows everything: whose deletes must be held? */
void watch_guard(struct sim *s);
void watch_guard_released(struct sim *s);

/* The principal lists what there is, and sees this go. */
void watch_seen_gone(struct sim *s, const struct object *o);

/* The principal has an object of this name again. */
void watch_edit(struct sim *s, const struct object *o);

/* An operation is executed. */
void watch_executed(struct agent *a, const struct object *app, uint64_t op);
void watch_release(struct sim *s);

/* -- sim_sync_equal.c -- */

/* Is everything at every agent as it must be? With `ret_difference` (2048 bytes): what is not. */
bool equal_everywhere(struct sim *s, char *ret_difference);

/* Does nobody have anything under way? */
bool equal_idle(struct sim *s, char *ret_reason);

/* -- sim_sync_count.c -- */

/* What a process counts, and how it holds together: looked at anew. */
void count_end(struct end *e);
