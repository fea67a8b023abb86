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

#define PING_EVERY_MS    10000
#define PING_MS          3000
#define RECHECK_EVERY_MS 1000
#define WATCH_EVERY_MS   500
#define STUCK_MS         1500
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

static enum err ping(struct js_link *link, struct why *why)
{
	natsStatus s = natsConnection_FlushTimeout(atomic_load(&link->nc), PING_MS);

	return s == NATS_TIMEOUT ? why_set(why, E_TIMEOUT, "the server does not answer pings") : E_OK;
}

/*
 * In TLS the library waits inside a read for the rest of a record, without a deadline. Looked at often where TLS is asked
 * for, else with the pings.
 */
static enum err watch(const struct js_link *link, struct why *why)
{
	uint64_t busy = atomic_load(&link->busy_ms);

	if (!busy || clock_mono_ms() < busy + STUCK_MS)
		return E_OK;
	return why_set(why, E_TIMEOUT, "the server stopped in the middle of a TLS record");
}

struct duties {
	uint64_t ping_ms;    /* when the next one is due */
	uint64_t recheck_ms; /* not before */
};

static uint64_t next_duty(const struct jetstream *js, const struct js_link *link, const struct duties *d)
{
	uint64_t next = d->ping_ms;

	if (link->tls && clock_mono_ms() + WATCH_EVERY_MS < next)
		next = clock_mono_ms() + WATCH_EVERY_MS;
	return js->recheck && d->recheck_ms < next ? d->recheck_ms : next;
}

static enum err do_duties(struct jetstream *js, struct js_link *link, struct duties *d, bool recheck, struct why *why)
{
	uint64_t now = clock_mono_ms();
	enum err err = watch(link, why);

	if (!err && recheck) {
		d->recheck_ms = now + RECHECK_EVERY_MS;
		err = check_stream(js, link, why);
	}
	if (!err && now >= d->ping_ms) {
		d->ping_ms = now + PING_EVERY_MS;
		err = ping(link, why);
	}
	return err;
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
