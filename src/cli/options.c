#include "cli/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/option_value.h"
#include "cli/suggest.h"

#define ROWS_MAX     128
#define LONG_BASE    256 /* getopt's value of a row is LONG_BASE + its place: never a letter */
#define NAME_MAX_LEN 64

/* All rows side by side, as getopt wants them. */
struct table {
	const struct option_row *rows[ROWS_MAX];
	void *at[ROWS_MAX]; /* their values */
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

static int argument_of(const struct option_row *row)
{
	if (row->kind == OPTION_FLAG)
		return no_argument;
	return option_is_bool(row) ? optional_argument : required_argument;
}

static void table_add(struct table *t, const struct option_row *row, void *values, size_t *shorts)
{
	int has_arg = argument_of(row);

	t->longs[t->n] = (struct option){ row->name, has_arg, NULL, LONG_BASE + (int)t->n };
	add_letter(t, row->letter, has_arg, shorts);
	add_letter(t, row->also, has_arg, shorts);
	t->rows[t->n] = row;
	t->at[t->n++] = (char *)values + row->at;
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

/* What was not given on the command line may stand in the environment; an empty variable is none. */
static enum err take_env(struct table *t, struct why *why)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct option_row *row = t->rows[i];
		const char *text = row->env ? getenv(row->env) : NULL;

		if (t->given[i] || !text || !*text)
			continue;
		if (option_set_env(row, t->at[i], text, why) != E_OK)
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
			err = option_set(t->rows[i], t->at[i], t->rows[i]->name, t->rows[i]->fallback, why);
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
		if (option_set(t.rows[i], t.at[i], name, optarg, why) != E_OK)
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
