/* The Kubernetes backend against an API server whose answers stand in the test (kube_client.h). */
#include "kube_client.h"

#include <stdio.h>
#include <unistd.h>

#include "backend/kubernetes_impl.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define APPS     "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
#define PROJECTS "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects"
#define SECRETS  "/api/v1/namespaces/argocd/secrets"
#define MAPS     "/api/v1/namespaces/argocd/configmaps"

#define APP(name, uid, version, rest)                                                                      \
	"{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Application\",\"metadata\":{\"name\":\"" name \
	"\",\"namespace\":\"argocd\",\"uid\":\"" uid "\",\"resourceVersion\":\"" version                   \
	"\",\"managedFields\":[{\"manager\":\"kubectl\"}]}" rest "}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define EMPTY(version)      "{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[]}"

struct given {
	struct backend_write w;
	struct bench *bench;
	const char *label;
	struct backend_write *then; /* given from inside its on_done() */
};

struct bench {
	struct loop loop;
	struct backend *b;
	struct buf log;
	struct backend_write *at_gone; /* given from inside on_gone() */
	bool closed;
};

/* The request that waits for this, which must be the only one of its kind. */
static struct http_fetch *asked(struct bench *b, const char *method, const char *target)
{
	struct http_fetch *found = NULL;
	uint64_t until = clock_mono_ms() + 30000;

	while (!found) {
		for (size_t i = 0; i < kube_client.n; i++)
			if (strcmp(kube_client.fetches[i]->method, method) == 0 &&
			    str_starts(str_of(kube_client.fetches[i]->target), str_of(target)))
				found = kube_client.fetches[i];
		if (clock_mono_ms() > until)
			fail_msg("nobody asked for %s %s", method, target);
		if (!found) {
			loop_tick(&b->loop);
			uv_run(&b->loop.uv, UV_RUN_ONCE);
		}
	}
	return found;
}

static void answer(struct bench *b, const char *method, const char *target, unsigned status, const char *body)
{
	kube_end(asked(b, method, target), E_OK, status, body);
}

static struct http_fetch *watch_of(struct bench *b, const char *path)
{
	char target[200];

	snprintf(target, sizeof(target), "%s?watch=1", path);
	return asked(b, "GET", target);
}

static void news(struct bench *b, const char *path, const char *lines)
{
	struct http_fetch *f = watch_of(b, path);

	f->status = 200;
	f->on_head(f);
	assert_int_equal(f->on_piece(f, str_of(lines)), E_OK);
	kube_turn();
}

/* ---- the watcher ---------------------------------------------------------------------------------------------------- */

static void on_object(void *ctx, struct object *o)
{
	struct bench *b = ctx;

	assert_false(str_contains(blob_view(o->json), (struct str)STR("managedFields")));
	buf_addf(&b->log, "+ %s %s %s\n", o->name, o->uid, o->version);
}

static void on_gone(void *ctx, struct object *last)
{
	struct bench *b = ctx;

	buf_addf(&b->log, "- %s %s %s\n", last->name, last->uid, last->version);
	if (b->at_gone)
		backend_write(b->b, TAKE(b->at_gone));
}

static void on_synced(void *ctx)
{
	buf_lit(&((struct bench *)ctx)->log, "synced\n");
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	struct bench *b = ctx;

	assert_true(bad == (why->err != E_OK));
	buf_addf(&b->log, "%c %s\n", bad ? '!' : '~', why->text);
}

static void saw(struct bench *b, const char *want)
{
	assert_string_equal(b->log.n ? buf_cstr(&b->log) : "", want);
	buf_clear(&b->log);
}

/* ---- writes --------------------------------------------------------------------------------------------------------- */

static void on_written(struct backend_write *w)
{
	struct given *g = CONTAINER_OF(w, struct given, w);

	buf_addf(&g->bench->log, "%s %s%s%s\n", g->label, err_name(w->err), w->result ? " " : "",
		 w->result ? w->result->version : "");
	object_unref(w->object);
	if (g->then)
		backend_write(g->bench->b, g->then);
}

static struct given given_of(enum object_kind kind, struct bench *b, const char *label, enum backend_verb verb,
			     const char *json, const char *uid, const char *version)
{
	struct given g = { .w = { .verb = verb, .expect_uid = uid, .expect_version = version, .on_done = on_written },
			   .bench = b,
			   .label = label };

	assert_int_equal(object_new(kind, str_of(json), NULL, &g.w.object), E_OK);
	return g;
}

static struct given given(struct bench *b, const char *label, enum backend_verb verb, const char *json, const char *uid,
			  const char *version)
{
	return given_of(OBJECT_APPLICATION, b, label, verb, json, uid, version);
}

static void write_it(struct bench *b, struct given *g)
{
	backend_write(b->b, &g->w);
	kube_turn();
}

static void body_is(const struct http_fetch *f, const char *want)
{
	char text[2000];

	str_copy(f->body, text, sizeof(text));
	assert_string_equal(text, want);
}

/* ---- open and close ------------------------------------------------------------------------------------------------- */

static void open_with(struct bench *b, const struct kubernetes_options *extra)
{
	struct backend_watcher watcher = { on_object, on_gone, on_synced, on_problem, b };
	struct kubernetes_options options = *extra;

	memset(b, 0, sizeof(*b));
	assert_int_equal(loop_init(&b->loop, NULL), E_OK);
	kube_client.loop = &b->loop;
	options.config = mem_alloc(sizeof(*options.config));
	options.config->server = mem_dup("https://k:6443", 14);
	options.config->origin = mem_dup("test", 4);
	options.namespace = "argocd";
	assert_int_equal(kubernetes_open(&b->loop, &options, NULL, &b->b), E_OK);
	assert_int_equal(backend_start(b->b, &watcher, NULL), E_OK);
	kube_turn();
}

