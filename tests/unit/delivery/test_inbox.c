/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/buf.h"
#include "delivery/inbox.h"

#define WORK_MAX 300

/* An inbox, what is being applied, and what happened as text. */
struct counter {
	struct inbox *i;
	struct inbox_work *work[WORK_MAX];
	size_t n;
	uint64_t now;
	struct buf text;
};

static void counter_open(struct counter *c, const struct inbox_options *options)
{
	*c = (struct counter){ .i = inbox_new(options ? options : &inbox_defaults) };
	assert_non_null(c->i);
	assert_int_equal(inbox_connected(c->i, 1), E_OK);
}

static void counter_close(struct counter *c)
{
	inbox_free(c->i);
	buf_release(&c->text);
}

static struct delivery_event event(const char *who, const char *what, uint64_t order)
{
	static char name[2];
	static const char letters[] = "oqdcst"; /* in the order of enum delivery_type */

	name[0] = (char)(who[0] | 0x20);
	return (struct delivery_event){ .type = (enum delivery_type)(strchr(letters, what[0]) - letters),
					.kind = STR("Application"),
					.namespace = STR("argocd"),
					.name = str_of(name),
					.resource_id = str_of(who),
					.event_id = str_of(what + 1),
					.order = order };
}

static enum err put(struct counter *c, const char *who, const char *what, uint64_t order)
{
	struct delivery_event e = event(who, what, order);

	e.came_ms = c->now;
	return inbox_put(c->i, 1, &e);
}

static void start(struct counter *c)
{
	struct inbox_work *w;

	while ((w = inbox_next(c->i))) {
		buf_addf(&c->text, "apply %.*s %s %.*s\n", STR_ARG(w->event.resource_id),
			 delivery_type_name(w->event.type), STR_ARG(w->event.event_id));
		c->work[c->n++] = w;
	}
}

/* The oldest work ends. */
static void end(struct counter *c, enum delivery_outcome outcome, bool retryable, const char *reason)
{
	struct inbox_work *w = c->work[0];

	assert_true(c->n > 0);
	memmove(c->work, c->work + 1, --c->n * sizeof(*c->work));
	inbox_done(c->i, w, outcome, retryable, str_of(reason));
}

static void applied(struct counter *c)
{
	end(c, DELIVERY_APPLIED, false, NULL);
}

/* So long that the peer is told what we have. */
static void wait(struct counter *c)
{
	c->now += inbox_defaults.receipt_ms;
}

static void say(struct counter *c)
{
	static const char *const outcomes[] = { "received", "applied", "rejected" };
	struct delivery_answer a;

	while (inbox_answer(c->i, c->now, &a)) {
		buf_addf(&c->text, "%s %.*s %.*s", outcomes[a.outcome], STR_ARG(a.resource_id), STR_ARG(a.event_id));
		if (a.order)
			buf_addf(&c->text, " #%llu", (unsigned long long)a.order);
		if (a.outcome == DELIVERY_REJECTED)
			buf_addf(&c->text, "%s: %.*s", a.retryable ? ", retryable" : "", STR_ARG(a.reason));
		buf_char(&c->text, '\n');
	}
}

static void expect(struct counter *c, const char *text)
{
	assert_string_equal(c->text.n ? buf_cstr(&c->text) : "", text);
	buf_clear(&c->text);
}

static struct inbox_stats stats(const struct counter *c)
{
	struct inbox_stats s;

	inbox_stats(c->i, &s);
	return s;
}

static void an_event_is_received_applied_and_answered(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	assert_int_equal(put(&c, "a", "s1", 5), E_OK);
	wait(&c);
	say(&c);
	start(&c);
	applied(&c);
	say(&c);
	expect(&c, "received a 1 #5\n"
		   "apply a spec 1\n"
		   "applied a 1 #5\n");
	counter_close(&c);
}

