#include "gateway/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "gateway/sources/cloudevents.h"
#include "gateway/sources/source.h"
#include "manifest.h"

static const char *source_root; /* argv[1]: where examples and docs lie */

/* The files of one load: the second may be NULL. */
static enum err load_at(bool elsewhere, const char *a, const char *b, struct problems *problems,
			struct gateway_config **ret_config)
{
	static const char *const paths[] = { "a.yaml", "b.yaml" };
	const struct config_input input = { .files = paths, .file_count = b ? 2 : 1, .elsewhere = elsewhere };

	*ret_config = NULL;
	manifest_file("a.yaml", a);
	if (b)
		manifest_file("b.yaml", b);
	return gateway_config_read(&input, problems, ret_config);
}

static enum err load(const char *a, const char *b, struct problems *problems, struct gateway_config **ret_config)
{
	return load_at(/* elsewhere= */ false, a, b, problems, ret_config);
}

static struct gateway_config *load_good(const char *a, const char *b)
{
	struct problems problems = { 0 };
	struct gateway_config *config;
	enum err err = load_at(/* elsewhere= */ true, a, b, &problems, &config);
	struct buf text = { 0 };

	problems_write(&problems, &text);
	if (err != E_OK || problems.warnings)
		print_error("%s", buf_cstr(&text));
	assert_int_equal(err, E_OK);
	assert_int_equal(problems.warnings, 0);
	buf_release(&text);
	problems_release(&problems);
	return config;
}

#define HEAD(kind, name) "apiVersion: argoproj.io/v1alpha1\nkind: " kind "\nmetadata:\n  name: " name "\nspec:\n"
/* lines 1 to 5 are the head, 6 is holdfast, 7 webhook: an event begins in line 8 */
#define SOURCE           HEAD("EventSource", "web") "  holdfast: {dataDir: d}\n  webhook:\n"
#define GOOD_EVENT       "    e: {endpoint: /e, port: \"12000\", method: POST}\n"
#define BUS              "---\n" HEAD("EventBus", "default") "  jetstreamExotic: {url: nats://h}\n"

/* ---- good manifests ----------------------------------------------------------------------------------------------- */

static void the_smallest_manifest_gets_every_default(void **state)
{
	struct gateway_config *c = load_good(SOURCE GOOD_EVENT, NULL);
	const struct route_config *r = &c->routes[0];

	(void)state;
	assert_int_equal(c->route_count, 1);
	assert_ptr_equal(r->ops, &source_webhook);
	assert_string_equal(r->event_source, "web");
	assert_string_equal(r->namespace, "default");
	assert_string_equal(r->event_name, "e");
	assert_string_equal(r->endpoint, "/e");
	assert_int_equal(r->port, 12000);
	assert_string_equal(r->method, "POST");
	assert_null(r->url);
	assert_null(r->auth.path);
	assert_null(r->tls_cert.path);
	assert_int_equal(r->metadata_count, 0);
	assert_int_equal(r->max_payload, 1048576);
	assert_int_equal(r->ack, ACK_SPOOL);
	assert_int_equal(r->deadline_ms, 2000);
	assert_int_equal(r->rate, 0);
	assert_false(r->compat_strict);
	assert_string_equal(r->file, "a.yaml");
	assert_int_equal(r->line, 8);
	assert_int_equal(c->bus.kind, BUS_EMBEDDED);
	assert_string_equal(c->bus.name, "embedded");
	assert_string_equal(c->data_dir, "d");
	assert_string_equal(c->admin_host, "");
	assert_int_equal(c->admin_port, 7777);
	assert_null(c->admin_token_file);
#define X(field, key, type, min, max, dflt, unit, meaning) assert_int_equal(c->limits.field, dflt);
#include "gateway/gateway_limits.h"
#undef X
	gateway_config_unref(c);
}

static void everything_that_is_said_arrives(void **state)
{
	struct gateway_config *c;
	const struct route_config *r;

	(void)state;
	assert_int_equal(mkdir("s", 0700), 0);
	assert_int_equal(mkdir("s/n", 0700), 0);
	manifest_file("s/n/k", "secret\n");
	manifest_file("token", "");
	c = load_good(
		HEAD("EventSource", "web") "  eventBusName: default\n"
					   "  template: {container: {}}\n"
					   "  service: {ports: [{port: 1}]}\n"
					   "  replicas: 3\n"
					   "  webhook:\n"
					   "    e:\n"
					   "      endpoint: /e/{id:[0-9]{2}}/{rest}\n"
					   "      port: 12000\n"
					   "      method: PUT\n"
					   "      url: https://example.com\n"
					   "      authSecret: {name: n, key: k}\n"
					   "      serverCertSecret: {name: n, key: cert}\n"
					   "      serverKeySecret: {name: n, key: key}\n"
					   "      metadata: {z: a, b: '2', B: c}\n"
					   "      maxPayloadSize: 2Mi\n"
					   "      holdfast: {ack: bus, deadline: 500ms, rate: 60, compat: strict}\n"
					   "    f: {endpoint: /f, port: '12001', method: GET}\n"
					   "  holdfast:\n"
					   "    dataDir: d\n"
					   "    secretsDir: s\n"
					   "    strict: true\n"
					   "    ack: spool\n"
					   "    deadline: 1s\n"
					   "    rate: 600\n"
					   "    burst: 7\n"
					   "    admin: {address: \"127.0.0.1:9000\", tokenFile: token}\n"
					   "    limits: {loops: 2, storeSize: 1GiB, headerTimeout: 1m}\n" BUS,
		NULL);
	r = &c->routes[0];
	assert_int_equal(r->ack, ACK_BUS);
	assert_int_equal(r->deadline_ms, 500);
	assert_int_equal(r->rate, 60);
	assert_int_equal(r->burst, 7);
	assert_true(r->compat_strict);
	assert_string_equal(r->endpoint, "/e/{id:[0-9]{2}}/{rest}");
	assert_string_equal(r->auth.path, "s/n/k");
	assert_string_equal(r->tls_cert.path, "s/n/cert");
	assert_string_equal(r->tls_key.path, "s/n/key");
	assert_string_equal(r->url, "https://example.com");
	assert_int_equal(r->max_payload, 2 << 20);
	assert_int_equal(r->metadata_count, 3);
	assert_string_equal(r->metadata[0].key, "B");
	assert_string_equal(r->metadata[1].key, "b");
	assert_string_equal(r->metadata[1].value, "2");
	assert_string_equal(r->metadata[2].key, "z");
	r = &c->routes[1];
	assert_int_equal(r->ack, ACK_SPOOL);
	assert_int_equal(r->deadline_ms, 1000);
	assert_int_equal(r->rate, 600);
	assert_int_equal(r->burst, 7);
	assert_false(r->compat_strict);
	assert_int_equal(c->limits.loops, 2);
	assert_int_equal(c->limits.store_max, 1 << 30);
	assert_int_equal(c->limits.head_ms, 60000);
	assert_string_equal(c->admin_host, "127.0.0.1");
	assert_int_equal(c->admin_port, 9000);
	assert_string_equal(c->admin_token_file, "token");
	assert_int_equal(c->bus.kind, BUS_JETSTREAM);
	assert_string_equal(c->bus.name, "default");
	assert_true(c->bus.jetstream.strict);
	assert_int_equal(c->bus.jetstream.in_flight, 1024);
	gateway_config_unref(c);
}

