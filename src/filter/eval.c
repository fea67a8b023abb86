/* The tree, evaluated. */
#include "filter/function.h"
#include "filter/run.h"

/* ---- names of the event ------------------------------------------------------------------------------------------------ */

/* A member's key stands for a name when they are the same but for - in the key, which is _ in the name. */
static bool key_is_name(struct str key, struct str name)
{
	if (key.n != name.n)
		return false;
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] != name.p[i] && (key.p[i] != '-' || name.p[i] != '_'))
			return false;
	return true;
}

/*
 * Keys with dots stand for maps in maps: "a.b" is b in a. `path` is the key of one member with dots, behind those of `into`.
 * Later members replace earlier ones.
 */
static struct value with_member(struct run *r, struct value into, struct str path, struct value value, unsigned depth)
{
	struct str rest = path, part = str_cut(&rest, '.');
	bool last = part.n == path.n;
	struct value inner = value_nil();
	struct value_pair *pairs = run_depth(r, depth) ? run_array(r, into.n + 1, sizeof(*pairs)) : NULL;

	if (!pairs || !run_step(r, 1 + into.n))
		return into;
	if (!last && (!value_map_get(r, into, part, &inner) || inner.type != VALUE_MAP))
		inner = (struct value){ .type = VALUE_MAP };
	if (into.n)
		memcpy(pairs, into.pairs, into.n * sizeof(*pairs));
	if (!last)
		value = with_member(r, value_map_held(r, inner), rest, value, depth + 1);
	pairs[into.n] = (struct value_pair){ part, value };
	return value_map_of(r, pairs, into.n + 1);
}

/* A member of the event: does the name mean it, or something inside it? */
static void match_member(struct run *r, const struct expr_name *n, struct value *slot, struct str key, struct str raw)
{
	size_t dot = str_find(key, '.');
	struct value old;

	if (key_is_name(key, n->text)) {
		/* A key with dots goes before one that is its beginning. */
		if (slot->type != VALUE_MAP || slot->form == FORM_JSON)
			*slot = value_of_json(r, raw);
		return;
	}
	if (dot == key.n || !key_is_name(str_sub(key, 0, dot), n->text) || dot + 1 == key.n)
		return;
	old = slot->type == VALUE_MAP && slot->form == FORM_HELD ? *slot : (struct value){ .type = VALUE_MAP };
	*slot = with_member(r, old, str_sub(key, dot + 1, key.n), value_of_json(r, raw), /* depth= */ 1);
}

/* One pass over the event's members for all names of the filter. */
static void find_names(struct run *r)
{
	struct json_walk w = json_walk(r->in->object);

	r->named = true;
	if (!run_look(r, r->in->object.n))
		return;
	json_walk_enter(&w);
	while (r->err == E_OK && json_walk_next(&w)) {
		struct str raw_key = json_walk_key(&w), raw = json_walk_value(&w), key = value_json_string(r, raw_key);
		struct value *slot = r->names;

		for (const struct expr_name *n = r->filter->names; n; n = n->next)
			match_member(r, n, slot++, key, raw);
	}
}

static void find_data(struct run *r)
{
	struct value *slot = r->names;

	for (const struct expr_name *n = r->filter->names; n && r->in->has_data; n = n->next, slot++)
		if (str_is(n->text, "data"))
			*slot = r->in->data_is_text ? value_string(r->in->data) : value_of_json(r, r->in->data);
}

static enum err eval_name(struct run *r, const struct expr *e, struct value *ret)
{
	if (!r->named) {
		find_names(r);
		find_data(r);
	}
	*ret = r->names[e->slot];
	return r->err;
}

/* ---- pieces ------------------------------------------------------------------------------------------------------------- */

enum err run_eval_bool(struct run *r, const struct expr *e, bool *ret)
{
	struct value v = value_nil();

	if (run_eval(r, e, &v) != E_OK)
		return r->err;
	if (v.type != VALUE_BOOL) {
		r->at = e->at;
		return run_misfit(r, "true or false is wanted here, not %s", value_type_name(v.type));
	}
	*ret = v.truth;
	return E_OK;
}

static enum err eval_pointer(struct run *r, const struct expr *e, struct value *ret)
{
	const struct scope *s = r->scope;

	*ret = e->pointer == POINTER_INDEX ? value_int(s->index) : e->pointer == POINTER_ACC ? s->acc : s->element;
	return E_OK;
}

