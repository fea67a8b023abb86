/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "desk.h"

/*
 * What is added, and what goes out of it in which order, each after the ACK of the one before. A word is an event ("s1");
 * "A:s1" is one of the successor under the same name, "b:s1" one of another name; ">" sends the next and leaves it in
 * flight, "ok" confirms it, "cut" is a reconnect, "busy" and "no" are its rejections, retryable and for good.
 */
static const struct {
	const char *added;
	const char *sent;
} rows[] = {
	/* facts 8.1.16 */
	{ "", "" },
	{ "s1", "s1" },
	{ "s1 s2 s3", "s3" },
	{ "t1 t2 t3", "t3" },
	{ "s1 t1", "s1 t1" },
	{ "s1 c2 s3", "c2 s3" },
	{ "c1 c2", "c1 c2" },
	{ "c1 c1", "c1 c1" },
	{ "s1 t2 s3 t4", "s3 t4" },
	/* facts 8.1.15 */
	{ "s1 s2 s3 s4 s5", "s5" },
	/* 3.2: what is in flight stays; the newest follows it */
	{ "s1 > s2 s3 ok", "s1 s3" },
	{ "t1 > t2 t3 ok", "t1 t3" },
	/* commands and requests are never coalesced, and follow the state they were given for */
	{ "o1 o2 o3", "o1 o2 o3" },
	{ "q1 q1 q2", "q1 q1 q2" },
	{ "s1 o1 s2", "s2 o1" },
	{ "s1 o1 s2 o2 s3", "s3 o1 o2" },
	{ "s1 o1 t1 s2 t2", "s2 o1 t2" },
	{ "o1 s1 s2", "o1 s2" },
	/* a create or a delete between two states: the newer goes behind it */
	{ "t1 c2 t3", "c2 t3" },
	{ "s1 o1 c2 s3", "o1 c2 s3" },
	/* 8.1.2, 8.1.4: a delete takes everything out, what is in flight included */
	{ "c1 s2 t3 o4 d5", "d5" },
	{ "s1 > o2 d3", "s1 d3" },
	{ "o1 > d2", "o1 d2" },
	{ "s1 > s2 cut d3", "s1 d3" },
	{ "q1 d2", "q1 d2" },
	{ "b:s1 s1 d2 b:s2", "d2 b:s2" },
	/* one delete serves for another */
	{ "d1 d2", "d2" },
	{ "d1 > d2 ok", "d1" },
	{ "d1 > s2 d3 ok", "d1" },
	{ "d1 s2", "d1 s2" },
	{ "d1 s2 d3", "d3" },
	/* the delete of one object and the create of its successor: in this order, never at once */
	{ "s1 d2 A:c1", "d2 A:c1" },
	{ "d1 > A:c1 A:s2 ok", "d1 A:c1 A:s2" },
	{ "d1 A:c1 A:d2", "d1 A:d2" },
	{ "d1 A:c1 d3", "d3 A:c1" },
	{ "s1 A:c1 s2", "A:c1 s2" },
	{ "s1 A:c1 s1", "A:c1 s1" },
	{ "s1 > A:c1 d2", "s1 A:c1 d2" }, /* given in the wrong order: the UID tells the receiver */
	/* the same version again changes nothing */
	{ "s1 s1", "s1" },
	{ "s1 > s1 ok", "s1" },
	{ "s1 > o1 s1 ok", "s1 o1" },
	{ "s1 > o1 ok s1", "s1 o1 s1" }, /* it is not in the outbox any more */
	{ "t1 > t1 ok", "t1" },
	{ "s1 > d2 s1", "s1 d2 s1" },
	{ "c1 s2 o2 s2", "c1 s2 o2" },
	/* what comes back gives way to the newer one behind it */
	{ "s1 > s2 cut", "s1 s2" },
	{ "s1 > s2 cut > s2 ok", "s1 s2" },
	{ "s1 > o1 s2 cut", "s1 s2 o1" },
	{ "s1 > t1 s2 cut", "s1 s2 t1" },
	{ "s1 > c2 s3 cut", "s1 s1 c2 s3" },
	{ "o1 > o2 cut", "o1 o1 o2" },
	{ "s1 > busy s2 cut", "s1 s2" },
	{ "s1 > cut busy s2 cut", "s1 s2" },
	{ "d1 > cut busy d2 cut", "d1 d2" },
	{ "s1 > s2 busy cut", "s1 s2" },
	{ "s1 > busy d2", "s1 d2" },
	/* quarantined: only a newer version lets it out */
	{ "s1 > no s1 cut", "s1" },
	{ "s1 > no s2", "s1 s2" },
	{ "s1 > s2 no", "s1 s2" },
	{ "c1 > no s2", "c1 s2" },
	{ "t1 > no s1", "t1 s1" },
	{ "o1 > no o1", "o1" },
	{ "o1 > no o2", "o1 o2" },
	{ "s1 > no d2", "s1 d2" },
	{ "d1 > no s2", "d1 s2" },
};

