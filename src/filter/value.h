/*
 * value.h -- what an expression works on.
 *
 * Shape     small values by value; lists and maps in one of three forms: JSON text that nobody has looked at yet, items
 *           held in the pool (maps: sorted by key, each key once), or a range of integers that is never written out.
 *           Numbers of an event are floats, as upstream has them; literals without a point are integers.
 * Owner     everything lies in the event, the filter or the run's pool: values are copied freely and never freed.
 * Errors    sticky in the run (run.h)
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "event/json_walk.h"

struct run;

/* clang-format off */
/*        type       name              letter in the rows of functions */
#define VALUE_TYPES(X)                 \
	X(NIL,      "nil",      '0')   \
	X(BOOL,     "bool",     'b')   \
	X(INT,      "int",      'i')   \
	X(FLOAT,    "float",    'f')   \
	X(STRING,   "string",   's')   \
	X(LIST,     "array",    'l')   \
	X(MAP,      "map",      'm')   \
	X(TIME,     "time.Time", 't')   \
	X(DURATION, "time.Duration", 'd')
/* clang-format on */

enum value_type {
#define X(type, name, letter) VALUE_##type,
	VALUE_TYPES(X)
#undef X
		VALUE_TYPE_COUNT,
};

enum value_form { FORM_HELD, FORM_JSON, FORM_RANGE };

struct value_pair;

struct value {
	unsigned char type;
	unsigned char form; /* of a list or a map */
	union {
		bool truth;
		int64_t integer; /* INT; TIME: ns since 1970; DURATION: ns */
		double number;
		struct str text; /* STRING; JSON form: one array or object */
		struct {
			union {
				const struct value *items;
				const struct value_pair *pairs;
				int64_t from; /* of a range */
			};
			size_t n;
		};
	};
};

struct value_pair {
	struct str key;
	struct value value;
};

static inline struct value value_nil(void)
{
	return (struct value){ .type = VALUE_NIL };
}

static inline struct value value_bool(bool truth)
{
	return (struct value){ .type = VALUE_BOOL, .truth = truth };
}

static inline struct value value_int(int64_t integer)
{
	return (struct value){ .type = VALUE_INT, .integer = integer };
}

static inline struct value value_float(double number)
{
	return (struct value){ .type = VALUE_FLOAT, .number = number };
}

static inline struct value value_string(struct str text)
{
	return (struct value){ .type = VALUE_STRING, .text = text };
}

static inline struct value value_list(const struct value *items, size_t n)
{
	return (struct value){ .type = VALUE_LIST, .items = items, .n = n };
}

static inline bool value_is_number(struct value v)
{
	return v.type == VALUE_INT || v.type == VALUE_FLOAT;
}

static inline double value_number(struct value v)
{
	return v.type == VALUE_INT ? (double)v.integer : v.number;
}

/* "string", as type() says it. */
const char *value_type_name(enum value_type type);

/* The value of a compacted JSON text, which is looked into only when someone asks. */
struct value value_of_json(struct run *r, struct str json);

/* What a raw JSON string says. */
struct str value_json_string(struct run *r, struct str raw);

/* ---- lists -------------------------------------------------------------------------------------------------------------- */

struct value_seq {
	struct value list;
	struct json_walk walk;
	size_t i;
};

/* Walk a list; each element is a step of the run. False: the end, or the run has failed. */
struct value_seq value_seq(struct value list);
bool value_seq_next(struct run *r, struct value_seq *s, struct value *ret_element);

size_t value_list_size(struct run *r, struct value list);

/* False: there is no such element. */
bool value_list_at(struct run *r, struct value list, size_t i, struct value *ret_element);

/* The same list with its items in the pool. */
struct value value_list_held(struct run *r, struct value list);

/* ---- maps --------------------------------------------------------------------------------------------------------------- */

/* False: there is no such key. */
bool value_map_get(struct run *r, struct value map, struct str key, struct value *ret_value);

/* The same map with its pairs in the pool. */
struct value value_map_held(struct run *r, struct value map);

/* By key, in a stable way. `pairs` is in the pool. */
void value_sort_pairs(struct run *r, struct value_pair *pairs, size_t n);

/* A map of `n` pairs in any order; of pairs with the same key the last one counts. `pairs` is in the pool and changes. */
struct value value_map_of(struct run *r, struct value_pair *pairs, size_t n);

/* ---- comparing and writing ----------------------------------------------------------------------------------------------- */

/* Numbers by value, whatever their type; lists and maps element by element; values of different types are not equal. */
bool value_equal(struct run *r, struct value a, struct value b);

/* <0, 0, >0 of two numbers, strings, times or durations; false: they have no order. A NaN is not below anything. */
bool value_compare(struct value a, struct value b, int *ret_order);

/* Whether == or < may say yes about numbers: false when one is NaN. */
bool value_ordered(struct value a, struct value b);

/* Is it what templates call empty: nil, false, 0, "", [], {}? */
bool value_empty(struct value v);

/* JSON as Go's encoding/json writes it: keys sorted, < > & escaped. `indent`: in lines, two spaces a level. */
void value_write_json(struct run *r, struct value v, bool indent, struct buf *ret_json);

/* The text of string(v). */
void value_write_text(struct run *r, struct value v, struct buf *ret_text);
