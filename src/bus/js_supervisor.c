/*
 * js_supervisor.c -- the thread of the JetStream bus that may wait: connecting, the stream, the sync probe, pings.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "bus/js_bus.h"
#include "bus/js_stream.h"
#include "bus/js_sync.h"
#include "bus/subject.h"
#include "delivery/backoff.h"

#define PING_EVERY_MS    8000
#define PING_MS          1000
#define SILENT_MS        4900 /* while a ping waits for its answer, or the library in TLS */
#define RECHECK_EVERY_MS 1000
#define WATCH_EVERY_MS   500
#define LONG_LIVED_MS    5000
#define GONE_MS          1000 /* until a server has removed the files of a stream that is gone */

static bool stopping(struct jetstream *js)
{
	bool stop;

	pthread_mutex_lock(&js->lock);
	stop = js->stop;
	pthread_mutex_unlock(&js->lock);
	return stop;
}

/* With the lock held: until something changed or `until_ms`. */
static void wait_changed(struct jetstream *js, uint64_t until_ms)
{
	struct timespec until = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };

	(void)pthread_cond_timedwait(&js->changed, &js->lock, &until);
}

static void pause_ms(struct jetstream *js, uint64_t ms)
{
	uint64_t until = clock_mono_ms() + ms;

	pthread_mutex_lock(&js->lock);
	while (!js->stop && clock_mono_ms() < until)
		wait_changed(js, until);
	pthread_mutex_unlock(&js->lock);
}

void js_supervisor_recheck(struct jetstream *js)
{
	pthread_mutex_lock(&js->lock);
	js->recheck = true;
	pthread_cond_broadcast(&js->changed);
	pthread_mutex_unlock(&js->lock);
}

void js_supervisor_ping(struct jetstream *js)
{
	pthread_mutex_lock(&js->lock);
	js->ping = true;
	pthread_cond_broadcast(&js->changed);
	pthread_mutex_unlock(&js->lock);
}

/* ---- a new connection ------------------------------------------------------------------------------------------------ */

static enum err ensure_stream(struct jetstream *js, struct js_link *link, struct why *why)
{
	natsConnection *nc = atomic_load(&link->nc);
	enum err err = js_stream_check(nc, &link->said, why);

	if (err != E_NOT_FOUND)
		return err;
	err = js_stream_create(nc, &js->config, &link->said, why);
	if (!err)
		log_info("bus", "stream created", LOG_S("stream", SUBJECT_STREAM), LOG_S("subjects", SUBJECT_ALL));
	return err;
}

static void log_sync(struct jetstream *js, enum bus_sync sync)
{
	if (js->logged_sync == (int)sync)
		return;
	js->logged_sync = (int)sync;
	if (sync == BUS_SYNC_ALWAYS)
		log_info("bus", "the server syncs before it acknowledges", LOG_S("sync", js_sync_name(sync)));
	else
		log_warn("bus",
			 sync == BUS_SYNC_LATER ? "the server acknowledges before it syncs: a power cut there can lose "
						  "acknowledged events"
						: "the server does not say whether it syncs before it acknowledges",
			 LOG_S("sync", js_sync_name(sync)),
			 LOG_S("fix", "sync_interval: always in its jetstream block"));
}

static enum err probe_sync(struct jetstream *js, struct js_link *link, struct why *why)
{
	enum bus_sync sync = js_sync_probe(atomic_load(&link->nc), js->config.monitor_url);

	atomic_store(&js->sync, (int)sync);
	metric_set(js->metrics.sync, sync == BUS_SYNC_UNKNOWN ? -1 : sync == BUS_SYNC_ALWAYS);
	log_sync(js, sync);
	if (!js->config.strict || sync == BUS_SYNC_ALWAYS)
		return E_OK;
	return why_set(why, E_UNSUPPORTED, "strict: %s",
		       sync == BUS_SYNC_LATER ? "the server acknowledges before it syncs"
					      : "the server does not say whether it syncs before it acknowledges");
}

static enum err prepare(struct jetstream *js, struct js_link *link, struct why *why)
{
	enum err err = probe_sync(js, link, why); /* a server that is refused gets no stream either */

	if (!err)
		err = ensure_stream(js, link, why);
	if (err)
		return err;
	int64_t max = natsConnection_GetMaxPayload(atomic_load(&link->nc));

	atomic_store(&js->max_payload, max > 0 ? (uint64_t)max : 0);
	return E_OK;
}

static enum err connect_one(struct jetstream *js, const struct server *server, struct js_link **ret_link,
			    struct why *why)
{
	struct js_link *link = NULL;
	enum err err = js_link_connect(js, server, &link, why);

