#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "sync/source.h"
#include "wire/convert.h"

/* ---- a source on a disk that the test holds or lets go, its rules the simplest ----------------------------------------- */

struct scene {
	struct source *source;
	struct peer *peer;
	struct journal *journal;
	struct ledger_write *writing;
	struct room room;
	uint64_t now;
	uint64_t epoch;
	struct buf said;
	char last_id[64]; /* of the event that left last */
};

static void write_batch(void *ctx, struct ledger_write *w)
{
	((struct scene *)ctx)->writing = w;
}

static void retry_in(void *ctx, uint32_t delay_ms)
{
	(void)ctx, (void)delay_ms;
}

static void on_state(void *ctx, enum err err)
{
	(void)ctx, (void)err;
}

/* Another version is another content. */
static enum err describe(void *ctx, const struct object *truth, struct source_state *ret_state)
{
	(void)ctx;
	*ret_state = (struct source_state){ 0 };
	(void)snprintf(ret_state->desired.text, sizeof(ret_state->desired.text), "%s", truth->version);
	return E_OK;
}

static enum err compose(void *ctx, enum wire_type type, const struct object *truth, struct buf *arena,
			struct wire_event *e)
{
	(void)ctx, (void)type, (void)arena;
	e->target = WIRE_TO_APPLICATION;
	e->subject = str_of(truth->name);
	e->data = blob_view(truth->json);
	return E_OK;
}

static enum err compose_delete(void *ctx, const struct source_lost *lost, struct buf *arena, struct wire_event *e)
{
	(void)ctx, (void)arena;
	e->target = WIRE_TO_APPLICATION;
	e->subject = str_of(lost->name);
	e->data = (struct str)STR("{}");
	return E_OK;
}

static enum err checksum(void *ctx, const struct object *truth, unsigned char ret_sum[static WIRE_CHECKSUM])
{
	(void)ctx;
	memset(ret_sum, truth->version[0], WIRE_CHECKSUM);
	return E_OK;
}

static void begin_with(struct scene *sc, const struct outbox_options *outbox, const struct guard_limits *guard)
{
	const struct peer_options peer = { .outbox = *outbox, .inbox = inbox_defaults, .seed = 1 };
	struct source_options source = { .name = "peer",
					 .creates = true,
					 .deletes = true,
					 .rules = { .describe = describe,
						    .compose = compose,
						    .compose_delete = compose_delete,
						    .checksum = checksum },
					 .guard = *guard,
					 .room = &sc->room };

	*sc = (struct scene){ .now = 1000 };
	sc->journal = journal_new(&(struct journal_io){ write_batch, retry_in, on_state, sc });
	sc->peer = peer_new(&peer, sc->now);
	source.journal = sc->journal;
	source.peer = sc->peer;
	sc->source = source_new(&source);
	assert_true(sc->journal && sc->peer && sc->source);
}

static void begin(struct scene *sc)
{
	begin_with(sc, &outbox_defaults, &(struct guard_limits){ .share_max = 100, .count_min = 100 });
}

static void begin_guarded(struct scene *sc, uint32_t count_min)
{
	begin_with(sc, &outbox_defaults, &(struct guard_limits){ .share_max = 50, .count_min = count_min });
}

static void end(struct scene *sc)
{
	journal_free(sc->journal);
	source_free(sc->source);
	assert_int_equal(sc->room.objects, 0);
	peer_free(sc->peer);
	buf_release(&sc->said);
}

static void connect_in(struct scene *sc, unsigned version)
{
	const struct wire_dialect agreed = { .version = version, .window_events = 100, .window_bytes = 1 << 20 };

	assert_int_equal(peer_open(sc->peer, ++sc->epoch, &agreed), E_OK);
	source_resync(sc->source, sc->now);
}

static void connect_peer(struct scene *sc)
{
	connect_in(sc, WIRE_NEWEST);
}

/* The backend has said all that there is. */
static void connect_whole(struct scene *sc)
{
	connect_peer(sc);
	source_complete(sc->source, sc->now);
}

static void disk(struct scene *sc)
{
	struct ledger_write *w;

	journal_flush(sc->journal);
	while ((w = TAKE(sc->writing))) {
		w->err = E_OK;
		journal_done(sc->journal, w);
	}
}

static struct object *object_of(const char *uid, const char *version)
{
	struct object *o = NULL;
	struct buf json = { 0 };
	struct why why;

	buf_addf(&json,
		 "{\"metadata\":{\"name\":\"one\",\"namespace\":\"ns\",\"uid\":\"%s\",\"resourceVersion\":\"%s\"}}",
		 uid, version);
	assert_int_equal(object_new(OBJECT_APPLICATION, buf_view(&json), &why, &o), E_OK);
	buf_release(&json);
	return o;
}

static void put(struct scene *sc, const char *uid, const char *version)
{
	CLEANUP(object_unref_freep) struct object *o = object_of(uid, version);

	assert_int_equal(source_truth(sc->source, o, sc->now), E_OK);
}

