/* What each end plans to do with what came, and with what others did to its copies. */
#include "stage.h"
#include "sync/marks.h"
#include "sync/role_impl.h"
#include "sync/session_impl.h"
#include "trees.h"

#define GOING         ",'deletionTimestamp':'2026-01-01T00:00:00Z'"
#define ANNOTATED(x)  ",'annotations':{'argocd.argoproj.io/source-uid':'" x "'"
#define OF(x)         ANNOTATED(x) "}"
#define META(x, more) "'metadata':{'name':'web','namespace':'site','uid':'" x "'" more "}"
#define APP(x, more)  "{" META(x, more) ",'spec':{'project':'p'}}"
#define COPY(more)    "{" META("l1", OF("u1") more) ",'spec':{'project':'p','destination':{'name':'in-cluster'}}}"
#define ASKED(more)   "{" META("u1", more) ",'spec':{'project':'p'},'operation':{'sync':{}}}"
#define RUNNING(x)    "{" META("l1", OF(x)) ",'spec':{'project':'p'},'status':{'operationState':{'phase':'Running'}}}"

#define PROJECT                                                                                                        \
	"{'metadata':{'name':'a1-web','namespace':'argocd','uid':'l1'" OF("u1") "},'spec':{'sourceNamespaces':['a1']}" \
										"}"
#define ORIGINAL(namespace, more) "{'metadata':{'name':'web','namespace':'" namespace "','uid':'u1'" more "}}"
#define NOBODYS                   "{" META("l1", "") ",'spec':{'project':'p'}}"

#define M                         ROLE_MANAGED_AGENT
#define A                         ROLE_AUTONOMOUS_AGENT
#define PM                        ROLE_PRINCIPAL_OF_MANAGED
#define PA                        ROLE_PRINCIPAL_OF_AUTONOMOUS

/* What `said` has of a plan. */
static void say_plan(const struct replica_plan *p, struct buf *said)
{
	static const char *const verbs[] = {
		[BACKEND_PUT] = "put ", [BACKEND_STATUS] = "status ", [BACKEND_DELETE] = "delete "
	};

	buf_str(said, p->what == REPLICA_REFUSE ? (struct str)STR("refuse ") : (struct str){ 0 });
	buf_str(said, str_of(p->retryable ? "retryable " : ""));
	buf_str(said, str_of(p->complaint[0] ? "complain " : ""));
	for (size_t i = 0; i < p->step_count; i++)
		buf_str(said, str_of(verbs[p->steps[i].verb]));
	buf_str(said, str_of(p->again ? "again " : ""));
	buf_str(said, str_of(p->record ? "record " : ""));
	buf_str(said, str_of(p->record_removed ? "forget " : ""));
	buf_str(said, str_of(p->gone ? "gone " : ""));
	buf_str(said, str_of(p->known ? "known " : ""));
}

static struct object *object_of(enum object_kind kind, const char *json)
{
	struct object *o = NULL;
	json_object *tree = json ? tree_of(json) : NULL;
	struct why why = { 0 };

	if (tree && object_from_tree(kind, tree, &why, &o) != E_OK)
		fail_msg("%s: %s", json, why.text);
	json_object_put(tree);
	return o;
}

static void plan_release(struct replica_plan *p)
{
	for (size_t i = 0; i < p->step_count; i++)
		object_unref(p->steps[i].object);
	object_unref(p->record);
}

struct row {
	enum role_end end;
	bool go; /* the peer is one of upstream's */
	enum object_kind kind;
	enum wire_type type;
	const char *incoming; /* NULL: nothing came, somebody did something here */
	const char *local;    /* NULL: nothing is there */
	const char *record;   /* NULL: none; "": nothing to revert to */
	const char *plan;
	const char *path, *value; /* of what the first step writes */
	const char *last;         /* as it was before it went */
};

/* As the row says: of the version that was applied last, when there is a record. */
static void plan_row(struct stage *st, const struct row *row, struct replica_plan *plan)
{
	struct replica_rules rules = role_replica(&st->session->role);
	struct replica_record record = { .object = object_of(row->kind,
							     row->record && row->record[0] ? row->record : NULL) };
	struct wire_event event = { .type = row->type };
	struct object *local = object_of(row->kind, row->local), *last = object_of(row->kind, row->last);
	struct replica_place place;
	struct replica_case c = { .event = row->incoming ? &event : NULL,
				  .incoming = row->incoming ? tree_of(row->incoming) : NULL,
				  .place = &place,
				  .local = local,
				  .last = last,
				  .record = row->record ? &record : NULL,
				  .again = row->record };
	struct why why = { 0 };

	assert_true(replica_place_set(&place, row->kind, (struct str)STR("site"), (struct str)STR("web")));
	st->session->role.remembers = !row->go;
	assert_int_equal((row->incoming ? rules.apply : rules.revert)(rules.ctx, &c, plan, &why), E_OK);
	json_object_put(c.incoming);
	object_unref(local);
	object_unref(last);
	object_unref(record.object);
}

