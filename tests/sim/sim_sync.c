/*
 * sim_sync -- the real principal and real agents, without their sockets, files and clocks.
 *
 * Shape     one run per seed: some thousand messages while people and controllers work at both ends, streams are cut, writes fail and
 *           processes die; then everything heals and must settle: every copy equal to its original, every status to what its agent
 *           has, and nobody says anything more but the comparisons that are due. The promises are checked at every step. A broken one
 *           ends the program with the seed; --seed shows that run step by step.
 *
 *     sim_sync [--deliveries N] [--first SEED]    fresh seeds, or from SEED on, until N messages have arrived
 *     sim_sync --runs N                           so many runs
 *     sim_sync --seed SEED                        one run, with its trace
 *     sim_sync --listed                           the seeds that ever failed: sim_sync_seeds.h
 *     --jobs N                                    that many processes share the seeds
 */
#include "sim_sync.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "sim_sync_seeds.h"
#include "story.h"

#define DELIVERIES_A_RUN 4000
#define HOUR_MS          (60 * 60 * 1000)
#define JOBS_MAX         64
#define SETTLE_MS        (45 * 60 * 1000) /* healing takes no longer, whatever was waiting for its time */

void sim_trace(const struct sim *s, const char *format, ...)
{
	va_list args;

	if (!s->trace)
		return;
	va_start(args, format);
	story_line(s->now, format, args);
	va_end(args);
}

_Noreturn void sim_broken(const struct sim *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	story_broken("sim_sync", s->seed, s->steps, s->now, format, args);
}

void *sim_alloc(const struct sim *s, size_t n)
{
	void *p = mem_alloc(n);

	if (!p)
		sim_broken(s, "no memory");
	return p;
}

char *sim_text(const struct sim *s, const char *format, ...)
{
	char text[2048];
	va_list args;
	char *copy;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	copy = str_dup(str_of(text));
	if (!copy)
		sim_broken(s, "no memory");
	return copy;
}

/* ---- trouble ---------------------------------------------------------------------------------------------------------- */

/* Its ledger goes back in time, now and then, or its objects do, or both. */
static void restore(struct end *e)
{
	struct sim *s = e->sim;

	if (s->restores && !end_is_up(e) && sim_once_in(s, 3))
		disk_restore(e);
	if (s->restores && sim_once_in(s, 3))
		disk_save(e);
	if (s->rewinds && !end_is_up(e) && sim_once_in(s, 3))
		people_rewind(e);
	if (s->rewinds && sim_once_in(s, 3))
		people_save(e);
}

static void swap_disks(struct agent *a, struct agent *b)
{
	struct memory_store *store = a->end.store;
	struct disk disk = a->end.disk;
	struct object_list saved = a->end.saved;

	a->end.store = b->end.store;
	a->end.disk = b->end.disk;
	a->end.saved = b->end.saved;
	b->end.store = store;
	b->end.disk = disk;
	b->end.saved = saved;
	sim_trace(a->end.sim, "%-9s has the disks of %s, and the reverse", a->name, b->name);
}

/* It comes back in the other mode, or two come back with each other's disks. */
static void change(struct agent *a)
{
	struct sim *s = a->end.sim;
	struct agent *b = &s->agents[sim_below(s, SIM_AGENTS)];

	if (end_is_up(&a->end) || !s->moody || sim_once_in(s, 2))
		return;
	watch_guard_released(s);
	if (sim_once_in(s, 2)) {
		a->mode = a->mode == AGENT_MANAGED ? AGENT_AUTONOMOUS : AGENT_MANAGED;
		a->moved = true;
		sim_trace(s, "%-9s is in another mode", a->name);
	} else if (a != b) {
		end_crash(&b->end);
		swap_disks(a, b);
		people_part_with(b);
	}
	people_part_with(a);
}

/* All ends at once, and each goes back to a time of its own. */
static void disaster(struct sim *s)
{
	end_crash(&s->principal);
	restore(&s->principal);
	if (!end_is_up(&s->principal) && sim_once_in(s, 2))
		people_rebuild(s);
	for (int i = 0; i < SIM_AGENTS; i++) {
		end_crash(&s->agents[i].end);
		restore(&s->agents[i].end);
	}
}

