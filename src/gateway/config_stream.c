#include "base/mem.h"
#include "gateway/config_read.h"

#define NS_PER_MS 1000000
#define DAY_MS    86400000ull

/* streamConfig: how the stream is made when it is absent (facts argo-events 4.1). */
struct stream_options {
	int64_t max_msgs;
	int64_t max_bytes;
	uint64_t max_age_ms;
	uint64_t duplicates_ms;
	uint64_t replicas;
	uint64_t retention;
	uint64_t discard;
};

#define AT(member) offsetof(struct stream_options, member)

/* clang-format off */
static const struct field rows[] = {
	{ .key = "maxMsgs",    .type = FIELD_INT,   .offset = AT(max_msgs), .min = UINT64_MAX,
	  .meaning = "Messages that the stream keeps; -1 and 0 are no limit." },
	{ .key = "maxBytes",   .type = FIELD_INT,   .offset = AT(max_bytes), .min = UINT64_MAX,
	  .meaning = "Bytes that the stream keeps; -1 and 0 are no limit." },
	{ .key = "maxAge",     .type = FIELD_TIME,  .offset = AT(max_age_ms), .max = 36500 * DAY_MS,
	  .meaning = "How long the stream keeps a message; 0 is for ever." },
	{ .key = "duplicates", .type = FIELD_TIME,  .offset = AT(duplicates_ms), .max = 36500 * DAY_MS,
	  .meaning = "How long the server recognises an event that is sent again; 0 is the server's own window." },
	{ .key = "replicas",   .type = FIELD_COUNT, .offset = AT(replicas), .max = 5,
	  .meaning = "Servers that keep a copy; 0 is one." },
	{ .key = "retention",  .type = FIELD_COUNT, .offset = AT(retention), .max = 2,
	  .meaning = "0 keeps by limits, 1 by interest, 2 as a work queue." },
	{ .key = "discard",    .type = FIELD_COUNT, .offset = AT(discard), .max = 1,
	  .meaning = "When the stream is full: 0 drops the oldest message, 1 refuses the new one." },
};
/* clang-format on */

const struct field_table config_stream_table = { .rows = rows, .count = ARRAY_LEN(rows), .any_case = true };

static void set(const struct stream_options *o, struct jetstream_config *js)
{
	js->max_msgs = o->max_msgs;
	js->max_bytes = o->max_bytes;
	js->max_age_ns = o->max_age_ms * NS_PER_MS;
	js->duplicates_ns = o->duplicates_ms * NS_PER_MS;
	js->replicas = (int)o->replicas;
	js->retention = (int)o->retention;
	js->discard = (int)o->discard;
}

/* YAML inside YAML: its lines are counted on from where the text stands. */
bool config_read_stream(const struct fields_ctx *ctx, const struct node *text, struct jetstream_config *js)
{
	/*
	 * What the Argo Events controller writes by default, with two changes: one server instead of three, and no limit
	 * of messages. Its 50000 with "discard old" would drop events nobody has read, silently, in the first second of load.
	 */
	struct stream_options o = {
		.max_msgs = -1, .max_bytes = -1, .max_age_ms = 7 * DAY_MS, .duplicates_ms = 300000, .replicas = 1
	};
	struct fields_ctx inner = *ctx;
	struct doc_file *file = NULL;
	enum err err = E_OK;

	if (node_is_null(text) || text->kind != NODE_SCALAR) { /* the latter is reported */
		set(&o, js);
		return true;
	}
	o = (struct stream_options){ 0 };
	err = doc_parse(ctx->file->path, text->text, text->block ? text->line : text->line - 1, ctx->problems, &file);
	if (err == E_OK && file->count) {
		inner.file = file;
		err = fields_read(&inner, &config_stream_table, file->documents[0], text, &o);
	}
	set(&o, js);
	doc_free(file);
	return err != E_NOMEM;
}