static enum err compose_frame(void *ctx, const struct outbox_frame *frame, struct wire_event *e)
{
	return source_compose(ctx, frame, e);
}

/* Behind '-' stands the time at which it was sent again. */
static void say_id(struct scene *sc, struct str event_id)
{
	struct str rest = event_id, id = str_cut(&rest, '-');

	buf_addf(&sc->said, " %.*s%s", STR_ARG(id), rest.n ? " again" : "");
}

/* What leaves now. Requests have random ids and are told by their type alone. */
static const char *say(struct scene *sc)
{
	const struct peer_composer composer = { .compose = compose_frame, .ctx = sc->source };
	struct buf message = { 0 };
	struct wire_event e;
	struct why why;
	uint64_t order;

	buf_clear(&sc->said);
	while (peer_take(sc->peer, &composer, ++sc->now, /* wall_ns= */ 0, &message, &order)) {
		assert_int_equal(wire_event_decode(buf_view(&message), &e, &why), E_OK);
		buf_addf(&sc->said, "%s", wire_type_name(e.type));
		str_copy(e.event_id, sc->last_id, sizeof(sc->last_id));
		if (wire_is_object(&e))
			say_id(sc, e.event_id);
		buf_char(&sc->said, '\n');
		if (order)
			peer_sent(sc->peer, order, sc->now, /* random= */ 7);
		buf_clear(&message);
	}
	buf_release(&message);
	return sc->said.n ? buf_cstr(&sc->said) : "";
}

static void expect(struct scene *sc, const char *text)
{
	assert_string_equal(say(sc), text);
}

/* The peer's answer to this event. */
static void answer_to(struct scene *sc, const char *resource_id, const char *event_id, enum wire_outcome outcome)
{
	struct wire_event e = { .type = WIRE_PROCESSED,
				.target = WIRE_TO_ACK,
				.resource_id = str_of(resource_id),
				.event_id = str_of(event_id),
				.outcome = outcome };
	struct peer_heard heard;
	struct buf bytes = { 0 };

	assert_int_equal(wire_event_encode(&e, &bytes), E_OK);
	struct blob *message = blob_new(buf_view(&bytes));

	peer_receive(sc->peer, sc->epoch, blob_view(message), ++sc->now, /* random= */ 3, &heard);
	assert_int_equal(heard.what, PEER_ANSWERED);
	source_answered(sc->source, &heard, sc->now);
	blob_unref(message);
	buf_release(&bytes);
	disk(sc);
}

/* One of the copy with this UID. */
static void answer_with(struct scene *sc, const char *uid, const char *event_id, enum wire_outcome outcome)
{
	char resource_id[64];

	(void)snprintf(resource_id, sizeof(resource_id), "one_%s", uid);
	answer_to(sc, resource_id, event_id, outcome);
}

static void answer(struct scene *sc, const char *uid, const char *event_id)
{
	answer_with(sc, uid, event_id, WIRE_APPLIED);
}

/* "I have it under this UID, in this version." */
static void compare(struct scene *sc, const char *uid, char version)
{
	assert_int_equal(source_compare(sc->source, OBJECT_APPLICATION, "ns", "one", str_of(uid),
					(struct str){ &version, uid[0] ? 1 : 0 }, ++sc->now),
			 E_OK);
	disk(sc);
}

/* "I have this one, in this version." Does the list differ from ours? */
static bool differs(struct scene *sc, const char *uid, const char *version)
{
	const struct wire_listed one = {
		.kind = STR("Application"), .name = STR("one"), .uid = str_of(uid), .version = str_of(version)
	};
	unsigned char sum[WIRE_CHECKSUM];
	bool has, is = false;

	assert_int_equal(wire_list_checksum(&one, 1, &has, sum), E_OK);
	assert_int_equal(source_compare_list(sc->source, (struct str){ (const char *)sum, sizeof(sum) }, 1, &is), E_OK);
	return is;
}

/* An object that the peer has confirmed in its first version. */
static void begin_confirmed(struct scene *sc)
{
	begin(sc);
	connect_peer(sc);
	put(sc, "u1", "1");
	disk(sc);
	expect(sc, "create one_u1_1\n");
	answer(sc, "u1", "one_u1_1");
	expect(sc, "");
}

/* ---- promises ------------------------------------------------------------------------------------------------------- */

static void nothing_leaves_before_its_row_is_durable(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_peer(&sc);
	put(&sc, "u1", "1");
	expect(&sc, "");
	disk(&sc);
	expect(&sc, "create one_u1_1\n");
	end(&sc);
}

static void what_differs_in_a_comparison_is_sent_under_an_id_of_its_own(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc);
	connect_peer(&sc);
	compare(&sc, "u1", '1');
	expect(&sc, "");
	compare(&sc, "u1", '0');
	expect(&sc, "spec-update one_u1_1 again\n");
	end(&sc);
}

