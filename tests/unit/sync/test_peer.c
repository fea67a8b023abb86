#include "sync/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/ack.h"

#define SOURCE "agent://a1"

/* A peer whose other side is played by the test, and a composer that says what the test wants. What happens is written down. */
struct desk {
	struct peer *p;
	uint64_t now;
	uint64_t epoch;
	enum err compose; /* what composing gives */
	struct str data;
	struct buf said;
	uint64_t order; /* of the last payload that was taken */
};

static enum err compose(void *ctx, const struct outbox_frame *frame, struct wire_event *e)
{
	struct desk *d = ctx;

	(void)frame;
	e->target = WIRE_TO_APPLICATION;
	e->data = d->data;
	return d->compose;
}

static const char *effect_name(enum outbox_effect effect)
{
	static const char *const names[] = {
		[OUTBOX_NOTHING] = "nothing",         [OUTBOX_HELD] = "held",
		[OUTBOX_CONFIRMED] = "confirmed",     [OUTBOX_AGAIN] = "again",
		[OUTBOX_QUARANTINED] = "quarantined", [OUTBOX_REFUSED] = "refused",
	};

	return names[effect];
}

static void say_heard(struct desk *d, const struct peer_heard *h)
{
	if (h->what == PEER_QUIET)
		buf_lit(&d->said, "quiet");
	else if (h->what == PEER_ANSWERED)
		buf_addf(&d->said, "%s: %s", delivery_type_name(h->type), effect_name(h->effect));
	else if (h->what == PEER_EVENT)
		buf_addf(&d->said, "event %.*s", STR_ARG(h->type_text));
	else
		buf_addf(&d->said, "cannot take (%s): %s", err_name(h->err), h->why.text);
	if (h->what == PEER_ANSWERED && h->err != E_OK)
		buf_addf(&d->said, " (%s)", err_name(h->err));
	if (h->event_id.n)
		buf_addf(&d->said, ", %.*s", STR_ARG(h->event_id));
	if (h->what == PEER_ANSWERED && h->reason.n)
		buf_addf(&d->said, ", %.*s", STR_ARG(h->reason));
	buf_char(&d->said, '\n');
}

static void on_refused(void *ctx, const struct peer_heard *heard)
{
	buf_lit(&((struct desk *)ctx)->said, "never sent: ");
	say_heard(ctx, heard);
}

static void say_message(struct desk *d, struct str message)
{
	static const char *const outcomes[] = { "processed", "received", "applied", "rejected" };
	struct wire_event e;
	struct why why;

	assert_int_equal(wire_event_decode(message, &e, &why), E_OK);
	assert_true(str_is(e.source, SOURCE));
	buf_addf(&d->said, "> %s", e.target == WIRE_TO_ACK ? outcomes[e.outcome] : wire_type_name(e.type));
	if (wire_role_of(e.type) == WIRE_CONTROL || wire_delivered_as(e.type) != DELIVERY_REQUEST)
		buf_addf(&d->said, " %.*s", STR_ARG(e.event_id));
	if (e.target != WIRE_TO_ACK && e.order)
		buf_addf(&d->said, " #%llu", (unsigned long long)e.order);
	if (e.sent_at.n)
		buf_addf(&d->said, " at %.*s", STR_ARG(e.sent_at));
	if (e.reason.n)
		buf_addf(&d->said, ": %.*s", STR_ARG(e.reason));
	buf_char(&d->said, '\n');
}

static bool take(struct desk *d)
{
	const struct peer_composer composer = { .compose = compose, .on_refused = on_refused, .ctx = d };
	struct buf message = { 0 };
	uint64_t order;
	bool took = peer_take(d->p, &composer, d->now, /* wall_ns= */ 0, &message, &order);

	if (took)
		say_message(d, buf_view(&message));
	if (took && order) {
		d->order = order;
		peer_sent(d->p, order, d->now, /* random= */ 7);
	}
	buf_release(&message);
	return took;
}

static void expect(struct desk *d, const char *text)
{
	while (take(d))
		continue;
	assert_string_equal(d->said.n ? buf_cstr(&d->said) : "", text);
	buf_clear(&d->said);
}

/* The other side takes messages of so many bytes; 0: it does not say. */
static void open_limited(struct desk *d, unsigned version, uint64_t message_max)
{
	const struct wire_dialect agreed = { .version = version, .message_max = message_max };

	assert_int_equal(peer_open(d->p, ++d->epoch, &agreed), E_OK);
}

static void open_stream(struct desk *d, unsigned version)
{
	open_limited(d, version, 0);
}

static void desk_begin_with(struct desk *d, unsigned version, const struct peer_options *options)
{
	*d = (struct desk){ .now = 1000, .data = STR("{}") };
	d->p = peer_new(options, d->now);
	assert_non_null(d->p);
	open_stream(d, version);
}

