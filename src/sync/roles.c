#include "sync/role_impl.h"

#include <stdio.h>

#include "base/clock.h"
#include "sync/excerpt.h"
#include "wire/checksum.h"

static const struct {
	const struct role_rules *rules;
	bool creates;
	bool deletes;
	bool kinds[OBJECT_KIND_COUNT]; /* in the order of OBJECT_KINDS */
} ends[] = {
	/* clang-format off */
	[ROLE_MANAGED_AGENT]           = { &role_managed_agent,           false, true,  { true, true,  true,  true  } },
	[ROLE_AUTONOMOUS_AGENT]        = { &role_autonomous_agent,        true,  true,  { true, true,  false, false } },
	[ROLE_PRINCIPAL_OF_MANAGED]    = { &role_principal_of_managed,    true,  true,  { true, true,  true,  true  } },
	[ROLE_PRINCIPAL_OF_AUTONOMOUS] = { &role_principal_of_autonomous, false, false, { true, true,  false, false } },
	/* clang-format on */
};

bool role_creates(enum role_end end)
{
	return ends[end].creates;
}

bool role_deletes(enum role_end end)
{
	return ends[end].deletes;
}

bool role_has_kind(enum role_end end, enum object_kind kind)
{
	return kind < OBJECT_KIND_COUNT && ends[end].kinds[kind];
}

/* Of originals the peer speaks of applications alone: their status, or what is asked of them. */
bool role_takes_kind(enum role_end end, enum object_kind kind)
{
	return role_has_kind(end, kind) && (ends[end].rules->is_copy || kind == OBJECT_APPLICATION);
}

const char *role_now(struct role *r)
{
	r->now[clock_rfc3339(r->wall_ns, r->now)] = 0;
	return r->now;
}

/* ---- source ----------------------------------------------------------------------------------------------------- */

static const struct role_rules *rules_of(const struct role *r)
{
	return ends[r->config.end].rules;
}

static enum err describe(void *ctx, const struct object *truth, struct source_state *ret_state)
{
	const struct role *r = ctx;
	bool bare = r->config.end == ROLE_MANAGED_AGENT && excerpt_is_bare(blob_view(truth->json));
	json_object *tree;
	enum err err;

	if (!role_has_kind(r->config.end, truth->kind))
		return E_NOT_FOUND;
	tree = bare ? NULL : object_tree(truth);
	if (!tree && !bare)
		return E_NOMEM;
	err = rules_of(r)->describe(r, truth, tree, ret_state);
	json_object_put(tree);
	return err;
}

/* "<namespace>/<name>", in the arena. */
static struct str subject(struct buf *arena, const char *namespace, const char *name)
{
	size_t from = arena->n;

	buf_str(arena, str_of(namespace));
	buf_char(arena, '/');
	buf_str(arena, str_of(name));
	return arena->err == E_OK ? (struct str){ arena->p + from, arena->n - from } : (struct str){ 0 };
}

/* The event's content and its subject lie behind each other in the arena, which may move while it grows: data first. */
static enum err write_tree(json_object *tree, struct buf *arena, struct wire_event *e)
{
	enum err err = tree_write(tree, arena, NULL);

	if (err != E_OK)
		return err;
	if (!buf_reserve(arena, 2 * (OBJECT_NAME_MAX + 1)))
		return E_NOMEM;
	e->data = buf_view(arena);
	e->subject = subject(arena, tree_meta(tree, "namespace"), tree_meta(tree, "name"));
	return arena->err;
}

/* The same from the text, in a fraction of the time. `*ret_bare`: it has nothing that the peer's copy may lack. */
static enum err write_excerpt(const struct object *truth, struct buf *arena, struct wire_event *e, bool *ret_bare)
{
	struct str json = blob_view(truth->json);

	if (!buf_reserve(arena, json.n + 2 * (OBJECT_NAME_MAX + 1)))
		return E_NOMEM;
	*ret_bare = excerpt_desired(json, arena) && !mark_may_wish(json);
	e->data = buf_view(arena);
	e->subject = subject(arena, truth->namespace, truth->name);
	return arena->err;
}

/* What a managed agent says of a copy: the principal has its content, which may be long. */
static enum err write_report(const struct role *r, const struct object *truth, struct buf *arena, struct wire_event *e)
{
	struct str json = blob_view(truth->json);
	json_object *tree = object_tree(truth);
	const char *namespace = "";
	enum err err = E_NOMEM;