static void a_rate_without_a_burst_allows_a_minutes_worth_at_once(void **state)
{
	struct gateway_config *c = load_good(
		HEAD("EventSource", "web") "  holdfast: {dataDir: d, rate: 30}\n  webhook:\n" GOOD_EVENT, NULL);

	(void)state;
	assert_int_equal(c->routes[0].burst, 30);
	gateway_config_unref(c);
}

static void without_a_data_directory_the_bus_acknowledges(void **state)
{
	struct gateway_config *c = load_good(HEAD("EventSource", "web") "  webhook:\n" GOOD_EVENT BUS, NULL);

	(void)state;
	assert_null(c->data_dir);
	assert_int_equal(c->routes[0].ack, ACK_BUS);
	gateway_config_unref(c);
}

static void a_stream_without_config_is_made_as_the_controller_does_on_one_server(void **state)
{
	struct gateway_config *c = load_good(SOURCE GOOD_EVENT BUS, NULL);
	const struct jetstream_config *js = &c->bus.jetstream;

	(void)state;
	assert_string_equal(js->url, "nats://h");
	assert_null(js->auth_path);
	assert_false(js->tls.configured);
	assert_int_equal(js->max_msgs, -1);
	assert_int_equal(js->max_bytes, -1);
	assert_int_equal(js->max_age_ns, 604800000000000);
	assert_int_equal(js->duplicates_ns, 300000000000);
	assert_int_equal(js->replicas, 1);
	assert_int_equal(js->retention, 0);
	assert_int_equal(js->discard, 0);
	gateway_config_unref(c);
}

static void what_a_stream_config_leaves_out_is_zero_and_its_keys_have_any_case(void **state)
{
	struct gateway_config *c = load_good(SOURCE GOOD_EVENT
					     "---\n" HEAD("EventBus", "default") "  jetstreamExotic:\n"
										 "    url: nats://a:1, tls://b:2,c\n"
										 "    tls: {enabled: true}\n"
										 "    streamConfig: |\n"
										 "      MAXMSGS: 7\n"
										 "      maxage: 24h\n"
										 "      Discard: 1\n"
										 "      retention: 2\n",
					     NULL);
	const struct jetstream_config *js = &c->bus.jetstream;

	(void)state;
	assert_int_equal(js->max_msgs, 7);
	assert_int_equal(js->max_bytes, 0);
	assert_int_equal(js->max_age_ns, 86400000000000);
	assert_int_equal(js->duplicates_ns, 0);
	assert_int_equal(js->replicas, 0);
	assert_int_equal(js->discard, 1);
	assert_int_equal(js->retention, 2);
	assert_true(js->tls.configured);
	assert_false(js->tls.insecure_skip_verify);
	gateway_config_unref(c);
}

