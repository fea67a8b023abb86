#include "store/positions.h"

#include "base/mem.h"

void positions_init(struct positions *p)
{
	*p = (struct positions){ 0 };
	pthread_mutex_init(&p->lock, NULL);
}

void positions_release(struct positions *p)
{
	while (p->first) {
		struct position *next = p->first->next;

		mem_free(p->first);
		p->first = next;
	}
	pthread_mutex_destroy(&p->lock);
}

/* The bus's entry, made when missing; NULL without memory. */
static struct position *entry_of(struct positions *p, const char *bus)
{
	size_t n = strlen(bus);
	struct position *entry = p->first;

	while (entry && strcmp(entry->bus, bus) != 0)
		entry = entry->next;
	if (entry)
		return entry;
	entry = mem_alloc(sizeof(*entry) + n + 1);
	if (!entry)
		return NULL;
	memcpy(entry->bus, bus, n + 1);
	entry->next = p->first;
	p->first = entry;
	return entry;
}

enum err positions_load(struct positions *p, struct db *db, uint64_t last, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_BUS_ALL);
	bool lacks_memory = false;
	enum err err;

	pthread_mutex_lock(&p->lock);
	while (!lacks_memory && db_row(db, SQL_BUS_ALL)) {
		const char *bus = (const char *)sqlite3_column_text(stmt, 0);
		uint64_t pos = (uint64_t)sqlite3_column_int64(stmt, 1);
		struct position *entry = bus ? entry_of(p, bus) : NULL;

		lacks_memory = !entry;
		if (entry && entry->pos < pos) /* at a reopening memory is ahead of the disk */
			entry->pos = pos < last ? pos : last;
	}
	pthread_mutex_unlock(&p->lock);
	err = db_done(db, SQL_BUS_ALL, why);
	return lacks_memory ? why_set(why, E_NOMEM, "read positions") : err;
}

enum err positions_get(struct positions *p, const char *bus, uint64_t *ret_pos)
{
	struct position *entry;

	pthread_mutex_lock(&p->lock);
	entry = entry_of(p, bus);
	if (entry) {
		entry->in_use = true;
		*ret_pos = entry->pos;
	}
	pthread_mutex_unlock(&p->lock);
	return entry ? E_OK : E_NOMEM;
}

bool positions_set(struct positions *p, const char *bus, uint64_t pos)
{
	struct position *entry;
	bool first = false;

	pthread_mutex_lock(&p->lock);
	entry = entry_of(p, bus);
	if (entry)
		entry->in_use = true;
	if (entry && pos > entry->pos) {
		entry->pos = pos;
		entry->dirty = true;
		first = !p->dirty;
		p->dirty = true;
	}
	pthread_mutex_unlock(&p->lock);
	return first;
}

bool positions_dirty(struct positions *p)
{
	bool dirty;

	pthread_mutex_lock(&p->lock);
	dirty = p->dirty;
	pthread_mutex_unlock(&p->lock);
	return dirty;
}

static enum err write_one(struct position *entry, struct db *db, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_BUS_SET);

	sqlite3_bind_text(stmt, 1, entry->bus, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (int64_t)entry->pos);
	return db_run(db, SQL_BUS_SET, why);
}

enum err positions_write(struct positions *p, struct db *db, struct why *why)
{
	enum err err = E_OK;

	pthread_mutex_lock(&p->lock);
	for (struct position *e = p->dirty ? p->first : NULL; e && err == E_OK; e = e->next) {
		if (!e->dirty)
			continue;
		err = write_one(e, db, why);
		e->dirty = err != E_OK;
	}
	p->dirty = err != E_OK;
	pthread_mutex_unlock(&p->lock);
	return err;
}

void positions_unwritten(struct positions *p)
{
	pthread_mutex_lock(&p->lock);
	for (struct position *e = p->first; e; e = e->next)
		e->dirty = e->pos > 0;
	p->dirty = p->first != NULL;
	pthread_mutex_unlock(&p->lock);
}

uint64_t positions_forwarded(struct positions *p)
{
	uint64_t least = UINT64_MAX;

	pthread_mutex_lock(&p->lock);
	for (const struct position *e = p->first; e; e = e->next)
		if (e->in_use && e->pos < least)
			least = e->pos;
	pthread_mutex_unlock(&p->lock);
	return least == UINT64_MAX ? 0 : least;
}
