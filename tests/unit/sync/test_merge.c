#include "sync/merge.h"

#include <string.h>

#include "base/mem.h"
#include "sync/digest.h"
#include "trees.h"

#define UID       "'argocd.argoproj.io/source-uid'"
#define PRINCIPAL "'argocd.argoproj.io/principal-uid'"
#define REMAPPED  "'argocd.argoproj.io/namespace-remapped'"
#define REFRESH   "'argocd.argoproj.io/refresh'"
#define UPDATED   "'argocd-agent.argoproj.io/last-updated'"
#define APPLIED   "'kubectl.kubernetes.io/last-applied-configuration'"
#define NOTIFIED  "'notified.notifications.argoproj.io'"
#define WISHES                                                                              \
	"'argocd.argoproj.io/refresh-timestamp':'t','argocd.argoproj.io/hydrate':'normal'," \
	"'argocd.argoproj.io/hydrate-timestamp':'t'"
#define POST "'post-delete-finalizer.argocd.argoproj.io','post-delete-finalizer.argocd.argoproj.io/cleanup'"
#define PRE  "'pre-delete-finalizer.argocd.argoproj.io'"

static const struct merge_stamp agent_stamp = { .namespace = "argocd", .source_uid = "u", .principal_uid = "p" };
static const struct merge_stamp principal_stamp = { .namespace = "site", .source_uid = "u", .now = "T1" };
static const struct merge_stamp no_stamp = { 0 };

struct row {
	const char *says;
	const char *existing; /* NULL: none */
	const char *incoming;
	unsigned writes;
	const char *expected;
};

/* One merge of a row; the arguments must come out as they went in. */
typedef enum err merge_fn(json_object *existing, json_object *incoming, struct merged *ret_merged);

static void check(const struct row *r, merge_fn *merge)
{
	json_object *existing = r->existing ? tree_of(r->existing) : NULL, *incoming = tree_of(r->incoming);
	struct merged m = { 0 };

	if (merge(existing, incoming, &m) != E_OK)
		fail_msg("%s: failed", r->says);
	if (m.writes != r->writes)
		fail_msg("%s: writes %u", r->says, m.writes);
	expect_row(r->says, m.tree, r->expected);
	merged_release(&m);
	if (existing)
		expect_tree(existing, r->existing);
	expect_tree(incoming, r->incoming);
	json_object_put(existing);
	json_object_put(incoming);
}

/* ---- principal to managed agent (facts 4.5, application.go:308-392) ---------------------------------------------- */

static enum err to_managed(json_object *existing, json_object *incoming, struct merged *ret_merged)
{
	return merge_to_managed(OBJECT_APPLICATION, existing, incoming, &agent_stamp, ret_merged);
}

#define STAMPED "'annotations':{" UID ":'u'," PRINCIPAL ":'p'}"
#define HERE    "'metadata':{'name':'a','namespace':'argocd'," STAMPED "}"
#define LOCAL   "'spec':{'project':'p','destination':{'name':'in-cluster','namespace':'web'}}"
#define REMOTE  "'spec':{'project':'p','destination':{'name':'site','server':'https://x','namespace':'web'}}"

