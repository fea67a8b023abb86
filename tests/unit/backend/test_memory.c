/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "backend/memory.h"
#include "base/buf.h"
#include "base/mem.h"

struct request {
	struct backend_write w;
	struct bench *bench;
	const char *label;
};

/* A store, a backend on it, a clock that the test moves, and everything that happened as text. */
struct bench {
	struct memory_store *store;
	struct backend *b;
	struct buf log;
	uint64_t now;
	struct {
		struct memory_task *task;
		uint64_t due;
	} tasks[64];
	size_t n;
	bool crash_on_done;
	bool crash_on_object;
	struct request *again; /* given once more when it is done, without memory */
};

static void after(void *ctx, struct memory_task *task, uint64_t delay_ms)
{
	struct bench *b = ctx;

	assert_true(b->n < ARRAY_LEN(b->tasks));
	b->tasks[b->n].task = task;
	b->tasks[b->n++].due = b->now + delay_ms;
}

/* Runs all that is due, oldest first. */
static void run_until(struct bench *b, uint64_t now)
{
	for (;;) {
		size_t first = 0;
		struct memory_task *task;

		for (size_t i = 1; i < b->n; i++)
			if (b->tasks[i].due < b->tasks[first].due)
				first = i;
		if (b->n == 0 || b->tasks[first].due > now)
			break;
		task = b->tasks[first].task;
		b->now = b->tasks[first].due;
		memmove(&b->tasks[first], &b->tasks[first + 1], (--b->n - first) * sizeof(b->tasks[0]));
		task->run(task);
	}
	b->now = now;
}

static void on_object(void *ctx, struct object *o)
{
	struct bench *b = ctx;

	buf_addf(&b->log, "%s is at %s; ", o->name, o->version);
	if (b->crash_on_object)
		memory_crash(b->b);
}

static void on_gone(void *ctx, struct object *last)
{
	struct bench *b = ctx;

	buf_addf(&b->log, "%s is gone; ", last->name);
}

static void on_synced(void *ctx)
{
	struct bench *b = ctx;

	buf_lit(&b->log, "synced; ");
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	(void)ctx;
	(void)why;
	(void)bad;
}

static void on_closed(void *ctx)
{
	struct bench *b = ctx;

	buf_lit(&b->log, "closed; ");
}

static void on_done(struct backend_write *w)
{
	struct request *r = CONTAINER_OF(w, struct request, w);

	buf_addf(&r->bench->log, "%s %s%s; ", r->label, w->err == E_OK ? "ok" : err_name(w->err),
		 w->result ? w->result->version : "");
	if (r->bench->crash_on_done)
		memory_crash(r->bench->b);
	if (r->bench->again == r) {
		r->bench->again = NULL;
		mem_fail_at(1);
		backend_write(r->bench->b, &r->w);
		mem_fail_at(0);
	}
}

static void saw(struct bench *b, const char *want)
{
	const char *log = b->log.n ? buf_cstr(&b->log) : "";

	if (strcmp(log, want) != 0)
		fail_msg("saw: %s\nnot: %s", log, want);
	buf_clear(&b->log);
}

static void bench_open(struct bench *b)
{
	struct memory_clock clock = { after, b };
	struct backend_watcher watcher = { on_object, on_gone, on_synced, on_problem, b };

	if (!b->store)
		b->store = memory_store_new(1);
	assert_non_null(buf_reserve(&b->log, 4096)); /* no allocation of the test's own later */
	assert_int_equal(memory_open(b->store, &clock, NULL, &b->b), E_OK);
	assert_int_equal(backend_start(b->b, &watcher, NULL), E_OK);
	run_until(b, b->now);
}

static void bench_close(struct bench *b)
{
	backend_close(b->b, on_closed, b);
	run_until(b, b->now + 1000000);
}

static void bench_end(struct bench *b)
{
	bench_close(b);
	memory_store_free(b->store);
	buf_release(&b->log);
}

static struct object *object(const char *name, int value, const char *more)
{
	char json[256];
	struct object *o = NULL;

	snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"n\"},\"spec\":{\"v\":%d}%s}", name,
		 value, more);
	assert_int_equal(object_new(OBJECT_APPLICATION, str_of(json), NULL, &o), E_OK);
	return o;
}

