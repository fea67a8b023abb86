#include "sync/project.h"

#include <string.h>

#include "base/mem.h"
#include "trees.h"

#define SPEC(destinations, namespaces) \
	"{'metadata':{'name':'p'},'spec':{'destinations':[" destinations "],'sourceNamespaces':[" namespaces "]}}"

static const struct row {
	const char *project;
	bool by_destination;
	enum mapping_reason reason; /* for agent site-1 */
} rows[] = {
	/* Facts 4.4: a glob on the name; with sourceNamespaces when mapped by namespace. */
	{ SPEC("{'name':'site-1'}", "'site-1'"), false, MAPPING_OK },
	{ SPEC("{'name':'site-*'}", "'*'"), false, MAPPING_OK },
	{ SPEC("{'name':'{a,site}-[0-9]'}", "'site-?'"), false, MAPPING_OK },
	{ SPEC("{'name':'site-*'}", "'/^site-[0-9]+$/'"), false, MAPPING_OK },
	{ SPEC("{'name':'site-*'}", "'/^x/'"), false, MAPPING_NOT_MATCHED },
	{ SPEC("{'name':'site-*'}", "'/(/'"), false, MAPPING_NOT_MATCHED },
	{ SPEC("{'name':'site-*'}", "'/site-1'"), false, MAPPING_NOT_MATCHED },
	{ SPEC("{'name':'site-*'}", "'site-1/'"), false, MAPPING_NOT_MATCHED },
	{ SPEC("{'name':'site-*'}", "'other','site-1'"), false, MAPPING_OK },
	{ SPEC("{'name':'site-*'}", "'other'"), false, MAPPING_NOT_MATCHED },
	{ SPEC("{'name':'site-*'}", ""), false, MAPPING_NOT_MATCHED },
	{ SPEC("{'name':'site-*'}", ""), true, MAPPING_OK }, /* 8.4 #38 */
	{ SPEC("{'name':'other'}", "'*'"), false, MAPPING_NOT_MATCHED },
	{ SPEC("", "'*'"), false, MAPPING_NOT_MATCHED },
	/* Without a name: server "*", or the agent's name in its query. */
	{ SPEC("{'server':'*'}", ""), true, MAPPING_OK },
	{ SPEC("{'name':'','server':'*'}", ""), true, MAPPING_OK },
	{ SPEC("{'name':'other','server':'*'}", ""), true, MAPPING_NOT_MATCHED },
	{ SPEC("{'server':'https://proxy:9090?agentName=site-1'}", ""), true, MAPPING_OK },
	{ SPEC("{'server':'https://proxy:9090?x=y&agentName=site-*'}", ""), true, MAPPING_OK },
	{ SPEC("{'server':'https://proxy:9090?agentName=site%2d1#f'}", ""), true, MAPPING_OK },
	{ SPEC("{'server':'https://proxy:9090?agentName=site%2D%31'}", ""), true, MAPPING_OK },
	{ SPEC("{'server':'https://proxy:9090?agentName=site-%3'}", ""), true, MAPPING_NOT_MATCHED },
	{ SPEC("{'server':'https://proxy:9090?agentName=site-%3g'}", ""), true, MAPPING_NOT_MATCHED },
	{ SPEC("{'server':'https://proxy:9090?agentName=site-%g1'}", ""), true, MAPPING_NOT_MATCHED },
	{ SPEC("{'server':'https://proxy:9090?agentName=site-2'}", ""), true, MAPPING_NOT_MATCHED },
	{ SPEC("{'server':'https://proxy:9090#?agentName=site-1'}", ""), true, MAPPING_NOT_MATCHED },
	{ SPEC("{'server':'https://kubernetes.default.svc'}", ""), true, MAPPING_NOT_MATCHED },
	{ SPEC("{}", ""), true, MAPPING_NOT_MATCHED },
	{ SPEC("7,null,{'name':3}", ""), true, MAPPING_NOT_MATCHED },
	/* "!pattern" denies, wherever it stands. */
	{ SPEC("{'name':'*'},{'name':'!site-1'}", ""), true, MAPPING_DENIED },
	{ SPEC("{'name':'!site-{1,2}'},{'name':'*'}", ""), true, MAPPING_DENIED },
	{ SPEC("{'name':'*'},{'name':'!site-2'}", ""), true, MAPPING_OK },
	{ SPEC("{'name':'!site-2'}", ""), true, MAPPING_NOT_MATCHED },
	{ SPEC("{'name':'*'},{'server':'!https://proxy?agentName=site-1'}", ""), true, MAPPING_DENIED },
	{ SPEC("{'name':'*'},{'server':'!*'}", ""), true, MAPPING_DENIED },
	/* Facts 2.9: not what is a copy itself, not what is to be skipped (8.4 #112). */
	{ "{'metadata':{'name':'p','annotations':{'argocd.argoproj.io/"
	  "source-uid':'u'}},'spec':{'destinations':[{'name':'*'}]}}",
	  true, MAPPING_REPLICA },
	{ "{'metadata':{'name':'p','labels':{'argocd-agent.argoproj-labs.io/ignore-sync':'true'}},"
	  "'spec':{'destinations':[{'name':'*'}]}}",
	  true, MAPPING_SKIPPED },
	{ "{'metadata':{'name':'p'}}", true, MAPPING_NOT_MATCHED },
};