static void answer_lists(struct bench *b, const char *apps)
{
	answer(b, "GET", APPS "?limit=200", 200, apps);
	answer(b, "GET", PROJECTS "?limit=200", 200, EMPTY("5"));
	answer(b, "GET", SECRETS "?labelSelector=", 200, EMPTY("5"));
	answer(b, "GET", MAPS "?fieldSelector=", 200, EMPTY("5"));
}

/* With one application, web of version 3. */
static void open_bench(struct bench *b)
{
	open_with(b, &(struct kubernetes_options){ 0 });
	answer_lists(b, "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[" APP("web", "u1", "3",
										    ",\"spec\":{\"v\":1}") "]}");
	saw(b, "+ web u1 3\nsynced\n");
	assert_int_equal(kube_client.n, 4); /* the watches */
}

static void on_closed(void *ctx)
{
	((struct bench *)ctx)->closed = true;
}

static void close_bench(struct bench *b)
{
	backend_close(b->b, on_closed, b);
	assert_false(b->closed);
	for (int i = 0; i < 10 && !b->closed; i++)
		kube_turn();
	assert_true(b->closed);
	loop_release(&b->loop);
	buf_release(&b->log);
}

/* ---- tests: lists and watches ---------------------------------------------------------------------------------------- */

static void test_lists_and_then_watches(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	assert_non_null(strstr(watch_of(&b, APPS)->target, "&resourceVersion=9"));
	assert_non_null(strstr(asked(&b, "GET", SECRETS)->target, "labelSelector=argocd.argoproj.io%2Fsecret-type"));
	assert_non_null(strstr(asked(&b, "GET", MAPS)->target, "metadata.name%3Dargocd-gpg-keys-cm"));
	news(&b, APPS, EVENT("ADDED", APP("db", "u2", "10", "")) EVENT("MODIFIED", APP("db", "u2", "11", "")));
	saw(&b, "+ db u2 10\n+ db u2 11\n");
	news(&b, APPS, EVENT("DELETED", APP("db", "u2", "12", "")));
	saw(&b, "- db u2 11\n");
	close_bench(&b);
}

static void test_pages(void **state)
{
	struct bench b;

	(void)state;
	open_with(&b, &(struct kubernetes_options){ 0 });
	answer_lists(&b, "{\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"a+b/c=\"},\"items\":[" APP(
				 "web", "u1", "3", "") "]}");
	saw(&b, "+ web u1 3\n");
	answer(&b, "GET", APPS "?limit=200&continue=a%2Bb%2Fc%3D", 200,
	       "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[" APP("zoo", "u2", "4", "") "]}");
	saw(&b, "+ zoo u2 4\nsynced\n");
	close_bench(&b);
}

static void test_page_that_is_too_large_or_takes_too_long_is_asked_for_in_parts(void **state)
{
	struct bench b;

	(void)state;
	open_with(&b, &(struct kubernetes_options){ 0 });
	kube_end(asked(&b, "GET", APPS "?limit=200"), E_TIMEOUT, 0, "");
	saw(&b, "! Applications of argocd: no connection\n");
	kube_end(asked(&b, "GET", APPS "?limit=200"), E_LIMIT, 200, "");
	saw(&b, "~ Applications of argocd\n! Applications of argocd: asking for pages of 25: no connection\n");
	kube_end(asked(&b, "GET", APPS "?limit=25"), E_TIMEOUT, 200, "");
	saw(&b, "~ Applications of argocd\n! Applications of argocd: asking for pages of 3: no connection\n");
	kube_end(asked(&b, "GET", APPS "?limit=3"), E_TIMEOUT, 200, "");
	saw(&b, ""); /* said once */
	answer(&b, "GET", APPS "?limit=1", 200, EMPTY("7"));
	saw(&b, "~ Applications of argocd\n");
	assert_non_null(watch_of(&b, APPS));
	close_bench(&b);
}

static void test_lines_in_any_pieces(void **state)
{
	static const char lines[] = EVENT("ADDED", APP("db", "u2", "10", "")) "\n" EVENT(
		"BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"90\"}}");
	struct bench b;

	(void)state;
	open_bench(&b);
	for (size_t i = 0; i < sizeof(lines) - 1; i++) {
		char one[2] = { lines[i], '\0' };

		news(&b, APPS, one);
	}
	saw(&b, "+ db u2 10\n");
	kube_end(watch_of(&b, APPS), E_OK, 200, "");
	assert_non_null(strstr(watch_of(&b, APPS)->target, "&resourceVersion=90"));
	close_bench(&b);
}

