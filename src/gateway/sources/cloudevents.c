#include "gateway/sources/cloudevents.h"

#include "base/mem.h"
#include "event/event_http.h"
#include "event/event_json.h"
#include "gateway/exchange.h"
#include "gateway/sources/source.h"

#define ACCEPT_POST "Accept-Post: " EVENT_HTTP_JSON_TYPE ", " EVENT_HTTP_BATCH_TYPE ", */*\r\n"

#define AT(member)  offsetof(struct cloudevents_settings, member)

/* clang-format off */
static const struct field fields[] = {
	{ .key = "allowedOrigins", .type = FIELD_LIST,  .offset = AT(allowed_origins), .dflt_text = "none",
	  .meaning = "Origins that the OPTIONS handshake lets deliver; `*` is any. Without one the handshake is refused." },
	{ .key = "allowedRate",    .type = FIELD_COUNT, .offset = AT(allowed_rate), .max = UINT32_MAX,
	  .unit = "per minute", .meaning = "Requests per minute that the handshake grants; 0 grants any rate." },
	{ .key = "maxBatch",       .type = FIELD_COUNT, .offset = AT(max_batch), .min = 1, .max = 65536, .dflt = 1000,
	  .meaning = "Events in one batch, stored all or none; more answers 413." },
};
/* clang-format on */

static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
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

static const struct cloudevents_settings *settings_of(const struct exchange *x)
{
	return x->route->config->settings;
}

/* ---- handshake: is this endpoint willing to get events of that origin? ------------------------------------------------ */

static bool origin_allowed(const struct cloudevents_settings *s, struct str origin)
{
	for (size_t i = 0; i < s->allowed_origins.count; i++)
		if (str_is(STR("*"), s->allowed_origins.items[i]) ||
		    str_eq_nocase(origin, str_of(s->allowed_origins.items[i])))
			return true;
	return false;
}

static void grant(struct exchange *x, struct str origin)
{
	struct buf headers = { .max = 16 << 10 };
	uint64_t rate = settings_of(x)->allowed_rate;

	buf_addf(&headers, "Allow: POST\r\nWebHook-Allowed-Origin: %.*s\r\nWebHook-Allowed-Rate: ", STR_ARG(origin));
	if (rate)
		buf_u64(&headers, rate);
	else
		buf_char(&headers, '*');
	buf_lit(&headers, "\r\n");
	if (headers.err == E_OK)
		exchange_reply(x, &(struct http_response){ .status = 200, .headers = buf_view(&headers) });
	else
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	buf_release(&headers);
}

static bool handshake(struct exchange *x)
{
	struct str origin = http_field(x->request, STR("WebHook-Request-Origin"), NULL);

	if (!str_is(x->request->method, "OPTIONS"))
		return false;
	if (origin.n && origin_allowed(settings_of(x), origin))
		grant(x, origin);
	else
		exchange_refuse_more(x, ANSWER_METHOD, &(struct answer_more){ .headers = STR("Allow: POST\r\n") });
	return true;
}

/* ---- head and body ------------------------------------------------------------------------------------------------------ */

/* Once origins are listed, a delivery that names another one is refused (Web Hooks for event delivery, 4). */
static bool from_stranger(const struct exchange *x)
{
	struct str origin = http_field(x->request, STR("WebHook-Request-Origin"), NULL);

	return origin.n && settings_of(x)->allowed_origins.count && !origin_allowed(settings_of(x), origin);
}

static size_t copy_fields(const struct http_request *r, struct event_field *ret_headers)
{
	for (size_t i = 0; i < r->field_count; i++)
		ret_headers[i] = (struct event_field){ r->fields[i].name, r->fields[i].value };
	return r->field_count;
}

static bool is_cloudevent(const struct exchange *x, enum event_http_mode mode)
{
	struct event_field headers[HTTP_FIELDS_MAX];

	if (mode == EVENT_HTTP_UNKNOWN)
		return false;
	return mode != EVENT_HTTP_BINARY || event_http_is_binary(headers, copy_fields(x->request, headers));
}

static void on_head(struct exchange *x)
{
	enum event_http_mode mode = event_http_mode(http_field(x->request, STR("Content-Type"), NULL));

	x->mode = (int)mode;
	if (!str_is(x->request->method, "POST"))
		exchange_refuse_more(x, ANSWER_METHOD,
				     &(struct answer_more){ .headers = STR("Allow: POST, OPTIONS\r\n") });
	else if (from_stranger(x))
		exchange_refuse(x, ANSWER_FORBIDDEN, STR(""));
	else if (!is_cloudevent(x, mode))
		exchange_refuse_more(
			x, ANSWER_MEDIA_TYPE,
			&(struct answer_more){
				.headers = STR(ACCEPT_POST),
				.detail = STR(
					"send a CloudEvent: ce- header fields with any body, or " EVENT_HTTP_JSON_TYPE
					", or " EVENT_HTTP_BATCH_TYPE) });
}

/* ---- events into rows ---------------------------------------------------------------------------------------------------- */

/* What a row needs, gathered in x->payload and x->meta; places instead of pointers, because both still grow. */
struct gathered {
	size_t key_n; /* "<EventSource>/<event> <source> <id>" */
	size_t id_n;
	size_t data_n;
	size_t meta_n;
	enum event_data kind;
};

