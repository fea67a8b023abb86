#include "gateway/drop_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"
#include "gateway/config.h"

#define OBJECT                                                                                             \
	"{\"metadata\":{\"name\":\"hooks\",\"namespace\":\"ns\",\"creationTimestamp\":null},\"spec\":{"    \
	"\"eventBusName\":\"prod\",\"webhook\":{\"e\":{\"endpoint\":\"/e\",\"port\":\"12000\",\"method\":" \
	"\"POST\",\"authSecret\":null}}},\"status\":{}}"
#define NATS "{\"jetstream\":{\"url\":\"nats://h\",\"accessSecret\":null,\"tls\":null}}"

/* The base64 of a text; mem_free() it. */
static char *encoded(const char *text)
{
	struct buf b = { 0 };

	base64_write(str_of(text), &b);
	assert_non_null(buf_cstr(&b));
	return b.p;
}

struct result {
	enum err err;
	struct why why;
	struct buf source;
	struct buf bus;
};

static void read_texts(const char *object, const char *bus, const struct drop_in *more, struct result *ret)
{
	struct drop_in in = *more;
	char *texts[] = { object ? encoded(object) : NULL, bus ? encoded(bus) : NULL };

	in.object = texts[0];
	in.bus_config = texts[1];
	if (!in.root)
		in.root = "";
	*ret = (struct result){ 0 };
	ret->err = drop_in_read(&in, &ret->why, &ret->source, &ret->bus);
	mem_free(texts[0]);
	mem_free(texts[1]);
}

static void release(struct result *r)
{
	buf_release(&r->source);
	buf_release(&r->bus);
}

/* The configuration that comes of it. */
static struct gateway_config *load(struct result *r)
{
	const struct config_text texts[] = { { "SOURCE", buf_view(&r->source) }, { "BUS", buf_view(&r->bus) } };
	const struct config_input input = { .texts = texts, .text_count = 2, .skip_bad = true, .elsewhere = true };
	struct problems problems = { 0 };
	struct gateway_config *c = NULL;
	struct buf text = { 0 };

	if (r->err)
		fail_msg("%s", r->why.text);
	if (gateway_config_read(&input, &problems, &c) != E_OK) {
		problems_write(&problems, &text);
		fail_msg("%s", buf_cstr(&text));
	}
	problems_release(&problems);
	return c;
}

static void the_environment_becomes_the_configuration(void **state)
{
	const struct drop_in more = { .root = "/r" };
	struct gateway_config *c;
	struct result r;

	(void)state;
	read_texts(OBJECT, NATS, &more, &r);
	c = load(&r);
	assert_int_equal(c->route_count, 1);
	assert_string_equal(c->routes[0].event_source, "hooks");
	assert_string_equal(c->routes[0].namespace, "ns");
	assert_int_equal(c->routes[0].ack, ACK_BUS);
	assert_null(c->routes[0].auth.path);
	assert_int_equal(c->admin_port, 7777);
	assert_int_equal(c->bus.kind, BUS_JETSTREAM);
	assert_string_equal(c->bus.name, "prod");
	assert_string_equal(c->bus.jetstream.url, "nats://h");
	assert_null(c->bus.jetstream.auth_path);
	assert_false(c->bus.jetstream.tls.configured);
	gateway_config_unref(c);
	release(&r);
}

static void secrets_lie_where_the_controller_mounts_them(void **state)
{
	static const char object[] = "{\"metadata\":{\"name\":\"hooks\"},\"spec\":{\"webhook\":{\"e\":{\"endpoint\":\"/"
				     "e\",\"port\":\"12000\","
				     "\"method\":\"POST\",\"authSecret\":{\"name\":\"s\",\"key\":\"k\"}}}}}";
	static const char bus[] =
		"{\"jetstream\":{\"url\":\"nats://h\",\"accessSecret\":{\"name\":\"x\",\"key\":\"y\"}}}";
	static const struct {
		const char *root;
		const char *secret;
		const char *auth;
	} rows[] = {
		{ "", "/argo-events/secrets/s/k", "/etc/eventbus/auth/auth.yaml" },
		{ "/r", "/r/argo-events/secrets/s/k", "/r/etc/eventbus/auth/auth.yaml" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct drop_in more = { .root = rows[i].root };
		struct gateway_config *c;
		struct result r;

		read_texts(object, bus, &more, &r);
		c = load(&r);
		assert_string_equal(c->routes[0].auth.path, rows[i].secret);
		assert_string_equal(c->bus.jetstream.auth_path, rows[i].auth);
		assert_string_equal(c->bus.name, "default");
		gateway_config_unref(c);
		release(&r);
	}
}

static void our_own_options_come_in_a_variable(void **state)
{
	const struct drop_in more = { .options = "{\"deadline\":\"7s\",\"secretsDir\":\"/elsewhere\"}",
				      .data_dir = "d" };
	struct gateway_config *c;
	struct result r;

	(void)state;
	read_texts(OBJECT, NATS, &more, &r);
	c = load(&r);
	assert_int_equal(c->routes[0].deadline_ms, 7000);
	assert_int_equal(c->routes[0].ack, ACK_SPOOL);
	assert_string_equal(c->data_dir, "d");
	assert_non_null(memmem(r.source.p, r.source.n, "/elsewhere", 10));
	gateway_config_unref(c);
	release(&r);
}

static void kafka_gets_its_topic_from_the_names(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"kafka\":{\"url\":\"h:1\",\"topic\":\"\"}}", "ns-prod" },
		{ "{\"nats\":null,\"kafka\":{\"url\":\"h:1\",\"topic\":\"t\"}}", "t" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct drop_in more = { 0 };
		struct gateway_config *c;
		struct result r;

		read_texts(OBJECT, rows[i][0], &more, &r);
		c = load(&r);
		assert_int_equal(c->bus.kind, BUS_KAFKA);
		assert_string_equal(c->bus.kafka.topic, rows[i][1]);
		gateway_config_unref(c);
		release(&r);
	}
}

