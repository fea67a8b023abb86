/*
 * The Kubernetes backend against an API server that does everything an API server may do, in an order drawn from a seed: people
 * change objects, answers are late, lost or cut, watches break, lag behind and expire, and memory runs out.
 *
 * After each step: versions rise, a UID never comes back, what a write made is reported right behind its end, and not before. When
 * nothing moves any more the backend knows exactly what the server has.
 *
 *     test_kubernetes_chaos [SEED]     one run; without it 400 of them, half with new seeds
 */
#include "kube_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/kubernetes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/seed.h"

#define APPS   "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
#define NAMES  4
#define WRITES 12
#define EVENTS 4096
#define STEPS  400

struct thing {
	char uid[24]; /* "": not there */
	unsigned long version;
	unsigned value;
	bool finalizer;
	bool deleting;
};

struct write {
	struct backend_write w;
	bool given;
	int name;
	char uid[24];
	char version[24];
	unsigned value;
	bool performed; /* at the server */
	unsigned long version_made;
};

/* What the backend has told. */
struct seen {
	char uid[24];
	unsigned long version;
	char last_uid[24];
	unsigned long highest;
};

struct world {
	struct loop loop;
	struct backend *b;
	uint64_t seed;
	unsigned long version;
	unsigned uids;
	struct thing things[NAMES];
	struct {
		char *line;
		unsigned long version;
	} events[EVENTS];
	size_t event_count;
	unsigned long forgotten; /* watches from before this have expired */
	struct write writes[WRITES];
	struct seen seen[NAMES];
	const struct write *owed; /* its report comes next */
	bool owed_gone;
	bool synced;
	bool closed;
	bool calm;
	char rest_of_list[4000];
};

static struct world *world;

static uint64_t draw(uint64_t n)
{
	return seed_next(&world->seed) % n;
}

static bool chance(unsigned percent)
{
	return !world->calm && draw(100) < percent;
}

/* ---- the server ------------------------------------------------------------------------------------------------------- */

static void text_of(int name, char *ret_text, size_t size)
{
	const struct thing *t = &world->things[name];

	snprintf(ret_text, size,
		 "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Application\",\"metadata\":{\"name\":\"n%d\","
		 "\"namespace\":\"argocd\",\"uid\":\"%s\",\"resourceVersion\":\"%lu\"%s%s},\"spec\":{\"v\":%u}}",
		 name, t->uid, t->version, t->finalizer ? ",\"finalizers\":[\"f/f\"]" : "",
		 t->deleting ? ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"" : "", t->value);
}

static void happen(int name, const char *type)
{
	char text[1000], line[1200];

	world->things[name].version = ++world->version;
	text_of(name, text, sizeof(text));
	snprintf(line, sizeof(line), "{\"type\":\"%s\",\"object\":%s}\n", type, text);
	assert_true(world->event_count < EVENTS);
	world->events[world->event_count].line = strdup(line);
	world->events[world->event_count++].version = world->version;
}

static void make(int name, unsigned value)
{
	struct thing *t = &world->things[name];

	snprintf(t->uid, sizeof(t->uid), "u%u", ++world->uids);
	t->value = value;
	t->deleting = false;
	t->finalizer = draw(3) == 0;
	happen(name, "ADDED");
}

static void remove_now(int name)
{
	happen(name, "DELETED");
	world->things[name].uid[0] = '\0';
}

static void remove_politely(int name)
{
	struct thing *t = &world->things[name];

	if (!t->finalizer) {
		remove_now(name);
	} else if (!t->deleting) {
		t->deleting = true;
		happen(name, "MODIFIED");
	}
}

/* People and controllers. */
static void somebody(void)
{
	int name = (int)draw(NAMES);
	struct thing *t = &world->things[name];

	if (!t->uid[0]) {
		make(name, (unsigned)draw(1000));
	} else if (t->deleting && draw(2)) {
		t->finalizer = false;
		remove_now(name);
	} else if (draw(3) == 0) {
		remove_politely(name);
	} else {
		t->value = (unsigned)draw(1000);
		happen(name, "MODIFIED");
	}
}

static const char *reason(const char *word, unsigned code)
{
	static char text[200];

	snprintf(text, sizeof(text), "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"%s\",\"code\":%u}", word,
		 code);
	return text;
}

