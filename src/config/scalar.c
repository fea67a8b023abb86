#include "base/mem.h"
#include "config/reading.h"
#include "config/value.h"

void reading_wrong(const struct reading *r, const char *fix)
{
	struct buf type = { 0 };
	const char *text;

	field_write_type(r->row, &type);
	text = buf_cstr(&type);
	if (!text)
		problem_nomem(r->ctx->problems);
	else if (r->node->kind == NODE_SCALAR)
		problem_at(r->ctx->problems, r->ctx->file, r->node, fix, "\"%.60s\" is not %s", r->node->text.p, text);
	else
		problem_at(r->ctx->problems, r->ctx->file, r->node, fix, "a %s is not %s",
			   r->node->kind == NODE_MAP ? "map" : "list", text);
	buf_release(&type);
}

static void read_string(const struct reading *r)
{
	char **to = r->to;
	char *copy = str_dup(r->node->text);

	if (!copy) {
		problem_nomem(r->ctx->problems);
		return;
	}
	mem_free(*to);
	*to = copy;
}

/* What a shell would have replaced: as it is, it would be a strange directory that is made without a word. */
static void read_path(const struct reading *r)
{
	struct str path = r->node->text;

	if (str_starts(path, STR("$")) || str_is(path, "~") || str_starts(path, STR("~/")))
		problem_at(r->ctx->problems, r->ctx->file, r->node, "write the path itself, or begin it with ./",
			   "\"%.60s\" is taken as it is: nothing replaces ~ and variables here", path.p);
	else
		read_string(r);
}

static void read_bool(const struct reading *r)
{
	bool *to = r->to;

	if (str_is(r->node->text, "true") && !r->node->quoted)
		*to = true;
	else if (str_is(r->node->text, "false") && !r->node->quoted)
		*to = false;
	else
		reading_wrong(r, "write true or false, without quotes");
}

static bool in_range(const struct field *row, uint64_t value)
{
	return value >= row->min && (!row->max || value <= row->max);
}

static void read_count(const struct reading *r)
{
	uint64_t value;

	if (str_to_u64(r->node->text, UINT64_MAX, &value) && in_range(r->row, value))
		*(uint64_t *)r->to = value;
	else
		reading_wrong(r, NULL);
}

static void read_int(const struct reading *r)
{
	int64_t value;

	if (value_int(r->node->text, &value) && value >= (int64_t)r->row->min &&
	    (!r->row->max || value <= (int64_t)r->row->max))
		*(int64_t *)r->to = value;
	else
		reading_wrong(r, NULL);
}

static void read_size(const struct reading *r)
{
	uint64_t value;

	if (value_size(r->node->text, &value) && in_range(r->row, value))
		*(uint64_t *)r->to = value;
	else
		reading_wrong(r, "write bytes, or a number with a unit such as 64Ki, 1MiB or 10GiB");
}

static void read_time(const struct reading *r)
{
	uint64_t value;

	if (value_time(r->node->text, &value) && in_range(r->row, value))
		*(uint64_t *)r->to = value;
	else
		reading_wrong(r, "write a number with a unit such as 500ms, 2s, 1h30m or 3d");
}

static void read_port(const struct reading *r)
{
	uint64_t value;

	if (str_to_u64(r->node->text, UINT16_MAX, &value) && value > 0)
		*(uint64_t *)r->to = value;
	else
		problem_at(r->ctx->problems, r->ctx->file, r->node, "write a number from 1 to 65535",
			   "failed to parse server port %.60s. err: not a port number", r->node->text.p);
}

static void read_word(const struct reading *r)
{
	for (int i = 0; r->row->words[i]; i++) {
		if (str_is(r->node->text, r->row->words[i])) {
			*(int *)r->to = i;
			return;
		}
	}
	reading_wrong(r, NULL);
}

/* By type of row. */
static const struct {
	void (*read)(const struct reading *r);
} scalars[] = {
	[FIELD_STRING] = { read_string }, [FIELD_PATH] = { read_path }, [FIELD_BOOL] = { read_bool },
	[FIELD_COUNT] = { read_count },   [FIELD_INT] = { read_int },   [FIELD_SIZE] = { read_size },
	[FIELD_TIME] = { read_time },     [FIELD_PORT] = { read_port }, [FIELD_WORD] = { read_word },
};

void reading_scalar(const struct reading *r)
{
	if (r->node->kind == NODE_SCALAR)
		scalars[r->row->type].read(r);
	else
		reading_wrong(r, "write a single value, or a string of several lines behind `|`");
}