static const struct row to_managed_rows[] = {
	{ "create: without what belongs to the principal's cluster (8.4 #14)", NULL,
	  "{'apiVersion':'v','kind':'Application','metadata':{'name':'a','namespace':'site','uid':'u','resourceVersion'"
	  ":'7',"
	  "'generation':3,'creationTimestamp':'t','managedFields':[1],'ownerReferences':[{'uid':'o'}],'labels':{'l':'1'"
	  "},"
	  "'finalizers':['f'],'annotations':{'x':'y'," APPLIED ":'{}'," UPDATED ":'t'," NOTIFIED ":'n'," UID
	  ":'w'," PRINCIPAL ":'w'," REMAPPED ":'true'}}," REMOTE ",'status':{'health':{'status':'Healthy'}}}",
	  MERGE_PUT,
	  "{'apiVersion':'v','kind':'Application','metadata':{'name':'a','namespace':'argocd','labels':{'l':'1'},"
	  "'finalizers':['f'],'annotations':{'x':'y'," UID ":'u'," PRINCIPAL ":'p'}}," LOCAL "}" },
	{ "create: with its operation", NULL, "{'metadata':{'name':'a'}," REMOTE ",'operation':{'sync':{}}}",
	  MERGE_PUT | MERGE_STATUS, "{" HERE "," LOCAL ",'operation':{'sync':{}}}" },
	{ "nothing has changed", "{" HERE "," LOCAL ",'status':{'x':1}}",
	  "{'metadata':{'name':'a'}," REMOTE ",'status':{'x':2}}", 0, "{" HERE "," LOCAL ",'status':{'x':1}}" },
	{ "local identity stays",
	  "{'metadata':{'name':'a','namespace':'argocd','uid':'l','resourceVersion':'1','ownerReferences':[1]," STAMPED
	  "},'spec':{}}",
	  "{'metadata':{'name':'a','uid':'u','resourceVersion':'7'}," REMOTE "}", MERGE_PUT,
	  "{'metadata':{'name':'a','namespace':'argocd','uid':'l','resourceVersion':'1','ownerReferences':[1]," STAMPED
	  "}," LOCAL "}" },
	{ "a refresh that is asked for goes before one that is still to be done",
	  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" REFRESH ":'normal'," UID ":'u'," PRINCIPAL
	  ":'p'}}," LOCAL "}",
	  "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}," REMOTE "}", MERGE_PUT,
	  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" REFRESH ":'hard'," UID ":'u'," PRINCIPAL
	  ":'p'}}," LOCAL "}" },
	{ "a finalizer that its source lets go of while it is deleted",
	  "{'metadata':{'name':'a','namespace':'argocd','deletionTimestamp':'t','finalizers':['f','g']," STAMPED
	  "}," LOCAL "}",
	  "{'metadata':{'name':'a','deletionTimestamp':'t','finalizers':['g']}," REMOTE "}", MERGE_PUT,
	  "{'metadata':{'name':'a','namespace':'argocd','deletionTimestamp':'t','finalizers':['g']," STAMPED "}," LOCAL
	  "}" },
	{ "labels, annotations and finalizers are replaced, not added to",
	  "{'metadata':{'name':'a','namespace':'argocd','labels':{'old':'1'},'finalizers':['old'],'annotations':{'old':"
	  "'1'," UID ":'u'," PRINCIPAL ":'p'}}," LOCAL "}",
	  "{'metadata':{'name':'a','labels':{'new':'1'}}," REMOTE "}", MERGE_PUT,
	  "{'metadata':{'name':'a','namespace':'argocd','labels':{'new':'1'}," STAMPED "}," LOCAL "}" },
	{ "members of the content that are gone are removed", "{" HERE "," LOCAL ",'more':1}",
	  "{'metadata':{'name':'a'}," REMOTE "}", MERGE_PUT, "{" HERE "," LOCAL "}" },
	{ "a refresh asked for at the principal arrives (8.4 #39)", "{" HERE "," LOCAL "}",
	  "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}," REMOTE "}", MERGE_PUT,
	  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" REFRESH ":'hard'," UID ":'u'," PRINCIPAL
	  ":'p'}}," LOCAL "}" },
	{ "a local refresh stays until it is done",
	  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" REFRESH ":'normal'," UID ":'u'," PRINCIPAL
	  ":'p'}}," LOCAL "}",
	  "{'metadata':{'name':'a'}," REMOTE "}", 0,
	  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" REFRESH ":'normal'," UID ":'u'," PRINCIPAL
	  ":'p'}}," LOCAL "}" },
	{ "so does what else is asked for", "{" HERE "," LOCAL "}",
	  "{'metadata':{'name':'a','annotations':{" WISHES "}}," REMOTE "}", MERGE_PUT,
	  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" WISHES "," UID ":'u'," PRINCIPAL
	  ":'p'}}," LOCAL "}" },
	{ "what this cluster has notified about stays its own",
	  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" NOTIFIED ":'here'," UID ":'u'," PRINCIPAL
	  ":'p'}}," LOCAL "}",
	  "{'metadata':{'name':'a','annotations':{" NOTIFIED ":'there'}}," REMOTE "}", 0,
	  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" NOTIFIED ":'here'," UID ":'u'," PRINCIPAL
	  ":'p'}}," LOCAL "}" },
	{ "an operation arrives", "{" HERE "," LOCAL "}",
	  "{'metadata':{'name':'a'}," REMOTE ",'operation':{'sync':{'revision':'r'}}}", MERGE_STATUS,
	  "{" HERE "," LOCAL ",'operation':{'sync':{'revision':'r'}}}" },
	{ "no operation leaves the local one", "{" HERE "," LOCAL ",'operation':{'sync':{}}}",
	  "{'metadata':{'name':'a'}," REMOTE ",'operation':null}", 0, "{" HERE "," LOCAL ",'operation':{'sync':{}}}" },
	{ "no operation while one is being terminated",
	  "{" HERE "," LOCAL ",'status':{'operationState':{'phase':'Terminating'}}}",
	  "{'metadata':{'name':'a'}," REMOTE ",'operation':{'sync':{}}}", 0,
	  "{" HERE "," LOCAL ",'status':{'operationState':{'phase':'Terminating'}}}" },
	{ "adopted, or of another principal: stamped",
	  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" PRINCIPAL ":'old'}}," LOCAL "}",
	  "{'metadata':{'name':'a'}," REMOTE "}", MERGE_PUT, "{" HERE "," LOCAL "}" },
	{ "deleted at the source: delete here (8.4 #21)", "{" HERE "," LOCAL "}",
	  "{'metadata':{'name':'a','deletionTimestamp':'t'}," REMOTE "}", MERGE_DELETE, "{" HERE "," LOCAL "}" },
	{ "deleted at the source, and here already",
	  "{'metadata':{'name':'a','namespace':'argocd','deletionTimestamp':'s'," STAMPED "}," LOCAL "}",
	  "{'metadata':{'name':'a','deletionTimestamp':'t'}," REMOTE "}", 0,
	  "{'metadata':{'name':'a','namespace':'argocd','deletionTimestamp':'s'," STAMPED "}," LOCAL "}" },
};

/* What Argo CD's controller does to an application at its site, each time anew: putting it back would not end. */

#define TO_WEB              "'destination':{'name':'in-cluster','namespace':'web'}"
#define META_OF(finalizers) "'metadata':{'name':'a','namespace':'argocd','finalizers':[" finalizers "]," STAMPED "}"

