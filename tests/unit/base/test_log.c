#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

static int fd = -1;

/* Lines from now on go to an empty file in memory. */
static void begin(enum log_level level, enum log_format format)
{
	if (fd >= 0)
		close(fd);
	fd = memfd_create("log", 0);
	assert_true(fd >= 0);
	log_setup(fd, level, format);
}

/* What was written, its time stamps (which must be times) replaced by TIME. */
static const char *written(void)
{
	static char text[1 << 17];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	static struct buf out;
	struct str rest = { text, n > 0 ? (size_t)n : 0 };

	buf_clear(&out);
	while (rest.n) {
		struct str line = str_cut(&rest, '\n'), ts;
		size_t at = line.p[0] == '{' ? (size_t)(strstr(line.p, "\"ts\":\"") - line.p) + 6 : 0;
		int64_t ns;

		ts = str_sub(line, at, line.n);
		ts.n = str_find(ts, line.p[0] == '{' ? '"' : ' ');
		assert_true(clock_parse_rfc3339(ts, &ns));
		buf_add(&out, line.p, at);
		buf_lit(&out, "TIME");
		buf_str(&out, str_sub(line, at + ts.n, line.n));
		buf_char(&out, '\n');
	}
	return buf_cstr(&out);
}

static void json_lines_are_exact(void **state)
{
	struct why why = { .err = E_IO };

	(void)state;
	why_set(&why, E_IO, "disk \"a\"");
	begin(LOG_DEBUG, LOG_FORMAT_AUTO); /* a file is no terminal */
	log_info("store", "store opened", LOG_S("path", "a b"), LOG_STRN("id", STR("x\ny")),
		 LOG_U("events", UINT64_MAX), LOG_I("delta", INT64_MIN), LOG_B("ok", true), LOG_B("bad", 0),
		 LOG_S("none", NULL));
	log_debug("a", "no fields");
	log_error("a", "failed", LOG_WHY(&why));
	log_warn("a", "skips", (struct log_field){ 0 }, LOG_U("n", 1));
	assert_string_equal(
		written(),
		"{\"level\":\"info\",\"ts\":\"TIME\",\"logger\":\"store\",\"msg\":\"store opened\",\"path\":\"a "
		"b\",\"id\":\"x\\ny\",\"events\":18446744073709551615,\"delta\":-9223372036854775808,\"ok\":true,"
		"\"bad\":false,\"none\":\"\"}\n"
		"{\"level\":\"debug\",\"ts\":\"TIME\",\"logger\":\"a\",\"msg\":\"no fields\"}\n"
		"{\"level\":\"error\",\"ts\":\"TIME\",\"logger\":\"a\",\"msg\":\"failed\",\"error\":\"disk "
		"\\\"a\\\"\"}\n"
		"{\"level\":\"warn\",\"ts\":\"TIME\",\"logger\":\"a\",\"msg\":\"skips\",\"n\":1}\n");
}

static void text_lines_quote_what_is_not_a_plain_word(void **state)
{
	(void)state;
	begin(LOG_INFO, LOG_FORMAT_TEXT);
	log_info("store", "opened", LOG_S("path", "/a/b"), LOG_S("words", "a b"), LOG_S("empty", ""),
		 LOG_S("evil", "x\033[2J"), LOG_S("quote", "a\"b"), LOG_U("n", 3), LOG_B("ok", true));
	log_error("net", "closed");
	assert_string_equal(written(),
			    "TIME info  store: opened path=/a/b words=\"a b\" empty=\"\" evil=\"x\\u001b[2J\" "
			    "quote=\"a\\\"b\" n=3 ok=true\n"
			    "TIME error net: closed\n");
}

static void lines_below_the_level_are_not_written_and_not_evaluated(void **state)
{
	int evaluated = 0;

	(void)state;
	begin(LOG_WARN, LOG_FORMAT_JSON);
	log_info("a", "quiet", LOG_I("n", ++evaluated));
	log_debug("a", "quiet");
	assert_string_equal(written(), "");
	assert_int_equal(evaluated, 0);
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_enabled(LOG_ERROR));
}

static void a_line_too_long_comes_without_its_fields(void **state)
{
	char *huge = mem_alloc(70000);

	(void)state;
	memset(huge, 'x', 69999);
	begin(LOG_INFO, LOG_FORMAT_JSON);
	log_info("a", "large", LOG_S("field", huge));
	assert_string_equal(written(), "{\"level\":\"info\",\"ts\":\"TIME\",\"logger\":\"a\",\"msg\":\"large\"}\n");
	mem_free(huge);
}