	if (!err)
		err = prepare(js, link, why);
	if (err) {
		js_link_close(link);
		return why_add(why, "%s", server->shown);
	}
	*ret_link = link;
	return E_OK;
}

static void report_up(struct jetstream *js, const struct server *server)
{
	if (js->was_up)
		metric_inc(js->metrics.reconnects);
	js->was_up = true;
	trouble_clear(&js->trouble);
	log_info("bus", "connected", LOG_S("server", server->shown), LOG_S("stream", SUBJECT_STREAM),
		 LOG_U("max_payload", atomic_load(&js->max_payload)));
}

static void report_failure(struct jetstream *js, const struct why *why)
{
	if (trouble_set(&js->trouble, why))
		log_warn("bus", "not connected; trying again until it is", LOG_WHY(why));
}

static struct js_link *connect_any(struct jetstream *js)
{
	struct why why = { 0 };
	struct js_link *link = NULL;

	for (size_t i = 0; i < js->servers.n && !stopping(js); i++) {
		if (connect_one(js, &js->servers.list[i], &link, &why) == E_OK) {
			report_up(js, &js->servers.list[i]);
			return link;
		}
	}
	if (!stopping(js))
		report_failure(js, &why);
	return NULL;
}

/* ---- while it lives -------------------------------------------------------------------------------------------------- */

/* With the lock held: nothing more is published, and what was in flight is answered, when this returns. */
static void suspend(struct jetstream *js, struct js_link *link)
{
	atomic_store(&link->ready, false);
	bell_ring(&js->bell);
	while (link->is_up && !link->gone)
		pthread_cond_wait(&js->changed, &js->lock);
}

static void resume(struct jetstream *js, struct js_link *link)
{
	atomic_store(&link->ready, true);
	bell_ring(&js->bell);
}

/*
 * A publish found no stream. Creating it while publishes are on their way could store a later event before an earlier
 * one that was refused, so the bus is down meanwhile. And not at once: nats-server 2.9.10 forgets a stream before it removes
 * its files, and those of a new one with it, which then takes nothing ("error opening msg block file") or loses what it took.
 */
static enum err check_stream(struct jetstream *js, struct js_link *link, struct why *why)
{
	enum err err = js_stream_check(atomic_load(&link->nc), &link->said, why);

	if (err != E_NOT_FOUND)
		return E_OK;
	log_warn("bus", "the stream is gone", LOG_S("stream", SUBJECT_STREAM));
	pthread_mutex_lock(&js->lock);
	suspend(js, link);
	pthread_mutex_unlock(&js->lock);
	pause_ms(js, GONE_MS);
	err = ensure_stream(js, link, why);
	if (!err)
		resume(js, link);
	return err;
}

struct duties {
	uint64_t ping_ms;    /* when the next one is due */
	uint64_t recheck_ms; /* not before */
	uint64_t owed_ms;    /* since when we wait for an answer to a ping; 0: we do not */
	uint64_t owed;       /* bytes that the peer has taken when that ping leaves; 0: it was not sent yet */
	uint64_t came;       /* bytes, as look() saw them last, */
	uint64_t moved;      /* with those that the peer took, */
	uint64_t moved_ms;   /* and when they changed */
};

/*
 * What comes, and what the peer's side takes. But what stands behind a ping without an answer also the kernel of a frozen one takes; any
 * answer says that it is not.
 */
static void look(const struct js_link *link, struct duties *d)
{
	struct js_traffic t = js_link_traffic(link);
	uint64_t moved;

	if (t.came != d->came)
		d->owed = 0;
	d->came = t.came;
	moved = t.came + (d->owed && t.taken > d->owed ? d->owed : t.taken);
	if (moved == d->moved)
		return;
	d->moved = moved;
	d->moved_ms = clock_mono_ms();
}

/* What was slow for a while has as long again: a proxy, or a network, may hold some of what was taken. */
static bool is_silent(const struct js_link *link, const struct duties *d, uint64_t since_ms)
{
	uint64_t oldest_ms = atomic_load(&link->oldest_ms);
	uint64_t began_ms = oldest_ms && oldest_ms < since_ms ? oldest_ms : since_ms;
	uint64_t silent_ms = clock_mono_ms() - (d->moved_ms > since_ms ? d->moved_ms : since_ms);

	return silent_ms >= SILENT_MS && (d->moved_ms <= began_ms || silent_ms >= d->moved_ms - began_ms);
}

