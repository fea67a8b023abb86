#include "sync/identity.h"

#include <string.h>

#include "base/mem.h"
#include "trees.h"

static const struct identity_policy defaults = { IDENTITY_RECREATE, IDENTITY_ALWAYS };

static const struct identity_local nothing = { "", "", "", "", NULL, false, false };

/* What is here, in short: the annotations source-uid and principal-uid of a copy. */
#define COPY(source, principal)                                    \
	{                                                          \
		"local", source, principal, "", NULL, false, false \
	}

struct row {
	const char *says;
	enum identity_verb verb;
	struct identity_local local;
	bool absent;
	const char *source_uid; /* incoming annotation */
	const char *uid;        /* incoming metadata.uid */
	const char *principal;  /* of the event */
	enum identity_decision decision;
	const char *stamped;
};

static void check(enum identity_end end, enum object_kind kind, const struct row *r,
		  const struct identity_policy *policy, const char *annotation, bool source_deleting)
{
	struct identity_event e = { .kind = kind,
				    .verb = r->verb,
				    .source_uid = r->source_uid,
				    .uid = r->uid,
				    .principal_uid = r->principal,
				    .mismatch_policy = annotation,
				    .deleting = source_deleting };
	struct identity_verdict v = identity_decide(end, &e, r->absent ? NULL : &r->local, policy);

	if (v.decision != r->decision)
		fail_msg("%s: decision %d (%s), expected %d", r->says, v.decision, v.reason, r->decision);
	if (r->stamped)
		assert_string_equal(v.source_uid, r->stamped);
}

/* ---- facts 4.3, row by row -------------------------------------------------------------------------------------- */

static const struct row application_rows[] = {
	{ "absent, create", IDENTITY_CREATE, { 0 }, true, "", "u", "p", IDENTITY_DO_CREATE, "u" },
	{ "absent, spec-update", IDENTITY_SPEC, { 0 }, true, "", "u", "p", IDENTITY_DO_CREATE, "u" },
	{ "the annotation of the incoming object goes first",
	  IDENTITY_SPEC,
	  { 0 },
	  true,
	  "s",
	  "u",
	  "p",
	  IDENTITY_DO_CREATE,
	  "s" },
	{ "without source-uid, spec-update", IDENTITY_SPEC, COPY("", ""), false, "", "u", "p", IDENTITY_DO_REFUSE,
	  NULL },
	{ "without source-uid, create: adopted (8.4 #1)", IDENTITY_CREATE, COPY("", ""), false, "", "u", "p",
	  IDENTITY_DO_ADOPT, "u" },
	{ "another principal, same UID", IDENTITY_SPEC, COPY("u", "p1"), false, "", "u", "p2", IDENTITY_DO_TRANSITION,
	  "u" },
	{ "another principal, another UID", IDENTITY_SPEC, COPY("u", "p1"), false, "", "v", "p2",
	  IDENTITY_DO_TRANSITION, "v" },
	{ "another principal, create (#831)", IDENTITY_CREATE, COPY("u", "p1"), false, "", "v", "p2",
	  IDENTITY_DO_TRANSITION, "v" },
	{ "no incoming UID, same principal", IDENTITY_SPEC, COPY("u", "p"), false, "", "", "p", IDENTITY_DO_UPDATE,
	  "u" },
	{ "no incoming UID, no principal", IDENTITY_SPEC, COPY("u", "p"), false, "", "", "", IDENTITY_DO_UPDATE, "u" },
	{ "no incoming UID, another principal", IDENTITY_SPEC, COPY("u", "p1"), false, "", "", "p2",
	  IDENTITY_DO_TRANSITION, "u" },
	{ "same UID, same principal", IDENTITY_SPEC, COPY("u", "p"), false, "", "u", "p", IDENTITY_DO_UPDATE, "u" },
	{ "same UID, event without principal", IDENTITY_SPEC, COPY("u", "p"), false, "", "u", "", IDENTITY_DO_UPDATE,
	  "u" },
	{ "same UID, first principal", IDENTITY_SPEC, COPY("u", ""), false, "", "u", "p", IDENTITY_DO_UPDATE, "u" },
	{ "another UID, first principal", IDENTITY_SPEC, COPY("u", ""), false, "", "v", "p", IDENTITY_DO_TRANSITION,
	  "v" },
	{ "another UID, same principal", IDENTITY_SPEC, COPY("u", "p"), false, "", "v", "p", IDENTITY_DO_RECREATE,
	  "v" },
	{ "another UID, create, same principal", IDENTITY_CREATE, COPY("u", "p"), false, "", "v", "p",
	  IDENTITY_DO_RECREATE, "v" },
	{ "another UID, neither names a principal", IDENTITY_SPEC, COPY("u", ""), false, "", "v", "",
	  IDENTITY_DO_RECREATE, "v" },
	{ "another UID, event without principal", IDENTITY_SPEC, COPY("u", "p"), false, "", "v", "",
	  IDENTITY_DO_RECREATE, "v" },
};

