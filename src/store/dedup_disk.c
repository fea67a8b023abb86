#include "store/dedup_disk.h"

#include <assert.h>
#include <endian.h>

#include "base/mem.h"

#define MERGED_POS "dedup_merged_pos"
#define SAMPLE     1000 /* keys of a generation by which all of them are counted */

void dedup_bind_fp(sqlite3_stmt *stmt, int at, struct dedup_fp fp, uint64_t bytes[static 2])
{
	bytes[0] = htobe64(fp.hi); /* memcmp(3) order is fp_cmp() order: the array goes in as it is sorted */
	bytes[1] = htobe64(fp.lo);
	sqlite3_bind_blob(stmt, at, bytes, 16, SQLITE_STATIC);
}

enum err dedup_column_fp(sqlite3_stmt *stmt, int at, struct why *why, struct dedup_fp *ret_fp)
{
	struct str s = db_column(stmt, at);
	uint64_t bytes[2];

	if (s.n != sizeof(bytes))
		return why_set(why, E_CORRUPT, "a fingerprint of %zu bytes", s.n);
	memcpy(bytes, s.p, sizeof(bytes));
	*ret_fp = (struct dedup_fp){ be64toh(bytes[0]), be64toh(bytes[1]) };
	return E_OK;
}

static enum err find_in_gen(struct dedup *d, int64_t gen, struct dedup_fp fp, struct why *why, bool *ret_found,
			    struct dedup_entry *ret_entry)
{
	sqlite3_stmt *stmt = db_stmt(d->db, SQL_KEY_FIND);
	uint64_t bytes[2];

	sqlite3_bind_int64(stmt, 1, gen);
	dedup_bind_fp(stmt, 2, fp, bytes);
	*ret_found = db_row(d->db, SQL_KEY_FIND);
	if (*ret_found) {
		ret_entry->fp = fp;
		ret_entry->pos = (uint64_t)sqlite3_column_int64(stmt, 0);
		ret_entry->stored_ms = sqlite3_column_int64(stmt, 1);
	}
	return db_done(d->db, SQL_KEY_FIND, why);
}

enum err dedup_disk_find(struct dedup *d, struct dedup_fp fp, int64_t now_ms, struct why *why, bool *ret_found,
			 struct dedup_entry *ret_entry)
{
	for (size_t i = d->gen_n; i-- > 0;) {
		enum err err;

		if (dedup_too_old(d, d->gens[i].last_ms, now_ms) || !dedup_filter_passes(d, &d->gens[i], fp))
			continue;
		err = find_in_gen(d, d->gens[i].gen, fp, why, ret_found, ret_entry);
		if (err != E_OK)
			return err;
		if (*ret_found) {
			*ret_found = !dedup_too_old(d, ret_entry->stored_ms, now_ms);
			return E_OK;
		}
	}
	return E_OK;
}

static enum err write_gen(struct dedup *d, struct why *why)
{
	const struct dedup_gen *newest = &d->gens[d->gen_n - 1];
	sqlite3_stmt *stmt = db_stmt(d->db, SQL_GEN_SET);

	sqlite3_bind_int64(stmt, 1, newest->gen);
	sqlite3_bind_int64(stmt, 2, newest->first_ms);
	sqlite3_bind_int64(stmt, 3, newest->last_ms);
	return db_run(d->db, SQL_GEN_SET, why);
}

static enum err write_key(struct dedup *d, const struct dedup_entry *entry, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(d->db, SQL_KEY_ADD);
	uint64_t bytes[2];

	sqlite3_bind_int64(stmt, 1, d->merge_gen);
	dedup_bind_fp(stmt, 2, entry->fp, bytes);
	sqlite3_bind_int64(stmt, 3, (int64_t)entry->pos);
	sqlite3_bind_int64(stmt, 4, entry->stored_ms);
	return db_run(d->db, SQL_KEY_ADD, why);
}

static enum err merge(struct dedup *d, size_t keys, struct why *why)
{
	enum err err = E_OK;