static void test_watch_that_breaks_goes_on_where_it_was(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	news(&b, APPS, EVENT("ADDED", APP("db", "u2", "10", "")));
	saw(&b, "+ db u2 10\n");
	kube_end(watch_of(&b, APPS), E_UNAVAILABLE, 200, "");
	saw(&b, ""); /* an end like any other */
	kube_end(watch_of(&b, APPS), E_UNAVAILABLE, 0, "");
	saw(&b, "! Applications of argocd: no connection\n");
	kube_end(watch_of(&b, APPS), E_UNAVAILABLE, 0, "");
	saw(&b, ""); /* said once */
	assert_non_null(strstr(watch_of(&b, APPS)->target, "&resourceVersion=10"));
	answer(&b, "GET", APPS, 403, "{\"kind\":\"Status\",\"message\":\"you cannot watch\"}");
	saw(&b, "~ Applications of argocd\n! Applications of argocd: the API server answered 403: you cannot watch\n");
	news(&b, APPS, ""); /* it is over before something happens */
	saw(&b, "~ Applications of argocd\n");
	news(&b, APPS, EVENT("MODIFIED", APP("web", "u1", "14", "")));
	saw(&b, "+ web u1 14\n");
	close_bench(&b);
}

/* 410: what the new list does not have is gone, also what was made again under its name. */
static void test_expired(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	news(&b, APPS, EVENT("ADDED", APP("db", "u2", "10", "")) EVENT("ADDED", APP("old", "u3", "11", "")));
	saw(&b, "+ db u2 10\n+ old u3 11\n");
	struct http_fetch *f = watch_of(&b, APPS);

	assert_int_equal(f->on_piece(f, (struct str)STR(EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410}"))),
			 E_CANCELLED);
	kube_end(f, E_CANCELLED, 200, "");
	answer(&b, "GET", APPS "?limit=200", 200,
	       "{\"metadata\":{\"resourceVersion\":\"40\"},\"items\":[" APP("web", "u1", "3",
									    "") "," APP("db", "u9", "38", "") "]}");
	saw(&b, "- db u2 10\n+ db u9 38\n- old u3 11\n");
	assert_non_null(strstr(watch_of(&b, APPS)->target, "&resourceVersion=40"));
	/* And as the status of the answer. */
	answer(&b, "GET", APPS "?watch=1", 410, "{\"kind\":\"Status\",\"code\":410}");
	answer(&b, "GET", APPS "?limit=200", 200, EMPTY("50"));
	assert_non_null(strstr(buf_cstr(&b.log), "- db u9 38\n"));
	assert_non_null(strstr(buf_cstr(&b.log), "- web u1 3\n"));
	assert_null(strchr(buf_cstr(&b.log), '!'));
	close_bench(&b);
}

static void test_server_that_is_away_deletes_nothing(void **state)
{
	struct bench b;

	(void)state;
	open_with(&b, &(struct kubernetes_options){ 0 });
	kube_end(asked(&b, "GET", APPS), E_UNAVAILABLE, 0, "");
	saw(&b, "! Applications of argocd: no connection\n");
	answer(&b, "GET", APPS, 404, "404 page not found\n"); /* no such resource: the CRD is missing */
	answer(&b, "GET", APPS, 200, "{}");
	answer(&b, "GET", APPS, 503, "<html>");
	saw(&b, "~ Applications of argocd\n! Applications of argocd: list: the answer is not a list\n"
		"~ Applications of argocd\n! Applications of argocd: the API server answered 503\n");
	answer_lists(&b, EMPTY("4"));
	saw(&b, "~ Applications of argocd\nsynced\n");
	close_bench(&b);
}

static void test_what_is_no_object_keeps_its_last_good_state(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	news(&b, APPS, EVENT("MODIFIED", APP("web", "u1", "13", ",\"kind\":\"Application\"")));
	saw(&b, "! Application argocd/web: the key \"kind\" stands twice\n");
	news(&b, APPS, EVENT("MODIFIED", APP("web", "u1", "13", "")));
	saw(&b, "~ argocd/web\n+ web u1 13\n");
	news(&b, APPS,
	     EVENT("MODIFIED", "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\",\"namespace\":\"argocd\","
			       "\"resourceVersion\":\"14\"}}"));
	saw(&b, "! Application argocd/web: kind is Pod, not Application\n");
	news(&b, APPS, EVENT("MODIFIED", APP("web", "u1", "15", "")));
	saw(&b, "~ argocd/web\n+ web u1 15\n");
	close_bench(&b);
}

/* More than is read of one object: `n` zeros in its spec. */
static char *app_of_zeros(const char *name, const char *version, int n)
{
	struct buf text = { 0 };

	buf_addf(&text,
		 "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"argocd\",\"uid\":\"z\",\"resourceVersion\":\"%s\"},"
		 "\"spec\":{\"v\":[0",
		 name, version);
	while (n--)
		buf_lit(&text, ",0");
	buf_lit(&text, "]}}");
	assert_non_null(buf_cstr(&text));
	return text.p;
}

static void list_with(struct bench *b, const char *version, const char *one, const char *other)
{
	CLEANUP(buf_release) struct buf text = { 0 };

	buf_addf(&text, "{\"metadata\":{\"resourceVersion\":\"%s\"},\"items\":[%s%s%s]}", version, one,
		 *one && *other ? "," : "", other);
	answer(b, "GET", APPS "?limit=200", 200, buf_cstr(&text));
}

static void expire(struct bench *b)
{
	struct http_fetch *f = watch_of(b, APPS);

	assert_int_equal(f->on_piece(f, (struct str)STR("{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n")),
			 E_CANCELLED);
	kube_end(f, E_CANCELLED, 200, "");
}

/* One that anybody could make must not keep the others from being heard of. */
static void test_too_many_values_are_one_objects_problem(void **state)
{
	CLEANUP(mem_freep) char *zeros = app_of_zeros("zeros", "3", OBJECT_VALUES_MAX);
	CLEANUP(buf_release) struct buf line = { 0 };
	struct bench b;

	(void)state;
	open_with(&b, &(struct kubernetes_options){ 0 });
	list_with(&b, "9", zeros, APP("web", "u1", "3", ""));
	saw(&b, "! Application argocd/zeros: more than 100000 values\n+ web u1 3\n");
	buf_addf(&line, "{\"type\":\"DELETED\",\"object\":%s}\n", zeros);
	news(&b, APPS, buf_cstr(&line));
	saw(&b, "~ argocd/zeros\n");
	buf_clear(&line);
	buf_addf(&line, "{\"type\":\"ADDED\",\"object\":%s}\n", zeros);
	news(&b, APPS, buf_cstr(&line));
	saw(&b, "! Application argocd/zeros: more than 100000 values\n");
	expire(&b);
	list_with(&b, "20", "", APP("web", "u1", "3", ""));
	saw(&b, "~ argocd/zeros\n");
	close_bench(&b);
}

/* Its last good state stays for as long as it is there, and no longer. */
static void test_what_cannot_be_read_can_be_gone(void **state)
{
	CLEANUP(mem_freep) char *zeros = app_of_zeros("web", "13", OBJECT_VALUES_MAX);
	CLEANUP(buf_release) struct buf line = { 0 };
	struct bench b;

	(void)state;
	open_bench(&b);
	buf_addf(&line, "{\"type\":\"MODIFIED\",\"object\":%s}\n", zeros);
	news(&b, APPS, buf_cstr(&line));
	saw(&b, "! Application argocd/web: more than 100000 values\n");
	buf_clear(&line);
	buf_addf(&line, "{\"type\":\"DELETED\",\"object\":%s}\n", zeros);
	news(&b, APPS, buf_cstr(&line));
	saw(&b, "~ argocd/web\n- web u1 3\n");
	close_bench(&b);
}

/* Lines that are JSON and no event, and lists without items: nothing is known, and nothing is gone. */
static void test_what_says_nothing(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	news(&b, APPS,
	     "{\"object\":" APP("web", "u1", "13",
				"") "}\n{\"type\":7,\"object\":[]}\n{\"type\":null,\"object\":{}}\n[]\n7\n");
	saw(&b, "");
	answer(&b, "GET", APPS "?watch=1", 410, "{\"kind\":\"Status\",\"code\":410}");
	answer(&b, "GET", APPS "?limit=200", 200, "{\"metadata\":{\"resourceVersion\":\"40\"}}");
	saw(&b, "! Applications of argocd: list: the answer has no items\n");
	answer(&b, "GET", APPS "?limit=200", 200, "{\"metadata\":{\"resourceVersion\":\"40\"},\"items\":{}}");
	saw(&b, "");
	answer(&b, "GET", APPS "?limit=200", 200, "{\"metadata\":{\"resourceVersion\":\"40\"},\"items\":null}");
	saw(&b, "- web u1 3\n~ Applications of argocd\n");
	close_bench(&b);
}

static void test_namespaces(void **state)
{
	static const char *const names[] = { "a, argocd,b", "b" }, *const patterns[] = { "a,team-{b,c}" };
	struct bench b;

	(void)state;
	open_with(&b, &(struct kubernetes_options){ .namespaces = names, .namespace_count = 2 });
	assert_int_equal(kube_client.n, 6);
	assert_non_null(asked(&b, "GET", "/apis/argoproj.io/v1alpha1/namespaces/a/applications?"));
	assert_non_null(asked(&b, "GET", "/apis/argoproj.io/v1alpha1/namespaces/b/applications?"));
	assert_non_null(asked(&b, "GET", APPS "?"));
	close_bench(&b);
	open_with(&b, &(struct kubernetes_options){ .namespaces = patterns, .namespace_count = 1 });
	assert_int_equal(kube_client.n, 4);
	assert_non_null(asked(&b, "GET", "/apis/argoproj.io/v1alpha1/applications?"));
	close_bench(&b);
}

/* ---- tests: writes ---------------------------------------------------------------------------------------------------- */

static void test_write_is_reported_behind_its_end_and_once(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "put", BACKEND_PUT, APP("web", "other", "77", ",\"spec\":{\"v\":2}"), "u1", "3");

	write_it(&b, &g);
	body_is(asked(&b, "PUT", APPS "/web"),
		"{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Application\",\"metadata\":{\"name\":\"web\","
		"\"namespace\":\"argocd\",\"uid\":\"u1\",\"resourceVersion\":\"3\",\"managedFields\":[{\"manager\":"
		"\"kubectl\"}]},\"spec\":{\"v\":2}}");
	/* The watch is faster than the answer, and somebody else was there next. */
	news(&b, APPS,
	     EVENT("MODIFIED", APP("web", "u1", "10", ",\"spec\":{\"v\":2}"))
		     EVENT("MODIFIED", APP("web", "u1", "11", ",\"spec\":{\"v\":3}")));
	saw(&b, "");
	answer(&b, "PUT", APPS "/web", 200, APP("web", "u1", "10", ",\"spec\":{\"v\":2}"));
	saw(&b, "put ok 10\n+ web u1 10\n+ web u1 11\n");
	news(&b, APPS, EVENT("MODIFIED", APP("web", "u1", "10", "")));
	saw(&b, "");
	close_bench(&b);
}

