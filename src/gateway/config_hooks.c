/* holdfast.hooks of an event: how its hook at the provider is looked after. */
#include "base/mem.h"
#include "gateway/config_read.h"
#include "gateway/hooks/plan.h"

#define AT(member) offsetof(struct hooks_config, member)

/* clang-format off */
static const struct field rows[] = {
	{ .key = "manage", .type = FIELD_BOOL, .offset = AT(manage), .dflt = true,
	  .meaning = "Make the hook at the provider, and keep it, where the event's keys ask for it; `false` leaves hooks alone whatever the other keys say." },
	{ .key = "interval", .type = FIELD_TIME, .offset = AT(interval_ms), .min = 100, .max = 604800000,
	  .dflt_text = "`checkInterval`, or 60s; `github` after ten looks, `bitbucket`, `stripe`, `storageGrid`, `sns`: 10m",
	  .meaning = "How often the hook is looked after." },
	{ .key = "url", .type = FIELD_STRING, .offset = AT(url), .dflt_text = "the provider's",
	  .meaning = "Another address of the provider's API, in the place of the provider's own or of the event's keys." },
	{ .key = "ca", .type = FIELD_PATH, .offset = AT(ca), .dflt_text = "the system's",
	  .meaning = "Who may sign the certificate of that API (PEM)." },
};
const struct field_table config_hooks_table = { .rows = rows, .count = ARRAY_LEN(rows) };

static const struct field part_rows[] = {
	{ .key = "hooks", .type = FIELD_TABLE, .table = &config_hooks_table },
};
/* clang-format on */
const struct field_table config_hooks_part = { .rows = part_rows, .count = ARRAY_LEN(part_rows) };

/* A token on its way in the clear is worth a word. */
static bool is_plain(const struct hook_plan *p)
{
	return str_starts(buf_view(&p->login.base), STR("http://"));
}

void config_check_hooks(const struct fields_ctx *ctx, const struct node *event, const struct route_config *route)
{
	const struct node *hooks = node_get(node_get(event, "holdfast"), "hooks");
	struct hook_plan p;

	if (route->hooks.url && !str_starts(str_of(route->hooks.url), STR("https://")) &&
	    !str_starts(str_of(route->hooks.url), STR("http://")))
		problem_at(ctx->problems, ctx->file, node_get(hooks, "url"), "begin it with https://",
			   "is not an address");
	if (!route->endpoint || problems_fatal(ctx->problems)) /* what a plan is made of may be missing */
		return;
	hook_plan_route(route, &p);
	if (p.count && p.problem)
		warning_at(ctx->problems, ctx->file, event,
			   "make the hook by hand, or set holdfast.hooks.manage: false",
			   "the hook cannot be managed: %s", p.problem);
	else if (p.count && is_plain(&p))
		warning_at(ctx->problems, ctx->file, event, "use https://",
			   "the secrets for the provider's API would travel unencrypted");
	if (p.count && !str_starts(str_of(route->url), STR("https://")) &&
	    !str_starts(str_of(route->url), STR("http://")))
		warning_at(ctx->problems, ctx->file, node_get(node_get(event, "webhook"), "url"),
			   "write it as in https://events.example.com",
			   "is not an address: the provider will refuse it");
	hook_plan_release(&p);
}
