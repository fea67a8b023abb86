#include "daemon/daemon.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

#define CROWD_MAX 64

/* A daemon whose disk may take nothing, and whose memory may have run out, for as long as the first row needs. */
struct stage {
	struct daemon daemon; /* first */
	struct loop_timer crowd[CROWD_MAX];
	size_t crowd_n;
	struct rlimit before;
	bool failed, paused, again;
	struct loop_task step;
	unsigned steps, turns, reloads;
	struct buf rows; /* that were loaded */
};

static void on_crowd(struct loop_timer *timer)
{
	(void)timer;
}

/* One timer more would need memory. */
static void fill_heap(struct stage *s)
{
	struct loop *loop = &s->daemon.loop;

	while (loop->timers.n < loop->timers.cap) {
		struct loop_timer *timer = &s->crowd[s->crowd_n++];

		assert_true(s->crowd_n < CROWD_MAX);
		timer->on_due = on_crowd;
		assert_int_equal(loop_timer_start(loop, timer, UINT64_MAX), E_OK);
	}
}

static void on_ledger(struct daemon *daemon, enum err err)
{
	struct stage *s = (struct stage *)daemon;

	if (err == E_OK) {
		s->again = true;
		return;
	}
	fill_heap(s);
	mem_fail_at(1);
	s->failed = true;
}

static uint64_t on_turn(struct daemon *daemon)
{
	struct stage *s = (struct stage *)daemon;

	s->turns++;
	if (s->failed && !s->paused) {
		mem_fail_at(0);
		s->paused = heap_holds(&daemon->retry.node) && daemon->retry.node.key < UINT64_MAX;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &s->before), 0);
		assert_true(s->paused);
	}
	if (journal_is_idle(daemon->journal))
		daemon_stop(daemon);
	return UINT64_MAX;
}

static void on_nothing(struct daemon *daemon)
{
	(void)daemon;
}

static void on_reload(struct daemon *daemon)
{
	((struct stage *)daemon)->reloads++;
}

static enum err on_row(struct daemon *daemon, enum ledger_table table, const struct ledger_row *row)
{
	struct stage *s = (struct stage *)daemon;

	assert_int_equal(table, LEDGER_SETTING);
	buf_str(&s->rows, row->name);
	return str_is(row->name, "mad;") ? E_MALFORMED : str_is(row->name, "no room;") ? E_NOMEM : E_OK;
}

static const struct daemon_user user = {
	.on_turn = on_turn, .on_terminate = on_nothing, .on_reload = on_reload, .on_ledger = on_ledger, .on_row = on_row
};

static struct stage *stage_open(char *dir)
{
	struct stage *s = mem_alloc(sizeof(*s));
	struct why why = { 0 };

	log_setup(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR, LOG_FORMAT_JSON);
	assert_non_null(s);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(daemon_init(&s->daemon, dir, &user, "test", &why), E_OK);
	return s;
}

static void stage_close(struct stage *s, const char *dir)
{
	char command[64];

	daemon_release(&s->daemon);
	buf_release(&s->rows);
	mem_free(s);
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void a_disk_that_fails_is_asked_again_after_a_pause_also_without_memory(void **state)
{
	const struct ledger_row row = { .name = STR("name"), .bytes = STR("value") };
	char dir[] = "/tmp/test-daemon-XXXXXX";
	struct stage *s = stage_open(dir);
	struct rlimit none;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &s->before), 0);
	none = (struct rlimit){ 0, s->before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(journal_add(s->daemon.journal, LEDGER_SETTING, /* remove= */ false, &row), E_OK);
	journal_flush(s->daemon.journal);
	daemon_run(&s->daemon);
	assert_true(s->failed && s->paused && s->again);
	stage_close(s, dir);
}

static void a_row_that_makes_no_sense_is_left_out_and_one_without_memory_ends_the_start(void **state)
{
	char dir[] = "/tmp/test-daemon-XXXXXX";
	struct stage *s = stage_open(dir);
	struct why why = { 0 };

	(void)state;
	assert_int_equal(daemon_setting_put(&s->daemon, "a;", (struct str)STR("1"), &why), E_OK);
	assert_int_equal(daemon_setting_put(&s->daemon, "mad;", (struct str)STR("2"), &why), E_OK);
	assert_int_equal(daemon_setting_put(&s->daemon, "n;", (struct str)STR("3"), &why), E_OK);
	assert_int_equal(daemon_load(&s->daemon, &why), E_OK);
	assert_string_equal(buf_cstr(&s->rows), "a;mad;n;");
	assert_int_equal(daemon_setting_put(&s->daemon, "no room;", (struct str)STR("4"), &why), E_OK);
	assert_int_equal(daemon_setting_put(&s->daemon, "z;", (struct str)STR("5"), &why), E_OK);
	assert_int_equal(daemon_load(&s->daemon, &why), E_NOMEM);
	assert_string_equal(buf_cstr(&s->rows), "a;mad;n;a;mad;n;no room;");
	assert_string_equal(why.text, "take what the ledger has: out of memory");
	daemon_run(&s->daemon);
	stage_close(s, dir);
}

/* As often as the loop needs to take a signal, and to come to what that may have asked for. */
static void on_step(struct loop_task *task)
{
	struct stage *s = CONTAINER_OF(task, struct stage, step);

	if (s->steps++ < 3)
		loop_post(&s->daemon.loop, task);
	else
		loop_stop(&s->daemon.loop);
}

static void a_hangup_before_the_start_is_over_asks_for_nothing(void **state)
{
	char dir[] = "/tmp/test-daemon-XXXXXX";
	struct stage *s = stage_open(dir);

	(void)state;
	s->step.run = on_step;
	loop_post(&s->daemon.loop, &s->step);
	assert_int_equal(raise(SIGHUP), 0);
	loop_run(&s->daemon.loop);
	assert_int_equal(s->reloads, 0);
	assert_int_equal(s->turns, 0); /* a turn has use for what is not made yet */
	assert_int_equal(s->steps, 4);
	daemon_run(&s->daemon);
	assert_true(s->turns > 0);
	stage_close(s, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_that_fails_is_asked_again_after_a_pause_also_without_memory),
		cmocka_unit_test(a_row_that_makes_no_sense_is_left_out_and_one_without_memory_ends_the_start),
		cmocka_unit_test(a_hangup_before_the_start_is_over_asks_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
