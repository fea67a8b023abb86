#include "cli/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/suggest.h"
#include "cli/wrap.h"
#include "config/value.h"

#define ROWS_MAX     128
#define LONG_BASE    256 /* getopt's value of a row is LONG_BASE + its place: never a letter */
#define HELP_COLUMN  28
#define NAME_MAX_LEN 64

/* All rows side by side, as getopt wants them. */
struct table {
	const struct option_row *rows[ROWS_MAX];
	void *values[ROWS_MAX];
	bool given[ROWS_MAX];
	size_t n;
	struct option longs[ROWS_MAX + 1];
	char shorts[4 * ROWS_MAX + 2];
};

static void add_letter(struct table *t, char letter, int has_arg, size_t *shorts)
{
	if (letter)
		t->shorts[(*shorts)++] = letter;
	if (letter && has_arg == required_argument)
		t->shorts[(*shorts)++] = ':';
}

/* Is it said by its name alone, or with a truth value? */
static bool is_bool(const struct option_row *row)
{
	bool unserved = row->kind == OPTION_IGNORED || row->kind == OPTION_REFUSED;

	return row->kind == OPTION_BOOL || (unserved && !row->argument);
}

static int argument_of(const struct option_row *row)
{
	if (row->kind == OPTION_FLAG)
		return no_argument;
	return is_bool(row) ? optional_argument : required_argument;
}

static void table_add(struct table *t, const struct option_row *row, void *values, size_t *shorts)
{
	int has_arg = argument_of(row);

	t->longs[t->n] = (struct option){ row->name, has_arg, NULL, LONG_BASE + (int)t->n };
	add_letter(t, row->letter, has_arg, shorts);
	add_letter(t, row->also, has_arg, shorts);
	t->rows[t->n] = row;
	t->values[t->n++] = values;
}

static void table_init(struct table *t, const struct option_set *sets, size_t count)
{
	size_t shorts = 0;

	*t = (struct table){ 0 };
	t->shorts[shorts++] = ':'; /* a missing argument is told apart from an unknown option */
	for (size_t i = 0; i < count; i++)
		for (const struct option_row *row = sets[i].rows; row && row->name && t->n < ROWS_MAX; row++)
			table_add(t, row, sets[i].values, &shorts);
}

/* The place of the row that getopt's `value`, never 0, means, or t->n. */
static size_t table_find(const struct table *t, int value)
{
	if (value >= LONG_BASE)
		return (size_t)(value - LONG_BASE);
	for (size_t i = 0; i < t->n; i++)
		if (t->rows[i]->letter == value || t->rows[i]->also == value)
			return i;
	return t->n;
}

/* The place of `text` among words that '|' separates, or -1. */
static int choice_of(const char *words, const char *text)
{
	struct str rest = str_of(words);

	for (int i = 0; rest.n; i++)
		if (str_eq_nocase(str_cut(&rest, '|'), str_of(text)))
			return i;
	return -1;
}

static enum err set_number(uint64_t *ret_value, const char *name, const char *text, struct why *why)
{
	if (!str_to_u64(str_of(text), UINT64_MAX, ret_value))
		return why_set(why, E_MALFORMED, "%s: '%s' is not a number", name, text);
	return E_OK;
}

/* As Go's strconv.ParseBool() reads it. */
static enum err set_bool(bool *ret_value, const char *name, const char *text, struct why *why)
{
	static const char *const words[] = { "1", "t", "true", "0", "f", "false" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!text || str_eq_nocase(str_of(text), str_of(words[i]))) {
			*ret_value = i < 3;
			return E_OK;
		}
	}
	return why_set(why, E_MALFORMED, "%s: '%s' is neither true nor false", name, text);
}

static void write_number(const struct option_row *row, uint64_t value, struct buf *b)
{
	if (row->kind == OPTION_TIME)
		value_write_time(value, b);
	else if (row->kind == OPTION_SIZE)
		value_write_size(value, b);
	else
		buf_addf(b, "%llu", (unsigned long long)value);
}

static enum err out_of_range(const struct option_row *row, const char *name, const char *text, struct why *why)
{
	struct buf min = { .max = 64 }, max = { .max = 64 };

	write_number(row, row->min, &min);
	write_number(row, row->max, &max);
	(void)why_set(why, E_MALFORMED, "%s: '%s' is not within %s and %s", name, text,
		      buf_cstr(&min) ? buf_cstr(&min) : "", buf_cstr(&max) ? buf_cstr(&max) : "");
	buf_release(&min);
	buf_release(&max);
	return E_MALFORMED;
}

/* A number, a time or a size. */
static enum err set_quantity(uint64_t *ret_value, const struct option_row *row, const char *name, const char *text,
			     struct why *why)
{
	uint64_t value;

