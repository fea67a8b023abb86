#include "base/mem.h"
#include "base/rand.h"
#include "base/seed.h"
#include "sim_sync.h"

uint64_t sim_random(struct sim *s)
{
	return seed_next(&s->random);
}

uint64_t sim_below(struct sim *s, uint64_t n)
{
	return sim_random(s) % n;
}

bool sim_once_in(struct sim *s, unsigned n)
{
	return sim_random(s) % n == 0;
}

/* ---- in place of base/rand.c: what it gives decides about orders, and a run must be repeatable ------------------- */

static uint64_t kernel;

void sim_seed_kernel(uint64_t seed)
{
	kernel = seed;
}

void rand_bytes(void *p, size_t n)
{
	unsigned char *to = p;

	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)seed_next(&kernel);
}

uint64_t rand_u64(void)
{
	return seed_next(&kernel);
}

void rand_uuid_hex(char ret_hex[static 33])
{
	for (int i = 0; i < 32; i++)
		ret_hex[i] = "0123456789abcdef"[seed_next(&kernel) & 15];
	ret_hex[32] = 0;
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

static long failing; /* the allocation from now that fails; 0: none */

static void fail(long n)
{
	if (failing || n)
		mem_fail_at(n);
	failing = n;
}

void sim_enter(struct sim *s)
{
	fail(s->poor && !s->healed && sim_once_in(s, 20) ? 1 + (long)sim_below(s, 1 + sim_below(s, 40)) : 0);
}

void sim_leave(void)
{
	fail(0);
}

long sim_pause(void)
{
	long left = failing > mem_count() ? failing - mem_count() : 0;

	fail(0);
	return left;
}

void sim_resume(const long *left)
{
	fail(*left);
}

/* ---- what happens later ------------------------------------------------------------------------------------------- */

/* Those of one time happen in the order in which they were asked for. */
#define ORDER_BITS 32

void sim_later(struct sim *s, uint64_t delay_ms, const struct happening *what)
{
	struct happening *h = sim_alloc(s, sizeof(*h));

	*h = *what;
	h->node = (struct heap_node){ 0 };
	if (heap_put(&s->happenings, &h->node, (s->now + delay_ms) << ORDER_BITS | (++s->order & UINT32_MAX)) != E_OK)
		sim_broken(s, "no memory");
}

#define COUNT_EVERY 64 /* steps: it takes six times as long as one */

static void count_all(struct sim *s)
{
	if (s->steps % COUNT_EVERY && !s->trace)
		return;
	count_end(&s->principal);
	for (int i = 0; i < SIM_AGENTS; i++)
		count_end(&s->agents[i].end);
}

void sim_step(struct sim *s)
{
	struct heap_node *node = heap_first(&s->happenings);
	struct happening *h;

	if (!node)
		sim_broken(s, "nothing will ever happen any more");
	s->steps++;
	h = CONTAINER_OF(node, struct happening, node);
	s->now = node->key >> ORDER_BITS;
	heap_remove(&s->happenings, node);
	if (!h->end || h->end->life == h->life)
		h->run(s, h);
	mem_free(h);
	count_all(s);
}

static void run_task(struct sim *s, struct happening *h)
{
	struct memory_task *task = h->data;

	(void)s;
	task->run(task);
}

/* Those of a crashed backend run as well: it is freed by the last. */
static void after(void *ctx, struct memory_task *task, uint64_t delay_ms)
{
	sim_later(ctx, delay_ms, &(struct happening){ .run = run_task, .data = task });
}

const struct memory_clock sim_memory_clock = { .after = after };

void sim_forget_happenings(struct sim *s)
{
	struct heap_node *node;

	while ((node = heap_first(&s->happenings))) {
		struct happening *h = CONTAINER_OF(node, struct happening, node);

		heap_remove(&s->happenings, node);
		if (h->run == run_task)
			run_task(s, h);
		mem_free(h);
	}
	heap_release(&s->happenings);
}
