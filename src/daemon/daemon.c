#include "daemon/daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/systemd.h"

#define PARKED UINT64_MAX /* nothing is planned */

/* ---- turns ------------------------------------------------------------------------------------------------------ */

/* Our timers always run, so that moving one needs no memory. */
static enum err park(struct daemon *daemon, struct why *why)
{
	enum err err = loop_timer_start(&daemon->loop, &daemon->due, PARKED);

	if (err == E_OK)
		err = loop_timer_start(&daemon->loop, &daemon->retry, PARKED);
	return err == E_OK ? E_OK : why_set(why, err, "start");
}

/* One that has just run goes back to the place that it left. */
static void plan(struct daemon *daemon, struct loop_timer *timer, uint64_t delay_ms)
{
	(void)loop_timer_start(&daemon->loop, timer, delay_ms);
}

static void on_due(struct loop_timer *timer)
{
	struct daemon *daemon = CONTAINER_OF(timer, struct daemon, due);

	plan(daemon, timer, PARKED);
	daemon_wake(daemon);
}

static void turn(struct daemon *daemon)
{
	uint64_t due_ms;

	daemon->woken = false;
	due_ms = daemon->user->on_turn(daemon);
	plan(daemon, &daemon->due, due_ms > daemon->loop.now_ms ? due_ms - daemon->loop.now_ms : 0);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct daemon *daemon = prepare->data;

	if (daemon->woken)
		turn(daemon);
}

void daemon_wake(struct daemon *daemon)
{
	daemon->woken = true;
}

uint64_t daemon_now_ms(const struct daemon *daemon)
{
	return daemon->loop.now_ms;
}

int64_t daemon_wall_ns(const struct daemon *daemon)
{
	(void)daemon;
	return clock_wall_ns();
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void run_written(struct loop_task *task)
{
	struct daemon *daemon = CONTAINER_OF(task, struct daemon, written);

	journal_done(daemon->journal, TAKE(daemon->write));
	daemon_wake(daemon);
}

/* In the ledger's thread. */
static void on_write_done(struct ledger_write *w)
{
	struct daemon *daemon = w->owner;

	loop_post(&daemon->loop, &daemon->written);
}

static void write_rows(void *ctx, struct ledger_write *w)
{
	struct daemon *daemon = ctx;

	w->owner = daemon;
	w->on_done = on_write_done;
	daemon->write = w;
	ledger_write(daemon->ledger, w);
}

static void on_retry(struct loop_timer *timer)
{
	struct daemon *daemon = CONTAINER_OF(timer, struct daemon, retry);

	plan(daemon, timer, PARKED);
	journal_retry(daemon->journal);
}

static void retry_in(void *ctx, uint32_t delay_ms)
{
	struct daemon *daemon = ctx;

	plan(daemon, &daemon->retry, delay_ms);
}

/* Once for each change, not for each try. */
static void on_ledger_state(void *ctx, enum err err)
{
	struct daemon *daemon = ctx;
	bool failed = err != E_OK;

	if (failed == daemon->ledger_failed)
		return;
	daemon->ledger_failed = failed;
	if (failed)
		log_error(daemon->logger, "the ledger cannot be written: nothing is confirmed until it can",
			  LOG_S("error", err_text(err)));
	else
		log_info(daemon->logger, "the ledger is written again");
	daemon->user->on_ledger(daemon, err);
}

bool daemon_is_ready(const struct daemon *daemon, bool synced)
{
	return synced && !daemon->terminating && !ledger_has_failed(daemon->ledger);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

/* A start has read nothing yet that could be another now, nor what a turn would need. */
void daemon_reload(struct daemon *daemon)
{
	if (!daemon->running || daemon->terminating)
		return;
	daemon->user->on_reload(daemon);
	daemon_wake(daemon);
}

/* There is nothing to finish, nor all of what it would be finished with. */
static void end_start(const struct daemon *daemon)
{
	log_info(daemon->logger, "stopped before it had started");
	_exit(EXIT_SUCCESS);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct daemon *daemon = handle->data;

	loop_tick(&daemon->loop);
	if (number == SIGHUP) {
		daemon_reload(daemon);
	} else if (!daemon->running) {
		end_start(daemon);
	} else if (!daemon->terminating) {
		daemon->terminating = true;
		daemon->user->on_terminate(daemon);
		daemon_wake(daemon);
	}
}

static void watch_signals(struct daemon *daemon)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	_Static_assert(ARRAY_LEN(numbers) == ARRAY_LEN(daemon->signals), "a handle per signal");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(&daemon->loop.uv, &daemon->signals[i]);
		daemon->signals[i].data = daemon;
		uv_signal_start(&daemon->signals[i], on_signal, numbers[i]);
	}
}