	if (row->kind == OPTION_NUMBER && set_number(&value, name, text, why) != E_OK)
		return E_MALFORMED;
	if (row->kind == OPTION_TIME && !value_time(str_of(text), &value))
		return why_set(why, E_MALFORMED, "%s: '%s' is no duration, as in 30s or 1h30m", name, text);
	if (row->kind == OPTION_SIZE && !value_size(str_of(text), &value))
		return why_set(why, E_MALFORMED, "%s: '%s' is no size, as in 65536 or 16MiB", name, text);
	if (row->max && (value < row->min || value > row->max))
		return out_of_range(row, name, text, why);
	*ret_value = value;
	return E_OK;
}

static enum err set_choice(int *ret_value, const struct option_row *row, const char *name, const char *text,
			   struct why *why)
{
	int choice = choice_of(row->argument, text);

	if (choice < 0 && row->other)
		choice = row->other(str_of(text));
	if (choice < 0)
		return why_set(why, E_MALFORMED, "%s: '%s' is none of %s", name, text, row->argument);
	*ret_value = choice;
	return E_OK;
}

static enum err list_add(struct option_list *list, const char *name, const char *text, struct why *why)
{
	if (list->n == OPTION_LIST_MAX)
		return why_set(why, E_MALFORMED, "%s: more than %d of them", name, OPTION_LIST_MAX);
	list->items[list->n++] = text;
	return E_OK;
}

/* Is what is not served not asked for either? */
static enum err is_unasked(const struct option_row *row, const char *name, const char *text, struct why *why,
			   bool *ret_unasked)
{
	bool value;

	if (!is_bool(row)) {
		*ret_unasked = strcmp(text, "0") == 0 || (row->fallback && strcmp(text, row->fallback) == 0);
		return E_OK;
	}
	if (set_bool(&value, name, text, why) != E_OK)
		return E_MALFORMED;
	*ret_unasked = !value;
	return E_OK;
}

static enum err take_unserved(struct option_list *list, const struct option_row *row, const char *name,
			      const char *text, struct why *why)
{
	bool unasked = false;

	if (is_unasked(row, name, text, why, &unasked) != E_OK)
		return E_MALFORMED;
	if (unasked)
		return E_OK;
	if (row->kind == OPTION_REFUSED)
		return why_set(why, E_MALFORMED, "%s: %s", name, row->note);
	for (size_t i = 0; i < list->n; i++)
		if (OPTION_ROW(list, i) == row)
			return E_OK; /* said twice */
	return list_add(list, name, (const char *)(const void *)row, why);
}

static enum err set_value(const struct table *t, size_t i, const char *name, const char *text, struct why *why)
{
	const struct option_row *row = t->rows[i];
	void *at = (char *)t->values[i] + row->at;

	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)at = true;
		return E_OK;
	case OPTION_TEXT:
		if (!*text)
			return why_set(why, E_MALFORMED, "%s: empty", name);
		*(const char **)at = text;
		return E_OK;
	case OPTION_BOOL:
		return set_bool(at, name, text, why);
	case OPTION_NUMBER:
	case OPTION_TIME:
	case OPTION_SIZE:
		return set_quantity(at, row, name, text, why);
	case OPTION_CHOICE:
		return set_choice(at, row, name, text, why);
	case OPTION_LIST:
	case OPTION_COMMAS:
		return list_add(at, name, text, why);
	case OPTION_IGNORED:
	case OPTION_REFUSED:
		return take_unserved(at, row, name, text, why);
	}
	return E_INTERNAL;
}

/* "a.yaml:b.yaml" becomes two items. */
static enum err split_env(struct option_list *list, const char *name, const char *text, struct why *why)
{
	enum err err = E_OK;
	char *rest, *item;

	list->owned = rest = mem_dup(text, strlen(text));
	if (!rest)
		return why_set(why, E_NOMEM, "read the environment");
	while (err == E_OK && (item = strsep(&rest, ":")))
		if (*item)
			err = list_add(list, name, item, why);
	return err;
}

/* What was not given on the command line may stand in the environment; an empty variable is none. */
static enum err take_env(struct table *t, struct why *why)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct option_row *row = t->rows[i];
		const char *text = row->env ? getenv(row->env) : NULL;
		enum err err;

		if (t->given[i] || !text || !*text)
			continue;
		if (row->kind == OPTION_LIST)
			err = split_env((struct option_list *)((char *)t->values[i] + row->at), row->env, text, why);
		else
			err = set_value(t, i, row->env, text, why);
		if (err != E_OK)
			return why_add(why, "environment variable");
		t->given[i] = true;
	}
	return E_OK;
}

/* What nobody gave has the value that the row says. */
static enum err take_fallbacks(const struct table *t, struct why *why)
{
	enum err err = E_OK;

	for (size_t i = 0; i < t->n && err == E_OK; i++)
		if (!t->given[i] && t->rows[i]->fallback && t->rows[i]->kind != OPTION_REFUSED)
			err = set_value(t, i, t->rows[i]->name, t->rows[i]->fallback, why);
	return err;
}

