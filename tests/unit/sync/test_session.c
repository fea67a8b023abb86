#include <stdio.h>

#include "base/mem.h"
#include "stage.h"

#define APP(uid, revision, more)                                                                                    \
	"{'metadata':{'name':'web','namespace':'a1','uid':'" uid "'},'spec':{'source':{'targetRevision':'" revision \
	"'}}" more "}"
#define AT_SITE(uid, source, more)                                 \
	"{'metadata':{'name':'web','namespace':'site','uid':'" uid \
	"','annotations':{'argocd.argoproj.io/source-uid':'" source "'}},'spec':{'source':{}}" more "}"

/* ---- principal of a managed agent ------------------------------------------------------------------------------------- */

/* The agent has the application "u1", and has confirmed it. */
static void begin_with_copy(struct stage *st)
{
	stage_begin(st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	stage_put(st, APP("u1", "r1", ""));
	stage_expect(st, "create web_u1_1\n");
	stage_answer(st, "web_u1", "1", true);
}

/* The same, and people ask for an operation that the agent has not answered yet. */
static void begin_with_operation(struct stage *st)
{
	stage_begin(st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	stage_put(st, APP("u1", "r1", ",'operation':{'number':7}"));
	stage_expect(st, "create web_u1_1\n");
	stage_answer(st, "web_u1", "1", true);
	stage_expect(st, "set-operation web_u1_1.set-operation, operation 7\n");
}

static void nothing_of_an_object_leaves_before_its_row_is_durable(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	st.g.disk_held = true;
	stage_put(&st, APP("u1", "r1", ""));
	stage_expect(&st, "");
	st.g.disk_held = false;
	stage_expect(&st, "create web_u1_1\n");
	stage_end(&st);
}

/* A status, an operation, the wish for a refresh: an agent that has none of them has to say so. */
static void a_create_says_whether_there_is_anything_that_the_agent_may_lack(void **state)
{
	static const struct {
		const char *json, *said;
	} rows[] = {
		{ APP("u1", "r1", ""), "create web_u1_1, bare\n" },
		{ APP("u1", "r1", ",'status':{}"), "create web_u1_1\n" },
		{ APP("u1", "r1", ",'operation':{}"), "create web_u1_1\n" },
		{ "{'metadata':{'name':'web','namespace':'a1','uid':'u1','annotations':"
		  "{'argocd.argoproj.io/refresh':'normal'}},'spec':{}}",
		  "create web_u1_1\n" },
	};
	struct stage st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
		st.bare = true;
		stage_put(&st, rows[i].json);
		stage_run(&st, 50);
		assert_memory_equal(buf_cstr(&st.said), rows[i].said, strlen(rows[i].said));
		stage_end(&st);
	}
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_UPSTREAM);
	st.bare = true;
	stage_put(&st, rows[0].json);
	stage_expect(&st, "create web_u1_1\n");
	stage_end(&st);
}

/* A status that came on the stream before is still being written: it is there when the create arrives. */
static void a_create_is_not_bare_while_what_came_on_an_earlier_stream_is_written(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	st.bare = true;
	memory_store_delay(st.g.store, 300);
	stage_put(&st, APP("u1", "r1", ""));
	stage_expect(&st, "create web_u1_1, bare\n");
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "5", AT_SITE("l1", "u1", ",'status':{'x':1}"));
	stage_expect(&st, "received web_l1_5\n");
	stage_connect(&st);
	stage_expect(&st, "create web_u1_1\n");
	stage_end(&st);
}

/* A site that was set up anew: only a create takes over what its people have put there of that name. */
static void what_the_agent_does_not_have_any_more_is_a_create(void **state)
{
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	stage_expect(&st, "");
	stage_come_back(&st);
	buf_clear(&st.said);
	stage_ask(&st, WIRE_REQUEST_UPDATE, "q1",
		  "{\"kind\":\"Application\",\"namespace\":\"a1\",\"name\":\"web\",\"uid\":\"\",\"checksum\":null}");
	stage_expect_among(&st, "create web_u1_1-");
	stage_end(&st);
}

/* Its update was refused before it was asked: that is not on its way any more. */
static void what_the_agent_has_refused_to_update_is_a_create(void **state)
{
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	stage_expect(&st, "");
	stage_come_back(&st);
	stage_put(&st, APP("u1", "r2", ""));
	stage_expect_among(&st, "spec-update web_u1_2\n");
	stage_answer(&st, "web_u1", "2", false);
	stage_run(&st, 50);
	buf_clear(&st.said);
	stage_ask(&st, WIRE_REQUEST_UPDATE, "q1",
		  "{\"kind\":\"Application\",\"namespace\":\"a1\",\"name\":\"web\",\"uid\":\"\",\"checksum\":null}");
	stage_expect_among(&st, "create web_u1_2-");
	stage_end(&st);
}

/* What was in the way may have gone while there was no stream, or the agent was started with other options. */
static void what_the_agent_has_refused_goes_once_with_each_stream_and_when_it_asks(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	stage_put(&st, APP("u1", "r1", ""));
	stage_expect(&st, "create web_u1_1\n");
	stage_answer(&st, "web_u1", "1", false);
	stage_expect(&st, "");
	stage_connect(&st);
	stage_expect(&st, "create web_u1_1-457\n");
	stage_answer(&st, "web_u1", "1-457", false);
	stage_expect(&st, "");
	stage_ask(&st, WIRE_REQUEST_UPDATE, "q1",
		  "{\"kind\":\"Application\",\"namespace\":\"a1\",\"name\":\"web\",\"uid\":\"\",\"checksum\":null}");
	stage_expect(&st, "applied q1\ncreate web_u1_1-4bb\n");
	stage_answer(&st, "web_u1", "1-4bb", true);
	stage_connect(&st);
	stage_expect(&st, "");
	stage_end(&st);
}

static void what_was_confirmed_is_not_sent_again_after_a_restart(void **state)
{
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	stage_run(&st, 10);
	stage_come_back(&st);
	stage_expect(&st, "");
	stage_put(&st, APP("u1", "r2", ""));
	stage_expect(&st, "spec-update web_u1_2\n");
	stage_end(&st);
}

static void an_object_made_again_goes_behind_the_delete_of_the_former(void **state)
{
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	stage_remove(&st, "a1", "web");
	stage_put(&st, APP("u2", "r1", ""));
	stage_expect(&st, "delete web_u1_1.delete\n");
	stage_answer(&st, "web_u1", "1.delete", true);
	stage_expect(&st, "create web_u2_2\n");
	stage_end(&st);
}

/* An answer of upstream's names the ids alone, and the version is the same. */
static void the_answer_to_a_create_does_not_end_the_delete_behind_it(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_UPSTREAM);
	stage_put(&st, APP("u1", "r1", ""));
	stage_expect(&st, "create web_u1_1\n");
	stage_remove(&st, "a1", "web");
	stage_expect(&st, "delete web_u1_1.delete\n");
	stage_answer(&st, "web_u1", "1", true);
	stage_come_back(&st);
	stage_expect(&st, "delete web_u1_.delete\n");
	stage_end(&st);
}

static void a_deletion_missed_while_down_is_sent_after_the_restart(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	stage_put(&st, APP("u1", "r1", ""));
	stage_expect(&st, "create web_u1_1\n"); /* applied there, perhaps; never confirmed */
	stage_remove(&st, "a1", "web");
	stage_come_back(&st);
	stage_expect(&st, "delete web_u1_.delete\n");
	stage_end(&st);
}

/* What asks for an operation is sent once, and the operation that the agent reports is not sent back to it. */
static void an_operation_that_began_at_the_agent_does_not_come_back_to_it(void **state)
{
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "5",
		   AT_SITE("l1", "u1", ",'operation':{'number':7},'status':{'ran':'none'}"));
	stage_expect(&st, "received web_l1_5\napplied web_l1_5\n");
	assert_string_equal(stage_at(&st, "a1", "web", "operation.number"), "7");
	stage_come_back(&st);
	stage_expect(&st, "");
	stage_end(&st);
}

static void a_command_leaves_when_its_row_is_durable(void **state)
{
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	st.g.disk_held = true;
	stage_put(&st, APP("u1", "r1", ",'operation':{'number':7}"));
	stage_expect(&st, "");
	st.g.disk_held = false;
	stage_expect(&st, "set-operation web_u1_2.set-operation, operation 7\n");
	/* That of another command says nothing of it. */
	st.g.disk_held = true;
	stage_put(&st, APP("u1", "r1", ",'operation':{'number':8}"));
	stage_run(&st, 10);
	stage_put(&st, APP("u1", "r1", ",'operation':{'number':9}"));
	stage_run(&st, 10);
	st.g.disk_held = false;
	(void)ground_step(&st.g);
	st.g.disk_held = true;
	stage_answer(&st, "web_u1", "2.set-operation", true);
	stage_expect(&st, "set-operation web_u1_3.set-operation, operation 8\n");
	stage_answer(&st, "web_u1", "3.set-operation", true);
	stage_expect(&st, "");
	st.g.disk_held = false;
	stage_expect(&st, "set-operation web_u1_4.set-operation, operation 9\n");
	stage_end(&st);
}

/* Once it is over, the same one is another, whoever began the first; and so it is when all that is known comes from the disk. */
static void an_operation_that_is_asked_for_again_is_another_one(void **state)
{
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "5", AT_SITE("l1", "u1", ",'operation':{'number':7}"));
	stage_run(&st, 10);
	stage_put(&st, APP("u1", "r1", ""));
	stage_run(&st, 10);
	buf_clear(&st.said);
	stage_put(&st, APP("u1", "r1", ",'operation':{'number':7}"));
	stage_expect(&st, "set-operation web_u1_4.set-operation, operation 7\n");
	stage_answer(&st, "web_u1", "4.set-operation", true);
	stage_put(&st, APP("u1", "r1", ""));
	stage_expect(&st, "");
	st.g.disk_held = true;
	stage_put(&st, APP("u1", "r1", ",'operation':{'number':7}"));
	stage_expect(&st, "");
	st.g.disk_held = false;
	stage_come_back(&st);
	stage_expect(&st, "set-operation web_u1_6.set-operation, operation 7\n");
	stage_end(&st);
}

/* The agent's operation was not written: the same one, when people ask for it, is theirs. */
static void an_operation_like_one_that_could_not_be_written_is_sent(void **state)
{
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	memory_store_fail(st.g.store, E_UNAVAILABLE, 1);
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "5", AT_SITE("l1", "u1", ",'operation':{'number':7}"));
	stage_expect_among(&st, "rejected web_l1_5");
	buf_clear(&st.said);
	stage_put(&st, APP("u1", "r1", ",'operation':{'number':7}"));
	stage_expect_among(&st, "set-operation web_u1_");
	stage_end(&st);
}

static void a_status_from_before_a_command_was_answered_does_not_clear_the_operation(void **state)
{
	struct stage st;

	(void)state;
	begin_with_operation(&st);
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "5", AT_SITE("l1", "u1", ",'status':{'ran':'none'}"));
	stage_answer(&st, "web_u1", "1.set-operation", true); /* both came before either was dealt with */
	stage_expect(&st, "received web_l1_5\napplied web_l1_5\n");
	assert_string_equal(stage_at(&st, "a1", "web", "operation.number"), "7");
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "6", AT_SITE("l1", "u1", ",'status':{'ran':'7'}"));
	stage_expect(&st, "received web_l1_6\napplied web_l1_6\n");
	assert_string_equal(stage_at(&st, "a1", "web", "operation.number"), "");
	assert_string_equal(stage_at(&st, "a1", "web", "status.ran"), "\"7\"");
	stage_end(&st);
}

/* Of a crash, too: it is answered, and written no more. */
static void a_status_that_was_applied_is_known_after_a_restart(void **state)
{
	struct replica_stats stats;
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "5", AT_SITE("l1", "u1", ",'status':{'ran':'1'}"));
	stage_expect(&st, "received web_l1_5\napplied web_l1_5\n");
	stage_come_back(&st);
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "5", AT_SITE("l1", "u1", ",'status':{'ran':'1'}"));
	stage_expect(&st, "applied web_l1_5\n");
	replica_stats(session_replica(st.session), &stats);
	assert_int_equal(stats.applied, 0);
	stage_end(&st);
}