static void without_memory_or_without_a_file_nothing_breaks(void **state)
{
	(void)state;
	begin(LOG_INFO, LOG_FORMAT_JSON);
	mem_fail_at(1);
	log_info("a", "lost");
	mem_fail_at(0);
	assert_string_equal(written(), "");
	log_setup(-1, LOG_INFO, LOG_FORMAT_JSON);
	log_info("a", "to nowhere");
}

static void a_file_gets_no_colours(void **state)
{
	(void)state;
	begin(LOG_INFO, LOG_FORMAT_TEXT);
	log_error("a", "red on a terminal", LOG_U("n", 1));
	assert_null(strchr(written(), '\033'));
}

/* What is in the pipe, without time stamps. */
static const char *drained(int from)
{
	static char text[1 << 15];
	ssize_t n = read(from, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* A pipe of two pages, `full` bytes of it taken. */
static void begin_on_pipe(int ends[2], size_t full)
{
	static const char filler[8192];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 8192), 8192);
	assert_int_equal(write(ends[1], filler, full), full);
	log_setup(ends[1], LOG_INFO, LOG_FORMAT_JSON);
}

static void end_pipe(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static void who_does_not_read_holds_up_nobody_and_is_told_what_is_missing(void **state)
{
	const char *text;
	int ends[2];

	(void)state;
	begin_on_pipe(ends, 8192);
	for (int i = 0; i < 1000; i++) /* each once more would wait longer than the test may take */
		log_info("a", "nobody reads this");
	(void)drained(ends[0]);
	log_info("a", "read again");
	log_info("a", "and on");
	text = drained(ends[0]);
	assert_non_null(strstr(text, "\"level\":\"warn\""));
	assert_non_null(strstr(text, "\"msg\":\"lines were lost: nobody read them\",\"lines\":1000}\n{"));
	assert_non_null(strstr(text, "\"msg\":\"read again\"}\n{"));
	assert_non_null(strstr(text, "\"msg\":\"and on\"}\n"));
	assert_null(strstr(text, "nobody reads this"));
	end_pipe(ends);
}

static int signals_from; /* the pipe's end to read from */
static volatile sig_atomic_t signals, rescued;

/* So that what would wait for ever fails. */
static void on_alarm(int number)
{
	static char rest[8192];

	(void)number;
	if (++signals == 500)
		rescued = read(signals_from, rest, sizeof(rest)) > 0;
}

static void a_signal_is_not_taken_for_room(void **state)
{
	const struct itimerval every = { { .tv_usec = 10000 }, { .tv_usec = 10000 } }, never = { 0 };
	struct sigaction action = { .sa_handler = on_alarm }, before;
	int ends[2];

	(void)state;
	begin_on_pipe(ends, 8192);
	signals_from = ends[0];
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &every, NULL);
	log_info("a", "nobody reads this");
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_false(rescued);
	(void)drained(ends[0]);
	log_info("a", "read again"); /* or the next test's first line would speak of the lost one */
	end_pipe(ends);
}

static void a_line_that_was_cut_ends_before_the_next(void **state)
{
	char large[6001] = { 0 };
	const char *text;
	int ends[2];

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	begin_on_pipe(ends, 4096);
	log_info("a", "large", LOG_S("field", large));
	(void)drained(ends[0]);
	log_info("a", "next");
	text = drained(ends[0]);
	assert_ptr_equal(strstr(text, "\n{\"level\":\"warn\""), text);
	assert_non_null(strstr(text, "\"lines\":1}\n{"));
	end_pipe(ends);
}

static void a_long_line_fits_a_pipe_that_is_read(void **state)
{
	char large[6001] = { 0 };
	int ends[2];

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	begin_on_pipe(ends, 0);
	log_info("a", "large", LOG_S("field", large));
	assert_non_null(strstr(drained(ends[0]), "xxx\"}\n"));
	end_pipe(ends);
}

static void levels_have_names(void **state)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	enum log_level level = LOG_INFO;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_true(log_level_parse(str_of(names[i]), &level));
		assert_int_equal(level, i);
	}
	assert_false(log_level_parse(STR("Info"), &level));
	assert_false(log_level_parse(STR(""), &level));
	assert_int_equal(level, LOG_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_lines_are_exact),
		cmocka_unit_test(text_lines_quote_what_is_not_a_plain_word),
		cmocka_unit_test(lines_below_the_level_are_not_written_and_not_evaluated),
		cmocka_unit_test(a_line_too_long_comes_without_its_fields),
		cmocka_unit_test(without_memory_or_without_a_file_nothing_breaks),
		cmocka_unit_test(a_file_gets_no_colours),
		cmocka_unit_test(who_does_not_read_holds_up_nobody_and_is_told_what_is_missing),
		cmocka_unit_test(a_line_that_was_cut_ends_before_the_next),
		cmocka_unit_test(a_signal_is_not_taken_for_room),
		cmocka_unit_test(a_long_line_fits_a_pipe_that_is_read),
		cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
