#include "base/mem.h"
#include "daemon/daemon.h"

/* ---- settings --------------------------------------------------------------------------------------------------- */

struct wanted {
	const char *name;
	struct buf *value;
	bool found;
};

static bool take_setting(void *ctx, const struct ledger_row *row)
{
	struct wanted *w = ctx;

	if (!str_is(row->name, w->name))
		return true;
	w->found = true;
	buf_str(w->value, row->bytes);
	return false;
}

enum err daemon_setting(struct daemon *daemon, const char *name, struct buf *ret_value, struct why *why)
{
	struct wanted w = { .name = name, .value = ret_value };
	enum err err = ledger_read(daemon->ledger, LEDGER_SETTING, (struct str){ 0 }, take_setting, &w, why);

	if (err == E_OK && !w.found)
		return E_NOT_FOUND;
	return err == E_OK ? ret_value->err : err;
}

struct waited {
	struct ledger_write write;
	uv_sem_t done;
};

static void on_waited(struct ledger_write *w)
{
	uv_sem_post(&CONTAINER_OF(w, struct waited, write)->done);
}

enum err daemon_setting_put(struct daemon *daemon, const char *name, struct str value, struct why *why)
{
	struct ledger_change change = { .table = LEDGER_SETTING, .row = { .name = str_of(name), .bytes = value } };
	struct waited waited = { .write = { .changes = &change, .count = 1, .on_done = on_waited } };

	uv_sem_init(&waited.done, 0);
	ledger_write(daemon->ledger, &waited.write);
	uv_sem_wait(&waited.done);
	uv_sem_destroy(&waited.done);
	return waited.write.err == E_OK ? E_OK : why_set(why, waited.write.err, "ledger: keep %s", name);
}

/* ---- the core's rows -------------------------------------------------------------------------------------------- */

struct loading {
	struct daemon *daemon;
	enum ledger_table table;
	enum err err;
};

static bool load_row(void *ctx, const struct ledger_row *row)
{
	struct loading *l = ctx;
	enum err err = l->daemon->user->on_row(l->daemon, l->table, row);

	if (err == E_MALFORMED)
		log_warn(l->daemon->logger, "a row of the ledger makes no sense and is skipped",
			 LOG_STRN("peer", row->peer), LOG_STRN("name", row->name));
	else
		l->err = err;
	return l->err == E_OK;
}

enum err daemon_load(struct daemon *daemon, struct why *why)
{
	static const enum ledger_table tables[] = { LEDGER_SETTING, LEDGER_COPY, LEDGER_COMMAND, LEDGER_REPLICA };
	struct loading l = { .daemon = daemon };
	enum err err = E_OK;

	for (size_t i = 0; i < ARRAY_LEN(tables) && err == E_OK; i++) {
		l.table = tables[i];
		err = ledger_read(daemon->ledger, l.table, (struct str){ 0 }, load_row, &l, why);
		if (err == E_OK && l.err != E_OK)
			err = why_set(why, l.err, "take what the ledger has: %s", err_text(l.err));
	}
	return err;
}