#define OPERATION(phase) ",'status':{'operationState':{'phase':'" phase "','startedAt':'t1'}}"

/* People ask for the end of what runs by its phase: that is a command, too, one for each operation. */
static void an_operation_that_is_to_end_is_terminated_once(void **state)
{
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	stage_put(&st, APP("u1", "r1", OPERATION("Running")));
	stage_expect(&st, "");
	stage_put(&st, APP("u1", "r1", OPERATION("Terminating")));
	stage_expect(&st, "terminate-operation web_u1_3.terminate-operation\n");
	stage_answer(&st, "web_u1", "3.terminate-operation", true);
	stage_expect(&st, "");
	stage_come_back(&st);
	stage_expect(&st, "");
	stage_end(&st);
}

#define TO_REFRESH                                                \
	"{'metadata':{'name':'web','namespace':'a1','uid':'u1',"  \
	"'annotations':{'argocd.argoproj.io/refresh':'normal'}}," \
	"'spec':{'source':{'targetRevision':'r1'}}}"

static bool is_to_refresh(struct stage *st)
{
	return strstr(stage_at(st, "a1", "web", "metadata.annotations"), "refresh") != NULL;
}

/* A Go agent tells a status while its answer to the refresh is awaited. */
static void begin_with_status_before_the_answer(struct stage *st)
{
	stage_begin(st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_UPSTREAM);
	stage_put(st, TO_REFRESH);
	stage_expect(st, "create web_u1_1\n");
	stage_hear(st, WIRE_STATUS_UPDATE, "web_l1", "5", AT_SITE("l1", "u1", ",'status':{'ran':'1'}"));
}

/* A Go agent's answer and its status leave in any order: its last word may come before the answer that it is waited for. */
static void a_refresh_whose_status_overtakes_the_answer_of_a_go_agent_is_done(void **state)
{
	struct stage st;

	(void)state;
	begin_with_status_before_the_answer(&st);
	stage_run(&st, 500);
	assert_true(is_to_refresh(&st)); /* what would say that it is done was never seen there, for all we know */
	stage_answer(&st, "web_u1", "1", true);
	stage_expect(&st, "");
	stage_run(&st, 1000);
	assert_false(is_to_refresh(&st));
	assert_string_equal(stage_at(&st, "a1", "web", "status.ran"), "\"1\"");
	stage_said(&st, "processed web_l1_5\n");
	stage_end(&st);
}

/* A session that is retired is run no more: nothing in it may wait for its next turn. */
static void who_stops_waits_for_no_answer(void **state)
{
	struct stage st;

	(void)state;
	begin_with_status_before_the_answer(&st);
	stage_run(&st, 50);
	assert_string_equal(stage_at(&st, "a1", "web", "status"), "");
	session_stop(st.session);
	while (!session_is_idle(st.session))
		assert_true(ground_step(&st.g));
	assert_string_equal(stage_at(&st, "a1", "web", "status.ran"), "\"1\"");
	stage_end(&st);
}

/* The agent has confirmed the same wish before, but that one is over: it has not seen the new one. */
static void a_refresh_that_is_asked_for_again_is_another_one(void **state)
{
	static const unsigned dialects[] = { WIRE_UPSTREAM, WIRE_TWO_STEPS };
	struct stage st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
		stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, dialects[i]);
		stage_put(&st, TO_REFRESH);
		stage_expect(&st, "create web_u1_1\n");
		stage_answer(&st, "web_u1", "1", true);
		stage_put(&st, APP("u1", "r1", "")); /* somebody takes it back */
		stage_expect(&st, "spec-update web_u1_2\n");
		stage_put(&st, TO_REFRESH);
		stage_run(&st, 50);
		stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "6", AT_SITE("l1", "u1", ",'status':{'ran':'2'}"));
		stage_run(&st, 50);
		assert_string_equal(stage_at(&st, "a1", "web", "status.ran"), "\"2\"");
		assert_true(is_to_refresh(&st));
		buf_clear(&st.said);
		stage_answer(&st, "web_u1", "2", true);
		stage_expect(&st, "spec-update web_u1_3\n");
		stage_answer(&st, "web_u1", "3", true);
		stage_run(&st, 5000);
		assert_true(is_to_refresh(&st));
		stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "7", AT_SITE("l1", "u1", ",'status':{'ran':'3'}"));
		stage_run(&st, 50);
		assert_false(is_to_refresh(&st));
		stage_end(&st);
	}
}

/* An agent that cannot take it now does not answer; it is not to be silent about everything else. */
static void a_refresh_that_is_not_answered_holds_no_status_for_long(void **state)
{
	struct stage st;

	(void)state;
	begin_with_status_before_the_answer(&st);
	stage_run(&st, 10000);
	assert_true(is_to_refresh(&st));
	assert_string_equal(stage_at(&st, "a1", "web", "status.ran"), "\"1\"");
	stage_said(&st, "processed web_l1_5\n");
	stage_end(&st);
}

/* Versions 9 and 10: as texts they stand the other way round. */
static void commands_keep_their_order_over_a_restart(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	session_close(st.session, st.epoch);
	for (int i = 0; i < 8; i++)
		stage_put(&st, APP("u1", "r1", ""));
	stage_run(&st, 10);
	stage_put(&st, APP("u1", "r1", ",'operation':{'number':1}"));
	stage_run(&st, 10);
	stage_put(&st, APP("u1", "r1", ",'operation':{'number':2}"));
	stage_run(&st, 10);
	stage_come_back(&st);
	stage_expect(&st, "create web_u1_10\n");
	stage_answer(&st, "web_u1", "10", true);
	stage_expect(&st, "set-operation web_u1_9.set-operation, operation 1\n");
	stage_answer(&st, "web_u1", "9.set-operation", true);
	stage_expect(&st, "set-operation web_u1_10.set-operation, operation 2\n");
	stage_end(&st);
}

/*
 * A crash makes it say again those whose rows were not removed durably: the agent must know each of them, and it remembers eight.
 */
static void no_more_commands_go_than_the_agent_remembers_while_the_disk_stalls(void **state)
{
	struct stage st;
	char json[256], version[32];

	(void)state;
	begin_with_copy(&st);
	for (int i = 1; i <= 10; i++) {
		(void)snprintf(json, sizeof(json), APP("u1", "r1", ",'operation':{'number':%d}"), i);
		stage_put(&st, json);
		stage_run(&st, 10);
	}
	st.g.disk_held = true;
	for (int i = 1; i <= 8; i++) {
		buf_clear(&st.said);
		(void)snprintf(version, sizeof(version), "%d.set-operation", i + 1);
		stage_answer(&st, "web_u1", version, true);
		stage_run(&st, 10);
	}
	stage_expect(&st, "");
	st.g.disk_held = false;
	stage_expect(&st, "set-operation web_u1_10.set-operation, operation 9\n");
	stage_answer(&st, "web_u1", "10.set-operation", true);
	stage_expect(&st, "set-operation web_u1_11.set-operation, operation 10\n");
	stage_end(&st);
}

/* The object leaves the agent and comes back while the disk stalls: what becomes durable of the former copy is no row of the next. */
static void the_row_of_a_former_copy_is_not_that_of_the_next(void **state)
{
	struct stage st;

	(void)state;
	begin_with_operation(&st);
	st.g.disk_held = true;
	stage_answer(&st, "web_u1", "1.set-operation", true);
	stage_run(&st, 10);
	stage_remove(&st, "a1", "web");
	stage_expect(&st, "delete web_u1_1.delete\n");
	stage_answer(&st, "web_u1", "1.delete", true);
	stage_run(&st, 10);
	stage_put(&st, APP("u1", "r2", ""));
	stage_run(&st, 10);
	st.g.disk_held = false;
	(void)ground_step(&st.g); /* what was on its way */
	st.g.disk_held = true;
	stage_expect(&st, "");
	st.g.disk_held = false;
	stage_expect(&st, "create web_u1_2\n");
	stage_end(&st);
}

static void a_command_that_was_rejected_for_good_does_not_come_back_with_a_restart(void **state)
{
	struct stage st;

	(void)state;
	begin_with_operation(&st);
	stage_answer(&st, "web_u1", "1.set-operation", false);
	stage_run(&st, 10);
	stage_come_back(&st);
	stage_expect(&st, "");
	stage_end(&st);
}

/* Nor does a deletion, with the command that was under way. */
static void a_deletion_that_was_answered_leaves_no_row(void **state)
{
	(void)state;
	for (int applied = 0; applied < 2; applied++) {
		struct stage st;

		begin_with_operation(&st);
		stage_remove(&st, "a1", "web");
		stage_expect(&st, "delete web_u1_1.delete\n");
		assert_int_equal(ground_row_count(&st.g, LEDGER_COPY), 1);
		assert_int_equal(ground_row_count(&st.g, LEDGER_COMMAND), 1);
		stage_answer(&st, "web_u1", "1.delete", applied);
		stage_run(&st, 10);
		assert_int_equal(ground_row_count(&st.g, LEDGER_COPY), 0);
		assert_int_equal(ground_row_count(&st.g, LEDGER_COMMAND), 0);
		stage_end(&st);
	}
}

static void an_application_on_its_way_out_goes_when_the_agent_has_deleted_it(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	stage_put(&st,
		  "{'metadata':{'name':'web','namespace':'a1','uid':'u1','deletionTimestamp':'2030-01-01T00:00:00Z',"
		  "'finalizers':['x']},'spec':{}}");
	stage_expect(&st, "create web_u1_1\n");
	stage_answer(&st, "web_u1", "1", true);
	stage_hear(&st, WIRE_DELETE, "web_l1", "5",
		   "{'metadata':{'name':'web','namespace':'a1','uid':'l1',"
		   "'annotations':{'argocd.argoproj.io/source-uid':'u1'}}}");
	stage_expect(&st, "received web_l1_5\n"
			  "delete web_u1_1.delete\n" /* it went with its finalizers */
			  "applied web_l1_5\n");
	assert_string_equal(stage_at(&st, "a1", "web", "metadata.name"), "");
	stage_end(&st);
}

#define REPOSITORY(url)                                                                          \
	"{'metadata':{'name':'r','namespace':'argocd','uid':'u3','labels':{'argocd.argoproj.io/" \
	"secret-type':'repository'}},"                                                           \
	"'data':{'project':'cA==','url':'" url "'}}"

/* The project cannot be read for want of memory: that is no reason to take its repository away. */
static void a_repository_whose_project_has_no_memory_stays(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	ground_put(&st.g, OBJECT_REPOSITORY, REPOSITORY("aHR0cDE="));
	stage_expect(&st, "create r_u3_1\n");
	stage_answer(&st, "r_u3", "1", true);
	st.goes = E_NOMEM;
	ground_put(&st.g, OBJECT_REPOSITORY, REPOSITORY("aHR0cDI="));
	stage_expect(&st, "");
	st.goes = E_OK;
	ground_put(&st.g, OBJECT_REPOSITORY, REPOSITORY("aHR0cDI="));
	stage_expect(&st, "spec-update r_u3_3\n");
	stage_end(&st);
}

static void the_guard_holds_until_somebody_releases(void **state)
{
	struct stage st;
	const char *text;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	stage_put(&st, "{'metadata':{'name':'a','namespace':'a1','uid':'u1'},'spec':{}}");
	stage_put(&st, "{'metadata':{'name':'b','namespace':'a1','uid':'u2'},'spec':{}}");
	stage_expect(&st, "create a_u1_1\ncreate b_u2_2\n");
	stage_remove(&st, "a1", "a");
	stage_remove(&st, "a1", "b");
	stage_come_back(&st);
	stage_expect(&st, "");
	assert_int_equal(source_held(session_source(st.session), &text), 2);
	assert_string_equal(text, "peer: a resync would delete 2 of 2 copies (100 %, more than 50 %): held until an "
				  "operator releases them");
	/* One comes back: its delete is not wanted any more, the release is good for the other. */
	stage_put(&st, "{'metadata':{'name':'a','namespace':'a1','uid':'u1'},'spec':{}}");
	stage_expect(&st, "create a_u1_3\n");
	source_release(session_source(st.session), st.g.now);
	stage_expect(&st, "delete b_u2_.delete\n");
	stage_end(&st);
}

