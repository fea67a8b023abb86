#include "base/mem.h"
#include "store/tool_file.h"

#define PROBLEMS_MAX "100" /* of a kind; a broken page is behind all of them */

/*
 * Each statement gives a line of text for each problem, or "ok", or nothing. It reads a table from its beginning to its end: keys lie as
 * if at random, and the events of ten million of them cannot be looked for one by one.
 */
/* clang-format off */
static const char *const checks[] = {
	"PRAGMA integrity_check(" PROBLEMS_MAX ")",

	"SELECT 'event ' || pos || ': no route ' || route FROM events"
	" WHERE route NOT IN (SELECT route FROM routes) LIMIT " PROBLEMS_MAX,

	"SELECT 'event ' || pos || ': data of kind ' || kind || ' is ' || typeof(data) FROM events"
	" WHERE typeof(data) IS NOT CASE kind WHEN 0 THEN 'null' WHEN 1 THEN 'text' WHEN 2 THEN 'text' WHEN 3 THEN 'blob' END"
	" LIMIT " PROBLEMS_MAX,

	/* every position behind the removed ones has its event */
	"SELECT 'positions ' || (removed + 1) || ' to ' || last || ': ' || n || ' events' FROM (SELECT"
	" coalesce((SELECT value FROM settings WHERE name = 'removed_pos'), 0) AS removed,"
	" coalesce((SELECT max(pos) FROM events), 0) AS last,"
	" (SELECT count(*) FROM events WHERE pos > coalesce((SELECT value FROM settings WHERE name = 'removed_pos'), 0)) AS n)"
	" WHERE n <> max(last - removed, 0)",

	"SELECT 'dead letter ' || pos || ' of bus ' || bus || ': no such event' FROM dead"
	" WHERE pos NOT IN (SELECT pos FROM events) LIMIT " PROBLEMS_MAX,

	"SELECT 'bus ' || bus || ': position ' || forwarded || ' is behind the last event' FROM buses"
	" WHERE forwarded > max(coalesce((SELECT max(pos) FROM events), 0),"
	" coalesce((SELECT value FROM settings WHERE name = 'removed_pos'), 0))",

	"SELECT 'bus ' || bus || ': route ' || source || '/' || name || ' is held at position ' || held.forwarded ||"
	" ', not before that of the bus' FROM held LEFT JOIN buses USING(bus)"
	" WHERE held.forwarded >= coalesce(buses.forwarded, 0) LIMIT " PROBLEMS_MAX,

	"SELECT 'key of event ' || pos || ': no generation ' || gen FROM dedup"
	" WHERE gen NOT IN (SELECT gen FROM dedup_gens) LIMIT " PROBLEMS_MAX,

	"SELECT 'key of event ' || pos || ': a fingerprint of ' || length(fp) || ' bytes' FROM dedup"
	" WHERE length(fp) <> 16 LIMIT " PROBLEMS_MAX,

	"SELECT 'key of event ' || pos || ': it is behind the last event' FROM dedup"
	" WHERE pos > max(coalesce((SELECT max(pos) FROM events), 0),"
	" coalesce((SELECT value FROM settings WHERE name = 'removed_pos'), 0)) LIMIT " PROBLEMS_MAX,

	("SELECT 'setting dedup_secret: missing' WHERE"
	 " coalesce((SELECT length(value) FROM settings WHERE name = 'dedup_secret'), 0) <> 16"),
};
/* clang-format on */

struct checking {
	struct db db;
	struct tool_ticker ticker;
	void (*on_problem)(void *ctx, const char *problem);
	void *ctx;
	uint64_t problems;
};

static void report(struct checking *c, const char *text)
{
	if (!text || strcmp(text, "ok") == 0)
		return;
	c->problems++;
	if (c->on_problem)
		c->on_problem(c->ctx, text);
}

static enum err check(struct checking *c, const char *sql, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(c->db.handle, sql, -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return db_why(&c->db, rc, why, "check");
	while (sqlite3_step(stmt) == SQLITE_ROW)
		report(c, (const char *)sqlite3_column_text(stmt, 0));
	return db_why(&c->db, sqlite3_finalize(stmt), why, "check");
}

/* A page that cannot be read is a finding like others; the next check may still say where it hurts. */
static enum err check_all(struct checking *c, struct why *why)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct why story = { 0 };
		enum err err;

		c->ticker.done = i;
		err = check(c, checks[i], &story);
		if (err == E_CORRUPT)
			report(c, story.text);
		else if (err != E_OK)
			return why_set(why, err, "%s", story.text);
	}
	if (c->problems)
		return why_set(why, E_CORRUPT, "%llu problems", (unsigned long long)c->problems);
	return E_OK;
}

enum err store_check(const char *dir, const struct store_progress *progress,
		     void (*on_problem)(void *ctx, const char *problem), void *ctx, struct why *why)
{
	struct checking c = {
		.ticker = { .progress = progress, .total = ARRAY_LEN(checks) },
		.on_problem = on_problem,
		.ctx = ctx,
	};
	enum err err = tool_open(dir, SQLITE_OPEN_READONLY, why, &c.db);

	if (err != E_OK)
		return err;
	tool_tick(&c.db, &c.ticker);
	err = check_all(&c, why); /* a transaction for each: one for all would hold the log back for longer */
	db_close(&c.db);
	return err == E_OK ? E_OK : why_add(why, "store %s", dir);
}