/* E_NOT_FOUND, and no error of the run: an optional member of nothing; the chain around it is nil. */
static enum err eval_member(struct run *r, const struct expr *e, struct value *ret)
{
	struct value base = value_nil(), key = value_nil();
	enum err err = run_eval(r, e->a, &base);

	if (err != E_OK)
		return err;
	if (e->optional && base.type == VALUE_NIL)
		return E_NOT_FOUND;
	err = run_eval(r, e->b, &key);
	if (err != E_OK)
		return err;
	r->at = e->at;
	return run_member(r, base, key, ret);
}

static enum err eval_chain(struct run *r, const struct expr *e, struct value *ret)
{
	enum err err = run_eval(r, e->a, ret);

	if (err != E_NOT_FOUND)
		return err;
	*ret = value_nil();
	return E_OK;
}

static enum err eval_cond(struct run *r, const struct expr *e, struct value *ret)
{
	bool yes = false;

	if (run_eval_bool(r, e->a, &yes) != E_OK)
		return r->err;
	if (yes && !e->b) {
		*ret = value_bool(true);
		return E_OK;
	}
	return run_eval(r, yes ? e->b : e->c, ret);
}

static enum err eval_let(struct run *r, const struct expr *e, struct value *ret)
{
	if (run_eval(r, e->a, &r->locals[e->slot]) != E_OK)
		return r->err;
	return run_eval(r, e->b, ret);
}

static enum err eval_array(struct run *r, const struct expr *e, struct value *ret)
{
	struct value *items = run_array(r, e->count, sizeof(*items));

	for (size_t i = 0; items && i < e->count; i++)
		if (run_eval(r, e->items[i], &items[i]) != E_OK)
			return r->err;
	*ret = value_list(items, e->count);
	return r->err;
}

static enum err eval_map(struct run *r, const struct expr *e, struct value *ret)
{
	size_t n = e->count / 2;
	struct value_pair *pairs = run_array(r, n, sizeof(*pairs));
	struct value key = value_nil();

	for (size_t i = 0; pairs && i < n; i++) {
		if (run_eval(r, e->items[2 * i], &key) != E_OK ||
		    run_eval(r, e->items[2 * i + 1], &pairs[i].value) != E_OK)
			return r->err;
		r->at = e->items[2 * i]->at;
		if (key.type != VALUE_STRING)
			return run_misfit(r, "a key is a string, not %s", value_type_name(key.type));
		pairs[i].key = key.text;
	}
	*ret = value_map_of(r, pairs, pairs ? n : 0);
	return r->err;
}

/* ---- one node ----------------------------------------------------------------------------------------------------------- */

static enum err eval_simple(struct run *r, const struct expr *e, struct value *ret)
{
	switch ((enum expr_kind)e->kind) {
	case EXPR_BOOL:
		*ret = value_bool(e->truth);
		return E_OK;
	case EXPR_INT:
		*ret = value_int(e->integer);
		return E_OK;
	case EXPR_FLOAT:
		*ret = value_float(e->number);
		return E_OK;
	case EXPR_STRING:
		*ret = value_string(e->text);
		return E_OK;
	case EXPR_EVENT:
		*ret = r->event;
		return E_OK;
	case EXPR_LOCAL:
		*ret = r->locals[e->slot];
		return E_OK;
	case EXPR_POINTER:
		return eval_pointer(r, e, ret);
	case EXPR_NAME:
		return eval_name(r, e, ret);
	default:
		*ret = value_nil();
		return E_OK;
	}
}

enum err run_eval(struct run *r, const struct expr *e, struct value *ret)
{
	r->at = e->at;
	if (!run_step(r, 1))
		return r->err;
	switch ((enum expr_kind)e->kind) {
	case EXPR_UNARY:
		return run_unary(r, e, ret);
	case EXPR_BINARY:
		return run_binary(r, e, ret);
	case EXPR_MEMBER:
		return eval_member(r, e, ret);
	case EXPR_SLICE:
		return run_slice(r, e, ret);
	case EXPR_CHAIN:
		return eval_chain(r, e, ret);
	case EXPR_CALL:
		return run_call(r, e, ret);
	case EXPR_COND:
		return eval_cond(r, e, ret);
	case EXPR_LET:
		return eval_let(r, e, ret);
	case EXPR_ARRAY:
		return eval_array(r, e, ret);
	case EXPR_MAP:
		return eval_map(r, e, ret);
	default:
		return eval_simple(r, e, ret);
	}
}