/* ---- managed agent ------------------------------------------------------------------------------------------------------ */

/* The first copy that is made, and what is said of it. */
#define COPY             "web_09000000-0000-4000-8001-000000000000"
#define HAS_NO_STATUS    "status-update " COPY "_1\n"
#define TELLS_GO_AS_WELL "status-update " COPY "_1, with its spec\n"

/* It has made the copy of "u1" and said that there is no status yet. */
static void begin_at_agent(struct stage *st)
{
	stage_begin(st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	stage_hear(st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_expect(st, "received web_u1_1\napplied web_u1_1\n" HAS_NO_STATUS);
}

/* The same toward a Go principal. */
static void begin_at_agent_of_go(struct stage *st)
{
	stage_begin(st, ROLE_MANAGED_AGENT, WIRE_UPSTREAM);
	stage_hear(st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_expect(st, "processed web_u1_1\n" TELLS_GO_AS_WELL);
}

static void a_deletion_here_says_the_uid_that_the_principal_knows(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	stage_hear(&st, WIRE_DELETE, "web_u1", "1", APP("u1", "r1", ""));
	stage_restart(&st); /* nothing of it was durable but the row of the copy */
	stage_connect(&st);
	stage_hear(&st, WIRE_DELETE, "web_u1", "2", APP("u1", "r1", ""));
	stage_expect_among(&st, "delete " COPY "_");
	stage_said(&st, ", source-uid u1\n");
	stage_end(&st);
}

/* Its people decide whether what they made becomes a copy. Those at the principal are told that it does not. */
static void why_an_application_is_not_adopted_is_told(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	stage_put(&st, "{'metadata':{'name':'web','namespace':'site','uid':'l1','annotations':"
		       "{'argocd.argoproj.io/adoption-policy':'never'}},'spec':{}}");
	stage_hear(&st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_expect(
		&st,
		"rejected web_u1_1: an application of this name is here already, and its adoption policy is never\n"
		"error\n");
	stage_end(&st);
}

#define COPY_WITH(marks, more)                                                                                   \
	"{'metadata':{'name':'web','namespace':'site','annotations':{'argocd.argoproj.io/source-uid':'u1'" marks \
	"}},'spec':{'source':{'targetRevision':'r1'}}" more "}"
#define TOLD    "status-update " COPY "_"
#define REFRESH ",'argocd.argoproj.io/refresh':'hard'"
#define HYDRATE ",'argocd.argoproj.io/hydrate':'normal'"

/* Each of them says something else of it. */
static void a_status_an_operation_and_a_refresh_are_told_as_they_come_and_go(void **state)
{
	static const char *const versions[] = {
		COPY_WITH(REFRESH, ""),
		COPY_WITH("", ""),
		COPY_WITH("", ",'operation':{'number':7}"),
		COPY_WITH("", ",'operation':{'number':8}"),
		COPY_WITH(REFRESH, ",'operation':{'number':8}"),
		COPY_WITH(REFRESH, ",'status':{'ran':'8'}"),
		COPY_WITH("", ",'status':{'ran':'8'}"),
		COPY_WITH("", ",'status':{}"),
		COPY_WITH(HYDRATE, ",'status':{}"),
		COPY_WITH("", ",'status':{}"),
	};
	char version[16];
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	stage_answer(&st, COPY, "1", true);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		buf_clear(&st.said);
		stage_put(&st, versions[i]);
		stage_run(&st, 50);
		const char *told = strstr(buf_cstr(&st.said), TOLD);

		if (!told)
			fail_msg("nothing is told of %s", versions[i]);
		str_copy(str_of(told + strlen(TOLD)), version, 1 + strcspn(told + strlen(TOLD), ",\n"));
		stage_answer(&st, COPY, version, true);
	}
	stage_end(&st);
}

/* It may have been started anew, with another schema in its cluster, say. */
static void a_status_that_the_principal_has_refused_goes_once_with_each_stream(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	stage_answer(&st, COPY, "1", true);
	stage_put(&st, COPY_WITH("", ",'status':{'x':1}"));
	stage_expect(&st, TOLD "2\n");
	stage_answer(&st, COPY, "2", false);
	stage_expect(&st, "");
	stage_connect(&st);
	stage_expect(&st, "request-synced-resource-list\n" TOLD "3-489\n");
	stage_answer(&st, COPY, "3-489", false);
	stage_expect(&st, "");
	stage_connect(&st);
	stage_expect(&st, "request-synced-resource-list\n" TOLD "3-4ed\n");
	stage_answer(&st, COPY, "3-4ed", true);
	stage_connect(&st);
	stage_expect(&st, "request-synced-resource-list\n");
	stage_end(&st);
}

static void a_copy_of_a_project_has_no_status_to_tell(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	stage_hear_project(&st, WIRE_CREATE, "team_u9", "1",
			   "{'metadata':{'name':'team','namespace':'argocd','uid':'u9'},'spec':{'sourceRepos':['*']}}");
	stage_expect(&st, "received team_u9_1\napplied team_u9_1\n");
	stage_end(&st);
}

/* Not its spec, which comes as an update, nor as what people's changes are put back to. */
static void of_a_command_that_alone_is_taken_which_is_asked(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	stage_put(&st, COPY_WITH("", OPERATION("Running")));
	stage_run(&st, 10);
	stage_hear(&st, WIRE_SET_OPERATION, "web_u1", "2.set-operation", APP("u1", "r2", ",'operation':{'number':7}"));
	stage_expect_among(&st, "applied web_u1_2.set-operation\n");
	assert_string_equal(stage_at(&st, "site", "web", "operation.number"), "7");
	stage_hear(&st, WIRE_TERMINATE_OPERATION, "web_u1", "3.terminate-operation", APP("u1", "r2", ""));
	stage_expect_among(&st, "applied web_u1_3.terminate-operation\n");
	assert_string_equal(stage_at(&st, "site", "web", "status.operationState.phase"), "\"Terminating\"");
	stage_put(&st, AT_SITE("", "u1", ""));
	stage_run(&st, 1000);
	assert_string_equal(stage_at(&st, "site", "web", "spec.source.targetRevision"), "\"r1\"");
	stage_end(&st);
}

/* Where objects are mapped by destination, what lies with the principal is with the agent here, and back there in what is said of it. */
static void a_deletion_says_where_the_principal_has_what_lies_elsewhere_here(void **state)
{
	struct stage st;

	(void)state;
	for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
		stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
		st.site.by_destination = true;
		stage_hear(&st, WIRE_CREATE, "web_u1", "1",
			   elsewhere ? "{'metadata':{'name':'web','namespace':'argocd','uid':'u1'},'spec':{'a':'b'}}"
				     : "{'metadata':{'name':'web','namespace':'team','uid':'u1'},'spec':{'a':'b'}}");
		stage_run(&st, 50);
		assert_string_equal(stage_at(&st, elsewhere ? "site" : "team", "web", "spec.a"), "\"b\"");
		stage_come_back(&st);
		buf_clear(&st.said);
		stage_hear(&st, WIRE_DELETE, "web_u1", "2",
			   elsewhere ? "{'metadata':{'name':'web','namespace':'argocd','uid':'u1'}}"
				     : "{'metadata':{'name':'web','namespace':'team','uid':'u1'}}");
		stage_expect_among(&st, elsewhere ? ", source-uid u1, in argocd\n" : ", source-uid u1, in team\n");
		stage_end(&st);
	}
}

static void drift_is_reverted_and_a_copy_that_was_deleted_is_made_again(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	stage_put(&st, AT_SITE("", "u1", ""));
	stage_run(&st, 50);
	assert_string_equal(stage_at(&st, "site", "web", "spec.source.targetRevision"), "\"r1\"");
	stage_remove(&st, "site", "web");
	stage_run(&st, 1000);
	assert_string_equal(stage_at(&st, "site", "web", "spec.source.targetRevision"), "\"r1\"");
	stage_end(&st);
}

/* A Go principal compares specs alone: it would leave the labels that somebody put there while the record was lost. */
static void a_copy_whose_record_was_lost_is_asked_for_as_a_whole(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_UPSTREAM);
	stage_put(&st, AT_SITE("x", "u1", ""));
	stage_come_back(&st);
	stage_expect_among(&st, "request-update site/web\n");
	stage_hear(&st, WIRE_SPEC_UPDATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_run(&st, 50);
	buf_clear(&st.said);
	stage_come_back(&st);
	stage_expect_among(&st, "request-update site/web, with a checksum\n");
	stage_end(&st);
}

/* With destinations it may have it in any namespace, and in its own what is in ours: nobody here knows where, without a copy. */
static void what_is_not_here_is_asked_for_where_the_principal_has_it(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	st.site.by_destination = true;
	stage_ask(&st, WIRE_SYNCED_RESOURCE, "1",
		  "{\"kind\":\"Application\",\"namespace\":\"argocd\",\"name\":\"web\"}");
	stage_expect(&st, "applied 1\nrequest-update argocd/web\n");
	stage_end(&st);
}

/* The principal shows the status of the copy that was here before: it has to hear that the new one has none. */
static void a_copy_that_is_made_again_without_a_status_says_so(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	stage_hear(&st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_run(&st, 50);
	stage_put(&st, AT_SITE("", "u1", ",'status':{'x':1}"));
	stage_expect_among(&st, "status-update " COPY "_");
	stage_remove(&st, "site", "web");
	stage_restart(&st); /* what status it had is known to nobody here */
	stage_connect(&st);
	buf_clear(&st.said);
	stage_expect(&st, "delete " COPY "_.delete, source-uid u1\nrequest-synced-resource-list\n");
	assert_string_equal(stage_at(&st, "site", "web", "spec.source.targetRevision"), "\"r1\"");
	assert_string_equal(stage_at(&st, "site", "web", "status"), "");
	stage_answer(&st, COPY, ".delete", true);
	stage_expect(&st, "status-update web_09000000-0000-4000-8004-000000000000_4\n");
	stage_end(&st);
}

#define DONE_BARE "received web_u1_1\napplied web_u1_1\n"

/* The principal has none either, and says so. */
static void a_status_that_the_principal_knows_to_be_none_is_not_told(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	stage_answer_request(&st);
	st.bare = true;
	stage_hear(&st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_expect(&st, DONE_BARE);
	stage_restart(&st);
	stage_connect(&st);
	stage_expect(&st, "request-synced-resource-list\n");
	stage_put(&st, AT_SITE("", "u1", ",'status':{'x':1}"));
	stage_expect(&st, "status-update " COPY "_2\n");
	stage_put(&st, AT_SITE("", "u1", ""));
	stage_answer(&st, COPY, "2", true);
	stage_expect(&st, "status-update " COPY "_4\n"); /* its spec was put back meanwhile */
	stage_end(&st);
}

/* A complaint, for one, may be on its way and change what the principal shows. */
static void that_there_is_no_status_is_told_while_a_request_is_not_answered(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	st.bare = true;
	st.g.disk_held = true;
	stage_hear(&st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_answer_request(&st); /* too late: the event was sent before */
	st.g.disk_held = false;
	stage_expect(&st, DONE_BARE HAS_NO_STATUS);
	stage_end(&st);
}

/* What was told of the copy before it may reach the principal after its word. */
static void that_there_is_no_status_is_told_while_the_copy_before_is_not_forgotten(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	stage_answer_request(&st);
	stage_put(&st, AT_SITE("l1", "u1", ",'status':{'x':1}"));
	stage_expect(&st, "status-update web_l1_1\n");
	stage_remove(&st, "site", "web");
	stage_expect(&st, "delete web_l1_.delete, source-uid u1\n");
	st.bare = true;
	stage_hear(&st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_run(&st, 50);
	assert_non_null(strstr(buf_cstr(&st.said), "applied web_u1_1\n"));
	buf_clear(&st.said);
	stage_answer(&st, "web_l1", ".delete", true);
	stage_run(&st, 50);
	assert_non_null(strstr(buf_cstr(&st.said), "status-update web_"));
	stage_end(&st);
}

static void a_status_beside_a_bare_create_is_told(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	stage_answer_request(&st);
	st.bare = true;
	stage_put(&st, "{'metadata':{'name':'web','namespace':'site'},'spec':{},'status':{'x':1}}");
	stage_hear(&st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", "")); /* takes it over */
	stage_run(&st, 50);
	assert_non_null(strstr(buf_cstr(&st.said), "status-update web_"));
	stage_end(&st);
}

/* Somebody brought the original back, as it was once: what was said of its status while it was away, the principal took for nothing. */
static void a_status_is_told_again_when_the_principal_makes_what_is_here(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	stage_answer(&st, COPY, "1", true);
	stage_put(&st, AT_SITE("", "u1", ",'status':{'x':1}"));
	stage_expect_among(&st, "status-update " COPY "_");
	stage_answer(&st, COPY, "2", true);
	stage_run(&st, 50);
	buf_clear(&st.said);
	stage_hear(&st, WIRE_SPEC_UPDATE, "web_u1", "2", APP("u1", "r1", ""));
	stage_expect(&st, "received web_u1_2\napplied web_u1_2\n");
	stage_hear(&st, WIRE_CREATE, "web_u1", "3", APP("u1", "r1", ""));
	stage_expect_among(&st, "status-update " COPY "_");
	stage_end(&st);
}

static void only_a_go_principal_gets_the_spec_with_a_status(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	stage_end(&st);
	begin_at_agent_of_go(&st);
	stage_end(&st);
}

static void what_its_source_deletes_is_not_made_again(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	stage_hear(&st, WIRE_SPEC_UPDATE, "web_u1", "2",
		   "{'metadata':{'name':'web','namespace':'a1','uid':'u1','deletionTimestamp':'2030-01-01T00:00:00Z'},"
		   "'spec':{}}");
	stage_run(&st, 90000);
	assert_string_equal(stage_at(&st, "site", "web", "metadata.name"), "");
	stage_end(&st);
}

/* Toward upstream a principal's application with finalizers waits for this word, status or not. */
static void a_copy_without_a_status_that_its_source_deletes_is_reported_as_gone(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent_of_go(&st);
	stage_hear(&st, WIRE_SPEC_UPDATE, "web_u1", "2",
		   "{'metadata':{'name':'web','namespace':'a1','uid':'u1','deletionTimestamp':'2030-01-01T00:00:00Z',"
		   "'finalizers':['f']},'spec':{}}");
	stage_expect_among(&st, "processed web_u1_2\n");
	assert_string_not_equal(stage_at(&st, "site", "web", "metadata.deletionTimestamp"), "");
	stage_put(&st, AT_SITE("l1", "u1", "")); /* a controller has done what its finalizers were for */
	stage_expect_among(&st, "delete " COPY "_.delete, source-uid u1\n");
	stage_end(&st);
}

static void a_late_delete_leaves_the_newer_object_of_the_name(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_UPSTREAM);
	stage_hear(&st, WIRE_CREATE, "web_u2", "7", APP("u2", "r2", ""));
	stage_expect(&st, "processed web_u2_7\n" TELLS_GO_AS_WELL);
	stage_hear(&st, WIRE_DELETE, "web_u1", "1", APP("u1", "r1", ""));
	stage_expect(&st, "processed web_u1_1\n");
	assert_string_equal(stage_at(&st, "site", "web", "spec.source.targetRevision"), "\"r2\"");
	stage_end(&st);
}

/* The status of what a command did may have been told before the answer: so it is told again, behind it. */
static void the_status_is_told_again_behind_the_answer_to_a_command(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent_of_go(&st);
	stage_answer(&st, COPY, "1", true);
	stage_hear(&st, WIRE_SET_OPERATION, "web_u1", "1.set-operation", APP("u1", "r1", ",'operation':{'number':7}"));
	stage_run(&st, 1);
	st.g.disk_held = true; /* the answer waits for the disk; the controller does not */
	stage_expect(&st, "processed web_u1_1.set-operation\n"
			  "status-update " COPY "_2-425, with its spec, operation 7\n");
	stage_end(&st);
}

/* Its first answer may have been lost, and what was told behind it came first: it is a repetition to the principal, too. */
static void the_status_is_told_again_behind_the_answer_to_each_repetition_of_a_wish(void **state)
{
	static const struct {
		enum wire_type type;
		const char *version, *json, *first, *again;
	} wishes[] = {
		{ WIRE_SET_OPERATION, "2.set-operation", APP("u1", "r1", ",'operation':{'number':7}"),
		  "received web_u1_2.set-operation\napplied web_u1_2.set-operation\n"
		  "status-update " COPY "_2-425, operation 7\n",
		  "applied web_u1_2.set-operation\nstatus-update " COPY "_2-457, operation 7\n" },
		{ WIRE_SPEC_UPDATE, "2", TO_REFRESH,
		  "received web_u1_2\napplied web_u1_2\nstatus-update " COPY "_2-425\n",
		  "applied web_u1_2\nstatus-update " COPY "_2-457\n" },
		{ WIRE_SPEC_UPDATE, "2", APP("u1", "r2", ""), "received web_u1_2\napplied web_u1_2\n",
		  "applied web_u1_2\n" }, /* which is none */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
		struct stage st;

		begin_at_agent(&st);
		stage_answer(&st, COPY, "1", true);
		stage_hear(&st, wishes[i].type, "web_u1", wishes[i].version, wishes[i].json);
		stage_expect(&st, wishes[i].first);
		stage_answer(&st, COPY, "2-425", true);
		stage_hear(&st, wishes[i].type, "web_u1", wishes[i].version, wishes[i].json);
		stage_expect(&st, wishes[i].again);
		stage_answer(&st, COPY, "2-457", true);
		stage_run(&st, 10);
		stage_come_back(&st); /* nor is it known after that whether its effect was told */
		stage_run(&st, 50);
		if (strstr(wishes[i].again, "status-update"))
			stage_said(&st, "status-update");
		stage_end(&st);
	}
}

static void a_command_for_a_copy_that_is_being_made_again_comes_again(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	memory_store_fail(st.g.store, E_UNAVAILABLE, 1);
	stage_remove(&st, "site", "web");
	stage_run(&st, 10);
	buf_clear(&st.said);
	stage_hear(&st, WIRE_SET_OPERATION, "web_u1", "1.set-operation", APP("u1", "r1", ",'operation':{'number':7}"));
	session_work(st.session, st.g.now, 0);
	stage_run(&st, 3);
	stage_said(&st, "there is no such application");
	stage_run(&st, 1000);
	assert_string_equal(stage_at(&st, "site", "web", "metadata.name"), "\"web\"");
	stage_end(&st);
}

/* Until the backend has said what there is, that nothing is there means nothing. */
static void what_comes_waits_until_all_that_is_there_is_known(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	st.backend_lists = true;
	stage_come_back(&st);
	stage_hear(&st, WIRE_DELETE, "web_u1", "1", APP("u1", "r1", ""));
	stage_run(&st, 100);
	assert_null(strstr(buf_cstr(&st.said), "applied"));
	session_synced(st.session, st.g.now, 0);
	stage_expect_among(&st, "applied web_u1_1\n");
	stage_end(&st);
}

static void an_owner_that_sleeps_is_woken_for_a_write_that_failed(void **state)
{
	struct stage st;

	(void)state;
	begin_at_agent(&st);
	stage_answer(&st, COPY, "1", true);
	stage_answer_request(&st);
	memory_store_fail(st.g.store, E_CONFLICT, 1);
	stage_hear(&st, WIRE_SPEC_UPDATE, "web_u1", "2", APP("u1", "r2", ""));
	stage_run(&st, 500);
	assert_true(replica_due(session_replica(st.session)) < st.g.now + 1000);
	assert_int_equal(session_due(st.session, st.g.now), replica_due(session_replica(st.session)));
	stage_end(&st);
}

static void a_peer_that_sends_much_has_its_turns_like_all_others(void **state)
{
	struct replica_stats first, second;
	struct buf answer = { 0 };
	struct stage st;
	uint64_t order;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	for (int i = 0; i < 50; i++) {
		char id[16], json[7000];

		(void)snprintf(id, sizeof(id), "w%d_u%d", i, i);
		(void)snprintf(json, sizeof(json),
			       "{'metadata':{'name':'w%d','namespace':'a1','uid':'u%d'},'spec':{'text':'%06900d'}}", i,
			       i, 0);
		stage_hear(&st, WIRE_CREATE, id, "1", json);
	}
	session_work(st.session, st.g.now, 0);
	replica_stats(session_replica(st.session), &first);
	while (session_take(st.session, st.g.now, /* wall_ns= */ 0, &answer, &order))
		buf_clear(&answer);
	assert_int_equal(session_due(st.session, st.g.now), st.g.now);
	session_work(st.session, st.g.now, 0);
	replica_stats(session_replica(st.session), &second);
	stage_run(&st, 10);
	assert_true(session_due(st.session, st.g.now) > st.g.now);
	buf_release(&answer);
	assert_int_equal(first.busy, 37); /* as many as 256 KiB */
	assert_int_equal(second.busy, 50);
	stage_end(&st);
}

/* ---- principal of an autonomous agent ------------------------------------------------------------------------------------ */

/* The principal has made the copy of the agent's "l1". */
static void begin_with_original_at_agent(struct stage *st)
{
	stage_begin(st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
	stage_hear(st, WIRE_CREATE, "web_l1", "1",
		   "{'metadata':{'name':'web','namespace':'site','uid':'l1'},'spec':{}}");
	stage_expect(st, "received web_l1_1\napplied web_l1_1\n");
}

static void the_stub_of_an_autonomous_agents_deletion_is_taken(void **state)
{
	struct stage st;

	(void)state;
	begin_with_original_at_agent(&st);
	assert_string_equal(stage_at(&st, "a1", "web", "spec.project"), "\"a1-default\"");
	stage_hear(&st, WIRE_DELETE, "web_l1", "1", "{'metadata':{'name':'web','namespace':'site','uid':'l1'}}");
	stage_expect(&st, "received web_l1_1\napplied web_l1_1\n");
	assert_string_equal(stage_at(&st, "a1", "web", "metadata.name"), "");
	stage_end(&st);
}

/* As a file may have it, which stays however long it says so: its mark has to come back, else a deletion of the original is ignored. */
static void a_copy_that_says_to_be_deleted_and_is_held_by_nothing_is_put_back(void **state)
{
	struct stage st;

	(void)state;
	begin_with_original_at_agent(&st);
	stage_put(&st,
		  "{'metadata':{'name':'web','namespace':'a1','deletionTimestamp':'2030-01-01T00:00:00Z'},'spec':{}}");
	stage_run(&st, 1000);
	assert_string_equal(stage_at(&st, "a1", "web", "spec.project"), "\"a1-default\"");
	stage_hear(&st, WIRE_DELETE, "web_l1", "1", "{'metadata':{'name':'web','namespace':'site','uid':'l1'}}");
	stage_run(&st, 1000);
	assert_string_equal(stage_at(&st, "a1", "web", "metadata.name"), "");
	stage_end(&st);
}

/* A copy of the time when it was managed: with the UID of another object the principal would ignore its deletion. */
static void what_an_autonomous_agent_shows_is_its_own(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_AUTONOMOUS_AGENT, WIRE_TWO_STEPS);
	stage_put(&st, AT_SITE("l1", "u1", ""));
	stage_expect(&st, "create web_l1_1\n");
	stage_end(&st);
}

/* Its update would be dropped: there is nothing to update. */
static void what_a_go_principal_does_not_have_any_more_is_a_create(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_AUTONOMOUS_AGENT, WIRE_UPSTREAM);
	stage_put(&st, AT_SITE("l1", "", ""));
	stage_expect(&st, "create web_l1_1\n");
	stage_answer(&st, "web_l1", "1", true);
	stage_expect(&st, "");
	stage_come_back(&st);
	buf_clear(&st.said);
	stage_ask(&st, WIRE_REQUEST_UPDATE, "q1",
		  "{\"kind\":\"Application\",\"namespace\":\"a1\",\"name\":\"web\",\"uid\":\"\",\"checksum\":null}");
	stage_expect_among(&st, "create web_l1_1-");
	stage_end(&st);
}

/* It asks so of each that it has, as it looks for it without its own prefix, and a create of what is there fails. */
static void a_project_that_a_go_principal_does_not_find_is_an_update(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_AUTONOMOUS_AGENT, WIRE_UPSTREAM);
	ground_put(&st.g, OBJECT_APPPROJECT, "{'metadata':{'name':'team','namespace':'site','uid':'l2'},'spec':{}}");
	stage_expect(&st, "create team_l2_1\n");
	stage_answer(&st, "team_l2", "1", true);
	stage_expect(&st, "");
	stage_come_back(&st);
	buf_clear(&st.said);
	stage_ask(&st, WIRE_REQUEST_UPDATE, "q1",
		  "{\"kind\":\"AppProject\",\"namespace\":\"a1\",\"name\":\"team\",\"uid\":\"\",\"checksum\":null}");
	stage_expect_among(&st, "spec-update team_l2_1-");
	stage_end(&st);
}

/* A project is one of Argo CD's in its own namespace alone, and two of one name would be one at the principal. */
static void a_project_of_another_namespace_is_not_told(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_AUTONOMOUS_AGENT, WIRE_TWO_STEPS);
	ground_put(&st.g, OBJECT_APPPROJECT, "{'metadata':{'name':'team','namespace':'other','uid':'l1'},'spec':{}}");
	stage_expect(&st, "");
	ground_put(&st.g, OBJECT_APPPROJECT, "{'metadata':{'name':'team','namespace':'site','uid':'l2'},'spec':{}}");
	stage_expect(&st, "create team_l2_2\n");
	stage_end(&st);
}

/* As with a managed agent's status. */
static void what_a_go_agent_says_may_overtake_its_answer_to_a_refresh(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_UPSTREAM);
	stage_hear(&st, WIRE_CREATE, "web_l1", "1",
		   "{'metadata':{'name':'web','namespace':'site','uid':'l1'},'spec':{}}");
	stage_expect(&st, "processed web_l1_1\n");
	stage_put(&st,
		  "{'metadata':{'name':'web','namespace':'a1','annotations':{'argocd.argoproj.io/source-uid':'l1',"
		  "'argocd.argoproj.io/refresh':'hard'}},'spec':{'project':'a1-default','destination':{'name':'a1'}}}");
	stage_expect(&st, "spec-update " COPY "_2\n");
	stage_hear(&st, WIRE_SPEC_UPDATE, "web_l1", "2",
		   "{'metadata':{'name':'web','namespace':'site','uid':'l1'},'spec':{},'status':{'ran':'1'}}");
	stage_run(&st, 500);
	assert_true(is_to_refresh(&st));
	stage_answer(&st, COPY, "2", true);
	stage_run(&st, 1000);
	assert_false(is_to_refresh(&st));
	assert_string_equal(stage_at(&st, "a1", "web", "status.ran"), "\"1\"");
	stage_end(&st);
}

#define TEAM(destinations)                                                                                            \
	"{'metadata':{'name':'team','namespace':'site','uid':'l1'},'spec':{'destinations':[" destinations "{'namespa" \
	"ce':'apps'}]}}"

/* The answer to a comparison lacks destinations; what the agent says by itself has them all. */
static void of_the_version_that_is_here_a_go_agents_project_stays(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_UPSTREAM);
	stage_hear_project(&st, WIRE_CREATE, "team_l1", "1", TEAM("{'namespace':'more'},"));
	stage_hear_project(&st, WIRE_SPEC_UPDATE, "team_l1", "1", TEAM(""));
	stage_expect(&st, "processed team_l1_1\nprocessed team_l1_1\n");
	assert_true(str_contains(str_of(ground_at(&st.g, OBJECT_APPPROJECT, "argocd", "a1-team", "spec.destinations")),
				 (struct str)STR("more")));
	stage_hear_project(&st, WIRE_SPEC_UPDATE, "team_l1", "2", TEAM(""));
	stage_expect(&st, "processed team_l1_2\n");
	assert_false(str_contains(str_of(ground_at(&st.g, OBJECT_APPPROJECT, "argocd", "a1-team", "spec.destinations")),
				  (struct str)STR("more")));
	/* Gone and here again, it is nothing that is here. */
	stage_hear_project(&st, WIRE_DELETE, "team_l1", "3", TEAM(""));
	stage_hear_project(&st, WIRE_SPEC_UPDATE, "team_l1", "3", TEAM(""));
	stage_expect(&st, "processed team_l1_3\nprocessed team_l1_3\n");
	assert_string_not_equal(ground_at(&st.g, OBJECT_APPPROJECT, "argocd", "a1-team", "spec"), "");
	stage_end(&st);
}

#define WEB_ASKED "request-update site/web, with a checksum\n"

/* Each of them, once in the life of a process: it asks nothing itself, and says nothing of what it does not know. */
static void a_go_principal_is_asked_about_all_copies_once(void **state)
{
	const char *again;
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_UPSTREAM);
	stage_hear(&st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_hear(&st, WIRE_CREATE, "db_u2", "2",
		   "{'metadata':{'name':'db','namespace':'a1','uid':'u2'},'spec':{'source':{}}}");
	stage_run(&st, 50);
	stage_restart(&st);
	buf_clear(&st.said);
	stage_connect(&st);
	stage_run(&st, 50);
	stage_said(&st, WEB_ASKED);
	stage_said(&st, "request-update site/db, with a checksum\n");
	stage_run(&st, 300000);
	buf_clear(&st.said);
	stage_connect(&st);
	stage_run(&st, 50);
	/* What was not answered goes once more, and no other. */
	assert_non_null(again = strstr(buf_cstr(&st.said), WEB_ASKED));
	assert_null(strstr(again + 1, WEB_ASKED));
	stage_end(&st);
}

static void a_copy_says_which_version_of_it_was_applied(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	stage_hear(&st, WIRE_CREATE, "web_u1", "1", APP("u1", "r1", ""));
	stage_run(&st, 50);
	stage_ask(&st, WIRE_RESOURCE_RESYNC, "q1", "{}");
	stage_expect_among(&st, "request-update site/web, with a checksum\n");
	stage_end(&st);
}

/* A comparison brings it up again and again; what a Go peer deletes for a question has the same id each time (facts 2.7). */
static void a_copy_that_is_put_back_is_deleted_again_for_a_go_peer(void **state)
{
	static const char copy[] = "{'metadata':{'name':'web','namespace':'a1','annotations':{'argocd.argoproj.io/"
				   "source-uid':'l1'}},'spec':{}}";
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_UPSTREAM);
	for (int i = 0; i < 3; i++) {
		stage_put(&st, copy);
		stage_run(&st, 50);
		assert_string_equal(stage_at(&st, "a1", "web", "metadata.name"), "\"web\"");
		stage_hear(&st, WIRE_DELETE, "web_l1", "", "{'metadata':{'name':'web','namespace':'a1','uid':'l1'}}");
		stage_run(&st, 50);
		assert_string_equal(stage_at(&st, "a1", "web", "metadata.name"), "");
	}
	stage_end(&st);
}

