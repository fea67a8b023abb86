/*
 * hfload.c -- the load generator: starts the threads, shows progress, reports.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "driver.h"
#include "options.h"
#include "report.h"
#include "target.h"

#define PROGRESS_MS  200
#define START_GAP_NS 20000000ull /* the schedule begins when the connections are there */
#define BAR_WIDTH    30
#define EXIT_MISUSE  2

struct worker {
	pthread_t thread;
	struct driver *driver;
	int done; /* eventfd: one per finished worker */
};

struct load {
	struct options options;
	struct plan plan;
	struct worker *workers;
	size_t worker_count;
	uint64_t start_ns;
	int ids;
	int done;
};

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	uint64_t one = 1;

	driver_run(w->driver);
	while (write(w->done, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

static double fraction_done(const struct load *l, uint64_t sent)
{
	const struct options *o = &l->options;
	uint64_t now_ns = clock_mono_ns();
	double by_count = o->count ? (double)sent / (double)o->count : 0;
	double by_time = 0;

	if (o->duration_ns && now_ns > l->start_ns)
		by_time = (double)(now_ns - l->start_ns) / (double)o->duration_ns;
	by_count = by_count > by_time ? by_count : by_time;
	return by_count < 1 ? by_count : 1;
}

static void show_progress(const struct load *l)
{
	static const char bar[] = "##############################";
	uint64_t sent = 0, acked = 0, refused = 0, lost = 0;
	double done;
	int fill;

	if (l->options.quiet || !isatty(STDERR_FILENO))
		return;
	for (size_t i = 0; i < l->worker_count; i++) {
		const struct seen *seen = &l->workers[i].driver->seen;

		sent += seen->sent;
		acked += seen->acked;
		refused += seen->refused;
		lost += seen->lost;
	}
	done = fraction_done(l, sent);
	fill = (int)(done * BAR_WIDTH);
	(void)fprintf(stderr, "\r[%-*.*s] %3.0f %%  %llu acknowledged, %llu refused, %llu without answer ", BAR_WIDTH,
		      fill, bar, done * 100, (unsigned long long)acked, (unsigned long long)refused,
		      (unsigned long long)lost);
}

static void clear_progress(const struct load *l)
{
	if (!l->options.quiet && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r%100s\r", "");
}

/* Until every worker has finished; the first signal stops them. */
static void wait_for_workers(struct load *l, int signals)
{
	struct pollfd fds[] = { { .fd = l->done, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	uint64_t finished = 0, n;

	while (finished < l->worker_count) {
		poll(fds, ARRAY_LEN(fds), PROGRESS_MS);
		if (fds[0].revents && read(l->done, &n, sizeof(n)) == sizeof(n))
			finished += n;
		if (fds[1].revents) {
			atomic_store(&l->plan.stop, true);
			fds[1].fd = -1;
		}
		show_progress(l);
	}
	for (size_t i = 0; i < l->worker_count; i++)
		pthread_join(l->workers[i].thread, NULL);
	clear_progress(l);
}

static void name_run(struct load *l)
{
	char hex[33];

	rand_uuid_hex(hex);
	memcpy(l->plan.run, l->options.run ? l->options.run : hex, 8);
}

static enum err make_plan(struct load *l, struct why *why)
{
	const struct options *o = &l->options;
	const char *fields[OPTIONS_FIELDS_MAX + 1] = { "Content-Type: application/json" };
	struct request_spec spec = { .method = str_of(o->method),
				     .body = buf_view(&o->file),
				     .body_size = (size_t)o->body_size,
				     .close = o->close };
	struct target target;
	bool typed = false;

	if (target_parse(o->url, why, &target) != E_OK)
		return why->err;
	for (size_t i = 0; i < o->field_count; i++) {
		fields[i + 1] = o->fields[i];
		typed = typed || str_starts_nocase(str_of(o->fields[i]), STR("content-type:"));
	}
	spec.fields = fields + typed;
	spec.field_count = o->field_count + 1 - typed;
	spec.host = target.host;
	spec.path = target.path;
	l->plan.addr = target.addr;
	l->plan.addr_len = target.addr_len;
	l->plan.retry = o->retry;
	l->plan.warmup_ns = o->warmup_ns;
	l->plan.timeout_ns = o->timeout_ns;
	l->plan.give_up_ns = o->give_up_ns;
	name_run(l);
	return request_make(&spec, why, &l->plan.request);
}

static enum err open_ids(struct load *l, struct why *why)
{
	const struct options *o = &l->options;

	l->ids = -1;
	if (!o->ids)
		return E_OK;
	l->ids = open(o->ids, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (l->ids < 0)
		return why_errno(why, E_IO, errno, "open %s", o->ids);
	if (dprintf(l->ids, "# hfload run=%s connections=%llu\n", l->plan.run, (unsigned long long)o->connections) < 0)
		return why_errno(why, E_IO, errno, "write %s", o->ids);
	return E_OK;
}

/* What of `total` falls to worker `i` of `n`, and where its part begins. */
static uint64_t part(uint64_t total, size_t i, size_t n, uint64_t *ret_from)
{
	*ret_from = total * i / n;
	return total * (i + 1) / n - *ret_from;
}

static enum err make_workers(struct load *l, struct why *why)
{
	const struct options *o = &l->options;

	l->done = eventfd(0, EFD_CLOEXEC);
	l->workers = mem_array((size_t)o->threads, sizeof(*l->workers));
	if (l->done < 0 || !l->workers)
		return why_set(why, E_NOMEM, "make the threads");
	l->start_ns = clock_mono_ns() + START_GAP_NS;
	for (size_t i = 0; i < o->threads; i++) {
		struct schedule sched = { .start_ns = l->start_ns,
					  .end_ns = SCHEDULE_NEVER,
					  .rate = o->rate,
					  .next = i,
					  .step = o->threads,
					  .requests = o->count };
		uint64_t first;
		uint64_t conns = part(o->connections, i, o->threads, &first);

		if (o->duration_ns)
			sched.end_ns = l->start_ns + o->duration_ns;
		l->workers[i].done = l->done;
		if (driver_new(&l->plan, &sched, (unsigned)first, (size_t)conns, l->ids, why, &l->workers[i].driver) !=
		    E_OK)
			return why->err;
	}
	return E_OK;
}

static enum err start_workers(struct load *l, struct why *why)
{
	for (; l->worker_count < l->options.threads; l->worker_count++) {
		struct worker *w = &l->workers[l->worker_count];
		int error = pthread_create(&w->thread, NULL, run_worker, w);

		if (error) {
			atomic_store(&l->plan.stop, true);
			return why_errno(why, E_NOMEM, error, "start a thread");
		}
	}
	return E_OK;
}

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Prints the outcome; false: nothing was acknowledged, or the ids could not be recorded. */
static bool print_report(const struct load *l)
{
	const struct options *o = &l->options;
	CLEANUP(mem_freep) struct report *r = mem_alloc(sizeof(*r));
	struct buf line = { 0 };
	bool good = true;

	if (!r)
		return false;
	r->run = l->plan.run;
	r->rate = o->rate;
	r->connections = o->connections;
	r->start_ns = l->start_ns + o->warmup_ns;
	for (size_t i = 0; i < o->threads; i++) {
		report_take(r, l->workers[i].driver);
		good = good && !l->workers[i].driver->err;
	}
	if (!good)
		(void)fprintf(stderr, "hfload: %s: ids could not be written\n", o->ids);
	if (r->acked)
		r->cpu_us = cpu_us() / (double)r->acked;
	if (!o->quiet)
		report_table(r, o->json ? stderr : stdout);
	if (o->json) {
		report_json(r, &line);
		(void)fputs(buf_cstr(&line) ? line.p : "{}\n", stdout);
		buf_release(&line);
	}
	return good && r->acked > 0;
}

static void load_release(struct load *l)
{
	for (size_t i = 0; l->workers && i < l->options.threads; i++)
		driver_free(l->workers[i].driver);
	mem_free(l->workers);
	request_release(&l->plan.request);
	options_release(&l->options);
}

/* The exit status. */
static int run(struct load *l, int signals, struct why *why)
{
	if (make_plan(l, why) != E_OK || open_ids(l, why) != E_OK || make_workers(l, why) != E_OK)
		return EXIT_MISUSE;
	start_workers(l, why);
	wait_for_workers(l, signals);
	if (why->err)
		return EXIT_MISUSE;
	return print_report(l) ? 0 : 1;
}

static int parse_and_run(int argc, char **argv, struct load *l, int signals, struct why *why)
{
	if (options_parse(argc, argv, why, &l->options) != E_OK)
		return EXIT_MISUSE;
	if (!l->options.help)
		return run(l, signals, why);
	options_help();
	return 0;
}

int main(int argc, char **argv)
{
	struct load load = { 0 };
	struct why why = { 0 };
	sigset_t set;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	status = parse_and_run(argc, argv, &load, signalfd(-1, &set, SFD_CLOEXEC), &why);
	if (why.err)
		(void)fprintf(stderr, "hfload: %s\n", why.text);
	load_release(&load);
	return status;
}