static void a_managed_agent_decides_about_applications_as_the_facts_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(application_rows); i++)
		check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &application_rows[i], &defaults, "", false);
}

static void the_policy_upsert_keeps_the_object_and_gives_it_the_new_uid(void **state)
{
	static const struct row mismatch = { "mismatch", IDENTITY_SPEC, COPY("u", "p"),         false, "",
					     "v",        "p",           IDENTITY_DO_TRANSITION, "v" };
	static const struct row recreated = { "mismatch", IDENTITY_SPEC, COPY("u", "p"),       false, "",
					      "v",        "p",           IDENTITY_DO_RECREATE, "v" };
	static const struct identity_policy upsert = { IDENTITY_UPSERT, IDENTITY_ALWAYS };

	(void)state;
	for (int kind = 0; kind < OBJECT_KIND_COUNT; kind++) {
		check(IDENTITY_MANAGED_AGENT, (enum object_kind)kind, &mismatch, &upsert, "", false);
		check(IDENTITY_MANAGED_AGENT, (enum object_kind)kind, &mismatch, &defaults, "upsert", false);
		check(IDENTITY_MANAGED_AGENT, (enum object_kind)kind, &recreated, &upsert, "recreate", false);
		check(IDENTITY_MANAGED_AGENT, (enum object_kind)kind, &recreated, &defaults, "nonsense", false);
	}
}

/* Facts 8.4 #2, 4.3; never means never, whatever UID or principal the event names. */
static void what_must_not_be_adopted_stays_untouched_and_the_principal_hears_of_it(void **state)
{
	static const struct {
		enum identity_adoption configured;
		const char *annotation;
		enum identity_decision decision;
	} rows[] = {
		{ IDENTITY_ALWAYS, "", IDENTITY_DO_ADOPT },        { IDENTITY_NEVER, "", IDENTITY_DO_ERROR },
		{ IDENTITY_ALWAYS, "never", IDENTITY_DO_ERROR },   { IDENTITY_NEVER, "always", IDENTITY_DO_ADOPT },
		{ IDENTITY_NEVER, "nonsense", IDENTITY_DO_ERROR },
	};
	static const char *const uids[] = { "", "u" };
	static const char *const principals[] = { "", "p", "q" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * 12; i++) {
		size_t k = i / 12;
		struct row r = { "adoption",      IDENTITY_CREATE,       COPY("", i % 2 ? "p" : ""), false, "",
				 uids[i / 2 % 2], principals[i / 4 % 3], rows[k].decision,           NULL };
		struct identity_policy policy = { IDENTITY_RECREATE, rows[k].configured };

		r.local.adoption = rows[k].annotation;
		check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &r, &policy, "", false);
	}
}

