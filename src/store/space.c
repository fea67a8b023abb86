#include "store/space.h"

#define LOOK_EVERY (1u << 20) /* bytes added; two small statements a look */

static enum err pages(struct db *db, unsigned sql, struct why *why, int64_t *ret_pages)
{
	if (db_row(db, sql))
		*ret_pages = sqlite3_column_int64(db_stmt(db, sql), 0);
	return db_done(db, sql, why);
}

enum err space_measure(struct space *s, struct db *db, struct why *why)
{
	int64_t all = 0;
	int64_t unused = 0;
	int64_t size = 0;
	enum err err = pages(db, SQL_PAGES, why, &all);

	if (err == E_OK)
		err = pages(db, SQL_PAGES_FREE, why, &unused);
	if (err == E_OK)
		err = pages(db, SQL_PAGE_SIZE, why, &size);
	if (err != E_OK)
		return err;
	s->measured = (uint64_t)((all - unused) * size);
	s->added = 0;
	s->freed = false;
	return E_OK;
}

bool space_is_stale(const struct space *s)
{
	uint64_t every = s->max && s->max / 64 < LOOK_EVERY ? s->max / 64 : LOOK_EVERY;

	return s->freed || s->added >= every;
}

static bool over(const struct space *s, unsigned percent)
{
	return space_used(s) / percent >= s->max / 100;
}

enum store_state space_update(struct space *s)
{
	if (!s->max)
		return s->state = STORE_OK;
	if (space_used(s) >= s->max || (s->state == STORE_FULL && over(s, 95)))
		return s->state = STORE_FULL;
	if (over(s, 85) || (s->state != STORE_OK && over(s, 80)))
		return s->state = STORE_NEARLY_FULL;
	return s->state = STORE_OK;
}
