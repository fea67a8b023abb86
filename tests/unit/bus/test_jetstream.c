/* The JetStream bus against a real nats-server. */
#include "peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <nats/nats.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

struct rig {
	struct nats *nats;
	struct peer peer;
};

static void rig_open(struct rig *r, const char *more)
{
	r->nats = nats_new(more);
	peer_init(&r->peer, r->nats->url);
	assert_int_equal(peer_open(&r->peer), E_OK);
	assert_true(peer_wait(&r->peer, BUS_UP, DEADLINE_MS));
}

static void rig_close(struct rig *r)
{
	peer_release(&r->peer);
	nats_free(r->nats);
}

/* A server that does not answer for two seconds, for whatever reason, is given up and found again. */
static void publish_when_up(struct peer *p, const char *source, const char *name, const char *id)
{
	uint64_t until = clock_mono_ms() + DEADLINE_MS;
	enum err err;

	do {
		assert_true(clock_mono_ms() < until);
		assert_true(peer_wait(p, BUS_UP, DEADLINE_MS));
		err = publish_one(p->bus, source, name, id, 100, DEADLINE_MS, NULL, NULL);
	} while (err == E_UNAVAILABLE);
	assert_int_equal(err, E_OK);
}

/* With no more than 500 on their way. */
static void fire_in_turn(struct volley *v, struct bus *bus)
{
	volley_init(v, 10000, "id", 100, DEADLINE_MS);
	for (size_t i = 0; i < v->n; i++) {
		bus->ops->publish(bus, &v->shots[i].publish);
		if (i >= 500)
			volley_wait(v, i - 499);
	}
	volley_wait(v, v->n);
}

static void ten_thousand_publishes_are_stored_once_and_in_order(void **state)
{
	uint64_t until = clock_mono_ms() + DEADLINE_MS;
	struct rig r;
	struct volley v;
	struct seen seen;

	(void)state;
	rig_open(&r, NULL);
	fire_in_turn(&v, r.peer.bus);
	while (volley_count(&v, E_UNAVAILABLE) && clock_mono_ms() < until) { /* the connection was given up */
		volley_release(&v);
		rig_close(&r);
		rig_open(&r, NULL);
		fire_in_turn(&v, r.peer.bus);
	}
	assert_int_equal(volley_count(&v, E_OK), v.n);
	seen_read(&seen, r.nats->url);
	assert_int_equal(seen.n, v.n);
	for (size_t i = 0; i < v.n; i++) {
		assert_string_equal(seen.subjects[i], "default.webhook.example");
		assert_string_equal(seen.ids[i], v.shots[i].id);
	}
	seen_release(&seen);
	volley_release(&v);
	rig_close(&r);
}

static void the_stream_is_made_as_upstream_makes_it(void **state)
{
	struct rig r;
	natsConnection *nc = NULL;
	jsCtx *js = NULL;
	jsStreamInfo *info = NULL;

	(void)state;
	rig_open(&r, NULL);
	assert_int_equal(natsConnection_ConnectTo(&nc, r.nats->url), NATS_OK);
	assert_int_equal(natsConnection_JetStream(&js, nc, NULL), NATS_OK);
	assert_int_equal(js_GetStreamInfo(&info, js, "default", NULL, NULL), NATS_OK);
	assert_int_equal(info->Config->SubjectsLen, 1);
	assert_string_equal(info->Config->Subjects[0], "default.*.*");
	assert_int_equal(info->Config->MaxMsgs, 50000);
	assert_int_equal(info->Config->MaxBytes, -1);
	assert_true(info->Config->MaxAge == 168ll * 3600 * 1000000000);
	assert_true(info->Config->Duplicates == 300ll * 1000000000);
	assert_int_equal(info->Config->Replicas, 1);
	assert_int_equal(info->Config->Retention, js_LimitsPolicy);
	assert_int_equal(info->Config->Discard, js_DiscardOld);
	assert_int_equal(info->Config->Storage, js_FileStorage);
	jsStreamInfo_Destroy(info);
	jsCtx_Destroy(js);
	natsConnection_Destroy(nc);
	rig_close(&r);
}

