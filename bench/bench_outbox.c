/*
 * bench_outbox -- ns of the outbox per event, by how many wait.
 *
 * Shape     for each number of waiting resources: rounds in which resources become new, change while they wait, and are
 *           sent and confirmed, so that the number stays the same; medians. A table for people, then one line of JSON.
 *           The targets are 10^5 and 10^6 within 1.5 times of 10^3.
 */
#include <stdio.h>

#include "base/clock.h"
#include "delivery/outbox.h"

#define ROUNDS 15
#define EVENTS 20000 /* a round */
#define WINDOW 256   /* in flight */

static const uint32_t sizes[] = { 1000, 100000, 1000000 };
#define SIZES ARRAY_LEN(sizes)

enum work { DELIVER, CHANGE, WORKS };

static const char *const works[WORKS][2] = {
	[DELIVER] = { "deliver", "a new event: add, take, sent, confirmed" },
	[CHANGE] = { "change", "a newer version of one that waits" },
};

static struct blob *body;

struct box {
	struct outbox *o;
	uint32_t next; /* name of the next new resource */
	uint64_t now;
};

static void add(struct box *b, uint32_t i, uint64_t version)
{
	char name[24], id[64], event_id[96];
	struct delivery_event e = {
		.type = DELIVERY_SPEC, .kind = STR("Application"), .namespace = STR("argocd"), .bytes = body
	};

	e.name = (struct str){ name, (size_t)snprintf(name, sizeof(name), "app-%u", i) };
	e.resource_id = (struct str){ id, (size_t)snprintf(id, sizeof(id), "app-%u_4bb5a7d1-2f6e-%08x", i, i) };
	e.event_id = (struct str){ event_id, (size_t)snprintf(event_id, sizeof(event_id), "%s_%llu", id,
							      (unsigned long long)version) };
	if (outbox_add(b->o, &e, b->now) != E_OK)
		abort();
}

/* Take and send a window's worth, then confirm it: as many as `n` in all. */
static void deliver(struct box *b, uint32_t n)
{
	static char ids[WINDOW][2][96];
	struct outbox_frame f;

	for (uint32_t done = 0; done < n;) {
		uint32_t taken = 0;

		for (; taken < WINDOW && outbox_take(b->o, b->now, &f); taken++) {
			(void)snprintf(ids[taken][0], 96, "%.*s", STR_ARG(f.resource_id));
			(void)snprintf(ids[taken][1], 96, "%.*s", STR_ARG(f.event_id));
			outbox_sent(b->o, f.order, b->now, f.order * 0x9e3779b97f4a7c15ULL);
		}
		for (uint32_t i = 0; i < taken; i++) {
			struct delivery_answer a = { .outcome = DELIVERY_APPLIED,
						     .resource_id = str_of(ids[i][0]),
						     .event_id = str_of(ids[i][1]) };

			add(b, b->next++, 1);
			if (outbox_answer(b->o, 1, &a, b->now, i, NULL) != OUTBOX_CONFIRMED)
				abort();
		}
		b->now++;
		done += taken;
	}
}

static void change(struct box *b, uint32_t n, uint32_t waiting)
{
	static uint64_t version = 1;

	for (uint32_t i = 0; i < n; i++) {
		version++;
		add(b, b->next - 1 - (uint32_t)(version * 7919 % (waiting / 2)), version);
	}
}

static double time_one(struct box *b, enum work work, uint32_t waiting)
{
	uint64_t from = clock_mono_ns();

	if (work == DELIVER)
		deliver(b, EVENTS);
	else
		change(b, EVENTS, waiting);
	return (double)(clock_mono_ns() - from) / EVENTS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void fill(struct box *b, uint32_t waiting)
{
	struct outbox_options options = outbox_defaults;

	options.entries_max = waiting + 2 * WINDOW;
	options.bytes_max = 1ULL << 40;
	options.window_events = WINDOW;
	b->o = outbox_new(&options, 0);
	if (!b->o || outbox_connected(b->o, 1) != E_OK)
		abort();
	while (b->next < waiting)
		add(b, b->next++, 1);
}

static void print(double ns[WORKS][SIZES])
{
	printf("%-42s %9s %9s %9s %7s\n", "outbox, ns an event by what waits", "1,000", "100,000", "1,000,000",
	       "ratio");
	for (size_t w = 0; w < WORKS; w++)
		printf("%-42s %9.0f %9.0f %9.0f %7.2f\n", works[w][1], ns[w][0], ns[w][1], ns[w][2],
		       ns[w][2] / ns[w][0]);
	printf("{\"bench\":\"outbox\",\"rounds\":%d,\"ns\":{", ROUNDS);
	for (size_t w = 0; w < WORKS; w++) {
		printf("%s\"%s\":{", w ? "," : "", works[w][0]);
		for (size_t s = 0; s < SIZES; s++)
			printf("%s\"%u\":%.0f", s ? "," : "", sizes[s], ns[w][s]);
		printf("}");
	}
	printf("}}\n");
}

int main(void)
{
	static double rounds[WORKS][SIZES][ROUNDS], ns[WORKS][SIZES];
	struct box boxes[SIZES] = { 0 };

	body = blob_new(STR("{\"metadata\":{\"name\":\"guestbook\"}}"));
	if (!body)
		return 1;
	for (size_t s = 0; s < SIZES; s++)
		fill(&boxes[s], sizes[s]);
	for (size_t r = 0; r < ROUNDS; r++)
		for (size_t s = 0; s < SIZES; s++)
			for (enum work w = 0; w < WORKS; w++)
				rounds[w][s][r] = time_one(&boxes[s], w, sizes[s]);
	for (size_t w = 0; w < WORKS; w++)
		for (size_t s = 0; s < SIZES; s++) {
			qsort(rounds[w][s], ROUNDS, sizeof(double), by_value);
			ns[w][s] = rounds[w][s][ROUNDS / 2];
		}
	print(ns);
	for (size_t s = 0; s < SIZES; s++)
		outbox_free(boxes[s].o);
	blob_unref(body);
	return 0;
}