/* "--log" could be --log-level and --log-format. */
static bool is_ambiguous(const struct table *t, struct str word)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += str_starts(str_of(t->rows[i]->name), word);
	return word.n && n > 1;
}

static enum err unknown_long(const struct table *t, const char *given, struct why *why)
{
	struct str word = str_of(given), name = str_cut(&word, '=');
	struct suggest s = { .word = str_sub(name, 2, name.n) };
	bool ambiguous = is_ambiguous(t, s.word);

	for (size_t i = 0; i < t->n; i++)
		suggest_try(&s, str_of(t->rows[i]->name));
	why_set(why, E_MALFORMED, "%s option '%.*s'", ambiguous ? "ambiguous" : "unknown", STR_ARG(name));
	if (s.best.n)
		why_set(why, E_MALFORMED, "%s option '%.*s'; did you mean '--%.*s'?",
			ambiguous ? "ambiguous" : "unknown", STR_ARG(name), STR_ARG(s.best));
	return E_MALFORMED;
}

static enum err refuse(const struct table *t, int value, char **argv, struct why *why)
{
	size_t i = optopt ? table_find(t, optopt) : t->n;

	assert(value != ':' || i < t->n); /* it knows the option whose argument is missing */
	if (value == ':')
		return why_set(why, E_MALFORMED, "%s needs %s", argv[optind - 1], t->rows[i]->argument);
	if (i < t->n)
		return why_set(why, E_MALFORMED, "--%s takes no value", t->rows[i]->name);
	if (optopt)
		return why_set(why, E_MALFORMED, "unknown option '-%c'", optopt);
	return unknown_long(t, argv[optind - 1], why);
}

enum err options_parse(const struct option_set *sets, size_t count, int argc, char **argv, struct why *why,
		       size_t *ret_operands)
{
	char name[NAME_MAX_LEN];
	struct table t;
	enum err err;
	int value;

	table_init(&t, sets, count);
	optind = 0; /* glibc: start over */
	opterr = 0;
	while ((value = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
		size_t i;

		if (value == '?' || value == ':')
			return refuse(&t, value, argv, why);
		i = table_find(&t, value);
		assert(i < t.n); /* getopt gives back only what it was given */
		t.given[i] = true;
		(void)snprintf(name, sizeof(name), "--%s", t.rows[i]->name);
		if (set_value(&t, i, name, optarg, why) != E_OK)
			return E_MALFORMED;
	}
	*ret_operands = (size_t)optind;
	err = take_env(&t, why);
	return err == E_OK ? take_fallbacks(&t, why) : err;
}

void options_release(const struct option_set *sets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (const struct option_row *row = sets[i].rows; row && row->name; row++) {
			struct option_list *list = (struct option_list *)((char *)sets[i].values + row->at);

			if (row->kind == OPTION_LIST)
				mem_free(TAKE(list->owned));
		}
	}
}

static void add_names(const struct option_row *row, struct buf *b)
{
	if (row->letter)
		buf_addf(b, "  -%c, ", row->letter);
	else
		buf_lit(b, "      ");
	buf_addf(b, "--%s", row->name);
	if (row->argument)
		buf_addf(b, " %s", row->argument);
}

static void add_row(const struct option_row *row, struct buf *ret_text)
{
	struct buf help = { .max = 4096 };
	size_t begin = ret_text->n;

	add_names(row, ret_text);
	buf_str(&help, str_of(row->help));
	if (row->fallback)
		buf_addf(&help, " Default: %s.", row->fallback);
	if (row->env)
		buf_addf(&help, " [%s]", row->env);
	wrap_column(ret_text, begin, HELP_COLUMN, buf_view(&help));
	buf_release(&help);
}

/* The names of all rows of a kind that is not served. */
static void add_unserved(const struct option_row *rows, enum option_kind kind, const char *intro, struct buf *ret_text)
{
	struct buf names = { .max = 8192 };

	for (const struct option_row *row = rows; row && row->name; row++)
		if (row->kind == kind)
			buf_addf(&names, "%s--%s", names.n ? ", " : intro, row->name);
	if (names.n) {
		buf_lit(&names, ".\n");
		buf_char(ret_text, '\n');
		wrap_text(ret_text, buf_view(&names));
	}
	buf_release(&names);
}

void options_help(const struct option_row *rows, struct buf *ret_text)
{
	for (const struct option_row *row = rows; row && row->name; row++)
		if (row->kind != OPTION_IGNORED && row->kind != OPTION_REFUSED)
			add_row(row, ret_text);
}

void options_help_unserved(const struct option_row *rows, struct buf *ret_text)
{
	add_unserved(rows, OPTION_IGNORED, "Options of argocd-agent that have no effect here: ", ret_text);
	add_unserved(rows, OPTION_REFUSED, "Options of argocd-agent for what is not served, refused: ", ret_text);
}