	if (tree && buf_reserve(arena, json.n + 4 * (OBJECT_NAME_MAX + 1)))
		err = mapping_reported_as(r->config.site, truth->kind, tree, &namespace, NULL);
	if (err == E_OK) {
		excerpt_reported(json, namespace, arena);
		e->data = buf_view(arena);
		e->subject = subject(arena, namespace, truth->name);
		err = arena->err;
	}
	json_object_put(tree);
	return err;
}

static enum err compose_tree(const struct role *r, enum wire_type type, const struct object *truth, struct buf *arena,
			     struct wire_event *e)
{
	json_object *shared = object_tree(truth), *tree = shared ? tree_fork(shared) : NULL;
	json_object *meta = tree_get(tree, "metadata", NULL);
	enum err err = tree ? E_OK : E_NOMEM;

	json_object_put(shared);
	if (meta)
		json_object_object_del(meta, "managedFields");
	if (err == E_OK)
		err = rules_of(r)->prepare(r, type, truth->kind, &tree);
	if (err == E_OK)
		err = write_tree(tree, arena, e);
	json_object_put(tree);
	return err;
}

static enum err compose(void *ctx, enum wire_type type, const struct object *truth, struct buf *arena,
			struct wire_event *e)
{
	const struct role *r = ctx;
	bool excerpt = rules_of(r)->sends_excerpt && truth->kind != OBJECT_APPPROJECT && !truth->source_uid[0] &&
		       (type == WIRE_CREATE || type == WIRE_SPEC_UPDATE);
	bool report = r->config.end == ROLE_MANAGED_AGENT && type == WIRE_STATUS_UPDATE && r->remembers;
	bool bare = false;
	enum err err;

	if (excerpt)
		err = write_excerpt(truth, arena, e, &bare);
	else if (report)
		err = write_report(r, truth, arena, e);
	else
		err = compose_tree(r, type, truth, arena, e);
	e->target = wire_target_of_kind(str_of(object_kind_name(truth->kind)));
	e->bare = bare && r->remembers && type == WIRE_CREATE && truth->kind == OBJECT_APPLICATION;
	if (rules_of(r)->names_principal && type != WIRE_SET_OPERATION)
		e->principal_uid = str_of(r->config.principal_uid);
	return err;
}

static enum err remember(void *ctx, const struct object *truth, struct buf *text)
{
	const struct role *r = ctx;

	return rules_of(r)->remember(r, truth, text);
}

/* Names as the peer says them, the UID, and what the role remembered. */
static enum err write_stub(const struct role *r, const struct source_lost *lost, json_object *stub)
{
	struct replica_place place = { .kind = lost->kind };
	char name[OBJECT_NAME_MAX + 1], uid[OBJECT_NAME_MAX + 1];
	struct str said_namespace, said_name;
	enum err err;

	if (!replica_place_set(&place, lost->kind, str_of(lost->namespace), str_of(lost->name)))
		return E_MALFORMED;
	role_said_as(r, &place, NULL, &said_namespace, &said_name);
	(void)snprintf(name, sizeof(name), "%.*s", STR_ARG(said_name));
	(void)snprintf(uid, sizeof(uid), "%.*s", STR_ARG(lost->uid));
	err = tree_meta_set(stub, "name", name);
	if (err == E_OK && said_namespace.n)
		err = tree_meta_set(stub, "namespace", place.namespace);
	if (err == E_OK)
		err = tree_meta_set(stub, "uid", uid);
	return err == E_OK && rules_of(r)->recall ? rules_of(r)->recall(r, lost->remembered, stub) : err;
}

/* A stub: name, namespace, UID and what was remembered are all that is left of it. */
static enum err compose_delete(void *ctx, const struct source_lost *lost, struct buf *arena, struct wire_event *e)
{
	const struct role *r = ctx;
	json_object *stub = json_object_new_object();
	enum err err = stub ? write_stub(r, lost, stub) : E_NOMEM;

	if (err == E_OK)
		err = write_tree(stub, arena, e);
	json_object_put(stub);
	e->target = wire_target_of_kind(str_of(object_kind_name(lost->kind)));
	if (rules_of(r)->names_principal)
		e->principal_uid = str_of(r->config.principal_uid);
	return err;
}

static enum err checksum(void *ctx, const struct object *truth, unsigned char ret_sum[static WIRE_CHECKSUM])
{
	struct buf arena = { 0 };
	struct wire_event e = { 0 };
	struct why why;
	enum err err = compose(ctx, WIRE_SPEC_UPDATE, truth, &arena, &e);