static void test_status_leaves_the_rest(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "status", BACKEND_STATUS,
			       APP("web", "", "", ",\"spec\":{\"v\":7},\"status\":{\"s\":1},\"operation\":{\"o\":1}"),
			       "u1", NULL);

	write_it(&b, &g);
	body_is(asked(&b, "PUT", APPS "/web"),
		"{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Application\",\"metadata\":{\"name\":\"web\","
		"\"namespace\":\"argocd\",\"uid\":\"u1\",\"resourceVersion\":\"3\"},\"spec\":{\"v\":1},\"status\":"
		"{\"s\":1},\"operation\":{\"o\":1}}");
	answer(&b, "PUT", APPS "/web", 200, APP("web", "u1", "10", ",\"status\":{\"s\":1}"));
	saw(&b, "status ok 10\n+ web u1 10\n");
	close_bench(&b);
}

static void test_create(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "put", BACKEND_PUT,
			       APP("new", "theirs", "77", ",\"spec\":{\"v\":2},\"status\":{\"s\":1}"), "", NULL);

	write_it(&b, &g);
	body_is(asked(&b, "POST", APPS),
		"{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Application\",\"metadata\":{\"name\":\"new\","
		"\"namespace\":\"argocd\"},\"spec\":{\"v\":2}}");
	answer(&b, "POST", APPS, 201, APP("new", "u5", "10", ",\"spec\":{\"v\":2}"));
	saw(&b, "put ok 10\n+ new u5 10\n");
	news(&b, APPS, EVENT("ADDED", APP("new", "u5", "10", ",\"spec\":{\"v\":2}")));
	saw(&b, "");
	close_bench(&b);
}

