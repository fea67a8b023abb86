#include "store/routes.h"

#include "base/mem.h"

static void route_free(struct route *route)
{
	if (!route)
		return;
	mem_free(route->key);
	mem_free(route);
}

DEFINE_FREEP(route, struct route, route_free)

static bool is(const struct route *route, struct str source, struct str name)
{
	return route && route->source_n == source.n && route->key_n == source.n + 1 + name.n &&
	       str_eq((struct str){ route->key, source.n }, source) &&
	       str_eq((struct str){ route->key + source.n + 1, name.n }, name);
}

static struct str make_key(struct routes *r, struct str source, struct str name)
{
	buf_clear(&r->scratch);
	buf_str(&r->scratch, source);
	buf_char(&r->scratch, '\0');
	buf_str(&r->scratch, name);
	return buf_view(&r->scratch);
}

static enum err add(struct routes *r, struct str key, size_t source_n, int64_t number)
{
	CLEANUP(route_freep) struct route *route = mem_alloc(sizeof(*route));

	if (!route)
		return E_NOMEM;
	route->key = mem_dup(key.p, key.n);
	if (!route->key)
		return E_NOMEM;
	route->key_n = key.n;
	route->source_n = source_n;
	route->number = number;
	if (map_put(&r->by_key, (struct str){ route->key, key.n }, route) != E_OK)
		return E_NOMEM;
	if (number > r->last)
		r->last = number;
	r->newest = TAKE(route);
	return E_OK;
}

enum err routes_load(struct routes *r, struct db *db, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_ROUTE_ALL);
	enum err err = E_OK;
	enum err read;

	while (err == E_OK && db_row(db, SQL_ROUTE_ALL)) {
		struct str source = db_column(stmt, 1);
		struct str key = make_key(r, source, db_column(stmt, 2));

		err = r->scratch.err != E_OK ? r->scratch.err : add(r, key, source.n, sqlite3_column_int64(stmt, 0));
	}
	read = db_done(db, SQL_ROUTE_ALL, why);
	return err != E_OK ? why_set(why, err, "read routes") : read;
}

void routes_release(struct routes *r)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&r->by_key, &at)))
		route_free(entry->value);
	map_release(&r->by_key);
	buf_release(&r->scratch);
	*r = (struct routes){ 0 };
}

static enum err insert(struct db *db, int64_t number, struct str source, struct str name, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_ROUTE_ADD);

	sqlite3_bind_int64(stmt, 1, number);
	sqlite3_bind_text(stmt, 2, source.n ? source.p : "", (int)source.n, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, name.n ? name.p : "", (int)name.n, SQLITE_STATIC);
	return db_run(db, SQL_ROUTE_ADD, why);
}

enum err routes_number(struct routes *r, struct db *db, struct str source, struct str name, struct why *why,
		       int64_t *ret_number)
{
	if (!is(r->newest, source, name)) {
		struct str key = make_key(r, source, name);
		struct route *route;
		enum err err = r->scratch.err;

		if (err != E_OK)
			return why_set(why, err, "route");
		route = map_get(&r->by_key, key);
		if (!route) {
			err = insert(db, r->last + 1, source, name, why);
			if (err == E_OK && add(r, key, source.n, r->last + 1) != E_OK)
				err = why_set(why, E_NOMEM, "route");
			if (err != E_OK)
				return err;
		} else {
			r->newest = route;
		}
	}
	*ret_number = r->newest->number;
	return E_OK;
}
