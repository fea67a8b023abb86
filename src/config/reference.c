#include "base/mem.h"
#include "config/fields.h"
#include "config/value.h"

static const char *const names[] = {
	[FIELD_STRING] = "a string",
	[FIELD_PATH] = "a path",
	[FIELD_BOOL] = "true or false",
	[FIELD_COUNT] = "a number",
	[FIELD_INT] = "a number",
	[FIELD_SIZE] = "a size",
	[FIELD_TIME] = "a time",
	[FIELD_PORT] = "a port",
	[FIELD_WORD] = "one of",
	[FIELD_SECRET] = "a secret `{name, key}`",
	[FIELD_SECRETS] = "a list of secrets `[{name, key}]`",
	[FIELD_LIST] = "a list of strings",
	[FIELD_MAP] = "a map of strings",
	[FIELD_TABLE] = "a map",
	[FIELD_TABLES] = "a list of maps",
	[FIELD_NODE] = "a map",
	[FIELD_ANY] = "a map",
};

static void write_value(const struct field *row, uint64_t value, struct buf *ret_text)
{
	switch (row->type) {
	case FIELD_SIZE:
		value_write_size(value, ret_text);
		break;
	case FIELD_TIME:
		value_write_time(value, ret_text);
		break;
	case FIELD_INT:
		buf_addf(ret_text, "%lld", (long long)value);
		break;
	case FIELD_BOOL:
		buf_str(ret_text, value ? STR("true") : STR("false"));
		break;
	case FIELD_WORD:
		buf_str(ret_text, str_of(row->words[value]));
		break;
	default:
		buf_u64(ret_text, value);
	}
}

static void write_range(const struct field *row, struct buf *ret_text)
{
	if (row->max) {
		buf_lit(ret_text, " from ");
		write_value(row, row->min, ret_text);
		buf_lit(ret_text, " to ");
		write_value(row, row->max, ret_text);
	} else if (row->min) {
		buf_lit(ret_text, " of at least ");
		write_value(row, row->min, ret_text);
	}
}

void field_write_type(const struct field *row, struct buf *ret_text)
{
	buf_str(ret_text, str_of(names[row->type]));
	for (size_t i = 0; row->type == FIELD_WORD && row->words[i]; i++)
		buf_addf(ret_text, "%s%s", i ? ", " : " ", row->words[i]);
	if (row->type == FIELD_COUNT || row->type == FIELD_INT || row->type == FIELD_SIZE || row->type == FIELD_TIME)
		write_range(row, ret_text);
}

static void write_default(const struct field *row, struct buf *ret_text)
{
	if (row->missing)
		buf_lit(ret_text, "required");
	else if (row->dflt_text)
		buf_str(ret_text, str_of(row->dflt_text));
	else if (row->type == FIELD_BOOL || row->type == FIELD_COUNT || row->type == FIELD_INT ||
		 row->type == FIELD_SIZE || row->type == FIELD_TIME || row->type == FIELD_WORD)
		write_value(row, row->dflt, ret_text);
	else
		buf_lit(ret_text, "none");
}

static void write_row(const struct field *row, const char *path, struct buf *ret_text)
{
	buf_addf(ret_text, "| `%s.%s` | ", path, row->key);
	field_write_type(row, ret_text);
	if (row->unit && *row->unit && row->type == FIELD_COUNT)
		buf_addf(ret_text, " %s", row->unit);
	buf_lit(ret_text, " | ");
	write_default(row, ret_text);
	buf_addf(ret_text, " | %s |\n", row->meaning ? row->meaning : "");
}

void fields_reference(const struct field_table *table, const char *path, struct buf *ret_text)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *row = &table->rows[i];
		struct buf inner = { 0 };
		const char *inner_path;

		if (row->type != FIELD_TABLE && row->type != FIELD_TABLES) {
			write_row(row, path, ret_text);
			continue;
		}
		buf_addf(&inner, "%s.%s%s", path, row->key, row->type == FIELD_TABLES ? "[]" : "");
		inner_path = buf_cstr(&inner);
		if (inner_path)
			fields_reference(row->table, inner_path, ret_text);
		else
			ret_text->err = inner.err;
		buf_release(&inner);
	}
}
