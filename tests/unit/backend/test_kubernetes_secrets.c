/* Texts from Secrets, against an API server whose answers stand in the test (kube_client.h). */
#include "backend/kubernetes_secrets.h"

#include "kube_client.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define TLS   "/api/v1/namespaces/argocd/secrets?fieldSelector=metadata.name%3Dtls"
#define CA    "/api/v1/namespaces/argocd/secrets?fieldSelector=metadata.name%3Dca"
#define WATCH "&watch=1&timeoutSeconds="
#define AT(version, data)                                                                                    \
	"{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"metadata\":{\"resourceVersion\":\"" version \
	"\"},\"data\":" data "}]}"
#define OF(data) AT("3", data)
#define NONE     "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}"
#define REFUSED  "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"secrets is forbidden\"}"

#define ONE      "b25l" /* one, two, key */
#define TWO      "dHdv"
#define KEY      "a2V5"

struct bench {
	struct loop loop;
	struct kubernetes_secret wanted[2];
	struct kubernetes_secrets *secrets;
	struct buf log;
	bool closes; /* in on_ready() */
	bool closed;
};

static unsigned waits; /* begun */

/* Nobody waits here for long; on a busy machine the time is up before the next line of a test. */
enum err __real_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms);
enum err __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms);

enum err __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms)
{
	waits += delay_ms > 0;
	return __real_loop_timer_start(loop, timer, delay_ms > 0);
}

static void on_closed(void *ctx)
{
	((struct bench *)ctx)->closed = true;
}

static void on_ready(void *ctx, const struct why *why)
{
	struct bench *b = ctx;

	buf_addf(&b->log, "ready: %s %s\n", err_name(why->err), why->err == E_OK ? "" : why->text);
	if (b->closes)
		kubernetes_secrets_close(b->secrets, on_closed, b);
}

static void on_change(void *ctx)
{
	buf_lit(&((struct bench *)ctx)->log, "changed\n");
}

static void saw(struct bench *b, const char *want)
{
	assert_string_equal(b->log.n ? buf_cstr(&b->log) : "", want);
	buf_clear(&b->log);
}

/* The first that waits for this. */
static struct http_fetch *asked(const char *target)
{
	for (size_t i = 0; i < kube_client.n; i++)
		if (str_starts(str_of(kube_client.fetches[i]->target), str_of(target)))
			return kube_client.fetches[i];
	fail_msg("nobody asked for %s", target);
	return NULL;
}

static struct http_fetch *listing(const char *target)
{
	struct http_fetch *f = asked(target);

	assert_string_equal(f->target, target);
	return f;
}

static void list_is(const char *target, const char *body)
{
	struct http_fetch *f = listing(target);
	struct str all = str_of(body);

	f->status = 200;
	/* In two pieces. */
	assert_int_equal(f->on_piece(f, str_sub(all, 0, all.n / 2)), E_OK);
	assert_int_equal(f->on_piece(f, str_sub(all, all.n / 2, all.n)), E_OK);
	kube_end(f, E_OK, 200, "");
}

static void news_of(const char *target)
{
	struct http_fetch *f = asked(target);

	assert_non_null(strstr(f->target, WATCH));
	assert_non_null(strstr(f->target, "&resourceVersion=7"));
	f->status = 200;
	f->on_head(f);
	assert_int_equal(f->on_piece(f, (struct str)STR("{")), E_CANCELLED);
	kube_end(f, E_CANCELLED, 200, "");
}

/* Waits for its timer. Not in poll: where the timer was due before that, nothing would end it. */
static void wait_for(struct bench *b)
{
	while (kube_client.n == 0) {
		loop_tick(&b->loop);
		uv_run(&b->loop.uv, UV_RUN_NOWAIT);
	}
}

static void open_with(struct bench *b, size_t count)
{
	struct kubernetes_secrets_options options = { .namespace = "argocd",
						      .secrets = b->wanted,
						      .count = count,
						      .on_ready = on_ready,
						      .on_change = on_change,
						      .ctx = b };

	assert_int_equal(loop_init(&b->loop, NULL), E_OK);
	kube_client.loop = &b->loop;
	(void)buf_reserve(&b->log, 500);
	options.config = mem_alloc(sizeof(*options.config));
	options.config->server = mem_dup("https://k:6443", 14);
	assert_int_equal(kubernetes_secrets_open(&b->loop, &options, NULL, &b->secrets), E_OK);
}

static struct bench bench(void)
{
	return (struct bench){
		.wanted = { { .name = "tls", .keys = { "tls.crt", "tls.key" }, .instead = "give --tls-cert" },
			    { .name = "ca", .keys = { "tls.crt", "ca.crt" }, .any = true, .instead = "give --ca" } }
	};
}

