/* The gates before a body is read: cheap ones first, none blocks. */
#include "base/mem.h"
#include "gateway/exchange_impl.h"
#include "gateway/query.h"
#include "gateway/sources/source.h"
#include "gateway/worker.h"

struct refusal {
	enum answer answer; /* SUCCESS: pass */
	uint32_t retry_after_s;
};

static struct refusal check_token(struct exchange *x, struct str token)
{
	switch (secret_file_check(&x->route->auth, token, x->worker->loop.now_ms)) {
	case E_OK:
		return (struct refusal){ ANSWER_SUCCESS };
	case E_UNAUTHENTICATED:
		return (struct refusal){ ANSWER_AUTH_WRONG };
	default:
		return (struct refusal){ ANSWER_AUTH_UNREADABLE };
	}
}

/* RFC 6750 2.3, which Web Hooks for event delivery asks receivers to take. */
static struct refusal check_query_token(struct exchange *x)
{
	struct buf token = { .max = 16 << 10 };
	struct refusal refusal = { ANSWER_AUTH_MISSING };

	if (query_text(x->request->query, "access_token", &token) == E_OK && token.n)
		refusal = check_token(x, buf_view(&token));
	buf_wipe(&token);
	return refusal;
}

/*
 * Facts argo-events 2.3: the scheme is compared with its case. Upstream looks at the first of several fields; a proxy in
 * front may have looked at another one, so several count as none.
 */
static struct refusal gate_auth(struct exchange *x)
{
	struct str value, scheme = STR("Bearer ");
	size_t count = 0;

	if (!x->route->auth.path)
		return (struct refusal){ ANSWER_SUCCESS };
	value = http_field(x->request, STR("Authorization"), &count);
	if (count > 1 && !x->route->config->compat_strict)
		return (struct refusal){ ANSWER_AUTH_MISSING };
	if (str_starts(value, scheme))
		return check_token(x, str_sub(value, scheme.n, value.n));
	if (!value.p && x->route->config->ops->token_in_query)
		return check_query_token(x);
	return (struct refusal){ ANSWER_AUTH_MISSING };
}

static struct refusal gate_rate(struct exchange *x)
{
	uint64_t wait_ms = 0;

	if (route_take_rate(x->route, x->worker->loop.now_ms, &wait_ms))
		return (struct refusal){ ANSWER_SUCCESS };
	return (struct refusal){ ANSWER_RATE, (uint32_t)(wait_ms / 1000 + 1) };
}

enum answer exchange_too_large(const struct exchange *x)
{
	const struct source_ops *ops = x->route->config->ops;

	return ops->too_large ? ops->too_large : ANSWER_TOO_LARGE;
}

static struct refusal gate_size(struct exchange *x)
{
	uint64_t length = x->request->content_length;
	bool too_large = length != UINT64_MAX && length > x->route->config->max_payload;

	return (struct refusal){ too_large ? exchange_too_large(x) : ANSWER_SUCCESS };
}

/* Charged is what has come: who announces a body and sends none must not take the memory of others. */
static struct refusal gate_memory(struct exchange *x)
{
	struct gateway *g = x->worker->gateway;
	uint64_t length = x->request->content_length;
	uint64_t held = (uint64_t)metric_value(g->metrics.body_memory);
	uint64_t max = atomic_load_explicit(&g->body_max, memory_order_relaxed);
	bool fits = length == UINT64_MAX || (held <= max && length <= max - held);

	return (struct refusal){ fits ? ANSWER_SUCCESS : ANSWER_OVERLOAD };
}

/* A body that could not be stored anyway is not worth reading. */
static struct refusal gate_outlet(struct exchange *x)
{
	struct gateway *g = x->worker->gateway;

	if (x->route->config->ack == ACK_BUS)
		return (struct refusal){ g->bus->ops->state(g->bus) == BUS_UP ? ANSWER_SUCCESS : ANSWER_BUS_FAILED };
	switch (store_state(g->store)) {
	case STORE_FULL:
		return (struct refusal){ ANSWER_FULL };
	case STORE_FAILED:
		return (struct refusal){ ANSWER_UNAVAILABLE };
	default:
		return (struct refusal){ ANSWER_SUCCESS };
	}
}

bool exchange_admit(struct exchange *x)
{
	static struct refusal (*const gates[])(struct exchange *) = {
		gate_auth, gate_rate, gate_size, gate_outlet, gate_memory,
	};

	for (size_t i = 0; i < ARRAY_LEN(gates); i++) {
		struct refusal refusal = gates[i](x);

		if (refusal.answer == ANSWER_SUCCESS)
			continue;
		if (gates[i] == gate_outlet)
			metric_inc(x->route->metrics.sent_failed);
		exchange_refuse_more(x, refusal.answer,
				     &(struct answer_more){ .retry_after_s = refusal.retry_after_s });
		return false;
	}
	return true;
}