/* Facts 4.3 "Other kinds", 8.4 #19, #50; the old source-uid is not kept (9.2, repository.go:149-164). */
static void other_kinds_are_adopted_or_refused_and_follow_a_new_principal_too(void **state)
{
	static const struct {
		enum object_kind kind;
		struct row row;
	} rows[] = {
		{ OBJECT_APPPROJECT,
		  { "project, unmanaged, create", IDENTITY_CREATE, COPY("", ""), false, "", "u", "p", IDENTITY_DO_ADOPT,
		    "u" } },
		{ OBJECT_APPPROJECT,
		  { "project, unmanaged, spec", IDENTITY_SPEC, COPY("", ""), false, "", "u", "", IDENTITY_DO_ADOPT,
		    "u" } },
		{ OBJECT_APPPROJECT,
		  { "project, absent", IDENTITY_SPEC, { 0 }, true, "", "u", "", IDENTITY_DO_CREATE, "u" } },
		{ OBJECT_APPPROJECT,
		  { "project, same", IDENTITY_SPEC, COPY("u", ""), false, "", "u", "", IDENTITY_DO_UPDATE, "u" } },
		{ OBJECT_APPPROJECT,
		  { "project, fail-over (6.5)", IDENTITY_SPEC, COPY("u", "p1"), false, "", "v", "p2",
		    IDENTITY_DO_TRANSITION, "v" } },
		{ OBJECT_REPOSITORY,
		  { "repository, unmanaged", IDENTITY_CREATE, COPY("", ""), false, "", "u", "p", IDENTITY_DO_REFUSE,
		    NULL } },
		{ OBJECT_REPOSITORY,
		  { "repository, unmanaged, spec", IDENTITY_SPEC, COPY("", ""), false, "", "u", "", IDENTITY_DO_REFUSE,
		    NULL } },
		{ OBJECT_REPOSITORY,
		  { "repository, mismatch", IDENTITY_SPEC, COPY("u", ""), false, "", "v", "", IDENTITY_DO_RECREATE,
		    "v" } },
		{ OBJECT_GPGKEY,
		  { "keys, unmanaged (8.4 #50)", IDENTITY_SPEC, COPY("", ""), false, "", "u", "", IDENTITY_DO_ADOPT,
		    "u" } },
		{ OBJECT_GPGKEY,
		  { "keys, mismatch", IDENTITY_SPEC, COPY("u", ""), false, "", "v", "", IDENTITY_DO_RECREATE, "v" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(IDENTITY_MANAGED_AGENT, rows[i].kind, &rows[i].row, &defaults, "", false);
}

/* ---- deletes ---------------------------------------------------------------------------------------------------- */

/* Facts 9.2 (agent/inbound.go:856-905): a late delete must not remove the newer object of the same name. */
static void a_delete_with_another_uid_or_none_is_ignored(void **state)
{
	static const struct row rows[] = {
		{ "same", IDENTITY_DELETE, COPY("u", "p"), false, "", "u", "p", IDENTITY_DO_DELETE, NULL },
		{ "same, of the annotation", IDENTITY_DELETE, COPY("u", "p"), false, "u", "x", "p", IDENTITY_DO_DELETE,
		  NULL },
		{ "same, by another principal", IDENTITY_DELETE, COPY("u", "p"), false, "", "u", "q",
		  IDENTITY_DO_DELETE, NULL },
		{ "another", IDENTITY_DELETE, COPY("v", "p"), false, "", "u", "p", IDENTITY_DO_IGNORE, NULL },
		{ "none", IDENTITY_DELETE, COPY("v", "p"), false, "", "", "p", IDENTITY_DO_IGNORE, NULL },
		{ "unmanaged", IDENTITY_DELETE, COPY("", ""), false, "", "u", "p", IDENTITY_DO_IGNORE, NULL },
		{ "unmanaged, none", IDENTITY_DELETE, COPY("", ""), false, "", "", "p", IDENTITY_DO_IGNORE, NULL },
		{ "gone", IDENTITY_DELETE, { 0 }, true, "", "u", "p", IDENTITY_DO_IGNORE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int kind = 0; kind < OBJECT_KIND_COUNT; kind++)
			check(IDENTITY_MANAGED_AGENT, (enum object_kind)kind, &rows[i], &defaults, "", false);
		check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPLICATION, &rows[i], &defaults, "", false);
		check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPPROJECT, &rows[i], &defaults, "", false);
	}
}

/* Facts 4.5 "Deletes", 8.4 #9, #21. */
static void a_managed_agents_delete_counts_when_the_principal_deletes_too(void **state)
{
	struct row r = { "wanted",
			 IDENTITY_DELETE,
			 { "u", "", "", "", NULL, false, false },
			 false,
			 "u",
			 "x",
			 "",
			 IDENTITY_DO_IGNORE,
			 NULL };

	(void)state;
	check(IDENTITY_PRINCIPAL_OF_MANAGED, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.local.deleting = true;
	r.says = "being deleted";
	r.decision = IDENTITY_DO_DELETE;
	check(IDENTITY_PRINCIPAL_OF_MANAGED, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.says = "being deleted, but the agent had another";
	r.source_uid = "v";
	r.decision = IDENTITY_DO_IGNORE;
	check(IDENTITY_PRINCIPAL_OF_MANAGED, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.says = "the agent's own: its metadata.uid says nothing here";
	r.source_uid = "";
	r.uid = "u";
	check(IDENTITY_PRINCIPAL_OF_MANAGED, OBJECT_APPLICATION, &r, &defaults, "", false);
}

/* Facts 10 #1056: deleted on both sides at once; the principal's finalizers wait for the agent's word. */
static void what_is_being_deleted_and_is_not_here_is_reported_as_gone(void **state)
{
	static const struct row app = { "gone", IDENTITY_SPEC, { 0 }, true, "", "u", "p", IDENTITY_DO_GONE, "u" };
	static const struct row other = {
		"ignored", IDENTITY_SPEC, { 0 }, true, "", "u", "p", IDENTITY_DO_IGNORE, NULL
	};
	static const struct row here = { "here", IDENTITY_SPEC, COPY("u", "p"),     false, "",
					 "u",    "p",           IDENTITY_DO_UPDATE, "u" };
	static const struct row older = { "older", IDENTITY_SPEC, COPY("t", "p"),       false, "",
					  "u",     "p",           IDENTITY_DO_RECREATE, "u" };

	(void)state;
	check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &app, &defaults, "", /* source_deleting= */ true);
	check(IDENTITY_MANAGED_AGENT, OBJECT_APPPROJECT, &other, &defaults, "", true);
	check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPLICATION, &other, &defaults, "", true);
	check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &here, &defaults, "", true);
	check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &older, &defaults, "", true);
}