static const struct row controller_rows[] = {
	{ "finalizers of hooks are the controller's", "{" META_OF("'f'," POST) "," LOCAL "}",
	  "{'metadata':{'name':'a','finalizers':['f']}," REMOTE "}", 0, "{" META_OF("'f'," POST) "," LOCAL "}" },
	{ "also where the source has none, or other hooks", "{" META_OF(POST) "," LOCAL "}",
	  "{'metadata':{'name':'a','finalizers':[" PRE "]}," REMOTE "}", 0, "{" META_OF(POST) "," LOCAL "}" },
	{ "they stay behind a new one", "{" META_OF(POST) "," LOCAL "}",
	  "{'metadata':{'name':'a','finalizers':['f']}," REMOTE "}", MERGE_PUT,
	  "{" META_OF("'f'," POST) "," LOCAL "}" },
	{ "what says nothing is left out", "{" HERE ",'spec':{'project':'default','source':{'path':'p'}," TO_WEB "}}",
	  "{'metadata':{'name':'a'},'spec':{'project':'','source':{'path':'p','directory':{'recurse':false},'helm':{},"
	  "'kustomize':{'images':[],'namePrefix':''}},'syncPolicy':{'syncOptions':[]}," TO_WEB "}}",
	  0, "{" HERE ",'spec':{'project':'default','source':{'path':'p'}," TO_WEB "}}" },
	{ "nor in each of several sources, of which one alone is none",
	  "{" HERE ",'spec':{'source':{'helm':{}},'sources':[{'path':'p'},7,{'helm':{'version':'v3'}}]," TO_WEB "}}",
	  "{'metadata':{'name':'a'},'spec':{'source':{'helm':{}},'sources':[{'path':'p','helm':{},'directory':{}},7,{"
	  "'kustomize':{},'helm':{'version':'v3'}}]," TO_WEB "}}",
	  0,
	  "{" HERE ",'spec':{'source':{'helm':{}},'sources':[{'path':'p'},7,{'helm':{'version':'v3'}}]," TO_WEB "}}" },
	{ "what says something stays",
	  "{" HERE
	  ",'spec':{'source':{'directory':{'recurse':false,'include':'*.yaml'}},'syncPolicy':{'automated':{}}," TO_WEB
	  "}}",
	  "{'metadata':{'name':'a'},'spec':{'source':{'directory':{'recurse':false,'include':'*.yaml'}},'syncPolicy':"
	  "{'automated':{}}," TO_WEB "}}",
	  0,
	  "{" HERE
	  ",'spec':{'source':{'directory':{'recurse':false,'include':'*.yaml'}},'syncPolicy':{'automated':{}}," TO_WEB
	  "}}" },
};

static enum err revert_managed(json_object *local, json_object *recorded, struct merged *ret_merged);

static void what_the_controller_writes_itself_is_left_to_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(controller_rows); i++) {
		check(&controller_rows[i], to_managed);
		check(&controller_rows[i], revert_managed);
	}
}

static void a_managed_agent_writes_what_the_principal_decides(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(to_managed_rows); i++)
		check(&to_managed_rows[i], to_managed);
}

static enum err to_managed_unstamped(json_object *existing, json_object *incoming, struct merged *ret_merged)
{
	return merge_to_managed(OBJECT_APPLICATION, existing, incoming, &no_stamp, ret_merged);
}

/* As of a peer that sends no principal-uid. */
static enum err to_managed_without_words(json_object *existing, json_object *incoming, struct merged *ret_merged)
{
	struct merge_stamp stamp = { .namespace = "argocd", .source_uid = "", .principal_uid = "" };

	return merge_to_managed(OBJECT_APPLICATION, existing, incoming, &stamp, ret_merged);
}

static void a_mark_that_the_event_does_not_name_stays(void **state)
{
	static const struct row row = { "unstamped", "{" HERE "," LOCAL "}",
					"{'metadata':{'name':'a','namespace':'argocd'}," REMOTE "}", 0,
					"{" HERE "," LOCAL "}" };

	(void)state;
	check(&row, to_managed_unstamped);
	check(&row, to_managed_without_words);
}

static enum err to_managed_project(json_object *existing, json_object *incoming, struct merged *ret_merged)
{
	struct merge_stamp stamp = { .namespace = "argocd", .source_uid = "u", .remapped = true };

	return merge_to_managed(OBJECT_APPPROJECT, existing, incoming, &stamp, ret_merged);
}

