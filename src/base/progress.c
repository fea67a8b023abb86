#include "base/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define FIRST_DRAW_MS 500
#define DRAW_MS       100
#define LINE_MS       10000
#define BAR_CELLS     24

void progress_start(struct progress *p, int fd, const char *label, const char *unit, uint64_t total)
{
	*p = (struct progress){ .fd = fd, .label = label, .unit = unit, .total = total };
	p->terminal = isatty(fd);
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

static void draw(struct progress *p, uint64_t now_ms)
{
	struct buf b = { .max = 1024 };

	if (p->terminal)
		buf_lit(&b, "\r\033[K"); /* ECMA-48: erase to the end of the line */
	buf_addf(&b, "%s:", p->label);
	if (p->terminal && p->total)
		add_bar(&b, p);
	add_numbers(&b, p, now_ms);
	if (!p->terminal)
		buf_char(&b, '\n');
	if (b.err == E_OK && write(p->fd, b.p, b.n) < 0) {
		/* Nobody can see it; the task goes on. */
	}
	buf_release(&b);
	p->drawn = p->terminal;
}

void progress_at(struct progress *p, uint64_t done)
{
	uint64_t now_ms = clock_mono_ms();

	p->done = p->total && done > p->total ? p->total : done;
	if (now_ms < p->due_ms)
		return;
	draw(p, now_ms);
	p->due_ms = now_ms + (p->terminal ? DRAW_MS : LINE_MS);
}

void progress_of(struct progress *p, uint64_t done, uint64_t total)
{
	p->total = total;
	progress_at(p, done);
}

void progress_clear(struct progress *p)
{
	static const char erase[] = "\r\033[K";

	if (p->drawn && write(p->fd, erase, sizeof(erase) - 1) < 0) {
		/* As above. */
	}
	p->drawn = false;
}