/* Answers overtake requests: the peer asked, then applied, and its answer was here first. */
static void a_question_from_before_the_answer_sends_nothing_again(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc);
	connect_peer(&sc);
	put(&sc, "u1", "2");
	disk(&sc);
	expect(&sc, "spec-update one_u1_2\n");
	assert_int_equal(source_list(sc.source, sc.now), E_OK);
	expect(&sc, "response-synced-resource\n");
	answer(&sc, "u1", "one_u1_2");
	compare(&sc, "u1", '1');
	expect(&sc, "");
	/* If it differs after all, the next comparison says so. */
	assert_int_equal(source_list(sc.source, sc.now), E_OK);
	expect(&sc, "response-synced-resource\n");
	compare(&sc, "u1", '1');
	expect(&sc, "spec-update one_u1_2 again\n");
	end(&sc);
}

/* It was asked before the peer had it, or had the newer one. */
static void what_is_on_its_way_is_not_sent_for_a_question_from_before(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_peer(&sc);
	put(&sc, "u1", "1");
	disk(&sc);
	expect(&sc, "create one_u1_1\n");
	compare(&sc, "", 0);
	expect(&sc, "");
	answer(&sc, "u1", "one_u1_1");
	compare(&sc, "", 0);
	expect(&sc, "");
	connect_peer(&sc);
	put(&sc, "u1", "2");
	disk(&sc);
	expect(&sc, "spec-update one_u1_2\n");
	compare(&sc, "u1", '0');
	compare(&sc, "", 0);
	answer(&sc, "u1", "one_u1_2");
	expect(&sc, "");
	end(&sc);
}

static void what_was_refused_is_sent_again_only_to_who_has_none(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_peer(&sc);
	put(&sc, "u1", "1");
	disk(&sc);
	expect(&sc, "create one_u1_1\n");
	answer_with(&sc, "u1", "one_u1_1", WIRE_REJECTED);
	expect(&sc, "");
	compare(&sc, "", 0);
	expect(&sc, "create one_u1_1 again\n");
	answer(&sc, "u1", sc.last_id);
	connect_peer(&sc);
	put(&sc, "u1", "2");
	disk(&sc);
	expect(&sc, "spec-update one_u1_2\n");
	answer_with(&sc, "u1", "one_u1_2", WIRE_REJECTED);
	compare(&sc, "u1", '1');
	expect(&sc, "");
	compare(&sc, "", 0);
	expect(&sc, "create one_u1_2 again\n");
	end(&sc);
}

/* Does the list differ, for a peer that has nothing or something that nobody knows? */
static bool differs_from(struct scene *sc, const char *sum)
{
	bool is = false;

	assert_int_equal(source_compare_list(sc->source, str_of(sum), sum[0] != 0, &is), E_OK);
	return is;
}

/* It would ask for what it is about to get. */
static void a_peer_is_not_told_to_have_what_it_never_confirmed(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_peer(&sc);
	assert_false(differs_from(&sc, ""));
	assert_true(differs_from(&sc, "sum"));
	put(&sc, "u1", ""); /* nothing of it is for the peer */
	disk(&sc);
	assert_false(differs_from(&sc, ""));
	put(&sc, "u1", "1");
	disk(&sc);
	assert_false(differs_from(&sc, ""));
	assert_int_equal(source_list(sc.source, sc.now), E_OK);
	expect(&sc, "create one_u1_1\n");
	answer(&sc, "u1", "one_u1_1");
	assert_true(differs_from(&sc, ""));
	assert_int_equal(source_list(sc.source, sc.now), E_OK);
	expect(&sc, "response-synced-resource\n");
	end(&sc);
}

static void a_list_is_in_the_dialect_of_the_stream(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc);
	assert_false(differs(&sc, "u1", "1"));
	connect_in(&sc, WIRE_UPSTREAM);
	assert_false(differs(&sc, "u1", ""));
	connect_in(&sc, WIRE_NEWEST);
	assert_false(differs(&sc, "u1", "1"));
	end(&sc);
}

/* A peer may ask in a loop, about thousands of objects. */
static void a_list_is_computed_once_until_something_changes(void **state)
{
	struct scene sc;
	bool is = false;

	(void)state;
	begin(&sc);
	assert_int_equal(source_compare_list(sc.source, (struct str){ 0 }, 0, &is), E_OK);
	assert_false(is);
	put(&sc, "u1", "1");
	assert_int_equal(source_compare_list(sc.source, (struct str){ 0 }, 0, &is), E_OK);
	assert_true(is);
	mem_fail_at(0);
	assert_int_equal(source_compare_list(sc.source, STR("another"), 0, &is), E_OK);
	assert_true(is);
	assert_int_equal(mem_count(), 0);
	assert_int_equal(source_gone(sc.source, OBJECT_APPLICATION, "ns", "one", sc.now), E_OK);
	assert_int_equal(source_compare_list(sc.source, (struct str){ 0 }, 0, &is), E_OK);
	assert_false(is);
	end(&sc);
}

