/*
 * fields.h -- tables of keys: what a map in a manifest may hold, a row each.
 *
 * Shape     a row names the key, its type, range, default and meaning, and where the value goes in a struct. One
 *           function reads a map against the rows; everything that is wrong becomes a problem with its place and a fix.
 *           The reference (help, docs, tests) is printed from the same rows.
 * Units     sizes in bytes ("64k", "1MiB", 65536), times in ms ("500ms", "2s", "1h30m").
 * Owner     fields_read() copies: the target owns its strings, fields_release() frees them. Nodes are borrowed.
 * Errors    E_CONFIG  something was wrong; the problems say what
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/doc.h"

/* A secret selector {name, key}: a file that is read when it is needed. path NULL: not configured. */
struct secret_ref {
	char *name;
	char *key;
	char *path; /* <secretsDir>/<name>/<key> */
};

struct secret_list {
	struct secret_ref *items;
	size_t count;
};

struct table_list {
	void *items; /* an array of the structs that the row's table fills */
	size_t count;
};

struct text_list {
	char **items;
	size_t count;
};

struct text_pair {
	char *key;
	char *value;
};

struct text_map {
	struct text_pair *items; /* sorted by key, bytewise */
	size_t count;
};

/* The type in the target stands behind each. */
enum field_type {
	FIELD_STRING,  /* char *; NULL when absent */
	FIELD_PATH,    /* char *; a file or directory on this machine */
	FIELD_BOOL,    /* bool */
	FIELD_COUNT,   /* uint64_t */
	FIELD_INT,     /* int64_t */
	FIELD_SIZE,    /* uint64_t, bytes */
	FIELD_TIME,    /* uint64_t, ms */
	FIELD_PORT,    /* uint64_t; a number or a string, as upstream writes it */
	FIELD_WORD,    /* int; the place in `words` */
	FIELD_SECRET,  /* struct secret_ref */
	FIELD_SECRETS, /* struct secret_list */
	FIELD_LIST,    /* struct text_list; of strings */
	FIELD_MAP,     /* struct text_map; strings to strings */
	FIELD_TABLE,   /* a struct of its own at this place, read against `table` */
	FIELD_TABLES,  /* struct table_list; a list of maps, each read against `table` into `item_size` bytes */
	FIELD_NODE,    /* const struct node *; a map or list that someone else reads */
	FIELD_ANY,     /* nothing: accepted and not looked at */
};

struct field {
	const char *key;
	enum field_type type;
	size_t offset;
	uint64_t min;          /* COUNT SIZE TIME PORT; INT as int64_t */
	uint64_t max;          /* 0: no bound */
	uint64_t dflt;         /* BOOL COUNT SIZE TIME PORT, WORD as place; INT as int64_t */
	const char *dflt_text; /* for the reference, when the default is not a plain value */
	const char *unit;
	const char *meaning;
	const char *const *words;        /* WORD: ended by NULL */
	const struct field_table *table; /* TABLE, TABLES; NODE: what it should hold, for messages */
	size_t item_size;                /* TABLES */
	const char *missing;             /* the key is required: what is said when it is absent or empty */
	const char *fix;                 /* with `missing` */
};

struct field_table {
	const struct field *rows;
	size_t count;
	const char *about; /* a sentence for the reference */
	bool any_case;     /* keys are compared without case */
};

/* What reading needs beside the rows. */
struct fields_ctx {
	struct problems *problems;
	const struct doc_file *file;
	const char *secrets_dir; /* for FIELD_SECRET */
	bool take_unknown; /* keys that no table has are warned of, not refused: who wrote them knows more of them */
};

/* Set the defaults. `target` is zeroed memory. */
void fields_defaults(const struct field_table *table, void *target);

/*
 * Read `map` into `target`; what the map does not hold stays as it is. An absent map (NULL) is an empty one: what it must
 * hold is then missing at `parent`.
 */
enum err fields_read(const struct fields_ctx *ctx, const struct field_table *table, const struct node *map,
		     const struct node *parent, void *target);

/* The same for a map that several tables share: a key is unknown when none of them has it. */
struct fields_part {
	const struct field_table *table;
	void *target;
};
enum err fields_read_parts(const struct fields_ctx *ctx, const struct fields_part *parts, size_t count,
			   const struct node *map, const struct node *parent);

/* Free what fields_read() put there. Zeroed memory is fine. */
void fields_release(const struct field_table *table, void *target);

/* Are two values of this row (a text or a single value) the same? */
bool field_same(const struct field *row, const void *a, const void *b);

/* Hand a value of this row over; what stood at `to` is freed, `from` is zeroed. Not for TABLE. */
void field_move(const struct field *row, void *from, void *to);

/* A secret selector on its own: {name, key}. */
enum err fields_read_secret(const struct fields_ctx *ctx, const struct node *map, struct secret_ref *ret_secret);
void secret_release(struct secret_ref *s);
void secret_list_release(struct secret_list *list);

void text_list_release(struct text_list *list);
void text_map_release(struct text_map *map);

/*
 * Append a line of Markdown for each row under `path` ("spec.holdfast"), tables inside it too:
 * | `path.key` | type | default | meaning |
 */
void fields_reference(const struct field_table *table, const char *path, struct buf *ret_text);

/* "time, 100ms to 60s": the type and the range of a row. */
void field_write_type(const struct field *row, struct buf *ret_text);