static void one_key_is_in_order_and_others_go_beside_it(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 0);
	put(&c, "a", "o1", 0);
	put(&c, "A", "c2", 0); /* the successor under the same name */
	put(&c, "b", "s1", 0);
	start(&c);
	expect(&c, "apply a spec 1\napply b spec 1\n");
	applied(&c);
	start(&c);
	applied(&c); /* b */
	start(&c);
	expect(&c, "apply a command 1\n");
	applied(&c);
	start(&c);
	expect(&c, "apply A create 2\n");
	applied(&c);
	assert_int_equal(stats(&c).applied, 4);
	counter_close(&c);
}

static void a_peer_that_knows_one_answer_gets_one(void **state)
{
	struct inbox_options options = inbox_defaults;
	struct counter c;

	(void)state;
	options.two_step = false;
	counter_open(&c, &options);
	put(&c, "a", "s1", 0);
	put(&c, "a", "s1", 0); /* a repetition of what is in progress: nothing to say yet */
	say(&c);
	start(&c);
	applied(&c);
	say(&c);
	expect(&c, "apply a spec 1\napplied a 1\n");
	counter_close(&c);
}

/* Another version of the peer comes with the next stream. */
static void the_number_of_answers_changes_with_the_peer(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	inbox_two_step(c.i, true);
	put(&c, "a", "s1", 5);
	wait(&c);
	say(&c);
	expect(&c, "received a 1 #5\n");
	inbox_two_step(c.i, false);
	put(&c, "b", "s1", 6);
	wait(&c);
	say(&c);
	expect(&c, "");
	counter_close(&c);
}

static void received_is_said_of_what_takes_long_and_of_nothing_else(void **state)
{
	uint64_t receipt_ms = inbox_defaults.receipt_ms;
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	assert_int_equal(inbox_due(c.i), UINT64_MAX);
	put(&c, "a", "s1", 0);
	c.now = 10;
	put(&c, "b", "s1", 0);
	put(&c, "c", "s1", 0);
	start(&c);
	applied(&c); /* a */
	assert_int_equal(inbox_due(c.i), 0);
	say(&c);
	expect(&c, "apply a spec 1\napply b spec 1\napply c spec 1\napplied a 1\n");
	assert_int_equal(inbox_due(c.i), 10 + receipt_ms);
	c.now = 10 + receipt_ms - 1;
	say(&c);
	expect(&c, "");
	c.now++;
	say(&c);
	expect(&c, "received b 1\nreceived c 1\n");
	assert_int_equal(inbox_due(c.i), UINT64_MAX);
	applied(&c);
	say(&c);
	expect(&c, "applied b 1\n");
	counter_close(&c);
}

/* It had not heard of us: by the time it sends it again it is told at once. */
static void who_sends_it_again_is_told_at_once_that_it_was_received(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 1);
	put(&c, "a", "s1", 2);
	say(&c);
	expect(&c, "received a 1 #2\n");
	wait(&c);
	say(&c);
	expect(&c, "");
	counter_close(&c);
}

static void an_outcome_overtakes_the_received_that_was_not_written_yet(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 1);
	put(&c, "a", "s1", 2);
	start(&c);
	applied(&c);
	say(&c);
	expect(&c, "apply a spec 1\napplied a 1 #2\n");
	counter_close(&c);
}

static void a_repetition_is_answered_and_not_applied_again(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 1);
	wait(&c);
	say(&c);
	put(&c, "a", "s1", 2);
	start(&c);
	say(&c);
	applied(&c);
	say(&c);
	put(&c, "a", "s1", 2); /* the same frame */
	put(&c, "a", "s1", 3);
	start(&c);
	say(&c);
	expect(&c, "received a 1 #1\n"
		   "apply a spec 1\n"
		   "received a 1 #2\n"
		   "applied a 1 #2\n"
		   "applied a 1 #2\n"
		   "applied a 1 #3\n");
	assert_int_equal(stats(&c).repeats, 3);
	counter_close(&c);
}