/* As a ledger that was restored from a backup has it: content and UID are the same, what the peer applied last is not. */
static void a_list_tells_which_version_the_peer_has(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc);
	assert_false(differs(&sc, "u1", "1"));
	assert_true(differs(&sc, "u1", "2"));
	assert_true(differs(&sc, "u1", ""));
	assert_true(differs(&sc, "u0", "1"));
	/* What is on its way is no difference in what was confirmed. */
	put(&sc, "u1", "2");
	disk(&sc);
	assert_false(differs(&sc, "u1", "1"));
	expect(&sc, "spec-update one_u1_2\n");
	answer(&sc, "u1", "one_u1_2");
	assert_true(differs(&sc, "u1", "1"));
	assert_false(differs(&sc, "u1", "2"));
	end(&sc);
}

/* Somebody at the peer has put it back. With the id of the last time it would be a repetition there, and never deleted. */
static void a_copy_that_nobody_knows_is_deleted_each_time_anew(void **state)
{
	char first_id[64];
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_whole(&sc);
	compare(&sc, "u0", '1');
	expect(&sc, "delete one_u0_ again\n");
	str_copy(str_of(sc.last_id), first_id, sizeof(first_id));
	answer(&sc, "u0", sc.last_id);
	compare(&sc, "u0", '1');
	expect(&sc, "delete one_u0_ again\n");
	assert_string_not_equal(sc.last_id, first_id);
	end(&sc);
}

/* We may have forgotten the UID: what ours means for that copy is for the peer to decide. */
static uint64_t copies(const struct scene *sc)
{
	struct source_stats stats;

	source_stats(sc->source, &stats);
	return stats.copies;
}

/* It may be the copy of an object that we have not been told of. */
static void of_what_the_peer_has_nothing_is_taken_for_unknown_before_all_is_known(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_peer(&sc);
	compare(&sc, "u0", '1');
	assert_int_equal(copies(&sc), 0);
	source_complete(sc.source, sc.now);
	compare(&sc, "u0", '1');
	compare(&sc, "", 0); /* nor is anything one of a name that it does not have */
	assert_int_equal(copies(&sc), 1);
	expect(&sc, "delete one_u0_ again\n");
	end(&sc);
}

static void a_copy_that_nobody_knows_is_deleted_anew_after_a_restart(void **state)
{
	char first_id[64];
	struct scene sc;

	(void)state;
	for (int start = 0; start < 2; start++) {
		begin(&sc);
		sc.now += 100 * (uint64_t)start;
		connect_whole(&sc);
		compare(&sc, "u0", '1');
		expect(&sc, "delete one_u0_ again\n");
		if (start)
			assert_string_not_equal(sc.last_id, first_id);
		memcpy(first_id, sc.last_id, sizeof(first_id));
		end(&sc);
	}
}

static void a_copy_that_nobody_knows_is_deleted_when_there_is_memory(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct scene sc;

		begin(&sc);
		connect_whole(&sc);
		mem_fail_at(++n);
		enum err err = source_compare(sc.source, OBJECT_APPLICATION, "ns", "one", STR("u0"), STR("1"), sc.now);

		count = mem_count();
		mem_fail_at(0);
		if (err != E_OK)
			compare(&sc, "u0", '1');
		disk(&sc);
		expect(&sc, "delete one_u0_ again\n");
		end(&sc);
	} while (n <= count);
	assert_true(n > 3);
}

static void a_uid_that_is_too_long_is_nobodys(void **state)
{
	char uid[OBJECT_NAME_MAX + 2] = "";
	struct scene sc;

	(void)state;
	memset(uid, 'u', sizeof(uid) - 1);
	begin(&sc);
	connect_whole(&sc);
	compare(&sc, uid, '1');
	assert_int_equal(copies(&sc), 0);
	uid[OBJECT_NAME_MAX] = 0;
	compare(&sc, uid, '1');
	assert_int_equal(copies(&sc), 1);
	end(&sc);
}

static void a_copy_of_our_name_under_another_uid_is_not_deleted(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc);
	connect_whole(&sc);
	compare(&sc, "u0", '1');
	expect(&sc, "spec-update one_u1_1 again\n");
	end(&sc);
}

/* An empty source after a bad restore, and then the right one: the guard held, and the copies are taken over. */
static void a_held_copy_that_nobody_knows_gives_way_to_our_object_of_its_name(void **state)
{
	struct scene sc;
	const char *text;

	(void)state;
	begin_guarded(&sc, /* count_min= */ 1);
	connect_whole(&sc);
	compare(&sc, "u0", '1');
	expect(&sc, "");
	assert_int_equal(source_held(sc.source, &text), 1);
	put(&sc, "u1", "1");
	disk(&sc);
	disk(&sc);
	expect(&sc, "create one_u1_1\n");
	assert_int_equal(source_held(sc.source, &text), 0);
	end(&sc);
}

