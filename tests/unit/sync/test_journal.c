#include "sync/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

/* A journal, and a disk that does what the test says. Everything that happens is written down, a line each. */
struct desk {
	struct journal *j;
	struct ledger_write *writing; /* at the disk */
	struct buf said;
	struct journal_listener listener;
	struct journal_listener other;
	bool goes_on; /* the listener adds to the next batch */
};

static struct desk *current;

static void write_batch(void *ctx, struct ledger_write *w)
{
	struct desk *d = ctx;

	assert_null(d->writing);
	d->writing = w;
	buf_lit(&d->said, "write");
	for (size_t i = 0; i < w->count; i++) {
		const struct ledger_change *c = &w->changes[i];

		buf_addf(&d->said, " %s%.*s=%.*s", c->remove ? "-" : "", STR_ARG(c->row.name), STR_ARG(c->row.bytes));
	}
	buf_char(&d->said, '\n');
}

static void retry_in(void *ctx, uint32_t delay_ms)
{
	buf_addf(&((struct desk *)ctx)->said, "again in %u\n", delay_ms);
}

static void on_state(void *ctx, enum err err)
{
	buf_addf(&((struct desk *)ctx)->said, "state %s\n", err_name(err));
}

static enum err put(struct desk *d, const char *name, const char *bytes)
{
	return journal_add(d->j, LEDGER_SETTING, /* remove= */ false,
			   &(struct ledger_row){ .name = str_of(name), .bytes = str_of(bytes) });
}

static void on_durable(struct journal_listener *l, struct str tag)
{
	buf_addf(&current->said, "%s %.*s, %u more\n", l == &current->other ? "other" : "told", STR_ARG(tag),
		 l->pending);
	if (!current->goes_on)
		return;
	current->goes_on = false;
	assert_int_equal(put(current, "next", "1"), E_OK);
	assert_int_equal(journal_tell(current->j, l, str_of("next")), E_OK);
}

static void desk_begin(struct desk *d)
{
	*d = (struct desk){ .listener.on_durable = on_durable, .other.on_durable = on_durable };
	current = d;
	d->j = journal_new(
		&(struct journal_io){ .write = write_batch, .retry_in = retry_in, .on_state = on_state, .ctx = d });
	assert_non_null(d->j);
}

static void desk_end(struct desk *d)
{
	journal_free(d->j);
	assert_int_equal(d->listener.pending + d->other.pending, 0);
	buf_release(&d->said);
}

static void expect(struct desk *d, const char *text)
{
	assert_string_equal(d->said.n ? buf_cstr(&d->said) : "", text);
	buf_clear(&d->said);
}

static enum err tell(struct desk *d, const char *tag)
{
	return journal_tell(d->j, &d->listener, str_of(tag));
}

static void disk(struct desk *d, enum err err)
{
	struct ledger_write *w = TAKE(d->writing);

	assert_non_null(w);
	w->err = err;
	journal_done(d->j, w);
}

/* ---- turns -------------------------------------------------------------------------------------------------------- */

static void the_changes_of_a_turn_are_one_transaction_in_their_order(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d);
	journal_flush(d.j);
	expect(&d, "");
	assert_true(journal_is_idle(d.j));
	assert_int_equal(put(&d, "a", "1"), E_OK);
	assert_int_equal(put(&d, "b", ""), E_OK);
	assert_int_equal(
		journal_add(d.j, LEDGER_SETTING, /* remove= */ true, &(struct ledger_row){ .name = str_of("a") }),
		E_OK);
	expect(&d, "");
	assert_false(journal_is_idle(d.j));
	journal_flush(d.j);
	expect(&d, "write a=1 b= -a=\n");
	assert_false(journal_is_idle(d.j));
	disk(&d, E_OK);
	expect(&d, "");
	assert_true(journal_is_idle(d.j));
	desk_end(&d);
}