static struct peer_options usual(void)
{
	return (struct peer_options){
		.outbox = outbox_defaults, .inbox = inbox_defaults, .source = STR(SOURCE), .seed = 1
	};
}

static void desk_begin(struct desk *d, unsigned version)
{
	const struct peer_options options = usual();

	desk_begin_with(d, version, &options);
}

static void desk_end(struct desk *d)
{
	peer_free(d->p);
	buf_release(&d->said);
}

static struct blob *message_of(const struct wire_event *e)
{
	struct buf bytes = { 0 };
	struct blob *message = wire_event_encode(e, &bytes) == E_OK ? blob_new(buf_view(&bytes)) : NULL;

	buf_release(&bytes);
	return message;
}

static void hear_bytes(struct desk *d, uint64_t epoch, struct blob *message)
{
	struct peer_heard heard;

	peer_receive(d->p, epoch, blob_view(message), d->now, /* random= */ 3, &heard);
	say_heard(d, &heard);
}

static void hear(struct desk *d, const struct wire_event *e)
{
	CLEANUP(blob_unref_freep) struct blob *message = message_of(e);

	hear_bytes(d, d->epoch, message);
}

static struct wire_event about(enum wire_type type, const char *id, const char *event_id)
{
	return (struct wire_event){ .type = type,
				    .target = WIRE_TO_APPLICATION,
				    .subject = STR("argocd/web"),
				    .resource_id = str_of(id),
				    .event_id = str_of(event_id),
				    .data = STR("{}") };
}

static void hear_about(struct desk *d, enum wire_type type, const char *id, const char *event_id)
{
	const struct wire_event e = about(type, id, event_id);

	hear(d, &e);
}

static void answer(struct desk *d, const char *id, const char *event_id, enum wire_outcome outcome, bool retryable)
{
	hear(d, &(struct wire_event){ .type = WIRE_PROCESSED,
				      .target = WIRE_TO_ACK,
				      .resource_id = str_of(id),
				      .event_id = str_of(event_id),
				      .outcome = outcome,
				      .retryable = retryable,
				      .reason = str_of(outcome == WIRE_REJECTED ? "because" : "") });
}

static enum err add(struct desk *d, enum delivery_type type, const char *id, const char *event_id)
{
	const struct wire_event e = about(WIRE_SET_OPERATION, id, event_id);
	CLEANUP(blob_unref_freep) struct blob *message = NULL;

	if (type == DELIVERY_COMMAND) {
		struct wire_event finished = e;

		finished.source = (struct str)STR(SOURCE);
		message = message_of(&finished);
	}
	return peer_add(d->p,
			&(struct delivery_event){ .type = type,
						  .kind = STR("Application"),
						  .namespace = STR("argocd"),
						  .name = str_of(id),
						  .resource_id = str_of(id),
						  .event_id = str_of(event_id),
						  .bytes = message },
			d->now);
}

/* So long that the peer is told what we have. */
static void wait(struct desk *d)
{
	d->now += inbox_defaults.receipt_ms;
}

static struct outbox_stats out(struct desk *d)
{
	struct outbox_stats stats;

	outbox_stats(peer_outbox(d->p), &stats);
	return stats;
}

/* ---- streams ------------------------------------------------------------------------------------------------------ */

static void a_newer_stream_counts_and_an_older_one_changes_nothing(void **state)
{
	const struct wire_dialect agreed = { .version = WIRE_TWO_STEPS }, older = { .version = WIRE_UPSTREAM };
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_UPSTREAM);
	assert_int_equal(peer_epoch(d.p), 1);
	assert_true(peer_speaks_upstream(d.p));
	assert_int_equal(peer_open(d.p, 5, &agreed), E_OK);
	assert_int_equal(peer_open(d.p, 4, &older), E_CANCELLED);
	assert_false(peer_speaks_upstream(d.p));
	d.epoch = 5;
	hear_about(&d, WIRE_CREATE, "web_u1", "web_u1_1");
	wait(&d);
	expect(&d, "event io.argoproj.argocd-agent.event.create, web_u1_1\n> received web_u1_1\n");
	peer_close(d.p, 4);
	peer_close(d.p, 0);
	assert_int_equal(peer_epoch(d.p), 5);
	peer_close(d.p, 5);
	assert_int_equal(peer_epoch(d.p), 0);
	peer_free(NULL);
	desk_end(&d);
}

static void what_comes_on_another_stream_is_not_looked_at(void **state)
{
	const struct wire_event e = about(WIRE_CREATE, "web_u1", "web_u1_1");
	CLEANUP(blob_unref_freep) struct blob *message = message_of(&e);
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_TWO_STEPS);
	hear_bytes(&d, 7, message);
	expect(&d, "quiet, web_u1_1\n");
	assert_int_equal(peer_came(d.p), 0);
	desk_end(&d);
}

