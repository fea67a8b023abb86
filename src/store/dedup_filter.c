/*
 * dedup_filter.c -- Bloom filters in memory: most keys that a full generation does not have need not be looked for in it.
 */
#include "base/mem.h"
#include "store/dedup_disk.h"

#define BITS_A_KEY 6
#define HASHES     4
#define SLICE      4096 /* keys looked through in a transaction: some ms */

/* The fingerprint is as good as random, so four parts of it are four hashes. */
static uint64_t bit_of(const struct dedup *d, struct dedup_fp fp, int hash)
{
	uint64_t word = hash & 1 ? fp.hi : fp.lo;
	uint64_t part = hash & 2 ? word >> 32 : word & UINT32_MAX;

	return (uint64_t)((__uint128_t)part * (dedup_gen_full(d) * BITS_A_KEY) >> 32);
}

bool dedup_filter_passes(const struct dedup *d, const struct dedup_gen *gen, struct dedup_fp fp)
{
	for (int i = 0; gen->has_filter && i < HASHES; i++) {
		uint64_t bit = bit_of(d, fp, i);

		if (!(gen->filter[bit / 8] & 1u << bit % 8))
			return false;
	}
	return true;
}

static void add(const struct dedup *d, struct dedup_gen *gen, struct dedup_fp fp)
{
	for (int i = 0; i < HASHES; i++) {
		uint64_t bit = bit_of(d, fp, i);

		gen->filter[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
	gen->filtered = fp;
}

/* Nothing comes into one that is not the newest. How many keys it has is estimated after a start. */
static size_t find_due(const struct dedup *d)
{
	size_t i = 0;

	while (i + 1 < d->gen_n && (d->gens[i].has_filter || d->gens[i].keys < dedup_gen_full(d) / 2))
		i++;
	return i;
}

bool dedup_filter_due(const struct dedup *d)
{
	return find_due(d) + 1 < d->gen_n;
}

static enum err scan(struct dedup *d, struct dedup_gen *gen, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(d->db, SQL_KEY_SCAN);
	uint64_t bytes[2];
	struct dedup_fp fp;
	enum err err = E_OK, read;
	int n = 0;

	sqlite3_bind_int64(stmt, 1, gen->gen);
	dedup_bind_fp(stmt, 2, gen->filtered, bytes);
	sqlite3_bind_int64(stmt, 3, SLICE);
	for (; err == E_OK && db_row(d->db, SQL_KEY_SCAN); n++) {
		err = dedup_column_fp(stmt, 0, why, &fp);
		if (err == E_OK)
			add(d, gen, fp);
	}
	read = db_done(d->db, SQL_KEY_SCAN, why);
	gen->has_filter = n < SLICE;
	return err == E_OK ? read : err;
}

enum err dedup_filter_step(struct dedup *d, struct why *why)
{
	struct dedup_gen *gen = &d->gens[find_due(d)];

	if (!gen->filter)
		gen->filter = mem_alloc(dedup_gen_full(d) * BITS_A_KEY / 8 + 1);
	return gen->filter ? scan(d, gen, why) : why_set(why, E_NOMEM, "filter of keys");
}
