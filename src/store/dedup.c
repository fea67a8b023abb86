#include "store/dedup_disk.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define ROWS_AT_START 100000 /* rows a start may have to read: about 0.1 s */
#define GENS          8      /* generations in a window, at least */

struct dedup_fp dedup_fp(const struct dedup *d, int64_t route, struct str key)
{
	struct dedup_fp fp;
	uint64_t seed[4];

	for (uint64_t i = 0; i < 4; i++) {
		uint64_t label[2] = { (uint64_t)route, i };

		seed[i] = siphash(d->secret, (struct str){ (const char *)label, sizeof(label) });
	}
	fp.hi = siphash(&seed[0], key);
	fp.lo = siphash(&seed[2], key);
	if (fp.hi == 0)
		fp.hi = 1;
	return fp;
}

static int fp_cmp(struct dedup_fp a, struct dedup_fp b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* ---- recent: open addressing with linear probing -------------------------------------------------------------------- */

static struct dedup_entry *slot_of(struct dedup_entry *slots, size_t cap, struct dedup_fp fp)
{
	size_t at = fp.lo & (cap - 1);

	while (slots[at].fp.hi && fp_cmp(slots[at].fp, fp) != 0)
		at = (at + 1) & (cap - 1);
	return &slots[at];
}

static enum err grow(struct dedup *d, size_t cap)
{
	struct dedup_entry *slots = mem_array(cap, sizeof(*slots));

	if (!slots)
		return E_NOMEM;
	for (size_t i = 0; i < d->recent_cap; i++)
		if (d->recent[i].fp.hi)
			*slot_of(slots, cap, d->recent[i].fp) = d->recent[i];
	mem_free(d->recent);
	d->recent = slots;
	d->recent_cap = cap;
	return E_OK;
}

enum err dedup_reserve(struct dedup *d, size_t n)
{
	size_t cap = d->recent_cap ? d->recent_cap : DEDUP_FIRST_CAP;

	while ((d->recent_n + n) > cap / 4 * 3)
		cap *= 2;
	return cap == d->recent_cap ? E_OK : grow(d, cap);
}

void dedup_add(struct dedup *d, const struct dedup_entry *entry)
{
	struct dedup_entry *slot = slot_of(d->recent, d->recent_cap, entry->fp);

	if (!slot->fp.hi)
		d->recent_n++;
	assert(d->recent_n < d->recent_cap);
	*slot = *entry;
}

const struct dedup_entry *dedup_find_recent(const struct dedup *d, struct dedup_fp fp, int64_t now_ms)
{
	const struct dedup_entry *slot = d->recent_n ? slot_of(d->recent, d->recent_cap, fp) : NULL;

	return slot && slot->fp.hi && !dedup_too_old(d, slot->stored_ms, now_ms) ? slot : NULL;
}

/* ---- frozen: a sorted array ----------------------------------------------------------------------------------------- */

static int entry_cmp(const void *a, const void *b)
{
	return fp_cmp(((const struct dedup_entry *)a)->fp, ((const struct dedup_entry *)b)->fp);
}

static const struct dedup_entry *find_frozen(const struct dedup *d, struct dedup_fp fp, int64_t now_ms)
{
	struct dedup_entry key = { .fp = fp };
	const struct dedup_entry *hit = NULL;

	if (d->frozen_n)
		hit = bsearch(&key, d->frozen, d->frozen_n, sizeof(key), entry_cmp);
	return hit && !dedup_too_old(d, hit->stored_ms, now_ms) ? hit : NULL;
}

/* The used slots to the front, in order: the table becomes the array without another allocation. */
static void sort_recent(struct dedup *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->recent_cap; i++)
		if (d->recent[i].fp.hi)
			d->recent[n++] = d->recent[i];
	assert(n == d->recent_n);
	qsort(d->recent, n, sizeof(*d->recent), entry_cmp);
}

bool dedup_is_due(const struct dedup *d, uint64_t last)
{
	return d->recent_n >= d->recent_max || last - d->frozen_pos >= ROWS_AT_START;
}

/*
 * Is it full, an eighth of the window old, or that far in the future? A clock was wrong when it began then, and what joins it is kept
 * until that time.
 */
static bool is_closed(const struct dedup *d, const struct dedup_gen *gen, int64_t now_ms)
{
	int64_t age = now_ms - gen->first_ms;

	return gen->keys >= dedup_gen_full(d) || (age < 0 ? -age : age) >= (int64_t)(d->window_ms / GENS);
}

static void begin_gen(struct dedup *d, int64_t now_ms)
{
	int64_t last = d->gen_n ? d->gens[d->gen_n - 1].gen : 0;

	d->gens[d->gen_n++] = (struct dedup_gen){ .gen = last + 1, .first_ms = now_ms, .last_ms = now_ms };
}

static void choose_gen(struct dedup *d, int64_t now_ms)
{
	struct dedup_gen *newest;

	if (d->gen_n == 0 || (is_closed(d, &d->gens[d->gen_n - 1], now_ms) && d->gen_n < DEDUP_GENS_MAX))
		begin_gen(d, now_ms);
	newest = &d->gens[d->gen_n - 1];
	if (newest->last_ms < now_ms)
		newest->last_ms = now_ms;
	newest->keys += d->recent_n;
	newest->has_filter = false; /* it may have been made while there was a newer one */
	newest->filtered = (struct dedup_fp){ 0 };
	d->merge_gen = newest->gen;
}

void dedup_freeze(struct dedup *d, uint64_t last, int64_t now_ms)
{
	assert(!dedup_merging(d) && last >= d->frozen_pos);
	mem_free(d->frozen);
	d->frozen = NULL;
	if (d->recent_n) {
		sort_recent(d);
		choose_gen(d, now_ms);
		d->frozen = TAKE(d->recent);
	}
	mem_free(d->recent); /* room was made for keys that all turned out to be repeats, or whose group failed */
	d->frozen_n = d->recent_n;
	d->frozen_at = 0;
	d->frozen_pos = last;
	d->recent = NULL;
	d->recent_n = d->recent_cap = 0;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------ */

enum err dedup_find(struct dedup *d, struct dedup_fp fp, int64_t now_ms, struct why *why, bool *ret_found,
		    struct dedup_entry *ret_entry)
{
	const struct dedup_entry *hit = dedup_find_recent(d, fp, now_ms);

	if (!hit)
		hit = find_frozen(d, fp, now_ms);
	*ret_found = hit != NULL;
	if (!hit)
		return dedup_disk_find(d, fp, now_ms, why, ret_found, ret_entry);
	*ret_entry = *hit;
	return E_OK;
}

void dedup_release(struct dedup *d)
{
	mem_free(d->recent);
	mem_free(d->frozen);
	for (size_t i = 0; i < d->gen_n; i++)
		mem_free(d->gens[i].filter);
	*d = (struct dedup){ 0 };
}