/* No later comparison is needed for it: until then the peer would make it again when somebody deletes it there. */
static void what_else_the_peer_has_of_a_held_name_is_deleted_with_it(void **state)
{
	struct scene sc;
	const char *text;

	(void)state;
	begin_guarded(&sc, /* count_min= */ 1);
	connect_whole(&sc);
	compare(&sc, "u0", '1');
	compare(&sc, "u1", '1');
	expect(&sc, "");
	assert_int_equal(source_held(sc.source, &text), 1);
	source_release(sc.source, ++sc.now);
	disk(&sc);
	expect(&sc, "delete one_u0_ again\n");
	answer(&sc, "u0", sc.last_id);
	expect(&sc, "delete one_u1_ again\n");
	end(&sc);
}

/* Not only the last of many is held: the peer says beforehand how many it has. */
static void the_first_of_too_many_that_nobody_knows_is_held(void **state)
{
	struct scene sc;
	const char *text;
	bool is;

	(void)state;
	begin_guarded(&sc, /* count_min= */ 5);
	connect_whole(&sc);
	assert_int_equal(source_compare_list(sc.source, (struct str)STR("sum"), 12, &is), E_OK);
	compare(&sc, "u0", '1');
	expect(&sc, "");
	assert_int_equal(source_held(sc.source, &text), 1);
	assert_non_null(strstr(text, "delete 12 of 12"));
	end(&sc);
}

static void copies_of_our_objects_are_not_too_many(void **state)
{
	struct scene sc;
	const char *text;
	bool is;

	(void)state;
	begin_guarded(&sc, /* count_min= */ 5);
	connect_whole(&sc);
	put(&sc, "u1", "1");
	assert_int_equal(source_compare_list(sc.source, (struct str)STR("sum"), 12, &is), E_OK);
	assert_int_equal(source_compare(sc.source, OBJECT_APPLICATION, "ns", "two", STR("u0"), STR("1"), sc.now), E_OK);
	assert_int_equal(source_held(sc.source, &text), 1);
	assert_non_null(strstr(text, "delete 11 of 12"));
	disk(&sc);
	end(&sc);
}

/* A source that was made again and again while both ends came and went: the peer has one copy of the name, not two. */
static void former_copies_of_one_name_are_one_delete_for_the_guard(void **state)
{
	struct ledger_row row = { .kind = STR("Application"), .namespace = STR("ns"), .name = STR("one") };
	struct scene sc;
	const char *text;

	(void)state;
	begin_guarded(&sc, /* count_min= */ 2);
	row.uid = (struct str)STR("u0");
	assert_int_equal(source_load_copy(sc.source, &row), E_OK);
	row.uid = (struct str)STR("u1");
	assert_int_equal(source_load_copy(sc.source, &row), E_OK);
	source_complete(sc.source, sc.now);
	assert_int_equal(source_held(sc.source, &text), 0);
	end(&sc);
}

static void a_release_is_good_for_as_many_as_were_held_and_no_more(void **state)
{
	struct scene sc;
	const char *text;

	(void)state;
	begin_guarded(&sc, /* count_min= */ 1);
	connect_whole(&sc);
	compare(&sc, "u0", '1');
	expect(&sc, "");
	source_release(sc.source, ++sc.now);
	disk(&sc);
	expect(&sc, "delete one_u0_ again\n");
	answer(&sc, "u0", sc.last_id);
	/* The next comparison: one is no more than was released. */
	connect_peer(&sc);
	compare(&sc, "u5", '1');
	expect(&sc, "delete one_u5_ again\n");
	assert_int_equal(source_held(sc.source, &text), 0);
	answer(&sc, "u5", sc.last_id);
	compare(&sc, "u6", '1');
	expect(&sc, "");
	assert_int_equal(source_held(sc.source, &text), 1);
	assert_non_null(strstr(text, "more than an operator has released"));
	end(&sc);
}

static enum err claim(struct scene *sc, const char *uid)
{
	enum err err = source_compare(sc->source, OBJECT_APPLICATION, "ns", "one", str_of(uid), (struct str)STR("1"),
				      ++sc->now);

	disk(sc);
	return err;
}

/* The peer asks again. */
static void copies_that_nobody_knows_wait_until_there_is_room(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	sc.room.objects_max = 1;
	connect_whole(&sc);
	assert_int_equal(claim(&sc, "u0"), E_OK);
	assert_int_equal(claim(&sc, "u0"), E_OK); /* known by now */
	assert_int_equal(claim(&sc, "u2"), E_LIMIT);
	expect(&sc, "delete one_u0_ again\n");
	answer(&sc, "u0", sc.last_id);
	assert_int_equal(claim(&sc, "u2"), E_OK);
	expect(&sc, "delete one_u2_ again\n");
	answer(&sc, "u2", sc.last_id);
	assert_true(sc.room.objects == 0 && sc.room.refused == 1 && !sc.room.full);
	end(&sc);
}

