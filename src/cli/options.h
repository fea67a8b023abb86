/*
 * options.h -- the options of a command, a row each.
 *
 * Shape     a row says the name, the letter, the kind, where the value goes, the environment variable that stands in
 *           for it, and the sentence of the help. getopt_long(3) does the parsing: options and operands mix, "--" ends
 *           the options, unambiguous abbreviations work.
 * Owner     texts are borrowed from argv and the environment; options_release() frees what a list had to copy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

#define OPTION_LIST_MAX 64

enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char *; NULL when absent */
	OPTION_NUMBER, /* uint64_t, decimal */
	OPTION_CHOICE, /* int: the place in the words of `argument`, which '|' separates */
	OPTION_LIST,   /* struct option_list; in the environment ':' separates the items */
	OPTION_BOOL,   /* bool; --name, --name=true, --name=false; in the environment as Go reads it */
	OPTION_TIME,   /* uint64_t, ms; as Go writes durations: "30s", "1h30m" */
	OPTION_SIZE,   /* uint64_t, bytes: "16MiB" */
	OPTION_COMMAS, /* struct option_list; each item may hold several values, which commas separate */
	/* Of another program whose place we take; `at` is a struct option_list. Without an `argument` it is as OPTION_BOOL. */
	OPTION_IGNORED, /* has no effect: what was asked for lands in the list, with `note` */
	OPTION_REFUSED, /* an error with `note`, unless it says "false", "0" or what `fallback` says */
};

struct option_list {
	const char *items[OPTION_LIST_MAX];
	size_t n;
	char *owned; /* what came from the environment, cut into items */
};

struct option_row {
	const char *name; /* "follow" for --follow */
	char letter;      /* 'F' for -F; 0: none */
	enum option_kind kind;
	size_t at;                     /* offset of the value */
	const char *argument;          /* "DIR"; a choice: its words; a flag: NULL */
	const char *env;               /* stands in when the option is absent; NULL: nothing does */
	const char *help;              /* what it does, a sentence or two */
	char also;                     /* a second letter that people try; 0: none */
	const char *fallback;          /* the value when nobody gives one, as text; NULL: the struct stays as it is */
	uint64_t min, max;             /* of numbers, times and sizes; max 0: any */
	int (*other)(struct str text); /* of a choice: the place that a word which is not in `argument` means, or -1 */
	const char *note; /* of what is ignored or refused: why, and what to do. A sentence without a full stop */
};

/* An ignored option that was given: its `items` are rows. */
#define OPTION_ROW(list, i) ((const struct option_row *)(const void *)(list)->items[i])

/* Rows, ended by one without a name, and the struct they are written into. */
struct option_set {
	const struct option_row *rows;
	void *values;
};

/*
 * Takes argv[1] to argv[argc - 1] apart; argv[0] is skipped. Afterwards the operands stand at argv[*ret_operands] and
 * behind. E_MALFORMED: `why` says what is wrong, and what may have been meant.
 */
enum err options_parse(const struct option_set *sets, size_t count, int argc, char **argv, struct why *why,
		       size_t *ret_operands);

void options_release(const struct option_set *sets, size_t count);

/* One aligned paragraph per row: "  -F, --follow    Wait for ...". Not what is ignored or refused. */
void options_help(const struct option_row *rows, struct buf *ret_text);