static void test_delete_and_late_news(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "delete", BACKEND_DELETE, APP("web", "", "", ""), "u1", "3");

	write_it(&b, &g);
	body_is(asked(&b, "DELETE", APPS "/web"),
		"{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":\"Background\","
		"\"preconditions\":{\"uid\":\"u1\",\"resourceVersion\":\"3\"}}");
	answer(&b, "DELETE", APPS "/web", 200, "{\"kind\":\"Status\",\"status\":\"Success\"}");
	saw(&b, "delete ok\n- web u1 3\n");
	/* Of before it went; then its end; then another one of that name. */
	news(&b, APPS, EVENT("MODIFIED", APP("web", "u1", "12", "")) EVENT("DELETED", APP("web", "u1", "13", "")));
	saw(&b, "");
	news(&b, APPS, EVENT("ADDED", APP("web", "u7", "14", "")));
	saw(&b, "+ web u7 14\n");
	close_bench(&b);
}

static void test_delete_with_finalizers(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "delete", BACKEND_DELETE, APP("web", "", "", ""), NULL, NULL);

	write_it(&b, &g);
	answer(&b, "DELETE", APPS "/web", 200, APP("web", "u1", "10", ",\"spec\":{}"));
	saw(&b, "delete ok 10\n+ web u1 10\n");
	news(&b, APPS, EVENT("DELETED", APP("web", "u1", "12", "")));
	saw(&b, "- web u1 10\n");
	close_bench(&b);
}

/* Somebody was faster: what they did is read and reported, and whoever planned with the old state decides anew. */
static void test_conflict(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "put", BACKEND_PUT, APP("web", "", "", ""), "u1", "3");

	write_it(&b, &g);
	answer(&b, "PUT", APPS "/web", 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"changed\"}");
	answer(&b, "GET", APPS "/web", 200, APP("web", "u1", "12", ""));
	saw(&b, "+ web u1 12\nput conflict\n");
	close_bench(&b);
}

/* Who expects no version gets through. */
static void test_conflict_that_does_not_matter(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "put", BACKEND_PUT, APP("web", "", "", ""), NULL, NULL);

	write_it(&b, &g);
	answer(&b, "PUT", APPS "/web", 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\"}");
	answer(&b, "GET", APPS "/web", 200, APP("web", "u1", "12", ""));
	assert_non_null(strstr(asked(&b, "PUT", APPS "/web")->body.p, "\"resourceVersion\":\"12\""));
	answer(&b, "PUT", APPS "/web", 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\"}");
	saw(&b, "+ web u1 12\nput conflict\n");
	close_bench(&b);
}