/* Spec and status are two writes: what somebody did between them is not overwritten by the second. */
static void what_somebody_does_between_two_writes_is_not_overwritten(void **state)
{
	struct stage st;

	(void)state;
	begin_with_original_at_agent(&st);
	memory_store_delay(st.g.store, 10);
	stage_hear(&st, WIRE_SPEC_UPDATE, "web_l1", "2",
		   "{'metadata':{'name':'web','namespace':'site','uid':'l1'},'spec':{'x':1},'status':{'y':2}}");
	stage_run(&st, 15); /* the first is done */
	assert_string_equal(stage_at(&st, "a1", "web", "spec.x"), "1");
	stage_put(&st,
		  "{'metadata':{'name':'web','namespace':'a1','annotations':{'argocd.argoproj.io/source-uid':'l1'}},"
		  "'spec':{'x':1,'project':'a1-default','destination':{'name':'a1'}},'operation':{'number':7}}");
	stage_run(&st, 2000);
	assert_string_equal(stage_at(&st, "a1", "web", "status.y"), "2");
	assert_string_equal(stage_at(&st, "a1", "web", "operation.number"), "7");
	stage_end(&st);
}

/* The spec is written, the status is not: the event comes again, and the former object is not put back meanwhile. */
static void what_failed_between_two_writes_is_not_taken_for_drift(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
	stage_hear(&st, WIRE_CREATE, "web_l1", "1",
		   "{'metadata':{'name':'web','namespace':'site','uid':'l1'},'spec':{'x':1}}");
	stage_expect(&st, "received web_l1_1\napplied web_l1_1\n");
	memory_store_delay(st.g.store, 10);
	stage_hear(&st, WIRE_CREATE, "web_l2", "2",
		   "{'metadata':{'name':'web','namespace':'site','uid':'l2'},'spec':{'x':2},'status':{'y':2}}");
	while (strcmp(stage_at(&st, "a1", "web", "spec.x"), "2") != 0)
		stage_run(&st, 1);
	memory_store_fail(st.g.store, E_UNAVAILABLE, 1);
	stage_run(&st, 500);
	assert_string_equal(stage_at(&st, "a1", "web", "spec.x"), "2");
	assert_string_equal(stage_at(&st, "a1", "web", "status.y"), "");
	stage_restart(&st);
	stage_run(&st, 500);
	assert_string_equal(stage_at(&st, "a1", "web", "spec.x"), "2");
	stage_connect(&st);
	stage_hear(&st, WIRE_CREATE, "web_l2", "2",
		   "{'metadata':{'name':'web','namespace':'site','uid':'l2'},'spec':{'x':2},'status':{'y':2}}");
	stage_run(&st, 500);
	assert_string_equal(stage_at(&st, "a1", "web", "status.y"), "2");
	stage_end(&st);
}

