/* What a peer may not do, whatever it says. */
#include "base/mem.h"
#include "stage.h"
#include "sync/role_impl.h"

#define ANOTHERS                                                                                                    \
	"{'metadata':{'name':'web','namespace':'argocd','uid':'u1'},'spec':{'destination':{'name':'a2'},'project':" \
	"'p'}}"
#define FORGED                                                                                                 \
	"{'metadata':{'name':'web','namespace':'argocd','uid':'l1','resourceVersion':'9','annotations':{"      \
	"'argocd.argoproj.io/source-uid':'u1'}},'spec':{'destination':{'name':'a1'}},'operation':{'sync':{}}," \
	"'status':{'forged':'yes'}}"
#define COMPLAINT "{'resourceName':'web','resourceNamespace':'argocd','message':'no disk'}"

/* Where applications are mapped by destination an agent says the namespace, and there are those of others in it. */
static void an_agent_writes_into_no_application_of_another(void **state)
{
	static const struct {
		enum wire_type type;
		const char *json;
	} rows[] = {
		{ WIRE_STATUS_UPDATE, FORGED }, { WIRE_CREATE, FORGED },   { WIRE_SPEC_UPDATE, FORGED },
		{ WIRE_DELETE, FORGED },        { WIRE_ERROR, COMPLAINT },
	};
	struct stage st;
	char before[64];

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	st.principal.by_destination = true;
	stage_put(&st, ANOTHERS);
	stage_expect(&st, "");
	(void)snprintf(before, sizeof(before), "%s", stage_at(&st, "argocd", "web", "metadata.resourceVersion"));
	assert_true(before[0]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "web_l%zu", i);
		stage_hear(&st, rows[i].type, id, "9", rows[i].json);
		stage_run(&st, 100);
		if (strcmp(before, stage_at(&st, "argocd", "web", "metadata.resourceVersion")) != 0)
			fail_msg("%s has changed it", wire_type_name(rows[i].type));
		if (rows[i].type != WIRE_DELETE) /* it may be that of what was moved away from it */
			assert_non_null(strstr(buf_cstr(&st.said), "rejected"));
		buf_clear(&st.said);
	}
	assert_string_equal(stage_at(&st, "argocd", "web", "status"), "");
	stage_end(&st);
}

/* The same words about its own: what was refused above was refused for whose it is. */
static void an_agent_writes_into_its_own_application(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
	st.principal.by_destination = true;
	stage_put(&st,
		  "{'metadata':{'name':'web','namespace':'argocd','uid':'u1'},'spec':{'destination':{'name':'a1'}}}");
	stage_expect(&st, "create web_u1_1\n");
	stage_answer(&st, "web_u1", "1", true);
	stage_hear(&st, WIRE_STATUS_UPDATE, "web_l1", "9", FORGED);
	stage_run(&st, 100);
	assert_string_equal(stage_at(&st, "argocd", "web", "status.forged"), "\"yes\"");
	stage_hear(&st, WIRE_ERROR, "web_l2", "9", COMPLAINT);
	stage_run(&st, 100);
	assert_non_null(strstr(stage_at(&st, "argocd", "web", "status"), "no disk"));
	stage_end(&st);
}

