#include "sync/mapping.h"

#include <string.h>

#include "base/mem.h"
#include "trees.h"

/* ---- names ------------------------------------------------------------------------------------------------------ */

static void a_project_goes_to_the_principal_and_back_under_its_own_name(void **state)
{
	char name[OBJECT_NAME_MAX + 1], longest[OBJECT_NAME_MAX + 1];

	(void)state;
	assert_int_equal(mapping_prefixed("site", "prod", name, NULL), E_OK);
	assert_string_equal(name, "site-prod");
	assert_string_equal(mapping_unprefixed("site", name), "prod");
	assert_int_equal(mapping_prefixed("site", "", name, NULL), E_OK);
	assert_string_equal(name, "site-default");
	assert_null(mapping_unprefixed("site", "site"));
	assert_null(mapping_unprefixed("site", "site-"));
	assert_null(mapping_unprefixed("site", "sites-prod"));
	assert_null(mapping_unprefixed("site", "other-prod"));

	memset(longest, 'x', sizeof(longest) - 1);
	longest[OBJECT_NAME_MAX] = '\0';
	assert_int_equal(mapping_prefixed("site", longest + 5, name, NULL), E_OK);
	assert_int_equal(strlen(name), OBJECT_NAME_MAX);
	assert_int_equal(mapping_prefixed("site", longest + 4, name, NULL), E_LIMIT);
}

static void every_reason_has_words(void **state)
{
	(void)state;
	for (int i = 0; i < MAPPING_REASON_COUNT; i++)
		assert_true(mapping_reason_text((enum mapping_reason)i)[0]);
}

/* ---- the principal ---------------------------------------------------------------------------------------------- */

static struct patterns *patterns_of(const char *list)
{
	struct patterns *p = NULL;

	if (list)
		assert_int_equal(patterns_new(str_of(list), NULL, &p), E_OK);
	return p;
}

static struct selector *selector_of(const char *text)
{
	struct selector *s = NULL;

	assert_int_equal(selector_new(str_of(text), NULL, &s), E_OK);
	return s;
}

static const struct owner_row {
	bool by_destination;
	const char *allowed; /* --allowed-namespaces */
	const char *selector;
	const char *app;
	enum mapping_reason reason;
	const char *agent;
} owner_rows[] = {
	/* Facts 4.4, namespace-based; 4.6: nothing is admitted that is not allowed. */
	{ false, "site-*", "", "{'metadata':{'namespace':'site-1'}}", MAPPING_OK, "site-1" },
	{ false, "/^site-[0-9]+$/", "", "{'metadata':{'namespace':'site-1'}}", MAPPING_OK, "site-1" },
	{ false, "/^site-[0-9]+$/", "", "{'metadata':{'namespace':'site-x'}}", MAPPING_NAMESPACE, NULL },
	{ false, "other,site-1", "", "{'metadata':{'namespace':'site-1'}}", MAPPING_OK, "site-1" },
	{ false, "other", "", "{'metadata':{'namespace':'site-1'}}", MAPPING_NAMESPACE, NULL },
	{ false, NULL, "", "{'metadata':{'namespace':'site-1'}}", MAPPING_NAMESPACE, NULL },
	{ false, "*", "", "{'metadata':{'namespace':'argocd'}}", MAPPING_OWN_NAMESPACE, NULL },
	{ false, "*", "", "{'metadata':{'namespace':'Bad_Name'}}", MAPPING_BAD_AGENT, NULL },
	{ false, "*", "", "{'metadata':{}}", MAPPING_BAD_AGENT, NULL },
	{ false, "*", "", "{'metadata':{'namespace':'site-1'},'spec':{'destination':{'name':'other'}}}", MAPPING_OK,
	  "site-1" },
	/* Facts 4.4, destination-based; 8.4 #37: any allowed namespace, and the principal's own. */
	{ true, NULL, "", "{'metadata':{'namespace':'argocd'},'spec':{'destination':{'name':'site-1'}}}", MAPPING_OK,
	  "site-1" },
	{ true, "team", "", "{'metadata':{'namespace':'team'},'spec':{'destination':{'name':'site-1'}}}", MAPPING_OK,
	  "site-1" },
	{ true, NULL, "", "{'metadata':{'namespace':'team'},'spec':{'destination':{'name':'site-1'}}}",
	  MAPPING_NAMESPACE, NULL },
	{ true, "*", "", "{'metadata':{'namespace':'team'},'spec':{'destination':{'server':'x'}}}",
	  MAPPING_NO_DESTINATION, NULL },
	{ true, "*", "", "{'metadata':{'namespace':'team'},'spec':{}}", MAPPING_NO_DESTINATION, NULL },
	{ true, "*", "", "{'metadata':{'namespace':'team'},'spec':{'destination':{'name':7}}}", MAPPING_NO_DESTINATION,
	  NULL },
	{ true, "*", "", "{'metadata':{'namespace':'team'},'spec':{'destination':{'name':'in-cluster'}}}",
	  MAPPING_IN_CLUSTER, NULL },
	{ true, "*", "", "{'metadata':{'namespace':'team'},'spec':{'destination':{'name':'https://x'}}}",
	  MAPPING_BAD_AGENT, NULL },
	{ true, "*", "", "{'metadata':{'namespace':'team'},'spec':{'destination':{'name':'argocd'}}}",
	  MAPPING_BAD_AGENT, NULL },
	/* Facts 8.4 #110, #111, #114. */
	{ false, "*", "",
	  "{'metadata':{'namespace':'s','labels':{'argocd-agent.argoproj-labs.io/ignore-sync':'true'}}}",
	  MAPPING_SKIPPED, NULL },
	{ false, "*", "",
	  "{'metadata':{'namespace':'s','labels':{'argocd-agent.argoproj-labs.io/ignore-sync':'false'}}}", MAPPING_OK,
	  "s" },
	{ true, "*", "",
	  "{'metadata':{'namespace':'s','labels':{'argocd-agent.argoproj-labs.io/ignore-sync':'true'}},"
	  "'spec':{'destination':{'name':'site-1'}}}",
	  MAPPING_SKIPPED, NULL },
	/* Facts 4.6: --label-selector. */
	{ false, "*", "team=a", "{'metadata':{'namespace':'s','labels':{'team':'a'}}}", MAPPING_OK, "s" },
	{ false, "*", "team=a", "{'metadata':{'namespace':'s'}}", MAPPING_SELECTOR, NULL },
};