static void an_existing_stream_is_used_unchanged(void **state)
{
	struct nats *nats = nats_new(NULL);
	const char *subjects[] = { "default.webhook.*" };
	natsConnection *nc = NULL;
	jsCtx *js = NULL;
	jsStreamInfo *info = NULL;
	jsStreamConfig config;
	struct peer peer;
	struct why why;

	(void)state;
	assert_int_equal(natsConnection_ConnectTo(&nc, nats->url), NATS_OK);
	assert_int_equal(natsConnection_JetStream(&js, nc, NULL), NATS_OK);
	jsStreamConfig_Init(&config);
	config.Name = "default";
	config.Subjects = subjects;
	config.SubjectsLen = 1;
	config.MaxMsgSize = 1000;
	assert_int_equal(js_AddStream(NULL, js, &config, NULL, NULL), NATS_OK);
	peer_init(&peer, nats->url);
	assert_int_equal(peer_open(&peer), E_OK);
	assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
	assert_int_equal(publish_one(peer.bus, "webhook", "a", "1", 100, DEADLINE_MS, NULL, NULL), E_OK);
	assert_int_equal(publish_one(peer.bus, "webhook", "a", "2", 1000, DEADLINE_MS, &why, NULL), E_LIMIT);
	assert_non_null(strstr(why.text, "10054"));
	/* A subject that this stream does not have: refused at once, the others go on. */
	assert_int_equal(publish_one(peer.bus, "other", "a", "3", 10, DEADLINE_MS, &why, NULL), E_UNAVAILABLE);
	assert_string_equal(why.text, "no stream takes the subject");
	assert_int_equal(publish_one(peer.bus, "webhook", "a", "4", 100, DEADLINE_MS, NULL, NULL), E_OK);
	assert_int_equal(js_GetStreamInfo(&info, js, "default", NULL, NULL), NATS_OK);
	assert_string_equal(info->Config->Subjects[0], "default.webhook.*");
	assert_int_equal(info->Config->MaxMsgSize, 1000);
	jsStreamInfo_Destroy(info);
	jsCtx_Destroy(js);
	natsConnection_Destroy(nc);
	peer_release(&peer);
	nats_free(nats);
}

static void the_same_id_is_stored_once(void **state)
{
	struct rig r;
	bool duplicate = true;

	(void)state;
	rig_open(&r, NULL);
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "x y\r\nEvil: 1", 10, DEADLINE_MS, NULL, &duplicate), E_OK);
	assert_false(duplicate);
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "x y\r\nEvil: 1", 10, DEADLINE_MS, NULL, &duplicate), E_OK);
	assert_true(duplicate);
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "x y", 10, DEADLINE_MS, NULL, &duplicate), E_OK);
	assert_false(duplicate);
	assert_int_equal(stream_messages(r.nats->url), 2);
	rig_close(&r);
}

static void what_no_server_takes_is_refused_before_it_is_sent(void **state)
{
	struct rig r;
	struct why why;

	(void)state;
	rig_open(&r, "max_payload: 10000");
	assert_int_equal(r.peer.bus->ops->max_payload(r.peer.bus), 10000);
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "123", 10000, DEADLINE_MS, &why, NULL), E_LIMIT);
	assert_string_equal(why.text, "10030 bytes with the header; the server's max_payload is 10000");
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "123", 10000 - 30, DEADLINE_MS, &why, NULL), E_OK);
	assert_int_equal(publish_one(r.peer.bus, "a.b", "c", "4", 10, DEADLINE_MS, &why, NULL), E_MALFORMED);
	assert_int_equal(publish_one(r.peer.bus, "a", "c d", "5", 10, DEADLINE_MS, &why, NULL), E_MALFORMED);
	assert_int_equal(r.peer.ups, 1);
	rig_close(&r);
}

