/* The Kafka bus against a mock cluster in the same process; what outages do to it is tested end to end. */
#include "bus/kafka.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/kf_options.h"

#define TOPIC      "events"
#define PATIENCE_S 60
#define TEXT(s)    ((char *)(s))

/* ---- the other side, and those who publish ---------------------------------------------------------------------------- */

struct cluster {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *mock;
	struct bus *bus;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned answered;
	unsigned states; /* calls of on_state */
	enum bus_state state;
};

struct sent {
	struct bus_publish p;
	struct cluster *c;
	bool done;
};

static void on_done(struct bus_publish *p)
{
	struct sent *s = CONTAINER_OF(p, struct sent, p);

	pthread_mutex_lock(&s->c->lock);
	assert_false(s->done); /* once */
	s->done = true;
	s->c->answered++;
	pthread_cond_broadcast(&s->c->changed);
	pthread_mutex_unlock(&s->c->lock);
}

static void on_state(void *ctx, enum bus_state state)
{
	struct cluster *c = ctx;

	pthread_mutex_lock(&c->lock);
	c->states++;
	c->state = state;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static void cluster_start(struct cluster *c)
{
	char reason[256];

	*c = (struct cluster){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	c->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), reason, sizeof(reason));
	assert_non_null(c->rk);
	c->mock = rd_kafka_mock_cluster_new(c->rk, 1);
	assert_non_null(c->mock);
	assert_int_equal(rd_kafka_mock_topic_create(c->mock, TOPIC, 2, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void cluster_end(struct cluster *c)
{
	if (c->bus)
		c->bus->ops->close(c->bus);
	rd_kafka_mock_cluster_destroy(c->mock);
	rd_kafka_destroy(c->rk);
}

static struct kafka_config config_of(const struct cluster *c)
{
	return (struct kafka_config){ .url = (char *)rd_kafka_mock_cluster_bootstraps(c->mock), .topic = TEXT(TOPIC) };
}

static void open_bus(struct cluster *c, const struct kafka_config *config)
{
	struct why why = { 0 };

	if (kafka_open(config, NULL, on_state, c, &why, &c->bus) != E_OK)
		fail_msg("%s", why.text);
}

/* Until `done` answers came and the bus is in `state`. */
static void await(struct cluster *c, unsigned answered, enum bus_state state)
{
	struct timespec until;
	int late = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&c->lock);
	while (!late && (c->answered < answered || c->state != state))
		late = pthread_cond_timedwait(&c->changed, &c->lock, &until);
	pthread_mutex_unlock(&c->lock);
	assert_int_equal(late, 0);
}

static void publish(struct cluster *c, struct sent *s, const char *name, struct str payload, uint32_t timeout_ms)
{
	*s = (struct sent){ .c = c };
	s->p = (struct bus_publish){
		.source = STR("source"),
		.name = str_of(name),
		.msg_id = STR("id"),
		.payload = payload,
		.timeout_ms = timeout_ms,
		.on_done = on_done,
	};
	c->bus->ops->publish(c->bus, &s->p);
}

/* ---- settings --------------------------------------------------------------------------------------------------------- */

static void lists_of_brokers(void **state)
{
	static const struct {
		const char *list;
		bool ok;
	} rows[] = {
		{ "a", true },
		{ "a:9092", true },
		{ "a:9092,b:9093", true },
		{ " a:1 , b ", true },
		{ "[::1]:9092", true },
		{ "kafka-0.kafka.ns.svc.cluster.local:9092", true },
		{ "", false },
		{ " ", false },
		{ ",", false },
		{ "a,,b", false },
		{ "a:", false },
		{ "a:0", false },
		{ "a:65536", false },
		{ ":9092", false },
		{ "::1", false },
		{ "a b", false },
		{ "kafka://a:9092", false },
		{ "user@a:9092", false },
		{ "a:9092/x", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (kafka_url_ok(str_of(rows[i].list)) != rows[i].ok)
			fail_msg("\"%s\"", rows[i].list);
}

static void expect_setting(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char text[256];
	size_t n = sizeof(text);

	assert_int_equal(rd_kafka_conf_get(conf, key, text, &n), RD_KAFKA_CONF_OK);
	if (strcmp(text, value) != 0)
		fail_msg("%s is %s, want %s", key, text, value);
}

static void a_producer_is_idempotent_and_waits_for_all_replicas(void **state)
{
	const struct kafka_config config = {
		.url = TEXT("a:1"), .topic = TEXT("t"), .message_max = 12345, .in_flight = 77
	};
	rd_kafka_conf_t *conf = NULL;

	(void)state;
	assert_int_equal(kf_options(&config, /* solo= */ false, &conf, NULL), E_OK);
	expect_setting(conf, "enable.idempotence", "true");
	expect_setting(conf, "acks", "-1");
	expect_setting(conf, "security.protocol", "plaintext");
	expect_setting(conf, "message.max.bytes", "12345");
	expect_setting(conf, "batch.size", "12345");
	expect_setting(conf, "queue.buffering.max.messages", "77");
	expect_setting(conf, "queue.buffering.max.kbytes", "65536");
	expect_setting(conf, "batch.num.messages", "10000");
	expect_setting(conf, "enable.ssl.certificate.verification", "true");
	expect_setting(conf, "ssl.endpoint.identification.algorithm", "https");
	rd_kafka_conf_destroy(conf);
	assert_int_equal(kf_options(&config, /* solo= */ true, &conf, NULL), E_OK);
	expect_setting(conf, "batch.num.messages", "1");
	rd_kafka_conf_destroy(conf);
}

/* One that does not fit would be tried for ever. */
static void the_queue_has_room_for_the_largest_message(void **state)
{
	struct kafka_config config = { .url = TEXT("a:1"), .topic = TEXT("t"), .in_flight = 1 };
	rd_kafka_conf_t *conf = NULL;

	(void)state;
	config.message_max = 1000000000; /* the largest that check-config lets pass */
	assert_int_equal(kf_options(&config, /* solo= */ false, &conf, NULL), E_OK);
	expect_setting(conf, "queue.buffering.max.kbytes", "1953126");
	rd_kafka_conf_destroy(conf);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void security_follows_tls_and_the_mechanism(void **state)
{
	static const struct {
		enum kafka_mechanism mechanism;
		bool tls;
		const char *protocol;
		const char *name;
	} rows[] = {
		{ KAFKA_NO_SASL, true, "ssl", "GSSAPI" }, /* the library's default; not used */
		{ KAFKA_PLAIN, false, "sasl_plaintext", "PLAIN" },
		{ KAFKA_PLAIN, true, "sasl_ssl", "PLAIN" },
		{ KAFKA_SCRAM_256, true, "sasl_ssl", "SCRAM-SHA-256" },
		{ KAFKA_SCRAM_512, true, "sasl_ssl", "SCRAM-SHA-512" },
	};

	(void)state;
	write_file("kafka-user", "gate\n");
	write_file("kafka-password", "s3cret \n\n"); /* exactly one newline is not the secret's */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct kafka_config config = { .url = TEXT("a:1"),
						     .topic = TEXT("t"),
						     .message_max = 1000,
						     .in_flight = 1,
						     .mechanism = rows[i].mechanism,
						     .user_path = TEXT("kafka-user"),
						     .password_path = TEXT("kafka-password"),
						     .tls.configured = rows[i].tls };
		rd_kafka_conf_t *conf = NULL;
		struct why why = { 0 };

		if (kf_options(&config, /* solo= */ false, &conf, &why) != E_OK)
			fail_msg("row %zu: %s", i, why.text);
		expect_setting(conf, "security.protocol", rows[i].protocol);
		expect_setting(conf, "sasl.mechanisms", rows[i].name);
		if (rows[i].mechanism) {
			expect_setting(conf, "sasl.username", "gate");
			expect_setting(conf, "sasl.password", "s3cret \n");
		}
		rd_kafka_conf_destroy(conf);
	}
	(void)unlink("kafka-user");
	(void)unlink("kafka-password");
}

static void skipping_the_check_wins_over_certificates(void **state)
{
	const struct kafka_config config = {
		.url = TEXT("a:1"),
		.topic = TEXT("t"),
		.message_max = 1000,
		.in_flight = 1,
		.tls = { .configured = true, .insecure_skip_verify = true, .ca_path = TEXT("not-there") }
	};
	rd_kafka_conf_t *conf = NULL;

	(void)state;
	assert_int_equal(kf_options(&config, /* solo= */ false, &conf, NULL), E_OK);
	expect_setting(conf, "enable.ssl.certificate.verification", "false");
	rd_kafka_conf_destroy(conf);
}

static void a_bad_file_stops_the_start_with_its_name(void **state)
{
	struct kafka_config rows[] = {
		{ .mechanism = KAFKA_PLAIN, .user_path = TEXT("not-there"), .password_path = TEXT("kafka-bad") },
		{ .mechanism = KAFKA_PLAIN, .user_path = TEXT("kafka-bad"), .password_path = TEXT("not-there") },
		{ .mechanism = KAFKA_PLAIN, .user_path = TEXT("kafka-bad"), .password_path = TEXT("kafka-empty") },
		{ .tls = { .configured = true, .ca_path = TEXT("not-there") } },
		{ .tls = { .configured = true, .cert_path = TEXT("not-there"), .key_path = TEXT("kafka-bad") } },
	};

	(void)state;
	write_file("kafka-bad", "x");
	write_file("kafka-empty", "\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };
		struct bus *bus = NULL;

		rows[i].url = TEXT("127.0.0.1:1");
		rows[i].topic = TEXT(TOPIC);
		assert_int_equal(kafka_open(&rows[i], NULL, NULL, NULL, &why, &bus), E_CONFIG);
		if (!strstr(why.text, i == 2 ? "kafka-empty" : "not-there"))
			fail_msg("row %zu: %s", i, why.text);
	}
	/* Read by the library when it makes a producer. */
	const struct kafka_config no_pem = { .url = TEXT("a:1"),
					     .topic = TEXT(TOPIC),
					     .tls = { .configured = true, .ca_path = TEXT("kafka-bad") } };
	struct why why = { 0 };
	struct bus *bus = NULL;

	assert_int_equal(kafka_open(&no_pem, NULL, NULL, NULL, &why, &bus), E_CONFIG);
	(void)unlink("kafka-bad");
	(void)unlink("kafka-empty");
}

static void without_memory_nothing_is_opened(void **state)
{
	const struct kafka_config config = { .url = TEXT("127.0.0.1:1"), .topic = TEXT(TOPIC) };
	struct bus *bus = NULL;

	(void)state;
	for (long n = 1; n < 12; n++) {
		enum err err;

		mem_fail_at(n);
		err = kafka_open(&config, NULL, NULL, NULL, NULL, &bus);
		mem_fail_at(0);
		if (err != E_OK) {
			assert_int_equal(err, E_NOMEM);
			continue;
		}
		bus->ops->close(bus);
		return; /* beyond the last allocation of the opening itself */
	}
	fail_msg("more allocations than that?");
}

/* ---- publishing ------------------------------------------------------------------------------------------------------- */

static void every_publish_is_answered_once_by_its_report(void **state)
{
	enum { N = 200 };
	struct kafka_config config;
	struct cluster c;
	struct sent *sent = mem_array(N, sizeof(*sent));

	(void)state;
	assert_non_null(sent);
	cluster_start(&c);
	config = config_of(&c);
	open_bus(&c, &config);
	await(&c, 0, BUS_UP);
	for (size_t i = 0; i < N; i++)
		publish(&c, &sent[i], i % 2 ? "a" : "b", STR("{}"), PATIENCE_S * 1000);
	await(&c, N, BUS_UP);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(sent[i].p.err, E_OK);
	assert_int_equal(c.bus->ops->sync(c.bus), BUS_SYNC_UNKNOWN);
	assert_int_equal(c.bus->ops->max_payload(c.bus), KAFKA_MESSAGE_MAX_DEFAULT);
	assert_string_equal(c.bus->ops->kind, "kafka");
	cluster_end(&c);
	mem_free(sent);
}

static void while_it_is_down_a_publish_is_refused_at_once(void **state)
{
	struct cluster c;
	struct kafka_config config;
	struct sent s;

	(void)state;
	cluster_start(&c);
	config = config_of(&c);
	rd_kafka_mock_broker_set_down(c.mock, 1);
	open_bus(&c, &config);
	publish(&c, &s, "a", STR("{}"), PATIENCE_S * 1000);
	assert_true(s.done);
	assert_int_equal(s.p.err, E_UNAVAILABLE);
	assert_int_equal(c.bus->ops->state(c.bus), BUS_DOWN);
	rd_kafka_mock_broker_set_up(c.mock, 1);
	await(&c, 1, BUS_UP);
	publish(&c, &s, "a", STR("{}"), PATIENCE_S * 1000);
	await(&c, 2, BUS_UP);
	assert_int_equal(s.p.err, E_OK);
	cluster_end(&c);
}

static void what_is_too_large_is_refused_for_good(void **state)
{
	static char large[2000];
	struct cluster c;
	struct kafka_config config;
	struct sent s;

	(void)state;
	cluster_start(&c);
	config = config_of(&c);
	config.message_max = 2000;
	open_bus(&c, &config);
	await(&c, 0, BUS_UP);
	memset(large, 'x', sizeof(large));
	publish(&c, &s, "a", (struct str){ large, sizeof(large) }, PATIENCE_S * 1000);
	assert_true(s.done);
	assert_int_equal(s.p.err, E_LIMIT);
	/* The key counts ("source.a" is 8 bytes), and the frame around both. */
	publish(&c, &s, "a", (struct str){ large, sizeof(large) - 8 }, PATIENCE_S * 1000);
	await(&c, 2, BUS_UP);
	assert_int_equal(s.p.err, E_LIMIT);
	publish(&c, &s, "a", (struct str){ large, sizeof(large) - 80 }, PATIENCE_S * 1000);
	await(&c, 3, BUS_UP);
	assert_int_equal(s.p.err, E_OK);
	cluster_end(&c);
}

static void without_an_answer_a_publish_ends_with_its_time_and_its_memory_is_its_owners(void **state)
{
	struct cluster c;
	struct kafka_config config;
	uint64_t begun;
	struct sent s;
	char *payload = mem_dup("{\"a\":1}", 7);

	(void)state;
	cluster_start(&c);
	config = config_of(&c);
	open_bus(&c, &config);
	await(&c, 0, BUS_UP);
	rd_kafka_mock_broker_set_rtt(c.mock, 1, 2 * PATIENCE_S * 1000); /* only its time can end it */
	begun = clock_mono_ms();
	publish(&c, &s, "a", (struct str){ payload, 7 }, 200);
	await(&c, 1, BUS_UP);
	assert_int_equal(s.p.err, E_TIMEOUT);
	assert_true(clock_mono_ms() - begun >= 200);
	mem_free(payload); /* the message is still on its way */
	cluster_end(&c);
	assert_int_equal(c.answered, 1);
}

static void room_is_bounded(void **state)
{
	struct cluster c;
	struct kafka_config config;
	struct sent sent[4];

	(void)state;
	cluster_start(&c);
	config = config_of(&c);
	config.in_flight = 3;
	open_bus(&c, &config);
	await(&c, 0, BUS_UP);
	rd_kafka_mock_broker_set_rtt(c.mock, 1, 2 * PATIENCE_S * 1000); /* nothing is answered */
	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		publish(&c, &sent[i], "a", STR("{}"), PATIENCE_S * 1000);
	assert_true(sent[3].done);
	assert_int_equal(sent[3].p.err, E_UNAVAILABLE);
	assert_non_null(strstr(sent[3].p.why.text, "wait for their ack already"));
	c.bus->ops->close(TAKE(c.bus));
	for (size_t i = 0; i < 3; i++)
		assert_null(strstr(sent[i].p.why.text, "wait for their ack already"));
	cluster_end(&c);
}

static void a_close_answers_everything(void **state)
{
	struct cluster c;
	struct kafka_config config;
	struct sent sent[50];

	(void)state;
	cluster_start(&c);
	config = config_of(&c);
	open_bus(&c, &config);
	await(&c, 0, BUS_UP);
	rd_kafka_mock_broker_set_rtt(c.mock, 1, 2 * PATIENCE_S * 1000);
	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		publish(&c, &sent[i], "a", STR("{}"), 60000);
	c.bus->ops->close(TAKE(c.bus));
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		assert_true(sent[i].done);
		assert_int_equal(sent[i].p.err, E_UNAVAILABLE);
	}
	assert_int_equal(c.state, BUS_DOWN);
	cluster_end(&c);
}

static void a_route_whose_event_failed_is_held_and_another_is_not(void **state)
{
	struct cluster c;
	struct kafka_config config;
	struct sent failed, behind, other;
	unsigned answers = 0;
	uint64_t until = clock_mono_ms() + PATIENCE_S * 1000;

	(void)state;
	cluster_start(&c);
	config = config_of(&c);
	open_bus(&c, &config);
	await(&c, 0, BUS_UP);
	do { /* the hold is short: it may be over before the one behind has come */
		rd_kafka_mock_push_request_errors(c.mock, /* Produce */ 0, 1, RD_KAFKA_RESP_ERR_POLICY_VIOLATION);
		publish(&c, &failed, "a", STR("{}"), PATIENCE_S * 1000);
		await(&c, ++answers, BUS_UP);
		assert_int_equal(failed.p.err, E_UNAVAILABLE);
		publish(&c, &behind, "a", STR("{}"), PATIENCE_S * 1000);
		publish(&c, &other, "b", STR("{}"), PATIENCE_S * 1000);
		await(&c, answers += 2, BUS_UP);
	} while (behind.p.err == E_OK && clock_mono_ms() < until);
	assert_int_equal(behind.p.err, E_UNAVAILABLE);
	assert_non_null(strstr(behind.p.why.text, "an earlier event"));
	if (other.p.err != E_OK)
		fail_msg("%s", other.p.why.text);
	do { /* the hold ends by itself */
		publish(&c, &behind, "a", STR("{}"), PATIENCE_S * 1000);
		await(&c, ++answers, BUS_UP);
	} while (behind.p.err != E_OK);
	cluster_end(&c);
}

static char dir[] = "/tmp/test_kafka.XXXXXX";

static int in_an_empty_directory(void **state)
{
	(void)state;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return chdir("/") == 0 ? rmdir(dir) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_brokers),
		cmocka_unit_test(a_producer_is_idempotent_and_waits_for_all_replicas),
		cmocka_unit_test(the_queue_has_room_for_the_largest_message),
		cmocka_unit_test(security_follows_tls_and_the_mechanism),
		cmocka_unit_test(skipping_the_check_wins_over_certificates),
		cmocka_unit_test(a_bad_file_stops_the_start_with_its_name),
		cmocka_unit_test(without_memory_nothing_is_opened),
		cmocka_unit_test(every_publish_is_answered_once_by_its_report),
		cmocka_unit_test(while_it_is_down_a_publish_is_refused_at_once),
		cmocka_unit_test(what_is_too_large_is_refused_for_good),
		cmocka_unit_test(without_an_answer_a_publish_ends_with_its_time_and_its_memory_is_its_owners),
		cmocka_unit_test(room_is_bounded),
		cmocka_unit_test(a_close_answers_everything),
		cmocka_unit_test(a_route_whose_event_failed_is_held_and_another_is_not),
	};

	return cmocka_run_group_tests(tests, in_an_empty_directory, remove_directory);
}