static void each_application_has_one_owner_or_a_reason_why_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(owner_rows); i++) {
		const struct owner_row *r = &owner_rows[i];
		CLEANUP(patterns_freep) struct patterns *allowed = patterns_of(r->allowed);
		CLEANUP(selector_freep) struct selector *selector = selector_of(r->selector);
		struct mapping_principal m = { r->by_destination, "argocd", allowed, selector };
		json_object *app = tree_of(r->app);
		const char *agent = NULL;

		if (mapping_owner(&m, app, &agent) != r->reason)
			fail_msg("row %zu: %s", i, mapping_reason_text(mapping_owner(&m, app, &agent)));
		if (r->agent)
			assert_string_equal(agent, r->agent);
		else
			assert_null(agent);
		json_object_put(app);
	}
}

/* Facts 4.4: "status updates go back to namespace = agent name"; destination-based: where it was, remapped ones to the principal's. */
static void a_report_is_kept_where_the_principal_has_the_object(void **state)
{
	struct mapping_principal m = { .namespace = "argocd" };
	const char *ns;

	(void)state;
	assert_int_equal(mapping_reported(&m, "site", "anything", false, &ns, NULL), E_OK);
	assert_string_equal(ns, "site");
	assert_int_equal(mapping_reported(&m, "site", "", true, &ns, NULL), E_OK);
	assert_string_equal(ns, "site");
	m.by_destination = true;
	assert_int_equal(mapping_reported(&m, "site", "team", false, &ns, NULL), E_OK);
	assert_string_equal(ns, "team");
	assert_int_equal(mapping_reported(&m, "site", "agent-ns", true, &ns, NULL), E_OK);
	assert_string_equal(ns, "argocd");
	assert_int_equal(mapping_reported(&m, "site", "", false, &ns, NULL), E_MALFORMED);
}

/* Facts 4.4 "Autonomous (always)"; 8.4 #15, #43. */
static void an_autonomous_application_lies_in_its_agents_namespace(void **state)
{
	json_object *app = tree_of(
		"{'metadata':{'name':'a','namespace':'argocd'},'spec':{'project':'prod','destination':"
		"{'server':'https://kubernetes.default.svc','namespace':'web'}},'status':{'resources':["
		"{'group':'argoproj.io','kind':'Application','namespace':'argocd','name':'child'},"
		"{'group':'apps','kind':'Deployment','namespace':'web','name':'d'},"
		"{'group':'example.org','kind':'Application','namespace':'web','name':'x'},7]}}");

	(void)state;
	assert_int_equal(mapping_from_autonomous(app, "site", NULL), E_OK);
	expect_tree(app, "{'metadata':{'name':'a','namespace':'site'},'spec':{'project':'site-prod','destination':"
			 "{'namespace':'web','name':'site'}},'status':{'resources':["
			 "{'group':'argoproj.io','kind':'Application','namespace':'site','name':'child'},"
			 "{'group':'apps','kind':'Deployment','namespace':'web','name':'d'},"
			 "{'group':'example.org','kind':'Application','namespace':'web','name':'x'},7]}}");
	json_object_put(app);
}