static void a_kafka_bus_has_upstreams_defaults_but_keeps_the_order_of_a_route(void **state)
{
	struct gateway_config *c = load_good(
		SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  kafka: {url: 'a:9092, b', version: "
								      "2.5.0, consumerGroup: {groupName: g}}\n",
		NULL);
	const struct kafka_config *k = &c->bus.kafka;

	(void)state;
	assert_int_equal(c->bus.kind, BUS_KAFKA);
	assert_string_equal(k->url, "a:9092, b");
	assert_string_equal(k->topic, "default-default");
	assert_int_equal(k->partitioner, KAFKA_HASH);
	assert_int_equal(k->mechanism, KAFKA_NO_SASL);
	assert_int_equal(k->message_max, 1000000);
	assert_false(k->tls.configured);
	gateway_config_unref(c);
}

static void a_kafka_bus_has_every_key_of_upstream(void **state)
{
	static const char bus[] =
		"---\napiVersion: argoproj.io/v1alpha1\nkind: EventBus\n"
		"metadata: {name: default, namespace: ns}\nspec:\n  kafka:\n"
		"    url: k:9092\n    topic: my.topic\n    partitioner: roundrobin\n"
		"    tls: {insecureSkipVerify: true}\n"
		"    sasl:\n      mechanism: SCRAM-SHA-512\n      userSecret: {name: sasl, key: user}\n"
		"      passwordSecret: {name: sasl, key: password}\n"
		"  holdfast: {maxMessageBytes: 2MiB}\n";
	struct gateway_config *c;
	struct buf text = { 0 };

	(void)state;
	(void)mkdir("s", 0700);
	(void)mkdir("s/sasl", 0700);
	manifest_file("s/sasl/user", "");
	manifest_file("s/sasl/password", "");
	buf_lit(&text, HEAD("EventSource", "web") "  holdfast: {secretsDir: s}\n  webhook:\n" GOOD_EVENT);
	buf_str(&text, str_of(bus));
	c = load_good(buf_cstr(&text), NULL);
	assert_string_equal(c->bus.kafka.topic, "my.topic");
	assert_int_equal(c->bus.kafka.partitioner, KAFKA_ROUNDROBIN);
	assert_int_equal(c->bus.kafka.mechanism, KAFKA_SCRAM_512);
	assert_string_equal(c->bus.kafka.user_path, "s/sasl/user");
	assert_string_equal(c->bus.kafka.password_path, "s/sasl/password");
	assert_true(c->bus.kafka.tls.insecure_skip_verify);
	assert_int_equal(c->bus.kafka.message_max, 2 << 20);
	gateway_config_unref(c);
	buf_release(&text);
}

/* As the controller's process does: facts argo-events 3.3. */
static void with_skip_bad_the_good_events_of_a_text_are_served(void **state)
{
	static const char manifest[] = SOURCE GOOD_EVENT
		"    bad: {endpoint: /b, port: 0, method: POST}\n    none: 1\n    worse: {endpoint: b, port: 12001}\n"
		"    good: {endpoint: /g, port: 12000, method: POST}\n  calendar: {c: {interval: 1s}}\n";
	const struct config_text text = { "ENV", str_of(manifest) };
	struct config_input input = { .texts = &text, .text_count = 1, .skip_bad = true };
	struct problems problems = { 0 };
	struct gateway_config *c = NULL;

	(void)state;
	assert_int_equal(gateway_config_read(&input, &problems, &c), E_OK);
	assert_int_equal(problems.errors, 0);
	assert_int_equal(c->route_count, 2);
	assert_string_equal(c->routes[1].event_name, "good");
	assert_string_equal(c->routes[1].file, "ENV");
	gateway_config_unref(c);
	problems_release(&problems);
	input.skip_bad = false;
	problems = (struct problems){ 0 };
	assert_int_equal(gateway_config_read(&input, &problems, &c), E_CONFIG);
	problems_release(&problems);
}

static enum err read_alone(const char *yaml, struct config_input input, struct buf *ret_problems)
{
	const struct config_text text = { "ENV", str_of(yaml) };
	struct problems problems = { 0 };
	struct gateway_config *c = NULL;
	enum err err;

	input.texts = &text;
	input.text_count = 1;
	err = gateway_config_read(&input, &problems, &c);
	buf_clear(ret_problems);
	problems_write(&problems, ret_problems);
	problems_release(&problems);
	gateway_config_unref(c);
	return err;
}

/* Of a controller that is newer than this version, which writes every field, also those that nobody set. */
static void keys_that_a_newer_controller_writes_lose_no_event(void **state)
{
	static const char good[] = HEAD(
		"EventSource",
		"web") "  holdfast: {dataDir: d}\n  github:\n    e:\n"
		       "      webhook: {endpoint: /e, port: 1, method: POST, maxAge: ''}\n      organizations: [o]\n"
		       "      repositoriesLike: []\n      githubApp: {clientID: ''}\n  new: true\n";
	static const char ours[] = HEAD(
		"EventSource", "web") "  holdfast: {dataDir: d}\n  github:\n    e:\n"
				      "      webhook: {endpoint: /e, port: 1, method: POST}\n      organizations: [o]\n"
				      "      holdfast: {webhookSecret: {name: n, key: k}}\n";
	const struct config_input newer = { .take_unknown = true, .skip_bad = true }, strict = { 0 };
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(read_alone(good, newer, &text), E_OK);
	assert_non_null(strstr(buf_cstr(&text), "spec.github.e.webhook.maxAge: unknown key: it is not used"));
	assert_non_null(strstr(buf_cstr(&text), "spec.github.e.githubApp.clientID: unknown key: it is not used"));
	assert_null(strstr(buf_cstr(&text), "left out"));
	assert_int_equal(read_alone(good, strict, &text), E_CONFIG);
	assert_int_equal(read_alone(ours, newer, &text),
			 E_CONFIG); /* a key of ours that we do not know protects nothing */
	buf_release(&text);
}

static void manifests_of_a_controller_are_looked_at_without_their_bus(void **state)
{
	static const char plain[] = HEAD("EventSource", "web") "  eventBusName: prod\n  webhook:\n" GOOD_EVENT;
	static const char ours[] = HEAD("EventSource", "web") "  holdfast: {ack: bus}\n  webhook:\n" GOOD_EVENT;
	const struct config_input alone = { .no_bus = true }, whole = { 0 };
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(read_alone(plain, alone, &text), E_OK);
	assert_non_null(strstr(buf_cstr(&text), "warning: there is no EventBus among the files"));
	assert_int_equal(read_alone(plain, whole, &text), E_CONFIG);
	assert_int_equal(read_alone(ours, alone, &text), E_CONFIG);
	buf_release(&text);
}

static void with_the_embedded_bus_every_event_is_stored_first(void **state)
{
	static const char *const manifests[] = {
		HEAD("EventSource", "web") "  holdfast: {dataDir: d, ack: bus}\n  webhook:\n" GOOD_EVENT,
		SOURCE "    e: {endpoint: /e, port: \"12000\", method: POST, holdfast: {ack: bus}}\n",
		HEAD("EventSource", "web") "  holdfast: {dataDir: d, ack: bus}\n  webhook:\n" GOOD_EVENT
					   "---\n" HEAD("EventBus", "default") "  holdfast: {embedded: {}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(manifests); i++) {
		struct gateway_config *c = load_good(manifests[i], NULL);

		assert_int_equal(c->bus.kind, BUS_EMBEDDED);
		assert_int_equal(c->routes[0].ack, ACK_SPOOL);
		gateway_config_unref(c);
	}
}

static void a_native_bus_is_found_by_its_name(void **state)
{
	struct gateway_config *c;

	(void)state;
	(void)mkdir("s", 0700);
	assert_int_equal(mkdir("s/eventbus-main-js-client-auth", 0700), 0);
	manifest_file("s/eventbus-main-js-client-auth/client-auth", "");
	c = load_good(
		HEAD("EventSource", "web") "  eventBusName: main\n  holdfast: {secretsDir: s}\n  webhook:\n" GOOD_EVENT,
		"apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: {name: main, namespace: ns}\n"
		"spec: {jetstream: {version: latest, replicas: 3, persistence: {}}}\n");
	assert_string_equal(c->bus.jetstream.url, "nats://eventbus-main-js-svc.ns.svc:4222");
	assert_string_equal(c->bus.jetstream.auth_path, "s/eventbus-main-js-client-auth/client-auth");
	gateway_config_unref(c);
}

static void of_several_buses_the_named_one_is_taken_in_any_order_of_files(void **state)
{
	static const char buses[] = HEAD("EventBus", "one") "  jetstreamExotic: {url: nats://one}\n"
							    "---\n" HEAD("EventBus",
									 "two") "  holdfast: {embedded: {}}\n";
	static const char source[] = HEAD("EventSource", "web") "  eventBusName: two\n"
								"  holdfast: {dataDir: d}\n  webhook:\n" GOOD_EVENT;
	struct gateway_config *a = load_good(buses, source), *b = load_good(source, buses);

	(void)state;
	assert_int_equal(a->bus.kind, BUS_EMBEDDED);
	assert_string_equal(a->bus.name, "two");
	assert_string_equal(b->bus.name, "two");
	gateway_config_unref(a);
	gateway_config_unref(b);
}

static void cloudevents_stand_under_our_own_keys(void **state)
{
	struct gateway_config *c = load_good(HEAD("EventSource", "ingest") "  holdfast:\n"
									   "    dataDir: d\n"
									   "    cloudevents:\n"
									   "      e:\n"
									   "        endpoint: /e\n"
									   "        port: '1'\n"
									   "        allowedOrigins: [a.example, '*']\n"
									   "        allowedRate: 60\n",
					     NULL);
	const struct cloudevents_settings *s = c->routes[0].settings;

	(void)state;
	assert_ptr_equal(c->routes[0].ops, &source_cloudevents);
	assert_int_equal(s->allowed_origins.count, 2);
	assert_string_equal(s->allowed_origins.items[1], "*");
	assert_int_equal(s->allowed_rate, 60);
	assert_int_equal(s->max_batch, 1000);
	gateway_config_unref(c);
}

static void json_is_a_manifest_too(void **state)
{
	struct gateway_config *c = load_good(
		"{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"EventSource\",\"metadata\":{\"name\":\"web\","
		"\"labels\":{\"a\":\"b\"}},\"spec\":{\"webhook\":{\"e\":{\"endpoint\":\"/e\",\"port\":\"80\","
		"\"method\":\"POST\"}},\"holdfast\":{\"dataDir\":\"d\"}},\"status\":{\"conditions\":[]}}",
		NULL);

	(void)state;
	assert_int_equal(c->routes[0].port, 80);
	gateway_config_unref(c);
}

static void many_events_of_many_sources_become_routes_in_order(void **state)
{
	struct buf b = { 0 };
	struct gateway_config *c;

	(void)state;
	buf_addf(&b, SOURCE);
	for (int i = 0; i < 100; i++)
		buf_addf(&b, "    e%d: {endpoint: /e%d, port: '1', method: POST}\n", i, i);
	c = load_good(buf_cstr(&b), HEAD("EventSource", "other") "  holdfast: {dataDir: d}\n  webhook:\n"
								 "    e0: {endpoint: /x, port: '1', method: POST}\n");
	assert_int_equal(c->route_count, 101);
	assert_string_equal(c->routes[99].event_name, "e99");
	assert_string_equal(c->routes[100].event_source, "other");
	gateway_config_unref(c);
	buf_release(&b);
}

static void a_second_load_leaves_the_first_snapshot_as_it_was(void **state)
{
	struct gateway_config *a = load_good(SOURCE GOOD_EVENT, NULL), *held = gateway_config_ref(a);
	struct gateway_config *b = load_good(SOURCE "    f: {endpoint: /f, port: '2', method: GET}\n", NULL);

	(void)state;
	gateway_config_unref(a);
	assert_string_equal(held->routes[0].endpoint, "/e");
	assert_string_equal(b->routes[0].endpoint, "/f");
	gateway_config_unref(held);
	gateway_config_unref(b);
}

/* ---- bad ones ------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *yaml;
	const char *problems;
} bad[] = {
	/* the context: facts argo-events 2.1 */
	{ SOURCE "    e: {port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e: endpoint can't be empty (add `endpoint: /a/path`)\n" },
	{ SOURCE "    e: {endpoint: '', port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: endpoint can't be empty (add `endpoint: /a/path`)\n" },
	{ HEAD("EventSource",
	       "web") "  holdfast: {dataDir: d}\n"
		      "  gitlab:\n"
		      "    e: {webhook: {port: '1', url: 'https://e'}, events: [PushEvents], projects: ['1'],\n"
		      "        gitlabBaseURL: 'https://g', accessToken: {name: n, key: a}}\n",
	  "a.yaml:8: spec.gitlab.e.webhook: endpoint can't be empty (add `endpoint: /a/path`)\n" },
	{ SOURCE "    e: {endpoint: /e, method: POST}\n",
	  "a.yaml:8: spec.webhook.e: port can't be empty (add `port: \"12000\"`)\n" },
	{ SOURCE "    e: {endpoint: /e, port: http, method: POST}\n",
	  "a.yaml:8: spec.webhook.e.port: failed to parse server port http. err: not a port number (write a number "
	  "from "
	  "1 to 65535)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1'}\n",
	  "a.yaml:8: spec.webhook.e: method can't be empty: no request would ever match (add `method: POST`)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: post}\n",
	  "a.yaml:8: spec.webhook.e.method: \"post\" never matches a request (write it in capitals: POST)\n" },
	{ SOURCE "    e: {endpoint: /e, port: http, method: PSOT}\n",
	  "a.yaml:8: spec.webhook.e.port: failed to parse server port http. err: not a port number (write a number "
	  "from 1 to 65535)\n"
	  "a.yaml:8: warning: spec.webhook.e.method: \"PSOT\" is no usual method: any other one is answered 405 (most "
	  "senders use POST)\n" },
	{ SOURCE "    e: {endpoint: e, port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: the endpoint must begin with / (begin it with a slash)\n" },
	{ SOURCE "    e: {endpoint: '/a/{b', port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: a brace in the endpoint has no partner (pair the braces: {name} or "
	  "{name:pattern})\n" },
	{ SOURCE "    e: {endpoint: '/a/b}', port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: a brace in the endpoint has no partner (pair the braces: {name} or "
	  "{name:pattern})\n" },
	{ SOURCE "    e: {endpoint: '/{}', port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: variable {} has no name (write {name} or {name:pattern})\n" },
	{ SOURCE "    e: {endpoint: '/{a:}', port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: variable {a:} has an empty pattern (write {name} or {name:pattern})\n" },
	{ SOURCE "    e: {endpoint: '/{a:[}', port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: variable {a:[} is not a regular expression (write {name} "
	  "or "
	  "{name:pattern})\n" },
	{ SOURCE "    e: {endpoint: '/{a}/{a:x}', port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: variable {a:x} stands twice (write {name} or {name:pattern})\n" },
	{ SOURCE "    e: {endpoint: /a?b=c, port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: the endpoint can never match: the query is not part of the path (write "
	  "the "
	  "bare path)\n" },
	{ SOURCE "    e: {endpoint: /a//b, port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: the endpoint can never match: paths are cleaned of //, /. and /.. before "
	  "they are compared (write the bare path)\n" },
	{ SOURCE "    e: {endpoint: /a/.., port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: the endpoint can never match: paths are cleaned of //, /. and /.. before "
	  "they are compared (write the bare path)\n" },
	{ SOURCE "    e: {endpoint: /a#b, port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.endpoint: the endpoint can never match: a control character or # cannot stand in a "
	  "path (write the bare path)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: POST, maxPayloadSize: 0}\n",
	  "a.yaml:8: spec.webhook.e.maxPayloadSize: \"0\" is not a size from 1 to 1GiB (write bytes, or a number with "
	  "a "
	  "unit such as 64Ki, 1MiB or 10GiB)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: POST, maxPayloadSize: 65MiB}\n",
	  "a.yaml:8: spec.webhook.e.maxPayloadSize: a body of maxPayloadSize never fits into bodyMemory (lower it, or "
	  "raise spec.holdfast.limits.bodyMemory)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: POST, filter: {expression: 'body.a =='}}\n",
	  "a.yaml:8: spec.webhook.e.filter.expression: column 10: the expression ends too early: a value was "
	  "expected\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: POST, filter: {expr: 'true'}}\n",
	  "a.yaml:8: spec.webhook.e.filter: expression can't be empty (write one, or remove `filter`)\n"
	  "a.yaml:8: spec.webhook.e.filter.expr: unknown key (known here: expression)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: POST, authSecrt: {name: n, key: k}}\n",
	  "a.yaml:8: spec.webhook.e.authSecrt: unknown key (did you mean `authSecret`?)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: POST, maxPayload: 5}\n",
	  "a.yaml:8: spec.webhook.e.maxPayload: unknown key (did you mean `maxPayloadSize`?)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: POST, holdfast: {ack: never}}\n",
	  "a.yaml:8: spec.webhook.e.holdfast.ack: \"never\" is not one of spool, bus\n" },
	{ SOURCE "    e: {endpoint: /e, port: '7777', method: POST}\n",
	  "a.yaml:8: spec.webhook.e.port: port 7777 is the admin port (take another port, or move "
	  "spec.holdfast.admin.address)\n" },
	{ SOURCE "    e: 5\n",
	  "a.yaml:8: spec.webhook.e: is not the map of an event (write an event's name, and its keys below it)\n" },
	{ SOURCE "    '': {endpoint: /e, port: '1', method: POST}\n",
	  "a.yaml:8: spec.webhook.: the event has no name (give the event a name)\n" },
	/* what does not fit together */
	{ SOURCE GOOD_EVENT "    f: {endpoint: /e, port: 12000, method: GET}\n",
	  "a.yaml:9: spec.webhook.f.endpoint: port 12000 and this endpoint belong to event e already: a.yaml:8 (take "
	  "another endpoint or port)\n" },
	{ SOURCE "    e: {endpoint: '/{a}/{b:x}', port: '1', method: POST}\n"
		 "    f: {endpoint: '/{c}/{d:x}', port: '1', method: POST}\n",
	  "a.yaml:9: spec.webhook.f.endpoint: port 1 and this endpoint belong to event e already: a.yaml:8 (take "
	  "another "
	  "endpoint or port)\n" },
	{ SOURCE GOOD_EVENT GOOD_EVENT,
	  "a.yaml:9: spec.webhook.e: stands twice; first at line 8 (remove one of them)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: POST, serverKeySecret: {name: n, key: k}}\n",
	  "a.yaml:8: spec.webhook.e.serverKeySecret: a key without its certificate (add serverCertSecret)\n" },
	{ HEAD("EventSource", "web") "  webhook:\n" GOOD_EVENT,
	  "a.yaml:1: the embedded bus keeps events in a dataDir, and none is given (add spec.holdfast.dataDir, or give "
	  "an "
	  "EventBus)\n" },
	{ HEAD("EventSource", "web") "  holdfast: {ack: spool}\n  webhook:\n" GOOD_EVENT BUS,
	  "a.yaml:8: spec.webhook.e: ack: spool needs a dataDir (add spec.holdfast.dataDir, or write `ack: bus`)\n" },
	{ HEAD("EventSource", "web") "  holdfast: {dataDir: a.yaml/d}\n  webhook:\n" GOOD_EVENT,
	  "a.yaml:6: spec.holdfast.dataDir: a.yaml/d cannot be written: Not a directory (take a directory that this "
	  "user "
	  "may write to)\n" },
	{ HEAD("EventSource", "web") "  holdfast: {dataDir: a.yaml}\n  webhook:\n" GOOD_EVENT,
	  "a.yaml:6: spec.holdfast.dataDir: a.yaml cannot be written: Not a directory (take a directory that this user "
	  "may "
	  "write to)\n" },
	{ HEAD("EventSource", "web") "  holdfast: {dataDir: ~/data, secretsDir: $HOME/s}\n  webhook:\n" GOOD_EVENT,
	  "a.yaml:6: spec.holdfast.dataDir: \"~/data\" is taken as it is: nothing replaces ~ and variables here (write "
	  "the path itself, or begin it with ./)\n"
	  "a.yaml:6: spec.holdfast.secretsDir: \"$HOME/s\" is taken as it is: nothing replaces ~ and variables here "
	  "(write the path itself, or begin it with ./)\n" },
	/* the EventSource */
	{ "", "a.yaml: there is no EventSource: nothing would be received (give a file with `kind: EventSource`)\n" },
	{ "a: [\n", "a.yaml:2: not valid YAML: did not find expected node content while parsing a flow node (close "
		    "each [ and { with its ] or })\n" },
	{ "[a]\n", "a.yaml:1: not a manifest: it has no kind (write a manifest with `kind: EventSource` or `kind: "
		   "EventBus`)\n" },
	{ "kind: EventSource\nmetadata: {name: x}\nspec: {holdfast: {dataDir: d}, webhook: {e: {endpoint: /e, port: 1, "
	  "method: POST}}}\n",
	  "a.yaml:1: apiVersion is not argoproj.io/v1alpha1 (write apiVersion: argoproj.io/v1alpha1)\n" },
	{ "apiVersion: argoproj.io/v1\nkind: EventSource\nmetadata: {name: [x]}\nspecs: {}\n"
	  "spec: {holdfast: {dataDir: d}, webhook: {e: {endpoint: /e, port: 1, method: POST}}}\n",
	  "a.yaml:1: apiVersion: apiVersion is not argoproj.io/v1alpha1 (write apiVersion: argoproj.io/v1alpha1)\n"
	  "a.yaml:1: metadata.name can't be empty (add metadata: {name: ...})\n"
	  "a.yaml:3: metadata.name: is not a string (write a single value)\n"
	  "a.yaml:4: specs: unknown key (known here: apiVersion, kind, metadata, spec, status)\n" },
	{ HEAD("EventSource", "web") "  holdfast: {dataDir: d}\n",
	  "a.yaml:1: the EventSource has no events (add an event under spec.webhook)\n" },
	{ SOURCE GOOD_EVENT "  calendar: {a: {}}\n",
	  "a.yaml:9: spec.calendar: type calendar is not served by this version "
	  "(leave it to the Argo Events gateway, in an "
	  "EventSource of its own)\n" },
	{ SOURCE GOOD_EVENT "  webhok: {}\n", "a.yaml:9: spec.webhok: unknown key (did you mean `webhook`?)\n" },
	{ SOURCE GOOD_EVENT "  replica: 1\n", "a.yaml:9: spec.replica: unknown key (did you mean `replicas`?)\n" },
	{ SOURCE GOOD_EVENT "  cloudevents: {}\n",
	  "a.yaml:9: spec.cloudevents: is not a type of Argo Events (move it under spec.holdfast)\n" },
	{ SOURCE GOOD_EVENT "  eventBusNam: x\n",
	  "a.yaml:9: spec.eventBusNam: unknown key (did you mean `eventBusName`?)\n" },
	{ SOURCE GOOD_EVENT "  wholly-else: {}\n",
	  "a.yaml:9: spec.wholly-else: unknown key (types of sources served here: webhook, github, gitlab, bitbucket, "
	  "bitbucketserver, gerrit, slack, sns, storageGrid, stripe)\n" },
	{ SOURCE GOOD_EVENT "  eventBusName: prod\n",
	  "a.yaml:9: spec.eventBusName: there is no EventBus prod among the files (give its manifest too, or name one "
	  "that is given)\n" },
	{ SOURCE GOOD_EVENT "  eventBusName: [prod]\n",
	  "a.yaml:9: spec.eventBusName: is not a string (write the name of one EventBus)\n" },
	{ SOURCE "    port: 1\n",
	  "a.yaml:8: spec.webhook.port: is not the map of an event (write an event's name, and its keys below it)\n" },
	{ HEAD("EventSource", "web") "  holdfast: {dataDir: d, storeSize: 1G}\n  webhook:\n" GOOD_EVENT,
	  "a.yaml:6: spec.holdfast.storeSize: unknown key (write it below `limits`)\n" },
	{ HEAD("EventSource", "web") "  holdfast:\n"
				     "    dataDir: d\n"
				     "    admin: {address: '203.0.113.7:7777'}\n"
				     "    cloudevents: {e: {endpoint: /e, port: 1}}\n",
	  "a.yaml:8: spec.holdfast.admin.address: this machine does not have the address 203.0.113.7 (the gateway does "
	  "not start without it)\n" },
	{ HEAD("EventSource", "web") "  holdfast:\n"
				     "    dataDir: d\n"
				     "    secretDir: s\n"
				     "    admin: {address: 'localhost:1'}\n"
				     "    limits: {bodymemory: 1, storeSize: 1k}\n"
				     "  webhook:\n" GOOD_EVENT,
	  "a.yaml:8: spec.holdfast.secretDir: unknown key (did you mean `secretsDir`?)\n"
	  "a.yaml:9: spec.holdfast.admin.address: \"localhost:1\" is not an address (write host:port with an address "
	  "in "
	  "digits, or :port)\n"
	  "a.yaml:10: spec.holdfast.limits.storeSize: \"1k\" is not a size from 1MiB to 64TiB (write bytes, or a "
	  "number "
	  "with a unit such as 64Ki, 1MiB or 10GiB)\n"
	  "a.yaml:10: spec.holdfast.limits.bodymemory: unknown key (did you mean `bodyMemory`?)\n" },
	{ SOURCE GOOD_EVENT
	  "---\n" HEAD("EventSource", "web") "  webhook: {x: {endpoint: /x, port: 1, method: POST}}\n",
	  "a.yaml:13: metadata.name: EventSource web stands twice; first at a.yaml:1 (give it another name, or put the "
	  "events into one)\n" },
	{ SOURCE GOOD_EVENT
	  "---\n" HEAD("EventSource", "two") "  holdfast: {dataDir: e, strict: false}\n"
					     "  webhook: {x: {endpoint: /x, port: 1, method: POST}}\n",
	  "a.yaml:15: spec.holdfast.dataDir: holds for the whole process, and a.yaml:6 says otherwise (say it once, or "
	  "the same everywhere)\n" },
	{ HEAD("EventSource", "web") "  holdfast:\n"
				     "    dataDir: d\n"
				     "    cloudevents:\n"
				     "      e: {endpoint: /e, port: 1, method: PUT, maxBatch: 0}\n"
				     "  webhook:\n"
				     "    e: {endpoint: /f, port: 1, method: POST}\n",
	  "a.yaml:9: spec.holdfast.cloudevents.e.maxBatch: \"0\" is not a number from 1 to 65536\n"
	  "a.yaml:9: spec.holdfast.cloudevents.e.method: CloudEvents arrive by POST, not by PUT (remove it, or write "
	  "POST)\n"
	  "a.yaml:9: spec.holdfast.cloudevents.e: more than one \"e\" found in the spec; first at a.yaml:11 (give it "
	  "another name)\n" },
	/* the EventBus */
	{ SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  {}\n",
	  "a.yaml:14: spec: the EventBus says no kind of bus (write one of spec.jetstreamExotic, spec.jetstream, "
	  "spec.kafka and spec.holdfast.embedded)\n" },
	{ SOURCE GOOD_EVENT BUS "  holdfast: {embedded: {}}\n",
	  "a.yaml:14: spec: an EventBus is of one kind (write one of spec.jetstreamExotic, spec.jetstream, "
	  "spec.kafka and spec.holdfast.embedded)\n" },
	{ SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  nats: {native: {}}\n",
	  "a.yaml:15: spec.nats: NATS Streaming (STAN) reached its end of life in June 2023 and is not served (make an "
	  "EventBus of another name with spec.jetstream, name it as eventBusName in EventSources and Sensors, and "
	  "remove "
	  "this one when its Sensors have read it empty)\n" },
	/* Kafka */
	{ SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  kafka: {topic: t}\n",
	  "a.yaml:15: spec.kafka: url can't be empty (add `url: host:9092`)\n" },
	{ SOURCE GOOD_EVENT
	  "---\n" HEAD("EventBus", "default") "  kafka: {url: 'kafka://a:1', topic: a b, topics: c}\n",
	  "a.yaml:15: spec.kafka.topics: unknown key (did you mean `topic`?)\n"
	  "a.yaml:15: spec.kafka.url: \"kafka://a:1\" is not a list of brokers (write host:9092, with commas between "
	  "several)\n"
	  "a.yaml:15: spec.kafka.topic: \"a b\" is no name of a topic (take letters, digits, . _ and -, at most "
	  "249)\n" },
	{ SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  kafka: {url: a, sasl: {mechanism: GSSAPI}}\n",
	  "a.yaml:15: spec.kafka.sasl: userSecret can't be empty (add `userSecret: {name: ..., key: ...}`)\n"
	  "a.yaml:15: spec.kafka.sasl: passwordSecret can't be empty (add `passwordSecret: {name: ..., key: ...}`)\n"
	  "a.yaml:15: spec.kafka.sasl.mechanism: mechanism GSSAPI is not served (take PLAIN, SCRAM-SHA-256 or "
	  "SCRAM-SHA-512)\n"
	  "a.yaml:15: warning: spec.kafka.sasl: PLAIN without tls sends the password in clear text (add tls, or take "
	  "SCRAM-SHA-512)\n" },
	{ SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  kafka: {url: a, tls: {}}\n",
	  "a.yaml:15: spec.kafka.tls: tls says neither enabled, nor insecureSkipVerify, nor a secret (add `enabled: "
	  "true`, or remove tls)\n" },
	{ SOURCE GOOD_EVENT "---\n" HEAD(
		  "EventBus", "default") "  kafka: {url: a}\n  holdfast: {strict: true, monitorUrl: 'http://h:1'}\n",
	  "a.yaml:16: spec.holdfast.monitorUrl: is for JetStream (remove it)\n"
	  "a.yaml:16: spec.holdfast.strict: is for JetStream (remove it)\n" },
	{ SOURCE GOOD_EVENT BUS "  holdfast: {maxMessageBytes: 1000000}\n",
	  "a.yaml:16: spec.holdfast.maxMessageBytes: is for Kafka (remove it)\n" },
	{ HEAD("EventSource", "web") "  holdfast: {strict: true}\n  webhook:\n" GOOD_EVENT
				     "---\n" HEAD("EventBus", "default") "  kafka: {url: a}\n",
	  "a.yaml:6: spec.holdfast.strict: a Kafka broker does not say whether it syncs before it acknowledges (remove "
	  "it; give the topic three replicas and min.insync.replicas=2)\n" },
	{ SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  jetstreamExotic: {}\n",
	  "a.yaml:15: spec.jetstreamExotic: url can't be empty (add `url: nats://host:4222`)\n" },
	{ SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  jetstreamExotic: {url: 'nats://a,http://b'}\n",
	  "a.yaml:15: spec.jetstreamExotic.url: bus URL \"http://b:4222\": use nats:// or tls:// (write "
	  "nats://host:4222 or tls://host:4222)\n" },
	{ SOURCE GOOD_EVENT
	  "---\n" HEAD("EventBus", "default") "  jetstreamExotic: {url: 'nats://me:secret@a:99999'}\n",
	  "a.yaml:15: spec.jetstreamExotic.url: bus URL \"nats://a:99999\": the port is not a number from 1 to 65535 "
	  "(write "
	  "nats://host:4222 or tls://host:4222)\n" },
	{ SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  jetstreamExotic: {url: h, tls: {}}\n",
	  "a.yaml:15: spec.jetstreamExotic.tls: tls says neither enabled, nor insecureSkipVerify, nor a secret (add "
	  "`enabled: true`, or remove tls)\n" },
	{ SOURCE GOOD_EVENT "---\n" HEAD(
		  "EventBus",
		  "default") "  jetstreamExotic: {url: h, tls: {enabled: true, clientKeySecret: {name: n, key: k}}}\n",
	  "a.yaml:14: spec: /argo-events/secrets/n/k cannot be read: No such file or directory (the gateway "
	  "does not start without it)\n"
	  "a.yaml:15: spec.jetstreamExotic.tls: clientCertSecret and clientKeySecret belong together (give both or "
	  "none)\n" },
	{ SOURCE GOOD_EVENT "---\n" HEAD("EventBus", "default") "  jetstreamExotic:\n"
								"    url: h\n"
								"    streamConfig: |\n"
								"      maxMsgs: many\n"
								"      maxSize: 1\n",
	  "a.yaml:18: maxMsgs: \"many\" is not a number of at least -1\n"
	  "a.yaml:19: maxSize: unknown key (known here: maxMsgs, maxBytes, maxAge, duplicates, replicas, retention, "
	  "discard)\n" },
	{ SOURCE GOOD_EVENT
	  "---\n" HEAD("EventBus", "default") "  jetstreamExotic: {url: h, streamConfig: 'maxAge: 5'}\n",
	  "a.yaml:15: maxAge: \"5\" is not a time from 0s to 876000h (write a number with a unit such as 500ms, 2s, "
	  "1h30m or 3d)\n" },
	{ SOURCE GOOD_EVENT BUS BUS,
	  "a.yaml:17: EventBus default stands twice; first at a.yaml:10 (give it another name, or remove one)\n" },
	{ SOURCE GOOD_EVENT
	  "---\n" HEAD("EventBus", "one") "  jetstreamExotic: {url: h}\n"
					  "---\n" HEAD("EventBus", "two") "  jetstreamExotic: {url: h}\n",
	  "a.yaml:1: there is no EventBus default among the files (give its manifest too, or name one that is "
	  "given)\n" },
	{ HEAD("EventSource", "a b") "  webhook:\n"
				     "    c.d: {endpoint: /e, port: 1, method: POST}\n" BUS,
	  "a.yaml:4: metadata.name: \"a b\" cannot be part of a NATS subject (rename it: without . * > and spaces)\n"
	  "a.yaml:7: spec.webhook.c.d: \"c.d\" cannot be part of a NATS subject (rename it: without . * > and "
	  "spaces)\n" },
};