struct reader {
	struct desk desk;
	char who[2];
	char what[4];
};

/* The line of the last frame, "[     0] a s1": who and what. */
static void note(struct reader *r)
{
	const char *line = r->desk.text.p + r->desk.text.n - strlen("a s1\n");

	r->who[0] = line[0];
	r->what[0] = line[2];
	r->what[1] = line[3];
}

static void do_word(struct reader *r, struct str word)
{
	char what[3] = { 0 }, who[2] = "a";

	if (str_is(word, ">")) {
		assert_true(desk_send(&r->desk));
		note(r);
	} else if (str_is(word, "ok")) {
		assert_int_equal(desk_ack(&r->desk, r->who, r->what), OUTBOX_CONFIRMED);
	} else if (str_is(word, "busy")) {
		assert_int_equal(desk_answer(&r->desk, r->who, r->what, DELIVERY_REJECTED, true, ""), OUTBOX_AGAIN);
	} else if (str_is(word, "no")) {
		enum outbox_effect effect = desk_answer(&r->desk, r->who, r->what, DELIVERY_REJECTED, false, "");

		assert_true(effect == OUTBOX_QUARANTINED || effect == OUTBOX_REFUSED);
	} else if (str_is(word, "cut")) {
		desk_reconnect(&r->desk);
	} else {
		who[0] = word.n == 4 ? word.p[0] : 'a';
		memcpy(what, word.p + word.n - 2, 2);
		assert_int_equal(desk_add(&r->desk, who, what), E_OK);
	}
}

/* What was sent, in the words of the table. */
static void words_of(const struct buf *text, struct buf *ret_words)
{
	struct str rest = buf_view(text);

	while (rest.n) {
		struct str line = str_cut(&rest, '\n');

		if (ret_words->n)
			buf_char(ret_words, ' ');
		line = str_sub(line, 9, line.n);
		if (line.p[0] != 'a')
			buf_addf(ret_words, "%c:", line.p[0]);
		buf_add(ret_words, line.p + 2, line.n - 2);
	}
}

static void what_is_added_goes_out_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str rest = str_of(rows[i].added);
		struct reader r = { 0 };
		struct buf words = { 0 };

		desk_open(&r.desk, NULL);
		while (rest.n)
			do_word(&r, str_cut(&rest, ' '));
		while (desk_send(&r.desk)) {
			note(&r);
			assert_int_equal(desk_ack(&r.desk, r.who, r.what), OUTBOX_CONFIRMED);
		}
		words_of(&r.desk.text, &words);
		if (!str_is(buf_view(&words), rows[i].sent))
			fail_msg("\"%s\" sends \"%.*s\", not \"%s\"", rows[i].added, STR_ARG(buf_view(&words)),
				 rows[i].sent);
		buf_release(&words);
		desk_close(&r.desk);
	}
}

/* The same table with every allocation failing once: what was refused is added again, and the same goes out. */
static void a_refusal_for_want_of_memory_can_be_made_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (long at = 1; at < 6; at++) {
			struct str rest = str_of(rows[i].added);
			struct desk d;
			bool ok = true;

			desk_open(&d, NULL);
			while (rest.n && ok) {
				struct str word = str_cut(&rest, ' ');
				char what[3] = { 0 };
				enum err err;

				if (word.n != 2 || word.p[1] < '0' || word.p[1] > '9')
					break;
				memcpy(what, word.p, 2);
				mem_fail_at(at);
				err = desk_add(&d, "a", what);
				mem_fail_at(0);
				ok = err == E_OK || (err == E_NOMEM && desk_add(&d, "a", what) == E_OK);
				assert_true(ok);
			}
			desk_close(&d);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_goes_out_as_the_table_says),
		cmocka_unit_test(a_refusal_for_want_of_memory_can_be_made_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