static void what_an_autonomous_agent_deleted_leaves_nothing_behind(void **state)
{
	struct source_stats stats;
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
	stage_hear(&st, WIRE_CREATE, "web_l1", "1", AT_SITE("l1", "", ""));
	stage_run(&st, 50);
	source_stats(session_source(st.session), &stats);
	assert_int_equal(stats.copies, 1);
	stage_hear(&st, WIRE_DELETE, "web_l1", "2", AT_SITE("l1", "", ""));
	stage_run(&st, 50);
	source_stats(session_source(st.session), &stats);
	assert_int_equal(stats.copies, 0);
	assert_int_equal(ground_row_count(&st.g, LEDGER_COPY) + ground_row_count(&st.g, LEDGER_REPLICA), 0);
	stage_end(&st);
}

static bool maps_otherwise_than(struct stage *st, enum wire_mapping said)
{
	const struct wire_dialect agreed = { .version = WIRE_TWO_STEPS, .mapping = said };

	assert_int_equal(session_open(st->session, ++st->epoch, &agreed, st->g.now), E_OK);
	return session_maps_otherwise(st->session);
}

/* An autonomous agent's lies by namespace, whatever the options say: nothing is said of it. */
static void a_managed_agent_and_its_principal_say_how_they_map(void **state)
{
	static const struct {
		enum role_end end;
		bool says;
	} rows[] = { { ROLE_MANAGED_AGENT, true },
		     { ROLE_AUTONOMOUS_AGENT, false },
		     { ROLE_PRINCIPAL_OF_MANAGED, true },
		     { ROLE_PRINCIPAL_OF_AUTONOMOUS, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stage st;

		stage_begin(&st, rows[i].end, WIRE_TWO_STEPS);
		assert_int_equal(session_offer(st.session).mapping,
				 rows[i].says ? WIRE_MAPPING_NAMESPACE : WIRE_MAPPING_UNSAID);
		assert_false(maps_otherwise_than(&st, WIRE_MAPPING_UNSAID));
		assert_false(maps_otherwise_than(&st, WIRE_MAPPING_NAMESPACE));
		assert_int_equal(maps_otherwise_than(&st, WIRE_MAPPING_DESTINATION), rows[i].says);
		st.site.by_destination = st.principal.by_destination = true;
		assert_int_equal(session_offer(st.session).mapping,
				 rows[i].says ? WIRE_MAPPING_DESTINATION : WIRE_MAPPING_UNSAID);
		stage_end(&st);
	}
}

/* ---- what is too large for a stream --------------------------------------------------------------------------------------- */

#define SMALL           "{'metadata':{'name':'small','namespace':'a1','uid':'u2'},'spec':{}}"
#define LARGER_FOR_PEER " is larger than the peer's limit of 4000 bytes (its --grpc-max-message-size)\n"
#define LARGER          " is larger than our limit of 4000 bytes (--grpc-max-message-size)\n"

/* An application with so many bytes in its specification. */
static void put_sized(struct stage *st, int bytes, const char *more)
{
	char json[8000];

	(void)snprintf(json, sizeof(json),
		       "{'metadata':{'name':'web','namespace':'a1','uid':'u1'},'spec':{'text':'%0*d'}%s}", bytes, 0,
		       more);
	stage_put(st, json);
}

static void put_named(struct stage *st, const char *name, int bytes)
{
	char json[8000];

	(void)snprintf(json, sizeof(json),
		       "{'metadata':{'name':'%s','namespace':'a1','uid':'%s'},'spec':{'text':'%0*d'}}", name, name,
		       bytes, 0);
	stage_put(st, json);
}

/* Nobody would answer anything that could bring up the next, once the outbox is empty. */
static void what_is_larger_than_the_outbox_holds_up_nobody_who_waits_for_room(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	st.outbox_max = 1000;
	stage_restart(&st);
	stage_connect(&st);
	put_named(&st, "first", 600);
	put_named(&st, "large", 2000);
	put_named(&st, "huge", 3000);
	put_named(&st, "small", 600);
	stage_expect(&st, "create first_first_1\n");
	stage_answer(&st, "first_first", "1", true);
	stage_expect(&st, "create small_small_4\n");
	stage_answer(&st, "small_small", "4", true);
	stage_expect(&st, "");
	stage_end(&st);
}

static uint64_t quarantined(struct stage *st)
{
	struct outbox_stats stats;

	outbox_stats(peer_outbox(session_peer(st->session)), &stats);
	return stats.quarantined;
}

static void begin_bounded(struct stage *st)
{
	stage_begin(st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	st->message_max = 4000;
	stage_restart(st);
	stage_connect(st);
	stage_expect(st, "");
}

static void what_is_too_large_for_a_stream_is_set_aside_and_holds_up_nobody(void **state)
{
	struct stage st;

	(void)state;
	begin_bounded(&st);
	put_sized(&st, 5000, "");
	stage_put(&st, SMALL);
	stage_expect(&st, "never sent: create web_u1_1: a message of 5415 bytes" LARGER "create small_u2_2\n");
	assert_int_equal(quarantined(&st), 1);
	/* Neither time nor another stream brings it back. */
	stage_connect(&st);
	stage_answer(&st, "small_u2", "2", true);
	st.g.now += 600000;
	stage_expect(&st, "");
	put_sized(&st, 10, "");
	stage_expect(&st, "spec-update web_u1_3\n");
	assert_int_equal(quarantined(&st), 0);
	stage_end(&st);
}

static void what_was_too_large_once_and_is_refused_now_goes_again_with_the_next_stream(void **state)
{
	struct stage st;

	(void)state;
	begin_bounded(&st);
	put_sized(&st, 5000, "");
	stage_expect(&st, "never sent: create web_u1_1: a message of 5415 bytes" LARGER);
	put_sized(&st, 10, "");
	stage_expect(&st, "spec-update web_u1_2\n");
	stage_answer(&st, "web_u1", "2", false);
	stage_expect(&st, "");
	stage_connect(&st);
	stage_expect(&st, "create web_u1_2-4bc\n");
	stage_end(&st);
}

static void a_command_that_is_too_large_for_a_stream_does_not_come_back_with_a_restart(void **state)
{
	struct stage st;

	(void)state;
	begin_bounded(&st);
	put_sized(&st, 10, "");
	stage_expect(&st, "create web_u1_1\n");
	stage_answer(&st, "web_u1", "1", true);
	put_sized(&st, 5000, ",'operation':{'number':7}");
	stage_expect(&st, "never sent: spec web_u1_2: a message of 5400 bytes" LARGER
			  "never sent: command web_u1_2.set-operation: a message of 5443 bytes" LARGER);
	assert_int_equal(quarantined(&st), 2);
	assert_int_equal(st.g.row_count, 1);
	stage_end(&st);
}

static void a_peer_that_takes_more_than_before_gets_what_was_too_large(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	st.peer_max = 4000;
	stage_connect(&st);
	put_sized(&st, 5000, "");
	stage_put(&st, SMALL);
	stage_expect(&st, "never sent: create web_u1_1: a message of 5415 bytes" LARGER_FOR_PEER "create small_u2_2\n");
	stage_answer(&st, "small_u2", "2", true);
	st.peer_max = 5394;
	stage_connect(&st);
	stage_expect(&st,
		     "never sent: spec web_u1_1-425: a message of 5404 bytes is larger than the peer's limit of 5394 "
		     "bytes (its --grpc-max-message-size)\n");
	assert_int_equal(quarantined(&st), 1);
	st.peer_max = 0;
	stage_connect(&st);
	stage_expect(&st, "spec-update web_u1_1-457\n");
	assert_int_equal(quarantined(&st), 0);
	/* On a stream like the last, nothing is sent for that. */
	stage_answer(&st, "web_u1", "1-457", true);
	stage_connect(&st);
	stage_expect(&st, "");
	stage_end(&st);
}

static void a_limit_that_a_peer_names_at_the_end_of_a_stream_holds_for_the_next(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_AUTONOMOUS_AGENT, WIRE_UPSTREAM);
	session_told_max(st.session, 4000);
	stage_connect(&st);
	assert_int_equal(peer_message_max(session_peer(st.session)), 4000);
	stage_end(&st);
}

/* ---- what a process leaves unanswered ------------------------------------------------------------------------------------- */

static bool said_of_web(struct stage *st)
{
	bool said;

	stage_run(st, 50);
	said = strstr(st->said.n ? buf_cstr(&st->said) : "", " web_") != NULL;
	buf_clear(&st->said);
	return said;
}

/*
 * The peer has applied the second version, and the process died before it knew. Then the object is as it was, which was confirmed: the
 * peer has something else all the same. In our dialect a comparison tells of specs; of a status nobody asks.
 */
static void what_was_changed_and_changed_back_over_a_crash_is_sent_again(void **state)
{
	static const struct {
		enum role_end end;
		unsigned dialect;
		const char *first, *second, *id;
	} rows[] = {
		{ ROLE_MANAGED_AGENT, WIRE_TWO_STEPS, AT_SITE("l1", "u1", ",'status':{'x':1}"),
		  AT_SITE("l1", "u1", ",'status':{'x':2}"), "web_l1" },
		{ ROLE_MANAGED_AGENT, WIRE_UPSTREAM, AT_SITE("l1", "u1", ",'status':{'x':1}"),
		  AT_SITE("l1", "u1", ",'status':{'x':2}"), "web_l1" },
		{ ROLE_PRINCIPAL_OF_MANAGED, WIRE_UPSTREAM, APP("u1", "r1", ""), APP("u1", "r2", ""), "web_u1" },
		{ ROLE_AUTONOMOUS_AGENT, WIRE_UPSTREAM,
		  "{'metadata':{'name':'web','namespace':'site','uid':'l1'},'spec':{'x':1}}",
		  "{'metadata':{'name':'web','namespace':'site','uid':'l1'},'spec':{'x':2}}", "web_l1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stage st;

		stage_begin(&st, rows[i].end, rows[i].dialect);
		stage_put(&st, rows[i].first);
		assert_true(said_of_web(&st));
		stage_answer(&st, rows[i].id, "1", true);
		stage_run(&st, 10);
		stage_come_back(&st);
		assert_false(said_of_web(&st));
		stage_put(&st, rows[i].second);
		assert_true(said_of_web(&st));
		stage_put(&st, rows[i].first);
		stage_come_back(&st);
		assert_true(said_of_web(&st));
		stage_answer(&st, rows[i].id, "3", true);
		stage_run(&st, 10);
		stage_come_back(&st);
		assert_false(said_of_web(&st));
		stage_end(&st);
	}
}

/* ---- comparisons ---------------------------------------------------------------------------------------------------------- */

/* A principal has thousands of sessions: none of them wakes it to ask for nothing. */
static uint64_t waiting(struct stage *st)
{
	struct outbox_stats stats;

	outbox_stats(peer_outbox(session_peer(st->session)), &stats);
	return stats.waiting + stats.in_flight;
}

/* Who asks waits for an answer. */
static void what_is_not_served_is_answered(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_UPSTREAM);
	stage_request(&st, WIRE_TO_RESOURCE, WIRE_HTTP_GET, "{\"uuid\":\"q\"}");
	stage_expect(&st, "processed q\nresponse q\n");
	stage_end(&st);
}

/* Each new stream wants a comparison; the one that is not over goes on, and one more follows it. */
static void streams_that_are_cut_again_and_again_pile_up_no_questions(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	for (int i = 0; i < 20; i++) {
		session_close(st.session, st.epoch);
		stage_connect(&st);
		stage_expect(&st, "request-synced-resource-list\n");
		assert_int_equal(waiting(&st), 1);
	}
	stage_answer_request(&st);
	stage_expect(&st, "request-synced-resource-list\n");
	stage_answer_request(&st);
	stage_expect(&st, "");
	assert_int_equal(waiting(&st), 0);
	session_close(st.session, st.epoch);
	stage_connect(&st);
	stage_expect(&st, "request-synced-resource-list\n");
	stage_end(&st);
}

static void lists_that_a_peer_asks_for_again_and_again_pile_up_no_answers(void **state)
{
	struct stage st;
	char id[16];

	(void)state;
	begin_with_copy(&st);
	for (int i = 0; i < 20; i++) {
		session_close(st.session, st.epoch);
		stage_connect(&st);
		(void)snprintf(id, sizeof(id), "ask-%d", i);
		stage_ask(&st, WIRE_SYNCED_LIST_REQUEST, id, "{\"checksum\":null}");
		stage_run(&st, 10);
		assert_int_equal(waiting(&st), 2); /* the one copy, and "ask me about yours" */
	}
	stage_said(&st, ": the last comparison is not over\n");
	stage_end(&st);
}

/* A principal that names what we do not have, and has us ask about it, without an end. */
static void be_asked(struct stage *st, bool answers)
{
	char id[24], json[64];

	for (int n = 0; n < 10001; n++) {
		(void)snprintf(id, sizeof(id), "%d-%d", n, answers);
		(void)snprintf(json, sizeof(json), "{\"kind\":\"Application\",\"namespace\":\"a1\",\"name\":\"x%d\"}",
			       n);
		stage_ask(st, WIRE_SYNCED_RESOURCE, id, json);
		stage_run(st, 0);
		if (answers)
			stage_answer_request(st);
		buf_clear(&st->said);
	}
}

static void who_answers_no_question_is_asked_about_everything_no_more(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	be_asked(&st, /* answers= */ true);
	stage_ask(&st, WIRE_RESOURCE_RESYNC, "all", "{}");
	stage_expect(&st, "applied all\n");
	be_asked(&st, /* answers= */ false);
	stage_ask(&st, WIRE_RESOURCE_RESYNC, "all again", "{}");
	stage_expect(&st, "rejected all again: what was asked before is not answered\n");
	stage_end(&st);
}

static void only_the_end_that_holds_copies_asks_for_a_comparison_again(void **state)
{
	static const struct {
		enum role_end end;
		bool holds_copies;
	} rows[] = {
		{ ROLE_PRINCIPAL_OF_MANAGED, false },
		{ ROLE_MANAGED_AGENT, true },
		{ ROLE_PRINCIPAL_OF_AUTONOMOUS, true },
		{ ROLE_AUTONOMOUS_AGENT, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stage st;

		stage_begin(&st, rows[i].end, WIRE_TWO_STEPS);
		uint64_t again = st.connected_at + SESSION_DEFAULTS.resync_ms;

		if (rows[i].holds_copies)
			stage_answer_request(&st);
		assert_int_equal(session_due(st.session, st.g.now), rows[i].holds_copies ? again : UINT64_MAX);
		st.g.now = again - 1;
		stage_expect(&st, rows[i].holds_copies ? "request-synced-resource-list\n" : "");
		stage_end(&st);
	}
}

/* ---- faults --------------------------------------------------------------------------------------------------------------- */

static void script(struct stage *st)
{
	static const char *const versions[] = { "1", "2", "3" };

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		stage_hear(st, WIRE_SPEC_UPDATE, "web_u1", versions[i], APP("u1", "r1", ""));
		stage_run(st, 5);
		stage_hear(st, WIRE_SET_OPERATION, "web_u1", versions[i], APP("u1", "r1", ",'operation':{'number':7}"));
		stage_run(st, 5);
	}
	stage_hear(st, WIRE_DELETE, "web_u1", "3", APP("u1", "r1", ""));
	stage_run(st, 5);
}

/* Whatever fails for want of memory, the peer says it again, and then all is as it should be. */
static void every_allocation_may_fail(void **state)
{
	long n = 1, count;

	(void)state;
	do {
		struct stage st;

		stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
		mem_fail_at(n);
		script(&st);
		count = mem_count();
		mem_fail_at(0);
		stage_run(&st, 3000);
		stage_hear(&st, WIRE_CREATE, "web_u2", "9", APP("u2", "r9", ""));
		stage_run(&st, 3000);
		if (strcmp(stage_at(&st, "site", "web", "spec.source.targetRevision"), "\"r9\"") != 0)
			fail_msg("allocation %ld: the last word did not come true", n);
		stage_end(&st);
		n += 1 + n / 40;
	} while (n <= count);
	assert_true(n > 100);
}

static void an_operation_that_had_no_memory_goes_later(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct stage st;

		begin_with_copy(&st);
		stage_put(&st, APP("u1", "r1", ",'operation':{'number':7}"));
		mem_fail_at(++n);
		stage_run(&st, 0);
		count = mem_count();
		mem_fail_at(0);
		stage_run(&st, 1100);
		stage_expect_among(&st, "set-operation web_u1_2.set-operation, operation 7\n");
		stage_answer(&st, "web_u1", "2.set-operation", true);
		stage_run(&st, 3000);
		buf_clear(&st.said);
		stage_expect(&st, "");
		stage_end(&st);
	} while (n <= count);
	assert_true(n > 10);
}