/* A repository is taken from a site, given back and taken again with its project, and is one version all the time. */
static void what_comes_again_behind_something_newer_that_is_in_progress_is_no_repetition(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "d1", 1);
	start(&c);
	applied(&c);
	put(&c, "a", "c1", 2);
	start(&c);
	put(&c, "a", "d1", 3);
	say(&c);
	applied(&c);
	start(&c);
	applied(&c);
	say(&c);
	expect(&c, "apply a delete 1\n"
		   "apply a create 1\n"
		   "applied a 1 #1\n"
		   "apply a delete 1\n"
		   "applied a 1 #2\n"
		   "applied a 1 #3\n");
	put(&c, "a", "t1", 4);
	start(&c);
	applied(&c);
	put(&c, "a", "t2", 5);
	put(&c, "a", "t1", 6);
	assert_int_equal(stats(&c).queued, 2);
	assert_int_equal(stats(&c).repeats, 0);
	counter_close(&c);
}

/* Both have version 1: the first was deleted and made again under its name. */
static void the_same_version_of_a_successor_is_another_event(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 0);
	put(&c, "A", "o9", 0);
	put(&c, "A", "s1", 0);
	put(&c, "a", "s1", 0);
	for (int i = 0; i < 3; i++) {
		start(&c);
		applied(&c);
	}
	expect(&c, "apply a spec 1\napply A command 9\napply A spec 1\n");
	assert_int_equal(stats(&c).repeats, 1);
	counter_close(&c);
}

static void events_of_different_types_may_share_an_id(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	for (const char *what = "s7\0o7\0t7\0q7\0"; *what; what += 3)
		put(&c, "a", what, 0);
	for (int i = 0; i < 4; i++) {
		start(&c);
		applied(&c);
	}
	expect(&c, "apply a spec 7\napply a command 7\napply a status 7\napply a request 7\n");
	for (const char *what = "s7\0o7\0t7\0q7\0"; *what; what += 3)
		put(&c, "a", what, 0);
	start(&c);
	expect(&c, ""); /* and none takes the place of another in what is remembered */
	assert_int_equal(stats(&c).repeats, 4);
	counter_close(&c);
}

static void the_last_eight_commands_are_remembered(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	for (const char *what = "o1\0o2\0o3\0o4\0o5\0o6\0o7\0o8\0o9\0"; *what; what += 3) {
		put(&c, "a", what, 0);
		start(&c);
		applied(&c);
	}
	buf_clear(&c.text);
	for (const char *what = "o2\0o3\0o4\0o5\0o6\0o7\0o8\0o9\0"; *what; what += 3)
		put(&c, "a", what, 0);
	start(&c);
	expect(&c, "");
	put(&c, "a", "o1", 0);
	start(&c);
	expect(&c, "apply a command 1\n");
	counter_close(&c);
}

static void after_a_delete_the_old_version_is_new_again(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	for (const char *what = "s1\0d2\0s1\0"; *what; what += 3) {
		put(&c, "a", what, 0);
		start(&c);
		applied(&c);
	}
	expect(&c, "apply a spec 1\napply a delete 2\napply a spec 1\n");
	counter_close(&c);
}

static void what_was_overtaken_on_the_way_is_dropped(void **state)
{
	struct delivery_event e;
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "d2", 9);
	assert_int_equal(put(&c, "a", "s1", 8), E_OK);
	start(&c);
	wait(&c);
	say(&c);
	expect(&c, "apply a delete 2\nreceived a 2 #9\n");
	assert_int_equal(stats(&c).outdated, 1);
	put(&c, "a", "d2", 12); /* it was sent again */
	assert_int_equal(put(&c, "a", "s1", 11), E_OK);
	assert_int_equal(stats(&c).outdated, 2);
	applied(&c);
	assert_int_equal(inbox_connected(c.i, 2), E_OK); /* numbers start again on a new stream */
	e = event("a", "s3", 1);
	assert_int_equal(inbox_put(c.i, 2, &e), E_OK);
	start(&c);
	expect(&c, "apply a spec 3\n");
	counter_close(&c);
}

