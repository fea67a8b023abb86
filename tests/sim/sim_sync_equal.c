#include <stdio.h>

#include "sim_sync.h"
#include "sync/digest.h"
#include "sync/project.h"

#define DIFFERENCE_MAX     512

#define DIFFERS(text, ...) ((void)snprintf(text, DIFFERENCE_MAX, __VA_ARGS__), false)

static bool same(json_object *a, json_object *b, enum digest_part part)
{
	struct digest left, right;

	return digest_of(a, part, &left) == E_OK && digest_of(b, part, &right) == E_OK &&
	       strcmp(left.text, right.text) == 0;
}

static void without_destination(json_object *tree)
{
	json_object *spec = tree_get(tree, "spec", NULL);

	if (spec)
		json_object_object_del(spec, "destination");
}

static struct mapping_principal mapping_of(const struct sim *s)
{
	return (struct mapping_principal){ .by_destination = s->by_destination,
					   .namespace = PRINCIPAL_NAMESPACE,
					   .allowed = s->everywhere,
					   .selector = s->picks ? s->selector : NULL };
}

/* ---- managed ------------------------------------------------------------------------------------------------------- */

static bool reaches(const struct sim *s, json_object *project, const struct agent *a)
{
	enum mapping_reason reason;

	return project_reaches(project, a->name, s->by_destination, &reason) == E_OK && reason == MAPPING_OK;
}

/* What the agent should have of this object, the destination aside; NULL: nothing. */
static json_object *wanted_of(struct sim *s, const struct agent *a, const struct object *o)
{
	struct mapping_principal m = mapping_of(s);
	json_object *tree = object_tree_own(o), *copy = NULL;
	char project[OBJECT_NAME_MAX + 1];
	enum mapping_reason reason;
	const char *owner;
	bool goes;

	switch (o->kind) {
	case OBJECT_APPLICATION:
		goes = mapping_owner(&m, tree, &owner) == MAPPING_OK && strcmp(owner, a->name) == 0;
		if (!goes)
			break;
		without_destination(tree);
		return tree;
	case OBJECT_APPPROJECT:
		goes = reaches(s, tree, a) && strcmp(o->namespace, PRINCIPAL_NAMESPACE) == 0;
		if (goes)
			(void)project_for_agent(tree, a->name, s->by_destination, &copy);
		break;
	case OBJECT_REPOSITORY:
		goes = project_of_repository(tree, project, &reason) == E_OK && reason == MAPPING_OK;
		o = goes ? memory_store_get(s->principal.store, OBJECT_APPPROJECT, PRINCIPAL_NAMESPACE, project) : NULL;
		copy = o ? object_tree(o) : NULL;
		goes = copy && reaches(s, copy, a);
		json_object_put(copy);
		copy = NULL;
		if (goes)
			return tree;
		break;
	default:
		return tree;
	}
	json_object_put(tree);
	return copy;
}

static bool compare_copy(struct sim *s, const struct agent *a, const struct object *o, json_object *wanted, char *text)
{
	const char *namespace = s->by_destination && o->kind == OBJECT_APPLICATION &&
						strcmp(o->namespace, PRINCIPAL_NAMESPACE) != 0
					? o->namespace
					: SITE_NAMESPACE;
	const struct object *copy = memory_store_get(a->end.store, o->kind, namespace, o->name);
	json_object *tree = copy ? object_tree_own(copy) : NULL, *truth = object_tree(o);
	bool app = o->kind == OBJECT_APPLICATION, equal = true;

	if (app)
		without_destination(tree);
	if (app && tree_get(truth, "metadata", "deletionTimestamp", NULL))
		equal = DIFFERS(text, "%s/%s is still being deleted", o->namespace, o->name);
	else if (!copy)
		equal = DIFFERS(text, "%s lacks %s/%s", a->name, o->namespace, o->name);
	else if (strcmp(copy->source_uid, o->uid) != 0)
		equal = DIFFERS(text, "%s has %s with source-uid %s instead of %s", a->name, o->name, copy->source_uid,
				o->uid);
	else if (!same(wanted, tree, DIGEST_DESIRED))
		equal = DIFFERS(text, "%s has another %s: %.900s / %.900s", a->name, o->name,
				json_object_to_json_string_ext(wanted, JSON_C_TO_STRING_PLAIN),
				json_object_to_json_string(tree));
	else if (app && !same(truth, tree, DIGEST_STATUS))
		equal = DIFFERS(text, "%s: the principal has another status of %s", a->name, o->name);
	else if (app && !same(truth, tree, DIGEST_OPERATION))
		equal = DIFFERS(text, "%s: the principal has another operation of %s", a->name, o->name);
	json_object_put(tree);
	json_object_put(truth);
	return equal;
}