static const char *member(struct str body, const char *key, char *ret_text, size_t size)
{
	char pattern[40];
	const char *at;

	snprintf(pattern, sizeof(pattern), "\"%s\":\"", key);
	at = body.n ? memmem(body.p, body.n, pattern, strlen(pattern)) : NULL;
	ret_text[0] = '\0';
	if (at)
		str_copy((struct str){ at + strlen(pattern), strcspn(at + strlen(pattern), "\"") }, ret_text, size);
	return ret_text;
}

static unsigned value_in(struct str body)
{
	const char *at = memmem(body.p, body.n, "\"v\":", 4);

	return at ? (unsigned)strtoul(at + 4, NULL, 10) : 0;
}

/* The write that is under way for this name. */
static struct write *write_of(int name)
{
	for (size_t i = 0; i < WRITES; i++)
		if (world->writes[i].given && world->writes[i].name == name)
			return &world->writes[i]; /* one at a time is given for each name */
	return NULL;
}

static void performed(int name)
{
	struct write *w = write_of(name);

	assert_non_null(w);
	w->performed = true;
	w->version_made = world->version;
}

static void expected(int name)
{
	const struct write *w = write_of(name);
	const struct thing *t = &world->things[name];
	char version[24];

	snprintf(version, sizeof(version), "%lu", t->version);
	if (w->w.expect_uid)
		assert_string_equal(w->uid, t->uid);
	if (w->w.expect_version)
		assert_string_equal(w->version, version);
}

static unsigned do_put(int name, struct str body, char *ret_text, size_t size)
{
	struct thing *t = &world->things[name];
	char version[24], uid[24], have[24];

	snprintf(have, sizeof(have), "%lu", t->version);
	if (!t->uid[0]) {
		snprintf(ret_text, size, "%s", reason("NotFound", 404));
		return 404;
	}
	if (strcmp(member(body, "resourceVersion", version, sizeof(version)), have) != 0 ||
	    strcmp(member(body, "uid", uid, sizeof(uid)), t->uid) != 0) {
		snprintf(ret_text, size, "%s", reason("Conflict", 409));
		return 409;
	}
	expected(name);
	if (value_in(body) != t->value) {
		t->value = value_in(body);
		happen(name, "MODIFIED");
		performed(name);
	}
	text_of(name, ret_text, size);
	return 200;
}

static unsigned do_post(int name, struct str body, char *ret_text, size_t size)
{
	char version[24];

	assert_string_equal(member(body, "resourceVersion", version, sizeof(version)), "");
	if (world->things[name].uid[0]) {
		snprintf(ret_text, size, "%s", reason("AlreadyExists", 409));
		return 409;
	}
	expected(name);
	make(name, value_in(body));
	performed(name);
	text_of(name, ret_text, size);
	return 201;
}

static unsigned do_delete(int name, struct str body, char *ret_text, size_t size)
{
	struct thing *t = &world->things[name];
	char version[24], uid[24], have[24];

	snprintf(have, sizeof(have), "%lu", t->version);
	if (!t->uid[0]) {
		snprintf(ret_text, size, "%s", reason("NotFound", 404));
		return 404;
	}
	member(body, "resourceVersion", version, sizeof(version));
	if (strcmp(member(body, "uid", uid, sizeof(uid)), t->uid) != 0 || (version[0] && strcmp(version, have) != 0)) {
		snprintf(ret_text, size, "%s", reason("Conflict", 409));
		return 409;
	}
	expected(name);
	remove_politely(name);
	if (t->uid[0])
		text_of(name, ret_text, size);
	else
		snprintf(ret_text, size, "{\"kind\":\"Status\",\"status\":\"Success\"}");
	performed(name);
	return 200;
}

static unsigned do_get(int name, char *ret_text, size_t size)
{
	if (world->things[name].uid[0]) {
		text_of(name, ret_text, size);
		return 200;
	}
	snprintf(ret_text, size, "%s", reason("NotFound", 404));
	return 404;
}

/* ---- what the backend tells --------------------------------------------------------------------------------------------- */

static int name_of(const struct object *o)
{
	return o->name[1] - '0';
}