/* What is in progress was brought by the older stream, and its copy by the new one, whose numbers are its own. */
static void a_copy_on_a_new_stream_overtakes_what_comes_behind_it(void **state)
{
	struct delivery_event again = event("a", "d2", 5), late = event("a", "s1", 4);
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "d2", 9);
	assert_int_equal(inbox_connected(c.i, 2), E_OK);
	assert_int_equal(inbox_put(c.i, 2, &again), E_OK);
	assert_int_equal(inbox_put(c.i, 2, &late), E_OK);
	assert_int_equal(stats(&c).outdated, 1);
	start(&c);
	applied(&c);
	start(&c);
	expect(&c, "apply a delete 2\n");
	counter_close(&c);
}

static void what_has_no_version_is_applied_each_time(void **state)
{
	struct delivery_event e = event("a", "d_", 0);
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	e.versionless = true;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(inbox_put(c.i, 1, &e), E_OK);
		start(&c);
		applied(&c);
	}
	expect(&c, "apply a delete _\napply a delete _\n");
	counter_close(&c);
}

static void an_older_stream_is_fenced(void **state)
{
	struct delivery_event e = event("a", "s1", 0);
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "b", "s1", 0);
	start(&c);
	put(&c, "c", "s1", 0);
	assert_int_equal(inbox_connected(c.i, 1), E_CANCELLED);
	assert_int_equal(stats(&c).older, 0);
	assert_int_equal(inbox_connected(c.i, 3), E_OK);
	assert_int_equal(stats(&c).older, 2); /* being applied, and queued */
	assert_int_equal(inbox_put(c.i, 1, &e), E_CANCELLED);
	start(&c); /* what it had brought is applied, and answered on the new stream */
	applied(&c);
	applied(&c);
	say(&c);
	expect(&c, "apply b spec 1\napply c spec 1\napplied b 1\napplied c 1\n");
	assert_int_equal(stats(&c).older, 0);
	counter_close(&c);
}

static void a_rejection_carries_its_reason_and_leaves_no_memory(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 0);
	start(&c);
	end(&c, DELIVERY_REJECTED, true, "busy");
	say(&c);
	put(&c, "a", "s1", 0);
	start(&c);
	end(&c, DELIVERY_REJECTED, false, "no such project");
	say(&c);
	expect(&c, "apply a spec 1\nrejected a 1, retryable: busy\n"
		   "apply a spec 1\nrejected a 1: no such project\n");
	assert_int_equal(stats(&c).rejected, 1);
	assert_int_equal(stats(&c).rejected_retryable, 1);
	counter_close(&c);
}

/* Whoever applies says with every outcome whether a rejection would be for good. */
static void only_a_rejection_is_retryable(void **state)
{
	struct delivery_answer a;
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 0);
	start(&c);
	end(&c, DELIVERY_APPLIED, true, "busy");
	assert_true(inbox_answer(c.i, c.now, &a));
	assert_int_equal(a.outcome, DELIVERY_APPLIED);
	assert_false(a.retryable);
	assert_int_equal(a.reason.n, 0);
	assert_int_equal(stats(&c).rejected_retryable, 0);
	counter_close(&c);
}

/* The peer sends it again on its next stream; until then what stands behind it is applied. */
static void what_was_rejected_for_now_is_new_when_it_comes_again(void **state)
{
	struct delivery_event e = event("a", "s1", 1);
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 5);
	put(&c, "a", "o1", 6);
	start(&c);
	end(&c, DELIVERY_REJECTED, true, "busy");
	start(&c);
	assert_int_equal(inbox_connected(c.i, 2), E_OK);
	assert_int_equal(inbox_put(c.i, 2, &e), E_OK);
	start(&c);
	applied(&c);
	start(&c);
	applied(&c);
	say(&c);
	expect(&c, "apply a spec 1\n"
		   "apply a command 1\n"
		   "apply a spec 1\n"
		   "rejected a 1 #5, retryable: busy\n"
		   "applied a 1 #6\n"
		   "applied a 1 #1\n");
	assert_int_equal(stats(&c).repeats, 0);
	counter_close(&c);
}