static void we_offer_our_dialect_and_our_window_and_keep_to_that_of_the_peer(void **state)
{
	const struct wire_dialect agreed = { .version = WIRE_TWO_STEPS, .window_events = 1, .window_bytes = 1 << 20 };
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_TWO_STEPS);
	struct wire_dialect offer = peer_offer(d.p);

	assert_int_equal(offer.version, WIRE_NEWEST);
	assert_int_equal(offer.window_events, inbox_defaults.window_events);
	assert_int_equal(offer.window_bytes, inbox_defaults.window_bytes);
	assert_true(str_is(peer_source(d.p), SOURCE));
	assert_int_equal(peer_open(d.p, 9, &agreed), E_OK);
	add(&d, DELIVERY_SPEC, "a_u", "a_u_1");
	add(&d, DELIVERY_SPEC, "b_u", "b_u_1");
	assert_true(take(&d));
	assert_false(take(&d));
	/* A stream of upstream's dialect grants nothing: our own bound holds again. */
	open_stream(&(struct desk){ .p = d.p, .epoch = 9 }, WIRE_UPSTREAM);
	assert_true(take(&d));
	assert_true(take(&d));
	desk_end(&d);
}

/* ---- what comes --------------------------------------------------------------------------------------------------- */

static void an_event_is_received_dealt_with_and_answered(void **state)
{
	static const struct {
		unsigned version;
		enum delivery_outcome outcome;
		bool retryable;
		const char *meanwhile, *then;
	} rows[] = {
		{ WIRE_TWO_STEPS, DELIVERY_APPLIED, false, "> received web_u1_1\n", "> applied web_u1_1\n" },
		{ WIRE_TWO_STEPS, DELIVERY_REJECTED, false, "> received web_u1_1\n", "> rejected web_u1_1: so\n" },
		{ WIRE_TWO_STEPS, DELIVERY_REJECTED, true, "> received web_u1_1\n", "> rejected web_u1_1: so\n" },
		{ WIRE_UPSTREAM, DELIVERY_APPLIED, false, "", "> processed web_u1_1\n" },
		{ WIRE_UPSTREAM, DELIVERY_REJECTED, false, "", "> processed web_u1_1\n" },
		{ WIRE_UPSTREAM, DELIVERY_REJECTED, true, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[128];
		struct wire_event e;
		struct inbox_work *work;
		struct desk d;

		desk_begin(&d, rows[i].version);
		hear_about(&d, WIRE_CREATE, "web_u1", "web_u1_1");
		wait(&d);
		(void)snprintf(text, sizeof(text), "event %s.create, web_u1_1\n%s", WIRE_PREFIX, rows[i].meanwhile);
		expect(&d, text);
		assert_int_equal(peer_came(d.p), 1);
		work = peer_next(d.p, &e);
		assert_non_null(work);
		assert_int_equal(e.type, WIRE_CREATE);
		assert_true(str_is(e.data, "{}"));
		assert_null(peer_next(d.p, &e));
		peer_done(d.p, work, rows[i].outcome, rows[i].retryable, (struct str)STR("so"));
		expect(&d, rows[i].then);
		desk_end(&d);
	}
}

static void received_is_due_when_the_outcome_takes_long(void **state)
{
	struct wire_event e;
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_TWO_STEPS);
	hear_about(&d, WIRE_CREATE, "web_u1", "web_u1_1");
	hear_about(&d, WIRE_CREATE, "db_u2", "db_u2_1");
	buf_clear(&d.said);
	peer_done(d.p, peer_next(d.p, &e), DELIVERY_APPLIED, false, (struct str){ 0 });
	expect(&d, "> applied web_u1_1\n");
	uint64_t due = peer_due(d.p, d.now);

	assert_int_equal(due, d.now + inbox_defaults.receipt_ms);
	wait(&d);
	assert_int_equal(peer_due(d.p, due), due);
	expect(&d, "> received db_u2_1\n");
	assert_int_equal(peer_due(d.p, due), UINT64_MAX);
	desk_end(&d);
}

static void a_repetition_is_answered_again_and_not_dealt_with_again(void **state)
{
	struct wire_event e;
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_UPSTREAM);
	hear_about(&d, WIRE_CREATE, "web_u1", "web_u1_1");
	peer_done(d.p, peer_next(d.p, &e), DELIVERY_APPLIED, false, (struct str)STR(""));
	hear_about(&d, WIRE_CREATE, "web_u1", "web_u1_1");
	expect(&d, "event " WIRE_PREFIX ".create, web_u1_1\n"
		   "event " WIRE_PREFIX ".create, web_u1_1\n"
		   "> processed web_u1_1\n"
		   "> processed web_u1_1\n");
	assert_null(peer_next(d.p, &e));
	assert_int_equal(peer_came(d.p), 1);
	desk_end(&d);
}