/* One that waits for its row, the next one, for which there is no memory, and one behind them. */
static void operations_that_had_no_memory_keep_their_order(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct stage st;

		begin_with_copy(&st);
		st.g.disk_held = true;
		stage_put(&st, APP("u1", "r1", ",'operation':{'number':7}"));
		stage_run(&st, 10);
		stage_put(&st, APP("u1", "r1", ",'operation':{'number':8}"));
		st.g.disk_held = false;
		mem_fail_at(++n);
		stage_run(&st, 0);
		count = mem_count();
		mem_fail_at(0);
		stage_put(&st, APP("u1", "r1", ",'operation':{'number':9}"));
		stage_run(&st, 1100);
		stage_expect_among(&st, "set-operation web_u1_2.set-operation, operation 7\n");
		stage_answer(&st, "web_u1", "2.set-operation", true);
		stage_run(&st, 3000);
		stage_answer(&st, "web_u1", "3.set-operation", true);
		stage_expect_among(&st, "set-operation web_u1_4.set-operation, operation 9\n");
		stage_end(&st);
	} while (n <= count);
	assert_true(n > 10);
}

/* A copy that could not be kept in mind when it was made is kept a second later; what comes until then waits. */
static void an_operation_for_a_copy_that_is_not_known_yet_does_not_come_back_either(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct stage st;

		stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
		mem_fail_at(++n);
		stage_hear(&st, WIRE_CREATE, "web_l1", "1", AT_SITE("l1", "", ""));
		stage_run(&st, 0);
		count = mem_count();
		mem_fail_at(0);
		stage_hear(&st, WIRE_SPEC_UPDATE, "web_l1", "2", AT_SITE("l1", "", ",'operation':{'number':7}"));
		stage_run(&st, 20000);
		if (strstr(buf_cstr(&st.said), "applied web_l1_1\n"))
			assert_string_equal(stage_at(&st, "a1", "web", "operation.number"), "7");
		if (strstr(buf_cstr(&st.said), "set-operation"))
			fail_msg("allocation %ld: it was sent back", n);
		stage_end(&st);
	} while (n <= count);
	assert_true(n > 30);
}

