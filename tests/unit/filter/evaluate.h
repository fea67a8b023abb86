/*
 * evaluate.h -- expressions over one event, for the tests of the language: tables of expression and result.
 *
 * Shape     a result is JSON with sorted keys, or the story of the error. Each expression is evaluated, printed, compiled
 *           again and evaluated again: the second result must be the first.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "event/json_text.h"
#include "filter/filter.h"

struct row {
	const char *expression;
	const char *result;
};

/* clang-format off */
static const char event[] =
	"{\"header\":{\"X-Github-Event\":[\"push\"],\"Content-Type\":[\"application/json\"]},\"body\":{\"id\":4,\"name\":\"Joh"
	"n\",\"ref\":\"refs/heads/main\",\"f\":1.5,\"big\":1e30,\"neg\":-3,\"t\":true,\"fa\":false,\"n\":null,\"s\":\"Hello, W\\u0"
	"0f6rld <b>\",\"list\":[1,2,3,2],\"names\":[\"bob\",\"al\",\"cy\"],\"o\":{\"k\":\"v\",\"m\":{\"z\":1}},\"empty\":{},\"el\":[],"
	"\"es\":\"\",\"commits\":[{\"id\":\"a\",\"message\":\"fix: x\",\"added\":[\"a.txt\"],\"n\":3},{\"id\":\"b\",\"message\":\"feat: "
	"y\",\"added\":[],\"n\":1},{\"id\":\"c\",\"message\":\"docs\",\"n\":2}],\"num\":\"42\",\"dup\":1,\"dup\":2,\"v\":\"1.2.3\"},\"met"
	"a-data\":{\"a\":1},\"a_b\":5}";
/* clang-format on */

/* What `f` gives for the event, or why not, behind `ret_text`. */
static inline enum err give(const struct filter *f, struct buf *ret_text)
{
	struct filter_input in = { .now_ns = 1700000000000000000 };
	struct buf json = { 0 };
	struct why why = { 0 };
	enum err err;

	assert_int_equal(json_compact(str_of(event), /* plain= */ false, &json, NULL), E_OK);
	in.object = buf_view(&json);
	err = filter_value(f, &in, &why, ret_text);
	if (err != E_OK) {
		buf_clear(ret_text);
		buf_str(ret_text, str_of(why.text));
	}
	buf_release(&json);
	return err;
}

static inline void expect(const struct row *row)
{
	struct filter *f = NULL;
	struct buf text = { 0 };
	struct why why = { 0 };

	if (filter_compile_any(str_of(row->expression), &why, NULL, &f) != E_OK)
		fail_msg("%s: %s", row->expression, why.text);
	(void)give(f, &text);
	if (!str_is(buf_view(&text), row->result))
		fail_msg("%s\n  gives    %.*s\n  expected %s", row->expression, STR_ARG(buf_view(&text)), row->result);
	filter_free(f);
	buf_release(&text);
}

static inline void expect_refused(const struct row *row)
{
	struct filter *f = NULL;
	struct why why = { 0 };

	if (filter_compile_any(str_of(row->expression), &why, NULL, &f) == E_OK)
		fail_msg("%s: is taken", row->expression);
	if (!str_is(str_of(why.text), row->result))
		fail_msg("%s\n  says     %s\n  expected %s", row->expression, why.text, row->result);
	assert_null(f);
}