static void what_can_never_be_taken_is_refused_and_the_peer_is_told(void **state)
{
	struct wire_event unknown = about(WIRE_UNKNOWN_TYPE, "x", "x_1"), nameless = about(WIRE_CREATE, "x", "");
	CLEANUP(blob_unref_freep) struct blob *rubbish = blob_new((struct str)STR("rubbish"));
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_TWO_STEPS);
	unknown.type_text = (struct str)STR("io.example.dance");
	hear(&d, &unknown);
	expect(&d, "cannot take (unsupported): event type 'io.example.dance' for 'application', x_1\n"
		   "> rejected x_1: event type 'io.example.dance' for 'application'\n");
	hear(&d, &nameless);
	assert_non_null(strstr(buf_cstr(&d.said), "cannot take (malformed)"));
	buf_clear(&d.said);
	assert_true(take(&d));
	assert_non_null(strstr(buf_cstr(&d.said), "> rejected"));
	buf_clear(&d.said);
	hear_bytes(&d, d.epoch, rubbish); /* nobody to be told: it has no id */
	assert_non_null(strstr(buf_cstr(&d.said), "cannot take (malformed)"));
	assert_false(take(&d));
	desk_end(&d);
}

static void who_sends_more_than_the_window_gets_no_answer_to_it(void **state)
{
	struct peer_options options = usual();
	struct wire_event e;
	struct desk d;

	(void)state;
	options.inbox.window_events = 1;
	desk_begin_with(&d, WIRE_UPSTREAM, &options);
	assert_false(peer_is_full(d.p));
	hear_about(&d, WIRE_CREATE, "web_u1", "web_u1_1");
	assert_true(peer_is_full(d.p));
	hear_about(&d, WIRE_SPEC_UPDATE, "web_u1", "web_u1_2");
	expect(&d, "event " WIRE_PREFIX ".create, web_u1_1\n"
		   "cannot take (limit): take the event, web_u1_2\n");
	peer_done(d.p, peer_next(d.p, &e), DELIVERY_APPLIED, false, (struct str)STR(""));
	assert_false(peer_is_full(d.p));
	expect(&d, "> processed web_u1_1\n");
	desk_end(&d);
}

static void a_sign_of_life_is_answered(void **state)
{
	struct wire_event ping = {
		.type = WIRE_PING, .target = WIRE_TO_HEARTBEAT, .resource_id = STR("p1"), .event_id = STR("p1")
	};
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_UPSTREAM);
	hear(&d, &ping);
	ping.type = WIRE_PONG;
	hear(&d, &ping);
	expect(&d, "quiet, p1\nquiet, p1\n> processed p1\n");
	desk_end(&d);
}

/* ---- what goes ---------------------------------------------------------------------------------------------------- */

static void each_event_has_its_word_its_ids_and_the_time_of_sending(void **state)
{
	static const struct {
		enum delivery_type type;
		const char *word;
	} rows[] = {
		{ DELIVERY_CREATE, "create" },         { DELIVERY_SPEC, "spec-update" },
		{ DELIVERY_STATUS, "status-update" },  { DELIVERY_DELETE, "delete" },
		{ DELIVERY_COMMAND, "set-operation" },
	};

	(void)state;
	for (unsigned version = WIRE_UPSTREAM; version <= WIRE_TWO_STEPS; version++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			char text[128];
			struct desk d;

			desk_begin(&d, version);
			assert_int_equal(add(&d, rows[i].type, "web_u1", "web_u1_1"), E_OK);
			(void)snprintf(text, sizeof(text), "> %s web_u1_1%s at 1970-01-01T00:00:00Z\n", rows[i].word,
				       version == WIRE_TWO_STEPS ? " #1" : "");
			expect(&d, text);
			desk_end(&d);
		}
}