struct batch {
	struct exchange *x;
	struct gathered *items;
	size_t count;
	size_t room;
};

static bool make_room(struct batch *b)
{
	size_t room = b->room ? 2 * b->room : 4;
	struct gathered *items;

	if (b->count < b->room)
		return true;
	items = mem_realloc(b->items, room * sizeof(*items));
	if (!items)
		return false;
	b->items = items;
	b->room = room;
	return true;
}

/* Source and id make an event the same (CloudEvents 1.0.2, "id"), on this route: on a bus all routes share one space of ids. */
static void add_key(const struct route_config *config, const struct event *event, struct buf *ret_key)
{
	buf_addf(ret_key, "%s/%s ", config->event_source, config->event_name);
	buf_str(ret_key, event->source);
	buf_char(ret_key, ' ');
	buf_str(ret_key, event->id);
}

static enum err gather(struct batch *b, const struct event *event)
{
	struct exchange *x = b->x;
	size_t meta_at = x->meta.n, key_at = x->payload.n, key_n;

	if (!make_room(b))
		return E_NOMEM;
	add_key(x->route->config, event, &x->payload);
	key_n = x->payload.n - key_at;
	buf_str(&x->payload, event->data);
	event_write_meta(event, &x->meta);
	b->items[b->count++] = (struct gathered){
		.key_n = key_n,
		.id_n = event->id.n,
		.data_n = event->data.n,
		.meta_n = x->meta.n - meta_at,
		.kind = event->data_kind,
	};
	return x->payload.err != E_OK ? x->payload.err : x->meta.err;
}

static void fill_rows(const struct batch *b, struct store_row *rows)
{
	const struct route_config *config = b->x->route->config;
	const char *at = b->x->payload.p, *meta = b->x->meta.p;

	for (size_t i = 0; i < b->count; i++) {
		const struct gathered *g = &b->items[i];

		rows[i] = (struct store_row){
			.source = str_of(config->event_source),
			.name = str_of(config->event_name),
			.key = { at, g->key_n },
			.id = { at + g->key_n - g->id_n, g->id_n },
			.data = { at + g->key_n, g->data_n },
			.data_kind = g->kind,
			.meta = { meta, g->meta_n },
		};
		at += g->key_n + g->data_n;
		meta += g->meta_n;
	}
}

static void emit(struct batch *b)
{
	struct store_row *rows = mem_array(b->count, sizeof(*rows));
	bool *duplicates = mem_array(b->count, sizeof(*duplicates));

	if (!rows || !duplicates) {
		mem_free(rows);
		mem_free(duplicates);
		exchange_refuse(b->x, ANSWER_OVERLOAD, STR(""));
		return;
	}
	fill_rows(b, rows);
	if (exchange_charge(b->x)) {
		exchange_emit_rows(b->x, rows, duplicates, b->count);
	} else {
		mem_free(rows);
		mem_free(duplicates);
	}
}

static enum err gather_binary(struct batch *b, struct why *why)
{
	struct event_field headers[HTTP_FIELDS_MAX];
	struct buf arena = { .max = 1 << 20 };
	struct event event;
	enum err err = event_http_read(headers, copy_fields(b->x->request, headers), buf_view(&b->x->body), &arena,
				       &event, why);

	if (err == E_OK)
		err = gather(b, &event);
	buf_release(&arena);
	return err;
}

static enum err gather_json(struct batch *b, struct why *why)
{
	struct event_json json = { 0 };
	struct event event;
	enum err err = event_json_open(&json, buf_view(&b->x->body), b->x->mode == EVENT_HTTP_BATCH, why);

	if (err == E_OK && json.count > settings_of(b->x)->max_batch)
		err = why_set(why, E_LIMIT, "%zu events in one batch, at most %llu are taken: send smaller batches",
			      json.count, (unsigned long long)settings_of(b->x)->max_batch);
	while (err == E_OK && event_json_next(&json, &event))
		err = gather(b, &event);
	event_json_release(&json);
	return err;
}

static void refuse(struct exchange *x, enum err err, const struct why *why)
{
	enum answer answer = err == E_LIMIT       ? ANSWER_TOO_LARGE
			     : err == E_MALFORMED ? ANSWER_MALFORMED
						  : ANSWER_OVERLOAD;

	exchange_refuse(x, answer, answer == ANSWER_OVERLOAD ? STR("") : str_of(why->text));
}

static void on_end(struct exchange *x)
{
	struct batch b = { .x = x };
	struct why why = { 0 };
	enum err err = x->mode == EVENT_HTTP_BINARY ? gather_binary(&b, &why) : gather_json(&b, &why);

	if (err != E_OK)
		refuse(x, err, &why);
	else if (b.count == 0)
		exchange_reply(x, &(struct http_response){ .status = 200,
							   .content_type = STR("text/plain; charset=utf-8"),
							   .body = STR("success") }); /* an empty batch is allowed */
	else
		emit(&b);
	mem_free(b.items);
}

const struct source_ops source_cloudevents = {
	.kind = "cloudevents",
	.type = "cloudevents",
	.own = true,
	.native = true,
	.inlined = true,
	.settings = &settings,
	.settings_size = sizeof(struct cloudevents_settings),
	.token_in_query = true,
	.check = check,
	.handshake = handshake,
	.on_head = on_head,
	.on_body = exchange_collect,
	.on_end = on_end,
};