/* After a restart, too; until it turns out to be the copy of an object of ours. */
static void a_copy_that_the_peer_alone_knows_of_takes_its_room(void **state)
{
	const struct ledger_row row = { .kind = STR("Application"),
					.namespace = STR("ns"),
					.name = STR("one"),
					.uid = STR("u1"),
					.version = STR("?") };
	struct scene sc;

	(void)state;
	begin(&sc);
	assert_int_equal(source_load_copy(sc.source, &row), E_OK);
	assert_int_equal(sc.room.objects, 1);
	connect_peer(&sc);
	put(&sc, "u1", "1");
	source_complete(sc.source, sc.now);
	disk(&sc);
	expect(&sc, "create one_u1_1\n");
	answer(&sc, "u1", "one_u1_1");
	assert_int_equal(sc.room.objects, 0);
	end(&sc);
}

static void a_row_that_makes_no_sense_holds_its_object_back_for_nothing(void **state)
{
	static const struct str app = STR("Application"), ns = STR("ns"), one = STR("one"), u1 = STR("u1");
	char text[OBJECT_NAME_MAX + 1];
	const struct str over = { text, sizeof(text) };
	const struct ledger_row rows[] = {
		{ .kind = app,
		  .namespace = ns,
		  .name = one,
		  .uid = u1,
		  .desired = STR("longer by a byte than any digest!") },
		{ .kind = app, .namespace = ns, .name = one, .uid = u1, .version = over },
		{ .kind = app, .namespace = ns, .name = one, .uid = over },
		{ .kind = app, .namespace = ns, .name = one },
		{ .kind = app, .namespace = ns, .name = over, .uid = u1 },
		{ .kind = app, .namespace = over, .name = one, .uid = u1 },
		{ .kind = STR("Apple"), .namespace = ns, .name = one, .uid = u1 },
	};
	struct scene sc;

	(void)state;
	memset(text, 'x', sizeof(text));
	begin(&sc);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(source_load_copy(sc.source, &rows[i]), E_MALFORMED);
	assert_true(source_has_told_nothing(sc.source, OBJECT_APPLICATION, "ns", "one", /* came= */ 1));
	connect_peer(&sc);
	put(&sc, "u1", "1");
	source_complete(sc.source, sc.now);
	disk(&sc);
	expect(&sc, "create one_u1_1\n");
	end(&sc);
}

static void a_row_without_memory_leaves_nothing_behind(void **state)
{
	const struct ledger_row row = { .kind = STR("Application"),
					.namespace = STR("ns"),
					.name = STR("one"),
					.uid = STR("u1"),
					.desired = STR("1"),
					.bytes = STR("what it was") };
	long n = 0, count;

	(void)state;
	do {
		struct source_stats stats;
		struct scene sc;
		enum err err;

		begin(&sc);
		mem_fail_at(++n);
		err = source_load_copy(sc.source, &row);
		count = mem_count();
		mem_fail_at(0);
		assert_int_equal(err, n <= count ? E_NOMEM : E_OK);
		source_stats(sc.source, &stats);
		assert_int_equal(stats.copies, err == E_OK);
		assert_int_equal(stats.behind, err == E_OK); /* it has no object */
		assert_int_equal(source_load_copy(sc.source, &row), err == E_OK ? E_NOMEM : E_OK);
		end(&sc);
	} while (n <= count); /* the last pass had no fault */
	assert_true(n > 3);
}

static void a_command_without_a_number_is_none(void **state)
{
	struct ledger_row row = { .kind = STR("Application"),
				  .namespace = STR("ns"),
				  .name = STR("one"),
				  .uid = STR("u1"),
				  .version = STR("one_u1_1.set-operation"),
				  .operation = STR("first") };
	struct scene sc;

	(void)state;
	begin(&sc);
	assert_int_equal(source_load_command(sc.source, &row), E_MALFORMED);
	row.operation = (struct str)STR("1");
	assert_int_equal(source_load_command(sc.source, &row), E_OK); /* whose object is gone */
	row.kind = (struct str)STR("Secret");
	assert_int_equal(source_load_command(sc.source, &row), E_MALFORMED);
	end(&sc);
}

static struct source_stats stats_of(const struct scene *sc)
{
	struct source_stats stats;

	source_stats(sc->source, &stats);
	return stats;
}

/* A peer that has applied it already knows it by its id. */
static void a_delete_that_is_said_again_after_a_restart_has_the_id_that_it_had(void **state)
{
	const struct ledger_row row = { .kind = STR("Application"),
					.namespace = STR("ns"),
					.name = STR("one"),
					.uid = STR("u1"),
					.version = STR("7"),
					.desired = STR("1") };
	struct scene sc;

	(void)state;
	begin(&sc);
	assert_int_equal(source_load_copy(sc.source, &row), E_OK);
	connect_whole(&sc);
	disk(&sc);
	expect(&sc, "delete one_u1_7.delete\n");
	assert_true(stats_of(&sc).behind == 1 && stats_of(&sc).copies == 1);
	answer(&sc, "u1", "one_u1_7.delete");
	assert_true(stats_of(&sc).behind == 0 && stats_of(&sc).copies == 0);
	end(&sc);
}