	if (d->frozen_at == 0 && d->frozen_n)
		err = write_gen(d, why);
	for (; err == E_OK && keys && d->frozen_at < d->frozen_n; keys--)
		err = write_key(d, &d->frozen[d->frozen_at++], why);
	if (err != E_OK || d->frozen_at < d->frozen_n)
		return err;
	mem_free(TAKE(d->frozen));
	d->frozen_n = d->frozen_at = 0;
	d->merged_pos = d->frozen_pos;
	return db_setting_set(d->db, MERGED_POS, (int64_t)d->merged_pos, why);
}

/* The first generation that may go; gen_n: none. It is the oldest, but when the clock had been wrong. */
static size_t find_old_gen(const struct dedup *d, int64_t now_ms)
{
	size_t i = 0;

	while (i < d->gen_n &&
	       (!dedup_too_old(d, d->gens[i].last_ms, now_ms) || (dedup_merging(d) && d->gens[i].gen == d->merge_gen)))
		i++;
	return i;
}

static enum err forget_gen(struct dedup *d, size_t i, struct why *why)
{
	sqlite3_bind_int64(db_stmt(d->db, SQL_GEN_REMOVE), 1, d->gens[i].gen);
	mem_free(d->gens[i].filter);
	d->gen_n--;
	memmove(&d->gens[i], &d->gens[i + 1], (d->gen_n - i) * sizeof(d->gens[0]));
	return db_run(d->db, SQL_GEN_REMOVE, why);
}

static enum err prune(struct dedup *d, size_t i, size_t keys, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(d->db, SQL_KEY_PRUNE);
	enum err err;

	sqlite3_bind_int64(stmt, 1, d->gens[i].gen);
	sqlite3_bind_int64(stmt, 2, (int64_t)keys - 1);
	err = db_run(d->db, SQL_KEY_PRUNE, why);
	if (err == E_OK && (size_t)sqlite3_changes64(d->db->handle) < keys)
		err = forget_gen(d, i, why);
	return err;
}

bool dedup_busy(const struct dedup *d, int64_t now_ms)
{
	return dedup_merging(d) || find_old_gen(d, now_ms) < d->gen_n || dedup_filter_due(d);
}

enum err dedup_step(struct dedup *d, size_t keys, int64_t now_ms, struct why *why)
{
	enum err err = E_OK;
	size_t old;

	assert(keys > 0);
	if (dedup_merging(d))
		err = merge(d, keys, why);
	if (err != E_OK)
		return err;
	old = find_old_gen(d, now_ms);
	if (old < d->gen_n)
		return prune(d, old, keys, why);
	return dedup_filter_due(d) ? dedup_filter_step(d, why) : E_OK;
}

/* ---- at open -------------------------------------------------------------------------------------------------------- */

static enum err load_secret(struct dedup *d, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(d->db, SQL_SETTING_GET);
	struct str secret = { 0 };
	enum err err;

	sqlite3_bind_text(stmt, 1, "dedup_secret", -1, SQLITE_STATIC);
	if (db_row(d->db, SQL_SETTING_GET))
		secret = db_column(stmt, 0);
	if (secret.n == sizeof(d->secret))
		memcpy(d->secret, secret.p, secret.n);
	err = db_done(d->db, SQL_SETTING_GET, why);
	if (err == E_OK && (d->secret[0] | d->secret[1]) == 0)
		return why_set(why, E_CORRUPT, "the setting dedup_secret is missing");
	return err;
}

static enum err load_gens(struct dedup *d, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(d->db, SQL_GEN_ALL);

	while (d->gen_n < DEDUP_GENS_MAX && db_row(d->db, SQL_GEN_ALL))
		d->gens[d->gen_n++] = (struct dedup_gen){
			.gen = sqlite3_column_int64(stmt, 0),
			.first_ms = sqlite3_column_int64(stmt, 1),
			.last_ms = sqlite3_column_int64(stmt, 2),
		};
	return db_done(d->db, SQL_GEN_ALL, why);
}