static void test_what_is_not_known_yet(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "create", BACKEND_PUT, APP("db", "", "", ""), "", NULL);
	struct given h = given(&b, "change", BACKEND_PUT, APP("zoo", "", "", ""), "u6", NULL);
	struct given i = given(&b, "delete", BACKEND_DELETE, APP("web", "", "", ""), "u1", "3");

	write_it(&b, &g);
	answer(&b, "POST", APPS, 409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\"}");
	answer(&b, "GET", APPS "/db", 200, APP("db", "u5", "12", ""));
	saw(&b, "+ db u5 12\ncreate exists\n");
	write_it(&b, &h);
	answer(&b, "GET", APPS "/zoo", 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
	saw(&b, "change not_found\n");
	write_it(&b, &i);
	answer(&b, "DELETE", APPS "/web", 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
	answer(&b, "GET", APPS "/web", 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
	saw(&b, "- web u1 3\ndelete not_found\n");
	close_bench(&b);
}

/* An answer about another object says nothing about this one. */
static void test_answers_about_others(void **state)
{
	static const char *const others[] = {
		APP("other", "u1", "12", ""),
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"other\",\"uid\":\"u1\",\"resourceVersion\":\"12\"}}",
		"{\"kind\":\"AppProject\",\"metadata\":{\"name\":\"web\",\"namespace\":\"argocd\",\"uid\":\"u1\"}}",
	};
	struct bench b;

	(void)state;
	open_bench(&b);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct given g = given(&b, "late", BACKEND_PUT, APP("web", "", "", ""), "u1", "2");
		struct given h = given(&b, "put", BACKEND_PUT, APP("web", "", "", ""), "u1", "3");
		struct given j = given(&b, "delete", BACKEND_DELETE, APP("web", "", "", ""), "u1", "3");

		write_it(&b, &g);
		answer(&b, "GET", APPS "/web", 200, others[i]);
		write_it(&b, &h);
		answer(&b, "PUT", APPS "/web", 200, others[i]);
		write_it(&b, &j);
		answer(&b, "DELETE", APPS "/web", 200, others[i]);
		saw(&b, "late unavailable\nput unavailable\ndelete unavailable\n");
		assert_int_equal(3 * (i + 1), metric_value(CONTAINER_OF(b.b, struct kubernetes, base)->failures));
	}
	close_bench(&b);
}

#define NAMED(name, more)                                                                                             \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"argocd\",\"uid\":\"s1\",\"resourceVersion\":\"7\"" more \
	"}}"
#define IS_REPOSITORY ",\"labels\":{\"argocd.argoproj.io/secret-type\":\"repository\"}"

/* What is a Secret or a ConfigMap, too, but no repository and no keys, is not touched and not told of. */
static void test_other_secrets_are_left_alone(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given_of(OBJECT_REPOSITORY, &b, "plain", BACKEND_PUT, NAMED("argocd-secret", ""), NULL, NULL);
	struct given h = given_of(OBJECT_GPGKEY, &b, "other", BACKEND_PUT, NAMED("argocd-cm", ""), NULL, NULL);
	struct given i = given_of(OBJECT_REPOSITORY, &b, "taken", BACKEND_PUT, NAMED("argocd-secret", IS_REPOSITORY),
				  "", NULL);
	struct given j = given_of(OBJECT_REPOSITORY, &b, "delete", BACKEND_DELETE, NAMED("argocd-secret", ""), NULL,
				  NULL);

	write_it(&b, &g);
	saw(&b, "plain malformed\n");
	write_it(&b, &h);
	saw(&b, "other malformed\n");
	write_it(&b, &i);
	answer(&b, "POST", SECRETS, 409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\"}");
	answer(&b, "GET", SECRETS "/argocd-secret", 200, NAMED("argocd-secret", ""));
	saw(&b, "taken forbidden\n");
	write_it(&b, &j);
	answer(&b, "GET", SECRETS "/argocd-secret", 200, NAMED("argocd-secret", ""));
	saw(&b, "delete not_found\n");
	assert_int_equal(kube_client.n, 4);
	close_bench(&b);
}

/* What is not watched would be wrong from then on, and still there after it was deleted at its source. */
static void test_nothing_is_written_where_nobody_looks(void **state)
{
	static const char app[] = "{\"metadata\":{\"name\":\"x\",\"namespace\":\"site-2\"}}";
	static const char *const names[] = { "site-1" };
	struct bench b;

	(void)state;
	open_with(&b, &(struct kubernetes_options){ .namespaces = names, .namespace_count = 1 });
	struct given g = given(&b, "put", BACKEND_PUT, app, "", NULL);
	struct given h = given_of(OBJECT_APPPROJECT, &b, "project", BACKEND_PUT, app, "", NULL);
	struct given i = given(&b, "everywhere", BACKEND_PUT, app, "", NULL);

	write_it(&b, &g);
	assert_string_equal(g.w.why.text,
			    "the namespace site-2 is not watched for Applications: name it in --allowed-namespaces");
	write_it(&b, &h);
	saw(&b, "put forbidden\nproject forbidden\n");
	close_bench(&b);
	open_with(&b, &(struct kubernetes_options){ .everywhere = true });
	write_it(&b, &i);
	answer(&b, "POST", "/apis/argoproj.io/v1alpha1/namespaces/site-2/applications", 201,
	       "{\"metadata\":{\"name\":\"x\",\"namespace\":\"site-2\",\"uid\":\"u7\",\"resourceVersion\":\"5\"}}");
	saw(&b, "everywhere ok 5\n+ x u7 5\n");
	close_bench(&b);
}

static void test_namespace_that_is_missing(void **state)
{
	static const char missing[] = "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no namespace\"}";
	static const char *const labels[] = { "team=a, by=", "x=y=z" };
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "put", BACKEND_PUT, APP("new", "", "", ""), "", NULL);

	write_it(&b, &g);
	answer(&b, "POST", APPS, 404, missing);
	saw(&b, "put unavailable\n");
	close_bench(&b);
	open_with(&b, &(struct kubernetes_options){
			      .create_namespaces = true, .namespace_labels = labels, .namespace_label_count = 2 });
	g = given(&b, "put", BACKEND_PUT, APP("new", "", "", ""), "", NULL);
	write_it(&b, &g);
	answer(&b, "POST", APPS, 404, missing);
	body_is(asked(&b, "POST", "/api/v1/namespaces"),
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"argocd\",\"labels\":{"
		"\"team\":\"a\",\"by\":\"\",\"x\":\"y=z\"}}}");
	answer(&b, "POST", "/api/v1/namespaces", 201, "{}");
	answer(&b, "POST", APPS, 404, missing); /* it is going away again */
	saw(&b, "put unavailable\n");
	close_bench(&b);
}