static enum mapping_reason reason_of(json_object *project, bool by_destination)
{
	enum mapping_reason reason;

	assert_int_equal(project_reaches(project, "site-1", by_destination, &reason), E_OK);
	return reason;
}

static void a_project_goes_where_its_destinations_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_object *project = tree_of(rows[i].project);

		if (reason_of(project, rows[i].by_destination) != rows[i].reason)
			fail_msg("row %zu: %s", i, rows[i].project);
		json_object_put(project);
	}
}

static void a_server_with_a_glob_that_is_too_long_names_nobody(void **state)
{
	char server[1024] = "https://x?agentName=";
	json_object *project = tree_of(SPEC("{'server':''}", "")), *destination;

	(void)state;
	memset(server + strlen(server), '*', 513);
	destination = json_object_array_get_idx(tree_get(project, "spec", "destinations", NULL), 0);
	json_object_object_add(destination, "server", json_object_new_string(server));
	assert_int_equal(reason_of(project, true), MAPPING_NOT_MATCHED);
	server[strlen(server) - 1] = '\0';
	json_object_object_add(destination, "server", json_object_new_string(server));
	assert_int_equal(reason_of(project, true), MAPPING_OK);
	json_object_put(project);
}

/* Facts 4.4 (appproject.go:476-572), 8.4 #16, #19. */
static void a_managed_agent_gets_what_names_it_as_its_own_cluster(void **state)
{
	static const char original[] =
		"{'metadata':{'name':'p','uid':'u'},'spec':{'description':'d','roles':[{'name':'r'}],'sourceRepos':['*'"
		"],"
		"'sourceNamespaces':['site-1'],'destinations':[{'name':'site-*','server':'x','namespace':'web'},"
		"{'name':'other','namespace':'no'},{'name':'!site-2'},{'server':'*','namespace':'*'}]}}";
	json_object *project = tree_of(original), *copy = NULL;

	(void)state;
	assert_int_equal(project_for_agent(project, "site-1", /* by_destination= */ false, &copy), E_OK);
	expect_tree(copy,
		    "{'metadata':{'name':'p','uid':'u'},'spec':{'description':'d','sourceRepos':['*'],'destinations':["
		    "{'name':'in-cluster','server':'https://kubernetes.default.svc','namespace':'web'},"
		    "{'name':'in-cluster','server':'https://kubernetes.default.svc','namespace':'*'}]}}");
	json_object_put(copy);
	assert_int_equal(project_for_agent(project, "site-1", /* by_destination= */ true, &copy), E_OK);
	assert_string_equal(at(copy, "spec.sourceNamespaces"), "[\"site-1\"]");
	json_object_put(copy);
	expect_tree(project, original);
	json_object_put(project);
}