static void what_is_behind_is_counted_as_it_changes(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_whole(&sc);
	put(&sc, "u1", "1");
	assert_true(stats_of(&sc).objects == 1 && stats_of(&sc).behind == 1);
	disk(&sc);
	expect(&sc, "create one_u1_1\n");
	assert_int_equal(stats_of(&sc).behind, 1);
	answer(&sc, "u1", "one_u1_1");
	assert_true(stats_of(&sc).objects == 1 && stats_of(&sc).behind == 0);
	put(&sc, "u1", "2");
	assert_true(stats_of(&sc).objects == 1 && stats_of(&sc).behind == 1);
	end(&sc);
}

static void an_object_made_again_comes_behind_the_delete_of_the_former(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc);
	put(&sc, "u2", "2");
	disk(&sc);
	expect(&sc, "delete one_u1_1.delete\n");
	answer(&sc, "u1", "one_u1_1.delete");
	expect(&sc, "create one_u2_2\n");
	end(&sc);
}

static void a_delete_that_is_refused_for_good_is_forgotten(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc);
	assert_int_equal(source_gone(sc.source, OBJECT_APPLICATION, "ns", "one", sc.now), E_OK);
	assert_int_equal(stats_of(&sc).behind, 1);
	expect(&sc, "delete one_u1_1.delete\n");
	answer_with(&sc, "u1", "one_u1_1.delete", WIRE_REJECTED);
	assert_true(stats_of(&sc).copies == 0 && stats_of(&sc).behind == 0);
	end(&sc);
}

/* Nothing is in flight, so that no answer and no new stream will call for what could not be done. */
static void what_had_no_memory_is_due_a_second_later(void **state)
{
	CLEANUP(object_unref_freep) struct object *o = object_of("u1", "1");
	long n = 0, count, waited = 0;

	(void)state;
	do {
		struct scene sc;
		enum err err;

		begin(&sc);
		connect_peer(&sc);
		assert_int_equal(source_due(sc.source), UINT64_MAX);
		mem_fail_at(++n);
		err = source_truth(sc.source, o, sc.now);
		disk(&sc);
		count = mem_count();
		mem_fail_at(0);
		disk(&sc);
		if (source_due(sc.source) != UINT64_MAX) {
			waited++;
			assert_int_equal(source_due(sc.source), sc.now + 1000);
			expect(&sc, "");
			source_again(sc.source, sc.now = source_due(sc.source));
			disk(&sc);
		}
		assert_int_equal(source_due(sc.source), UINT64_MAX);
		assert_true(err == E_OK || err == E_NOMEM); /* who reports it again is the caller */
		expect(&sc, err == E_OK ? "create one_u1_1\n" : "");
		end(&sc);
	} while (n <= count); /* the last pass had no fault */
	assert_true(waited > 3 && waited < count);
}

/* Its deletion had no memory, so that its create was still there to be dropped; the peer may have it even so. */
static void what_was_dropped_with_its_object_is_sent_when_that_is_back(void **state)
{
	long n = 0, count, dropped = 0;

	(void)state;
	do {
		struct scene sc;

		begin(&sc);
		connect_peer(&sc);
		put(&sc, "u1", "1");
		disk(&sc);
		mem_fail_at(++n);
		(void)source_gone(sc.source, OBJECT_APPLICATION, "ns", "one", sc.now);
		count = mem_count();
		mem_fail_at(0);
		if (source_due(sc.source) != UINT64_MAX) {
			dropped++;
			expect(&sc, "");
			put(&sc, "u1", "1");
			disk(&sc);
			expect(&sc, "create one_u1_1 again\n");
			answer(&sc, "u1", sc.last_id);
			assert_int_equal(stats_of(&sc).behind, 0);
		}
		end(&sc);
	} while (n <= count); /* the last pass had no fault */
	assert_true(dropped > 0);
}

/* Under the id of the former one, whose deletion had no memory. */
static void what_waits_of_a_former_object_does_not_leave_with_the_content_of_the_next(void **state)
{
	CLEANUP(object_unref_freep) struct object *next = object_of("u2", "2");
	long n = 0, count, waited = 0;

	(void)state;
	do {
		struct scene sc;
		enum err err;

		begin(&sc);
		connect_peer(&sc);
		put(&sc, "u1", "1");
		disk(&sc);
		mem_fail_at(++n);
		err = source_truth(sc.source, next, sc.now);
		count = mem_count();
		mem_fail_at(0);
		waited += source_due(sc.source) != UINT64_MAX;
		if (err == E_OK)
			assert_null(strstr(say(&sc), "create one_u1"));
		end(&sc);
	} while (n <= count); /* the last pass had no fault */
	assert_true(waited > 0);
}