static void characters_of_every_kind_survive(void **state)
{
	static const char object[] =
		"{\"metadata\":{\"name\":\"hooks\"},\"spec\":{\"webhook\":{\"e\":{\"endpoint\":\"\\/e\","
		"\"port\":\"12000\",\"method\":\"POST\",\"metadata\":{\"k\":\"\\ud83d\\ude00 \\u003c "
		"\\\"\\\\ \\t: #\",\"yes\":\"no\"}}}}}";
	const struct drop_in more = { 0 };
	struct gateway_config *c;
	struct result r;

	(void)state;
	read_texts(object, NATS, &more, &r);
	c = load(&r);
	assert_string_equal(c->routes[0].endpoint, "/e");
	assert_string_equal(c->routes[0].metadata[0].value, "\xf0\x9f\x98\x80 < \"\\ \t: #");
	assert_string_equal(c->routes[0].metadata[1].value, "no");
	gateway_config_unref(c);
	release(&r);
}

static void what_is_wrong_is_said_with_the_name_of_the_variable(void **state)
{
	static const struct {
		const char *object;
		const char *bus;
		const char *options;
		const char *text;
	} rows[] = {
		{ NULL, NATS, NULL, "EVENTSOURCE_OBJECT is not set" },
		{ "", NATS, NULL, "EVENTSOURCE_OBJECT is not set" },
		{ OBJECT, NULL, NULL, "EVENTBUS_CONFIG is not set" },
		{ "[]", NATS, NULL, "EVENTSOURCE_OBJECT: is not one JSON object" },
		{ "{", NATS, NULL, "EVENTSOURCE_OBJECT: is not one JSON object" },
		{ "{}{}", NATS, NULL, "EVENTSOURCE_OBJECT: is not one JSON object" },
		{ "{\"a\":\"\xff\"}", NATS, NULL, "EVENTSOURCE_OBJECT: is not one JSON object" },
		{ "{\"spec\":[]}", NATS, NULL, "EVENTSOURCE_OBJECT: spec or spec.holdfast is not a map" },
		{ "{\"spec\":{\"holdfast\":1}}", NATS, NULL, "spec or spec.holdfast is not a map" },
		{ OBJECT, "{}", NULL, "EVENTBUS_CONFIG: invalid event bus" },
		{ OBJECT, "{\"jetstream\":null}", NULL, "EVENTBUS_CONFIG: invalid event bus" },
		{ OBJECT, NATS, "deadline: 5s", "HOLDFAST_SPEC: is not one JSON object" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct drop_in more = { .options = rows[i].options };
		struct result r;

		read_texts(rows[i].object, rows[i].bus, &more, &r);
		assert_int_equal(r.err, E_CONFIG);
		if (!strstr(r.why.text, rows[i].text))
			fail_msg("row %zu: %s", i, r.why.text);
		release(&r);
	}
}

static void what_is_no_base64_is_refused(void **state)
{
	const struct drop_in in = { .object = "{}", .bus_config = "e30=", .root = "" };
	struct buf source = { 0 }, bus = { 0 };
	struct why why = { 0 };

	(void)state;
	assert_int_equal(drop_in_read(&in, &why, &source, &bus), E_CONFIG);
	assert_string_equal(why.text, "EVENTSOURCE_OBJECT: is not base64");
	buf_release(&source);
	buf_release(&bus);
}

static void no_missing_allocation_breaks_anything(void **state)
{
	const struct drop_in more = { .data_dir = "d", .options = "{\"deadline\":\"7s\"}" };
	struct drop_in in = more;
	char *object = encoded(OBJECT), *bus_config = encoded(NATS);
	long n = 0;
	enum err err;

	(void)state;
	in.object = object;
	in.bus_config = bus_config;
	in.root = "/r";
	do {
		struct buf source = { 0 }, bus = { 0 };
		struct why why = { 0 };

		mem_fail_at(++n);
		err = drop_in_read(&in, &why, &source, &bus);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		buf_release(&source);
		buf_release(&bus);
	} while (err != E_OK);
	assert_true(n > 3);
	mem_free(object);
	mem_free(bus_config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_environment_becomes_the_configuration),
		cmocka_unit_test(secrets_lie_where_the_controller_mounts_them),
		cmocka_unit_test(our_own_options_come_in_a_variable),
		cmocka_unit_test(kafka_gets_its_topic_from_the_names),
		cmocka_unit_test(characters_of_every_kind_survive),
		cmocka_unit_test(what_is_wrong_is_said_with_the_name_of_the_variable),
		cmocka_unit_test(what_is_no_base64_is_refused),
		cmocka_unit_test(no_missing_allocation_breaks_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