static bool is_owed(const struct object *o, bool gone)
{
	const struct write *w = world->owed;
	bool is = w && name_of(o) == w->name && gone == world->owed_gone;

	if (w && !is)
		fail_msg("%s is told before what was written to n%d", o->name, w->name);
	world->owed = NULL;
	return is;
}

static void on_object(void *ctx, struct object *o)
{
	struct seen *s = &world->seen[name_of(o)];
	const struct write *w = write_of(name_of(o));
	unsigned long version = strtoul(o->version, NULL, 10);

	(void)ctx;
	(void)is_owed(o, /* gone= */ false);
	if (version <= s->highest)
		fail_msg("%s: version %lu after %lu", o->name, version, s->highest);
	if (s->uid[0] && strcmp(s->uid, o->uid) != 0)
		fail_msg("%s: %s while %s was there", o->name, o->uid, s->uid);
	if (!s->uid[0] && strcmp(s->last_uid, o->uid) == 0)
		fail_msg("%s: %s is there again", o->name, o->uid);
	if (w && w->performed && w->version_made == version)
		fail_msg("%s: version %lu before the end of its write", o->name, version);
	str_copy(str_of(o->uid), s->uid, sizeof(s->uid));
	s->version = s->highest = version;
}

static void on_gone(void *ctx, struct object *last)
{
	struct seen *s = &world->seen[name_of(last)];

	(void)ctx;
	(void)is_owed(last, /* gone= */ true);
	assert_string_equal(s->uid, last->uid);
	str_copy(str_of(s->uid), s->last_uid, sizeof(s->last_uid));
	s->uid[0] = '\0';
}

static void on_synced(void *ctx)
{
	(void)ctx;
	assert_false(world->synced);
	world->synced = true;
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	(void)ctx;
	assert_true(bad == (why->err != E_OK));
}

static void on_written(struct backend_write *bw)
{
	struct write *w = CONTAINER_OF(bw, struct write, w);
	struct seen *s = &world->seen[w->name];
	bool is_delete = bw->verb == BACKEND_DELETE;

	w->given = false;
	if (bw->err == E_OK && !is_delete && strtoul(bw->result->version, NULL, 10) > s->highest)
		world->owed = w;
	if (bw->err == E_OK && is_delete && w->performed && s->uid[0])
		world->owed = w;
	world->owed_gone = is_delete && strcmp(world->things[w->name].uid, s->uid) != 0;
	if (is_delete && !world->owed_gone)
		world->owed = NULL; /* it may be told of, or known as being deleted already */
	if (bw->err == E_CONFLICT || bw->err == E_EXISTS || bw->err == E_NOT_FOUND)
		assert_false(w->performed);
	object_unref(bw->object);
}

/* ---- writes ----------------------------------------------------------------------------------------------------------- */

static void give(void)
{
	struct write *w = &world->writes[draw(WRITES)];
	int name = (int)draw(NAMES);
	const struct seen *s = &world->seen[name];
	char text[400];

	if (w->given || write_of(name))
		return;
	*w = (struct write){ .name = name, .given = true, .value = (unsigned)draw(1000) };
	w->w.verb = draw(3) == 0 ? BACKEND_DELETE : BACKEND_PUT;
	snprintf(
		text, sizeof(text),
		"{\"metadata\":{\"name\":\"n%d\",\"namespace\":\"argocd\",\"uid\":\"other\",\"resourceVersion\":\"1\"},"
		"\"spec\":{\"v\":%u}}",
		name, w->value);
	assert_int_equal(object_new(OBJECT_APPLICATION, str_of(text), NULL, &w->w.object), E_OK);
	str_copy(str_of(draw(8) ? s->uid : s->last_uid), w->uid, sizeof(w->uid));
	snprintf(w->version, sizeof(w->version), "%lu", s->version);
	if (draw(4))
		w->w.expect_uid = w->uid;
	if (w->uid[0] && s->uid[0] && draw(2))
		w->w.expect_version = w->version;
	w->w.on_done = on_written;
	backend_write(world->b, &w->w);
	kube_turn();
}

/* ---- answers ---------------------------------------------------------------------------------------------------------- */

static void end(struct http_fetch *f, enum err err, unsigned status, const char *body)
{
	if (chance(3))
		kube_client.fail_at = 1 + (long)draw(12);
	kube_end(f, err, status, body);
	if (world->owed)
		fail_msg("what was written to n%d was not told", world->owed->name);
}