static void no_more_than_the_limit_are_in_flight(void **state)
{
	struct rig r = { .nats = nats_new(NULL) };
	uint64_t until = clock_mono_ms() + DEADLINE_MS;
	struct volley v;
	size_t taken;

	(void)state;
	peer_init(&r.peer, r.nats->url);
	r.peer.config.in_flight = 8;
	assert_int_equal(peer_open(&r.peer), E_OK);
	do { /* a server that stands still for seconds is given up, and with it what is in flight */
		assert_true(clock_mono_ms() < until);
		assert_true(peer_wait(&r.peer, BUS_UP, DEADLINE_MS));
		nats_freeze(r.nats);
		volley_init(&v, 100, "id", 100, DEADLINE_MS);
		volley_fire(&v, r.peer.bus);
		volley_wait(&v, 92);
		assert_true(volley_count(&v, E_UNAVAILABLE) >= 92);
		kill(r.nats->pid, SIGCONT);
		volley_wait(&v, 100);
		taken = volley_count(&v, E_OK);
		volley_release(&v);
	} while (taken < 8);
	assert_int_equal(taken, 8);
	rig_close(&r);
}

static void a_stopped_server_times_each_publish_out(void **state)
{
	struct rig r;
	struct volley v;
	struct seen seen;
	size_t times = 0;

	(void)state;
	rig_open(&r, NULL);
	nats_freeze(r.nats);
	volley_init(&v, 50, "id", 100, 300);
	volley_fire(&v, r.peer.bus);
	volley_wait(&v, 50);
	assert_int_equal(volley_count(&v, E_TIMEOUT), 50);
	for (size_t i = 0; i < v.n; i++)
		assert_true(v.shots[i].answered_ms >= v.started_ms + 300);
	volley_release(&v);
	/* What it did take meanwhile has its late ack ignored; a re-send finds it. */
	kill(r.nats->pid, SIGCONT);
	publish_when_up(&r.peer, "webhook", "example", "id-0");
	seen_read(&seen, r.nats->url);
	for (size_t i = 0; i < seen.n; i++)
		times += strcmp(seen.ids[i], "id-0") == 0;
	assert_int_equal(times, 1);
	seen_release(&seen);
	rig_close(&r);
}

static bool wait_on(const struct bus_publish *p)
{
	return p != NULL;
}

/* Nobody knows how far they came: they are not sent again on this connection, and the server that does not answer is given up. */
static void what_may_wait_waits_as_long_as_the_connection(void **state)
{
	struct rig r;
	struct volley v;

	(void)state;
	rig_open(&r, NULL);
	nats_freeze(r.nats);
	volley_init(&v, 50, "id", 100, 300);
	for (size_t i = 0; i < v.n; i++)
		v.shots[i].publish.may_wait = wait_on;
	volley_fire(&v, r.peer.bus);
	volley_wait(&v, 50);
	assert_int_equal(volley_count(&v, E_UNAVAILABLE), 50);
	volley_release(&v);
	rig_close(&r);
}

static bool wait_no_more(const struct bus_publish *p)
{
	return p == NULL;
}

static void who_may_wait_no_more_is_timed_out(void **state)
{
	struct rig r;
	struct volley v;

	(void)state;
	rig_open(&r, NULL);
	nats_freeze(r.nats);
	volley_init(&v, 50, "id", 100, 300);
	for (size_t i = 0; i < v.n; i++)
		v.shots[i].publish.may_wait = wait_no_more;
	volley_fire(&v, r.peer.bus);
	volley_wait(&v, 50);
	assert_int_equal(volley_count(&v, E_TIMEOUT), 50);
	volley_release(&v);
	rig_close(&r);
}