static void an_answer_says_what_became_of_the_event(void **state)
{
	static const struct {
		unsigned version;
		enum wire_outcome outcome;
		bool retryable;
		const char *heard;
	} rows[] = {
		{ WIRE_UPSTREAM, WIRE_NO_OUTCOME, false, "spec: confirmed, web_u1_1\n" },
		{ WIRE_TWO_STEPS, WIRE_RECEIVED, false, "spec: held, web_u1_1\n" },
		{ WIRE_TWO_STEPS, WIRE_APPLIED, false, "spec: confirmed, web_u1_1\n" },
		{ WIRE_TWO_STEPS, WIRE_REJECTED, true, "spec: again, web_u1_1, because\n" },
		{ WIRE_TWO_STEPS, WIRE_REJECTED, false, "spec: quarantined, web_u1_1, because\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct desk d;

		desk_begin(&d, rows[i].version);
		add(&d, DELIVERY_SPEC, "web_u1", "web_u1_1");
		assert_true(take(&d));
		buf_clear(&d.said);
		answer(&d, "web_u1", "web_u1_0", rows[i].outcome, rows[i].retryable);
		expect(&d, "quiet, web_u1_0\n");
		answer(&d, "web_u1", "web_u1_1", rows[i].outcome, rows[i].retryable);
		expect(&d, rows[i].heard);
		desk_end(&d);
	}
}

static void what_composing_says_decides(void **state)
{
	static const struct {
		enum delivery_type type;
		enum err err;
		const char *said;
		uint64_t held_back, quarantined, confirmed;
	} rows[] = {
		{ DELIVERY_SPEC, E_NOT_FOUND, "", 0, 0, 1 },
		{ DELIVERY_COMMAND, E_NOT_FOUND, "", 0, 0, 1 },
		{ DELIVERY_SPEC, E_NOMEM, "", 1, 0, 0 },
		{ DELIVERY_COMMAND, E_NOMEM, "", 1, 0, 0 },
		{ DELIVERY_SPEC, E_LIMIT,
		  "never sent: spec: quarantined (limit), a_u_1, compose the event: over a configured limit\n", 0, 1,
		  0 },
		{ DELIVERY_DELETE, E_MALFORMED,
		  "never sent: delete: quarantined (malformed), a_u_1, compose the event: malformed input\n", 0, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct desk d;

		desk_begin(&d, WIRE_TWO_STEPS);
		d.compose = rows[i].err;
		assert_int_equal(add(&d, rows[i].type, "a_u", "a_u_1"), E_OK);
		expect(&d, rows[i].said);
		assert_int_equal(out(&d).held_back, rows[i].held_back);
		assert_int_equal(out(&d).quarantined, rows[i].quarantined);
		assert_int_equal(out(&d).confirmed, rows[i].confirmed);
		assert_int_equal(out(&d).in_flight, 0);
		desk_end(&d);
	}
}

static void what_there_was_no_memory_for_goes_when_its_time_has_come(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_TWO_STEPS);
	d.compose = E_NOMEM;
	add(&d, DELIVERY_SPEC, "a_u", "a_u_1");
	expect(&d, "");
	uint64_t due = peer_due(d.p, d.now);

	assert_in_range(due, d.now + 1, d.now + outbox_defaults.resend_base_ms);
	d.compose = E_OK;
	d.now = due - 1;
	expect(&d, "");
	d.now = due;
	expect(&d, "> spec-update a_u_1 #2 at 1970-01-01T00:00:00Z\n");
	desk_end(&d);
}

/* Exactly as large as the limit is not too large: the size is found by trying. */
static void a_message_larger_than_the_limit_is_refused_and_the_next_one_goes(void **state)
{
	static char text[3000];
	struct peer_options options = usual();
	size_t exact = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	options.message_max = 1000;
	for (size_t n = 0; n < sizeof(text) && !exact; n++) {
		char said[256];
		struct desk d;

		desk_begin_with(&d, WIRE_UPSTREAM, &options);
		d.data = (struct str){ text, n };
		add(&d, DELIVERY_SPEC, "a_u", "a_u_1");
		if (!take(&d)) {
			exact = n - 1;
			(void)snprintf(
				said, sizeof(said),
				"never sent: spec: quarantined (limit), a_u_1, a message of 1001 bytes is larger "
				"than our limit of 1000 bytes (--grpc-max-message-size)\n");
			expect(&d, said);
			d.data = (struct str){ text, exact };
			add(&d, DELIVERY_SPEC, "b_u", "b_u_1");
			expect(&d, "> spec-update b_u_1 at 1970-01-01T00:00:00Z\n");
			/* A newer version lets it out. */
			add(&d, DELIVERY_SPEC, "a_u", "a_u_2");
			expect(&d, "> spec-update a_u_2 at 1970-01-01T00:00:00Z\n");
			assert_int_equal(out(&d).quarantined, 0);
		}
		desk_end(&d);
	}
	assert_in_range(exact, 1, 999);
}

/* What one end says it takes, the other does not pass; who does not say it may have said it with the end of a stream. */
static void the_smaller_of_both_limits_holds(void **state)
{
#define OURS   " is larger than our limit of "
#define THEIRS " is larger than the peer's limit of "
	static const struct {
		unsigned version;
		uint64_t ours, theirs, told, limit;
		const char *whose;
	} rows[] = {
		{ WIRE_TWO_STEPS, 0, 0, 0, 0, NULL },
		{ WIRE_TWO_STEPS, 1000, 0, 0, 1000, OURS },
		{ WIRE_TWO_STEPS, 1000, 2000, 0, 1000, OURS },
		{ WIRE_TWO_STEPS, 1000, 1000, 0, 1000, OURS },
		{ WIRE_TWO_STEPS, 2000, 1000, 0, 1000, THEIRS },
		{ WIRE_TWO_STEPS, 0, 1000, 0, 1000, THEIRS },
		{ WIRE_TWO_STEPS, 2000, 1500, 1000, 1500, THEIRS },
		{ WIRE_UPSTREAM, 2000, 0, 1000, 1000, THEIRS },
		{ WIRE_UPSTREAM, 1000, 0, 2000, 1000, OURS },
		{ WIRE_UPSTREAM, 0, 0, 1000, 1000, THEIRS },
	};
	static char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer_options options = usual();
		struct desk d;

		options.message_max = rows[i].ours;
		desk_begin_with(&d, rows[i].version, &options);
		assert_int_equal(peer_offer(d.p).message_max, rows[i].ours);
		peer_told_max(d.p, rows[i].told);
		peer_told_max(d.p, 0); /* a stream that ended for another reason */
		assert_int_equal(peer_message_max(d.p), rows[i].ours);
		open_limited(&d, rows[i].version, rows[i].theirs);
		assert_int_equal(peer_message_max(d.p), rows[i].limit);
		d.data = (struct str){ text, sizeof(text) };
		add(&d, DELIVERY_SPEC, "a_u", "a_u_1");
		assert_int_equal(take(&d), rows[i].limit == 0);
		if (rows[i].whose)
			assert_non_null(strstr(buf_cstr(&d.said), rows[i].whose));
		desk_end(&d);
	}
}