static void trouble(struct sim *s)
{
	struct agent *a = &s->agents[sim_below(s, SIM_AGENTS)];
	struct end *e = sim_once_in(s, 2) ? &s->principal : &a->end;
	uint64_t what = sim_below(s, 3000);

	if (what < 12) {
		stream_cut(a);
	} else if (what < 16 && !s->calm) {
		end_crash(&a->end);
		restore(&a->end);
		change(a);
	} else if (what < 20 && !s->calm) {
		end_crash(&s->principal);
		restore(&s->principal);
		if (!end_is_up(&s->principal) && sim_once_in(s, 4))
			people_bad_restore(s);
		if (!end_is_up(&s->principal) && s->picky)
			people_pick(s);
	} else if (what < 30) {
		e->disk.slow_ms = 1 + sim_below(s, sim_once_in(s, 3) ? 300 : 8);
	} else if (what < 32 && s->restores && !s->calm) {
		disaster(s);
	} else if (what < 34) {
		e->wall_ms += (int64_t)sim_below(s, 2 * HOUR_MS) - HOUR_MS;
	} else if (what < 36) {
		e->disk.full_until_ms = s->now + sim_below(s, 10000);
		sim_trace(s, "%-9s has no room until %llu", end_name(e), (unsigned long long)e->disk.full_until_ms);
	} else if (what < 40) {
		end_stop(e);
	} else if (what < 41) {
		e->frozen_until_ms = s->now + sim_below(s, 4000);
		sim_trace(s, "%-9s is frozen until %llu", end_name(e), (unsigned long long)e->frozen_until_ms);
	}
}

static void on_act(struct sim *s, struct happening *h)
{
	(void)h;
	if (s->healed)
		return;
	people_act(s);
	trouble(s);
	sim_later(s, sim_below(s, 12), &(struct happening){ .run = on_act });
}

/* ---- healing ---------------------------------------------------------------------------------------------------------- */

/* What only people can end: deletes that the guard holds. */
static void release_held(struct sim *s)
{
	watch_guard_released(s);
	for (int i = 0; i < SIM_AGENTS; i++) {
		struct session *sessions[] = { end_session(&s->principal, &s->agents[i]),
					       end_session(&s->agents[i].end, &s->agents[i]) };
		const char *text;

		for (size_t k = 0; k < ARRAY_LEN(sessions); k++)
			if (sessions[k] && source_held(session_source(sessions[k]), &text)) {
				source_release(session_source(sessions[k]), s->now);
				end_plan(k ? &s->agents[i].end : &s->principal, s->now);
			}
	}
}

static void give_room(struct sim *s)
{
	end_crash(&s->principal);
	for (int i = 0; i < SIM_AGENTS; i++)
		end_crash(&s->agents[i].end);
}

static void run_until(struct sim *s, uint64_t at_ms)
{
	sim_later(s, at_ms - s->now, &(struct happening){ .run = on_act }); /* there is something to wait for */
	while (s->now < at_ms)
		sim_step(s);
}

static void settle(struct sim *s)
{
	uint64_t limit_ms = s->now + SETTLE_MS;
	char text[2048] = "";

	do {
		if (s->now > limit_ms)
			sim_broken(s, "does not settle: %s", text);
		run_until(s, s->now + 1000);
		release_held(s);
	} while (people_controllers(s) || !equal_idle(s, text) || !equal_everywhere(s, text));
}

static void crash_and_undo(struct end *e)
{
	end_crash(e);
	people_undo(e);
}

/*
 * While all is equal a few things change, and before all have heard of it, somebody dies, and they are as they were: no comparison of
 * much else that is under way hides who does not know what the other has got of it.
 */
static void last_crash(struct sim *s)
{
	people_touch(s);
	run_until(s, s->now + sim_below(s, 40));
	if (sim_once_in(s, 2))
		crash_and_undo(&s->principal);
	for (int i = 0; i < SIM_AGENTS; i++)
		if (sim_once_in(s, 2))
			crash_and_undo(&s->agents[i].end);
	settle(s);
}

