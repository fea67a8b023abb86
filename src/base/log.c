#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/terminal.h"

#define PATIENCE_MS 100 /* for a reader that is slow; one that does not read at all costs it once */

static struct {
	int fd;
	enum log_level level;
	bool text;
	bool colour;
} out = { .fd = STDERR_FILENO, .level = LOG_INFO };

static const struct {
	const char *name;
	const char *colour; /* ECMA-48 SGR */
} levels[] = {
	[LOG_DEBUG] = { "debug", "\033[2m" },
	[LOG_INFO] = { "info", "\033[32m" },
	[LOG_WARN] = { "warn", "\033[33m" },
	[LOG_ERROR] = { "error", "\033[31m" },
};

void log_setup(int fd, enum log_level level, enum log_format format)
{
	const char *no_colour = getenv("NO_COLOR"); /* no-color.org */

	out.fd = fd;
	out.level = level;
	out.text = format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && isatty(fd));
	out.colour = out.text && terminal_draws(fd) && !(no_colour && *no_colour);
}

bool log_level_parse(struct str word, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (str_is(word, levels[i].name)) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool log_enabled(enum log_level level)
{
	return level >= out.level;
}

static void add_value(struct buf *b, const struct log_field *f, bool quoted)
{
	switch (f->type) {
	case LOG_STR:
		if (quoted)
			buf_json(b, f->s);
		else
			buf_str(b, f->s);
		break;
	case LOG_INT:
		buf_addf(b, "%lld", (long long)f->i);
		break;
	case LOG_UINT:
		buf_u64(b, f->u);
		break;
	case LOG_BOOL:
		buf_str(b, f->u ? STR("true") : STR("false"));
		break;
	}
}

static void write_json(struct buf *b, enum log_level level, const char *ts, const char *logger, const char *msg,
		       const struct log_field *fields, size_t n)
{
	buf_addf(b, "{\"level\":\"%s\",\"ts\":\"%s\",\"logger\":\"%s\",\"msg\":", levels[level].name, ts, logger);
	buf_json(b, str_of(msg));
	for (size_t i = 0; i < n; i++) {
		if (!fields[i].key)
			continue;
		buf_addf(b, ",\"%s\":", fields[i].key);
		add_value(b, &fields[i], /* quoted= */ true);
	}
	buf_lit(b, "}\n");
}

/* Plain words stand as they are; anything a terminal could misread is quoted. */
static bool needs_quotes(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' || (unsigned char)s.p[i] >= 0x7f)
			return true;
	return s.n == 0;
}

static void write_text(struct buf *b, enum log_level level, const char *ts, const char *logger, const char *msg,
		       const struct log_field *fields, size_t n)
{
	const char *on = out.colour ? levels[level].colour : "", *off = out.colour ? "\033[0m" : "";

	buf_addf(b, "%s %s%-5s%s %s: %s", ts, on, levels[level].name, off, logger, msg);
	for (size_t i = 0; i < n; i++) {
		if (!fields[i].key)
			continue;
		buf_addf(b, " %s%s=%s", out.colour ? "\033[2m" : "", fields[i].key, off);
		add_value(b, &fields[i], fields[i].type == LOG_STR && needs_quotes(fields[i].s));
	}
	buf_char(b, '\n');
}

/* ---- out -------------------------------------------------------------------------------------------------------- */

/* Of a reader that stands still. The lock is held while a line is written: what poll(2) has found is ours to fill. */
static struct {
	pthread_mutex_t lock;
	uint64_t lines; /* lost since there was no room */
	bool cut;       /* the first of them has begun */
} lost = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A pipe, a socket or a terminal may have no room for ever; a file always has. */
static bool has_room(void)
{
	struct pollfd p = { .fd = out.fd, .events = POLLOUT };
	struct timespec patience = { .tv_nsec = lost.lines ? 0 : PATIENCE_MS * 1000000L };
	sigset_t all;

	sigfillset(&all); /* a wait that a signal ends says nothing about room */
	return out.fd < 0 || ppoll(&p, 1, &patience, &all) != 0;
}

/* So much fits where there is any room (pipe(7)). False: the rest did not fit. */
static bool put(struct str line)
{
	for (bool begun = false; line.n; begun = true) {
		ssize_t n;

		if (!has_room()) {
			lost.cut |= begun;
			return false;
		}
		n = write(out.fd, line.p, line.n < PIPE_BUF ? line.n : PIPE_BUF);
		if (n < 0 && errno != EINTR)
			return true; /* there is nobody left to tell */
		line = str_sub(line, n > 0 ? (size_t)n : 0, line.n);
	}
	return true;
}

/* One line; without its fields when they are too many. */
static void compose(struct buf *b, enum log_level level, const char *logger, const char *msg,
		    const struct log_field *fields, size_t n)
{
	char ts[CLOCK_RFC3339_MAX];

	clock_rfc3339(clock_wall_ms() * 1000000, ts);
	(out.text ? write_text : write_json)(b, level, ts, logger, msg, fields, n);
	if (b->err == E_LIMIT) {
		buf_clear(b);
		(out.text ? write_text : write_json)(b, level, ts, logger, msg, NULL, 0);
	}
}

/* There is room again: say what is missing. */
static bool tell_lost(void)
{
	const struct log_field fields[] = { LOG_U("lines", lost.lines) };
	struct buf b = { 0 };
	bool told;

	if (lost.cut)
		buf_char(&b, '\n');
	compose(&b, LOG_WARN, "log", "lines were lost: nobody read them", fields, ARRAY_LEN(fields));
	told = b.err != E_OK || put(buf_view(&b));
	buf_release(&b);
	if (told) {
		lost.lines = 0;
		lost.cut = false;
	}
	return told;
}

void log_write(enum log_level level, const char *logger, const char *msg, const struct log_field *fields, size_t n)
{
	struct buf b = { .max = 64 << 10 };

	if (!log_enabled(level))
		return;
	compose(&b, level, logger, msg, fields, n);
	pthread_mutex_lock(&lost.lock);
	if (b.err == E_OK && ((lost.lines && !tell_lost()) || !put(buf_view(&b))))
		lost.lines++;
	pthread_mutex_unlock(&lost.lock);
	buf_release(&b);
}