static void an_autonomous_application_without_much_in_it_is_mapped_as_well(void **state)
{
	json_object *app = tree_of("{'metadata':{'name':'a'},'spec':{}}");

	(void)state;
	assert_int_equal(mapping_from_autonomous(app, "site", NULL), E_OK);
	expect_tree(app, "{'metadata':{'name':'a','namespace':'site'},'spec':{'project':'site-default','destination':{'"
			 "name':'site'}}}");
	json_object_put(app);
	app = tree_of("{'metadata':{'name':'a'},'spec':[1]}");
	assert_int_equal(mapping_from_autonomous(app, "site", NULL), E_MALFORMED);
	json_object_put(app);
}

/* ---- the agent -------------------------------------------------------------------------------------------------- */

static const struct place_row {
	bool by_destination;
	enum object_kind kind;
	const char *principal_namespace;
	const char *incoming;
	enum err err;
	const char *namespace;
	bool remapped;
} place_rows[] = {
	/* Facts 4.4: by namespace everything lies in the agent's own. */
	{ false, OBJECT_APPLICATION, "argocd", "site", E_OK, "agent", false },
	{ false, OBJECT_APPLICATION, "", "", E_OK, "agent", false },
	/* By destination: the original namespace, the principal's becomes the agent's and is marked. */
	{ true, OBJECT_APPLICATION, "argocd", "team-a", E_OK, "team-a", false },
	{ true, OBJECT_APPLICATION, "argocd", "agent", E_OK, "agent", false },
	{ true, OBJECT_APPLICATION, "argocd", "argocd", E_OK, "agent", true },
	{ true, OBJECT_APPLICATION, "agent", "agent", E_OK, "agent", false },
	{ true, OBJECT_APPLICATION, "argocd", "kube-system", E_FORBIDDEN, NULL, false },
	{ true, OBJECT_APPLICATION, "argocd", "", E_MALFORMED, NULL, false },
	{ true, OBJECT_APPLICATION, "", "team-a", E_CONFIG, NULL, false },
	{ true, OBJECT_APPLICATION, NULL, "team-a", E_CONFIG, NULL, false },
	/* Facts 8.3: kinds other than Application use the local namespace. */
	{ true, OBJECT_APPPROJECT, "argocd", "argocd", E_OK, "agent", false },
	{ true, OBJECT_REPOSITORY, "argocd", "argocd", E_OK, "agent", false },
	{ true, OBJECT_GPGKEY, "", "argocd", E_OK, "agent", false },
};

static void what_comes_to_an_agent_has_its_place_there(void **state)
{
	CLEANUP(patterns_freep) struct patterns *allowed = patterns_of("team-*");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(place_rows); i++) {
		const struct place_row *r = &place_rows[i];
		struct mapping_agent m = { .by_destination = r->by_destination,
					   .namespace = "agent",
					   .principal_namespace = r->principal_namespace,
					   .allowed = allowed };
		struct mapping_place place = { 0 };
		struct why why = { 0 };

		if (mapping_place(&m, r->kind, r->incoming, &place, &why) != r->err)
			fail_msg("row %zu: %s", i, why.text);
		assert_int_equal(why.text[0] != '\0', r->err != E_OK);
		if (r->namespace)
			assert_string_equal(place.namespace, r->namespace);
		assert_int_equal(place.remapped, r->remapped);
	}
}

/* The namespace under which it came is the one under which it is reported. */
static void to_the_agent_and_back_is_where_it_came_from(void **state)
{
	static const char *const incoming[] = { "argocd", "team-a", "agent" };
	CLEANUP(patterns_freep) struct patterns *allowed = patterns_of("*");
	struct mapping_agent m = {
		.by_destination = true, .namespace = "agent", .principal_namespace = "argocd", .allowed = allowed
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(incoming); i++) {
		json_object *local = tree_of("{'metadata':{'name':'a'}}");
		struct mapping_place place;
		const char *back;

		assert_int_equal(mapping_place(&m, OBJECT_APPLICATION, incoming[i], &place, NULL), E_OK);
		assert_int_equal(tree_meta_set(local, "namespace", place.namespace), E_OK);
		if (place.remapped)
			assert_int_equal(tree_mark_set(local, "annotations", MARK_REMAPPED, "true"), E_OK);
		assert_int_equal(mapping_reported_as(&m, OBJECT_APPLICATION, local, &back, NULL), E_OK);
		assert_string_equal(back, incoming[i]);
		json_object_put(local);
	}
}