static enum err open_ledger(struct daemon *daemon, const char *data_dir, struct why *why)
{
	const struct journal_io io = {
		.write = write_rows, .retry_in = retry_in, .on_state = on_ledger_state, .ctx = daemon
	};

	daemon->metrics = metrics_new();
	daemon->journal = daemon->metrics ? journal_new(&io) : NULL;
	if (!daemon->journal)
		return why_set(why, E_NOMEM, "start");
	return ledger_open(data_dir, daemon->metrics, why, &daemon->ledger);
}

enum err daemon_init(struct daemon *daemon, const char *data_dir, const struct daemon_user *user, const char *logger,
		     struct why *why)
{
	enum err err = loop_init(&daemon->loop, why);

	if (err != E_OK)
		return err;
	(void)signal(SIGHUP, SIG_IGN); /* until it is watched there is nothing to read again, and no reason to end */
	daemon->user = user;
	daemon->logger = logger;
	daemon->due.on_due = on_due;
	daemon->retry.on_due = on_retry;
	daemon->written.run = run_written;
	err = park(daemon, why);
	if (err == E_OK)
		err = open_ledger(daemon, data_dir, why);
	if (err != E_OK) {
		daemon_release(daemon);
		return err;
	}
	uv_prepare_init(&daemon->loop.uv, &daemon->prepare);
	daemon->prepare.data = daemon;
	uv_prepare_start(&daemon->prepare, on_prepare);
	watch_signals(daemon);
	return E_OK;
}

enum err daemon_build_info(struct daemon *daemon, const char *version)
{
	static const struct metric_family family = { .name = "argocd_agent_build_info",
						     .type = METRIC_GAUGE,
						     .help = "1; the program's version is a label.",
						     .labels = { "version", "git_revision" } };
	struct metric *m = metrics_get(daemon->metrics, &family, (const char *const[]){ version, "" });

	if (!m)
		return E_NOMEM;
	metric_set(m, 1);
	return E_OK;
}

static void on_watchdog(struct loop_timer *timer)
{
	struct daemon *daemon = CONTAINER_OF(timer, struct daemon, watchdog);

	systemd_watchdog();
	if (loop_timer_start(&daemon->loop, &daemon->watchdog, systemd_watchdog_ms()) != E_OK)
		log_error(daemon->logger,
			  "no memory for the watchdog's timer: the service manager will end this process");
}

void daemon_run(struct daemon *daemon)
{
	daemon->watchdog.on_due = on_watchdog;
	if (systemd_watchdog_ms())
		on_watchdog(&daemon->watchdog);
	daemon->running = true;
	daemon_wake(daemon);
	loop_run(&daemon->loop);
}

void daemon_stop(struct daemon *daemon)
{
	loop_timer_stop(&daemon->loop, &daemon->due);
	loop_timer_stop(&daemon->loop, &daemon->retry);
	loop_timer_stop(&daemon->loop, &daemon->watchdog);
	for (size_t i = 0; i < ARRAY_LEN(daemon->signals); i++)
		uv_close((uv_handle_t *)&daemon->signals[i], NULL);
	uv_close((uv_handle_t *)&daemon->prepare, NULL);
	loop_stop(&daemon->loop);
}

void daemon_release(struct daemon *daemon)
{
	ledger_close(daemon->ledger);
	loop_release(&daemon->loop);
	journal_free(daemon->journal);
	metrics_free(daemon->metrics);
}
