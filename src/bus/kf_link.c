/*
 * kf_link.c -- the producer of the Kafka bus: made, looked after, ended. In the io thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "bus/kf_bus.h"
#include "bus/kf_options.h"

#define SLICE_MS   250  /* of a wait: then what publish() put is answered */
#define CONNECT_MS 3000 /* with one producer; the next one has read its files anew */
#define PROBE_MS   1000
#define REASON_MAX 256

/* ---- partitioner ------------------------------------------------------------------------------------------------------ */

static int32_t next_partition(const rd_kafka_topic_t *topic, const void *key, size_t key_n, int32_t count, void *ctx,
			      void *message)
{
	struct kafka *kf = ctx;
	uint32_t first = atomic_fetch_add_explicit(&kf->turn, 1, memory_order_relaxed);

	(void)key;
	(void)key_n;
	(void)message;
	if (count <= 0)
		return RD_KAFKA_PARTITION_UA;
	for (uint32_t i = 0; i < (uint32_t)count; i++) {
		int32_t partition = (int32_t)((first + i) % (uint32_t)count);

		if (rd_kafka_topic_partition_available(topic, partition))
			return partition;
	}
	return (int32_t)(first % (uint32_t)count);
}

static rd_kafka_topic_conf_t *topic_conf(struct kafka *kf)
{
	rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();

	rd_kafka_topic_conf_set_opaque(conf, kf);
	if (kf->config.partitioner == KAFKA_ROUNDROBIN)
		rd_kafka_topic_conf_set_partitioner_cb(conf, next_partition);
	else if (kf->config.partitioner == KAFKA_RANDOM)
		rd_kafka_topic_conf_set_partitioner_cb(conf, rd_kafka_msg_partitioner_random);
	else
		rd_kafka_topic_conf_set_partitioner_cb(conf, rd_kafka_msg_partitioner_fnv1a); /* as sarama's "hash" */
	return conf;
}

/* ---- connect ---------------------------------------------------------------------------------------------------------- */

static enum err make_producer(struct kafka *kf, struct why *why)
{
	static const uint64_t one = 1;
	rd_kafka_conf_t *conf = NULL;
	char reason[REASON_MAX];
	enum err err = kf_options(&kf->config, kf->solo, &conf, why);

	if (err)
		return err;
	kf->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
	if (!kf->rk) {
		rd_kafka_conf_destroy(conf);
		return why_set(why, E_CONFIG, "%s", reason);
	}
	kf->queue = rd_kafka_queue_get_main(kf->rk);
	rd_kafka_queue_io_event_enable(kf->queue, kf->reports, &one, sizeof(one));
	kf->topic = rd_kafka_topic_new(kf->rk, kf->config.topic, topic_conf(kf));
	if (!kf->topic)
		return why_set(why, E_CONFIG, "topic \"%.80s\": %s", kf->config.topic,
			       rd_kafka_err2str(rd_kafka_last_error()));
	return E_OK;
}

/* Is the topic there, with a partition that has a leader? */
static enum err look_at(const struct rd_kafka_metadata *meta, const char *topic, struct why *why)
{
	const rd_kafka_metadata_topic_t *t = meta->topic_cnt ? &meta->topics[0] : NULL;

	if (!t || t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		return why_set(why, E_NOT_FOUND, "there is no topic \"%.80s\": make it", topic);
	if (t->err)
		return why_set(why, E_UNAVAILABLE, "topic \"%.80s\": %s", topic, rd_kafka_err2str(t->err));
	for (int i = 0; i < t->partition_cnt; i++)
		if (t->partitions[i].leader >= 0)
			return E_OK;
	return why_set(why, E_UNAVAILABLE, "topic \"%.80s\": no partition has a leader", topic);
}

static enum err ask(struct kafka *kf, struct why *why)
{
	const struct rd_kafka_metadata *meta = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(kf->rk, /* all_topics= */ 0, kf->topic, &meta, SLICE_MS);
	enum err err;

	kf_take_reports(kf);
	if (code)
		return why_set(why, E_UNAVAILABLE, "%s", kf->said.err ? kf->said.text : rd_kafka_err2str(code));
	err = look_at(meta, kf->config.topic, why);
	rd_kafka_metadata_destroy(meta);
	return err;
}

static enum err ask_for(struct kafka *kf, uint64_t wait_ms, struct why *why)
{
	uint64_t until = clock_mono_ms() + wait_ms;
	enum err err = ask(kf, why);

	while (err == E_UNAVAILABLE && clock_mono_ms() < until && !kf->lost && !atomic_load(&kf->stop)) {
		if (atomic_load(&kf->state) == BUS_DOWN)
			kf_refuse_inbox(kf);
		err = ask(kf, why);
	}
	kf->doubtful = false;
	kf->heard_ms = clock_mono_ms();
	return err;
}

enum err kf_connect(struct kafka *kf, struct why *why)
{
	enum err err;

	kf->lost = kf->doubtful = false;
	kf->said = (struct why){ 0 };
	err = make_producer(kf, why);
	if (!err)
		err = ask_for(kf, CONNECT_MS, why);
	if (err)
		kf_disconnect(kf);
	return err;
}

enum err kf_probe(struct kafka *kf, struct why *why)
{
	return ask_for(kf, PROBE_MS, why);
}

/* ---- the end ---------------------------------------------------------------------------------------------------------- */

void kf_disconnect(struct kafka *kf)
{
	if (!kf->rk)
		return;
	if (kf->topic) {
		(void)rd_kafka_purge(kf->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		kf_take_reports(kf);
		rd_kafka_topic_destroy(kf->topic);
	}
	rd_kafka_queue_io_event_enable(kf->queue, -1, NULL, 0);
	kf_clear_reports(kf); /* else whoever waits for the next producer does not sleep */
	rd_kafka_queue_destroy(kf->queue);
	rd_kafka_destroy(kf->rk);
	kf->rk = NULL;
	kf->topic = NULL;
	kf->queue = NULL;
	kf_forget_flights(kf);
}

void kf_let_land(struct kafka *kf, uint64_t wait_ms)
{
	uint64_t until = clock_mono_ms() + wait_ms;

	while (kf->rk && kf->flights && clock_mono_ms() < until) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(kf->queue, /* ms= */ 20);

		if (event)
			kf_take_event(kf, event);
	}
}