/* A ping stands in line behind what is published, so that on a slow link its answer takes its time. */
static enum err ping(struct js_link *link, struct duties *d, struct why *why)
{
	natsConnection *nc = atomic_load(&link->nc);
	uint64_t sent = atomic_load(&link->sent);
	natsStatus s;

	if (!d->owed)
		d->owed = js_link_standing(link);
	s = natsConnection_FlushTimeout(nc, PING_MS);
	look(link, d);
	if (s == NATS_OK) {
		atomic_store(&link->ponged, sent);
		d->owed = d->owed_ms = 0;
	}
	if (s != NATS_TIMEOUT)
		return E_OK;
	d->ping_ms = 0;
	return is_silent(link, d, d->owed_ms) ? why_set(why, E_TIMEOUT, "the server does not answer pings") : E_OK;
}

/*
 * In TLS the library waits inside a read for the rest of a record, and inside a write until all is out, without a deadline. Looked at
 * often where TLS is asked for, else with the pings.
 */
static enum err watch(const struct js_link *link, struct duties *d, struct why *why)
{
	uint64_t busy = atomic_load(&link->busy_ms);

	look(link, d);
	return busy && is_silent(link, d, busy)
		       ? why_set(why, E_TIMEOUT, "the server stopped in the middle of a TLS record")
		       : E_OK;
}

static uint64_t next_duty(const struct jetstream *js, const struct js_link *link, const struct duties *d)
{
	uint64_t next = js->ping ? 0 : d->ping_ms;

	if (link->tls && clock_mono_ms() + WATCH_EVERY_MS < next)
		next = clock_mono_ms() + WATCH_EVERY_MS;
	return js->recheck && d->recheck_ms < next ? d->recheck_ms : next;
}

static enum err do_duties(struct jetstream *js, struct js_link *link, struct duties *d, bool recheck, struct why *why)
{
	uint64_t now = clock_mono_ms();
	enum err err = watch(link, d, why);

	if (!err && recheck) {
		d->recheck_ms = now + RECHECK_EVERY_MS;
		err = check_stream(js, link, why);
	}
	if (err || now < d->ping_ms)
		return err;
	if (!d->owed_ms)
		d->owed_ms = now;
	d->ping_ms = now + PING_EVERY_MS;
	if (!atomic_load(&link->busy_ms))
		return ping(link, d, why);
	d->ping_ms = now + WATCH_EVERY_MS; /* a write in TLS keeps the library's lock */
	return E_OK;
}

/* Until the link is gone, or we give it up. */
static enum err attend(struct jetstream *js, struct js_link *link, struct why *why)
{
	struct duties d = { .ping_ms = clock_mono_ms() + PING_EVERY_MS };
	enum err err = E_OK;

	pthread_mutex_lock(&js->lock);
	while (!err && !js->stop && !link->gone) {
		bool recheck = js->recheck && clock_mono_ms() >= d.recheck_ms;

		if (recheck)
			js->recheck = false;
		if (js->ping)
			d.ping_ms = 0;
		js->ping = false;
		pthread_mutex_unlock(&js->lock);
		err = do_duties(js, link, &d, recheck, why);
		pthread_mutex_lock(&js->lock);
		if (!err && !js->stop && !link->gone)
			wait_changed(js, next_duty(js, link, &d));
	}
	if (!err && link->gone)
		err = why_set(why, E_UNAVAILABLE, "the connection was closed");
	pthread_mutex_unlock(&js->lock);
	return err;
}

static void live(struct jetstream *js, struct js_link *link)
{
	CLEANUP(buf_release) struct buf said = { 0 };
	struct why why = { 0 };

	resume(js, link);
	if (attend(js, link, &why) == E_OK)
		return;
	trouble_write(&link->said, &said);
	log_warn("bus", "connection lost; connecting again", LOG_WHY(&why), LOG_STRN("said", buf_view(&said)));
}

/* The one signal that this thread takes: it ends a system call that lasts too long (js_io.c). */
static void unblock_interrupts(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGURG);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void *js_supervisor_run(void *arg)
{
	struct jetstream *js = arg;
	struct backoff backoff = { .base_ms = 100, .factor = 2, .cap_ms = 10000 };

	js->supervisor_self = pthread_self();
	unblock_interrupts();
	while (!stopping(js)) {
		struct js_link *link = connect_any(js);
		uint64_t since = clock_mono_ms();

		if (link)
			live(js, link);
		js_link_close(link);
		if (link && clock_mono_ms() - since > LONG_LIVED_MS)
			backoff_reset(&backoff);
		pause_ms(js, backoff_next(&backoff, rand_u64()));
	}
	nats_ReleaseThreadMemory();
	return NULL;
}