static void each_bad_manifest_is_refused_with_place_text_and_fix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct problems problems = { 0 };
		struct gateway_config *c;
		struct buf text = { 0 };

		assert_int_equal(load(bad[i].yaml, NULL, &problems, &c), E_CONFIG);
		assert_null(c);
		problems_write(&problems, &text);
		assert_string_equal(buf_cstr(&text), bad[i].problems);
		buf_release(&text);
		problems_release(&problems);
	}
}

static void two_files_that_need_different_buses_are_refused(void **state)
{
	struct problems problems = { 0 };
	struct gateway_config *c;
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(
		load(HEAD("EventSource", "web") "  eventBusName: one\n  webhook:\n" GOOD_EVENT
						"---\n" HEAD("EventBus", "one") "  jetstreamExotic: {url: h}\n",
		     HEAD("EventSource", "two") "  eventBusName: two\n"
						"  webhook: {f: {endpoint: /f, port: 1, method: POST}}\n"
						"---\n" HEAD("EventBus", "two") "  jetstreamExotic: {url: h}\n",
		     &problems, &c),
		E_CONFIG);
	problems_write(&problems, &text);
	assert_string_equal(buf_cstr(&text),
			    "b.yaml:1: EventSources of one gateway must use one EventBus, and others use "
			    "one (run a gateway for each bus)\n");
	buf_release(&text);
	problems_release(&problems);
}