static void a_reason_of_any_length_is_answered_in_bounds(void **state)
{
	char reason[2 * DELIVERY_REASON_MAX + 1];
	struct delivery_answer a;
	struct counter c;

	(void)state;
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	counter_open(&c, NULL);
	put(&c, "a", "s1", 0);
	start(&c);
	end(&c, DELIVERY_REJECTED, false, reason);
	assert_true(inbox_answer(c.i, c.now, &a));
	assert_int_equal(a.reason.n, DELIVERY_REASON_MAX);
	counter_close(&c);
}

static void a_poison_event_holds_nobody_up(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 0);
	put(&c, "a", "s2", 0);
	start(&c);
	end(&c, DELIVERY_REJECTED, false, "poison");
	start(&c);
	expect(&c, "apply a spec 1\napply a spec 2\n");
	counter_close(&c);
}

static enum err put_bytes(struct counter *c, const char *who, size_t n)
{
	CLEANUP(blob_unref_freep) struct blob *bytes = blob_new((struct str){ "01234567890123456789", n });
	struct delivery_event e = event(who, "s1", 0);

	e.bytes = bytes;
	return inbox_put(c->i, 1, &e);
}

static void the_window_bounds_what_is_held(void **state)
{
	struct inbox_options options = inbox_defaults;
	struct counter c;

	(void)state;
	options.window_events = 3;
	options.window_bytes = 15;
	options.parallel_max = 1;
	counter_open(&c, &options);
	assert_int_equal(put_bytes(&c, "a", 10), E_OK);
	assert_int_equal(put_bytes(&c, "b", 6), E_LIMIT);
	assert_int_equal(put_bytes(&c, "b", 16), E_LIMIT);
	assert_int_equal(put_bytes(&c, "c", 5), E_OK);
	assert_int_equal(put(&c, "d", "s1", 0), E_OK);
	assert_int_equal(put(&c, "e", "s1", 0), E_LIMIT);
	assert_int_equal(put(&c, "a", "s1", 0), E_OK); /* a repetition takes no room */
	start(&c);
	assert_int_equal(c.n, 1); /* one at a time, by its options */
	assert_int_equal(put(&c, "e", "s1", 0), E_LIMIT);
	applied(&c);
	assert_int_equal(put_bytes(&c, "e", 10), E_OK);
	assert_int_equal(stats(&c).refused, 4);
	counter_close(&c);
}

static void an_event_larger_than_the_window_comes_alone(void **state)
{
	CLEANUP(blob_unref_freep) struct blob *big = blob_new((struct str){ "0123456789", 10 });
	struct inbox_options options = inbox_defaults;
	struct delivery_event e = event("a", "s1", 0);
	struct counter c;

	(void)state;
	options.window_bytes = 5;
	counter_open(&c, &options);
	e.bytes = big;
	assert_int_equal(inbox_put(c.i, 1, &e), E_OK);
	assert_int_equal(put(&c, "b", "s1", 0), E_LIMIT);
	start(&c);
	applied(&c);
	assert_int_equal(put(&c, "b", "s1", 0), E_OK);
	counter_close(&c);
}

static void answers_that_nobody_reads_stop_the_intake(void **state)
{
	struct inbox_options options = inbox_defaults;
	struct counter c;

	(void)state;
	options.answers_max = 2;
	counter_open(&c, &options);
	assert_int_equal(put(&c, "a", "s1", 0), E_OK);
	assert_int_equal(put(&c, "b", "s1", 0), E_OK);
	start(&c);
	applied(&c);
	applied(&c);
	assert_int_equal(put(&c, "a", "s1", 0), E_LIMIT);
	assert_int_equal(put(&c, "c", "s1", 0), E_LIMIT);
	say(&c);
	assert_int_equal(put(&c, "c", "s1", 0), E_OK);
	counter_close(&c);
}