static void heal(struct sim *s)
{
	char text[2048] = "";

	sim_trace(s, "everything heals");
	s->healed = true;
	if (s->tight || s->narrow)
		give_room(s);
	for (int i = 0; i < SIM_AGENTS; i++)
		stream_want(&s->agents[i]);
	people_good_restore(s);
	settle(s);
	if (!s->calm)
		last_crash(s);
	for (int i = 0; i < 2; i++) {
		people_exclude_or_include(s);
		settle(s);
	}
	if (s->moody || s->lonely) {
		run_until(s, s->now + 3 * SIM_RESYNC_MS);
		settle(s);
	}
	sim_trace(s, "silence");
	s->silent = true;
	run_until(s, s->now + 3 * SIM_RESYNC_MS);
	if (!equal_everywhere(s, text))
		sim_broken(s, "came apart again: %s", text);
}

/* ---- runs ------------------------------------------------------------------------------------------------------------- */

static void begin(struct sim *s)
{
	struct why why;

	s->by_destination = s->seed % 3 == 1;
	s->calm = s->seed % 5 == 2;
	s->restores = s->seed % 4 == 3;
	s->tight = s->seed % 5 == 3;
	s->lazy = s->seed % 2 == 0;
	s->poor = s->seed % 7 == 4;
	s->narrow = s->seed % 7 == 6;
	s->mixed = s->seed % 9 == 3;
	s->moody = s->seed % 11 == 0;
	s->late = s->seed % 6 == 4;
	s->rewinds = s->seed % 6 == 5;
	s->lonely = s->seed % 10 == 9;
	s->picky = s->seed % 10 == 6;
	s->holds = s->seed % 13 < 5;
	if (patterns_new((struct str)STR("*"), &why, &s->everywhere) != E_OK ||
	    selector_new((struct str)STR("team"), &why, &s->selector) != E_OK)
		sim_broken(s, "no memory");
	s->principal = (struct end){ .sim = s, .store = memory_store_new(1), .disk.slow_ms = 4 };
	for (unsigned i = 0; i < SIM_AGENTS; i++) {
		struct agent *a = &s->agents[i];

		*a = (struct agent){ .index = i,
				     .mode = i == 2 || (i == 3 && sim_once_in(s, 2)) ? AGENT_AUTONOMOUS : AGENT_MANAGED,
				     .policy.mismatch = sim_once_in(s, 3) ? IDENTITY_UPSERT : IDENTITY_RECREATE,
				     .liar = i == 1 && sim_once_in(s, 2) };
		a->end = (struct end){ .sim = s, .agent = a, .store = memory_store_new(2 + i), .disk.slow_ms = 4 };
		(void)snprintf(a->name, sizeof(a->name), "a%u", i);
		a->dialect.version = sim_once_in(s, 2) ? WIRE_TWO_STEPS : WIRE_UPSTREAM;
	}
	end_start(&s->principal);
	for (int i = 0; i < SIM_AGENTS; i++)
		end_start(&s->agents[i].end);
	sim_later(s, 1, &(struct happening){ .run = on_act });
}

static void end(struct sim *s)
{
	end_release(&s->principal);
	for (int i = 0; i < SIM_AGENTS; i++)
		end_release(&s->agents[i].end);
	sim_forget_happenings(s);
	for (int i = 0; i < SIM_AGENTS; i++) {
		stream_free(s->agents[i].stream);
		memory_store_free(s->agents[i].end.store);
		disk_release(&s->agents[i].end.disk);
	}
	memory_store_free(s->principal.store);
	disk_release(&s->principal.disk);
	watch_release(s);
	story_free_all(s);
	patterns_free(s->everywhere);
	selector_free(s->selector);
}

struct tally {
	uint64_t runs, deliveries, steps;
};

static void run(uint64_t seed, bool trace, struct tally *t)
{
	static struct sim s;

	s = (struct sim){ .seed = seed, .random = seed, .trace = trace };
	sim_seed_kernel(seed);
	begin(&s);
	while (s.deliveries < DELIVERIES_A_RUN)
		sim_step(&s);
	heal(&s);
	end(&s);
	t->runs++;
	t->deliveries += s.deliveries;
	t->steps += s.steps;
}