static void a_request_larger_than_the_limit_is_gone(void **state)
{
	static char text[3000];
	struct peer_options options = usual();
	struct desk d;

	(void)state;
	memset(text, ' ', sizeof(text));
	options.message_max = 1000;
	desk_begin_with(&d, WIRE_UPSTREAM, &options);
	assert_int_equal(
		peer_request(d.p, WIRE_SYNCED_RESOURCE, WIRE_TO_RESYNC, (struct str){ text, sizeof(text) }, d.now),
		E_OK);
	assert_false(take(&d));
	assert_non_null(strstr(buf_cstr(&d.said), "never sent: request: refused (limit), "));
	assert_int_equal(out(&d).waiting + out(&d).in_flight + out(&d).quarantined, 0);
	desk_end(&d);
}

/* An answer repeats what the peer itself said, however much that was: what is larger than the limit cannot be said. */
static void an_answer_larger_than_the_limit_is_left(void **state)
{
	static char text[3000];
	struct peer_options options = usual();
	struct desk d;

	(void)state;
	memset(text, 'x', sizeof(text));
	options.message_max = 1000;
	desk_begin_with(&d, WIRE_TWO_STEPS, &options);
	hear(&d, &(struct wire_event){ .target = WIRE_TO_APPLICATION,
				       .type_text = STR("io.example.dance"),
				       .resource_id = { text, sizeof(text) },
				       .event_id = STR("x_1") });
	buf_clear(&d.said);
	assert_int_equal(peer_ping(d.p), E_OK);
	assert_true(take(&d));
	assert_non_null(strstr(buf_cstr(&d.said), "> ping "));
	assert_false(take(&d));
	desk_end(&d);
}

static void requests_have_ids_of_their_own_and_are_sent_until_they_are_answered(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_UPSTREAM);
	assert_int_equal(peer_request(d.p, WIRE_RESOURCE_RESYNC, WIRE_TO_RESYNC, (struct str)STR("{}"), d.now), E_OK);
	assert_int_equal(peer_request(d.p, WIRE_RESOURCE_RESYNC, WIRE_TO_RESYNC, (struct str)STR("{}"), d.now), E_OK);
	expect(&d, "> request-resource-resync at 1970-01-01T00:00:00Z\n"
		   "> request-resource-resync at 1970-01-01T00:00:00Z\n");
	assert_int_equal(out(&d).in_flight, 2);
	open_stream(&d, WIRE_UPSTREAM);
	expect(&d, "> request-resource-resync at 1970-01-01T00:00:00Z\n"
		   "> request-resource-resync at 1970-01-01T00:00:00Z\n");
	desk_end(&d);
}

static void a_sign_of_life_goes_once_and_only_on_a_stream(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_TWO_STEPS);
	peer_close(d.p, d.epoch);
	assert_int_equal(peer_ping(d.p), E_UNAVAILABLE);
	open_stream(&d, WIRE_TWO_STEPS);
	assert_int_equal(peer_ping(d.p), E_OK);
	assert_int_equal(peer_due(d.p, d.now), d.now);
	assert_true(take(&d));
	assert_false(take(&d));
	assert_int_equal(peer_due(d.p, d.now), UINT64_MAX);
	desk_end(&d);
}

static void what_was_rejected_for_now_goes_when_the_peer_says_so(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_TWO_STEPS);
	add(&d, DELIVERY_SPEC, "a_1", "a_1_1");
	expect(&d, "> spec-update a_1_1 #1 at 1970-01-01T00:00:00Z\n");
	answer(&d, "a_1", "a_1_1", WIRE_REJECTED, /* retryable= */ true);
	expect(&d, "spec: again, a_1_1, because\n");
	hear(&d, &(struct wire_event){ .type = WIRE_AGAIN, .target = WIRE_TO_HEARTBEAT, .resource_id = STR("x") });
	expect(&d, "quiet\n> spec-update a_1_1 #2 at 1970-01-01T00:00:00Z\n");
	assert_int_equal(peer_again(d.p), E_OK);
	assert_true(take(&d));
	assert_non_null(strstr(buf_cstr(&d.said), "> again "));
	open_stream(&d, WIRE_UPSTREAM);
	assert_true(take(&d));
	assert_int_equal(peer_again(d.p), E_OK); /* it has no word for it */
	assert_false(take(&d));
	desk_end(&d);
}