static struct request request(struct bench *b, const char *label, enum backend_verb verb, struct object *o)
{
	return (struct request){ .w = { .verb = verb, .object = o, .on_done = on_done }, .bench = b, .label = label };
}

static void do_write(struct bench *b, const char *label, enum backend_verb verb, const char *name, int value,
		     const char *more)
{
	struct object *o = object(name, value, more);
	struct request r = request(b, label, verb, o);

	backend_write(b->b, &r.w);
	object_unref(o);
	run_until(b, b->now);
}

static bool content_is(struct bench *b, const char *name, const char *part)
{
	struct object *o = memory_store_get(b->store, OBJECT_APPLICATION, "n", name);

	return o && memmem(o->json->p, o->json->n, part, strlen(part));
}

static void writes_are_done_and_then_reported(void **state)
{
	struct bench b = { 0 };

	(void)state;
	bench_open(&b);
	saw(&b, "synced; ");
	do_write(&b, "put", BACKEND_PUT, "a", 1, "");
	saw(&b, "put ok1; a is at 1; ");
	do_write(&b, "put", BACKEND_PUT, "a", 1, "");
	saw(&b, "put ok1; "); /* nothing changed */
	do_write(&b, "put", BACKEND_PUT, "a", 2, "");
	saw(&b, "put ok2; a is at 2; ");
	do_write(&b, "delete", BACKEND_DELETE, "a", 0, "");
	saw(&b, "delete ok; a is gone; ");
	do_write(&b, "delete", BACKEND_DELETE, "a", 0, "");
	saw(&b, "delete not_found; ");
	bench_end(&b);
}

/* An application with so many values more: `head`, a list of zeros, `tail`. */
static struct object *large(const char *head, const char *tail)
{
	struct buf json = { 0 };
	struct object *o = NULL;