/* It waits for an answer, which makes room: nobody needs to look before. */
static void what_had_no_room_is_not_due(void **state)
{
	struct outbox_options outbox = outbox_defaults;
	struct outbox_stats stats;
	struct scene sc;

	(void)state;
	outbox.entries_max = 1;
	begin_with(&sc, &outbox, &(struct guard_limits){ .share_max = 100, .count_min = 100 });
	connect_peer(&sc);
	assert_int_equal(peer_request(sc.peer, WIRE_RESOURCE_RESYNC, WIRE_TO_RESYNC, (struct str)STR("{}"), sc.now),
			 E_OK);
	put(&sc, "u1", "1");
	disk(&sc);
	outbox_stats(peer_outbox(sc.peer), &stats);
	assert_int_equal(stats.refused, 1);
	assert_int_equal(source_due(sc.source), UINT64_MAX);
	source_again(sc.source, sc.now); /* in vain */
	expect(&sc, "request-resource-resync\n");
	answer_to(&sc, sc.last_id, sc.last_id, WIRE_APPLIED);
	expect(&sc, "create one_u1_1\n");
	end(&sc);
}

static void what_has_no_room_when_there_is_memory_again_is_not_due_either(void **state)
{
	struct outbox_options outbox = outbox_defaults;
	struct scene sc;

	(void)state;
	outbox.entries_max = 1;
	begin_with(&sc, &outbox, &(struct guard_limits){ .share_max = 100, .count_min = 100 });
	connect_peer(&sc);
	put(&sc, "u1", "1");
	mem_fail_at(1);
	disk(&sc);
	mem_fail_at(0);
	assert_int_not_equal(source_due(sc.source), UINT64_MAX);
	assert_int_equal(peer_request(sc.peer, WIRE_RESOURCE_RESYNC, WIRE_TO_RESYNC, (struct str)STR("{}"), sc.now),
			 E_OK);
	source_again(sc.source, source_due(sc.source));
	assert_int_equal(source_due(sc.source), UINT64_MAX);
	end(&sc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_leaves_before_its_row_is_durable),
		cmocka_unit_test(what_differs_in_a_comparison_is_sent_under_an_id_of_its_own),
		cmocka_unit_test(a_question_from_before_the_answer_sends_nothing_again),
		cmocka_unit_test(what_is_on_its_way_is_not_sent_for_a_question_from_before),
		cmocka_unit_test(what_was_refused_is_sent_again_only_to_who_has_none),
		cmocka_unit_test(a_peer_is_not_told_to_have_what_it_never_confirmed),
		cmocka_unit_test(a_list_is_in_the_dialect_of_the_stream),
		cmocka_unit_test(a_list_tells_which_version_the_peer_has),
		cmocka_unit_test(a_list_is_computed_once_until_something_changes),
		cmocka_unit_test(a_copy_that_nobody_knows_is_deleted_each_time_anew),
		cmocka_unit_test(of_what_the_peer_has_nothing_is_taken_for_unknown_before_all_is_known),
		cmocka_unit_test(a_copy_that_nobody_knows_is_deleted_anew_after_a_restart),
		cmocka_unit_test(a_copy_that_nobody_knows_is_deleted_when_there_is_memory),
		cmocka_unit_test(a_uid_that_is_too_long_is_nobodys),
		cmocka_unit_test(a_copy_of_our_name_under_another_uid_is_not_deleted),
		cmocka_unit_test(a_held_copy_that_nobody_knows_gives_way_to_our_object_of_its_name),
		cmocka_unit_test(what_else_the_peer_has_of_a_held_name_is_deleted_with_it),
		cmocka_unit_test(the_first_of_too_many_that_nobody_knows_is_held),
		cmocka_unit_test(copies_of_our_objects_are_not_too_many),
		cmocka_unit_test(former_copies_of_one_name_are_one_delete_for_the_guard),
		cmocka_unit_test(a_release_is_good_for_as_many_as_were_held_and_no_more),
		cmocka_unit_test(copies_that_nobody_knows_wait_until_there_is_room),
		cmocka_unit_test(a_copy_that_the_peer_alone_knows_of_takes_its_room),
		cmocka_unit_test(a_row_that_makes_no_sense_holds_its_object_back_for_nothing),
		cmocka_unit_test(a_row_without_memory_leaves_nothing_behind),
		cmocka_unit_test(a_command_without_a_number_is_none),
		cmocka_unit_test(a_delete_that_is_said_again_after_a_restart_has_the_id_that_it_had),
		cmocka_unit_test(what_is_behind_is_counted_as_it_changes),
		cmocka_unit_test(an_object_made_again_comes_behind_the_delete_of_the_former),
		cmocka_unit_test(a_delete_that_is_refused_for_good_is_forgotten),
		cmocka_unit_test(what_had_no_memory_is_due_a_second_later),
		cmocka_unit_test(what_was_dropped_with_its_object_is_sent_when_that_is_back),
		cmocka_unit_test(what_waits_of_a_former_object_does_not_leave_with_the_content_of_the_next),
		cmocka_unit_test(what_had_no_room_is_not_due),
		cmocka_unit_test(what_has_no_room_when_there_is_memory_again_is_not_due_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