static void the_memory_is_bounded_and_forgets_the_least_used(void **state)
{
	struct inbox_options options = inbox_defaults;
	struct counter c;

	(void)state;
	options.resources_max = 2;
	counter_open(&c, &options);
	for (const char *who = "a\0b\0c\0"; *who; who += 2) {
		put(&c, who, "s1", 0);
		start(&c);
		applied(&c);
	}
	buf_clear(&c.text);
	assert_int_equal(stats(&c).forgotten, 1);
	put(&c, "b", "s1", 0);
	put(&c, "c", "s1", 0);
	put(&c, "a", "s1", 0);
	start(&c);
	expect(&c, "apply a spec 1\n");
	counter_close(&c);
}

/* It may grow beyond its bound as long as the window lets them in. */
static void what_is_in_progress_is_never_forgotten(void **state)
{
	struct inbox_options options = inbox_defaults;
	struct counter c;

	(void)state;
	options.resources_max = 1;
	counter_open(&c, &options);
	put(&c, "a", "s1", 0);
	put(&c, "a", "o1", 0);
	start(&c);
	applied(&c); /* and one more to come */
	assert_int_equal(put(&c, "b", "s1", 0), E_OK);
	assert_int_equal(put(&c, "c", "s1", 0), E_OK);
	assert_int_equal(stats(&c).forgotten, 0);
	assert_int_equal(stats(&c).remembered, 3);
	start(&c);
	while (c.n)
		applied(&c);
	put(&c, "d", "s1", 0);
	assert_int_equal(stats(&c).forgotten, 1);
	counter_close(&c);
}

static void what_was_applied_before_a_restart_is_told(void **state)
{
	struct delivery_event e = event("a", "o1", 0);
	struct delivery_event bad = { 0 };
	struct counter c;

	(void)state;
	c = (struct counter){ .i = inbox_new(&inbox_defaults) };
	assert_int_equal(inbox_remember(c.i, &e), E_OK);
	assert_int_equal(inbox_remember(c.i, &bad), E_MALFORMED);
	inbox_connected(c.i, 1);
	put(&c, "a", "o1", 0);
	assert_int_equal(put(&c, "", "o1", 0), E_MALFORMED);
	start(&c);
	say(&c);
	expect(&c, "applied a 1\n");
	counter_close(&c);
}

static void every_failed_allocation_leaves_it_as_it_was(void **state)
{
	(void)state;
	for (long at = 1; at < 12; at++) {
		struct delivery_event e = event("a", "s1", 0);
		enum err err;
		struct counter c;

		counter_open(&c, NULL);
		mem_fail_at(at);
		err = put(&c, "a", "s1", 0);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		assert_int_equal(stats(&c).queued, err == E_OK);
		assert_int_equal(put(&c, "a", "s1", 0), E_OK);
		start(&c);
		mem_fail_at(1);
		end(&c, DELIVERY_APPLIED, false, NULL);
		err = put(&c, "a", "s1", 0); /* the answer to a repetition needs memory */
		mem_fail_at(0);
		assert_int_equal(err, E_NOMEM);
		say(&c);
		expect(&c, "apply a spec 1\napplied a 1\n");
		mem_fail_at(at);
		err = inbox_remember(c.i, &e);
		mem_fail_at(0);
		assert_int_equal(err, E_OK); /* it is remembered already */
		e.resource_id = STR("z");
		mem_fail_at(1);
		assert_int_equal(inbox_remember(c.i, &e), E_NOMEM);
		mem_fail_at(0);
		counter_close(&c);
	}
	mem_fail_at(1);
	assert_null(inbox_new(&inbox_defaults));
	mem_fail_at(0);
	inbox_free(NULL);
}