/* Facts 4.3 "Other kinds" and 9.2: the new source-uid is written, whatever stood there. */
static void other_kinds_are_written_as_they_come(void **state)
{
	static const struct row rows[] = {
		{ "project",
		  "{'metadata':{'name':'p','namespace':'argocd','annotations':{" UID ":'old'}},'spec':{'roles':[1]}}",
		  "{'metadata':{'name':'p'},'spec':{'destinations':[]},'operation':{}}", MERGE_PUT,
		  "{'metadata':{'name':'p','namespace':'argocd','annotations':{" UID ":'u'," REMAPPED
		  ":'true'}},'spec':{'destinations':[]}}" },
		{ "secret",
		  "{'metadata':{'name':'p','namespace':'argocd'},'type':'Opaque','data':{'a':'eA==','b':'eA=='}}",
		  "{'metadata':{'name':'p'},'type':'Opaque','data':{'a':'eQ=='}}", MERGE_PUT,
		  "{'metadata':{'name':'p','namespace':'argocd','annotations':{" UID ":'u'," REMAPPED
		  ":'true'}},'type':'Opaque','data':{'a':'eQ=='}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], to_managed_project);
}

/* ---- managed agent to principal (facts 4.5, application.go:573-636; 9.2 application.go:594, #840) ---------------- */

/* `known`: the operation that the agent has, as text; "": none; NULL: there is nothing to be told (the agent knows all). */
static void check_status(const struct row *r, const char *known, bool desired)
{
	json_object *existing = tree_of(r->existing), *incoming = tree_of(r->incoming), *operation;
	struct merge_known k = { .operation = "", .desired = desired };
	struct digest digest = { "" };
	struct merged m = { 0 };

	if (known && known[0]) {
		operation = tree_of(known);
		assert_int_equal(digest_of(operation, DIGEST_OPERATION, &digest), E_OK);
		json_object_put(operation);
		k.operation = digest.text;
	}
	assert_int_equal(merge_status(existing, incoming, known ? &k : NULL, &m), E_OK);
	expect_row(r->says, m.tree, r->expected);
	assert_int_equal(m.writes, r->writes);
	merged_release(&m);
	expect_tree(existing, r->existing);
	json_object_put(existing);
	json_object_put(incoming);
}

static void the_status_comes_back_and_nothing_else(void **state)
{
	static const struct row rows[] = {
		{ "status alone", "{'metadata':{'name':'a','labels':{'x':'1'}},'spec':{'v':1},'status':{'s':1}}",
		  "{'metadata':{'name':'a','labels':{'y':'1'},'annotations':{'z':'1'}},'spec':{'v':2},'status':{'s':2}"
		  "}",
		  MERGE_STATUS, "{'metadata':{'name':'a','labels':{'x':'1'}},'spec':{'v':1},'status':{'s':2}}" },
		{ "the same again", "{'metadata':{'name':'a'},'status':{'s':1}}",
		  "{'metadata':{'name':'a'},'status':{'s':1}}", 0, "{'metadata':{'name':'a'},'status':{'s':1}}" },
		{ "no status yet, an empty one", "{'metadata':{'name':'a'}}", "{'metadata':{'name':'a'},'status':{}}",
		  0, "{'metadata':{'name':'a'}}" },
		{ "the agent's own operation is shown", "{'metadata':{'name':'a'}}",
		  "{'metadata':{'name':'a'},'operation':{'sync':{}}}", MERGE_STATUS,
		  "{'metadata':{'name':'a'},'operation':{'sync':{}}}" },
		{ "a refresh of the agent's own is not carried back (#839)", "{'metadata':{'name':'a'}}",
		  "{'metadata':{'name':'a','annotations':{" REFRESH ":'normal'}}}", 0, "{'metadata':{'name':'a'}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_status(&rows[i], NULL, true);
}

/* Facts 10 #840, 9.2 application.go:594. */
static void an_operation_that_the_agent_has_not_seen_survives_its_status(void **state)
{
	static const struct {
		const char *ours, *known, *theirs, *after;
	} rows[] = {
		{ "{'sync':{'revision':'1'}}", "", "null", "{'sync':{'revision':'1'}}" },
		{ "{'sync':{'revision':'1'}}", "", "{'sync':{'revision':'0'}}", "{'sync':{'revision':'1'}}" },
		{ "{'sync':{'revision':'2'}}", "{'operation':{'sync':{'revision':'1'}}}", "null",
		  "{'sync':{'revision':'2'}}" },
		{ "{'sync':{'revision':'1'}}", "{'operation':{'sync':{'revision':'1'}}}", "null", NULL },
		{ "{'sync':{'revision':'1'}}", "{'operation':{'sync':{'revision':'1'}}}", "{'sync':{'revision':'0'}}",
		  "{'sync':{'revision':'0'}}" },
		{ "null", "", "{'sync':{'revision':'0'}}", "{'sync':{'revision':'0'}}" },
		{ "null", "", "null", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char existing[256], incoming[256], expected[256];
		struct row r = { "operation", existing, incoming, 0, expected };

		(void)snprintf(
			existing, sizeof(existing), "{'metadata':{'name':'a'},'status':{'s':1}%s%s}",
			rows[i].ours[0] == 'n' ? "" : ",'operation':", rows[i].ours[0] == 'n' ? "" : rows[i].ours);
		(void)snprintf(incoming, sizeof(incoming), "{'metadata':{'name':'a'},'status':{'s':2},'operation':%s}",
			       rows[i].theirs);
		(void)snprintf(expected, sizeof(expected), "{'metadata':{'name':'a'},'status':{'s':2}%s%s}",
			       rows[i].after ? ",'operation':" : "", rows[i].after ? rows[i].after : "");
		r.writes = MERGE_STATUS;
		check_status(&r, rows[i].known, true);
	}
}

/* A Go agent's answer and its status leave in any order: the status may come before it is known that the agent has the operation. */
static void an_operation_that_has_begun_at_the_agent_has_been_seen(void **state)
{
	static const struct {
		const char *says, *ours, *state, *after; /* ours is there since 1; what runs at the agent */
	} rows[] = {
		{ "it runs", "{'sync':{'revision':'1'}}",
		  "{'startedAt':'2','operation':{'sync':{'revision':'1'},'initiatedBy':{},'retry':{'limit':0}}}",
		  NULL },
		{ "what Go leaves out", "{'sync':{'revision':'1','prune':false},'info':[]}",
		  "{'startedAt':'2','operation':{'sync':{'revision':'1'}}}", NULL },
		{ "an earlier one of the same words", "{'sync':{'revision':'1'}}",
		  "{'startedAt':'1','operation':{'sync':{'revision':'1'}}}", "{'sync':{'revision':'1'}}" },
		{ "another one", "{'sync':{'revision':'1'}}", "{'startedAt':'2','operation':{'sync':{'revision':'0'}}}",
		  "{'sync':{'revision':'1'}}" },
		{ "more than was asked for", "{'sync':{'revision':'1'}}",
		  "{'startedAt':'2','operation':{'sync':{'revision':'1','prune':true}}}", "{'sync':{'revision':'1'}}" },
		{ "less than was asked for", "{'sync':{'revision':'1','resources':[{'name':'a'}]}}",
		  "{'startedAt':'2','operation':{'sync':{'revision':'1'}}}",
		  "{'sync':{'revision':'1','resources':[{'name':'a'}]}}" },
		{ "nothing is said of when", "{'sync':{'revision':'1'}}", "{'operation':{'sync':{'revision':'1'}}}",
		  "{'sync':{'revision':'1'}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char existing[256], incoming[256], expected[384];
		struct row r = { rows[i].says, existing, incoming, MERGE_STATUS, expected };

		(void)snprintf(existing, sizeof(existing),
			       "{'metadata':{'name':'a'},'status':{'operationState':{'startedAt':'1'}},'operation':%s}",
			       rows[i].ours);
		(void)snprintf(incoming, sizeof(incoming),
			       "{'metadata':{'name':'a'},'status':{'s':1,'operationState':%s}}", rows[i].state);
		(void)snprintf(expected, sizeof(expected),
			       "{'metadata':{'name':'a'},'status':{'s':1,'operationState':%s}%s%s}", rows[i].state,
			       rows[i].after ? ",'operation':" : "", rows[i].after ? rows[i].after : "");
		check_status(&r, "", true);
	}
}

/* Facts 8.4 #39: the annotation disappears again, but not before the agent has seen it. */
static void a_refresh_goes_when_the_agent_has_done_it(void **state)
{
	static const struct row done = { "done", "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard','x':'y'}}}",
					 "{'metadata':{'name':'a'}}", MERGE_PUT,
					 "{'metadata':{'name':'a','annotations':{'x':'y'}}}" };
	static const struct row unseen = { "not seen yet",
					   "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}}",
					   "{'metadata':{'name':'a'}}", 0,
					   "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}}" };
	static const struct row doing = { "seen, not done",
					  "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}}",
					  "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}}", 0,
					  "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}}" };
	static const struct row alone = { "done, it was alone",
					  "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}}",
					  "{'metadata':{'name':'a'}}", MERGE_PUT, "{'metadata':{'name':'a'}}" };
	static const struct row part = { "one is done, others are not",
					 "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'," WISHES "}}}",
					 "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}}", MERGE_PUT,
					 "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}}" };

	(void)state;
	check_status(&done, "", true);
	check_status(&unseen, "", false);
	check_status(&doing, "", true);
	check_status(&alone, "", true);
	check_status(&part, "", true);
}

/* ---- autonomous agents (facts 4.5, application.go:494-564 and 646-691) ------------------------------------------- */

static enum err from_autonomous(json_object *existing, json_object *incoming, struct merged *ret_merged)
{
	return merge_from_autonomous(OBJECT_APPLICATION, existing, incoming, &principal_stamp, NULL, ret_merged);
}

static enum err from_autonomous_unseen(json_object *existing, json_object *incoming, struct merged *ret_merged)
{
	static const struct merge_known nothing_seen = { "", false };

	return merge_from_autonomous(OBJECT_APPLICATION, existing, incoming, &principal_stamp, &nothing_seen,
				     ret_merged);
}

#define COPY(marks)  "'metadata':{'name':'a','namespace':'site','annotations':{" marks UID ":'u'," UPDATED ":'T0'}}"
#define COPY1(marks) "'metadata':{'name':'a','namespace':'site','annotations':{" marks UID ":'u'," UPDATED ":'T1'}}"

static void the_principal_shows_an_autonomous_agents_objects_as_they_are(void **state)
{
	static const struct row rows[] = {
		{ "create: without the operation", NULL,
		  "{'apiVersion':'v','kind':'K','metadata':{'name':'a','namespace':'argocd','uid':'u','resourceVersion'"
		  ":'1',"
		  "'ownerReferences':[1],'labels':{'l':'1'},'annotations':{'x':'y'," REFRESH
		  ":'hard'}},'spec':{'v':1},'status':{'s':1},"
		  "'operation':{'sync':{}}}",
		  MERGE_PUT | MERGE_STATUS,
		  "{'apiVersion':'v','kind':'K','metadata':{'name':'a','namespace':'site','labels':{'l':'1'},"
		  "'annotations':{'x':'y'," UID ":'u'," UPDATED ":'T1'}},'spec':{'v':1},'status':{'s':1}}" },
		{ "spec, status and operation", "{" COPY("") ",'spec':{'v':1},'status':{'s':1}}",
		  "{'metadata':{'name':'a'},'spec':{'v':2},'status':{'s':2},'operation':{'sync':{}}}",
		  MERGE_PUT | MERGE_STATUS, "{" COPY1("") ",'spec':{'v':2},'status':{'s':2},'operation':{'sync':{}}}" },
		{ "the status alone does not touch the rest", "{" COPY("") ",'spec':{'v':1},'status':{'s':1}}",
		  "{'metadata':{'name':'a'},'spec':{'v':1},'status':{'s':2}}", MERGE_STATUS,
		  "{" COPY("") ",'spec':{'v':1},'status':{'s':2}}" },
		{ "nothing new", "{" COPY("") ",'spec':{'v':1}}", "{'metadata':{'name':'a'},'spec':{'v':1}}", 0,
		  "{" COPY("") ",'spec':{'v':1}}" },
		{ "what the principal has notified about is its own", "{" COPY(NOTIFIED ":'n',") "}",
		  "{'metadata':{'name':'a','annotations':{" NOTIFIED ":'other'}}}", 0, "{" COPY(NOTIFIED ":'n',") "}" },
		{ "a refresh that is done goes", "{" COPY(REFRESH ":'hard',") "}", "{'metadata':{'name':'a'}}",
		  MERGE_PUT, "{" COPY1("") "}" },
		{ "a refresh of the agent's own does not come", "{" COPY("") "}",
		  "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}}", 0, "{" COPY("") "}" },
		{ "so does what else was asked for", "{" COPY(WISHES ",") "}", "{'metadata':{'name':'a'}}", MERGE_PUT,
		  "{" COPY1("") "}" },
		{ "nor what the agent itself asks for", "{" COPY("") "}",
		  "{'metadata':{'name':'a','annotations':{" WISHES "}}}", 0, "{" COPY("") "}" },
		{ "being deleted there (8.4 #15)", "{" COPY("") "}",
		  "{'metadata':{'name':'a','deletionTimestamp':'t'}}", MERGE_DELETE, "{" COPY("") "}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], from_autonomous);
}

static void what_the_user_asked_for_at_the_principal_waits_until_the_agent_has_seen_it(void **state)
{
	static const struct row row = { "unseen",
					"{" COPY(REFRESH ":'hard',") ",'spec':{'v':1},'operation':{'sync':{}}}",
					"{'metadata':{'name':'a'},'spec':{'v':2}}", MERGE_PUT,
					"{" COPY1(REFRESH ":'hard',") ",'spec':{'v':2},'operation':{'sync':{}}}" };

	(void)state;
	check(&row, from_autonomous_unseen);
}

/* Facts 8.4 #23, #43; 11.22. */
static void an_autonomous_agent_takes_the_operation_and_refresh_alone(void **state)
{
	static const struct row rows[] = {
		{ "operation and refresh", "{'metadata':{'name':'a'},'spec':{'v':1}}",
		  "{'metadata':{'name':'a','labels':{'x':'1'},'annotations':{'y':'1'," REFRESH
		  ":'hard'}},'spec':{'v':2},'status':{'s':1},'operation':{'sync':{}}}",
		  MERGE_PUT | MERGE_STATUS,
		  "{'metadata':{'name':'a','annotations':{" REFRESH
		  ":'hard'}},'spec':{'v':1},'operation':{'sync':{}}}" },
		{ "what else is asked for", "{'metadata':{'name':'a'}}",
		  "{'metadata':{'name':'a','annotations':{" WISHES "}}}", MERGE_PUT,
		  "{'metadata':{'name':'a','annotations':{" WISHES "}}}" },
		{ "neither", "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}},'operation':{'sync':{}}}",
		  "{'metadata':{'name':'a'},'spec':{'v':2}}", 0,
		  "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}},'operation':{'sync':{}}}" },
		{ "while one is being terminated",
		  "{'metadata':{'name':'a'},'status':{'operationState':{'phase':'Terminating'}}}",
		  "{'metadata':{'name':'a'},'operation':{'sync':{}}}", 0,
		  "{'metadata':{'name':'a'},'status':{'operationState':{'phase':'Terminating'}}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], merge_to_autonomous);
}

/* ---- reverts (facts 4.5 "Reverts", 8.4 #3-12, #48) --------------------------------------------------------------- */

static enum err revert_managed(json_object *local, json_object *recorded, struct merged *ret_merged)
{
	return merge_revert(OBJECT_APPLICATION, /* end_managed= */ true, local, recorded, &agent_stamp, ret_merged);
}

static enum err revert_unstamped(json_object *local, json_object *recorded, struct merged *ret_merged)
{
	return merge_revert(OBJECT_APPLICATION, /* end_managed= */ true, local, recorded, &no_stamp, ret_merged);
}

static enum err revert_copy(json_object *local, json_object *recorded, struct merged *ret_merged)
{
	return merge_revert(OBJECT_APPLICATION, /* end_managed= */ false, local, recorded, &principal_stamp,
			    ret_merged);
}

static void local_edits_are_put_back(void **state)
{
	static const struct row rows[] = {
		{ "the spec (#3)", "{" HERE ",'spec':{'project':'hacked','destination':{'name':'elsewhere'}}}",
		  "{'metadata':{'name':'a'}," REMOTE "}", MERGE_PUT, "{" HERE "," LOCAL "}" },
		{ "marks, labels, finalizers",
		  "{'metadata':{'name':'a','namespace':'argocd','labels':{'x':'1'},'finalizers':['f'],'annotations':{'"
		  "y':'1'}}," LOCAL "}",
		  "{'metadata':{'name':'a'}," REMOTE "}", MERGE_PUT, "{" HERE "," LOCAL "}" },
		{ "not the status, a running operation, a refresh",
		  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" REFRESH ":'hard'," UID
		  ":'u'," PRINCIPAL ":'p'}}," LOCAL ",'status':{'s':1},'operation':{'sync':{}}}",
		  "{'metadata':{'name':'a'}," REMOTE ",'status':{'s':0},'operation':{'sync':{'revision':'r'}}}", 0,
		  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" REFRESH ":'hard'," UID
		  ":'u'," PRINCIPAL ":'p'}}," LOCAL ",'status':{'s':1},'operation':{'sync':{}}}" },
		{ "the finalizers of what is being deleted are those that are left of them",
		  "{'metadata':{'name':'a','namespace':'argocd','deletionTimestamp':'t','finalizers':['g','s']," STAMPED
		  "},'spec':{'project':'hacked'}}",
		  "{'metadata':{'name':'a','finalizers':['f','g']}," REMOTE "}", MERGE_PUT,
		  "{'metadata':{'name':'a','namespace':'argocd','deletionTimestamp':'t','finalizers':['g','s']," STAMPED
		  "}," LOCAL "}" },
		{ "what was written while somebody deleted the copy says nothing about the next one",
		  "{" HERE "," LOCAL "}", "{'metadata':{'name':'a','deletionTimestamp':'t'}," REMOTE "}", 0,
		  "{" HERE "," LOCAL "}" },
		{ "what else was asked for, and was done, does not come again either", "{" HERE "," LOCAL "}",
		  "{'metadata':{'name':'a','annotations':{" WISHES "}}," REMOTE "}", 0, "{" HERE "," LOCAL "}" },
		{ "a refresh that was done does not come again", "{" HERE "," LOCAL "}",
		  "{'metadata':{'name':'a','annotations':{" REFRESH ":'hard'}}," REMOTE "}", 0,
		  "{" HERE "," LOCAL "}" },
	};
	static const struct row marks = { "marks that somebody removed",
					  "{'metadata':{'name':'a','namespace':'argocd'}," LOCAL "}",
					  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" UID
					  ":'u'," PRINCIPAL ":'p'," REMAPPED ":'true'}}," LOCAL "}",
					  MERGE_PUT,
					  "{'metadata':{'name':'a','namespace':'argocd','annotations':{" UID
					  ":'u'," PRINCIPAL ":'p'," REMAPPED ":'true'}}," LOCAL "}" };
	static const struct row forged = { "marks that somebody changed",
					   "{'metadata':{'name':'a','namespace':'argocd','annotations':{" UID
					   ":'x'," PRINCIPAL ":'x'}}," LOCAL "}",
					   "{" HERE "," LOCAL "}", MERGE_PUT, "{" HERE "," LOCAL "}" };
	static const struct row copy = { "a copy at the principal (#7)",
					 "{" COPY("") ",'spec':{'v':'hacked'},'status':{'s':1}}",
					 "{'metadata':{'name':'a'},'spec':{'v':1},'status':{'s':0}}", MERGE_PUT,
					 "{" COPY1("") ",'spec':{'v':1},'status':{'s':1}}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], revert_managed);
	check(&marks, revert_unstamped);
	check(&forged, revert_unstamped);
	check(&copy, revert_copy);
}

/* Facts 4.5 "--on-application-recreate", 8.4 #9, #58-60. */
static void what_somebody_deleted_is_made_again(void **state)
{
	static const struct {
		const char *action;
		unsigned writes;
		const char *expected;
	} rows[] = {
		{ "ignore", MERGE_PUT | MERGE_STATUS,
		  "{" HERE "," LOCAL
		  ",'status':{'health':{'status':'Healthy'},'operationState':{'phase':'Succeeded'}}}" },
		{ "clear-status", MERGE_PUT | MERGE_STATUS,
		  "{" HERE "," LOCAL ",'status':{'health':{'status':'Healthy'}}}" },
		{ "resync", MERGE_PUT | MERGE_STATUS,
		  "{" HERE "," LOCAL ",'status':{'health':{'status':'Healthy'},'operationState':{'phase':'Succeeded'}},"
		  "'operation':{'sync':{}}}" },
	};
	json_object *recorded = tree_of("{'metadata':{'name':'a','uid':'u','annotations':{" REFRESH ":'hard'}}," REMOTE
					",'status':{'s':0}}");
	json_object *last = tree_of(
		"{'metadata':{'name':'a','uid':'l','deletionTimestamp':'t'},'spec':{},'operation':{'sync':{'x':1}},"
		"'status':{'health':{'status':'Healthy'},'operationState':{'phase':'Succeeded'}}}");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum merge_recreate action;
		struct merged m;

		assert_true(merge_recreate_of(rows[i].action, &action));
		assert_int_equal(merge_recreated(OBJECT_APPLICATION, true, recorded, last, &agent_stamp, action, &m),
				 E_OK);
		assert_int_equal(m.writes, rows[i].writes);
		expect_tree(m.tree, rows[i].expected);
		merged_release(&m);
		assert_int_equal(merge_recreated(OBJECT_APPLICATION, true, recorded, NULL, &agent_stamp, action, &m),
				 E_OK);
		assert_string_equal(at(m.tree, "status"), "");
		merged_release(&m);
	}
	json_object_put(recorded);
	json_object_put(last);
}

/* `recorded` and `last` (NULL: unknown) of one end, made again. */
static void expect_again(enum object_kind kind, bool end_managed, const char *recorded, const char *last,
			 enum merge_recreate action, unsigned writes, const char *expected)
{
	json_object *recorded_tree = tree_of(recorded), *last_tree = last ? tree_of(last) : NULL;
	struct merged m;

	assert_int_equal(merge_recreated(kind, end_managed, recorded_tree, last_tree, &no_stamp, action, &m), E_OK);
	assert_int_equal(m.writes, writes);
	expect_tree(m.tree, expected);
	merged_release(&m);
	json_object_put(recorded_tree);
	json_object_put(last_tree);
}

static void what_is_made_again_has_what_is_known_of_it(void **state)
{
	(void)state;
	/* the principal's copy has the status that the agent told last, whatever is known of the one that went */
	expect_again(OBJECT_APPLICATION, false, "{'metadata':{'name':'a'},'spec':{},'status':{'s':1}}", NULL,
		     MERGE_RECREATE_IGNORE, MERGE_PUT | MERGE_STATUS,
		     "{'metadata':{'name':'a'},'spec':{},'status':{'s':1}}");
	/* what was on its way out is not sent on it again, and keeps what is marked here */
	expect_again(OBJECT_APPLICATION, false, "{'metadata':{'name':'a','deletionTimestamp':'t'},'spec':{}}",
		     "{'metadata':{'name':'a','annotations':{" NOTIFIED ":'n'}}}", MERGE_RECREATE_IGNORE, MERGE_PUT,
		     "{'metadata':{'name':'a','annotations':{" NOTIFIED ":'n'}},'spec':{}}");
	/* and the action is one for applications */
	expect_again(OBJECT_APPPROJECT, true, "{'metadata':{'name':'a'},'spec':{}}", NULL, MERGE_RECREATE_RESYNC,
		     MERGE_PUT, "{'metadata':{'name':'a'},'spec':{}}");
}

static void an_unknown_action_is_none(void **state)
{
	enum merge_recreate action;

	(void)state;
	assert_false(merge_recreate_of("", &action));
	assert_false(merge_recreate_of("Ignore", &action));
}

/* ---- commands and errors ----------------------------------------------------------------------------------------- */

static void an_operation_is_set_and_terminated(void **state)
{
	static const struct row set[] = {
		{ "set", "{'metadata':{'name':'a'},'spec':{'v':1}}",
		  "{'metadata':{'name':'a'},'spec':{'v':2},'operation':{'sync':{}}}", MERGE_STATUS,
		  "{'metadata':{'name':'a'},'spec':{'v':1},'operation':{'sync':{}}}" },
		{ "not while terminating",
		  "{'metadata':{'name':'a'},'status':{'operationState':{'phase':'Terminating'}}}",
		  "{'operation':{'sync':{}}}", 0,
		  "{'metadata':{'name':'a'},'status':{'operationState':{'phase':'Terminating'}}}" },
	};
	static const struct {
		const char *before, *after;
		unsigned writes;
	} terminate[] = {
		{ "Running", "\"Terminating\"", MERGE_STATUS },
		{ "Terminating", "\"Terminating\"", 0 },
		{ "Succeeded", "\"Succeeded\"", 0 },
		{ "Error", "\"Error\"", 0 },
	};
	json_object *bare = tree_of("{'metadata':{'name':'a'},'status':{}}");
	struct merged m = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(set); i++)
		check(&set[i], merge_set_operation);
	for (size_t i = 0; i < ARRAY_LEN(terminate); i++) {
		json_object *app = tree_of("{'metadata':{'name':'a'},'status':{'operationState':{'message':'m'}}}"),
			    *status, *operation;

		assert_true(json_object_object_get_ex(app, "status", &status));
		assert_true(json_object_object_get_ex(status, "operationState", &operation));
		json_object_object_add(operation, "phase", json_object_new_string(terminate[i].before));
		assert_int_equal(merge_terminate(app, &m), E_OK);
		assert_int_equal(m.writes, terminate[i].writes);
		assert_string_equal(at(m.tree, "status.operationState.phase"), terminate[i].after);
		assert_string_equal(at(m.tree, "status.operationState.message"), "\"m\"");
		merged_release(&m);
		json_object_put(app);
	}
	assert_int_equal(merge_terminate(bare, &m), E_NOT_FOUND);
	assert_int_equal(merge_set_operation(bare, bare, &m), E_MALFORMED);
	assert_null(m.tree);
	json_object_put(bare);
}

/* Facts 8.4 #2. */
static void an_agents_error_shows_at_the_principal(void **state)
{
	json_object *app = tree_of(
		"{'metadata':{'name':'a'},'status':{'s':1,'health':{'status':'Healthy','x':1},"
		"'conditions':[{'type':'Other'},{'type':'AgentError','message':'old','lastTransitionTime':'T0'}]}}");
	static const char after[] =
		"{'metadata':{'name':'a'},'status':{'s':1,'health':{'status':'Degraded','x':1},"
		"'conditions':[{'type':'Other'},{'type':'AgentError','message':'new','lastTransitionTime':'T1'}]}}";
	struct merged m, again;

	(void)state;
	assert_int_equal(merge_agent_error(app, "new", "T1", &m), E_OK);
	assert_int_equal(m.writes, MERGE_STATUS);
	expect_tree(m.tree, after);
	assert_int_equal(merge_agent_error(m.tree, "new", "T2", &again), E_OK);
	assert_int_equal(again.writes, 0);
	expect_tree(again.tree, after);
	merged_release(&again);
	merged_release(&m);
	json_object_put(app);

	app = tree_of("{'metadata':{'name':'a'}}");
	assert_int_equal(merge_agent_error(app, "m", "T1", &m), E_OK);
	expect_tree(m.tree, "{'metadata':{'name':'a'},'status':{'health':{'status':'Degraded'},"
			    "'conditions':[{'type':'AgentError','message':'m','lastTransitionTime':'T1'}]}}");
	merged_release(&m);
	json_object_put(app);
}

/* Facts 4.5 "Deletes". */
static void without_finalizers_it_really_goes(void **state)
{
	json_object *app = tree_of("{'metadata':{'name':'a','finalizers':['f']},'spec':{}}");
	struct merged m, again;

	(void)state;
	assert_int_equal(merge_without_finalizers(app, &m), E_OK);
	assert_int_equal(m.writes, MERGE_PUT);
	expect_tree(m.tree, "{'metadata':{'name':'a'},'spec':{}}");
	assert_int_equal(merge_without_finalizers(m.tree, &again), E_OK);
	assert_int_equal(again.writes, 0);
	merged_release(&again);
	merged_release(&m);
	json_object_put(app);
}

static void what_has_no_metadata_is_refused(void **state)
{
	json_object *bad = tree_of("{'metadata':[],'spec':{}}");
	struct merged m = { 0 };

	(void)state;
	assert_int_equal(merge_to_managed(OBJECT_APPLICATION, NULL, bad, &agent_stamp, &m), E_MALFORMED);
	assert_int_equal(merge_from_autonomous(OBJECT_APPLICATION, NULL, bad, &agent_stamp, NULL, &m), E_MALFORMED);
	assert_int_equal(merge_revert(OBJECT_APPLICATION, true, bad, bad, &agent_stamp, &m), E_MALFORMED);
	assert_int_equal(merge_recreated(OBJECT_APPLICATION, true, bad, NULL, &agent_stamp, MERGE_RECREATE_IGNORE, &m),
			 E_MALFORMED);
	assert_null(m.tree);
	merged_release(&m);
	json_object_put(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_controller_writes_itself_is_left_to_it),
		cmocka_unit_test(a_managed_agent_writes_what_the_principal_decides),
		cmocka_unit_test(a_mark_that_the_event_does_not_name_stays),
		cmocka_unit_test(other_kinds_are_written_as_they_come),
		cmocka_unit_test(the_status_comes_back_and_nothing_else),
		cmocka_unit_test(an_operation_that_the_agent_has_not_seen_survives_its_status),
		cmocka_unit_test(an_operation_that_has_begun_at_the_agent_has_been_seen),
		cmocka_unit_test(a_refresh_goes_when_the_agent_has_done_it),
		cmocka_unit_test(the_principal_shows_an_autonomous_agents_objects_as_they_are),
		cmocka_unit_test(what_the_user_asked_for_at_the_principal_waits_until_the_agent_has_seen_it),
		cmocka_unit_test(an_autonomous_agent_takes_the_operation_and_refresh_alone),
		cmocka_unit_test(local_edits_are_put_back),
		cmocka_unit_test(what_somebody_deleted_is_made_again),
		cmocka_unit_test(what_is_made_again_has_what_is_known_of_it),
		cmocka_unit_test(an_unknown_action_is_none),
		cmocka_unit_test(an_operation_is_set_and_terminated),
		cmocka_unit_test(an_agents_error_shows_at_the_principal),
		cmocka_unit_test(without_finalizers_it_really_goes),
		cmocka_unit_test(what_has_no_metadata_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