static void all_columns_and_the_table_are_copied(void **state)
{
	char text[] = "0123456789";
	struct str s[10];
	struct ledger_row row;
	struct desk d;

	(void)state;
	desk_begin(&d);
	for (size_t i = 0; i < 10; i++)
		s[i] = (struct str){ text + i, 10 - i };
	row = (struct ledger_row){ s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9] };
	assert_int_equal(journal_add(d.j, LEDGER_COMMAND, /* remove= */ false, &row), E_OK);
	memset(text, 'x', sizeof(text));
	memset(&row, 0, sizeof(row));
	journal_flush(d.j);
	const struct ledger_change *c = d.writing->changes;
	const struct str is[] = { c->row.peer,    c->row.kind,    c->row.namespace, c->row.name,      c->row.uid,
				  c->row.version, c->row.desired, c->row.status,    c->row.operation, c->row.bytes };

	assert_int_equal(c->table, LEDGER_COMMAND);
	assert_int_equal(d.writing->count, 1);
	for (size_t i = 0; i < 10; i++)
		assert_true(str_is(is[i], &"0123456789"[i]));
	disk(&d, E_OK);
	desk_end(&d);
}

static void one_batch_is_on_its_way_and_the_next_grows_meanwhile(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d);
	put(&d, "a", "1");
	journal_flush(d.j);
	expect(&d, "write a=1\n");
	put(&d, "b", "2");
	journal_flush(d.j);
	put(&d, "c", "3");
	journal_flush(d.j);
	expect(&d, "");
	disk(&d, E_OK); /* what waited goes without another turn */
	expect(&d, "write b=2 c=3\n");
	disk(&d, E_OK);
	assert_true(journal_is_idle(d.j));
	desk_end(&d);
}

static void a_turn_may_have_any_number_of_changes(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d);
	for (int i = 0; i < 1000; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(put(&d, name, "x"), E_OK);
	}
	journal_flush(d.j);
	assert_int_equal(d.writing->count, 1000);
	for (size_t i = 0; i < 1000; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%zu", i);
		assert_true(str_is(d.writing->changes[i].row.name, name));
	}
	disk(&d, E_OK);
	desk_end(&d);
}

/* ---- who is told --------------------------------------------------------------------------------------------------- */

static void who_waits_is_told_when_all_before_is_durable_and_not_earlier(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d);
	put(&d, "a", "1");
	assert_int_equal(tell(&d, "one"), E_OK);
	assert_int_equal(journal_tell(d.j, &d.other, str_of("of the other")), E_OK);
	assert_int_equal(tell(&d, ""), E_OK);
	assert_int_equal(d.listener.pending, 2);
	journal_flush(d.j);
	put(&d, "b", "2");
	assert_int_equal(tell(&d, "of the next batch"), E_OK);
	expect(&d, "write a=1\n");
	disk(&d, E_OK);
	expect(&d, "told one, 2 more\n"
		   "other of the other, 0 more\n"
		   "told , 1 more\n"
		   "write b=2\n");
	disk(&d, E_OK);
	expect(&d, "told of the next batch, 0 more\n");
	desk_end(&d);
}

static void who_is_told_may_add_to_the_next_batch(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d);
	put(&d, "a", "1");
	tell(&d, "a");
	tell(&d, "b");
	journal_flush(d.j);
	d.goes_on = true;
	disk(&d, E_OK);
	expect(&d, "write a=1\n"
		   "told a, 1 more\n"
		   "told b, 1 more\n"
		   "write next=1\n");
	disk(&d, E_OK);
	expect(&d, "told next, 0 more\n");
	assert_true(journal_is_idle(d.j));
	desk_end(&d);
}

/* ---- a disk that fails --------------------------------------------------------------------------------------------- */

static void a_batch_that_failed_is_written_again_until_it_succeeds(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d);
	put(&d, "a", "1");
	tell(&d, "a");
	journal_flush(d.j);
	disk(&d, E_FULL);
	expect(&d, "write a=1\n"
		   "state full\n"
		   "again in 100\n");
	put(&d, "b", "2"); /* what comes later goes later */
	journal_flush(d.j);
	assert_int_equal(d.listener.pending, 1);
	assert_false(journal_is_idle(d.j));
	expect(&d, "");
	journal_retry(d.j);
	expect(&d, "write a=1\n");
	journal_retry(d.j); /* it is at the disk already */
	expect(&d, "");
	disk(&d, E_IO);
	expect(&d, "state io\n"
		   "again in 200\n");
	journal_retry(d.j);
	disk(&d, E_OK);
	expect(&d, "write a=1\n"
		   "state ok\n"
		   "told a, 0 more\n"
		   "write b=2\n");
	disk(&d, E_OK);
	expect(&d, "");
	desk_end(&d);
}

