/*
 * filter.h -- which events pass: one expression of an EventSource's `filter.expression`, compiled once, asked for each event.
 *
 * Shape     text -> tree, checked and bound to its functions; then any number of evaluations over an event's JSON, of
 *           which only what the expression names is looked at.
 * Owner     a compiled filter never changes: share it between threads. An evaluation borrows its input.
 * Limits    filter_limits.h; an expression can neither run long nor take much memory, whatever the event is.
 * Errors    E_MALFORMED  the expression is none, or does not fit this event: `why` begins with the column
 *           E_LIMIT      over a limit of filter_limits.h
 *           E_NOMEM
 * Source    the language definition of expr 1.15, which upstream evaluates with (facts argo-events 3.2); docs/guide/filters.md
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

struct filter;

/* Where in an expression: lines and columns count from 1, columns in characters. */
struct filter_place {
	unsigned line;
	unsigned column;
};

/* On an error `ret_place` (may be NULL) says where; `why` says "column 17: ..." or "line 2, column 3: ...". */
enum err filter_compile(struct str text, struct why *why, struct filter_place *ret_place, struct filter **ret_filter);

/* The same for an expression of any type, for filter_value(). */
enum err filter_compile_any(struct str text, struct why *why, struct filter_place *ret_place,
			    struct filter **ret_filter);

/* Takes NULL. */
void filter_free(struct filter *f);

/* What a filter sees of an event. */
struct filter_input {
	struct str object; /* a JSON object, compacted by json_scan.h: its members are the variables */
	bool has_data;     /* ... and one more, `data` */
	bool data_is_text; /* its bytes are text, not JSON */
	struct str data;   /* compacted JSON or text; empty: nil */
	int64_t now_ns;    /* what now() says, since 1970 */
};

/* E_OK: `ret_pass` is the answer. `why` may be NULL. */
enum err filter_eval(const struct filter *f, const struct filter_input *in, struct why *why, bool *ret_pass);

/* Any value instead of a boolean, as JSON with sorted keys; for tests and tools. Errors of `ret_json` are sticky there. */
enum err filter_value(const struct filter *f, const struct filter_input *in, struct why *why, struct buf *ret_json);

/* Appends the functions, operators and limits as Markdown, each from its row. */
void filter_reference(struct buf *ret_text);