static void a_remapped_application_cannot_be_reported_to_a_principal_without_a_namespace(void **state)
{
	struct mapping_agent m = { .by_destination = true, .namespace = "agent" };
	json_object *local = tree_of(
		"{'metadata':{'namespace':'agent','annotations':{'argocd.argoproj.io/namespace-remapped':'true'}}}");
	const char *ns;

	(void)state;
	assert_int_equal(mapping_reported_as(&m, OBJECT_APPLICATION, local, &ns, NULL), E_CONFIG);
	assert_int_equal(mapping_reported_as(&m, OBJECT_APPPROJECT, local, &ns, NULL), E_OK);
	assert_string_equal(ns, "agent");
	json_object_put(local);
}

/* Facts 4.6, agent/filters.go. */
static void an_agent_looks_at_its_own_and_allowed_namespaces(void **state)
{
	static const struct {
		enum object_kind kind;
		bool ignore_unmanaged;
		const char *local;
		enum mapping_reason reason;
	} rows[] = {
		{ OBJECT_APPLICATION, false, "{'metadata':{'namespace':'agent','labels':{'t':'1'}}}", MAPPING_OK },
		{ OBJECT_APPLICATION, false, "{'metadata':{'namespace':'team-a','labels':{'t':'1'}}}", MAPPING_OK },
		{ OBJECT_APPLICATION, false, "{'metadata':{'namespace':'web','labels':{'t':'1'}}}", MAPPING_NAMESPACE },
		{ OBJECT_APPLICATION, false, "{'metadata':{'namespace':'agent'}}", MAPPING_SELECTOR },
		{ OBJECT_APPLICATION, true, "{'metadata':{'namespace':'agent','labels':{'t':'1'}}}",
		  MAPPING_UNMANAGED },
		{ OBJECT_APPLICATION, true,
		  "{'metadata':{'namespace':'agent','labels':{'t':'1'},'annotations':{'argocd.argoproj.io/"
		  "source-uid':'u'}}}",
		  MAPPING_OK },
		{ OBJECT_APPLICATION, false,
		  "{'metadata':{'namespace':'agent','labels':{'t':'1','argocd-agent.argoproj-labs.io/"
		  "ignore-sync':'true'}}}",
		  MAPPING_SKIPPED },
		{ OBJECT_APPPROJECT, true, "{'metadata':{'namespace':'agent'}}", MAPPING_OK },
		{ OBJECT_APPPROJECT, true, "{'metadata':{'namespace':'team-a'}}", MAPPING_NAMESPACE },
		{ OBJECT_APPPROJECT, true,
		  "{'metadata':{'labels':{'argocd-agent.argoproj-labs.io/ignore-sync':'true'}}}",
		  MAPPING_SKIPPED }, /* 8.4 #112 */
		{ OBJECT_REPOSITORY, true,
		  "{'metadata':{'labels':{'argocd-agent.argoproj-labs.io/ignore-sync':'true'}}}",
		  MAPPING_SKIPPED }, /* 8.4 #113 */
	};
	CLEANUP(patterns_freep) struct patterns *allowed = patterns_of("team-*");
	CLEANUP(selector_freep) struct selector *selector = selector_of("t");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mapping_agent m = { .ignore_unmanaged = rows[i].ignore_unmanaged,
					   .namespace = "agent",
					   .allowed = allowed,
					   .selector = selector };
		json_object *local = tree_of(rows[i].local);
		struct object o = { .kind = rows[i].kind,
				    .namespace = tree_meta(local, "namespace"),
				    .source_uid = tree_mark(local, "annotations", MARK_SOURCE_UID) };

		if (mapping_admits(&m, &o, tree_get(local, "metadata", "labels", NULL)) != rows[i].reason)
			fail_msg("row %zu", i);
		json_object_put(local);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_project_goes_to_the_principal_and_back_under_its_own_name),
		cmocka_unit_test(every_reason_has_words),
		cmocka_unit_test(each_application_has_one_owner_or_a_reason_why_not),
		cmocka_unit_test(a_report_is_kept_where_the_principal_has_the_object),
		cmocka_unit_test(an_autonomous_application_lies_in_its_agents_namespace),
		cmocka_unit_test(an_autonomous_application_without_much_in_it_is_mapped_as_well),
		cmocka_unit_test(what_comes_to_an_agent_has_its_place_there),
		cmocka_unit_test(to_the_agent_and_back_is_where_it_came_from),
		cmocka_unit_test(a_remapped_application_cannot_be_reported_to_a_principal_without_a_namespace),
		cmocka_unit_test(an_agent_looks_at_its_own_and_allowed_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