static void answer_write(struct http_fetch *f)
{
	char text[1200];
	const char *slash = strrchr(f->target, '/');
	char posted[24];
	int name = strcmp(f->method, "POST") == 0 ? member(f->body, "name", posted, sizeof(posted))[1] - '0'
						  : slash[2] - '0';
	unsigned status;

	if (chance(8)) { /* it never came there */
		end(f, E_UNAVAILABLE, 0, "");
		return;
	}
	if (chance(4)) {
		end(f, E_OK, 503, "busy");
		return;
	}
	if (strcmp(f->method, "PUT") == 0)
		status = do_put(name, f->body, text, sizeof(text));
	else if (strcmp(f->method, "POST") == 0)
		status = do_post(name, f->body, text, sizeof(text));
	else if (strcmp(f->method, "DELETE") == 0)
		status = do_delete(name, f->body, text, sizeof(text));
	else
		status = do_get(name, text, sizeof(text));
	if (chance(8)) {
		end(f, E_UNAVAILABLE, 0, "");
		return;
	}
	end(f, E_OK, status, text);
}

static unsigned long version_in(const char *target)
{
	const char *at = strstr(target, "resourceVersion=");

	return at ? strtoul(at + 16, NULL, 10) : 0;
}

/* Ends the list. */
static void add_items(char *text, size_t size, int from, int to)
{
	bool first = true;

	for (int i = from; i < to; i++) {
		char one[1000];

		if (!world->things[i].uid[0])
			continue;
		text_of(i, one, sizeof(one));
		snprintf(text + strlen(text), size - strlen(text), "%s%s", first ? "" : ",", one);
		first = false;
	}
	snprintf(text + strlen(text), size - strlen(text), "]}");
}

/* In two parts, the second as it was at the time of the first, or forgotten. */
static void answer_list(struct http_fetch *f)
{
	char text[5000];
	bool more = strstr(f->target, "&continue=") != NULL;

	if (!strstr(f->target, "/applications")) {
		snprintf(text, sizeof(text), "{\"metadata\":{\"resourceVersion\":\"%lu\"},\"items\":null}",
			 world->version);
		end(f, E_OK, 200, text);
		return;
	}
	if (chance(10)) {
		end(f, chance(50) ? E_UNAVAILABLE : E_OK, more ? 410 : 500, "{}");
		return;
	}
	if (more) {
		str_copy(str_of(world->rest_of_list), text, sizeof(text));
		end(f, E_OK, 200, text);
		return;
	}
	snprintf(text, sizeof(text), "{\"metadata\":{\"resourceVersion\":\"%lu\",\"continue\":\"x\"},\"items\":[",
		 world->version);
	add_items(text, sizeof(text), 0, NAMES / 2);
	snprintf(world->rest_of_list, sizeof(world->rest_of_list),
		 "{\"metadata\":{\"resourceVersion\":\"%lu\"},\"items\":[", world->version);
	add_items(world->rest_of_list, sizeof(world->rest_of_list), NAMES / 2, NAMES);
	end(f, E_OK, 200, text);
}

/* Its place is kept in what the test may use of a fetch: how far its pieces went. */
static size_t *place_of(struct http_fetch *f)
{
	return &f->retry_after_ms;
}

static bool piece(struct http_fetch *f, struct str text)
{
	enum err err;

	f->status = 200;
	f->on_head(f);
	if (chance(2))
		mem_fail_at(1 + (long)draw(6));
	err = f->on_piece(f, text);
	mem_fail_at(0);
	kube_turn();
	if (world->owed)
		fail_msg("told late");
	if (err != E_OK)
		end(f, err, 200, "");
	return err == E_OK;
}

static bool tell_next(struct http_fetch *f)
{
	unsigned long from = version_in(f->target);
	size_t at = *place_of(f);
	struct str line;

	while (at < world->event_count && world->events[at].version <= from)
		at++;
	if (at == world->event_count)
		return false;
	*place_of(f) = at + 1;
	line = str_of(world->events[at].line);
	if (chance(30)) {
		size_t n = draw(line.n);

		if (!piece(f, str_sub(line, 0, n)))
			return true;
		line = str_sub(line, n, line.n);
	}
	(void)piece(f, line);
	return true;
}

