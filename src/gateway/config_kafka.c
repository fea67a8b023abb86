/*
 * config_kafka.c -- spec.kafka of an EventBus (facts argo-events 4.3, 4.5).
 */
#include "base/mem.h"
#include "gateway/config_read.h"

#define TOPIC_MAX 249 /* bytes; Kafka's own bound */

struct kafka_options {
	char *url;
	char *topic;
	char *partitioner;
	const struct node *tls;
	const struct node *sasl;
};

struct sasl_options {
	char *mechanism;
	struct secret_ref user;
	struct secret_ref password;
};

/* clang-format off */
#define AT(member) offsetof(struct kafka_options, member)
static const struct field kafka_rows[] = {
	{ .key = "url", .type = FIELD_STRING, .offset = AT(url), .missing = "url can't be empty",
	  .fix = "add `url: host:9092`", .meaning = "Brokers to begin with, `host:port` with commas between them." },
	{ .key = "topic", .type = FIELD_STRING, .offset = AT(topic), .dflt_text = "`<namespace>-<EventBus name>`",
	  .meaning = "The topic of all events; it must be there." },
	{ .key = "partitioner", .type = FIELD_STRING, .offset = AT(partitioner), .dflt_text = "hash",
	  .meaning = "How an event finds its partition: `hash` of its key, `manual` (partition 0), `roundrobin`, `random`. The first two keep the order of a route." },
	{ .key = "tls", .type = FIELD_NODE, .offset = AT(tls), .dflt_text = "none: plain text", .meaning = "TLS toward the brokers: keys as for JetStream." },
	{ .key = "sasl", .type = FIELD_NODE, .offset = AT(sasl), .dflt_text = "none", .meaning = "How to log in." },
	{ .key = "version", .type = FIELD_ANY, .meaning = "Not needed: the version is negotiated." },
	{ .key = "consumerGroup", .type = FIELD_ANY, .meaning = "The Sensors' own." },
};
#undef AT
#define AT(member) offsetof(struct sasl_options, member)
static const struct field sasl_rows[] = {
	{ .key = "mechanism", .type = FIELD_STRING, .offset = AT(mechanism), .dflt_text = "PLAIN",
	  .meaning = "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`." },
	{ .key = "userSecret", .type = FIELD_SECRET, .offset = AT(user), .missing = "userSecret can't be empty",
	  .fix = "add `userSecret: {name: ..., key: ...}`", .meaning = "The user; read again at each connect." },
	{ .key = "passwordSecret", .type = FIELD_SECRET, .offset = AT(password), .missing = "passwordSecret can't be empty",
	  .fix = "add `passwordSecret: {name: ..., key: ...}`", .meaning = "The password, likewise." },
};
#undef AT
/* clang-format on */

const struct field_table config_kafka_table = { .rows = kafka_rows, .count = ARRAY_LEN(kafka_rows) };
const struct field_table config_sasl_table = { .rows = sasl_rows, .count = ARRAY_LEN(sasl_rows) };

/* The place of `name` among the words; `absent` when there is no name, -1 when it is none of them. */
static int find_word(const char *const *words, const char *name, int absent)
{
	if (!name || !*name)
		return absent;
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], name) == 0)
			return i;
	return -1;
}

static void check_mechanism(const struct fields_ctx *ctx, const struct node *sasl, const char *name,
			    struct kafka_config *kafka)
{
	static const char *const words[] = { [KAFKA_NO_SASL] = "",
					     [KAFKA_PLAIN] = "PLAIN",
					     [KAFKA_SCRAM_256] = "SCRAM-SHA-256",
					     [KAFKA_SCRAM_512] = "SCRAM-SHA-512",
					     NULL };
	int place = find_word(words, name, KAFKA_PLAIN);

	kafka->mechanism = place < 0 ? KAFKA_PLAIN : (enum kafka_mechanism)place;
	if (place >= 0)
		return;
	problem_at(ctx->problems, ctx->file, node_get(sasl, "mechanism"), "take PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
		   "mechanism %.40s is not served", name);
}