/* ---- warnings ------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *yaml;
	const char *warnings;
} doubtful[] = {
	{ SOURCE "    e: {endpoint: /health, port: '1', method: POST}\n",
	  "a.yaml:8: warning: spec.webhook.e.endpoint: takes the place of the health answer on this port (take another "
	  "path)\n" },
	{ SOURCE "    e: {endpoint: /a%2fb, port: '1', method: POST}\n",
	  "a.yaml:8: warning: spec.webhook.e.endpoint: matches nothing that is sent so: escapes such as %20 are "
	  "decoded before paths are compared (write the characters themselves)\n" },
	{ SOURCE "    e: {endpoint: /e, port: '1', method: POST, authSecret: {name: n, key: none}}\n",
	  "a.yaml:8: warning: spec.webhook.e.authSecret: /argo-events/secrets/n/none cannot be read now: No such file "
	  "or "
	  "directory (requests are answered 500 without it)\n" },
	{ HEAD("EventSource", "web") "  holdfast: {dataDir: d}\n"
				     "  gitlab:\n"
				     "    e: {webhook: {endpoint: /e, port: '1', url: 'https://e'}, events: "
				     "[PushEvents], projects: ['1'],\n"
				     "        gitlabBaseURL: 'https://g', accessToken: {name: n, key: a}, secretToken: "
				     "{name: n, key: s}}\n",
	  "a.yaml:8: warning: spec.gitlab.e: /argo-events/secrets/n/a cannot be read now: No such file or directory "
	  "(the "
	  "hook at the provider is not looked after without it)\n"
	  "a.yaml:9: warning: spec.gitlab.e.secretToken: /argo-events/secrets/n/s cannot be read now: No such file or "
	  "directory (requests that need it are refused)\n" },
	{ SOURCE GOOD_EVENT "  type: webhook\n", /* as in an example of Argo Events */
	  "a.yaml:9: warning: spec.type: unknown key: it is not used (types of sources served here: webhook, github, "
	  "gitlab, bitbucket, bitbucketserver, gerrit, slack, sns, storageGrid, stripe)\n" },
	{ SOURCE GOOD_EVENT "---\nkind: Sensor\nspec: {}\n",
	  "a.yaml:10: warning: kind: kind Sensor is skipped: the gateway reads EventSource and EventBus\n" },
	{ SOURCE GOOD_EVENT "---\nkind: Eventbus\nspec: {}\n---\nkind: EventSources\n",
	  "a.yaml:10: warning: kind: kind Eventbus is skipped: the gateway reads EventSource and EventBus (did you "
	  "mean "
	  "`EventBus`?)\n"
	  "a.yaml:13: warning: kind: kind EventSources is skipped: the gateway reads EventSource and EventBus (did you "
	  "mean `EventSource`?)\n" },
	{ HEAD("EventSource", "web") "  holdfast:\n"
				     "    dataDir: d\n"
				     "    admin: {tokenFile: none}\n"
				     "    cloudevents: {e: {endpoint: /e, port: 1, metadata: {a: b}}}\n",
	  "a.yaml:8: warning: spec.holdfast.admin.tokenFile: none cannot be read now: No such file or directory (the "
	  "events API refuses everybody without it)\n"
	  "a.yaml:9: warning: spec.holdfast.cloudevents.e.metadata: is not used: a CloudEvent passes unchanged (remove "
	  "it)\n" },
};

