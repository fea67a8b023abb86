/* What a JSONPath finds. */
#include <assert.h>

#include "filter/json_path.h"
#include "filter/list.h"
#include "filter/number.h"
#include "filter/path_step.h"

struct search {
	struct run *run;
	struct value root;
};

static bool find(struct search *s, const struct path_step *step, struct value at, struct value *ret);

/* ---- one place ---------------------------------------------------------------------------------------------------------------------- */

static bool has_length(struct run *r, struct value at, struct value *ret)
{
	if (at.type == VALUE_STRING)
		*ret = value_int((int64_t)at.text.n);
	else if (at.type == VALUE_LIST)
		*ret = value_int((int64_t)value_list_size(r, at));
	else
		*ret = value_int((int64_t)value_map_held(r, at).n);
	return r->err == E_OK;
}

static bool is_container(struct value v)
{
	return v.type == VALUE_LIST || v.type == VALUE_MAP;
}

/* The member or element `key`, if there is one. */
static bool place(struct search *s, struct value at, struct value key, struct value *ret)
{
	struct run *r = s->run;
	int64_t i;

	if (key.type == VALUE_STRING) {
		if (at.type == VALUE_MAP && value_map_get(r, at, key.text, ret))
			return true;
		return str_is(key.text, "length") && (is_container(at) || at.type == VALUE_STRING) &&
		       has_length(r, at, ret);
	}
	if (at.type != VALUE_LIST)
		return false;
	if (key.type == VALUE_FLOAT ? !number_to_int(key.number, &i) : key.type != VALUE_INT)
		return false;
	if (key.type == VALUE_INT)
		i = key.integer;
	if (i < 0)
		i += (int64_t)value_list_size(r, at);
	return i >= 0 && value_list_at(r, at, (size_t)i, ret);
}

/* ---- several places --------------------------------------------------------------------------------------------------------------------- */

/* Goes on from `at`; what leads to nothing is left out. */
static void go_on(struct search *s, const struct path_step *step, struct value at, struct list *found)
{
	struct value v;

	if (find(s, step->next, at, &v))
		(void)list_add(s->run, found, v);
}

/* Elements of a list, values of a map: 0 .. n-1 of what is held. */
static struct value children(struct run *r, struct value at)
{
	struct value held = at.type == VALUE_LIST ? value_list_held(r, at) : value_map_held(r, at);
	struct value *items;

	if (at.type == VALUE_LIST)
		return held;
	items = run_array(r, held.n, sizeof(*items));
	for (size_t i = 0; items && i < held.n; i++)
		items[i] = held.pairs[i].value;
	return value_list(items, items ? held.n : 0);
}

static int64_t bound(bool has, int64_t i, size_t n, int64_t dflt)
{
	if (!has)
		return dflt;
	if (i < 0)
		i = i < -(int64_t)n ? 0 : i + (int64_t)n;
	return i > (int64_t)n ? (int64_t)n : i;
}

/* Going back means the same places in the other order. */
static void choose_slice(struct search *s, const struct path_step *step, struct value all, struct list *found)
{
	int64_t from = bound(step->has_from, step->from, all.n, 0),
		to = bound(step->has_to, step->to, all.n, (int64_t)all.n);

	if (step->by > 0)
		for (int64_t i = from; i < to && s->run->err == E_OK; i = to - i > step->by ? i + step->by : to)
			go_on(s, step, all.items[i], found);
	else
		for (int64_t i = to - 1; i >= from && s->run->err == E_OK;
		     i = i - from >= -step->by ? i + step->by : from - 1)
			go_on(s, step, all.items[i], found);
}

static void choose(struct search *s, const struct path_step *step, struct value at, struct list *found)
{
	struct value all, v;

	for (size_t i = 0; i < step->key_count && step->kind == PATH_KEYS; i++)
		if (place(s, at, step->keys[i], &v))
			go_on(s, step, v, found);
	if (step->kind == PATH_COMPUTED && run_condition_value(s->run, step->condition, s->root, at, &v) &&
	    place(s, at, v, &v))
		go_on(s, step, v, found);
	if (step->kind == PATH_KEYS || step->kind == PATH_COMPUTED || !is_container(at))
		return;
	all = children(s->run, at);
	if (step->kind == PATH_SLICE && at.type == VALUE_LIST)
		choose_slice(s, step, all, found);
	for (size_t i = 0; i < all.n && step->kind != PATH_SLICE && run_step(s->run, 1); i++)
		if (step->kind == PATH_ALL || run_condition(s->run, step->condition, s->root, all.items[i]))
			go_on(s, step, all.items[i], found);
}

static void descend(struct search *s, const struct path_step *step, struct value at, unsigned depth, struct list *found)
{
	struct value all;

	if (!run_depth(s->run, depth))
		return;
	choose(s, step, at, found);
	if (!is_container(at))
		return;
	all = children(s->run, at);
	for (size_t i = 0; i < all.n && run_step(s->run, 1); i++)
		descend(s, step, all.items[i], depth + 1, found);
}

/* ---- the path ------------------------------------------------------------------------------------------------------------------------------ */

static bool is_one_place(const struct path_step *step)
{
	return !step->deep && (step->kind == PATH_COMPUTED || (step->kind == PATH_KEYS && step->key_count == 1));
}

/* Is there anything that this step could choose from? */
static bool applies(const struct path_step *step, struct value at)
{
	return step->deep || at.type == VALUE_LIST || (at.type == VALUE_MAP && step->kind != PATH_SLICE);
}

static bool find(struct search *s, const struct path_step *step, struct value at, struct value *ret)
{
	struct list found = { 0 };

	for (; step && is_one_place(step); step = step->next) {
		struct value key = step->key_count ? step->keys[0] : value_nil();

		if (!run_step(s->run, 1))
			return false;
		if (step->kind == PATH_COMPUTED && !run_condition_value(s->run, step->condition, s->root, at, &key))
			return false;
		if (!place(s, at, key, &at))
			return false;
	}
	if (!step) {
		*ret = at;
		return s->run->err == E_OK;
	}
	if (!applies(step, at))
		return false;
	if (step->deep)
		descend(s, step, at, 0, &found);
	else
		choose(s, step, at, &found);
	*ret = list_value(&found);
	return s->run->err == E_OK;
}

enum err json_path_find(struct run *r, const struct json_path *path, struct str text, struct value root,
			struct value *ret)
{
	struct search s = { r, root };
	struct json_path *own = NULL;
	struct why why;
	bool found;

	if (!path) {
		enum err err = run_step(r, 100 + text.n) ? json_path_read(text, r->pool, &why, &own) : r->err;

		if (err != E_OK)
			return run_fail(r, err, "%s", why.text);
		assert(own);
	}
	found = find(&s, path ? path->first : own->first, root, ret);
	json_path_release(own);
	if (!found)
		return run_misfit(r, "jsonpath(json, path): there is nothing at this path");
	return E_OK;
}
