#include "bus/kf_options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define SECRET_MAX (64 << 10)
#define REASON_MAX 256
#define QUEUE_KIB  (64 << 10)

/* Every producer has these. Times in ms. */
static const struct {
	const char *key;
	const char *value;
} basics[] = {
	{ "client.id", "holdfast" },
	{ "enable.idempotence", "true" },
	{ "acks", "all" },
	{ "linger.ms", "0" },
	{ "message.timeout.ms", "4000" }, /* KAFKA_GIVE_UP_MS: before whoever published gives up and sends again */
	{ "request.timeout.ms", "3500" },
	{ "socket.timeout.ms", "5000" },
	{ "socket.connection.setup.timeout.ms", "3000" },
	{ "socket.nagle.disable", "true" },
	{ "socket.keepalive.enable", "true" },
	{ "reconnect.backoff.ms", "200" }, /* longer than a failed message takes to stop what is behind it */
	{ "reconnect.backoff.max.ms", "2000" },
	{ "log.connection.close", "false" },
};

_Static_assert(KAFKA_GIVE_UP_MS == 4000, "as in the row");

/* The value is a secret, or the library's text would repeat it: only the key is told. */
static enum err set(rd_kafka_conf_t *conf, const char *key, const char *value, struct why *why)
{
	char reason[REASON_MAX];

	if (rd_kafka_conf_set(conf, key, value, reason, sizeof(reason)) == RD_KAFKA_CONF_OK)
		return E_OK;
	return why_set(why, E_CONFIG, "librdkafka does not take this value for %s", key);
}

static enum err set_number(rd_kafka_conf_t *conf, const char *key, uint64_t value, struct why *why)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return set(conf, key, text, why);
}

/* Room for two of the largest messages at least. */
static uint64_t queue_kib(const struct kafka_config *config)
{
	uint64_t two = config->message_max / 512 + 1;

	return two > QUEUE_KIB ? two : QUEUE_KIB;
}

static enum err set_basics(rd_kafka_conf_t *conf, const struct kafka_config *config, bool solo, struct why *why)
{
	enum err err = E_OK;

	for (size_t i = 0; !err && i < ARRAY_LEN(basics); i++)
		err = set(conf, basics[i].key, basics[i].value, why);
	if (!err)
		err = set(conf, "bootstrap.servers", config->url, why);
	if (!err)
		err = set_number(conf, "message.max.bytes", config->message_max, why);
	if (!err)
		err = set_number(conf, "batch.size", config->message_max, why);
	if (!err)
		err = set_number(conf, "queue.buffering.max.kbytes", queue_kib(config), why);
	if (!err)
		err = set_number(conf, "queue.buffering.max.messages", config->in_flight, why);
	if (!err && solo)
		err = set_number(conf, "batch.num.messages", 1, why);
	return err;
}

/* ---- who we are ------------------------------------------------------------------------------------------------------- */

/* The whole file without one newline at its end (facts argo-events 5). */
static enum err read_secret(const char *path, struct buf *ret_text, struct why *why)
{
	enum err err;

	if (!path)
		return why_set(why, E_CONFIG, "sasl needs userSecret and passwordSecret");
	err = file_read(path, SECRET_MAX, ret_text, why);
	if (err)
		return err == E_NOMEM ? err : E_CONFIG;
	if (ret_text->n && ret_text->p[ret_text->n - 1] == '\n')
		ret_text->n--;
	return ret_text->n ? E_OK : why_set(why, E_CONFIG, "%s: is empty", path);
}

static enum err set_secret(rd_kafka_conf_t *conf, const char *key, const char *path, struct why *why)
{
	CLEANUP(buf_wipe) struct buf text = { 0 };
	enum err err = read_secret(path, &text, why);

	if (err)
		return err;
	return buf_cstr(&text) ? set(conf, key, text.p, why) : why_set(why, E_NOMEM, "%s", path);
}

static enum err set_sasl(rd_kafka_conf_t *conf, const struct kafka_config *config, struct why *why)
{
	static const char *const mechanisms[] = {
		[KAFKA_PLAIN] = "PLAIN",
		[KAFKA_SCRAM_256] = "SCRAM-SHA-256",
		[KAFKA_SCRAM_512] = "SCRAM-SHA-512",
	};
	enum err err;

	if (config->mechanism == KAFKA_NO_SASL)
		return E_OK;
	err = set(conf, "sasl.mechanism", mechanisms[config->mechanism], why);
	if (!err)
		err = set_secret(conf, "sasl.username", config->user_path, why);
	if (!err)
		err = set_secret(conf, "sasl.password", config->password_path, why);
	return err;
}

static enum err set_path(rd_kafka_conf_t *conf, const char *key, const char *path, struct why *why)
{
	if (!path)
		return E_OK;
	if (file_check(path, why)) {
		(void)why_add(why, "%s", path);
		return E_CONFIG;
	}
	return set(conf, key, path, why);
}

static enum err set_tls(rd_kafka_conf_t *conf, const struct tls_client_config *tls, struct why *why)
{
	enum err err = E_OK;

	if (!tls->configured)
		return E_OK;
	if (tls->insecure_skip_verify)
		return set(conf, "enable.ssl.certificate.verification", "false", why);
	err = set_path(conf, "ssl.ca.location", tls->ca_path, why);
	if (!err)
		err = set_path(conf, "ssl.certificate.location", tls->cert_path, why);
	if (!err && tls->key_path)
		err = tls_client_check_key(tls->key_path, why);
	if (!err && tls->key_path)
		err = set(conf, "ssl.key.location", tls->key_path, why);
	return err;
}

static enum err set_protocol(rd_kafka_conf_t *conf, const struct kafka_config *config, struct why *why)
{
	static const char *const protocols[2][2] = { { "plaintext", "sasl_plaintext" }, { "ssl", "sasl_ssl" } };

	return set(conf, "security.protocol", protocols[config->tls.configured][config->mechanism != KAFKA_NO_SASL],
		   why);
}

/* ---- together --------------------------------------------------------------------------------------------------------- */

/* In a thread of the library. What matters comes as an event, and is logged once where it changes the state. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	(void)level;
	log_debug("librdkafka", text, LOG_S("facility", facility));
}

static void free_conf(rd_kafka_conf_t **conf)
{
	if (*conf)
		rd_kafka_conf_destroy(*conf);
}

enum err kf_options(const struct kafka_config *config, bool solo, rd_kafka_conf_t **ret_conf, struct why *why)
{
	CLEANUP(free_conf) rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum err err = set_basics(conf, config, solo, why);

	if (!err)
		err = set_protocol(conf, config, why);
	if (!err)
		err = set_sasl(conf, config, why);
	if (!err)
		err = set_tls(conf, &config->tls, why);
	if (err)
		return err;
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
	*ret_conf = TAKE(conf);
	return E_OK;
}

/* The library reads certificates only when it makes a producer. */
enum err kf_options_check(const struct kafka_config *config, struct why *why)
{
	rd_kafka_conf_t *conf = NULL;
	char reason[REASON_MAX];
	rd_kafka_t *rk;
	enum err err = kf_options(config, /* solo= */ false, &conf, why);

	if (err)
		return err;
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		return why_set(why, E_CONFIG, "%s", reason);
	}
	rd_kafka_destroy(rk);
	return E_OK;
}