static bool read_sasl(const struct fields_ctx *ctx, const struct node *sasl, struct kafka_config *kafka)
{
	struct sasl_options o = { 0 };
	enum err err = fields_read(ctx, &config_sasl_table, sasl, sasl, &o);

	check_mechanism(ctx, sasl, o.mechanism, kafka);
	kafka->user_path = TAKE(o.user.path);
	kafka->password_path = TAKE(o.password.path);
	if (kafka->mechanism == KAFKA_PLAIN && !kafka->tls.configured)
		warning_at(ctx->problems, ctx->file, sasl, "add tls, or take SCRAM-SHA-512",
			   "PLAIN without tls sends the password in clear text");
	fields_release(&config_sasl_table, &o);
	return err != E_NOMEM;
}

static void set_partitioner(const struct fields_ctx *ctx, const struct node *kafka, const char *name,
			    struct kafka_config *ret)
{
	static const char *const words[] = { [KAFKA_HASH] = "hash",
					     [KAFKA_MANUAL] = "manual",
					     [KAFKA_ROUNDROBIN] = "roundrobin",
					     [KAFKA_RANDOM] = "random",
					     NULL };
	int place = find_word(words, name, KAFKA_HASH);

	/* As upstream takes every other word. */
	ret->partitioner = place < 0 ? KAFKA_RANDOM : (enum kafka_partitioner)place;
	if (place >= 0)
		return;
	warning_at(ctx->problems, ctx->file, node_get(kafka, "partitioner"), "take hash, manual, roundrobin or random",
		   "\"%.40s\" is taken as random", name);
}

static bool topic_ok(const char *topic)
{
	size_t n = strlen(topic);

	for (const char *c = topic; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
		      strchr("._-", *c)))
			return false;
	return n && n <= TOPIC_MAX && strcmp(topic, ".") != 0 && strcmp(topic, "..") != 0;
}

static char *default_topic(const struct manifest *m)
{
	struct buf b = { 0 };
	char *topic;

	buf_addf(&b, "%s-%s", m->namespace, m->name);
	topic = b.err == E_OK ? str_dup(buf_view(&b)) : NULL;
	buf_release(&b);
	return topic;
}

/* What of a bad URL may be repeated: one with a user in it may hold a password. */
static const char *shown_url(const char *url)
{
	return strchr(url, '@') ? "..." : url;
}

static void check_texts(const struct fields_ctx *ctx, const struct node *n, const struct kafka_config *kafka)
{
	const struct node *topic = node_get(n, "topic");

	if (kafka->url && !kafka_url_ok(str_of(kafka->url)))
		problem_at(ctx->problems, ctx->file, node_get(n, "url"), "write host:9092, with commas between several",
			   "\"%.80s\" is not a list of brokers", shown_url(kafka->url));
	if (!topic_ok(kafka->topic))
		problem_at(ctx->problems, ctx->file, topic ? topic : n, "take letters, digits, . _ and -, at most 249",
			   "\"%.60s\" is no name of a topic", kafka->topic);
}

bool config_read_kafka(const struct fields_ctx *ctx, const struct manifest *m, const struct node *n,
		       struct kafka_config *kafka)
{
	struct kafka_options o = { 0 };
	bool ok = fields_read(ctx, &config_kafka_table, n, m->root, &o) != E_NOMEM;

	if (ok && o.tls)
		ok = config_read_tls(ctx, o.tls, &kafka->tls);
	if (ok && o.sasl)
		ok = read_sasl(ctx, o.sasl, kafka);
	set_partitioner(ctx, n, o.partitioner, kafka);
	kafka->url = TAKE(o.url);
	kafka->topic = o.topic && *o.topic ? TAKE(o.topic) : default_topic(m);
	fields_release(&config_kafka_table, &o);
	if (!ok || !kafka->topic)
		return false;
	check_texts(ctx, n, kafka);
	return true;
}

void config_kafka_release(struct kafka_config *k)
{
	mem_free(k->url);
	mem_free(k->topic);
	mem_free(k->user_path);
	mem_free(k->password_path);
	config_tls_release(&k->tls);
}