/* Its agent was autonomous once: for the managed one it is the original, under its own UID, as which its status comes back. */
static void what_was_a_copy_at_the_principal_is_an_original_for_a_managed_agent(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	stage_put(&st, "{'metadata':{'name':'web','namespace':'a1','uid':'u1','annotations':"
		       "{'argocd.argoproj.io/source-uid':'l1','note':'n'}},'spec':{}}");
	stage_expect(&st, "create web_u1_1\n");
	stage_answer(&st, "web_u1", "1", true);
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "2", AT_SITE("l1", "u1", ",'status':{'y':2}"));
	stage_expect(&st, "received web_l1_2\napplied web_l1_2\n");
	assert_string_equal(stage_at(&st, "a1", "web", "status.y"), "2");
	stage_remove(&st, "a1", "web");
	stage_expect(&st, "delete web_u1_1.delete\n");
	stage_end(&st);
}

/* There is no memory for the copy, a minute long: what is said of its operation waits for as long as that. */
static void wait_for_copy(const char *json, const char *path, const char *value)
{
	unsigned waited = 0;
	long n = 0, count;

	do {
		struct stage st;

		stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
		mem_fail_at(++n);
		stage_hear(&st, WIRE_CREATE, "web_l1", "1", AT_SITE("l1", "", ""));
		stage_run(&st, 0);
		count = mem_count();
		mem_fail_at(0);
		st.missed.due_ms = st.g.now + 60000;
		if (st.missed.n) {
			stage_hear(&st, WIRE_SPEC_UPDATE, "web_l1", "2", json);
			stage_run(&st, 20000);
			stage_said(&st, "rejected web_l1_2: its copy is not known yet\n");
			assert_string_equal(stage_at(&st, "a1", "web", path), "");
			stage_run(&st, 60000);
			stage_hear(&st, WIRE_SPEC_UPDATE, "web_l1", "2", json);
			stage_run(&st, 20);
			assert_string_equal(stage_at(&st, "a1", "web", path), value);
			waited++;
		}
		if (strstr(buf_cstr(&st.said), "-operation"))
			fail_msg("allocation %ld: it was sent back", n);
		stage_end(&st);
	} while (n <= count);
	assert_true(waited > 1);
}

#define TERMINATING ",'status':{'operationState':{'phase':'Terminating','startedAt':'t'}}"

static void an_operation_waits_for_a_copy_however_long_that_is_not_known(void **state)
{
	(void)state;
	wait_for_copy(AT_SITE("l1", "", ",'operation':{'number':7}"), "operation.number", "7");
	wait_for_copy(AT_SITE("l1", "", TERMINATING), "status.operationState.phase", "\"Terminating\"");
}

/* It was written, and there is no memory for the report of that, when it ends at the agent, which cannot be written. */
static void an_operation_that_was_written_is_the_agents_before_it_is_reported(void **state)
{
	unsigned unreported = 0;
	long n = 0, count;

	(void)state;
	do {
		struct stage st;

		begin_with_copy(&st);
		mem_fail_at(++n);
		stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "5", AT_SITE("l1", "u1", ",'operation':{'number':7}"));
		stage_run(&st, 0);
		count = mem_count();
		mem_fail_at(0);
		if (st.missed.n && stage_at(&st, "a1", "web", "operation.number")[0]) {
			memory_store_fail(st.g.store, E_UNAVAILABLE, 1);
			stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "6", AT_SITE("l1", "u1", ",'status':{'y':2}"));
			stage_expect_among(&st, "rejected web_l1_6");
			stage_put(&st, APP("u1", "r1", ",'operation':{'number':7},'status':{'x':1}"));
			stage_run(&st, 2000);
			unreported++;
		}
		if (strstr(buf_cstr(&st.said), "set-operation"))
			fail_msg("allocation %ld: it was sent back", n);
		stage_end(&st);
	} while (n <= count);
	assert_true(unreported > 1);
}

static const struct backend_ops *whole;

/* As an API server does whose schema does not know "extra". */
static void write_without_extra(struct backend *b, struct backend_write *w)
{
	json_object *tree = object_tree_own(w->object), *operation = tree_get(tree, "operation", NULL);
	struct object *less;

	if (operation)
		json_object_object_del(operation, "extra");
	assert_int_equal(object_from_tree(w->object->kind, tree, NULL, &less), E_OK);
	w->object = less;
	whole->write(b, w);
	object_unref(less);
	json_object_put(tree);
}

static void what_the_backend_made_of_the_agents_operation_does_not_go_back_to_it(void **state)
{
	static const struct backend_ops ops = { .name = "less", .write = write_without_extra };
	struct stage st;

	(void)state;
	begin_with_copy(&st);
	whole = st.g.backend->ops;
	st.g.backend->ops = &ops;
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "5", AT_SITE("l1", "u1", ",'operation':{'number':7,'extra':1}"));
	stage_expect(&st, "received web_l1_5\napplied web_l1_5\n");
	assert_string_equal(stage_at(&st, "a1", "web", "operation.number"), "7");
	assert_string_equal(stage_at(&st, "a1", "web", "operation.extra"), "");
	st.g.backend->ops = whole;
	stage_end(&st);
}

/* Nobody knew until then that it is the agent's. */
static void an_operation_of_what_is_taken_over_does_not_come_back_either(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
	stage_put(&st, APP("u1", "r1", ""));
	stage_hear(&st, WIRE_CREATE, "web_l1", "1", AT_SITE("l1", "", ",'operation':{'number':7}"));
	stage_expect(&st, "received web_l1_1\napplied web_l1_1\n");
	stage_hear(&st, WIRE_SPEC_UPDATE, "web_l1", "2", AT_SITE("l1", "", ",'operation':{'number':7}"));
	stage_expect(&st, "received web_l1_2\napplied web_l1_2\n");
	assert_string_equal(stage_at(&st, "a1", "web", "operation.number"), "7");
	stage_end(&st);
}

static void the_end_of_an_operation_at_the_agent_is_not_asked_of_it(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
	stage_hear(&st, WIRE_CREATE, "web_l1", "1", AT_SITE("l1", "", ""));
	stage_expect(&st, "received web_l1_1\napplied web_l1_1\n");
	stage_hear(&st, WIRE_SPEC_UPDATE, "web_l1", "2", AT_SITE("l1", "", TERMINATING));
	stage_expect(&st, "received web_l1_2\napplied web_l1_2\n");
	stage_end(&st);
}