static void a_killed_server_answers_all_at_once_and_is_found_again(void **state)
{
	struct rig r;
	struct volley v;

	(void)state;
	rig_open(&r, NULL);
	volley_init(&v, 900, "id", 1000, DEADLINE_MS);
	volley_fire(&v, r.peer.bus);
	volley_wait(&v, 10);
	nats_stop(r.nats, SIGKILL);
	volley_wait(&v, v.n);
	assert_int_equal(volley_count(&v, E_OK) + volley_count(&v, E_UNAVAILABLE), v.n);
	assert_true(volley_count(&v, E_OK) >= 10);
	volley_release(&v);
	assert_true(peer_wait(&r.peer, BUS_DOWN, DEADLINE_MS));
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "c", 10, DEADLINE_MS, NULL, NULL), E_UNAVAILABLE);
	nats_start(r.nats);
	assert_true(peer_wait(&r.peer, BUS_UP, DEADLINE_MS));
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "d", 10, DEADLINE_MS, NULL, NULL), E_OK);
	rig_close(&r);
}

static void a_lost_stream_is_made_again(void **state)
{
	struct rig r;
	enum err err = E_INTERNAL;
	uint64_t until = clock_mono_ms() + DEADLINE_MS;

	(void)state;
	rig_open(&r, NULL);
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "1", 10, DEADLINE_MS, NULL, NULL), E_OK);
	stream_delete(r.nats->url);
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "2", 10, DEADLINE_MS, NULL, NULL), E_UNAVAILABLE);
	while (err && clock_mono_ms() < until)
		err = publish_one(r.peer.bus, "a", "b", "3", 10, DEADLINE_MS, NULL, NULL);
	assert_int_equal(err, E_OK);
	assert_int_equal(stream_messages(r.nats->url), 1);
	rig_close(&r);
}

static void closing_answers_what_is_in_flight(void **state)
{
	struct rig r;
	struct volley v;

	(void)state;
	rig_open(&r, NULL);
	nats_freeze(r.nats);
	volley_init(&v, 20, "id", 100, DEADLINE_MS);
	volley_fire(&v, r.peer.bus);
	peer_close(&r.peer);
	volley_wait(&v, 20);
	assert_int_equal(volley_count(&v, E_UNAVAILABLE), 20);
	volley_release(&v);
	rig_close(&r);
}

static void the_bus_opens_without_a_server_and_finds_it_later(void **state)
{
	struct rig r = { .nats = nats_new(NULL) };
	char urls[160];

	(void)state;
	nats_stop(r.nats, SIGTERM);
	/* The first of two is never there. */
	snprintf(urls, sizeof(urls), "nats://127.0.0.1:1 , %s", r.nats->url);
	peer_init(&r.peer, urls);
	assert_int_equal(peer_open(&r.peer), E_OK);
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "c", 10, DEADLINE_MS, NULL, NULL), E_UNAVAILABLE);
	nats_start(r.nats);
	assert_true(peer_wait(&r.peer, BUS_UP, DEADLINE_MS));
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "c", 10, DEADLINE_MS, NULL, NULL), E_OK);
	rig_close(&r);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void credentials_are_read_anew_at_each_connect(void **state)
{
	struct rig r = { .nats = nats_new("authorization { user: bus, password: \"s3cret\" }") };
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/auth.yaml", r.nats->dir);
	write_file(path, "username: bus\npassword: wrong\n");
	peer_init(&r.peer, r.nats->url);
	r.peer.config.auth_path = path;
	assert_int_equal(peer_open(&r.peer), E_OK);
	assert_false(peer_wait(&r.peer, BUS_UP, 300));
	write_file(path, "username: bus\npassword: \"s3cret\"\n");
	assert_true(peer_wait(&r.peer, BUS_UP, DEADLINE_MS));
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "c", 10, DEADLINE_MS, NULL, NULL), E_OK);
	rig_close(&r);
}

static void a_token_opens_a_server_that_wants_one(void **state)
{
	struct rig r = { .nats = nats_new("authorization { token: \"t0ken\" }") };
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/auth.yaml", r.nats->dir);
	write_file(path, "token: t0ken\n");
	peer_init(&r.peer, r.nats->url);
	r.peer.config.auth_path = path;
	assert_int_equal(peer_open(&r.peer), E_OK);
	assert_true(peer_wait(&r.peer, BUS_UP, DEADLINE_MS));
	rig_close(&r);
}