/* Fingerprints lie evenly: how far the first of them reach says how many there are. Fewer than those count as none. */
static enum err estimate_keys(struct dedup *d, struct dedup_gen *gen, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(d->db, SQL_KEY_NTH);
	struct dedup_fp fp = { 0 };
	enum err err = E_OK, read;

	sqlite3_bind_int64(stmt, 1, gen->gen);
	sqlite3_bind_int64(stmt, 2, SAMPLE);
	if (db_row(d->db, SQL_KEY_NTH))
		err = dedup_column_fp(stmt, 0, why, &fp);
	if (fp.hi)
		gen->keys = (uint64_t)(SAMPLE / ((double)fp.hi / (double)UINT64_MAX));
	read = db_done(d->db, SQL_KEY_NTH, why);
	return err == E_OK ? read : err;
}

/* Whether it is too old is asked when it is looked for: nobody knows yet whether the clock is right. */
static enum err load_row(struct dedup *d, sqlite3_stmt *stmt)
{
	struct str key = db_column(stmt, 3);
	struct dedup_entry entry = {
		.pos = (uint64_t)sqlite3_column_int64(stmt, 0),
		.stored_ms = sqlite3_column_int64(stmt, 1),
	};
	enum err err;

	if (!key.n || !d->window_ms)
		return E_OK;
	err = dedup_reserve(d, 1);
	if (err != E_OK)
		return err;
	entry.fp = dedup_fp(d, sqlite3_column_int64(stmt, 2), key);
	dedup_add(d, &entry);
	return E_OK;
}

/* Keys of the rows after `*pos`, until there are no more or `recent` is full; `*pos` becomes the last row seen. */
static enum err load_some(struct dedup *d, uint64_t *pos, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(d->db, SQL_KEY_RECENT);
	enum err err = E_OK;
	enum err read;

	sqlite3_bind_int64(stmt, 1, (int64_t)*pos);
	while (err == E_OK && d->recent_n < d->recent_max && db_row(d->db, SQL_KEY_RECENT)) {
		*pos = (uint64_t)sqlite3_column_int64(stmt, 0);
		err = load_row(d, stmt);
	}
	read = db_done(d->db, SQL_KEY_RECENT, why);
	return err != E_OK ? why_set(why, err, "read recent keys") : read;
}

static enum err merge_all(struct dedup *d, uint64_t pos, int64_t now_ms, struct why *why)
{
	enum err err = db_run(d->db, SQL_BEGIN, why);

	if (err != E_OK)
		return err;
	dedup_freeze(d, pos, now_ms);
	err = merge(d, SIZE_MAX, why);
	if (err == E_OK)
		err = db_run(d->db, SQL_COMMIT, why);
	return err;
}

static enum err load_recent(struct dedup *d, uint64_t last, int64_t now_ms, struct why *why)
{
	uint64_t pos = d->merged_pos;

	for (;;) {
		enum err err = load_some(d, &pos, why);

		if (err != E_OK || d->recent_n < d->recent_max || pos >= last)
			return err;
		err = merge_all(d, pos, now_ms, why);
		if (err != E_OK)
			return err;
	}
}

/* Half of the memory each for recent and frozen, recent in a power of two of slots, three quarters used. */
static size_t keys_for(size_t memory)
{
	size_t cap = DEDUP_FIRST_CAP;

	while (cap * 2 * sizeof(struct dedup_entry) <= memory / 2)
		cap *= 2;
	return cap / 4 * 3;
}

enum err dedup_open(struct dedup *d, struct db *db, size_t memory, uint64_t window_ms, uint64_t last, int64_t now_ms,
		    struct why *why)
{
	int64_t merged = 0;
	enum err err;

	*d = (struct dedup){ .db = db, .window_ms = window_ms, .recent_max = keys_for(memory) };
	err = load_secret(d, why);
	if (err == E_OK)
		err = load_gens(d, why);
	for (size_t i = 0; i < d->gen_n && err == E_OK; i++)
		err = estimate_keys(d, &d->gens[i], why);
	if (err == E_OK)
		err = db_setting(db, MERGED_POS, why, &merged);
	d->merged_pos = d->frozen_pos = (uint64_t)merged < last ? (uint64_t)merged : last;
	if (err == E_OK)
		err = load_recent(d, last, now_ms, why);
	return err;
}