static void test_namespace_is_made_when_its_name_matches(void **state)
{
	static const struct {
		const char *pattern;
		bool is_made;
	} rows[] = { { "cd", true }, { "^argo", true }, { "^cd", false }, { "^$", false } };
	static const char missing[] = "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no namespaces\"}";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;

		open_with(&b, &(struct kubernetes_options){ .create_namespaces = true,
							    .namespace_pattern = rows[i].pattern });
		struct given g = given(&b, "put", BACKEND_PUT, APP("new", "", "", ""), "", NULL);

		write_it(&b, &g);
		answer(&b, "POST", APPS, 404, missing);
		if (rows[i].is_made) {
			answer(&b, "POST", "/api/v1/namespaces", 201, "{}");
			answer(&b, "POST", APPS, 404, missing);
		}
		saw(&b, "put unavailable\n");
		assert_non_null(strstr(g.w.why.text, "--namespace-create-pattern"));
		close_bench(&b);
	}
}

static void test_one_after_the_other(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "first", BACKEND_PUT, APP("web", "", "", ",\"spec\":{\"v\":2}"), "u1", NULL);
	struct given h = given(&b, "second", BACKEND_PUT, APP("web", "", "", ",\"spec\":{\"v\":3}"), "u1", NULL);
	struct given i = given(&b, "third", BACKEND_DELETE, APP("web", "", "", ""), "u1", NULL);

	g.then = &i.w;
	write_it(&b, &g);
	write_it(&b, &h);
	assert_int_equal(kube_client.n, 5);
	answer(&b, "PUT", APPS "/web", 200, APP("web", "u1", "10", ""));
	assert_non_null(strstr(asked(&b, "PUT", APPS "/web")->body.p, "\"resourceVersion\":\"10\""));
	answer(&b, "PUT", APPS "/web", 200, APP("web", "u1", "11", ""));
	answer(&b, "DELETE", APPS "/web", 200, "{\"kind\":\"Status\"}");
	saw(&b, "first ok 10\n+ web u1 10\nsecond ok 11\n+ web u1 11\nthird ok\n- web u1 11\n");
	close_bench(&b);
}

/* What was held back until a write had failed is why the next one is given. */
static void test_write_from_inside_a_report_begins_once(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "delete", BACKEND_DELETE, APP("web", "", "", ""), "u1", NULL);
	struct given h = given(&b, "again", BACKEND_PUT, APP("web", "", "", ""), "", NULL);

	b.at_gone = &h.w;
	write_it(&b, &g);
	news(&b, APPS, EVENT("DELETED", APP("web", "u1", "12", "")));
	saw(&b, "");
	kube_end(asked(&b, "DELETE", APPS "/web"), E_UNAVAILABLE, 200, "");
	kube_end(asked(&b, "GET", APPS "/web"), E_UNAVAILABLE, 0, "");
	saw(&b, "delete unavailable\n- web u1 3\n");
	assert_int_equal(kube_client.n, 5);
	answer(&b, "POST", APPS, 201, APP("web", "u2", "13", ""));
	saw(&b, "again ok 13\n+ web u2 13\n");
	close_bench(&b);
}

#define DENIED(message) "{\"kind\":\"Status\",\"message\":\"" message "\"}"

static void test_what_the_server_says(void **state)
{
	static const struct {
		unsigned status;
		const char *body;
		enum err err;
	} rows[] = {
		{ 400, "{\"kind\":\"Status\"}", E_MALFORMED },
		{ 400, "{}", E_UNAVAILABLE },
		{ 404, "404 page not found\n", E_UNAVAILABLE },
		{ 409, "<html>", E_UNAVAILABLE },
		{ 401, "{}", E_FORBIDDEN },
		{ 403, "{\"kind\":\"Status\",\"message\":\"may not\"}", E_FORBIDDEN },
		{ 403, "{\"kind\":\"Status\",\"message\":\"exceeded quota: x\"}", E_FULL },
		{ 400, DENIED("admission webhook \\\"w\\\" denied the request without explanation"), E_FORBIDDEN },
		{ 409, DENIED("admission webhook \\\"w\\\" denied the request: no"), E_FORBIDDEN },
		{ 422, DENIED("x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"),
		  E_FORBIDDEN },
		{ 413, DENIED("x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"),
		  E_FORBIDDEN },
		{ 500, DENIED("Internal error occurred: failed calling webhook \\\"w\\\": failed to call webhook"),
		  E_UNAVAILABLE },
		{ 413, "too large", E_MALFORMED },
		{ 422, "{\"kind\":\"Status\",\"reason\":\"Invalid\"}", E_MALFORMED },
		{ 429, "{}", E_BUSY },
		{ 500, "{}", E_UNAVAILABLE },
		{ 500, "{\"kind\":\"Status\",\"message\":\"etcdserver: request is too large\",\"code\":500}",
		  E_MALFORMED },
		{ 500, "{\"kind\":\"Status\",\"message\":\"trying to send message larger than max (2 vs. 1)\"}",
		  E_MALFORMED },
		{ 503, "<html>", E_UNAVAILABLE },
		{ 504, "{}", E_TIMEOUT },
		{ 200, "no object", E_UNAVAILABLE },
		{ 200, "{\"welcome\":\"to our hotel\"}", E_UNAVAILABLE },
	};
	struct bench b;

	(void)state;
	open_bench(&b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct given g = given(&b, "put", BACKEND_PUT, APP("web", "", "", ""), "u1", "3");
		char want[40];

		write_it(&b, &g);
		answer(&b, "PUT", APPS "/web", rows[i].status, rows[i].body);
		snprintf(want, sizeof(want), "put %s\n", err_name(rows[i].err));
		saw(&b, want);
		assert_int_equal(g.w.why.err, rows[i].err);
	}
	struct given g = given(&b, "put", BACKEND_PUT, APP("web", "", "", ""), "u1", "3");

	write_it(&b, &g);
	kube_end(asked(&b, "PUT", APPS "/web"), E_TIMEOUT, 0, "");
	kube_end(asked(&b, "GET", APPS "/web"), E_UNAVAILABLE, 0, "");
	saw(&b, "put timeout\n");
	close_bench(&b);
}