static void the_wait_grows_up_to_five_seconds_and_begins_anew_after_success(void **state)
{
	static const char *const waits[] = { "100", "200", "400", "800", "1600", "3200", "5000", "5000" };
	struct desk d;

	(void)state;
	desk_begin(&d);
	put(&d, "a", "1");
	journal_flush(d.j);
	buf_clear(&d.said);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		char text[64];

		disk(&d, E_IO);
		(void)snprintf(text, sizeof(text), "state io\nagain in %s\n", waits[i]);
		expect(&d, text);
		journal_retry(d.j);
		buf_clear(&d.said);
	}
	disk(&d, E_OK);
	put(&d, "b", "1");
	journal_flush(d.j);
	buf_clear(&d.said);
	disk(&d, E_IO);
	expect(&d, "state io\nagain in 100\n");
	journal_retry(d.j);
	disk(&d, E_OK);
	desk_end(&d);
}

/* ---- memory -------------------------------------------------------------------------------------------- */

static void a_batch_lives_in_the_memory_of_one_that_has_ended(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d);
	put(&d, "long enough to be seen", "1");
	tell(&d, "t");
	journal_flush(d.j);
	disk(&d, E_OK);
	buf_clear(&d.said);
	mem_fail_at(1);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(put(&d, "a", "2"), E_OK);
		journal_flush(d.j);
		assert_true(d.writing->count == 1 && str_is(d.writing->changes[0].row.bytes, "2"));
		disk(&d, E_OK);
	}
	mem_fail_at(0);
	buf_clear(&d.said);
	tell(&d, "last");
	journal_flush(d.j);
	disk(&d, E_OK);
	expect(&d, "write\ntold last, 0 more\n");
	desk_end(&d);
}

/* 64 changes fill the room of the first step, so that growing fails as well. */
static void without_memory_nothing_of_the_call_is_in_the_batch(void **state)
{
	enum err err = E_NOMEM;
	struct desk d;

	(void)state;
	for (long n = 1; err != E_OK; n++) {
		unsigned i = 0;

		desk_begin(&d);
		while (i < 64 && put(&d, "a", "1") == E_OK)
			i++;
		mem_fail_at(n);
		err = put(&d, "b", "2");
		if (err == E_OK)
			err = tell(&d, "t");
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		assert_int_equal(d.listener.pending, err == E_OK);
		journal_flush(d.j);
		assert_in_range(d.writing->count, 64, 65);
		assert_true(err != E_OK || d.writing->count == 65);
		for (i = 0; i < d.writing->count; i++)
			assert_true(str_is(d.writing->changes[i].row.name, i < 64 ? "a" : "b"));
		disk(&d, E_OK);
		desk_end(&d);
	}
}

static void the_first_change_may_fail_as_well(void **state)
{
	enum err err = E_NOMEM;
	struct desk d;

	(void)state;
	mem_fail_at(1);
	assert_null(journal_new(&(struct journal_io){ 0 }));
	mem_fail_at(0);
	journal_free(NULL);
	for (long n = 1; err != E_OK; n++) {
		desk_begin(&d);
		mem_fail_at(n);
		err = put(&d, "a", "1");
		mem_fail_at(0);
		assert_int_equal(put(&d, "b", "2"), E_OK);
		journal_flush(d.j);
		expect(&d, err == E_OK ? "write a=1 b=2\n" : "write b=2\n");
		disk(&d, E_OK);
		desk_end(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_changes_of_a_turn_are_one_transaction_in_their_order),
		cmocka_unit_test(all_columns_and_the_table_are_copied),
		cmocka_unit_test(one_batch_is_on_its_way_and_the_next_grows_meanwhile),
		cmocka_unit_test(a_turn_may_have_any_number_of_changes),
		cmocka_unit_test(who_waits_is_told_when_all_before_is_durable_and_not_earlier),
		cmocka_unit_test(who_is_told_may_add_to_the_next_batch),
		cmocka_unit_test(a_batch_that_failed_is_written_again_until_it_succeeds),
		cmocka_unit_test(the_wait_grows_up_to_five_seconds_and_begins_anew_after_success),
		cmocka_unit_test(a_batch_lives_in_the_memory_of_one_that_has_ended),
		cmocka_unit_test(without_memory_nothing_of_the_call_is_in_the_batch),
		cmocka_unit_test(the_first_change_may_fail_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