static bool managed_has_all(struct sim *s, const struct agent *a, char *text)
{
	struct object *o;
	size_t at = 0;
	bool equal = true;

	while (equal && (o = memory_store_next(s->principal.store, &at))) {
		json_object *wanted = wanted_of(s, a, o);

		if (wanted)
			equal = compare_copy(s, a, o, wanted, text);
		json_object_put(wanted);
	}
	return equal;
}

/* Whose copy is it? */
static struct object *original_of(const struct memory_store *store, const struct object *copy)
{
	struct object *o;
	size_t at = 0;

	while ((o = memory_store_next(store, &at)))
		if (strcmp(o->uid, copy->source_uid) == 0)
			return o;
	return NULL;
}

/* It was excluded while its agent was autonomous and it was an original: nobody's business. */
static bool is_excluded(const struct object *o)
{
	json_object *tree = object_tree(o);
	bool is = mapping_skipped(tree);

	json_object_put(tree);
	return is;
}

static bool managed_has_no_more(struct sim *s, const struct agent *a, char *text)
{
	struct object *o;
	size_t at = 0;

	while ((o = memory_store_next(a->end.store, &at))) {
		const struct object *original = o->source_uid[0] ? original_of(s->principal.store, o) : NULL;
		json_object *wanted = original ? wanted_of(s, a, original) : NULL;

		json_object_put(wanted);
		if (o->source_uid[0] && !wanted && !is_excluded(o))
			return DIFFERS(text, "%s still has %s %s, which is %s", a->name, object_kind_name(o->kind),
				       o->name, original ? "not for it" : "gone");
	}
	return true;
}

/* ---- autonomous ---------------------------------------------------------------------------------------------------- */

static json_object *shown_of(const struct agent *a, const struct object *o)
{
	json_object *tree = object_tree_own(o), *copy = NULL;
	struct why why;

	if (mapping_skipped(tree) || (o->kind != OBJECT_APPLICATION && o->kind != OBJECT_APPPROJECT)) {
		json_object_put(tree);
		return NULL;
	}
	if (o->kind == OBJECT_APPLICATION && mapping_from_autonomous(tree, a->name, &why) == E_OK)
		return tree;
	if (o->kind == OBJECT_APPPROJECT)
		(void)project_from_agent(tree, a->name, PRINCIPAL_NAMESPACE, &why, &copy);
	json_object_put(tree);
	return copy;
}

static bool compare_shown(struct sim *s, const struct agent *a, const struct object *o, json_object *shown, char *text)
{
	const struct object *copy = memory_store_get(s->principal.store, o->kind, tree_meta(shown, "namespace"),
						     tree_meta(shown, "name"));
	json_object *tree = copy ? object_tree(copy) : NULL;
	enum digest_part part = o->kind == OBJECT_APPLICATION ? DIGEST_WHOLE : DIGEST_DESIRED;
	bool equal = true;

	if (!copy)
		equal = DIFFERS(text, "the principal lacks %s of %s", o->name, a->name);
	else if (strcmp(copy->source_uid, o->uid) != 0)
		equal = DIFFERS(text, "the principal has %s of %s with source-uid %s instead of %s", o->name, a->name,
				copy->source_uid, o->uid);
	else if (!same(shown, tree, part))
		equal = DIFFERS(text, "the principal has another %s of %s: %.900s / %.900s", o->name, a->name,
				json_object_to_json_string_ext(shown, JSON_C_TO_STRING_PLAIN),
				json_object_to_json_string(tree));
	json_object_put(tree);
	return equal;
}

static bool autonomous_shows_all(struct sim *s, const struct agent *a, char *text)
{
	struct object *o;
	size_t at = 0;
	bool equal = true;

	while (equal && (o = memory_store_next(a->end.store, &at))) {
		json_object *shown = shown_of(a, o);

		if (shown)
			equal = compare_shown(s, a, o, shown, text);
		json_object_put(shown);
	}
	return equal;
}

