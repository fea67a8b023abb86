#include "gateway/sources/source.h"

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	/* Upstream compares the method as text: without one no request ever matches. */
	if (!route->method[0])
		problem_at(m->problems, m->file, event, "add `method: POST`",
			   "method can't be empty: no request would ever match");
}

const struct source_ops source_webhook = {
	.kind = "webhook",
	.type = "webhook",
	.inactive_text = "endpoint is inactive",
	.headers_key = "header",
	.inlined = true,
	.check = check,
};
