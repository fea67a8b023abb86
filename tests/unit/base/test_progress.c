/* progress.h: nothing for what is quick, one line drawn over itself on a terminal, plain lines elsewhere. */
#include "base/progress.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR_MS 3600000

/* Both ends of a pseudo terminal or of a pipe; what is written to `to` can be read from `from`. */
struct ends {
	int from;
	int to;
};

static struct ends terminal(void)
{
	struct ends e = { .from = posix_openpt(O_RDWR | O_NOCTTY) };

	assert_true(e.from >= 0 && grantpt(e.from) == 0 && unlockpt(e.from) == 0);
	e.to = open(ptsname(e.from), O_RDWR | O_NOCTTY);
	assert_true(e.to >= 0);
	assert_int_equal(fcntl(e.from, F_SETFL, O_NONBLOCK), 0);
	return e;
}

static struct ends pipe_ends(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	return (struct ends){ fds[0], fds[1] };
}

/* Everything that was shown so far; a terminal may give it in pieces. */
static const char *shown(struct ends e)
{
	static char text[4096];
	size_t n = 0;
	ssize_t more;

	while ((more = read(e.from, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)more;
	text[n] = '\0';
	return text;
}

static void ends_close(struct ends e)
{
	close(e.from);
	close(e.to);
}

static void a_quick_task_shows_nothing(void **state)
{
	struct ends places[] = { terminal(), pipe_ends() };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct progress p;

		progress_start(&p, places[i].to, "check", "events", 100);
		assert_true(p.due_ms >= p.start_ms + 500);
		p.due_ms += HOUR_MS; /* quick it is, however slow this machine */
		for (uint64_t done = 0; done <= 100; done++)
			progress_at(&p, done);
		progress_clear(&p);
		assert_string_equal(shown(places[i]), "");
		ends_close(places[i]);
	}
}

static void a_terminal_gets_a_bar_that_is_taken_away_at_the_end(void **state)
{
	struct ends e = terminal();
	struct progress p;
	const char *text;

	(void)state;
	progress_start(&p, e.to, "check", "events", 40);
	p.start_ms -= 1000;
	p.due_ms = 0;
	progress_at(&p, 10);
	text = shown(e);
	assert_non_null(strstr(text, "\r\033[Kcheck: [######..................] 10 of 40 events, 25 %, "));
	assert_null(strchr(text, '\n'));
	progress_clear(&p);
	assert_string_equal(shown(e), "\r\033[K");
	ends_close(e);
}

static void a_line_is_never_wider_than_the_terminal(void **state)
{
	struct {
		unsigned short columns;
		const char *shown;
	} rows[] = {
		{ 40, "\r\033[Kdead retry: 1000000 of 4000000 dead let" },
		{ 12, "\r\033[Kdead retry:" },
		{ 1, "\r\033[K" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ends e = terminal();
		struct progress p;

		assert_int_equal(
			0, ioctl(e.from, TIOCSWINSZ, &(struct winsize){ .ws_col = rows[i].columns, .ws_row = 24 }));
		progress_start(&p, e.to, "dead retry", "dead letters", 4000000);
		p.due_ms = 0;
		progress_at(&p, 1000000);
		assert_string_equal(shown(e), rows[i].shown);
		ends_close(e);
	}
}

static void a_terminal_that_cannot_be_drawn_on_gets_lines(void **state)
{
	struct ends e = terminal();
	struct progress p;

	(void)state;
	assert_int_equal(0, setenv("TERM", "dumb", 1));
	progress_start(&p, e.to, "check", "events", 40);
	p.due_ms = 0;
	progress_at(&p, 10);
	progress_clear(&p);
	assert_int_equal(0, unsetenv("TERM"));
	assert_int_equal(strncmp(shown(e), "check: 10 of 40 events, 25 %", 28), 0);
	ends_close(e);
}

static void elsewhere_it_is_a_line_in_units_for_people(void **state)
{
	struct ends e = pipe_ends();
	struct progress p;
	const char *text;

	(void)state;
	progress_start(&p, e.to, "export", "bytes", 3 << 20);
	p.due_ms = 0;
	progress_of(&p, 3 << 19, 3 << 20);
	text = shown(e);
	assert_int_equal(strncmp(text, "export: 1.5 MiB of 3.0 MiB, 50 %", 32), 0);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_true(p.due_ms >= p.start_ms + 10000); /* the next line is ten seconds away */
	p.due_ms += HOUR_MS;
	progress_at(&p, 3 << 20);
	assert_string_equal(shown(e), "");
	progress_clear(&p);
	ends_close(e);
}

static void more_than_all_counts_as_all(void **state)
{
	struct ends e = pipe_ends();
	struct progress p;

	(void)state;
	progress_start(&p, e.to, "check", "events", 10);
	p.due_ms = 0;
	progress_at(&p, 11);
	assert_non_null(strstr(shown(e), "10 of 10 events, 100 %"));
	ends_close(e);
}

static void without_a_total_there_is_only_a_count(void **state)
{
	struct ends e = pipe_ends();
	struct progress p;

	(void)state;
	progress_start(&p, e.to, "dump", "events", 0);
	p.due_ms = 0;
	progress_at(&p, 7);
	assert_int_equal(strncmp(shown(e), "dump: 7 events", 14), 0);
	ends_close(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quick_task_shows_nothing),
		cmocka_unit_test(a_terminal_gets_a_bar_that_is_taken_away_at_the_end),
		cmocka_unit_test(a_line_is_never_wider_than_the_terminal),
		cmocka_unit_test(a_terminal_that_cannot_be_drawn_on_gets_lines),
		cmocka_unit_test(elsewhere_it_is_a_line_in_units_for_people),
		cmocka_unit_test(more_than_all_counts_as_all),
		cmocka_unit_test(without_a_total_there_is_only_a_count),
	};

	unsetenv("TERM");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
