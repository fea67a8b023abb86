/* path_step.h -- the steps of a JSONPath: shared by json_path.c (reading) and json_path_find.c. */
#pragma once

#include "filter/run.h"

enum path_kind {
	PATH_KEYS,     /* keys: names and indexes; one: a place, several: an array */
	PATH_ALL,      /* every member or element */
	PATH_SLICE,    /* from, to, by */
	PATH_WHERE,    /* those for which the condition holds */
	PATH_COMPUTED, /* the key that the expression gives */
};

struct path_step {
	enum path_kind kind;
	bool deep; /* below this place at any depth, it included */
	struct value *keys;
	size_t key_count;
	bool has_from;
	bool has_to;
	int64_t from;
	int64_t to;
	int64_t by;
	struct filter *condition;
	struct path_step *next;
};

struct json_path {
	struct path_step *first;
};
