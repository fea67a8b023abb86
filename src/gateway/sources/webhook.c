/* The generic webhook: facts argo-events 1.1. */
#include "gateway/sources/webhook.h"
#include "gateway/payload.h"
#include "gateway/sources/provider.h"

enum mode {
	MODE_QUERY, /* a method without a body: the query is the body */
	MODE_FORM,  /* an urlencoded form, read whole */
	MODE_JSON,  /* compacted as it comes */
};

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	/* Upstream compares the method as text: without one no request ever matches. */
	if (!route->method[0])
		problem_at(m->problems, m->file, event, "add `method: POST`",
			   "method can't be empty: no request would ever match");
	webhook_signature_check(m, event, route);
}

static void refuse_method(struct exchange *x)
{
	char space[128];
	struct buf allow = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	buf_addf(&allow, "Allow: %.60s\r\n", x->route->config->method);
	exchange_refuse_more(x, ANSWER_METHOD, &(struct answer_more){ .headers = buf_view(&allow) });
}

/*
 * Upstream knows GET and POST only and answers 400 to the others ("unsupoorted method: PUT", its spelling). Here each
 * method with a body is read like POST, each without one like GET.
 */
static bool refused_by_upstream(struct exchange *x)
{
	struct str method = x->request->method;

	if (!x->route->config->compat_strict || str_is(method, "GET") || str_is(method, "POST"))
		return false;
	exchange_refusef(x, ANSWER_MALFORMED, "unsupoorted method: %.*s", STR_ARG(str_sub(method, 0, 60)));
	return true;
}

static enum mode mode_of(const struct exchange *x)
{
	struct str method = x->request->method;

	if (str_is(method, "GET") || str_is(method, "HEAD") || (str_is(method, "DELETE") && !x->request->has_body))
		return MODE_QUERY;
	return provider_is_form(x) ? MODE_FORM : MODE_JSON;
}

static void on_head(struct exchange *x)
{
	const char *masked[WEBHOOK_MASKED_MAX];

	if (!str_is(x->request->method, x->route->config->method)) {
		refuse_method(x);
		return;
	}
	if (refused_by_upstream(x))
		return;
	x->mode = (int)mode_of(x);
	json_scan_init(&x->scan);
	buf_lit(&x->payload, "{\"header\":");
	webhook_masked(x, masked);
	payload_headers(x->request, masked, &x->payload);
	buf_lit(&x->payload, ",\"body\":");
}

/* What must be signed is read only after it was verified. */
static void on_body(struct exchange *x, struct str chunk)
{
	if (x->mode == MODE_FORM || webhook_is_signed(x))
		exchange_collect(x, chunk);
	else if (x->mode == MODE_JSON)
		provider_chunk(x, chunk);
}

static bool finish_body(struct exchange *x)
{
	enum err err;

	if (x->mode == MODE_JSON)
		return webhook_is_signed(x) ? provider_json(x, buf_view(&x->body)) : provider_chunks_end(x);
	err = x->mode == MODE_QUERY ? payload_form(x->request->query, /* lenient= */ true, &x->payload)
				    : payload_form(buf_view(&x->body), /* lenient= */ false, &x->payload);
	if (err == E_MALFORMED)
		exchange_refuse(x, ANSWER_MALFORMED,
				STR("the form has a bad % escape or a ';': encode it as the "
				    "application/x-www-form-urlencoded format says"));
	else if (err != E_OK)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	return err == E_OK;
}

static void on_end(struct exchange *x)
{
	struct str id;

	if (webhook_verify(x, &id) && finish_body(x))
		provider_emit(x, id);
}

const struct source_ops source_webhook = {
	.kind = "webhook",
	.type = "webhook",
	.inlined = true,
	.settings_size = sizeof(struct webhook_settings),
	.holdfast = &webhook_own_settings,
	.secrets = webhook_secrets,
	.not_json = "json: error calling MarshalJSON for type *json.RawMessage: ",
	.check = check,
	.on_head = on_head,
	.on_body = on_body,
	.on_end = on_end,
};