static bool is_copy_of(const struct agent *a, const struct object *o)
{
	json_object *tree;
	bool is;

	if (o->kind == OBJECT_APPLICATION)
		return o->source_uid[0] && strcmp(o->namespace, a->name) == 0;
	tree = object_tree(o);
	is = o->kind == OBJECT_APPPROJECT && project_is_copy_of(tree, a->name);
	json_object_put(tree);
	return is;
}

static bool autonomous_shows_no_more(struct sim *s, const struct agent *a, char *text)
{
	struct object *o;
	size_t at = 0;

	while ((o = memory_store_next(s->principal.store, &at))) {
		const struct object *original = is_copy_of(a, o) ? original_of(a->end.store, o) : NULL;
		json_object *shown = original ? shown_of(a, original) : NULL;

		json_object_put(shown);
		if (is_copy_of(a, o) && !shown)
			return DIFFERS(text, "the principal still has %s of %s, which is %s", o->name, a->name,
				       original ? "not shown" : "gone");
	}
	return true;
}

/* ---- everybody ------------------------------------------------------------------------------------------------------ */

static bool operations_done(struct sim *s, char *text)
{
	const struct map_entry *e;
	size_t at = 0;

	while ((e = map_next(&s->stories, &at))) {
		const struct story *story = e->value;

		if (story->outstanding && !story->closed)
			return DIFFERS(text, "operation %llu of UID %s of %s was never executed",
				       (unsigned long long)story->op, story->uid, story->agent->name);
	}
	return true;
}

bool equal_everywhere(struct sim *s, char *text)
{
	for (int i = 0; i < SIM_AGENTS; i++) {
		const struct agent *a = &s->agents[i];

		if (a->mode == AGENT_MANAGED && !(managed_has_all(s, a, text) && managed_has_no_more(s, a, text)))
			return false;
		if (a->mode == AGENT_AUTONOMOUS &&
		    !(autonomous_shows_all(s, a, text) && autonomous_shows_no_more(s, a, text)))
			return false;
	}
	return operations_done(s, text);
}

/* The oldest event that was rejected for good. */
static const char *set_aside(struct session *session)
{
	static char text[256];
	struct outbox_quarantined q;
	const void *cursor = NULL;

	if (!outbox_quarantine_next(peer_outbox(session_peer(session)), &cursor, &q))
		return "nothing is set aside";
	(void)snprintf(text, sizeof(text), "%s %.*s: %.*s", delivery_type_name(q.type), STR_ARG(q.event_id),
		       STR_ARG(q.reason));
	return text;
}

static bool session_idle(struct session *session, const char *name, char *text)
{
	struct outbox_stats out;
	struct inbox_stats in;
	struct replica_stats replica;
	struct source_stats source;

	outbox_stats(peer_outbox(session_peer(session)), &out);
	inbox_stats(peer_inbox(session_peer(session)), &in);
	replica_stats(session_replica(session), &replica);
	source_stats(session_source(session), &source);
	if (out.waiting || out.in_flight || out.control)
		return DIFFERS(text, "%s: %llu wait, %llu in flight", name, (unsigned long long)out.waiting,
			       (unsigned long long)out.in_flight);
	if (in.queued || in.applying || in.answers)
		return DIFFERS(text, "%s: %llu queued, %llu being applied", name, (unsigned long long)in.queued,
			       (unsigned long long)in.applying);
	if (replica.busy || source.behind)
		return DIFFERS(text, "%s: %llu busy, %llu behind; %s", name, (unsigned long long)replica.busy,
			       (unsigned long long)source.behind, set_aside(session));
	return true;
}

bool equal_idle(struct sim *s, char *text)
{
	if (!end_is_up(&s->principal) || !journal_is_idle(s->principal.journal))
		return DIFFERS(text, "the principal is down, or has something to write");
	for (int i = 0; i < SIM_AGENTS; i++) {
		struct agent *a = &s->agents[i];

		if (!end_is_up(&a->end) || !journal_is_idle(a->end.journal) || !stream_is_quiet(a))
			return DIFFERS(text, "%s is away, or has something to write", a->name);
		if (!session_idle(end_session(&s->principal, a), "principal", text) ||
		    !session_idle(end_session(&a->end, a), a->name, text))
			return false;
	}
	return true;
}
