#include "base/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/terminal.h"

#define FIRST_DRAW_MS 500
#define DRAW_MS       100
#define LINE_MS       10000
#define BAR_CELLS     24
#define BAR_COLUMNS   (BAR_CELLS + 3)
#define ERASE         "\r\033[K" /* ECMA-48: to the end of the line */

void progress_start(struct progress *p, int fd, const char *label, const char *unit, uint64_t total)
{
	*p = (struct progress){ .fd = fd, .label = label, .unit = unit, .total = total };
	p->terminal = terminal_draws(fd);
	p->start_ms = clock_mono_ms();
	p->due_ms = p->start_ms + (p->terminal ? FIRST_DRAW_MS : LINE_MS);
}

static bool is_bytes(const char *unit)
{
	return strcmp(unit, "bytes") == 0;
}

void progress_amount(struct buf *b, const char *unit, uint64_t amount)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double scaled = (double)amount;
	size_t i = 0;

	if (!is_bytes(unit)) {
		buf_u64(b, amount);
		return;
	}
	while (scaled >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
		scaled /= 1024;
		i++;
	}
	buf_addf(b, i ? "%.1f %s" : "%.0f %s", scaled, units[i]);
}

static void put(const struct progress *p, const struct buf *b)
{
	if (b->err == E_OK && write(p->fd, b->p, b->n) < 0) {
		/* Nobody can see it; the task goes on. */
	}
}

static unsigned cells(const struct progress *p)
{
	return (unsigned)((double)p->done / (double)p->total * BAR_CELLS);
}

static void add_bar(struct buf *b, const struct progress *p)
{
	unsigned full = cells(p);

	buf_lit(b, " [");
	for (unsigned i = 0; i < BAR_CELLS; i++)
		buf_char(b, i < full ? '#' : '.');
	buf_lit(b, "]");
}

/* "12/40 events, 30 %, 1200/s, 3 s left"; what is not known is left out. */
static void add_numbers(struct buf *b, const struct progress *p, uint64_t now_ms)
{
	double seconds = (double)(now_ms - p->start_ms) / 1000;
	double rate = seconds > 0 ? (double)p->done / seconds : 0;

	buf_char(b, ' ');
	progress_amount(b, p->unit, p->done);
	if (p->total) {
		buf_lit(b, " of ");
		progress_amount(b, p->unit, p->total);
	}
	if (!is_bytes(p->unit))
		buf_addf(b, " %s", p->unit);
	if (p->total)
		buf_addf(b, ", %u %%", (unsigned)((double)p->done * 100 / (double)p->total));
	if (rate >= 1) {
		buf_lit(b, ", ");
		progress_amount(b, p->unit, (uint64_t)rate);
		buf_lit(b, "/s");
	}
	if (p->total && rate > 0)
		buf_addf(b, ", %.0f s left", (double)(p->total - p->done) / rate);
}

static void write_line(const struct progress *p, struct str numbers)
{
	struct buf b = { .max = 1024 };

	buf_addf(&b, "%s:%.*s\n", p->label, STR_ARG(numbers));
	put(p, &b);
	buf_release(&b);
}

/* It must fit: what the terminal breaks into two lines would stay, and be there once more with each drawing. */
static void draw_line(const struct progress *p, struct str numbers)
{
	size_t columns = terminal_size(p->fd).ws_col;
	struct buf line = { .max = 1024 }, b = { .max = 1024 };

	buf_addf(&line, "%s:", p->label);
	if (p->total && line.n + BAR_COLUMNS + numbers.n < columns)
		add_bar(&line, p);
	buf_str(&line, numbers);
	buf_addf(&b, ERASE "%.*s", STR_ARG(str_sub(buf_view(&line), 0, columns ? columns - 1 : 0)));
	put(p, &b);
	buf_release(&line);
	buf_release(&b);
}

static void show(struct progress *p, uint64_t now_ms)
{
	struct buf numbers = { .max = 512 };

	add_numbers(&numbers, p, now_ms);
	(p->terminal ? draw_line : write_line)(p, buf_view(&numbers));
	p->drawn = p->terminal;
	buf_release(&numbers);
}

void progress_at(struct progress *p, uint64_t done)
{
	uint64_t now_ms = clock_mono_ms();

	p->done = p->total && done > p->total ? p->total : done;
	if (now_ms < p->due_ms)
		return;
	show(p, now_ms);
	p->due_ms = now_ms + (p->terminal ? DRAW_MS : LINE_MS);
}

void progress_of(struct progress *p, uint64_t done, uint64_t total)
{
	p->total = total;
	progress_at(p, done);
}

void progress_clear(struct progress *p)
{
	struct buf b = { 0 };

	buf_lit(&b, ERASE);
	if (p->drawn)
		put(p, &b);
	buf_release(&b);
	p->drawn = false;
}
