/* Values as text: JSON, and what string() says. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "event/json_text.h"
#include "filter/number.h"
#include "filter/run.h"
#include "filter/when.h"

#define FLOAT_STEPS 16 /* finding the shortest digits takes so much longer than other work */

struct writer {
	struct run *run;
	struct buf *out;
	bool json;
	bool indent;
	unsigned depth;
};

static void write_value(struct writer *w, struct value v);

static void new_line(struct writer *w)
{
	if (!w->indent)
		return;
	buf_char(w->out, '\n');
	for (unsigned i = 0; i < w->depth; i++)
		buf_lit(w->out, "  ");
}

static void write_list(struct writer *w, struct value v)
{
	struct value_seq s = value_seq(v);
	struct value element;
	bool any = false;

	buf_char(w->out, '[');
	w->depth++;
	while (w->out->err == E_OK && value_seq_next(w->run, &s, &element)) {
		if (any)
			buf_char(w->out, w->json ? ',' : ' ');
		new_line(w);
		write_value(w, element);
		any = true;
	}
	w->depth--;
	if (any)
		new_line(w);
	buf_char(w->out, ']');
}

static void write_pair(struct writer *w, const struct value_pair *pair)
{
	if (w->json)
		json_write_string(w->out, pair->key);
	else
		buf_str(w->out, pair->key);
	buf_char(w->out, ':');
	if (w->indent)
		buf_char(w->out, ' ');
	write_value(w, pair->value);
}

static void write_map(struct writer *w, struct value v)
{
	v = value_map_held(w->run, v);
	if (w->json)
		buf_char(w->out, '{');
	else
		buf_lit(w->out, "map[");
	w->depth++;
	for (size_t i = 0; i < v.n && w->out->err == E_OK && run_step(w->run, 1); i++) {
		if (i)
			buf_char(w->out, w->json ? ',' : ' ');
		new_line(w);
		write_pair(w, &v.pairs[i]);
	}
	w->depth--;
	if (v.n)
		new_line(w);
	buf_char(w->out, w->json ? '}' : ']');
}

static void write_float(struct writer *w, double number)
{
	char text[NUMBER_TEXT_MAX];

	if (w->json && !isfinite(number)) {
		(void)run_misfit(w->run, "a number that is not finite has no JSON");
		return;
	}
	if (run_step(w->run, FLOAT_STEPS))
		buf_add(w->out, text, w->json ? number_write_json(number, text) : number_write(number, text));
}

static void write_when(struct writer *w, struct value v)
{
	char text[WHEN_TEXT_MAX];
	struct str s = { text, v.type == VALUE_TIME ? when_write_time(v.integer, text)
						    : when_write_duration(v.integer, text) };

	if (w->json && v.type == VALUE_TIME)
		json_write_string(w->out, s);
	else if (w->json)
		buf_addf(w->out, "%" PRId64, v.integer);
	else
		buf_str(w->out, s);
}

static void write_scalar(struct writer *w, struct value v)
{
	switch ((enum value_type)v.type) {
	case VALUE_NIL:
		buf_str(w->out, w->json ? STR("null") : STR("<nil>"));
		break;
	case VALUE_BOOL:
		buf_str(w->out, v.truth ? STR("true") : STR("false"));
		break;
	case VALUE_INT:
		buf_addf(w->out, "%" PRId64, v.integer);
		break;
	case VALUE_FLOAT:
		write_float(w, v.number);
		break;
	case VALUE_STRING:
		if (w->json)
			json_write_string(w->out, v.text);
		else
			buf_str(w->out, v.text);
		break;
	default:
		write_when(w, v);
		break;
	}
}

static void write_value(struct writer *w, struct value v)
{
	if (!run_depth(w->run, w->depth))
		return;
	if (v.type == VALUE_LIST)
		write_list(w, v);
	else if (v.type == VALUE_MAP)
		write_map(w, v);
	else
		write_scalar(w, v);
}

void value_write_json(struct run *r, struct value v, bool indent, struct buf *ret_json)
{
	struct writer w = { .run = r, .out = ret_json, .json = true, .indent = indent };

	write_value(&w, v);
}

void value_write_text(struct run *r, struct value v, struct buf *ret_text)
{
	struct writer w = { .run = r, .out = ret_text };

	write_value(&w, v);
}