/* Facts 4.4 "AppProject from autonomous", 8.4 #17, #18, #20, #108, #109. */
static void the_principals_copy_of_an_agents_project_speaks_of_that_agent_alone(void **state)
{
	static const char original[] =
		"{'metadata':{'name':'prod','namespace':'here','uid':'u','ownerReferences':[{'uid':'o'}]},'spec':{"
		"'sourceNamespaces':['*'],'destinations':[{'name':'in-cluster','server':'s','namespace':'web'},{'"
		"server':'*'}],"
		"'roles':[{'name':'dev','groups':['g'],'policies':['p, proj:prod:dev, applications, get, prod/*, "
		"allow','odd',7]},"
		"{'name':'none'}]}}";
	json_object *project = tree_of(original), *copy = NULL;

	(void)state;
	assert_int_equal(project_from_agent(project, "site", "argocd", NULL, &copy), E_OK);
	expect_tree(copy,
		    "{'metadata':{'name':'site-prod','namespace':'argocd','uid':'u'},'spec':{"
		    "'sourceNamespaces':['site'],'destinations':[{'name':'site','server':'*','namespace':'web'},"
		    "{'name':'site','server':'*'}],'roles':[{'name':'dev','groups':['g'],'policies':["
		    "'p, proj:site-prod:dev, applications, get, site-prod/site/*, allow','odd',7]},{'name':'none'}]}}");
	json_object_put(copy);
	expect_tree(project, original);
	json_object_put(project);
}

static void a_project_without_anything_in_it_is_copied_as_well(void **state)
{
	json_object *project = tree_of("{'metadata':{'name':'prod'}}"), *copy = NULL;
	char name[260];

	(void)state;
	assert_int_equal(project_from_agent(project, "site", "argocd", NULL, &copy), E_OK);
	expect_tree(copy, "{'metadata':{'name':'site-prod','namespace':'argocd'},'spec':{'sourceNamespaces':['site'],'"
			  "destinations':[]}}");
	json_object_put(copy);
	memset(name, 'x', 250);
	name[250] = '\0';
	assert_int_equal(tree_meta_set(project, "name", name), E_OK);
	copy = NULL;
	assert_int_equal(project_from_agent(project, "site", "argocd", NULL, &copy), E_LIMIT);
	assert_int_equal(tree_meta_set(project, "name", NULL), E_OK);
	assert_int_equal(project_from_agent(project, "site", "argocd", NULL, &copy), E_MALFORMED);
	assert_null(copy);
	json_object_put(project);
}

