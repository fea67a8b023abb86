#include "bus/replay.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "bus/outgoing.h"
#include "delivery/backoff.h"

#define BATCH       64
#define BATCH_BYTES (1u << 20) /* a slow link must carry them within give_up_ms */
#define RUN_MAX     64

struct item {
	struct outgoing out;
	uint64_t pos;
	struct batch *batch;
	bool done;
};

struct batch {
	const struct replay_config *config;
	bool (*on_progress)(void *ctx, const struct replay_progress *progress);
	void *ctx;
	struct replay_progress *progress;
	struct item items[BATCH];
	size_t n;
	size_t bytes;
	sem_t back;
	uint64_t until_ms; /* of this batch */
	enum err err;
	char suffix[RUN_MAX + 2];
};

static void on_done(struct bus_publish *p)
{
	(void)sem_post(&CONTAINER_OF(p, struct item, out.publish)->batch->back);
}

static bool may_wait(const struct bus_publish *p)
{
	return clock_mono_ms() < CONTAINER_OF(p, const struct item, out.publish)->batch->until_ms;
}

static bool on_row(void *ctx, const struct store_row *row)
{
	struct batch *b = ctx;
	struct item *item = &b->items[b->n];

	b->err = outgoing_build(row, str_of(b->suffix), &item->out);
	if (b->err)
		return false;
	item->out.publish.timeout_ms = b->config->timeout_ms;
	item->out.publish.may_wait = may_wait;
	item->out.publish.on_done = on_done;
	item->pos = row->pos;
	item->batch = b;
	item->done = false;
	b->bytes += item->out.block.n;
	return ++b->n < BATCH && b->bytes < BATCH_BYTES;
}

static enum err report(const struct batch *b)
{
	return b->on_progress && !b->on_progress(b->ctx, b->progress) ? E_CANCELLED : E_OK;
}

/* What the filter passes over is done, where no event in front of it waits for the batch. */
static bool on_window(void *ctx, uint64_t next)
{
	struct batch *b = ctx;

	if (b->n == 0)
		b->progress->last_pos = next - 1;
	b->err = report(b);
	return b->err == E_OK;
}

static void batch_clear(struct batch *b)
{
	while (b->n)
		outgoing_release(&b->items[--b->n].out);
	b->bytes = 0;
}

static void wait_back(struct batch *b)
{
	while (sem_wait(&b->back) < 0 && errno == EINTR)
		;
}

/* Everything that is not done, in order; true when all is done then. */
static bool send_open(struct batch *b, struct bus *bus, struct why *why)
{
	size_t sent = 0;
	bool all = true;

	for (size_t i = 0; i < b->n; i++) {
		if (b->items[i].done)
			continue;
		sent++;
		bus->ops->publish(bus, &b->items[i].out.publish);
	}
	while (sent--)
		wait_back(b);
	for (size_t i = 0; i < b->n; i++) {
		struct item *item = &b->items[i];
		enum err err = item->out.publish.err;

		if (item->done)
			continue;
		item->done = !err || err == E_LIMIT || err == E_MALFORMED;
		b->progress->taken += !err;
		b->progress->refused += item->done && err;
		if (!item->done && all)
			(void)why_set(why, err, "position %llu: %s", (unsigned long long)item->pos,
				      item->out.publish.why.text);
		all &= item->done;
	}
	return all;
}

static void pause_ms(uint64_t ms)
{
	struct timespec rest = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
}

static enum err send_batch(struct batch *b, struct bus *bus, struct why *why)
{
	struct backoff backoff = { .base_ms = 20, .factor = 2, .cap_ms = 1000 };
	struct why last = { 0 };

	b->until_ms = clock_mono_ms() + b->config->give_up_ms;
	while (!send_open(b, bus, &last)) {
		if (clock_mono_ms() >= b->until_ms)
			return why_set(why, last.err, "replay: %s", last.text);
		if (report(b))
			return E_CANCELLED;
		pause_ms(backoff_next(&backoff, rand_u64()));
	}
	b->progress->last_pos = b->items[b->n - 1].pos;
	return E_OK;
}

static enum err read_batch(struct batch *b, struct store_reader *reader, const struct store_query *query,
			   struct why *why)
{
	enum err err = store_read(reader, query, on_row, b, why);

	if (!err && b->err)
		err = why_set(why, b->err, "replay: %s", err_text(b->err));
	return err;
}

static enum err run(struct batch *b, struct store_reader *reader, struct bus *bus, struct why *why)
{
	struct store_query query = b->config->range;
	enum err err = E_OK;

	query.on_window = on_window;
	for (;;) {
		batch_clear(b);
		err = read_batch(b, reader, &query, why);
		if (b->n == 0 || (err && err != E_CORRUPT)) /* what stands in front of damage goes first */
			return err;
		err = send_batch(b, bus, why);
		if (err)
			return err;
		if (report(b))
			return E_CANCELLED;
		query.from = b->progress->last_pos + 1;
		if (b->config->range.limit && (query.limit -= b->n) == 0)
			return E_OK;
		if (query.to && query.from > query.to)
			return E_OK;
	}
}

enum err replay_run(const struct replay_config *config, struct store_reader *reader, struct bus *bus,
		    bool (*on_progress)(void *ctx, const struct replay_progress *progress), void *ctx, struct why *why,
		    struct replay_progress *ret_progress)
{
	struct batch *b = mem_alloc(sizeof(*b));
	enum err err;

	assert(config->run.n <= RUN_MAX);
	*ret_progress = (struct replay_progress){ 0 };
	if (!b)
		return why_set(why, E_NOMEM, "replay");
	b->config = config;
	b->on_progress = on_progress;
	b->ctx = ctx;
	if (config->run.n)
		(void)snprintf(b->suffix, sizeof(b->suffix), ".%.*s", STR_ARG(config->run));
	(void)sem_init(&b->back, 0, 0);
	b->progress = ret_progress;
	err = run(b, reader, bus, why);
	batch_clear(b);
	(void)sem_destroy(&b->back);
	mem_free(b);
	return err;
}