static void answer_watch(struct http_fetch *f)
{
	unsigned long from = version_in(f->target);

	if (!*place_of(f) && from < world->forgotten) {
		end(f, E_OK, 410, reason("Expired", 410));
		return;
	}
	if (chance(4)) {
		end(f, chance(50) ? E_UNAVAILABLE : E_OK, 200, "");
		return;
	}
	if (chance(1)) {
		world->forgotten = world->version;
		(void)piece(f, (struct str)STR("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n"));
		return;
	}
	(void)tell_next(f);
}

static bool is_watch(const struct http_fetch *f)
{
	return strstr(f->target, "watch=1") != NULL;
}

static void answer_one(struct http_fetch *f)
{
	if (is_watch(f))
		answer_watch(f);
	else if (strstr(f->target, "limit="))
		answer_list(f);
	else
		answer_write(f);
}

/* ---- a run ------------------------------------------------------------------------------------------------------------ */

/* Pauses are none: the order of things is what counts, and it is drawn. */
enum err __real_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms);
enum err __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms);

enum err __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms)
{
	(void)delay_ms;
	return __real_loop_timer_start(loop, timer, 0);
}

static void step(void)
{
	uint64_t what = draw(10);

	if (what < 2)
		somebody();
	else if (what < 4)
		give();
	else if (kube_client.n)
		answer_one(kube_client.fetches[draw(kube_client.n)]);
	kube_turn();
}

static bool is_still(void)
{
	for (size_t i = 0; i < WRITES; i++)
		if (world->writes[i].given)
			return false;
	for (size_t i = 0; i < kube_client.n; i++)
		if (!is_watch(kube_client.fetches[i]) || tell_next(kube_client.fetches[i]))
			return false;
	return kube_client.n == 4;
}

static void come_to_rest(void)
{
	world->calm = true;
	for (int i = 0; !is_still(); i++) {
		assert_true(i < 5000);
		if (kube_client.n)
			answer_one(kube_client.fetches[draw(kube_client.n)]);
		kube_turn();
	}
}

static void check_same(void)
{
	for (int i = 0; i < NAMES; i++) {
		assert_string_equal(world->seen[i].uid, world->things[i].uid);
		if (world->things[i].uid[0])
			assert_int_equal(world->seen[i].version, world->things[i].version);
	}
	assert_true(world->synced);
}

static void on_closed(void *ctx)
{
	((struct world *)ctx)->closed = true;
}

static void open_world(void)
{
	static const struct backend_watcher watcher = { on_object, on_gone, on_synced, on_problem, NULL };
	struct kubernetes_options options = { .namespace = "argocd" };

	assert_int_equal(loop_init(&world->loop, NULL), E_OK);
	kube_client.loop = &world->loop;
	options.config = mem_alloc(sizeof(*options.config));
	options.config->server = mem_dup("https://k:6443", 14);
	options.config->origin = mem_dup("test", 4);
	assert_int_equal(kubernetes_open(&world->loop, &options, NULL, &world->b), E_OK);
	assert_int_equal(backend_start(world->b, &watcher, NULL), E_OK);
	kube_turn();
}

static void close_world(void)
{
	backend_close(world->b, on_closed, world);
	for (int i = 0; i < 20 && !world->closed; i++)
		kube_turn();
	assert_true(world->closed);
	loop_release(&world->loop);
	for (size_t i = 0; i < world->event_count; i++)
		free(world->events[i].line);
}

static void run(uint64_t seed)
{
	world = calloc(1, sizeof(*world));
	world->seed = seed;
	open_world();
	for (int i = 0; i < STEPS; i++)
		step();
	come_to_rest();
	check_same();
	close_world();
	free(world);
}

static uint64_t first_seed, last_seed;
static unsigned runs;

static void test_any_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < runs; i++) {
		last_seed = runs == 1 || i % 2 ? first_seed + i : i;
		run(last_seed);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_any_order) };
	int failed;

	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_JSON);
	runs = argc > 1 ? 1 : 400;
	first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : rand_u64() >> 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed)
		fprintf(stderr, "again with: %s %llu\n", argv[0], (unsigned long long)last_seed);
	return failed;
}
