/*
 * kafkamock.c -- Kafka brokers for the tests: librdkafka's mock cluster in a process of its own.
 *
 *   kafkamock TOPIC PARTITIONS [BROKERS]
 *
 * Prints "brokers HOST:PORT,..." and takes commands on its standard input, a line each, answered "ok" or "no: TEXT":
 *
 *   down | up                      all brokers: connections end and new ones are refused, until "up"
 *   refuse CODE COUNT              the next COUNT Produce requests are answered with this error code
 *   topic CODE                     the topic is answered with this error in metadata; 0: it is well again
 *   leader PARTITION BROKER        BROKER -1: the partition has no leader
 *   rtt MS                         every answer comes that much later
 *
 * Ends with its standard input.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_PRODUCE 0
#define REFUSE_MAX  1000

struct mock {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
	const char *topic;
	int brokers;
};

static const char *said(rd_kafka_resp_err_t code)
{
	return code ? rd_kafka_err2str(code) : NULL;
}

static const char *each_broker(struct mock *m, rd_kafka_resp_err_t (*set)(rd_kafka_mock_cluster_t *, int32_t))
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (int i = 1; !code && i <= m->brokers; i++)
		code = set(m->cluster, i);
	return said(code);
}

static const char *refuse(struct mock *m, long code, long count)
{
	rd_kafka_resp_err_t codes[REFUSE_MAX];

	if (count < 0 || count > REFUSE_MAX)
		return "too many";
	for (long i = 0; i < count; i++)
		codes[i] = (rd_kafka_resp_err_t)code;
	rd_kafka_mock_clear_request_errors(m->cluster, API_PRODUCE);
	rd_kafka_mock_push_request_errors_array(m->cluster, API_PRODUCE, (size_t)count, codes);
	return NULL;
}

static const char *set_rtt(struct mock *m, long ms)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (int i = 1; !code && i <= m->brokers; i++)
		code = rd_kafka_mock_broker_set_rtt(m->cluster, i, (int)ms);
	return said(code);
}

/* What is wrong, or NULL. */
static const char *obey(struct mock *m, const char *word, long a, long b)
{
	if (strcmp(word, "down") == 0)
		return each_broker(m, rd_kafka_mock_broker_set_down);
	if (strcmp(word, "up") == 0)
		return each_broker(m, rd_kafka_mock_broker_set_up);
	if (strcmp(word, "refuse") == 0)
		return refuse(m, a, b);
	if (strcmp(word, "rtt") == 0)
		return set_rtt(m, a);
	if (strcmp(word, "leader") == 0)
		return said(rd_kafka_mock_partition_set_leader(m->cluster, m->topic, (int32_t)a, (int32_t)b));
	if (strcmp(word, "topic") != 0)
		return "unknown command";
	rd_kafka_mock_topic_set_error(m->cluster, m->topic, (rd_kafka_resp_err_t)a);
	return NULL;
}

static void serve(struct mock *m)
{
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		char *rest = line + strcspn(line, " \n");
		bool more = *rest == ' ';
		const char *wrong;
		long a, b;

		*rest = '\0';
		a = more ? strtol(rest + 1, &rest, 10) : 0;
		b = more ? strtol(rest, NULL, 10) : 0;
		wrong = obey(m, line, a, b);
		(void)printf("%s%s\n", wrong ? "no: " : "ok", wrong ? wrong : "");
		(void)fflush(stdout);
	}
}

static int fail(const char *text)
{
	(void)fprintf(stderr, "kafkamock: %s\n", text);
	return 1;
}

int main(int argc, char **argv)
{
	struct mock m = { .brokers = 1 };
	char reason[256] = "";

	if (argc < 3)
		return fail("usage: kafkamock TOPIC PARTITIONS [BROKERS]");
	m.topic = argv[1];
	if (argc > 3)
		m.brokers = (int)strtol(argv[3], NULL, 10);
	m.rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), reason, sizeof(reason));
	if (!m.rk)
		return fail(reason);
	m.cluster = rd_kafka_mock_cluster_new(m.rk, m.brokers);
	if (!m.cluster)
		return fail("no mock cluster");
	if (rd_kafka_mock_topic_create(m.cluster, m.topic, (int)strtol(argv[2], NULL, 10), m.brokers))
		return fail("cannot make the topic");
	(void)printf("brokers %s\n", rd_kafka_mock_cluster_bootstraps(m.cluster));
	(void)fflush(stdout);
	serve(&m);
	rd_kafka_mock_cluster_destroy(m.cluster);
	rd_kafka_destroy(m.rk);
	return 0;
}