/* What `kubectl get -o yaml` writes. */
static const char listed[] = "apiVersion: v1\n"
			     "items:\n"
			     "- apiVersion: argoproj.io/v1alpha1\n"
			     "  kind: EventSource\n"
			     "  metadata: {name: web, namespace: argo-events}\n"
			     "  spec:\n"
			     "    holdfast: {dataDir: d}\n"
			     "    webhook:\n"
			     "      e: {endpoint: /e, port: '12000', method: POST%s}\n"
			     "- kind: List\n"
			     "  items: [{apiVersion: argoproj.io/v1alpha1, kind: EventBus, metadata: {name: default},\n"
			     "           spec: {jetstreamExotic: {url: h}}}]\n"
			     "- kind: Secret\n"
			     "kind: List\n"
			     "metadata:\n"
			     "  resourceVersion: \"\"\n";

static void the_items_of_a_list_are_manifests(void **state)
{
	static const char warned[] = "a.yaml:13: warning: items[2].kind: kind Secret is skipped: the gateway reads "
				     "EventSource and EventBus\n";
	struct problems problems = { 0 };
	struct gateway_config *c;
	struct buf yaml = { 0 }, text = { 0 };

	(void)state;
	buf_addf(&yaml, listed, "");
	assert_int_equal(load(buf_cstr(&yaml), NULL, &problems, &c), E_OK);
	problems_write(&problems, &text);
	assert_string_equal(buf_cstr(&text), warned);
	assert_int_equal(c->route_count, 1);
	assert_string_equal(c->routes[0].event_source, "web");
	assert_int_equal(c->bus.kind, BUS_JETSTREAM);
	gateway_config_unref(c);
	problems_release(&problems);
	buf_release(&yaml);
	buf_release(&text);
}

