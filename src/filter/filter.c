#include "filter/filter.h"

#include "base/mem.h"
#include "filter/json_path.h"
#include "filter/limits.h"
#include "filter/pattern.h"
#include "filter/run.h"

#define SCRATCH 4096 /* bytes on the stack: most evaluations need no more */

/* ---- compiling --------------------------------------------------------------------------------------------------------------------------- */

/* What a node holds outside the pool. */
static void release_node(struct expr *e)
{
	if (!e)
		return;
	pattern_free(e->pattern);
	json_path_release(e->path);
	release_node(e->a);
	release_node(e->b);
	release_node(e->c);
	for (size_t i = 0; i < e->count; i++)
		release_node(e->items[i]);
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	release_node(f->root);
	pool_release(&f->pool);
	mem_free(f);
}

DEFINE_FREEP(filter, struct filter, filter_free)

static enum err take_text(struct filter *f, struct str text)
{
	char *copy;

	pool_init(&f->pool, NULL, 0, FILTER_TREE_MAX);
	copy = pool_alloc(&f->pool, text.n);
	if (!copy)
		return E_NOMEM;
	if (text.n)
		memcpy(copy, text.p, text.n);
	f->text = (struct str){ copy, text.n };
	return E_OK;
}

/* The byte where `text` ceases to be UTF-8. */
static size_t bad_byte(struct str text)
{
	size_t from = 0, to = text.n;

	while (from < to) {
		size_t middle = (from + to + 1) / 2;

		if (str_is_utf8(str_sub(text, 0, middle)))
			from = middle;
		else
			to = middle - 1;
	}
	return from;
}

/* Points to the place in front of what was said already. */
static enum err point_to(struct str text, size_t at, struct why *why, enum err err, struct filter_place *ret_place)
{
	struct why story = { .text = "" };

	if (ret_place)
		*ret_place = filter_place_of(text, at);
	if (why)
		story = *why;
	return err == E_NOMEM ? why_set(why, err, "no memory for the expression")
			      : filter_say(text, at, why, err, "%.300s", story.text);
}

static enum err compile(struct str text, bool json_path, bool wants_bool, struct why *why,
			struct filter_place *ret_place, struct filter **ret_filter)
{
	CLEANUP(filter_freep) struct filter *f = NULL;
	size_t at = 0;
	enum err err;

	if (ret_place)
		*ret_place = (struct filter_place){ 1, 1 };
	if (text.n > FILTER_TEXT_MAX)
		return why_set(why, E_LIMIT, "column 1: the expression is longer than %d bytes", FILTER_TEXT_MAX);
	if (!str_is_utf8(text)) {
		(void)why_set(why, E_MALFORMED, "the expression is not UTF-8");
		return point_to(text, bad_byte(text), why, E_MALFORMED, ret_place);
	}
	f = mem_alloc(sizeof(*f));
	if (!f || take_text(f, text) != E_OK)
		return why_set(why, E_NOMEM, "no memory for the expression");
	f->json_path = json_path;
	err = filter_parse(f, why, &at);
	if (err == E_OK)
		err = filter_check(f, wants_bool, why, &at);
	else
		f->root = NULL;
	if (err != E_OK)
		return point_to(text, at, why, err, ret_place);
	*ret_filter = TAKE(f);
	return E_OK;
}

enum err filter_compile(struct str text, struct why *why, struct filter_place *ret_place, struct filter **ret_filter)
{
	return compile(text, /* json_path= */ false, /* wants_bool= */ true, why, ret_place, ret_filter);
}

enum err filter_compile_any(struct str text, struct why *why, struct filter_place *ret_place,
			    struct filter **ret_filter)
{
	return compile(text, /* json_path= */ false, /* wants_bool= */ false, why, ret_place, ret_filter);
}

enum err filter_compile_condition(struct str text, struct why *why, struct filter **ret_filter)
{
	return compile(text, /* json_path= */ true, /* wants_bool= */ false, why, NULL, ret_filter);
}

/* ---- evaluating -------------------------------------------------------------------------------------------------------------------------- */

static bool prepare(struct run *r)
{
	r->names = run_array(r, r->filter->name_count, sizeof(*r->names));
	r->locals = run_array(r, r->filter->local_count, sizeof(*r->locals));
	return r->err == E_OK;
}

struct evaluation {
	struct run run;
	struct pool pool;
	uint64_t steps;
	struct why own; /* when the caller wants no story: errors are told apart by it all the same */
	_Alignas(16) char scratch[SCRATCH];
};

static enum err evaluate(struct evaluation *ev, const struct filter *f, const struct filter_input *in, struct why *why,
			 struct value *ret)
{
	pool_init(&ev->pool, ev->scratch, SCRATCH, FILTER_MEMORY_MAX);
	ev->steps = FILTER_STEPS_MAX;
	ev->run = (struct run){ .filter = f,
				.in = in,
				.event = { .type = VALUE_MAP, .form = FORM_JSON, .text = in->object },
				.pool = &ev->pool,
				.steps = &ev->steps,
				.now_ns = in->now_ns,
				.why = why };
	if (in->object.n == 0 || in->object.p[0] != '{')
		return run_misfit(&ev->run, "the event is no JSON object");
	return prepare(&ev->run) ? run_eval(&ev->run, f->root, ret) : ev->run.err;
}

enum err filter_eval(const struct filter *f, const struct filter_input *in, struct why *why, bool *ret_pass)
{
	struct evaluation ev;
	struct value v = value_nil();
	enum err err = evaluate(&ev, f, in, why, &v);

	if (err == E_OK && v.type != VALUE_BOOL) {
		ev.run.at = f->root->at;
		err = run_misfit(&ev.run, "a filter gives true or false, not %s", value_type_name(v.type));
	}
	if (err == E_OK)
		*ret_pass = v.truth;
	pool_release(&ev.pool);
	return err;
}

enum err filter_value(const struct filter *f, const struct filter_input *in, struct why *why, struct buf *ret_json)
{
	struct evaluation ev;
	struct value v = value_nil();

	if (evaluate(&ev, f, in, why, &v) == E_OK)
		value_write_json(&ev.run, v, /* indent= */ false, ret_json);
	pool_release(&ev.pool);
	return ev.run.err;
}

/* ---- conditions of a JSONPath --------------------------------------------------------------------------------------------------------------- */

bool run_condition_value(struct run *r, const struct filter *condition, struct value root, struct value element,
			 struct value *ret)
{
	struct scope scope = { .element = element };
	struct run inner = { .filter = condition,
			     .in = r->in,
			     .event = root,
			     .scope = &scope,
			     .pool = r->pool,
			     .steps = r->steps,
			     .now_ns = r->now_ns };

	if (r->err != E_OK)
		return false;
	if (prepare(&inner) && run_eval(&inner, condition->root, ret) == E_OK)
		return true;
	if (inner.err != E_MALFORMED)
		(void)run_fail(r, inner.err, "the condition of the JSONPath takes too much");
	return false;
}

bool run_condition(struct run *r, const struct filter *condition, struct value root, struct value element)
{
	struct value v;

	return run_condition_value(r, condition, root, element, &v) && !value_empty(v);
}
