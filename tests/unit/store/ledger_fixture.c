#include "ledger_fixture.h"

#include <stdio.h>

#include "base/mem.h"

struct ledger_fixture *ledger_fixture_new(void)
{
	struct ledger_fixture *f = mem_alloc(sizeof(*f));

	assert_non_null(f);
	f->f = fixture_new();
	f->metrics = metrics_new();
	assert_non_null(f->metrics);
	return f;
}

void ledger_fixture_free(struct ledger_fixture *f)
{
	ledger_fixture_close(f);
	fixture_free(f->f);
	metrics_free(f->metrics);
	mem_free(f);
}

enum err ledger_fixture_open(struct ledger_fixture *f)
{
	f->why = (struct why){ 0 };
	return ledger_open(f->f->dir, f->metrics, &f->why, &f->ledger);
}

void ledger_fixture_close(struct ledger_fixture *f)
{
	ledger_close(f->ledger);
	f->ledger = NULL;
}

static void on_done(struct ledger_write *write)
{
	sem_post(&CONTAINER_OF(write, struct ledger_waiting, write)->done);
}

void ledger_waiting_start(struct ledger_waiting *w, struct ledger *l, struct ledger_change *changes, size_t count)
{
	*w = (struct ledger_waiting){ .write = { .changes = changes, .count = count, .on_done = on_done } };
	sem_init(&w->done, 0, 0);
	ledger_write(l, &w->write);
}

enum err ledger_waiting_end(struct ledger_waiting *w)
{
	while (sem_wait(&w->done) != 0)
		;
	sem_destroy(&w->done);
	return w->write.err;
}

enum err ledger_fixture_write(struct ledger_fixture *f, struct ledger_change *changes, size_t count)
{
	struct ledger_waiting w;

	ledger_waiting_start(&w, f->ledger, changes, count);
	return ledger_waiting_end(&w);
}

struct ledger_change ledger_fixture_setting(const char *name, const char *bytes)
{
	return (struct ledger_change){
		.table = LEDGER_SETTING,
		.remove = !bytes,
		.row = { .name = str_of(name), .bytes = str_of(bytes) },
	};
}

enum err ledger_fixture_set(struct ledger_fixture *f, const char *name, const char *bytes)
{
	struct ledger_change change = ledger_fixture_setting(name, bytes);

	return ledger_fixture_write(f, &change, 1);
}

struct listing {
	char text[16384];
	size_t n;
};

static bool list(void *ctx, const struct ledger_row *row)
{
	struct listing *l = ctx;

	l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%.*s/%.*s/%.*s/%.*s/%.*s/%.*s=%.*s ",
				 STR_ARG(row->peer), STR_ARG(row->kind), STR_ARG(row->namespace), STR_ARG(row->name),
				 STR_ARG(row->uid), STR_ARG(row->version), STR_ARG(row->bytes));
	return l->n < sizeof(l->text);
}

const char *ledger_fixture_rows(struct ledger_fixture *f, enum ledger_table table, const char *peer)
{
	static struct listing l;

	l = (struct listing){ 0 };
	assert_int_equal(ledger_read(f->ledger, table, str_of(peer), list, &l, &f->why), E_OK);
	return l.text;
}