static void a_problem_in_an_item_of_a_list_has_its_place(void **state)
{
	struct problems problems = { 0 };
	struct gateway_config *c;
	struct buf yaml = { 0 }, text = { 0 };

	(void)state;
	buf_addf(&yaml, listed, ", methd: GET");
	assert_int_equal(load(buf_cstr(&yaml), NULL, &problems, &c), E_CONFIG);
	problems_write(&problems, &text);
	assert_non_null(strstr(buf_cstr(&text), "a.yaml:9: items[0].spec.webhook.e.methd: unknown key"));
	problems_release(&problems);
	buf_release(&yaml);
	buf_release(&text);
}

static void what_is_doubtful_is_a_warning_and_does_not_refuse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(doubtful); i++) {
		struct problems problems = { 0 };
		struct gateway_config *c;
		struct buf text = { 0 };

		assert_int_equal(load(doubtful[i].yaml, NULL, &problems, &c), E_OK);
		problems_write(&problems, &text);
		assert_string_equal(buf_cstr(&text), doubtful[i].warnings);
		buf_release(&text);
		problems_release(&problems);
		gateway_config_unref(c);
	}
}

/* ---- faults, examples, docs --------------------------------------------------------------------------------------- */

static void what_the_gateway_does_not_start_without_is_a_problem_here_and_not_elsewhere(void **state)
{
	static const char yaml[] = SOURCE
		"    e: {endpoint: /e, port: '1', method: POST, authSecret: {name: n, key: a},\n"
		"        serverCertSecret: {name: n, key: c}, serverKeySecret: {name: n, key: k}}\n";
	struct problems problems = { 0 };
	struct gateway_config *c;

	(void)state;
	assert_int_equal(load(yaml, NULL, &problems, &c), E_CONFIG);
	assert_int_equal(problems.errors, 1);
	assert_int_equal(problems.warnings, 1); /* without the token it starts */
	problems_release(&problems);
	problems = (struct problems){ 0 };
	assert_int_equal(load_at(/* elsewhere= */ true, yaml, NULL, &problems, &c), E_OK);
	assert_int_equal(problems.warnings, 0);
	gateway_config_unref(c);
	problems_release(&problems);
}

