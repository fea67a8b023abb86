#include "store/positions.h"

#include "base/mem.h"

void positions_init(struct positions *p)
{
	*p = (struct positions){ 0 };
	pthread_mutex_init(&p->lock, NULL);
}

static void held_free(struct held *held)
{
	while (held) {
		struct held *next = held->next;

		mem_free(held);
		held = next;
	}
}

static void position_free(struct position *entry)
{
	if (!entry)
		return;
	held_free(entry->held);
	mem_free(entry);
}

DEFINE_FREEP(position, struct position, position_free)

void positions_release(struct positions *p)
{
	while (p->first) {
		struct position *next = p->first->next;

		position_free(p->first);
		p->first = next;
	}
	pthread_mutex_destroy(&p->lock);
}

static struct position *find(struct positions *p, const char *bus)
{
	struct position *entry = p->first;

	while (entry && strcmp(entry->bus, bus) != 0)
		entry = entry->next;
	return entry;
}

static struct position *position_new(const char *bus)
{
	size_t n = strlen(bus);
	struct position *entry = mem_alloc(sizeof(*entry) + n + 1);

	if (entry)
		memcpy(entry->bus, bus, n + 1);
	return entry;
}

static void add(struct positions *p, struct position *entry)
{
	entry->next = p->first;
	p->first = entry;
}

/* The bus's entry, made when missing; NULL without memory. */
static struct position *entry_of(struct positions *p, const char *bus)
{
	struct position *entry = find(p, bus);

	if (entry)
		return entry;
	entry = position_new(bus);
	if (entry)
		add(p, entry);
	return entry;
}

/* ---- exceptions ------------------------------------------------------------------------------------------------------ */

static struct str text_at(char *to, struct str s)
{
	if (s.n)
		memcpy(to, s.p, s.n);
	return (struct str){ to, s.n };
}

static struct held *held_new(const struct store_held *is)
{
	struct held *held = mem_alloc(sizeof(*held) + is->source.n + is->name.n);

	if (!held)
		return NULL;
	held->is = *is;
	held->is.source = text_at(held->text, is->source);
	held->is.name = text_at(held->text + is->source.n, is->name);
	return held;
}

/* False without memory. */
static bool held_copy(const struct store_held *held, size_t n, struct held **ret_first)
{
	struct held *first = NULL;

	for (size_t i = n; i-- > 0;) {
		struct held *one = held_new(&held[i]);

		if (!one) {
			held_free(first);
			return false;
		}
		one->next = first;
		first = one;
	}
	*ret_first = first;
	return true;
}

static bool same(const struct held *have, const struct store_held *held, size_t n)
{
	for (size_t i = 0; i < n; i++, have = have->next)
		if (!have || !str_eq(have->is.source, held[i].source) || !str_eq(have->is.name, held[i].name) ||
		    have->is.forwarded != held[i].forwarded || have->is.waiting != held[i].waiting)
			return false;
	return !have;
}

static enum err load_held(struct position *entry, struct db *db, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_HELD_OF);
	struct held **end = &entry->held;
	bool lacks_memory = false;
	enum err err;

	sqlite3_bind_text(stmt, 1, entry->bus, -1, SQLITE_STATIC);
	while (!lacks_memory && db_row(db, SQL_HELD_OF)) {
		struct store_held is = {
			.source = db_column(stmt, 0),
			.name = db_column(stmt, 1),
			.forwarded = (uint64_t)sqlite3_column_int64(stmt, 2),
			.waiting = (uint64_t)sqlite3_column_int64(stmt, 3),
		};

		*end = held_new(&is);
		lacks_memory = !*end;
		if (*end)
			end = &(*end)->next;
	}
	err = db_done(db, SQL_HELD_OF, why);
	return lacks_memory ? why_set(why, E_NOMEM, "read positions") : err;
}

static enum err write_held(const struct position *entry, struct db *db, struct why *why)
{
	enum err err;

