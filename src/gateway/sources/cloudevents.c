#include "gateway/sources/cloudevents.h"

#include "base/mem.h"
#include "gateway/sources/source.h"

#define AT(member) offsetof(struct cloudevents_settings, member)

/* clang-format off */
static const struct field rows[] = {
	{ .key = "allowedOrigins", .type = FIELD_LIST,  .offset = AT(allowed_origins), .dflt_text = "none",
	  .meaning = "Origins that the OPTIONS handshake lets deliver; `*` is any. Without one the handshake is refused." },
	{ .key = "allowedRate",    .type = FIELD_COUNT, .offset = AT(allowed_rate), .max = UINT32_MAX,
	  .unit = "per minute", .meaning = "Requests per minute that the handshake grants; 0 grants any rate." },
	{ .key = "maxBatch",       .type = FIELD_COUNT, .offset = AT(max_batch), .min = 1, .max = 65536, .dflt = 1000,
	  .meaning = "Events in one batch, stored all or none; more answers 413." },
};
/* clang-format on */

static const struct field_table settings = {
	.rows = rows,
	.count = ARRAY_LEN(rows),
	.about = "CloudEvents over HTTP: binary, structured and batch; the sender's attributes survive unchanged.",
};

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	if (route->method[0] && !str_is(str_of(route->method), "POST"))
		problem_at(m->problems, m->file, node_get(event, "method"), "remove it, or write POST",
			   "CloudEvents arrive by POST, not by %s", route->method);
	if (route->metadata_count)
		warning_at(m->problems, m->file, node_get(event, "metadata"), "remove it",
			   "is not used: a CloudEvent passes unchanged");
}

const struct source_ops source_cloudevents = {
	.kind = "cloudevents",
	.type = "cloudevents",
	.inactive_text = "endpoint is inactive",
	.own = true,
	.inlined = true,
	.settings = &settings,
	.settings_size = sizeof(struct cloudevents_settings),
	.check = check,
};