static void no_allocation_that_fails_is_lost(void **state)
{
	static const char yaml[] = HEAD(
		"EventSource", "web") "  holdfast:\n"
				      "    dataDir: d\n"
				      "    admin: {address: ':1', tokenFile: a.yaml}\n"
				      "    cloudevents: {c: {endpoint: /c, port: 1200, "
				      "allowedOrigins: [a, b]}}\n"
				      "  webhook:\n"
				      "    e: {endpoint: '/{a:b}', port: 1200, method: POST, "
				      "metadata: {a: b}, authSecret: {name: x, key: y}}\n"
				      "---\n" HEAD("EventBus",
						   "default") "  jetstreamExotic: {url: h, streamConfig: 'maxMsgs: 1', "
							      "tls: {caCertSecret: {name: a, key: b}}}\n";
	static const char *const path = "a.yaml";
	long allocations = 0;

	(void)state;
	manifest_file(path, yaml);
	for (long n = 0; n <= allocations; n++) {
		struct problems problems = { 0 };
		struct gateway_config *c = NULL;
		enum err err;

		mem_fail_at(n);
		err = gateway_config_load(&path, 1, &problems, &c);
		allocations = n ? allocations : mem_count();
		mem_fail_at(0);
		assert_int_equal(err, n ? E_NOMEM : E_OK);
		assert_int_equal(c != NULL, n == 0);
		gateway_config_unref(c);
		problems_release(&problems);
	}
	assert_true(allocations > 50);
}

static char *read_text(const char *dir, const char *name)
{
	struct buf path = { 0 }, text = { 0 };
	FILE *f;
	char *copy;
	int c;

	buf_addf(&path, "%s/%s", dir, name);
	f = fopen(buf_cstr(&path), "r");
	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		buf_char(&text, (char)c);
	assert_int_equal(fclose(f), 0);
	copy = str_dup(buf_view(&text));
	buf_release(&path);
	buf_release(&text);
	return copy;
}

static void every_example_is_accepted(void **state)
{
	static const char *const names[] = { "examples/webhook.yaml", "examples/jetstream.yaml",
					     "examples/cloudevents.yaml", "examples/full.yaml" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *text = read_text(source_root, names[i]);
		struct problems problems = { 0 };
		struct gateway_config *c;

		assert_int_equal(load_at(/* elsewhere= */ true, text, NULL, &problems, &c), E_OK);
		assert_int_equal(problems.errors, 0);
		gateway_config_unref(c);
		problems_release(&problems);
		mem_free(text);
	}
}

static void the_reference_page_has_every_key(void **state)
{
	char *page = read_text(source_root, "docs/reference/gateway-config.md");
	struct buf reference = { 0 };
	struct str rest;

	(void)state;
	gateway_config_reference(&reference);
	assert_int_equal(reference.err, E_OK);
	rest = buf_view(&reference);
	while (rest.n) {
		struct str line = str_cut(&rest, '\n');
		char *copy = str_dup(line);

		if (!strstr(page, copy))
			print_error("docs/reference/gateway-config.md lacks: %s\n", copy);
		assert_non_null(strstr(page, copy));
		mem_free(copy);
	}
	buf_release(&reference);
	mem_free(page);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_manifest_gets_every_default),
		cmocka_unit_test(everything_that_is_said_arrives),
		cmocka_unit_test(a_rate_without_a_burst_allows_a_minutes_worth_at_once),
		cmocka_unit_test(without_a_data_directory_the_bus_acknowledges),
		cmocka_unit_test(a_stream_without_config_is_made_as_the_controller_does_on_one_server),
		cmocka_unit_test(what_a_stream_config_leaves_out_is_zero_and_its_keys_have_any_case),
		cmocka_unit_test(a_kafka_bus_has_upstreams_defaults_but_keeps_the_order_of_a_route),
		cmocka_unit_test(a_kafka_bus_has_every_key_of_upstream),
		cmocka_unit_test(with_skip_bad_the_good_events_of_a_text_are_served),
		cmocka_unit_test(keys_that_a_newer_controller_writes_lose_no_event),
		cmocka_unit_test(manifests_of_a_controller_are_looked_at_without_their_bus),
		cmocka_unit_test(with_the_embedded_bus_every_event_is_stored_first),
		cmocka_unit_test(a_native_bus_is_found_by_its_name),
		cmocka_unit_test(of_several_buses_the_named_one_is_taken_in_any_order_of_files),
		cmocka_unit_test(cloudevents_stand_under_our_own_keys),
		cmocka_unit_test(json_is_a_manifest_too),
		cmocka_unit_test(many_events_of_many_sources_become_routes_in_order),
		cmocka_unit_test(a_second_load_leaves_the_first_snapshot_as_it_was),
		cmocka_unit_test(each_bad_manifest_is_refused_with_place_text_and_fix),
		cmocka_unit_test(two_files_that_need_different_buses_are_refused),
		cmocka_unit_test(the_items_of_a_list_are_manifests),
		cmocka_unit_test(a_problem_in_an_item_of_a_list_has_its_place),
		cmocka_unit_test(what_is_doubtful_is_a_warning_and_does_not_refuse),
		cmocka_unit_test(what_the_gateway_does_not_start_without_is_a_problem_here_and_not_elsewhere),
		cmocka_unit_test(no_allocation_that_fails_is_lost),
		cmocka_unit_test(every_example_is_accepted),
		cmocka_unit_test(the_reference_page_has_every_key),
	};

	if (argc != 2) {
		(void)fputs("usage: test_config SOURCE_ROOT\n", stderr);
		return 2;
	}
	source_root = argv[1];
	return cmocka_run_group_tests(tests, manifest_begin, manifest_end);
}
