#include "node/node.h"

#include <signal.h>

#include "base/clock.h"
#include "base/mem.h"

/* ---- turns ------------------------------------------------------------------------------------------------------ */

static void on_due(struct loop_timer *timer)
{
	node_wake(CONTAINER_OF(timer, struct node, due));
}

static void turn(struct node *node)
{
	uint64_t due_ms;

	node->woken = false;
	due_ms = node->user->on_turn(node);
	if (due_ms == UINT64_MAX) {
		loop_timer_stop(&node->loop, &node->due);
		return;
	}
	/* Without memory for a timer the next message or report brings the next turn. */
	(void)loop_timer_start(&node->loop, &node->due, due_ms > node->loop.now_ms ? due_ms - node->loop.now_ms : 0);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct node *node = prepare->data;

	if (node->woken)
		turn(node);
}

void node_wake(struct node *node)
{
	node->woken = true;
}

uint64_t node_now_ms(const struct node *node)
{
	return node->loop.now_ms;
}

int64_t node_wall_ns(const struct node *node)
{
	(void)node;
	return clock_wall_ns();
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void run_written(struct loop_task *task)
{
	struct node *node = CONTAINER_OF(task, struct node, written);

	journal_done(node->journal, TAKE(node->write));
	node_wake(node);
}

/* In the ledger's thread. */
static void on_write_done(struct ledger_write *w)
{
	struct node *node = w->owner;

	loop_post(&node->loop, &node->written);
}

static void write_rows(void *ctx, struct ledger_write *w)
{
	struct node *node = ctx;

	w->owner = node;
	w->on_done = on_write_done;
	node->write = w;
	ledger_write(node->ledger, w);
}

static void on_retry(struct loop_timer *timer)
{
	journal_retry(CONTAINER_OF(timer, struct node, retry)->journal);
}

static void retry_in(void *ctx, uint32_t delay_ms)
{
	struct node *node = ctx;

	if (loop_timer_start(&node->loop, &node->retry, delay_ms) != E_OK)
		journal_retry(node->journal);
}

/* Once for each change, not for each try. */
static void on_ledger_state(void *ctx, enum err err)
{
	struct node *node = ctx;
	bool failed = err != E_OK;

	if (failed == node->ledger_failed)
		return;
	node->ledger_failed = failed;
	if (failed)
		log_error(node->logger, "the ledger cannot be written: nothing is confirmed until it can",
			  LOG_S("error", err_text(err)));
	else
		log_info(node->logger, "the ledger is written again");
	node->user->on_ledger(node, err);
}

/* ---- settings --------------------------------------------------------------------------------------------------- */

struct wanted {
	const char *name;
	struct buf *value;
	bool found;
};

static bool take_setting(void *ctx, const struct ledger_row *row)
{
	struct wanted *w = ctx;

	if (!str_is(row->name, w->name))
		return true;
	w->found = true;
	buf_str(w->value, row->bytes);
	return false;
}

enum err node_setting(struct node *node, const char *name, struct buf *ret_value, struct why *why)
{
	struct wanted w = { .name = name, .value = ret_value };
	enum err err = ledger_read(node->ledger, LEDGER_SETTING, (struct str){ 0 }, take_setting, &w, why);

	if (err == E_OK && !w.found)
		return E_NOT_FOUND;
	return err == E_OK ? ret_value->err : err;
}

struct waited {
	struct ledger_write write;
	uv_sem_t done;
};

static void on_waited(struct ledger_write *w)
{
	uv_sem_post(&CONTAINER_OF(w, struct waited, write)->done);
}

enum err node_setting_put(struct node *node, const char *name, struct str value, struct why *why)
{
	struct ledger_change change = { .table = LEDGER_SETTING, .row = { .name = str_of(name), .bytes = value } };
	struct waited waited = { .write = { .changes = &change, .count = 1, .on_done = on_waited } };

	uv_sem_init(&waited.done, 0);
	ledger_write(node->ledger, &waited.write);
	uv_sem_wait(&waited.done);
	uv_sem_destroy(&waited.done);
	return waited.write.err == E_OK ? E_OK : why_set(why, waited.write.err, "ledger: keep %s", name);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int number)
{
	struct node *node = handle->data;

	loop_tick(&node->loop);
	if (number == SIGHUP && !node->terminating) {
		node->user->on_reload(node);
	} else if (number != SIGHUP && !node->terminating) {
		node->terminating = true;
		node->user->on_terminate(node);
	}
	node_wake(node);
}

static void watch_signals(struct node *node)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	_Static_assert(ARRAY_LEN(numbers) == ARRAY_LEN(node->signals), "a handle per signal");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(&node->loop.uv, &node->signals[i]);
		node->signals[i].data = node;
		uv_signal_start(&node->signals[i], on_signal, numbers[i]);
	}
}

static enum err open_ledger(struct node *node, const char *data_dir, struct why *why)
{
	const struct journal_io io = {
		.write = write_rows, .retry_in = retry_in, .on_state = on_ledger_state, .ctx = node
	};

	node->metrics = metrics_new();
	node->journal = node->metrics ? journal_new(&io) : NULL;
	if (!node->journal)
		return why_set(why, E_NOMEM, "start");
	return ledger_open(data_dir, node->metrics, why, &node->ledger);
}

enum err node_init(struct node *node, const char *data_dir, const struct node_user *user, const char *logger,
		   struct why *why)
{
	enum err err = loop_init(&node->loop, why);

	if (err != E_OK)
		return err;
	node->user = user;
	node->logger = logger;
	node->due.on_due = on_due;
	node->retry.on_due = on_retry;
	node->written.run = run_written;
	err = open_ledger(node, data_dir, why);
	if (err != E_OK) {
		node_release(node);
		return err;
	}
	uv_prepare_init(&node->loop.uv, &node->prepare);
	node->prepare.data = node;
	uv_prepare_start(&node->prepare, on_prepare);
	watch_signals(node);
	return E_OK;
}

void node_run(struct node *node)
{
	node_wake(node);
	loop_run(&node->loop);
}

void node_stop(struct node *node)
{
	loop_timer_stop(&node->loop, &node->due);
	loop_timer_stop(&node->loop, &node->retry);
	for (size_t i = 0; i < ARRAY_LEN(node->signals); i++)
		uv_close((uv_handle_t *)&node->signals[i], NULL);
	uv_close((uv_handle_t *)&node->prepare, NULL);
	loop_stop(&node->loop);
}

void node_release(struct node *node)
{
	ledger_close(node->ledger);
	loop_release(&node->loop);
	journal_free(node->journal);
	metrics_free(node->metrics);
}