	buf_addf(&json, "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"},%s[0", head);
	for (size_t i = 0; i < OBJECT_VALUES_MAX * 6 / 10; i++)
		buf_lit(&json, ",0");
	buf_addf(&json, "]%s}", tail);
	assert_int_equal(object_new(OBJECT_APPLICATION, buf_view(&json), NULL, &o), E_OK);
	buf_release(&json);
	return o;
}

static void what_spec_and_status_have_together_is_limited_too(void **state)
{
	struct bench b = { 0 };
	struct object *spec = large("\"spec\":", ""), *status = large("\"spec\":{},\"status\":{\"s\":", "}");
	struct request put = request(&b, "put", BACKEND_PUT, spec),
		       told = request(&b, "status", BACKEND_STATUS, status);

	(void)state;
	bench_open(&b);
	backend_write(b.b, &put.w);
	backend_write(b.b, &told.w);
	run_until(&b, b.now);
	saw(&b, "synced; put ok1; a is at 1; status limit; ");
	object_unref(spec);
	object_unref(status);
	bench_end(&b);
}

static void put_leaves_the_status_and_status_leaves_the_rest(void **state)
{
	struct bench b = { 0 };

	(void)state;
	bench_open(&b);
	do_write(&b, "status", BACKEND_STATUS, "a", 0, ",\"status\":{\"s\":1}");
	saw(&b, "synced; status not_found; ");
	do_write(&b, "put", BACKEND_PUT, "a", 1, ",\"status\":{\"s\":0},\"operation\":{\"o\":0}");
	assert_false(content_is(&b, "a", "\"status\""));
	assert_true(content_is(&b, "a", "\"operation\":{\"o\":0}"));
	do_write(&b, "status", BACKEND_STATUS, "a", 9, ",\"status\":{\"s\":1}");
	assert_true(content_is(&b, "a", "\"v\":1"));
	assert_true(content_is(&b, "a", "\"status\":{\"s\":1}"));
	assert_false(content_is(&b, "a", "\"operation\""));
	do_write(&b, "put", BACKEND_PUT, "a", 2, "");
	assert_true(content_is(&b, "a", "\"v\":2"));
	assert_true(content_is(&b, "a", "\"status\":{\"s\":1}"));
	bench_end(&b);
}

static void expectations_are_checked_when_it_is_done(void **state)
{
	static const struct {
		bool exists;
		enum backend_verb verb;
		const char *uid, *version;
		enum err err;
	} rows[] = {
		{ false, BACKEND_PUT, NULL, NULL, E_OK },           { false, BACKEND_PUT, "", NULL, E_OK },
		{ false, BACKEND_PUT, "x", NULL, E_NOT_FOUND },     { false, BACKEND_PUT, NULL, "1", E_CONFLICT },
		{ false, BACKEND_STATUS, NULL, NULL, E_NOT_FOUND }, { false, BACKEND_DELETE, NULL, NULL, E_NOT_FOUND },
		{ true, BACKEND_PUT, "", NULL, E_EXISTS },          { true, BACKEND_PUT, "x", NULL, E_CONFLICT },
		{ true, BACKEND_PUT, "mine", NULL, E_OK },          { true, BACKEND_PUT, "mine", "1", E_OK },
		{ true, BACKEND_PUT, "mine", "2", E_CONFLICT },     { true, BACKEND_DELETE, "x", NULL, E_CONFLICT },
		{ true, BACKEND_DELETE, NULL, "2", E_CONFLICT },    { true, BACKEND_DELETE, "mine", "1", E_OK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b = { 0 };
		struct object *o = object("a", 2, "");
		struct request r = request(&b, "", rows[i].verb, o);
		char uid[64];

		bench_open(&b);
		if (rows[i].exists) {
			struct object *first = object("a", 1, "");

			assert_int_equal(memory_store_edit(b.store, first), E_OK);
			object_unref(first);
			snprintf(uid, sizeof(uid), "%s", memory_store_get(b.store, OBJECT_APPLICATION, "n", "a")->uid);
		}
		r.w.expect_uid = rows[i].uid && strcmp(rows[i].uid, "mine") == 0 ? uid : rows[i].uid;
		r.w.expect_version = rows[i].version;
		backend_write(b.b, &r.w);
		run_until(&b, 0);
		if (r.w.err != rows[i].err)
			fail_msg("row %zu: %s", i, err_name(r.w.err));
		object_unref(o);
		bench_end(&b);
	}
}

static void what_a_person_does_is_reported(void **state)
{
	struct bench b = { 0 };
	struct object *o = object("a", 1, ",\"status\":{}");

	(void)state;
	bench_open(&b);
	assert_int_equal(memory_store_edit(b.store, o), E_OK);
	saw(&b, "synced; ");
	run_until(&b, 0);
	saw(&b, "a is at 1; ");
	assert_int_equal(memory_store_remove(b.store, OBJECT_APPLICATION, "n", "a"), E_OK);
	assert_int_equal(memory_store_remove(b.store, OBJECT_APPLICATION, "n", "a"), E_NOT_FOUND);
	assert_int_equal(memory_store_edit(b.store, o), E_OK);
	do_write(&b, "put", BACKEND_PUT, "a", 3, "");
	saw(&b, "a is gone; a is at 2; put ok3; a is at 3; ");
	object_unref(o);
	bench_end(&b);
}

static struct object *held(int value, const char *metadata)
{
	char json[256];
	struct object *o = NULL;

	snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"%s},\"spec\":{\"v\":%d}}",
		 metadata, value);
	assert_int_equal(object_new(OBJECT_APPLICATION, str_of(json), NULL, &o), E_OK);
	return o;
}

static void put_held(struct bench *b, int value, const char *metadata)
{
	struct object *o = held(value, metadata);
	struct request r = request(b, "put", BACKEND_PUT, o);

	backend_write(b->b, &r.w);
	object_unref(o);
	run_until(b, b->now);
}

#define GOING ",\"deletionTimestamp\":\"2000-01-01T00:00:00Z\""

static void what_has_finalizers_stays_until_they_are_gone(void **state)
{
	struct bench b = { 0 };

	(void)state;
	bench_open(&b);
	put_held(&b, 1, ",\"finalizers\":[\"f\",\"g\"]");
	saw(&b, "synced; put ok1; a is at 1; ");
	do_write(&b, "delete", BACKEND_DELETE, "a", 0, "");
	saw(&b, "delete ok2; a is at 2; ");
	assert_true(content_is(&b, "a", "\"finalizers\":[\"f\",\"g\"]"));
	assert_true(content_is(&b, "a", GOING));
	do_write(&b, "delete", BACKEND_DELETE, "a", 0, "");
	saw(&b, "delete ok2; "); /* nothing changed */
	do_write(&b, "status", BACKEND_STATUS, "a", 0, ",\"status\":{\"s\":1}");
	saw(&b, "status ok3; a is at 3; ");
	put_held(&b, 2, ",\"finalizers\":[\"h\",\"g\"]"); /* no new ones, and there is no way back */
	saw(&b, "put ok4; a is at 4; ");
	assert_true(content_is(&b, "a", "\"finalizers\":[\"g\"]"));
	assert_true(content_is(&b, "a", GOING));
	assert_true(content_is(&b, "a", "\"v\":2"));
	put_held(&b, 2, "");
	saw(&b, "put ok5; a is gone; ");
	assert_int_equal(memory_store_count(b.store), 0);
	bench_end(&b);
}

/* A file may say that it is being deleted, and nothing holds it: only the delete ends it. */
static void what_nothing_holds_stays_until_it_is_deleted(void **state)
{
	struct bench b = { 0 };

	(void)state;
	bench_open(&b);
	put_held(&b, 1, GOING);
	put_held(&b, 2, ",\"finalizers\":[\"f\"]");
	saw(&b, "synced; put ok1; a is at 1; put ok2; a is at 2; ");
	assert_true(content_is(&b, "a", "\"finalizers\":[]"));
	do_write(&b, "delete", BACKEND_DELETE, "a", 0, "");
	saw(&b, "delete ok; a is gone; ");
	bench_end(&b);
}

static void people_meet_finalizers_too(void **state)
{
	struct bench b = { 0 };
	struct object *o = held(1, ",\"finalizers\":[\"f\"]"), *free_of_it = held(1, "");

	(void)state;
	bench_open(&b);
	assert_int_equal(memory_store_edit(b.store, o), E_OK);
	assert_int_equal(memory_store_remove(b.store, OBJECT_APPLICATION, "n", "a"), E_OK);
	assert_int_equal(memory_store_remove(b.store, OBJECT_APPLICATION, "n", "a"), E_OK);
	run_until(&b, 0);
	saw(&b, "synced; a is at 1; a is at 2; ");
	assert_int_equal(memory_store_edit(b.store, o), E_OK);
	assert_true(content_is(&b, "a", GOING));
	assert_int_equal(memory_store_edit(b.store, free_of_it), E_OK);
	assert_int_equal(memory_store_remove(b.store, OBJECT_APPLICATION, "n", "a"), E_NOT_FOUND);
	run_until(&b, 0);
	saw(&b, "a is at 3; a is gone; ");
	object_unref(o);
	object_unref(free_of_it);
	bench_end(&b);
}

static void what_is_there_is_listed_first(void **state)
{
	struct bench b = { 0 };

	(void)state;
	bench_open(&b);
	do_write(&b, "put", BACKEND_PUT, "a", 1, "");
	bench_close(&b);
	saw(&b, "synced; put ok1; a is at 1; closed; ");
	bench_open(&b);
	saw(&b, "a is at 1; synced; ");
	bench_end(&b);
}

static void a_shorter_delay_does_not_overtake(void **state)
{
	struct bench b = { 0 };
	struct object *objects[] = { object("a", 1, ""), object("a", 2, ""), object("b", 1, "") };
	struct request r[3];

	(void)state;
	bench_open(&b);
	memory_store_delay(b.store, 100);
	r[0] = request(&b, "a1", BACKEND_PUT, objects[0]);
	backend_write(b.b, &r[0].w);
	memory_store_delay(b.store, 10);
	r[1] = request(&b, "a2", BACKEND_PUT, objects[1]);
	backend_write(b.b, &r[1].w);
	memory_store_delay(b.store, 0);
	r[2] = request(&b, "b1", BACKEND_PUT, objects[2]);
	backend_write(b.b, &r[2].w);
	run_until(&b, 9);
	saw(&b, "synced; b1 ok1; b is at 1; ");
	run_until(&b, 10);
	saw(&b, "a1 ok2; a is at 2; a2 ok3; a is at 3; ");
	run_until(&b, 200);
	saw(&b, "");
	for (size_t i = 0; i < 3; i++)
		object_unref(objects[i]);
	bench_end(&b);
}

static void it_fails_when_told(void **state)
{
	struct bench b = { 0 };

	(void)state;
	bench_open(&b);
	memory_store_fail(b.store, E_FULL, 2);
	do_write(&b, "1", BACKEND_PUT, "a", 1, "");
	do_write(&b, "2", BACKEND_PUT, "a", 1, "");
	do_write(&b, "3", BACKEND_PUT, "a", 1, "");
	saw(&b, "synced; 1 full; 2 full; 3 ok1; a is at 1; ");
	bench_end(&b);
}

static void writes_under_way_end_before_it_is_closed(void **state)
{
	struct bench b = { 0 };
	struct object *o = object("a", 1, "");
	struct request r = request(&b, "put", BACKEND_PUT, o);

	(void)state;
	bench_open(&b);
	memory_store_delay(b.store, 100);
	backend_write(b.b, &r.w);
	bench_close(&b);
	saw(&b, "synced; put ok1; closed; ");
	assert_int_equal(memory_store_count(b.store), 1);
	memory_store_free(b.store);
	object_unref(o);
	buf_release(&b.log);
}

static void a_crash_loses_what_is_under_way(void **state)
{
	struct bench b = { 0 };
	struct object *o = object("a", 1, "");
	struct request r = request(&b, "put", BACKEND_PUT, o);

	(void)state;
	bench_open(&b);
	memory_store_delay(b.store, 100);
	backend_write(b.b, &r.w);
	memory_crash(b.b);
	memory_store_delay(b.store, 0);
	bench_open(&b);
	run_until(&b, 1000);
	saw(&b, "synced; synced; ");
	assert_int_equal(memory_store_count(b.store), 0);
	do_write(&b, "put", BACKEND_PUT, "a", 1, "");
	bench_close(&b);
	saw(&b, "put ok1; a is at 1; closed; ");
	memory_store_free(b.store);
	object_unref(o);
	buf_release(&b.log);
}

static void it_may_crash_in_on_done(void **state)
{
	struct bench b = { .crash_on_done = true };
	struct object *objects[] = { object("a", 1, ""), object("a", 2, "") };
	struct request r[2];

	(void)state;
	bench_open(&b);
	for (size_t i = 0; i < 2; i++) {
		r[i] = request(&b, "put", BACKEND_PUT, objects[i]);
		backend_write(b.b, &r[i].w);
	}
	run_until(&b, 0);
	saw(&b, "synced; put ok1; ");
	assert_true(content_is(&b, "a", "\"v\":1"));
	for (size_t i = 0; i < 2; i++)
		object_unref(objects[i]);
	memory_store_free(b.store);
	buf_release(&b.log);
}

/* The write that runs in this moment is lost like those behind it. */
static void it_may_crash_in_a_report(void **state)
{
	struct bench b = { 0 };
	struct object *first = object("a", 1, ""), *second = object("b", 1, "");
	struct request r = request(&b, "put", BACKEND_PUT, second);

	(void)state;
	bench_open(&b);
	memory_store_delay(b.store, 5);
	backend_write(b.b, &r.w);
	run_until(&b, 4);
	b.crash_on_object = true;
	b.now = 5;
	assert_int_equal(memory_store_edit(b.store, first), E_OK);
	run_until(&b, 5);
	saw(&b, "synced; a is at 1; ");
	object_unref(first);
	object_unref(second);
	memory_store_free(b.store);
	buf_release(&b.log);
}

static void a_refused_write_may_be_given_again_at_once(void **state)
{
	struct bench b = { 0 };
	struct object *o = object("a", 1, ""), *another = object("b", 1, "");
	struct request r = request(&b, "put", BACKEND_PUT, o), slow = request(&b, "slow", BACKEND_PUT, another);

	(void)state;
	bench_open(&b);
	b.again = &r;
	mem_fail_at(1);
	backend_write(b.b, &r.w);
	mem_fail_at(0);
	run_until(&b, 0);
	saw(&b, "synced; put nomem; put nomem; ");
	memory_store_delay(b.store, 5);
	backend_write(b.b, &slow.w);
	mem_fail_at(1);
	backend_write(b.b, &r.w);
	mem_fail_at(0);
	run_until(&b, 5);
	saw(&b, "put nomem; slow ok1; b is at 1; ");
	object_unref(o);
	object_unref(another);
	bench_end(&b);
}

static void without_memory_a_write_fails_after_the_call(void **state)
{
	static const struct {
		enum backend_verb verb;
		const char *there; /* NULL: nothing */
	} rows[] = {
		{ BACKEND_PUT, NULL },
		{ BACKEND_PUT, GOING ",\"finalizers\":[\"f\",\"g\"]" },
		{ BACKEND_DELETE, ",\"finalizers\":[\"f\",\"g\"]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		long points = 1, failed = 0;

		for (long n = 0; n <= points; n++) {
			struct object *o = held(1, ",\"finalizers\":[\"f\"]"); /* whose tree nobody has yet */
			struct bench b = { 0 };
			struct request r = request(&b, "", rows[i].verb, o);

			bench_open(&b);
			if (rows[i].there)
				put_held(&b, 0, rows[i].there);
			mem_fail_at(n);
			backend_write(b.b, &r.w);
			assert_int_equal(r.w.err, E_OK);
			run_until(&b, 0);
			if (n == 0)
				points = mem_count();
			/* With sanitizers shared trees are looked at as well (recent.c), if there is memory for it. */
			assert_true(r.w.err == E_OK || (n && r.w.err == E_NOMEM));
			failed += r.w.err == E_NOMEM;
			mem_fail_at(0);
			bench_end(&b);
			object_unref(o);
		}
		assert_true(failed > 1);
	}
}

/* ---- on a loop ------------------------------------------------------------------------------------------------------ */

static void stop(void *ctx)
{
	loop_stop(ctx);
}

struct loop_request {
	struct backend_write w;
	struct backend *b;
	struct loop *loop;
};

static void on_loop_done(struct backend_write *w)
{
	struct loop_request *r = CONTAINER_OF(w, struct loop_request, w);

	assert_int_equal(w->err, E_OK);
	backend_close(r->b, stop, r->loop);
}

static void it_runs_on_a_loop(void **state)
{
	struct memory_store *s = memory_store_new(1);
	struct object *o = object("a", 1, "");
	struct loop loop;
	struct loop_request r = { .w = { .object = o, .on_done = on_loop_done }, .loop = &loop };

	(void)state;
	assert_int_equal(loop_init(&loop, NULL), E_OK);
	memory_store_delay(s, 1);
	assert_int_equal(memory_open_loop(s, &loop, NULL, &r.b), E_OK);
	backend_write(r.b, &r.w);
	loop_run(&loop);
	assert_int_equal(memory_store_count(s), 1);
	loop_release(&loop);
	object_unref(o);
	memory_store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_are_done_and_then_reported),
		cmocka_unit_test(what_spec_and_status_have_together_is_limited_too),
		cmocka_unit_test(put_leaves_the_status_and_status_leaves_the_rest),
		cmocka_unit_test(expectations_are_checked_when_it_is_done),
		cmocka_unit_test(what_a_person_does_is_reported),
		cmocka_unit_test(what_has_finalizers_stays_until_they_are_gone),
		cmocka_unit_test(what_nothing_holds_stays_until_it_is_deleted),
		cmocka_unit_test(people_meet_finalizers_too),
		cmocka_unit_test(what_is_there_is_listed_first),
		cmocka_unit_test(a_shorter_delay_does_not_overtake),
		cmocka_unit_test(it_fails_when_told),
		cmocka_unit_test(writes_under_way_end_before_it_is_closed),
		cmocka_unit_test(a_crash_loses_what_is_under_way),
		cmocka_unit_test(it_may_crash_in_on_done),
		cmocka_unit_test(it_may_crash_in_a_report),
		cmocka_unit_test(a_refused_write_may_be_given_again_at_once),
		cmocka_unit_test(without_memory_a_write_fails_after_the_call),
		cmocka_unit_test(it_runs_on_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