struct wish {
	uint64_t seed, runs, deliveries, jobs;
	bool one;
	bool listed;
};

static uint64_t *number_named(struct wish *w, const char *option)
{
	if (strcmp(option, "--seed") == 0 || strcmp(option, "--first") == 0)
		return &w->seed;
	if (strcmp(option, "--runs") == 0)
		return &w->runs;
	if (strcmp(option, "--deliveries") == 0)
		return &w->deliveries;
	return strcmp(option, "--jobs") == 0 ? &w->jobs : NULL;
}

static bool read_arguments(int argc, char **argv, struct wish *w)
{
	for (int i = 1; i < argc; i++) {
		uint64_t *to = number_named(w, argv[i]);

		w->one = w->one || strcmp(argv[i], "--seed") == 0;
		if (strcmp(argv[i], "--listed") == 0)
			w->listed = true;
		else if (!to || ++i == argc || !str_to_u64(str_of(argv[i]), UINT64_MAX, to))
			return false;
	}
	if (w->listed)
		w->runs = ARRAY_LEN(failed_seeds);
	if (w->one)
		w->runs = w->jobs = 1;
	return w->jobs > 0 && w->jobs <= JOBS_MAX;
}

/* ---- jobs: the seeds are dealt out, and each process plays its own ------------------------------------------------------ */

static struct tally play(const struct wish *w, uint64_t job)
{
	struct tally t = { 0 };

	for (uint64_t i = job; i < w->runs; i += w->jobs) {
		run(w->listed ? failed_seeds[i] : w->seed + i, w->one, &t);
		if (w->deliveries && t.deliveries >= w->deliveries / w->jobs)
			break;
	}
	return t;
}

/* Its tally goes through the pipe; a broken promise ends it without one. */
static _Noreturn void child(const struct wish *w, uint64_t job, int pipe)
{
	struct tally t = play(w, job);

	_exit(write(pipe, &t, sizeof(t)) == sizeof(t) ? 0 : 1);
}

/* False: a child failed. */
static bool play_all(const struct wish *w, struct tally *ret_sum)
{
	int ends[2], status;
	struct tally t;
	bool ok = pipe(ends) == 0;

	for (uint64_t job = 0; job < w->jobs && ok; job++) {
		pid_t pid = fork();

		if (pid == 0)
			child(w, job, ends[1]);
		ok = pid > 0;
	}
	while (wait(&status) > 0)
		ok = ok && status == 0;
	close(ends[1]);
	while (read(ends[0], &t, sizeof(t)) == sizeof(t)) {
		ret_sum->runs += t.runs;
		ret_sum->deliveries += t.deliveries;
		ret_sum->steps += t.steps;
	}
	close(ends[0]);
	return ok;
}

int main(int argc, char **argv)
{
	uint64_t from_ms = clock_mono_ms();
	struct wish w = { .seed = clock_mono_ns() ^ (uint64_t)clock_wall_ns() >> 20, .runs = UINT64_MAX, .jobs = 1 };
	struct tally sum = { 0 };

	w.seed &= UINT32_MAX;
	if (!read_arguments(argc, argv, &w)) {
		(void)fprintf(stderr, "usage: sim_sync [--seed SEED | --first SEED | --listed] [--runs N | "
				      "--deliveries N] [--jobs N]\n");
		return 2;
	}
	if (w.deliveries == 0 && w.runs == UINT64_MAX)
		w.deliveries = 100000;
	if (w.jobs == 1)
		sum = play(&w, 0);
	else if (!play_all(&w, &sum))
		return 1;
	if (w.listed)
		printf("%llu runs of listed seeds", (unsigned long long)sum.runs);
	else
		printf("%llu runs from seed %llu", (unsigned long long)sum.runs, (unsigned long long)w.seed);
	printf(": %llu deliveries, %llu steps, %llu ms\n", (unsigned long long)sum.deliveries,
	       (unsigned long long)sum.steps, (unsigned long long)(clock_mono_ms() - from_ms));
	return 0;
}