static void what_cannot_work_is_refused_at_open(void **state)
{
	static const char *const auths[] = { "username: only\n", "- list\n", "a: [\n", "" };
	char path[] = "/tmp/holdfast-auth-XXXXXX";
	struct peer peer;

	(void)state;
	close(mkstemp(path));
	peer_init(&peer, "nats://127.0.0.1:1");
	peer.config.auth_path = path;
	for (size_t i = 0; i < ARRAY_LEN(auths); i++) {
		write_file(path, auths[i]);
		assert_int_equal(peer_open(&peer), E_CONFIG);
		assert_non_null(strstr(peer.why.text, path));
	}
	unlink(path);
	assert_int_equal(peer_open(&peer), E_CONFIG);
	peer.config.auth_path = NULL;
	peer.config.tls.configured = true;
	peer.config.tls.ca_path = path;
	assert_int_equal(peer_open(&peer), E_CONFIG);
	peer.config.tls = (struct tls_client_config){ 0 };
	peer.config.credentials_path = path;
	assert_int_equal(peer_open(&peer), E_CONFIG);
	peer.config.credentials_path = NULL;
	peer.config.monitor_url = (char[]){ "ftp://x" };
	assert_int_equal(peer_open(&peer), E_CONFIG);
	peer_release(&peer);
}

static void strict_refuses_a_server_that_does_not_say_when_it_syncs(void **state)
{
	struct rig r = { .nats = nats_new(NULL) };

	(void)state;
	peer_init(&r.peer, r.nats->url);
	r.peer.config.strict = true;
	assert_int_equal(peer_open(&r.peer), E_OK);
	assert_false(peer_wait(&r.peer, BUS_UP, 1500));
	assert_int_equal(r.peer.bus->ops->sync(r.peer.bus), BUS_SYNC_UNKNOWN);
	assert_int_equal(publish_one(r.peer.bus, "a", "b", "c", 10, DEADLINE_MS, NULL, NULL), E_UNAVAILABLE);
	rig_close(&r);
}

static void a_publish_that_the_server_forbids_says_so(void **state)
{
	struct rig r = { .nats = nats_new("authorization { users: [ { user: u, password: p, permissions: "
					  "{ publish: { deny: \"default.no.*\" } } } ] }") };
	uint64_t until = clock_mono_ms() + DEADLINE_MS;
	char url[64];
	struct why why;
	enum err err;

	(void)state;
	snprintf(url, sizeof(url), "nats://u:p@127.0.0.1:%u", r.nats->port);
	peer_init(&r.peer, url);
	assert_int_equal(peer_open(&r.peer), E_OK);
	assert_true(peer_wait(&r.peer, BUS_UP, DEADLINE_MS));
	do { /* what the server says against it comes on its own, later perhaps than the time of the first one */
		assert_true(clock_mono_ms() < until);
		assert_true(peer_wait(&r.peer, BUS_UP, DEADLINE_MS));
		err = publish_one(r.peer.bus, "no", "b", "1", 10, 1000, &why, NULL);
	} while (err == E_UNAVAILABLE || (err == E_TIMEOUT && !strstr(why.text, "Permissions Violation")));
	assert_int_equal(err, E_TIMEOUT);
	publish_when_up(&r.peer, "yes", "b", "2");
	rig_close(&r);
}

/* It may wait as long as the server might not have come to it; a ping that is answered says that it has. */
static void what_the_server_has_read_and_does_not_answer_is_timed_out(void **state)
{
	struct rig r = { .nats = nats_new("authorization { users: [ { user: u, password: p, permissions: "
					  "{ publish: { deny: \"default.no.*\" } } } ] }") };
	uint64_t until = clock_mono_ms() + DEADLINE_MS;
	char url[64];
	struct volley v;
	enum err err;

	(void)state;
	snprintf(url, sizeof(url), "nats://u:p@127.0.0.1:%u", r.nats->port);
	peer_init(&r.peer, url);
	assert_int_equal(peer_open(&r.peer), E_OK);
	do {
		assert_true(clock_mono_ms() < until && peer_wait(&r.peer, BUS_UP, DEADLINE_MS));
		volley_init(&v, 1, "id", 100, 300);
		v.shots[0].publish.source = STR("no");
		v.shots[0].publish.may_wait = wait_on;
		volley_fire(&v, r.peer.bus);
		volley_wait(&v, 1);
		err = v.shots[0].err;
		volley_release(&v);
	} while (err == E_UNAVAILABLE); /* a busy machine may have lost the connection */
	assert_int_equal(err, E_TIMEOUT);
	rig_close(&r);
}