/* It may have been done. */
static void test_what_had_no_answer_is_looked_at(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "new", BACKEND_PUT, APP("new", "", "", ""), "", NULL);

	write_it(&b, &g);
	kube_end(asked(&b, "POST", APPS), E_UNAVAILABLE, 0, "");
	answer(&b, "GET", APPS "/new", 200, APP("new", "u9", "10", ""));
	saw(&b, "new unavailable\n+ new u9 10\n");
	g = given(&b, "put", BACKEND_PUT, APP("web", "", "", ""), "u1", "3");
	write_it(&b, &g);
	kube_end(asked(&b, "PUT", APPS "/web"), E_TIMEOUT, 0, "");
	answer(&b, "GET", APPS "/web", 200, APP("web", "u1", "3", "")); /* it was not */
	saw(&b, "put timeout\n");
	g = given(&b, "delete", BACKEND_DELETE, APP("web", "", "", ""), "u1", NULL);
	write_it(&b, &g);
	kube_end(asked(&b, "DELETE", APPS "/web"), E_UNAVAILABLE, 0, "");
	answer(&b, "GET", APPS "/web", 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
	saw(&b, "delete unavailable\n- web u1 3\n");
	close_bench(&b);
}

static void test_close_lets_writes_end(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	struct given g = given(&b, "put", BACKEND_PUT, APP("web", "", "", ""), "u1", "3");

	write_it(&b, &g);
	backend_close(b.b, on_closed, &b);
	for (int i = 0; i < 10; i++)
		kube_turn();
	assert_false(b.closed);
	answer(&b, "PUT", APPS "/web", 200, APP("web", "u1", "10", ""));
	for (int i = 0; i < 10 && !b.closed; i++)
		kube_turn();
	saw(&b, "put ok 10\n"); /* no more reports */
	assert_true(b.closed);
	loop_release(&b.loop);
	buf_release(&b.log);
}

static void test_pattern_that_is_none_is_said_to_who_wants_to_know(void **state)
{
	struct why why = { 0 };
	struct loop loop;

	(void)state;
	assert_int_equal(loop_init(&loop, NULL), E_OK);
	for (int told = 0; told < 2; told++) {
		struct kubernetes_options options = { .namespace = "argocd", .namespace_pattern = "(" };
		struct backend *backend;

		options.config = mem_alloc(sizeof(*options.config));
		assert_int_not_equal(kubernetes_open(&loop, &options, told ? &why : NULL, &backend), E_OK);
	}
	assert_int_equal(why.err, E_CONFIG);
	assert_non_null(strstr(why.text, "the pattern of namespaces"));
	loop_release(&loop);
}

/* By chance it would come sooner. */
static void test_server_that_says_when_is_not_asked_before(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(kube_backoff_ms(6, 5000) >= 5000);
		assert_true(kube_backoff_ms(0, 5000) == 5000);
		assert_in_range(kube_backoff_ms(1, 0), 1, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_and_then_watches),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_page_that_is_too_large_or_takes_too_long_is_asked_for_in_parts),
		cmocka_unit_test(test_lines_in_any_pieces),
		cmocka_unit_test(test_watch_that_breaks_goes_on_where_it_was),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_server_that_is_away_deletes_nothing),
		cmocka_unit_test(test_what_is_no_object_keeps_its_last_good_state),
		cmocka_unit_test(test_too_many_values_are_one_objects_problem),
		cmocka_unit_test(test_what_cannot_be_read_can_be_gone),
		cmocka_unit_test(test_what_says_nothing),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_write_is_reported_behind_its_end_and_once),
		cmocka_unit_test(test_status_leaves_the_rest),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_delete_and_late_news),
		cmocka_unit_test(test_delete_with_finalizers),
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_conflict_that_does_not_matter),
		cmocka_unit_test(test_what_is_not_known_yet),
		cmocka_unit_test(test_answers_about_others),
		cmocka_unit_test(test_other_secrets_are_left_alone),
		cmocka_unit_test(test_nothing_is_written_where_nobody_looks),
		cmocka_unit_test(test_namespace_that_is_missing),
		cmocka_unit_test(test_namespace_is_made_when_its_name_matches),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_write_from_inside_a_report_begins_once),
		cmocka_unit_test(test_what_the_server_says),
		cmocka_unit_test(test_what_had_no_answer_is_looked_at),
		cmocka_unit_test(test_close_lets_writes_end),
		cmocka_unit_test(test_pattern_that_is_none_is_said_to_who_wants_to_know),
		cmocka_unit_test(test_server_that_says_when_is_not_asked_before),
	};

	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_JSON);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