static void what_is_on_its_way_out_here_is_made_anew(void **state)
{
	struct row r = {
		"another UID", IDENTITY_SPEC, COPY("t", "p1"), false, "", "u", "p2", IDENTITY_DO_RECREATE, "u"
	};

	(void)state;
	r.local.deleting = true;
	check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
	check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.says = "same UID: its finalizers may have to change before it can go";
	r.uid = "t";
	r.principal = "p1";
	r.decision = IDENTITY_DO_UPDATE;
	r.stamped = "t";
	check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.says = "a copy at the principal, whose finalizers nobody there works on (8.4 #8)";
	r.decision = IDENTITY_DO_RECREATE;
	check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.says = "both are being deleted";
	r.decision = IDENTITY_DO_UPDATE;
	check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPLICATION, &r, &defaults, "", true);
	r.says = "unmanaged";
	r.local.source_uid = "";
	r.verb = IDENTITY_CREATE;
	r.decision = IDENTITY_DO_RECREATE;
	check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
}

/* ---- operations ------------------------------------------------------------------------------------------------- */

/* Facts 4.3 after the table, 11.24; 8.4 #22-25. */
static void an_operation_runs_on_the_object_it_was_meant_for_alone(void **state)
{
	static const struct {
		enum identity_verb verb;
		const char *uid, *phase;
		bool absent;
		enum identity_decision decision;
	} rows[] = {
		{ IDENTITY_SET_OPERATION, "u", NULL, false, IDENTITY_DO_UPDATE },
		{ IDENTITY_SET_OPERATION, "u", "Running", false, IDENTITY_DO_UPDATE },
		{ IDENTITY_SET_OPERATION, "v", NULL, false, IDENTITY_DO_REFUSE },
		{ IDENTITY_SET_OPERATION, "", NULL, false, IDENTITY_DO_REFUSE },
		{ IDENTITY_SET_OPERATION, "u", NULL, true, IDENTITY_DO_REFUSE },
		{ IDENTITY_TERMINATE, "u", "Running", false, IDENTITY_DO_UPDATE },
		{ IDENTITY_TERMINATE, "", "Running", false, IDENTITY_DO_UPDATE },
		{ IDENTITY_TERMINATE, "u", "", false, IDENTITY_DO_UPDATE },
		{ IDENTITY_TERMINATE, "u", "Terminating", false, IDENTITY_DO_UPDATE },
		{ IDENTITY_TERMINATE, "v", "Running", false, IDENTITY_DO_REFUSE },
		{ IDENTITY_TERMINATE, "u", NULL, false, IDENTITY_DO_REFUSE },
		{ IDENTITY_TERMINATE, "u", "Succeeded", false, IDENTITY_DO_IGNORE },
		{ IDENTITY_TERMINATE, "u", "Failed", false, IDENTITY_DO_IGNORE },
		{ IDENTITY_TERMINATE, "u", "Error", false, IDENTITY_DO_IGNORE },
		{ IDENTITY_TERMINATE, "u", NULL, true, IDENTITY_DO_REFUSE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct row r = { "operation",      rows[i].verb, COPY("u", "p"), rows[i].absent, rows[i].uid, "", "",
				 rows[i].decision, NULL };

		r.local.phase = rows[i].phase;
		check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
		r.local.uid = "u"; /* at an autonomous agent its own UID counts */
		r.local.source_uid = "";
		check(IDENTITY_AUTONOMOUS_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
	}
}

static void an_unmanaged_application_takes_no_operation(void **state)
{
	struct row r = { "set", IDENTITY_SET_OPERATION, COPY("", ""), false, "u", "u", "", IDENTITY_DO_REFUSE, NULL };

	(void)state;
	r.local.phase = "Running";
	check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.verb = IDENTITY_TERMINATE;
	check(IDENTITY_MANAGED_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
}

/* ---- the other ends --------------------------------------------------------------------------------------------- */

static void a_status_counts_for_the_object_it_is_about(void **state)
{
	static const struct row rows[] = {
		{ "same",
		  IDENTITY_STATUS,
		  { "u", "", "", "", NULL, false, false },
		  false,
		  "u",
		  "x",
		  "",
		  IDENTITY_DO_UPDATE,
		  NULL },
		{ "an older one's",
		  IDENTITY_STATUS,
		  { "v", "", "", "", NULL, false, false },
		  false,
		  "u",
		  "x",
		  "",
		  IDENTITY_DO_IGNORE,
		  NULL },
		{ "of an app of the agent's own",
		  IDENTITY_STATUS,
		  { "u", "", "", "", NULL, false, false },
		  false,
		  "",
		  "u",
		  "",
		  IDENTITY_DO_IGNORE,
		  NULL },
		{ "gone", IDENTITY_STATUS, { 0 }, true, "u", "x", "", IDENTITY_DO_IGNORE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(IDENTITY_PRINCIPAL_OF_MANAGED, OBJECT_APPLICATION, &rows[i], &defaults, "", false);
}

/* Facts 4.3 "Autonomous", 8.4 #7, #15, #82: another UID is another object. */
static void an_autonomous_agent_owns_its_applications_and_projects_at_the_principal(void **state)
{
	static const struct row rows[] = {
		{ "new", IDENTITY_CREATE, { 0 }, true, "", "u", "", IDENTITY_DO_CREATE, "u" },
		{ "changed, and never heard of", IDENTITY_SPEC, { 0 }, true, "", "u", "", IDENTITY_DO_CREATE, "u" },
		{ "changed", IDENTITY_SPEC, COPY("u", ""), false, "", "u", "", IDENTITY_DO_UPDATE, "u" },
		{ "created again", IDENTITY_CREATE, COPY("u", ""), false, "", "u", "", IDENTITY_DO_UPDATE, "u" },
		{ "made anew", IDENTITY_CREATE, COPY("t", ""), false, "", "u", "", IDENTITY_DO_RECREATE, "u" },
		{ "status", IDENTITY_STATUS, COPY("u", ""), false, "", "u", "", IDENTITY_DO_UPDATE, "u" },
		{ "status of an older one", IDENTITY_STATUS, COPY("t", ""), false, "", "u", "", IDENTITY_DO_IGNORE,
		  NULL },
	};
	static const struct row own = {
		"the principal's own", IDENTITY_CREATE, COPY("", ""), false, "", "u", "", IDENTITY_DO_REFUSE, NULL
	};
	static const struct row user = {
		"made by hand", IDENTITY_SPEC, COPY("", ""), false, "", "u", "", IDENTITY_DO_ADOPT, "u"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPLICATION, &rows[i], &defaults, "", false);
		check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPPROJECT, &rows[i], &defaults, "", false);
	}
	check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPPROJECT, &own, &defaults, "", false);
	check(IDENTITY_PRINCIPAL_OF_AUTONOMOUS, OBJECT_APPLICATION, &user, &defaults, "", false);
}

/* Facts 11.22: never create or delete; 8.4 #23: operation and refresh. */
static void an_autonomous_agent_takes_operations_and_nothing_else(void **state)
{
	struct identity_local own = { "u", "", "", "", NULL, false, false };
	struct row r = { "spec", IDENTITY_SPEC, own, false, "u", "x", "p", IDENTITY_DO_UPDATE, NULL };

	(void)state;
	check(IDENTITY_AUTONOMOUS_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.source_uid = "v";
	r.decision = IDENTITY_DO_IGNORE;
	check(IDENTITY_AUTONOMOUS_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.absent = true;
	check(IDENTITY_AUTONOMOUS_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.absent = false;
	r.source_uid = "u";
	r.decision = IDENTITY_DO_REFUSE;
	check(IDENTITY_AUTONOMOUS_AGENT, OBJECT_APPPROJECT, &r, &defaults, "", false);
	r.verb = IDENTITY_CREATE;
	check(IDENTITY_AUTONOMOUS_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
	r.verb = IDENTITY_DELETE;
	check(IDENTITY_AUTONOMOUS_AGENT, OBJECT_APPLICATION, &r, &defaults, "", false);
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

/* Every combination of what may be said about an event and what is here. */
struct combination {
	enum identity_end end;
	struct identity_event event;
	struct identity_local local;
	struct identity_policy policy;
	bool absent;
};

static void combine(unsigned n, struct combination *c)
{
	static const char *const uids[] = { "", "u", "v" };
	static const char *const principals[] = { "", "p", "q" };
	static const char *const phases[] = { NULL, "Running", "Failed" };

	c->end = (enum identity_end)(n % 4), n /= 4;
	c->event.kind = (enum object_kind)(n % OBJECT_KIND_COUNT), n /= OBJECT_KIND_COUNT;
	c->event.verb = (enum identity_verb)(n % 6), n /= 6;
	c->event.source_uid = uids[n % 3], n /= 3;
	c->event.uid = n % 2 ? "v" : "", n /= 2;
	c->event.principal_uid = principals[n % 3], n /= 3;
	c->event.mismatch_policy = "";
	c->event.deleting = n % 2, n /= 2;
	c->absent = n % 2, n /= 2;
	c->local = nothing;
	c->local.source_uid = n % 2 ? "u" : "", n /= 2;
	c->local.uid = n % 2 ? "u" : "w", n /= 2;
	c->local.principal_uid = n % 2 ? "p" : "", n /= 2;
	c->local.phase = phases[n % 3], n /= 3;
	c->local.deleting = n % 2, n /= 2;
	c->local.foreign = n % 2, n /= 2;
	c->policy.mismatch = (enum identity_mismatch)(n % 2), n /= 2;
	c->policy.adoption = (enum identity_adoption)(n % 2);
}

#define COMBINATIONS (4u * OBJECT_KIND_COUNT * 6 * 3 * 2 * 3 * 2 * 2 * 2 * 2 * 2 * 3 * 2 * 2 * 2 * 2)

static bool touches(enum identity_decision d)
{
	return d == IDENTITY_DO_UPDATE || d == IDENTITY_DO_TRANSITION || d == IDENTITY_DO_ADOPT ||
	       d == IDENTITY_DO_RECREATE || d == IDENTITY_DO_DELETE;
}

static void check_combination(const struct combination *c)
{
	struct identity_verdict v = identity_decide(c->end, &c->event, c->absent ? NULL : &c->local, &c->policy);
	bool replica = c->end == IDENTITY_MANAGED_AGENT || c->end == IDENTITY_PRINCIPAL_OF_AUTONOMOUS;
	const char *incoming = c->event.source_uid[0] || !replica ? c->event.source_uid : c->event.uid;

	/* Every combination has a rule of its own. */
	assert_null(strstr(v.reason, "no rule"));
	/* Nothing is made of what is there, or changed of what is not. */
	assert_false(v.decision == IDENTITY_DO_CREATE && !c->absent);
	assert_false(touches(v.decision) && c->absent);
	/* Another agent's is out of reach. */
	assert_false(touches(v.decision) && c->local.foreign);
	/* A delete needs the UID. */
	if (v.decision == IDENTITY_DO_DELETE)
		assert_string_equal(incoming, replica ? c->local.source_uid : c->local.uid);
	/* Never means never. */
	if (c->end == IDENTITY_MANAGED_AGENT && c->event.kind == OBJECT_APPLICATION &&
	    c->policy.adoption == IDENTITY_NEVER && !c->local.source_uid[0])
		assert_false(touches(v.decision));
	/* Creates and deletes never reach an autonomous agent; specs never reach the principal of a managed one. */
	if (c->end == IDENTITY_AUTONOMOUS_AGENT &&
	    (c->event.verb == IDENTITY_CREATE || c->event.verb == IDENTITY_DELETE))
		assert_int_equal(v.decision, IDENTITY_DO_REFUSE);
	if (c->end == IDENTITY_PRINCIPAL_OF_MANAGED &&
	    (c->event.verb == IDENTITY_CREATE || c->event.verb == IDENTITY_SPEC))
		assert_int_equal(v.decision, IDENTITY_DO_REFUSE);
	/* What is written has a UID when anybody named one. */
	if (v.decision == IDENTITY_DO_TRANSITION || v.decision == IDENTITY_DO_UPDATE)
		assert_true(v.source_uid[0] || !replica);
}

static void every_combination_has_a_rule_and_keeps_the_promises(void **state)
{
	struct combination c = { 0 };

	(void)state;
	for (unsigned n = 0; n < COMBINATIONS; n++) {
		combine(n, &c);
		check_combination(&c);
	}
}

static void what_was_written_is_the_same_object_the_next_time(void **state)
{
	struct combination c = { 0 };

	(void)state;
	for (unsigned n = 0; n < COMBINATIONS; n++) {
		struct identity_verdict v;

		combine(n, &c);
		c.local.foreign = c.local.deleting = c.event.deleting = false;
		if (c.event.verb != IDENTITY_CREATE && c.event.verb != IDENTITY_SPEC)
			continue;
		v = identity_decide(c.end, &c.event, c.absent ? NULL : &c.local, &c.policy);
		if (v.decision != IDENTITY_DO_CREATE && v.decision != IDENTITY_DO_TRANSITION &&
		    v.decision != IDENTITY_DO_ADOPT)
			continue;
		if (!v.source_uid[0])
			continue;
		c.local.source_uid = v.source_uid;
		if (c.event.principal_uid[0])
			c.local.principal_uid = c.event.principal_uid;
		v = identity_decide(c.end, &c.event, &c.local, &c.policy);
		assert_int_equal(v.decision, IDENTITY_DO_UPDATE);
	}
}

static void the_rules_find_what_they_need_in_the_trees(void **state)
{
	json_object *tree = tree_of("{'metadata':{'uid':'m','deletionTimestamp':'t','annotations':{"
				    "'argocd.argoproj.io/source-uid':'s','argocd.argoproj.io/principal-uid':'p',"
				    "'argocd.argoproj.io/adoption-policy':'never','argocd.argoproj.io/"
				    "source-uid-mismatch-policy':'upsert'}},"
				    "'status':{'operationState':{'phase':'Running'}}}");
	json_object *bare = tree_of("{'metadata':{'name':'a'},'status':{'operationState':{}}}");
	struct identity_event e;
	struct identity_local l;

	(void)state;
	identity_event_of(tree, OBJECT_APPLICATION, IDENTITY_SPEC, "q", &e);
	assert_string_equal(e.uid, "m");
	assert_string_equal(e.source_uid, "s");
	assert_string_equal(e.principal_uid, "q");
	assert_string_equal(e.mismatch_policy, "upsert");
	assert_true(e.deleting);
	identity_local_of(tree, &l);
	assert_string_equal(l.uid, "m");
	assert_string_equal(l.source_uid, "s");
	assert_string_equal(l.principal_uid, "p");
	assert_string_equal(l.adoption, "never");
	assert_string_equal(l.phase, "Running");
	assert_true(l.deleting);
	identity_event_of(bare, OBJECT_APPLICATION, IDENTITY_SPEC, NULL, &e);
	assert_string_equal(e.principal_uid, "");
	assert_string_equal(e.source_uid, "");
	assert_false(e.deleting);
	identity_local_of(bare, &l);
	assert_string_equal(l.phase, "");
	assert_string_equal(l.uid, "");
	json_object_put(tree);
	json_object_put(bare);
}

static void the_policies_have_names(void **state)
{
	enum identity_mismatch mismatch = IDENTITY_RECREATE;
	enum identity_adoption adoption = IDENTITY_ALWAYS;

	(void)state;
	assert_true(identity_mismatch_of("upsert", &mismatch));
	assert_int_equal(mismatch, IDENTITY_UPSERT);
	assert_false(identity_mismatch_of("", &mismatch));
	assert_false(identity_mismatch_of("Recreate", &mismatch));
	assert_int_equal(mismatch, IDENTITY_UPSERT);
	assert_true(identity_mismatch_of("recreate", &mismatch));
	assert_int_equal(mismatch, IDENTITY_RECREATE);
	assert_true(identity_adoption_of("never", &adoption));
	assert_int_equal(adoption, IDENTITY_NEVER);
	assert_false(identity_adoption_of("", &adoption));
	assert_int_equal(adoption, IDENTITY_NEVER);
	assert_true(identity_adoption_of("always", &adoption));
	assert_int_equal(adoption, IDENTITY_ALWAYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_managed_agent_decides_about_applications_as_the_facts_say),
		cmocka_unit_test(the_policy_upsert_keeps_the_object_and_gives_it_the_new_uid),
		cmocka_unit_test(what_must_not_be_adopted_stays_untouched_and_the_principal_hears_of_it),
		cmocka_unit_test(other_kinds_are_adopted_or_refused_and_follow_a_new_principal_too),
		cmocka_unit_test(a_delete_with_another_uid_or_none_is_ignored),
		cmocka_unit_test(a_managed_agents_delete_counts_when_the_principal_deletes_too),
		cmocka_unit_test(what_is_being_deleted_and_is_not_here_is_reported_as_gone),
		cmocka_unit_test(what_is_on_its_way_out_here_is_made_anew),
		cmocka_unit_test(an_operation_runs_on_the_object_it_was_meant_for_alone),
		cmocka_unit_test(an_unmanaged_application_takes_no_operation),
		cmocka_unit_test(a_status_counts_for_the_object_it_is_about),
		cmocka_unit_test(an_autonomous_agent_owns_its_applications_and_projects_at_the_principal),
		cmocka_unit_test(an_autonomous_agent_takes_operations_and_nothing_else),
		cmocka_unit_test(every_combination_has_a_rule_and_keeps_the_promises),
		cmocka_unit_test(what_was_written_is_the_same_object_the_next_time),
		cmocka_unit_test(the_policies_have_names),
		cmocka_unit_test(the_rules_find_what_they_need_in_the_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