/* What an agent gets of what all may share is what lies in the principal's own namespace and is not kept back. */
static void only_what_lies_with_the_principal_is_sent(void **state)
{
	static const struct {
		enum object_kind kind;
		const char *name, *more, *rest;
	} rows[] = {
		{ OBJECT_APPPROJECT, "p", "",
		  ",'spec':{'sourceNamespaces':['*'],'destinations':[{'name':'*','namespace':'*'}]}" },
		{ OBJECT_REPOSITORY, "r", "'argocd.argoproj.io/secret-type':'repository'",
		  ",'stringData':{'project':'p'}" },
		{ OBJECT_GPGKEY, "k", "", ",'data':{'key':'x'}" },
	};
	static const struct {
		const char *namespace, *label;
		bool goes;
	} cases[] = {
		{ "argocd", "", true },
		{ "elsewhere", "", false },
		{ "a1", "", false },
		{ "argocd", "'argocd-agent.argoproj-labs.io/ignore-sync':'true'", false },
	};
	char json[512];
	struct stage st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(cases); i++) {
		size_t r = i / ARRAY_LEN(cases), c = i % ARRAY_LEN(cases);
		bool both = rows[r].more[0] && cases[c].label[0];

		stage_begin(&st, ROLE_PRINCIPAL_OF_MANAGED, WIRE_TWO_STEPS);
		(void)snprintf(json, sizeof(json),
			       "{'metadata':{'name':'%s','namespace':'%s','uid':'u1','labels':{%s%s%s}}%s}",
			       rows[r].name, cases[c].namespace, rows[r].more, both ? "," : "", cases[c].label,
			       rows[r].rest);
		ground_put(&st.g, rows[r].kind, json);
		stage_run(&st, 100);
		if (cases[c].goes != (st.said.n > 0))
			fail_msg("%s, case %zu: '%s'", object_kind_name(rows[r].kind), c,
				 st.said.n ? buf_cstr(&st.said) : "");
		stage_end(&st);
	}
}

/* A message of an autonomous agent about a project. */
static void hear_project(struct stage *st, enum wire_type type, const char *name)
{
	struct buf json = { 0 }, bytes = { 0 };

	buf_addf(&json, "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"site\",\"uid\":\"l1\"},\"spec\":{}}", name);
	assert_int_equal(wire_event_encode(&(struct wire_event){ .type = type,
								 .target = WIRE_TO_APPPROJECT,
								 .resource_id = str_of(name),
								 .event_id = str_of(wire_type_name(type)),
								 .data = buf_view(&json) },
					   &bytes),
			 E_OK);
	CLEANUP(blob_unref_freep) struct blob *message = blob_new(buf_view(&bytes));

	session_receive(st->session, st->epoch, blob_view(message), st->g.now, /* random= */ 3);
	stage_run(st, 100);
	buf_release(&json);
	buf_release(&bytes);
}

static const char *project_at(const struct stage *st, const char *name, const char *path)
{
	return ground_at(&st->g, OBJECT_APPPROJECT, "argocd", name, path);
}

/* Its projects begin with its name and a dash, and so may those of people and of an agent whose name continues its own. */
static void an_autonomous_agent_takes_no_project_of_others(void **state)
{
	static const char *const theirs[] = {
		"{'metadata':{'name':'a1-x','namespace':'argocd','uid':'u1'},'spec':{'description':'theirs'}}",
		"{'metadata':{'name':'a1-b-x','namespace':'argocd','uid':'u2','annotations':{"
		"'argocd.argoproj.io/source-uid':'l2'}},'spec':{'description':'theirs','sourceNamespaces':['a1-b']}}",
	};
	static const enum wire_type types[] = { WIRE_CREATE, WIRE_SPEC_UPDATE, WIRE_DELETE };
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		ground_put(&st.g, OBJECT_APPPROJECT, theirs[i]);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		hear_project(&st, types[i], "x");
		hear_project(&st, types[i], "b-x");
	}
	assert_string_equal(project_at(&st, "a1-x", "spec.description"), "\"theirs\"");
	assert_string_equal(project_at(&st, "a1-b-x", "spec.description"), "\"theirs\"");
	hear_project(&st, WIRE_CREATE, "y"); /* one of its own, which comes */
	assert_string_equal(project_at(&st, "a1-y", "metadata.name"), "\"a1-y\"");
	stage_end(&st);
}