	sqlite3_bind_text(db_stmt(db, SQL_HELD_CLEAR), 1, entry->bus, -1, SQLITE_STATIC);
	err = db_run(db, SQL_HELD_CLEAR, why);
	for (const struct held *held = entry->held; held && err == E_OK; held = held->next) {
		sqlite3_stmt *stmt = db_stmt(db, SQL_HELD_ADD);

		sqlite3_bind_text(stmt, 1, entry->bus, -1, SQLITE_STATIC);
		sqlite3_bind_text64(stmt, 2, held->is.source.p, held->is.source.n, SQLITE_STATIC, SQLITE_UTF8);
		sqlite3_bind_text64(stmt, 3, held->is.name.p, held->is.name.n, SQLITE_STATIC, SQLITE_UTF8);
		sqlite3_bind_int64(stmt, 4, (int64_t)held->is.forwarded);
		sqlite3_bind_int64(stmt, 5, (int64_t)held->is.waiting);
		err = db_run(db, SQL_HELD_ADD, why);
	}
	return err;
}

/* ---- positions ------------------------------------------------------------------------------------------------------- */

/* At a reopening memory is ahead of the disk. */
static enum err load_one(struct positions *p, struct db *db, const char *bus, uint64_t pos, struct why *why)
{
	CLEANUP(position_freep) struct position *entry = NULL;
	enum err err;

	if (find(p, bus))
		return E_OK;
	entry = position_new(bus);
	if (!entry)
		return why_set(why, E_NOMEM, "read positions");
	entry->pos = pos;
	err = load_held(entry, db, why);
	if (err == E_OK)
		add(p, TAKE(entry));
	return err;
}

enum err positions_load(struct positions *p, struct db *db, uint64_t last, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_BUS_ALL);
	enum err err = E_OK, end;

	pthread_mutex_lock(&p->lock);
	while (err == E_OK && db_row(db, SQL_BUS_ALL)) {
		bool is_whole = sqlite3_column_type(stmt, 0) == SQLITE_TEXT;
		const char *bus = (const char *)sqlite3_column_text(stmt, 0);
		uint64_t pos = (uint64_t)sqlite3_column_int64(stmt, 1);

		if (bus)
			err = load_one(p, db, bus, pos < last ? pos : last, why);
		else
			err = is_whole ? why_set(why, E_NOMEM, "read positions")
				       : why_set(why, E_CORRUPT, "table buses: a row without a name");
	}
	pthread_mutex_unlock(&p->lock);
	end = db_done(db, SQL_BUS_ALL, err == E_OK ? why : NULL);
	return err == E_OK ? end : err;
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

enum err positions_each_held(struct positions *p, const char *bus,
			     enum err (*on_held)(void *ctx, const struct store_held *held), void *ctx)
{
	struct position *entry;
	enum err err = E_OK;

	pthread_mutex_lock(&p->lock);
	entry = find(p, bus);
	for (const struct held *held = entry ? entry->held : NULL; held && err == E_OK; held = held->next)
		err = on_held(ctx, &held->is);
	pthread_mutex_unlock(&p->lock);
	return err;
}

/* With the mutex held. */
static bool note_dirty(struct positions *p, struct position *entry)
{
	bool first = !p->dirty;

	entry->dirty = true;
	p->dirty = true;
	return first;
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
		first = note_dirty(p, entry);
	}
	pthread_mutex_unlock(&p->lock);
	return first;
}

bool positions_set_but(struct positions *p, const char *bus, uint64_t pos, const struct store_held *held, size_t n)
{
	struct position *entry;
	struct held *copy = NULL;
	bool first = false;

	pthread_mutex_lock(&p->lock);
	entry = find(p, bus);
	if (entry && (pos != entry->pos || !same(entry->held, held, n)) && held_copy(held, n, &copy)) {
		held_free(entry->held);
		entry->held = copy;
		entry->pos = pos;
		first = note_dirty(p, entry);
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
	enum err err;

	sqlite3_bind_text(stmt, 1, entry->bus, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (int64_t)entry->pos);
	err = db_run(db, SQL_BUS_SET, why);
	return err == E_OK ? write_held(entry, db, why) : err;
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
		e->dirty = true;
	p->dirty = p->first != NULL;
	pthread_mutex_unlock(&p->lock);
}

static uint64_t least_of(const struct position *entry)
{
	uint64_t least = entry->pos;

	for (const struct held *held = entry->held; held; held = held->next)
		if (held->is.forwarded < least)
			least = held->is.forwarded;
	return least;
}

uint64_t positions_forwarded(struct positions *p)
{
	uint64_t least = UINT64_MAX;

	pthread_mutex_lock(&p->lock);
	for (const struct position *e = p->first; e; e = e->next)
		if (e->in_use && least_of(e) < least)
			least = least_of(e);
	pthread_mutex_unlock(&p->lock);
	return least == UINT64_MAX ? 0 : least;
}