static void without_a_stream_nothing_goes_and_nothing_is_due(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_TWO_STEPS);
	assert_int_equal(peer_due(d.p, d.now), UINT64_MAX);
	add(&d, DELIVERY_SPEC, "a_u", "a_u_1");
	assert_int_equal(peer_due(d.p, d.now), d.now);
	peer_close(d.p, d.epoch);
	assert_int_equal(peer_due(d.p, d.now), UINT64_MAX);
	expect(&d, "");
	open_stream(&d, WIRE_TWO_STEPS);
	expect(&d, "> spec-update a_u_1 #1 at 1970-01-01T00:00:00Z\n");
	assert_in_range(peer_due(d.p, d.now), d.now + 1, d.now + outbox_defaults.resend_base_ms);
	desk_end(&d);
}

static void answers_go_first(void **state)
{
	struct wire_event e;
	struct desk d;

	(void)state;
	desk_begin(&d, WIRE_UPSTREAM);
	add(&d, DELIVERY_DELETE, "a_u", "a_u_1");
	hear_about(&d, WIRE_CREATE, "web_u1", "web_u1_1");
	peer_done(d.p, peer_next(d.p, &e), DELIVERY_APPLIED, false, (struct str)STR(""));
	buf_clear(&d.said);
	assert_int_equal(peer_due(d.p, d.now), d.now);
	expect(&d, "> processed web_u1_1\n"
		   "> delete a_u_1 at 1970-01-01T00:00:00Z\n");
	desk_end(&d);
}

static void random_numbers_come_from_the_seed(void **state)
{
	struct peer_options options = usual();
	unsigned char a[16], b[16], c[16];
	struct desk d;

	(void)state;
	desk_begin_with(&d, WIRE_UPSTREAM, &options);
	peer_random(d.p, a);
	peer_random(d.p, b);
	desk_end(&d);
	assert_memory_not_equal(a, b, 16);
	desk_begin_with(&d, WIRE_UPSTREAM, &options);
	peer_random(d.p, c);
	desk_end(&d);
	assert_memory_equal(a, c, 16);
	options.seed = 2;
	desk_begin_with(&d, WIRE_UPSTREAM, &options);
	peer_random(d.p, c);
	desk_end(&d);
	assert_memory_not_equal(a, c, 16);
}

/* ---- faults ------------------------------------------------------------------------------------------------------- */

static void a_peer_is_made_whole_or_not_at_all(void **state)
{
	const struct peer_options options = usual();
	struct peer *p = NULL;
	long n = 1;

	(void)state;
	for (; !p; n++) {
		mem_fail_at(n);
		p = peer_new(&options, 0);
		mem_fail_at(0);
	}
	assert_true(n > 4);
	peer_free(p);
}

static void adding_and_asking_say_that_there_is_no_memory(void **state)
{
	struct desk d;
	enum err err;

	(void)state;
	desk_begin(&d, WIRE_UPSTREAM);
	for (long n = 1, kinds = 0; kinds < 3; n++) {
		struct outbox_stats before = out(&d);

		mem_fail_at(n);
		err = kinds == 0   ? peer_request(d.p, WIRE_CACHE_INFO, WIRE_TO_CACHE_INFO, (struct str)STR("{}"), 0)
		      : kinds == 1 ? peer_ping(d.p)
				   : add(&d, DELIVERY_SPEC, "a_u", "a_u_1");
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		if (err == E_NOMEM) {
			assert_int_equal(out(&d).waiting, before.waiting);
			assert_int_equal(out(&d).control, before.control);
			continue;
		}
		assert_int_equal(out(&d).waiting + out(&d).control, before.waiting + before.control + 1);
		kinds++;
		n = 0;
	}
	desk_end(&d);
}

/* "Received" ends the repetitions of a peer: the outcome must not be lost for want of memory. */
static void an_answer_is_not_lost_for_want_of_memory(void **state)
{
	bool failed = true;

	(void)state;
	for (long n = 1; failed; n++) {
		struct wire_event e;
		struct desk d;

		desk_begin(&d, WIRE_TWO_STEPS);
		hear_about(&d, WIRE_CREATE, "web_u1", "web_u1_1");
		buf_clear(&d.said);
		wait(&d);
		expect(&d, "> received web_u1_1\n");
		peer_done(d.p, peer_next(d.p, &e), DELIVERY_APPLIED, false, (struct str)STR(""));
		const struct peer_composer composer = { .compose = compose, .on_refused = on_refused, .ctx = &d };
		struct buf message = { 0 };
		uint64_t order;

		mem_fail_at(n);
		bool took = peer_take(d.p, &composer, d.now, 0, &message, &order);

		failed = mem_count() >= n;
		mem_fail_at(0);
		if (!took) {
			assert_int_equal(message.err, E_OK);
			assert_int_equal(peer_due(d.p, d.now), d.now);
			took = peer_take(d.p, &composer, d.now, 0, &message, &order);
		}
		assert_true(took);
		say_message(&d, buf_view(&message));
		buf_release(&message);
		expect(&d, "> applied web_u1_1\n");
		desk_end(&d);
	}
}