static void close_bench(struct bench *b)
{
	if (!b->closes)
		kubernetes_secrets_close(b->secrets, on_closed, b);
	kube_turn();
	assert_true(b->closed);
	for (size_t i = 0; i < 2; i++)
		assert_null(b->wanted[i].texts[0].p);
	loop_release(&b->loop);
	buf_release(&b->log);
}

static void text_is(const struct buf *text, const char *want)
{
	assert_true(str_is(buf_view(text), want));
}

static void all_is_read_before_it_is_ready(void **state)
{
	struct bench b = bench();

	(void)state;
	open_with(&b, 2);
	list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
	saw(&b, "");
	list_is(CA, OF("{\"ca.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
	saw(&b, "ready: ok \n");
	text_is(&b.wanted[0].texts[0], "one");
	text_is(&b.wanted[0].texts[1], "key");
	text_is(&b.wanted[1].texts[0], "one\n");
	close_bench(&b);
}

static void what_a_watch_brings_is_read_and_told_when_it_is_new(void **state)
{
	struct bench b = bench();

	(void)state;
	open_with(&b, 1);
	list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
	saw(&b, "ready: ok \n");
	news_of(TLS);
	list_is(TLS, AT("4", "{\"tls.crt\":\"" TWO "\",\"tls.key\":\"" KEY "\"}"));
	saw(&b, "changed\n");
	text_is(&b.wanted[0].texts[0], "two");
	news_of(TLS); /* a label */
	list_is(TLS, AT("5", "{\"tls.crt\":\"" TWO "\",\"tls.key\":\"" KEY "\"}"));
	saw(&b, "");
	close_bench(&b);
}

static void a_server_that_ends_each_watch_is_not_asked_again_at_once(void **state)
{
	struct bench b = bench();

	(void)state;
	open_with(&b, 1);
	list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
	news_of(TLS); /* an error, say */
	list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
	waits = 0;
	kube_end(asked(TLS WATCH), E_OK, 200, "");
	assert_int_equal(waits, 1);
	wait_for(&b);
	listing(TLS);
	close_bench(&b);
}

static void what_is_lost_later_stays(void **state)
{
	static const char *const bodies[] = { NONE, AT("4", "{\"tls.crt\":\"" TWO "\"}"),
					      AT("5", "{\"tls.crt\":\"?\",\"tls.key\":\"" KEY "\"}") };
	struct bench b = bench();

	(void)state;
	open_with(&b, 1);
	list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		news_of(TLS);
		list_is(TLS, bodies[i]);
		text_is(&b.wanted[0].texts[0], "one");
		text_is(&b.wanted[0].texts[1], "key");
	}
	saw(&b, "ready: ok \n");
	news_of(TLS);
	list_is(TLS, AT("6", "{\"tls.crt\":\"" TWO "\",\"tls.key\":\"" KEY "\"}"));
	saw(&b, "changed\n");
	close_bench(&b);
}

static void what_is_missing_at_the_start_is_said_with_what_to_do(void **state)
{
	static const struct {
		const char *target, *body, *said;
	} rows[] = {
		{ TLS, NONE,
		  "Secret argocd/tls: it is not there: create it, with tls.crt and tls.key, or give --tls-cert" },
		{ TLS, OF("{\"tls.crt\":\"" ONE "\"}"),
		  "Secret argocd/tls: it has no tls.key, or nothing in it: add that, or give --tls-cert" },
		{ TLS, OF("{\"tls.crt\":\"\",\"tls.key\":\"" KEY "\"}"),
		  "Secret argocd/tls: it has no tls.crt, or nothing in it: add that, or give --tls-cert" },
		{ TLS, OF("null"),
		  "Secret argocd/tls: it has no tls.crt, or nothing in it: add that, or give --tls-cert" },
		{ CA, NONE, "Secret argocd/ca: it is not there: create it, with tls.crt or ca.crt, or give --ca" },
		{ CA, OF("{\"jwt.key\":\"" ONE "\"}"),
		  "Secret argocd/ca: it has no tls.crt and no ca.crt, or nothing in it: add that, or give --ca" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b = bench();
		char want[300];

		open_with(&b, 2);
		list_is(rows[i].target, rows[i].body);
		(void)snprintf(want, sizeof(want), "ready: not_found %s\n", rows[i].said);
		saw(&b, want);
		close_bench(&b);
	}
}

static void who_may_not_read_is_told_what_is_needed(void **state)
{
	struct bench b = bench();

	(void)state;
	b.closes = true;
	open_with(&b, 2);
	kube_end(listing(TLS), E_OK, 403, REFUSED);
	saw(&b, "ready: forbidden Secret argocd/tls: whom the API server takes this program for must be allowed to "
		"list and watch it: "
		"the API server answered 403: secrets is forbidden\n");
	close_bench(&b);
}

static void a_server_that_is_away_is_waited_for(void **state)
{
	struct bench b = bench();

	(void)state;
	open_with(&b, 1);
	kube_end(listing(TLS), E_UNAVAILABLE, 0, "");
	wait_for(&b);
	kube_end(listing(TLS), E_OK, 503, "");
	wait_for(&b);
	list_is(TLS, "a page of a proxy");
	wait_for(&b);
	saw(&b, "");
	list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
	saw(&b, "ready: ok \n");
	kube_end(asked(TLS WATCH), E_OK, 403, REFUSED); /* too late to be an end */
	wait_for(&b);
	listing(TLS);
	saw(&b, "");
	close_bench(&b);
}

static void what_is_optional_may_come_later(void **state)
{
	struct bench b = bench();

	(void)state;
	b.wanted[0].optional = true;
	open_with(&b, 1);
	list_is(TLS, NONE);
	saw(&b, "ready: ok \n");
	assert_int_equal(b.wanted[0].texts[0].n, 0);
	news_of(TLS);
	list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
	saw(&b, "changed\n");
	text_is(&b.wanted[0].texts[0], "one");
	close_bench(&b);
}

static void what_is_optional_and_goes_is_said_and_stays(void **state)
{
	struct bench b = bench();
	int log = memfd_create("log", MFD_CLOEXEC);
	char said[400] = "";

	(void)state;
	log_setup(log, LOG_WARN, LOG_FORMAT_JSON);
	b.wanted[0].optional = true;
	open_with(&b, 1);
	list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
	assert_int_equal(pread(log, said, sizeof(said) - 1, 0), 0);
	news_of(TLS);
	list_is(TLS, NONE);
	saw(&b, "ready: ok \n");
	text_is(&b.wanted[0].texts[0], "one");
	assert_true(pread(log, said, sizeof(said) - 1, 0) > 0);
	assert_non_null(strstr(said, "what was there before is used"));
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_JSON);
	assert_int_equal(close(log), 0);
	close_bench(&b);
}

static void authorities_of_two_keys_stand_behind_each_other_and_once(void **state)
{
	struct bench b = bench();

	(void)state;
	open_with(&b, 2);
	list_is(CA, OF("{\"ca.crt\":\"" TWO "\",\"tls.crt\":\"" ONE "\"}"));
	text_is(&b.wanted[1].texts[0], "one\ntwo\n");
	news_of(CA);
	list_is(CA, OF("{\"ca.crt\":\"" TWO "\",\"tls.crt\":\"" TWO "\"}"));
	text_is(&b.wanted[1].texts[0], "two\n");
	saw(&b, "");
	close_bench(&b);
}

static void a_config_map_says_the_names_of_its_keys_and_nothing_when_it_is_gone(void **state)
{
	const char *target = "/api/v1/namespaces/argocd/configmaps?fieldSelector=metadata.name%3Dblocked";
	struct bench b = bench();

	(void)state;
	b.wanted[0] = (struct kubernetes_secret){ .name = "blocked", .is_map = true };
	open_with(&b, 1);
	list_is(target, NONE);
	saw(&b, "ready: ok \n");
	news_of(target);
	list_is(target, OF("{\"AA\":\"\",\"BB\":\"x\"}"));
	saw(&b, "changed\n");
	text_is(&b.wanted[0].texts[0], "AA\nBB\n");
	news_of(target);
	list_is(target, NONE);
	saw(&b, "changed\n");
	text_is(&b.wanted[0].texts[0], "");
	close_bench(&b);
}

static void without_memory_it_is_read_again(void **state)
{
	(void)state;
	for (long n = 1; n <= 8; n++) {
		struct bench b = bench();

		open_with(&b, 1);
		kube_client.fail_at = n;
		list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
		if (!b.log.n) {
			wait_for(&b);
			list_is(TLS, OF("{\"tls.crt\":\"" ONE "\",\"tls.key\":\"" KEY "\"}"));
		}
		saw(&b, "ready: ok \n");
		text_is(&b.wanted[0].texts[1], "key");
		close_bench(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_read_before_it_is_ready),
		cmocka_unit_test(what_a_watch_brings_is_read_and_told_when_it_is_new),
		cmocka_unit_test(a_server_that_ends_each_watch_is_not_asked_again_at_once),
		cmocka_unit_test(what_is_lost_later_stays),
		cmocka_unit_test(what_is_missing_at_the_start_is_said_with_what_to_do),
		cmocka_unit_test(who_may_not_read_is_told_what_is_needed),
		cmocka_unit_test(a_server_that_is_away_is_waited_for),
		cmocka_unit_test(what_is_optional_may_come_later),
		cmocka_unit_test(what_is_optional_and_goes_is_said_and_stays),
		cmocka_unit_test(authorities_of_two_keys_stand_behind_each_other_and_once),
		cmocka_unit_test(a_config_map_says_the_names_of_its_keys_and_nothing_when_it_is_gone),
		cmocka_unit_test(without_memory_it_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