static void a_reason_without_memory_is_left_out(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 0);
	start(&c);
	mem_fail_at(1);
	end(&c, DELIVERY_REJECTED, false, "why");
	mem_fail_at(0);
	say(&c);
	expect(&c, "apply a spec 1\nrejected a 1: \n");
	counter_close(&c);
}

static void it_can_go_at_any_moment(void **state)
{
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 0);
	put(&c, "a", "s2", 0);
	put(&c, "b", "s1", 0);
	put(&c, "c", "s1", 0);
	start(&c);
	applied(&c);
	start(&c);
	say(&c);
	counter_close(&c); /* applied and given out, being applied, queued */
}

static void what_is_being_applied_says_how_long(void **state)
{
	struct delivery_progress p = { 0 };
	struct counter c;

	(void)state;
	counter_open(&c, NULL);
	put(&c, "a", "s1", 0);
	put(&c, "a", "s2", 0); /* behind the first */
	put(&c, "b", "s1", 0);
	start(&c);
	c.work[0]->event.begun_ms = 100;
	c.work[1]->event.begun_ms = 400;
	inbox_progress(c.i, 1000, &p);
	assert_int_equal(p.sum_ms, 900 + 600);
	assert_int_equal(p.longest_ms, 900);
	applied(&c);
	applied(&c);
	p = (struct delivery_progress){ 0 };
	inbox_progress(c.i, 1000, &p); /* the second of "a" may be begun, and is not */
	assert_int_equal(p.sum_ms, 0);
	counter_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_being_applied_says_how_long),
		cmocka_unit_test(an_event_is_received_applied_and_answered),
		cmocka_unit_test(one_key_is_in_order_and_others_go_beside_it),
		cmocka_unit_test(a_peer_that_knows_one_answer_gets_one),
		cmocka_unit_test(the_number_of_answers_changes_with_the_peer),
		cmocka_unit_test(received_is_said_of_what_takes_long_and_of_nothing_else),
		cmocka_unit_test(who_sends_it_again_is_told_at_once_that_it_was_received),
		cmocka_unit_test(an_outcome_overtakes_the_received_that_was_not_written_yet),
		cmocka_unit_test(a_repetition_is_answered_and_not_applied_again),
		cmocka_unit_test(what_comes_again_behind_something_newer_that_is_in_progress_is_no_repetition),
		cmocka_unit_test(the_same_version_of_a_successor_is_another_event),
		cmocka_unit_test(events_of_different_types_may_share_an_id),
		cmocka_unit_test(the_last_eight_commands_are_remembered),
		cmocka_unit_test(after_a_delete_the_old_version_is_new_again),
		cmocka_unit_test(what_was_overtaken_on_the_way_is_dropped),
		cmocka_unit_test(a_copy_on_a_new_stream_overtakes_what_comes_behind_it),
		cmocka_unit_test(what_has_no_version_is_applied_each_time),
		cmocka_unit_test(an_older_stream_is_fenced),
		cmocka_unit_test(a_rejection_carries_its_reason_and_leaves_no_memory),
		cmocka_unit_test(only_a_rejection_is_retryable),
		cmocka_unit_test(what_was_rejected_for_now_is_new_when_it_comes_again),
		cmocka_unit_test(a_reason_of_any_length_is_answered_in_bounds),
		cmocka_unit_test(a_poison_event_holds_nobody_up),
		cmocka_unit_test(the_window_bounds_what_is_held),
		cmocka_unit_test(an_event_larger_than_the_window_comes_alone),
		cmocka_unit_test(answers_that_nobody_reads_stop_the_intake),
		cmocka_unit_test(the_memory_is_bounded_and_forgets_the_least_used),
		cmocka_unit_test(what_is_in_progress_is_never_forgotten),
		cmocka_unit_test(what_was_applied_before_a_restart_is_told),
		cmocka_unit_test(every_failed_allocation_leaves_it_as_it_was),
		cmocka_unit_test(a_reason_without_memory_is_left_out),
		cmocka_unit_test(it_can_go_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