	if (err == E_OK)
		err = wire_spec_checksum(e.target, e.data, ret_sum, &why);
	buf_release(&arena);
	return err;
}

/* The event that made it said that there is nothing to tell. */
static void known_status(void *ctx, const struct object *truth, struct digest *ret_status)
{
	const struct role *r = ctx;

	if (r->replica && replica_made_untold(r->replica, truth))
		*ret_status = role_no_status;
}

struct source_rules role_source(struct role *r)
{
	return (struct source_rules){ .describe = describe,
				      .known_status = known_status,
				      .compose = compose,
				      .remember = rules_of(r)->remember ? remember : NULL,
				      .compose_delete = compose_delete,
				      .checksum = checksum,
				      .ctx = r };
}

/* ---- replica ---------------------------------------------------------------------------------------------------- */

static enum err parse(const struct wire_event *e, json_object **ret_tree, struct why *why)
{
	enum object_kind kind = object_kind_of(wire_kind_of(e->target));

	if (kind == OBJECT_KIND_COUNT)
		return why_set(why, E_UNSUPPORTED, "'%.*s' is not synchronised", STR_ARG(wire_target_text(e->target)));
	return object_parse(kind, e->data, why, ret_tree);
}

static enum err locate(void *ctx, const struct wire_event *e, struct replica_place *ret_place,
		       json_object **ret_incoming, struct why *why)
{
	const struct role *r = ctx;
	enum object_kind kind = object_kind_of(wire_kind_of(e->target));
	enum err err = E_OK;

	*ret_incoming = NULL;
	if (e->type != WIRE_ERROR) /* its payload is no object */
		err = parse(e, ret_incoming, why);
	if (err == E_OK && !role_has_kind(r->config.end, kind))
		err = why_set(why, E_UNSUPPORTED, "%s is not synchronised in this mode", object_kind_name(kind));
	if (err == E_OK)
		err = rules_of(r)->locate(r, e, kind, ret_incoming, ret_place, why);
	if (err != E_OK) {
		json_object_put(*ret_incoming);
		*ret_incoming = NULL;
	}
	return err;
}

typedef enum err (*rule_fn)(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
			    struct why *why);

static enum err with_local(struct role *r, rule_fn rule, const struct replica_case *c, struct replica_plan *plan,
			   struct why *why)
{
	json_object *local = c->local ? object_tree(c->local) : NULL;
	enum err err = E_NOMEM;

	if (local || !c->local)
		err = rule(r, c, local, plan, why);
	json_object_put(local);
	return err;
}

static enum err apply(void *ctx, const struct replica_case *c, struct replica_plan *plan, struct why *why)
{
	return with_local(ctx, rules_of(ctx)->apply, c, plan, why);
}

static enum err revert(void *ctx, const struct replica_case *c, struct replica_plan *plan, struct why *why)
{
	return with_local(ctx, rules_of(ctx)->revert, c, plan, why);
}

/* A backend may make something else of an operation, as an API server with another schema. */
static void written(void *ctx, const struct replica_plan *plan, enum backend_verb verb, const struct object *result)
{
	struct source_state now = { .operation = plan->operation.digest, .terminate = plan->terminate.digest };
	bool terminates = plan->terminate.is && verb == BACKEND_STATUS;
	struct role *r = ctx;
	json_object *tree;

	if (!r->source || verb == BACKEND_DELETE || (!plan->operation.is && !terminates))
		return;
	tree = object_tree(result);
	if (tree)
		(void)role_describe_operation(tree, &now);
	json_object_put(tree);
	source_takes_over(r->source, result, plan->operation.is ? &now.operation : NULL,
			  terminates ? &now.terminate : NULL);
}

static enum err is_copy(void *ctx, const struct object *local, bool *ret_is)
{
	const struct role *r = ctx;
	json_object *tree;

	*ret_is = false;
	if (!local->source_uid[0] || !role_has_kind(r->config.end, local->kind))
		return E_OK;
	tree = object_tree(local);
	if (!tree)
		return E_NOMEM;
	*ret_is = rules_of(r)->is_copy(r, local, tree);
	json_object_put(tree);
	return E_OK;
}

struct replica_rules role_replica(struct role *r)
{
	return (struct replica_rules){ .locate = locate,
				       .apply = apply,
				       .revert = rules_of(r)->revert ? revert : NULL,
				       .written = written,
				       .is_copy = rules_of(r)->is_copy ? is_copy : NULL,
				       .ctx = r };
}