/* A person asks for an operation of a copy: its agent hears of it and no other. */
static void what_is_asked_of_a_copy_goes_to_its_agent_alone(void **state)
{
	static const struct {
		const char *namespace;
		bool goes;
	} rows[] = { { "a1", true }, { "a2", false }, { "argocd", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char json[256];
		struct stage st;

		(void)snprintf(json, sizeof(json),
			       "{'metadata':{'name':'web','namespace':'%s','uid':'u1','annotations':{"
			       "'argocd.argoproj.io/source-uid':'l1'}},'spec':{},'operation':{'sync':{}}}",
			       rows[i].namespace);
		stage_begin(&st, ROLE_PRINCIPAL_OF_AUTONOMOUS, WIRE_TWO_STEPS);
		stage_put(&st, json);
		stage_run(&st, 100);
		if (rows[i].goes != (st.said.n && strstr(buf_cstr(&st.said), "set-operation")))
			fail_msg("%s: '%s'", rows[i].namespace, st.said.n ? buf_cstr(&st.said) : "");
		stage_end(&st);
	}
}

/* What --allowed-namespaces leaves out is neither written nor told of, whatever the principal says. */
static void an_agent_keeps_to_the_namespaces_it_was_given(void **state)
{
	struct patterns *teams;
	struct stage st;
	struct why why;

	(void)state;
	assert_int_equal(patterns_new((struct str)STR("team-*"), &why, &teams), E_OK);
	stage_begin(&st, ROLE_MANAGED_AGENT, WIRE_TWO_STEPS);
	st.site.by_destination = true;
	st.site.allowed = teams;
	stage_hear(&st, WIRE_CREATE, "web_u1", "1",
		   "{'metadata':{'name':'web','namespace':'system','uid':'u1'},'spec':{}}");
	stage_run(&st, 100);
	assert_non_null(strstr(buf_cstr(&st.said), "rejected web_u1_1"));
	assert_string_equal(stage_at(&st, "system", "web", "metadata.name"), "");
	assert_string_equal(stage_at(&st, "site", "web", "metadata.name"), "");
	buf_clear(&st.said);
	stage_put(&st, "{'metadata':{'name':'own','namespace':'system','uid':'l9','annotations':{"
		       "'argocd.argoproj.io/source-uid':'u9'}},'spec':{},'status':{'ran':'1'}}");
	stage_expect(&st, "");
	stage_hear(&st, WIRE_CREATE, "web_u2", "2",
		   "{'metadata':{'name':'web','namespace':'team-a','uid':'u2'},'spec':{}}");
	stage_run(&st, 100);
	assert_string_equal(stage_at(&st, "team-a", "web", "metadata.name"), "\"web\"");
	st.site.allowed = st.everywhere;
	stage_end(&st);
	patterns_free(teams);
}

#define ASKED(uid, name, more)                                                                                         \
	"{'metadata':{" name "'namespace':'a1','uid':'p1','annotations':{'argocd.argoproj.io/source-uid':'" uid "'}}," \
	"'spec':{'forged':'yes'}" more "}"

/* That, and nothing else of what stands in the message. */
static void what_people_ask_of_the_principals_copy_is_done_at_its_agent(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_AUTONOMOUS_AGENT, WIRE_TWO_STEPS);
	stage_put(&st, "{'metadata':{'name':'web','namespace':'site','uid':'l1'},'spec':{},"
		       "'status':{'operationState':{'phase':'Running','startedAt':'t1'}}}");
	stage_hear(&st, WIRE_SET_OPERATION, "web_p1", "1.set-operation",
		   ASKED("l1", "'name':'web',", ",'operation':{'number':7}"));
	stage_run(&st, 100);
	assert_string_equal(stage_at(&st, "site", "web", "operation.number"), "7");
	stage_hear(&st, WIRE_TERMINATE_OPERATION, "web_p1", "2.terminate-operation", ASKED("l1", "'name':'web',", ""));
	stage_run(&st, 100);
	assert_string_equal(stage_at(&st, "site", "web", "status.operationState.phase"), "\"Terminating\"");
	assert_string_equal(stage_at(&st, "site", "web", "spec.forged"), "");
	stage_end(&st);
}

static void what_is_asked_of_another_object_or_of_none_is_rejected(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, ROLE_AUTONOMOUS_AGENT, WIRE_TWO_STEPS);
	stage_put(&st, "{'metadata':{'name':'web','namespace':'site','uid':'l1'},'spec':{}}");
	stage_run(&st, 100);
	buf_clear(&st.said);
	stage_hear(&st, WIRE_SET_OPERATION, "web_p1", "1.set-operation",
		   ASKED("l2", "'name':'web',", ",'operation':{'number':7}"));
	stage_expect_among(&st, "rejected web_p1_1.set-operation");
	stage_hear(&st, WIRE_SET_OPERATION, "web_p1", "2.set-operation", ASKED("l1", "", ",'operation':{'number':7}"));
	stage_expect_among(&st, "rejected web_p1_2.set-operation");
	assert_string_equal(stage_at(&st, "site", "web", "operation.number"), "");
	stage_end(&st);
}

