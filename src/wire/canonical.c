#include "wire/canonical.h"

#include <errno.h>
#include <math.h>

#include "base/mem.h"
#include "event/json_text.h"
#include "wire/go_double.h"
#include "wire/go_string.h"

struct writer {
	const struct tape *tape;
	struct buf *out;
	struct buf scratch;
	size_t *order; /* members to be written, of all objects that are open */
	size_t n;
	size_t cap;
};

static enum err write_node(struct writer *w, size_t node, struct str without);

static enum err write_string(struct writer *w, struct str raw)
{
	if (go_string_is_plain(raw)) {
		json_write_string(w->out, str_sub(raw, 1, raw.n - 2));
		return E_OK;
	}
	buf_clear(&w->scratch);
	go_string_decode(raw, &w->scratch);
	json_write_string(w->out, buf_view(&w->scratch));
	return w->scratch.err;
}

/* An integer of 64 bits stays one. */
static bool write_integer(struct writer *w, const char *text)
{
	char *end;
	long long value;

	if (strpbrk(text, ".eE"))
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno == ERANGE)
		return false;
	buf_addf(w->out, "%lld", value);
	return true;
}

static enum err write_number(struct writer *w, struct str raw)
{
	const char *text;
	double value;

	buf_clear(&w->scratch);
	buf_str(&w->scratch, raw);
	text = buf_cstr(&w->scratch);
	if (!text)
		return E_NOMEM;
	if (write_integer(w, text))
		return E_OK;
	value = strtod(text, NULL);
	if (!isfinite(value))
		return E_MALFORMED;
	go_double_write(value, w->out);
	return E_OK;
}

static enum err write_scalar(struct writer *w, struct str raw)
{
	if (raw.p[0] == '"')
		return write_string(w, raw);
	if (raw.p[0] == '-' || (raw.p[0] >= '0' && raw.p[0] <= '9'))
		return write_number(w, raw);
	buf_str(w->out, raw);
	return E_OK;
}

static enum err push(struct writer *w, size_t node)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 64;
		size_t *order = mem_realloc(w->order, cap * sizeof(*order));

		if (!order)
			return E_NOMEM;
		w->order = order;
		w->cap = cap;
	}
	w->order[w->n++] = node;
	return E_OK;
}

/* By key; of equal ones in the order of the text. */
static int by_key(const void *a, const void *b, void *ctx)
{
	const struct tape *t = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = str_cmp(t->nodes[x].key, t->nodes[y].key);

	return order ? order : (x > y) - (x < y);
}

static enum err collect(struct writer *w, size_t node, struct str without)
{
	const struct tape_node *nodes = w->tape->nodes;
	enum err err = E_OK;

	for (size_t i = node + 1; i < nodes[node].end && err == E_OK; i = nodes[i].end)
		if (without.n == 0 || !str_eq(nodes[i].key, without))
			err = push(w, i);
	return err;
}

static bool has_same_key(const struct writer *w, size_t a, size_t b)
{
	return str_eq(w->tape->nodes[w->order[a]].key, w->tape->nodes[w->order[b]].key);
}

/* Members [from, to) of the order, the last of each key. */
static enum err write_members(struct writer *w, size_t from, size_t to)
{
	bool first = true;
	enum err err = E_OK;

	for (size_t i = from; i < to && err == E_OK; i++) {
		if (i + 1 < to && has_same_key(w, i, i + 1))
			continue;
		if (!first)
			buf_char(w->out, ',');
		first = false;
		json_write_string(w->out, w->tape->nodes[w->order[i]].key);
		buf_char(w->out, ':');
		err = write_node(w, w->order[i], (struct str){ 0 });
	}
	return err;
}

static enum err write_object(struct writer *w, size_t node, struct str without)
{
	size_t from = w->n;
	enum err err = collect(w, node, without);

	if (err != E_OK)
		return err;
	if (w->n - from > 1)
		qsort_r(w->order + from, w->n - from, sizeof(*w->order), by_key, (void *)w->tape);
	buf_char(w->out, '{');
	err = write_members(w, from, w->n);
	buf_char(w->out, '}');
	w->n = from;
	return err;
}

static enum err write_array(struct writer *w, size_t node)
{
	const struct tape_node *nodes = w->tape->nodes;
	enum err err = E_OK;

	buf_char(w->out, '[');
	for (size_t i = node + 1; i < nodes[node].end && err == E_OK; i = nodes[i].end) {
		if (i > node + 1)
			buf_char(w->out, ',');
		err = write_node(w, i, (struct str){ 0 });
	}
	buf_char(w->out, ']');
	return err;
}

static enum err write_node(struct writer *w, size_t node, struct str without)
{
	struct str raw = w->tape->nodes[node].raw;

	if (raw.p[0] == '{')
		return write_object(w, node, without);
	return raw.p[0] == '[' ? write_array(w, node) : write_scalar(w, raw);
}

enum err canonical_node(const struct tape *t, size_t node, struct str without, struct buf *ret_text, struct why *why)
{
	struct writer w = { .tape = t, .out = ret_text };
	enum err err = write_node(&w, node, without);

	mem_free(w.order);
	buf_release(&w.scratch);
	if (err == E_OK)
		err = ret_text->err;
	if (err == E_MALFORMED)
		return why_set(why, err, "a number is out of range");
	return err == E_OK ? E_OK : why_set(why, err, "%s", err_text(err));
}

enum err canonical_write(struct str json, struct buf *ret_text, struct why *why)
{
	struct tape t = { 0 };
	enum err err = tape_read(&t, json, why);

	if (err == E_OK)
		err = canonical_node(&t, 0, (struct str){ 0 }, ret_text, why);
	tape_release(&t);
	return err;
}