static size_t count_tasks(void)
{
	DIR *dir = opendir("/proc/self/task");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2; /* "." and ".." */
}

/* One that the library kept was still at work, in OpenSSL, when exit() ended that: a stop with status 0 was a crash. */
static void at_the_end_the_librarys_threads_are_gone(void **state)
{
	size_t before, kept;
	struct rig r;

	(void)state;
	jetstream_end();
	before = count_tasks();
	rig_open(&r, "");
	rig_close(&r);
	kept = count_tasks();
	jetstream_end();
	assert_true(kept > before);
	/* The kernel counts one that was joined for a moment more; `before` may have one, too. */
	for (uint64_t until = clock_mono_ms() + DEADLINE_MS; count_tasks() > before && clock_mono_ms() < until;)
		sched_yield();
	assert_in_range(count_tasks(), 1, before);
}

static void no_allocation_failure_loses_an_answer(void **state)
{
	struct rig r;
	struct volley v;

	(void)state;
	rig_open(&r, NULL);
	for (long at = 1; at < 12; at++) {
		volley_init(&v, 3, "mem", 100, DEADLINE_MS);
		mem_fail_at(at);
		volley_fire(&v, r.peer.bus);
		volley_wait(&v, 3);
		mem_fail_at(0);
		assert_int_equal(volley_count(&v, E_OK) + volley_count(&v, E_NOMEM), 3);
		volley_release(&v);
	}
	peer_close(&r.peer);
	for (long at = 1;; at++) {
		mem_fail_at(at);
		enum err err = peer_open(&r.peer);

		if (mem_count() < at)
			err = E_OK; /* nothing was left to fail */
		mem_fail_at(0);
		if (!err)
			break;
		assert_int_equal(err, E_NOMEM);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_publishes_are_stored_once_and_in_order),
		cmocka_unit_test(the_stream_is_made_as_upstream_makes_it),
		cmocka_unit_test(an_existing_stream_is_used_unchanged),
		cmocka_unit_test(the_same_id_is_stored_once),
		cmocka_unit_test(what_no_server_takes_is_refused_before_it_is_sent),
		cmocka_unit_test(no_more_than_the_limit_are_in_flight),
		cmocka_unit_test(a_stopped_server_times_each_publish_out),
		cmocka_unit_test(what_may_wait_waits_as_long_as_the_connection),
		cmocka_unit_test(who_may_wait_no_more_is_timed_out),
		cmocka_unit_test(a_killed_server_answers_all_at_once_and_is_found_again),
		cmocka_unit_test(a_lost_stream_is_made_again),
		cmocka_unit_test(closing_answers_what_is_in_flight),
		cmocka_unit_test(the_bus_opens_without_a_server_and_finds_it_later),
		cmocka_unit_test(credentials_are_read_anew_at_each_connect),
		cmocka_unit_test(a_token_opens_a_server_that_wants_one),
		cmocka_unit_test(what_cannot_work_is_refused_at_open),
		cmocka_unit_test(strict_refuses_a_server_that_does_not_say_when_it_syncs),
		cmocka_unit_test(a_publish_that_the_server_forbids_says_so),
		cmocka_unit_test(what_the_server_has_read_and_does_not_answer_is_timed_out),
		cmocka_unit_test(at_the_end_the_librarys_threads_are_gone),
		cmocka_unit_test(no_allocation_failure_loses_an_answer),
	};

	peer_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