/* Who holds the truth is asked whether a copy is right; who holds the copies, what it has. */
static void each_end_answers_its_own_questions(void **state)
{
	static const struct {
		enum wire_type type;
		const char *json;
		bool of_truth;
	} rows[] = {
		{ WIRE_SYNCED_LIST_REQUEST, "{}", true },
		{ WIRE_REQUEST_UPDATE, "{\"kind\":\"Application\",\"namespace\":\"argocd\",\"name\":\"web\"}", true },
		{ WIRE_SYNCED_RESOURCE, "{\"kind\":\"Application\",\"namespace\":\"argocd\",\"name\":\"web\"}", false },
		{ WIRE_RESOURCE_RESYNC, "{}", false },
	};
	static const struct {
		enum role_end end;
		bool has_truth;
	} ends[] = { { ROLE_PRINCIPAL_OF_MANAGED, true },
		     { ROLE_AUTONOMOUS_AGENT, true },
		     { ROLE_PRINCIPAL_OF_AUTONOMOUS, false },
		     { ROLE_MANAGED_AGENT, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(ends); i++) {
		size_t r = i % ARRAY_LEN(rows), e = i / ARRAY_LEN(rows);
		struct stage st;
		bool refused;

		stage_begin(&st, ends[e].end, WIRE_TWO_STEPS);
		stage_ask(&st, rows[r].type, "q1", rows[r].json);
		stage_run(&st, 100);
		refused = strstr(buf_cstr(&st.said), "not to be asked of this end") != NULL;
		if (refused != (rows[r].of_truth != ends[e].has_truth))
			fail_msg("end %d, %s: '%s'", ends[e].end, wire_type_name(rows[r].type), buf_cstr(&st.said));
		stage_end(&st);
	}
}

/* ---- places ---------------------------------------------------------------------------------------------------------- */

static struct str long_text(char text[static OBJECT_NAME_MAX + 1], size_t n)
{
	memset(text, 'x', n);
	return (struct str){ text, n };
}

static void begin_role(struct role *r, enum role_end end, const struct mapping_principal *principal,
		       const struct mapping_agent *site)
{
	*r = (struct role){
		.config = { .end = end, .agent = "a1", .principal_uid = "", .principal = principal, .site = site }
	};
}

static void a_name_has_one_place_and_that_is_its_agents(void **state)
{
	static const struct {
		enum role_end end;
		bool by_destination;
		enum object_kind kind;
		const char *said, *name;
		const char *place; /* NULL: none */
	} rows[] = {
		{ ROLE_PRINCIPAL_OF_MANAGED, false, OBJECT_APPLICATION, "a2", "web", "a1/web" },
		{ ROLE_PRINCIPAL_OF_MANAGED, false, OBJECT_APPLICATION, "", "web", "a1/web" },
		{ ROLE_PRINCIPAL_OF_MANAGED, true, OBJECT_APPLICATION, "argocd", "web", "argocd/web" },
		{ ROLE_PRINCIPAL_OF_MANAGED, false, OBJECT_APPPROJECT, "a2", "p", "argocd/p" },
		{ ROLE_PRINCIPAL_OF_MANAGED, true, OBJECT_REPOSITORY, "a2", "r", "argocd/r" },
		{ ROLE_PRINCIPAL_OF_MANAGED, false, OBJECT_APPLICATION, "a1", "", NULL },
		{ ROLE_PRINCIPAL_OF_MANAGED, false, OBJECT_KIND_COUNT, "a1", "web", NULL },
		{ ROLE_PRINCIPAL_OF_AUTONOMOUS, false, OBJECT_APPLICATION, "a2", "web", "a1/web" },
		{ ROLE_PRINCIPAL_OF_AUTONOMOUS, false, OBJECT_APPPROJECT, "a2", "p", "argocd/a1-p" },
		{ ROLE_PRINCIPAL_OF_AUTONOMOUS, false, OBJECT_REPOSITORY, "a1", "r", NULL },
		{ ROLE_MANAGED_AGENT, false, OBJECT_APPLICATION, "elsewhere", "web", "site/web" },
		{ ROLE_MANAGED_AGENT, true, OBJECT_APPLICATION, "elsewhere", "web", NULL },
		{ ROLE_MANAGED_AGENT, true, OBJECT_APPLICATION, "argocd", "web", "site/web" },
		{ ROLE_AUTONOMOUS_AGENT, false, OBJECT_APPLICATION, "elsewhere", "web", "site/web" },
		{ ROLE_AUTONOMOUS_AGENT, false, OBJECT_APPPROJECT, "argocd", "a1-p", "site/p" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct mapping_principal principal = { .namespace = "argocd",
							     .by_destination = rows[i].by_destination };
		const struct mapping_agent site = { .namespace = "site",
						    .principal_namespace = "argocd",
						    .by_destination = rows[i].by_destination };
		struct replica_place place;
		char text[128] = "nowhere";
		struct role r;

		begin_role(&r, rows[i].end, &principal, &site);
		if (role_place_of(&r, rows[i].kind, str_of(rows[i].said), str_of(rows[i].name), (struct str){ 0 },
				  &place))
			(void)snprintf(text, sizeof(text), "%s/%s", place.namespace, place.name);
		if (strcmp(text, rows[i].place ? rows[i].place : "nowhere") != 0)
			fail_msg("row %zu: %s", i, text);
	}
}

static void what_is_too_long_has_no_place(void **state)
{
	static const enum role_end ends[] = { ROLE_PRINCIPAL_OF_MANAGED, ROLE_PRINCIPAL_OF_AUTONOMOUS,
					      ROLE_MANAGED_AGENT, ROLE_AUTONOMOUS_AGENT };
	const struct mapping_principal principal = { .namespace = "argocd", .by_destination = true };
	const struct mapping_agent site = { .namespace = "site", .principal_namespace = "argocd" };
	char text[OBJECT_NAME_MAX + 1];
	struct replica_place place;
	struct role r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		begin_role(&r, ends[i], &principal, &site);
		assert_true(role_place_of(&r, OBJECT_APPLICATION, str_of("argocd"), long_text(text, OBJECT_NAME_MAX),
					  (struct str){ 0 }, &place));
		assert_int_equal(strlen(place.name), OBJECT_NAME_MAX);
		assert_false(role_place_of(&r, OBJECT_APPLICATION, str_of("argocd"),
					   long_text(text, OBJECT_NAME_MAX + 1), (struct str){ 0 }, &place));
		assert_false(role_place_of(&r, OBJECT_APPLICATION, long_text(text, OBJECT_NAME_MAX + 1), str_of("web"),
					   (struct str){ 0 }, &place));
	}
	/* With the agent's prefix it is too long. */
	begin_role(&r, ROLE_PRINCIPAL_OF_AUTONOMOUS, &principal, &site);
	assert_true(role_place_of(&r, OBJECT_APPPROJECT, str_of("argocd"), long_text(text, OBJECT_NAME_MAX - 3),
				  (struct str){ 0 }, &place));
	assert_false(role_place_of(&r, OBJECT_APPPROJECT, str_of("argocd"), long_text(text, OBJECT_NAME_MAX - 2),
				   (struct str){ 0 }, &place));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_writes_into_no_application_of_another),
		cmocka_unit_test(an_agent_writes_into_its_own_application),
		cmocka_unit_test(only_what_lies_with_the_principal_is_sent),
		cmocka_unit_test(an_autonomous_agent_takes_no_project_of_others),
		cmocka_unit_test(what_is_asked_of_a_copy_goes_to_its_agent_alone),
		cmocka_unit_test(an_agent_keeps_to_the_namespaces_it_was_given),
		cmocka_unit_test(what_people_ask_of_the_principals_copy_is_done_at_its_agent),
		cmocka_unit_test(what_is_asked_of_another_object_or_of_none_is_rejected),
		cmocka_unit_test(each_end_answers_its_own_questions),
		cmocka_unit_test(a_name_has_one_place_and_that_is_its_agents),
		cmocka_unit_test(what_is_too_long_has_no_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
