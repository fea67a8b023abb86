#include "cli/option_value.h"

#include "base/mem.h"
#include "config/value.h"

bool option_is_bool(const struct option_row *row)
{
	bool unserved = row->kind == OPTION_IGNORED || row->kind == OPTION_REFUSED;

	return row->kind == OPTION_BOOL || (unserved && !row->argument);
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

	if (!option_is_bool(row)) {
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

enum err option_set(const struct option_row *row, void *at, const char *name, const char *text, struct why *why)
{
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

enum err option_set_env(const struct option_row *row, void *at, const char *text, struct why *why)
{
	return row->kind == OPTION_LIST ? split_env(at, row->env, text, why) : option_set(row, at, row->env, text, why);
}