static void what_is_taken_over_while_its_operation_ends_waits_for_nothing(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
	stage_put(&st, APP("u1", "r1", ""));
	stage_hear(&st, WIRE_CREATE, "web_l1", "1", AT_SITE("l1", "", TERMINATING));
	stage_run(&st, 50);
	stage_said(&st, "received web_l1_1\napplied web_l1_1\n");
	stage_end(&st);
}

/* A Go principal that knows nothing of a copy names it never, so that nobody else would bring it up. */
static void what_was_not_asked_for_want_of_memory_is_asked_the_next_time(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct stage st;

		stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_UPSTREAM);
		stage_put(&st, AT_SITE("x", "u1", ""));
		stage_restart(&st);
		mem_fail_at(++n);
		stage_connect(&st);
		count = mem_count();
		mem_fail_at(0);
		stage_run(&st, 50);
		st.g.now += SESSION_DEFAULTS.resync_ms;
		stage_expect_among(&st, "request-update site/web\n");
		stage_end(&st);
	} while (n <= count);
	assert_true(n > 10);
}

static void a_session_that_cannot_be_made_whole_is_none(void **state)
{
	const struct mapping_principal principal = { .namespace = "argocd" };
	struct ground g;
	long n = 0, count;

	(void)state;
	ground_begin(&g, /* now= */ 1000);
	do {
		const struct session_options options = {
			.role = { .end = ROLE_PRINCIPAL_OF_MANAGED,
				  .agent = "a1",
				  .principal_uid = "",
				  .principal = &principal },
			.rows = "peer",
			.backend = g.backend,
			.journal = g.journal,
			.outbox = outbox_defaults,
			.inbox = inbox_defaults,
		};
		struct session *s;

		mem_fail_at(++n);
		s = session_new(&options, g.now);
		count = mem_count();
		mem_fail_at(0);
		assert_int_equal(s != NULL, n > count);
		session_free(s);
	} while (n <= count);
	assert_true(n > 4);
	ground_crash(&g);
	ground_end(&g);
}

/* To a session with nothing in flight, a timer alone brings back what it could not offer. */
static void what_could_not_be_offered_for_want_of_memory_is_due_by_itself(void **state)
{
	long n = 0, count, waited = 0;

	(void)state;
	do {
		struct stage st;
		uint64_t due;

		stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
		st.g.disk_held = true;
		stage_put(&st, APP("u1", "r1", ""));
		stage_expect(&st, "");
		st.g.disk_held = false;
		assert_true(buf_reserve(&st.said, 4096)); /* the test's own words do not fail */
		mem_fail_at(++n);
		stage_run(&st, 0); /* the row becomes durable */
		count = mem_count();
		mem_fail_at(0);
		due = session_due(st.session, st.g.now);
		if (!st.said.n && due > st.g.now + 500 && due != UINT64_MAX) {
			waited++;
			stage_run(&st, due - st.g.now - 1);
			assert_int_equal(st.said.n, 0);
		}
		while (!st.said.n && session_due(st.session, st.g.now) != UINT64_MAX)
			stage_run(&st, 1);
		stage_expect(&st, "create web_u1_1\n");
		stage_end(&st);
	} while (n <= count);
	assert_true(waited > 0 && waited < count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_of_an_object_leaves_before_its_row_is_durable),
		cmocka_unit_test(a_create_says_whether_there_is_anything_that_the_agent_may_lack),
		cmocka_unit_test(a_create_is_not_bare_while_what_came_on_an_earlier_stream_is_written),
		cmocka_unit_test(what_was_confirmed_is_not_sent_again_after_a_restart),
		cmocka_unit_test(an_object_made_again_goes_behind_the_delete_of_the_former),
		cmocka_unit_test(the_answer_to_a_create_does_not_end_the_delete_behind_it),
		cmocka_unit_test(a_deletion_missed_while_down_is_sent_after_the_restart),
		cmocka_unit_test(an_operation_that_began_at_the_agent_does_not_come_back_to_it),
		cmocka_unit_test(a_command_leaves_when_its_row_is_durable),
		cmocka_unit_test(an_operation_that_is_asked_for_again_is_another_one),
		cmocka_unit_test(an_operation_like_one_that_could_not_be_written_is_sent),
		cmocka_unit_test(a_status_from_before_a_command_was_answered_does_not_clear_the_operation),
		cmocka_unit_test(a_status_that_was_applied_is_known_after_a_restart),
		cmocka_unit_test(an_operation_that_is_to_end_is_terminated_once),
		cmocka_unit_test(commands_keep_their_order_over_a_restart),
		cmocka_unit_test(no_more_commands_go_than_the_agent_remembers_while_the_disk_stalls),
		cmocka_unit_test(the_row_of_a_former_copy_is_not_that_of_the_next),
		cmocka_unit_test(a_command_that_was_rejected_for_good_does_not_come_back_with_a_restart),
		cmocka_unit_test(a_deletion_that_was_answered_leaves_no_row),
		cmocka_unit_test(an_application_on_its_way_out_goes_when_the_agent_has_deleted_it),
		cmocka_unit_test(a_repository_whose_project_has_no_memory_stays),
		cmocka_unit_test(the_guard_holds_until_somebody_releases),
		cmocka_unit_test(a_deletion_here_says_the_uid_that_the_principal_knows),
		cmocka_unit_test(why_an_application_is_not_adopted_is_told),
		cmocka_unit_test(a_status_an_operation_and_a_refresh_are_told_as_they_come_and_go),
		cmocka_unit_test(a_status_that_the_principal_has_refused_goes_once_with_each_stream),
		cmocka_unit_test(a_copy_of_a_project_has_no_status_to_tell),
		cmocka_unit_test(of_a_command_that_alone_is_taken_which_is_asked),
		cmocka_unit_test(a_deletion_says_where_the_principal_has_what_lies_elsewhere_here),
		cmocka_unit_test(drift_is_reverted_and_a_copy_that_was_deleted_is_made_again),
		cmocka_unit_test(a_copy_whose_record_was_lost_is_asked_for_as_a_whole),
		cmocka_unit_test(what_is_not_here_is_asked_for_where_the_principal_has_it),
		cmocka_unit_test(a_copy_that_is_made_again_without_a_status_says_so),
		cmocka_unit_test(a_status_that_the_principal_knows_to_be_none_is_not_told),
		cmocka_unit_test(that_there_is_no_status_is_told_while_a_request_is_not_answered),
		cmocka_unit_test(that_there_is_no_status_is_told_while_the_copy_before_is_not_forgotten),
		cmocka_unit_test(a_status_beside_a_bare_create_is_told),
		cmocka_unit_test(a_status_is_told_again_when_the_principal_makes_what_is_here),
		cmocka_unit_test(only_a_go_principal_gets_the_spec_with_a_status),
		cmocka_unit_test(a_refresh_whose_status_overtakes_the_answer_of_a_go_agent_is_done),
		cmocka_unit_test(what_a_go_agent_says_may_overtake_its_answer_to_a_refresh),
		cmocka_unit_test(a_refresh_that_is_not_answered_holds_no_status_for_long),
		cmocka_unit_test(who_stops_waits_for_no_answer),
		cmocka_unit_test(a_refresh_that_is_asked_for_again_is_another_one),
		cmocka_unit_test(what_its_source_deletes_is_not_made_again),
		cmocka_unit_test(a_copy_without_a_status_that_its_source_deletes_is_reported_as_gone),
		cmocka_unit_test(a_late_delete_leaves_the_newer_object_of_the_name),
		cmocka_unit_test(the_status_is_told_again_behind_the_answer_to_a_command),
		cmocka_unit_test(the_status_is_told_again_behind_the_answer_to_each_repetition_of_a_wish),
		cmocka_unit_test(a_command_for_a_copy_that_is_being_made_again_comes_again),
		cmocka_unit_test(what_comes_waits_until_all_that_is_there_is_known),
		cmocka_unit_test(an_owner_that_sleeps_is_woken_for_a_write_that_failed),
		cmocka_unit_test(a_peer_that_sends_much_has_its_turns_like_all_others),
		cmocka_unit_test(the_stub_of_an_autonomous_agents_deletion_is_taken),
		cmocka_unit_test(a_copy_that_says_to_be_deleted_and_is_held_by_nothing_is_put_back),
		cmocka_unit_test(what_a_go_principal_does_not_have_any_more_is_a_create),
		cmocka_unit_test(a_project_that_a_go_principal_does_not_find_is_an_update),
		cmocka_unit_test(what_the_agent_does_not_have_any_more_is_a_create),
		cmocka_unit_test(what_the_agent_has_refused_to_update_is_a_create),
		cmocka_unit_test(what_the_agent_has_refused_goes_once_with_each_stream_and_when_it_asks),
		cmocka_unit_test(what_an_autonomous_agent_shows_is_its_own),
		cmocka_unit_test(a_project_of_another_namespace_is_not_told),
		cmocka_unit_test(of_the_version_that_is_here_a_go_agents_project_stays),
		cmocka_unit_test(a_go_principal_is_asked_about_all_copies_once),
		cmocka_unit_test(what_an_autonomous_agent_deleted_leaves_nothing_behind),
		cmocka_unit_test(a_managed_agent_and_its_principal_say_how_they_map),
		cmocka_unit_test(a_copy_says_which_version_of_it_was_applied),
		cmocka_unit_test(a_copy_that_is_put_back_is_deleted_again_for_a_go_peer),
		cmocka_unit_test(what_somebody_does_between_two_writes_is_not_overwritten),
		cmocka_unit_test(what_failed_between_two_writes_is_not_taken_for_drift),
		cmocka_unit_test(what_is_larger_than_the_outbox_holds_up_nobody_who_waits_for_room),
		cmocka_unit_test(what_is_too_large_for_a_stream_is_set_aside_and_holds_up_nobody),
		cmocka_unit_test(what_was_too_large_once_and_is_refused_now_goes_again_with_the_next_stream),
		cmocka_unit_test(a_command_that_is_too_large_for_a_stream_does_not_come_back_with_a_restart),
		cmocka_unit_test(a_peer_that_takes_more_than_before_gets_what_was_too_large),
		cmocka_unit_test(a_limit_that_a_peer_names_at_the_end_of_a_stream_holds_for_the_next),
		cmocka_unit_test(what_was_changed_and_changed_back_over_a_crash_is_sent_again),
		cmocka_unit_test(what_is_not_served_is_answered),
		cmocka_unit_test(streams_that_are_cut_again_and_again_pile_up_no_questions),
		cmocka_unit_test(lists_that_a_peer_asks_for_again_and_again_pile_up_no_answers),
		cmocka_unit_test(who_answers_no_question_is_asked_about_everything_no_more),
		cmocka_unit_test(only_the_end_that_holds_copies_asks_for_a_comparison_again),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(an_operation_that_had_no_memory_goes_later),
		cmocka_unit_test(operations_that_had_no_memory_keep_their_order),
		cmocka_unit_test(an_operation_for_a_copy_that_is_not_known_yet_does_not_come_back_either),
		cmocka_unit_test(what_was_a_copy_at_the_principal_is_an_original_for_a_managed_agent),
		cmocka_unit_test(an_operation_waits_for_a_copy_however_long_that_is_not_known),
		cmocka_unit_test(an_operation_that_was_written_is_the_agents_before_it_is_reported),
		cmocka_unit_test(what_the_backend_made_of_the_agents_operation_does_not_go_back_to_it),
		cmocka_unit_test(an_operation_of_what_is_taken_over_does_not_come_back_either),
		cmocka_unit_test(the_end_of_an_operation_at_the_agent_is_not_asked_of_it),
		cmocka_unit_test(what_is_taken_over_while_its_operation_ends_waits_for_nothing),
		cmocka_unit_test(what_was_not_asked_for_want_of_memory_is_asked_the_next_time),
		cmocka_unit_test(a_session_that_cannot_be_made_whole_is_none),
		cmocka_unit_test(what_could_not_be_offered_for_want_of_memory_is_due_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