/* What comes while there is no memory is not answered, or was taken; either way the peer's repetition makes it good. */
static void every_allocation_of_a_conversation_may_fail(void **state)
{
	long n = 1, count;

	(void)state;
	do {
		struct inbox_work *work;
		struct wire_event e;
		struct desk d;

		desk_begin(&d, WIRE_TWO_STEPS);
		assert_int_equal(add(&d, DELIVERY_SPEC, "a_u", "a_u_1"), E_OK);
		const struct wire_event create = about(WIRE_CREATE, "web_u1", "web_u1_1");
		CLEANUP(blob_unref_freep) struct blob *message = message_of(&create);
		const struct peer_composer composer = { .compose = compose, .on_refused = on_refused, .ctx = &d };
		struct peer_heard heard;
		struct buf bytes = { 0 };
		uint64_t order;

		mem_fail_at(n);
		peer_receive(d.p, d.epoch, blob_view(message), d.now, 3, &heard);
		if ((work = peer_next(d.p, &e)))
			peer_done(d.p, work, DELIVERY_APPLIED, false, (struct str)STR(""));
		for (int i = 0; i < 5; i++, buf_clear(&bytes))
			if (peer_take(d.p, &composer, d.now, 0, &bytes, &order) && order)
				peer_sent(d.p, order, d.now, 7);
		count = mem_count();
		mem_fail_at(0);
		buf_release(&bytes);
		open_stream(&d, WIRE_TWO_STEPS);
		hear_bytes(&d, d.epoch, message);
		if ((work = peer_next(d.p, &e)))
			peer_done(d.p, work, DELIVERY_APPLIED, false, (struct str)STR(""));
		buf_clear(&d.said);
		while (take(&d))
			continue;
		assert_non_null(strstr(buf_cstr(&d.said), "> applied web_u1_1\n"));
		assert_non_null(strstr(buf_cstr(&d.said), "> spec-update a_u_1 #"));
		assert_int_equal(out(&d).quarantined, 0);
		desk_end(&d);
	} while (n++ <= count);
	assert_true(n > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_newer_stream_counts_and_an_older_one_changes_nothing),
		cmocka_unit_test(what_comes_on_another_stream_is_not_looked_at),
		cmocka_unit_test(we_offer_our_dialect_and_our_window_and_keep_to_that_of_the_peer),
		cmocka_unit_test(an_event_is_received_dealt_with_and_answered),
		cmocka_unit_test(received_is_due_when_the_outcome_takes_long),
		cmocka_unit_test(a_repetition_is_answered_again_and_not_dealt_with_again),
		cmocka_unit_test(what_can_never_be_taken_is_refused_and_the_peer_is_told),
		cmocka_unit_test(who_sends_more_than_the_window_gets_no_answer_to_it),
		cmocka_unit_test(a_sign_of_life_is_answered),
		cmocka_unit_test(each_event_has_its_word_its_ids_and_the_time_of_sending),
		cmocka_unit_test(an_answer_says_what_became_of_the_event),
		cmocka_unit_test(what_composing_says_decides),
		cmocka_unit_test(what_there_was_no_memory_for_goes_when_its_time_has_come),
		cmocka_unit_test(a_message_larger_than_the_limit_is_refused_and_the_next_one_goes),
		cmocka_unit_test(the_smaller_of_both_limits_holds),
		cmocka_unit_test(a_request_larger_than_the_limit_is_gone),
		cmocka_unit_test(an_answer_larger_than_the_limit_is_left),
		cmocka_unit_test(requests_have_ids_of_their_own_and_are_sent_until_they_are_answered),
		cmocka_unit_test(a_sign_of_life_goes_once_and_only_on_a_stream),
		cmocka_unit_test(what_was_rejected_for_now_goes_when_the_peer_says_so),
		cmocka_unit_test(without_a_stream_nothing_goes_and_nothing_is_due),
		cmocka_unit_test(answers_go_first),
		cmocka_unit_test(random_numbers_come_from_the_seed),
		cmocka_unit_test(a_peer_is_made_whole_or_not_at_all),
		cmocka_unit_test(adding_and_asking_say_that_there_is_no_memory),
		cmocka_unit_test(an_answer_is_not_lost_for_want_of_memory),
		cmocka_unit_test(every_allocation_of_a_conversation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