static const struct row rows[] = {
	/* a managed agent: what the principal has is made, and what is written is what is reverted to */
	{ M, false, OBJECT_APPLICATION, WIRE_CREATE, APP("u1", ""), NULL, NULL, "put record ", "spec.destination.name",
	  "\"in-cluster\"" },
	{ M, false, OBJECT_APPLICATION, WIRE_CREATE, APP("u1", ""), COPY(""), NULL, "record known " },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", ""), COPY(""), "", "record " },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", ",'labels':{'a':'b'}"), COPY(""), NULL,
	  "put record ", "metadata.labels.a", "\"b\"" },
	{ M, false, OBJECT_APPLICATION, WIRE_CREATE, APP("u1", ""), NOBODYS, NULL, "put record ",
	  "metadata.annotations", "{\"argocd.argoproj.io/source-uid\":\"u1\"}" },
	/* what is being deleted at its source goes, and is not put back any more */
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", GOING), COPY(""), COPY(""), "delete forget " },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", GOING), NULL, COPY(""), "forget gone " },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", GOING), NULL, NULL, "gone " },
	{ M, false, OBJECT_APPLICATION, WIRE_DELETE, APP("u1", ""), COPY(""), COPY(""), "delete forget " },
	{ M, false, OBJECT_APPLICATION, WIRE_DELETE, APP("u1", ""), COPY(""), NULL, "delete " },
	{ M, false, OBJECT_APPLICATION, WIRE_DELETE, APP("u1", ""), NULL, COPY(""), "forget " },
	{ M, false, OBJECT_APPLICATION, WIRE_DELETE, APP("u1", ""), NULL, NULL, "" },
	{ M, false, OBJECT_APPLICATION, WIRE_DELETE, APP("u2", ""), COPY(""), COPY(""), "" },
	/* another object under the name: one of a peer that forgets deletions is made anew, and the record serves until then */
	{ M, true, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u2", ""), COPY(""), COPY(""), "delete again " },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u2", ""), COPY(""), COPY(""), "put record " },
	/* commands write what they ask for, and are nothing to revert to, nor the end of that */
	{ M, false, OBJECT_APPLICATION, WIRE_SET_OPERATION, ASKED(""), COPY(""), COPY(""), "status ", "operation",
	  "{\"sync\":{}}" },
	{ M, false, OBJECT_APPLICATION, WIRE_SET_OPERATION, ASKED(GOING), COPY(""), COPY(""), "status " },
	{ M, false, OBJECT_APPLICATION, WIRE_TERMINATE_OPERATION, APP("u1", ""), RUNNING("u1"), "", "status ",
	  "status.operationState.phase", "\"Terminating\"" },
	{ M, false, OBJECT_APPLICATION, WIRE_SET_OPERATION, ASKED(""), NULL, COPY(""), "refuse retryable " },
	{ M, false, OBJECT_APPLICATION, WIRE_SET_OPERATION, ASKED(""), NULL, "", "refuse " },
	{ M, false, OBJECT_APPLICATION, WIRE_SET_OPERATION, ASKED(""), NULL, NULL, "refuse " },
	{ M, false, OBJECT_APPLICATION, WIRE_SET_OPERATION, ASKED(""), RUNNING("u2"), COPY(""), "refuse " },
	/* the same of an autonomous agent, which reverts nothing */
	{ A, false, OBJECT_APPLICATION, WIRE_SET_OPERATION, "{" META("p1", OF("l1")) ",'operation':{'sync':{}}}",
	  NOBODYS, NULL, "status " },
	{ A, false, OBJECT_APPLICATION, WIRE_SET_OPERATION, "{" META("p1", OF("l1")) ",'operation':{'sync':{}}}",
	  RUNNING("l1"), NULL, "status " },
	{ A, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE,
	  "{" META("p1", ANNOTATED("l1") ",'argocd.argoproj.io/refresh':'hard'}") "}", NOBODYS, NULL, "put " },
	/* what nobody may take over */
	{ M, false, OBJECT_APPLICATION, WIRE_CREATE, APP("u1", ""),
	  "{" META("l1", ",'annotations':{'argocd.argoproj.io/adoption-policy':'never'}") "}", NULL,
	  "refuse complain " },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", ""), NOBODYS, NULL, "refuse " },
	/* what others did to a copy is undone; what is made again has the status that it had */
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, NULL, COPY(",'labels':{'a':'b'}"), COPY(""), "put ",
	  "metadata.labels", "" },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, NULL, COPY(""), COPY(""), "" },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, NULL, NULL, APP("l1", OF("u1")), "put ",
	  "spec.destination.name", "\"in-cluster\"" },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, NULL, APP("l1", OF("u1") ",'labels':{'a':'b'}"),
	  APP("l1", OF("u1")), "put ", "spec.destination.name", "\"in-cluster\"" },
	{ M, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, NULL, NULL, COPY(""), "put status ",
	  "status.operationState.phase", "\"Running\"", RUNNING("u1") },
	/* the principal of a managed agent, whose originals they are */
	{ PM, false, OBJECT_APPLICATION, WIRE_DELETE, APP("l1", OF("u1")), ORIGINAL("a1", GOING), NULL, "delete " },
	{ PM, false, OBJECT_APPLICATION, WIRE_DELETE, APP("l1", OF("u1")), ORIGINAL("a1", ""), NULL, "" },
	{ PM, false, OBJECT_APPLICATION, WIRE_DELETE, APP("l1", OF("u1")), ORIGINAL("a2", ""), NULL, "" },
	{ PM, false, OBJECT_APPLICATION, WIRE_DELETE, APP("l1", OF("u2")), ORIGINAL("a2", ""), NULL, "refuse " },
	{ PM, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("l1", OF("u1")), ORIGINAL("a2", ""), NULL, "refuse " },
	{ PM, false, OBJECT_APPLICATION, WIRE_STATUS_UPDATE, RUNNING("u1"), ORIGINAL("a1", ""), NULL, "status ",
	  "status.operationState.phase", "\"Running\"" },
	{ PM, false, OBJECT_APPLICATION, WIRE_STATUS_UPDATE, RUNNING("u2"), ORIGINAL("a1", ""), NULL, "" },
	{ PM, false, OBJECT_APPLICATION, WIRE_STATUS_UPDATE, RUNNING("u1"), ORIGINAL("a2", ""), NULL, "refuse " },
	/* the principal of an autonomous agent */
	{ PA, false, OBJECT_APPLICATION, WIRE_CREATE, APP("u1", ""), NULL, NULL, "put record ", "spec.destination",
	  "" },
	{ PA, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", GOING), COPY(""), COPY(""), "put delete forget " },
	{ PA, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", GOING), NULL, COPY(""), "" },
	{ PA, false, OBJECT_APPLICATION, WIRE_DELETE, APP("u1", ""), COPY(""), COPY(""), "delete forget " },
	{ PA, false, OBJECT_APPLICATION, WIRE_DELETE, APP("u1", ""), COPY(",'finalizers':['f']"), COPY(""),
	  "put delete forget ", "metadata.finalizers", "" },
	{ PA, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", ""), COPY(GOING), COPY(""), "delete again " },
	{ PA, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, NULL, COPY(GOING ",'finalizers':['f']"), COPY(""), "put ",
	  "metadata.finalizers", "" },
	{ PA, false, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", ""), COPY(GOING ",'finalizers':['f']"), COPY(""),
	  "put delete again ", "metadata.finalizers", "" },
	/* a Go agent's answer to a comparison lacks destinations, and is of the version that is here already */
	{ PA, true, OBJECT_APPPROJECT, WIRE_SPEC_UPDATE, APP("u1", ""), PROJECT, COPY(""), "" },
	{ PA, true, OBJECT_APPPROJECT, WIRE_SPEC_UPDATE, APP("u1", ""), PROJECT, "", "put record " },
	{ PA, false, OBJECT_APPPROJECT, WIRE_SPEC_UPDATE, APP("u1", ""), PROJECT, COPY(""), "put record " },
	{ PA, true, OBJECT_APPPROJECT, WIRE_SPEC_UPDATE, APP("u2", ""), PROJECT, COPY(""), "delete again " },
	{ PA, true, OBJECT_APPPROJECT, WIRE_CREATE, APP("u1", ""), PROJECT, COPY(""), "put record " },
	{ PA, true, OBJECT_APPLICATION, WIRE_SPEC_UPDATE, APP("u1", ""), COPY(""), COPY(""), "put record " },
};

static void expect_plan(size_t i, const struct replica_plan *plan, const char *said)
{
	json_object *tree = rows[i].path ? object_tree(plan->steps[0].object) : NULL;

	if (strcmp(said, rows[i].plan) != 0)
		fail_msg("row %zu: '%s', not '%s'", i, said, rows[i].plan);
	if (rows[i].path && strcmp(at(tree, rows[i].path), rows[i].value) != 0)
		fail_msg("row %zu: %s is '%s', not '%s'", i, rows[i].path, at(tree, rows[i].path), rows[i].value);
	json_object_put(tree);
}

static void each_end_plans_as_the_table_says(void **state)
{
	struct stage st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct replica_plan plan = { 0 };
		struct buf said = { 0 };

		stage_begin(&st, rows[i].end, WIRE_TWO_STEPS);
		plan_row(&st, &rows[i], &plan);
		say_plan(&plan, &said);
		expect_plan(i, &plan, said.n ? buf_cstr(&said) : "");
		buf_release(&said);
		plan_release(&plan);
		stage_end(&st);
	}
}

/* What is not the sender's to say, or goes by another event, is left out. */
static void what_is_sent_is_what_is_the_senders_to_say(void **state)
{
	static const char full[] = "{" META("u1",
					    OF("u0")) ",'spec':{'project':'p'},'status':{'s':1},'operation':{'o':1}}";
	static const struct {
		enum role_end end;
		enum wire_type type;
		const char *source_uid, *status, *operation;
	} sent[] = {
		{ PM, WIRE_CREATE, "", "", "" },
		{ PM, WIRE_SPEC_UPDATE, "", "", "" },
		{ PM, WIRE_SET_OPERATION, "", "{\"s\":1}", "{\"o\":1}" },
		{ PM, WIRE_TERMINATE_OPERATION, "", "{\"s\":1}", "{\"o\":1}" },
		{ PA, WIRE_SPEC_UPDATE, "u0", "", "" },
		{ PA, WIRE_SET_OPERATION, "u0", "", "{\"o\":1}" },
		{ A, WIRE_SPEC_UPDATE, "", "{\"s\":1}", "{\"o\":1}" },
	};
	static const struct role_rules *const rules[] = {
		[PM] = &role_principal_of_managed, [PA] = &role_principal_of_autonomous, [A] = &role_autonomous_agent
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		json_object *tree = tree_of(full);
		struct stage st;

		stage_begin(&st, sent[i].end, WIRE_TWO_STEPS);
		assert_int_equal(
			rules[sent[i].end]->prepare(&st.session->role, sent[i].type, OBJECT_APPLICATION, &tree), E_OK);
		if (strcmp(tree_mark(tree, "annotations", MARK_SOURCE_UID), sent[i].source_uid) != 0 ||
		    strcmp(at(tree, "status"), sent[i].status) != 0 ||
		    strcmp(at(tree, "operation"), sent[i].operation) != 0)
			fail_msg("row %zu: %s", i, json_object_to_json_string(tree));
		json_object_put(tree);
		stage_end(&st);
	}
}

static void an_autonomous_agent_tells_of_its_status(void **state)
{
	struct source_state states[2] = { 0 };
	struct stage st;

	(void)state;
	stage_begin(&st, A, WIRE_TWO_STEPS);
	for (size_t i = 0; i < 2; i++) {
		json_object *tree = tree_of(i ? RUNNING("u1") : "{" META("l1", OF("u1")) ",'spec':{'project':'p'}}");
		struct object *o = NULL;

		assert_int_equal(object_from_tree(OBJECT_APPLICATION, tree, NULL, &o), E_OK);
		assert_int_equal(role_autonomous_agent.describe(&st.session->role, o, tree, &states[i]), E_OK);
		object_unref(o);
		json_object_put(tree);
	}
	assert_false(digest_eq(&states[0].desired, &states[1].desired));
	stage_end(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_end_plans_as_the_table_says),
		cmocka_unit_test(what_is_sent_is_what_is_the_senders_to_say),
		cmocka_unit_test(an_autonomous_agent_tells_of_its_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