/* Issue 3: another agent's resources are out of reach. Agent "a" with project "b-p" and agent "a-b" with project "p" meet in one name. */
static void two_agents_whose_prefixed_names_meet_do_not_get_each_others_copy(void **state)
{
	static const struct {
		const char *project, *agent;
		bool own;
	} copies[] = {
		{ "{'metadata':{'name':'a-b-p','annotations':{'argocd.argoproj.io/"
		  "source-uid':'u'}},'spec':{'sourceNamespaces':['a']}}",
		  "a", true },
		{ "{'metadata':{'name':'a-b-p','annotations':{'argocd.argoproj.io/"
		  "source-uid':'u'}},'spec':{'sourceNamespaces':['a']}}",
		  "a-b", false },
		{ "{'metadata':{'name':'a-b-p','annotations':{'argocd.argoproj.io/"
		  "source-uid':'u'}},'spec':{'sourceNamespaces':['a','x']}}",
		  "a", false },
		{ "{'metadata':{'name':'a-p'},'spec':{'sourceNamespaces':['a']}}", "a", false },
		{ "{'metadata':{'name':'x-p','annotations':{'argocd.argoproj.io/"
		  "source-uid':'u'}},'spec':{'sourceNamespaces':['a']}}",
		  "a", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
		json_object *project = tree_of(copies[i].project);

		if (project_is_copy_of(project, copies[i].agent) != copies[i].own)
			fail_msg("row %zu", i);
		json_object_put(project);
	}
}

/* Facts 4.5, 8.4 #61, #66, #67, #113. "cHJvZA==" is "prod". */
static void a_repository_goes_where_its_project_goes(void **state)
{
	static const struct {
		const char *secret;
		enum mapping_reason reason;
	} secrets[] = {
		{ "{'metadata':{'labels':{'argocd.argoproj.io/"
		  "secret-type':'repository'}},'data':{'project':'cHJvZA=='}}",
		  MAPPING_OK },
		{ "{'metadata':{'labels':{'argocd.argoproj.io/"
		  "secret-type':'repo-creds'}},'data':{'project':'cHJvZA=='}}",
		  MAPPING_OK },
		{ "{'metadata':{'labels':{'argocd.argoproj.io/"
		  "secret-type':'repository'}},'stringData':{'project':'prod'}}",
		  MAPPING_OK },
		{ "{'metadata':{'labels':{'argocd.argoproj.io/secret-type':'repository'}},'data':{'project':''}}",
		  MAPPING_NO_PROJECT },
		{ "{'metadata':{'labels':{'argocd.argoproj.io/secret-type':'repository'}},'data':{}}",
		  MAPPING_NO_PROJECT },
		{ "{'metadata':{'labels':{'argocd.argoproj.io/secret-type':'repository'}},'data':{'project':'?'}}",
		  MAPPING_NO_PROJECT },
		{ "{'metadata':{'labels':{'argocd.argoproj.io/secret-type':'repository'}},'stringData':{'project':'a/"
		  "b'}}",
		  MAPPING_NO_PROJECT },
		{ "{'metadata':{'labels':{'argocd.argoproj.io/secret-type':'cluster'}},'data':{'project':'cHJvZA=='}}",
		  MAPPING_NO_SYNC_KIND },
		{ "{'metadata':{},'data':{'project':'cHJvZA=='}}", MAPPING_NO_SYNC_KIND },
		{ "{'metadata':{'labels':{'argocd.argoproj.io/secret-type':'repository',"
		  "'argocd-agent.argoproj-labs.io/ignore-sync':'true'}},'data':{'project':'cHJvZA=='}}",
		  MAPPING_SKIPPED },
		{ "{'metadata':{'labels':{'argocd.argoproj.io/secret-type':'repository'},"
		  "'annotations':{'argocd.argoproj.io/source-uid':'u'}},'data':{'project':'cHJvZA=='}}",
		  MAPPING_REPLICA },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		json_object *secret = tree_of(secrets[i].secret);
		char name[OBJECT_NAME_MAX + 1] = "";
		enum mapping_reason reason;

		assert_int_equal(project_of_repository(secret, name, &reason), E_OK);
		if (reason != secrets[i].reason)
			fail_msg("row %zu", i);
		assert_string_equal(name, secrets[i].reason == MAPPING_OK ? "prod" : "");
		json_object_put(secret);
	}
}

/* For want of memory nothing is taken from an agent: that it goes nowhere is said only of what was read. */
static void without_memory_nobody_says_where_it_goes(void **state)
{
	json_object *project = tree_of(SPEC("{'name':'site-1'}", "'a','/^site-[0-9]+$/'"));
	json_object *secret = tree_of("{'metadata':{'labels':{'argocd.argoproj.io/secret-type':'repository'}},"
				      "'data':{'project':'cHJvZA=='}}");
	char name[OBJECT_NAME_MAX + 1] = "";
	long n = 0, count;

	(void)state;
	do {
		enum mapping_reason reaches = MAPPING_NOT_MATCHED, follows = MAPPING_NO_PROJECT;
		enum err err;

		mem_fail_at(++n);
		err = project_reaches(project, "site-1", false, &reaches);
		if (err != E_NOMEM)
			assert_int_equal(reaches, MAPPING_OK);
		count = mem_count();
		mem_fail_at(n);
		err = project_of_repository(secret, name, &follows);
		if (err != E_NOMEM)
			assert_int_equal(follows, MAPPING_OK);
		mem_fail_at(0);
	} while (n <= count); /* the last pass had no fault */
	assert_true(n > 3);
	json_object_put(project);
	json_object_put(secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_project_goes_where_its_destinations_say),
		cmocka_unit_test(a_server_with_a_glob_that_is_too_long_names_nobody),
		cmocka_unit_test(a_managed_agent_gets_what_names_it_as_its_own_cluster),
		cmocka_unit_test(the_principals_copy_of_an_agents_project_speaks_of_that_agent_alone),
		cmocka_unit_test(a_project_without_anything_in_it_is_copied_as_well),
		cmocka_unit_test(two_agents_whose_prefixed_names_meet_do_not_get_each_others_copy),
		cmocka_unit_test(a_repository_goes_where_its_project_goes),
		cmocka_unit_test(without_memory_nobody_says_where_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
