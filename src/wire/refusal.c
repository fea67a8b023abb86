#include "wire/refusal.h"

#include "base/mem.h"
#include "base/uuid.h"
#include "event/json_text.h"
#include "rpc/proto.h"
#include "wire/members.h"

#define REFUSED "holdfast does not serve this request"

/* Fields of LogStreamData and TerminalStreamData. */
enum { STREAM_UUID = 1, LOG_EOF = 3, LOG_ERROR = 4, TERMINAL_EOF = 7, TERMINAL_ERROR = 8 };

struct request {
	struct str object; /* its data; empty: unreadable */
	struct str uuid;   /* what it calls itself; its event id says the same */
	struct str connection;
	struct buf arena;
};

static void open_request(const struct wire_event *event, struct request *r)
{
	const struct member members[] = { { "uuid", &r->uuid }, { "connectionUuid", &r->connection } };

	if (members_open(event->data, &r->arena, &r->object, NULL) != E_OK)
		r->object = (struct str){ 0 };
	(void)members_read(r->object, members, ARRAY_LEN(members), &r->arena, NULL);
	if (r->uuid.n == 0)
		r->uuid = event->event_id;
}

/* The only message of a stream: whose it is, that it is over, and why. */
static enum err last_message(struct str uuid, unsigned eof, unsigned error, struct buf *b)
{
	proto_add_bytes(b, STREAM_UUID, uuid);
	proto_add_number(b, eof, 1);
	proto_add_bytes(b, error, STR(REFUSED));
	return b->err;
}

/* Of a redis request: the body of its reply. A ping is answered, the rest fails. */
static void put_redis_body(const struct request *r, struct buf *json)
{
	struct str body = members_object(r->object, "body");

	if (members_object(body, "get").n)
		buf_lit(json, "{\"get\":{\"bytes\":null,\"cacheHit\":false,\"error\":\"" REFUSED "\"}}");
	else if (members_object(body, "subscribe").n)
		buf_lit(json, "{\"subscribeResponse\":{\"error\":\"" REFUSED "\"}}");
	else if (members_object(body, "ping").n)
		buf_lit(json, "{\"pong\":{}}");
	else
		buf_lit(json, "{}");
}

static void put_redis(const struct request *r, struct buf *json)
{
	buf_lit(json, "{\"uuid\":");
	json_write_string(json, r->uuid);
	buf_lit(json, ",\"connectionUuid\":");
	json_write_string(json, r->connection);
	buf_lit(json, ",\"body\":");
	put_redis_body(r, json);
	buf_char(json, '}');
}

/* 501: upstream's proxy hands the status on. */
static void put_resource(const struct request *r, struct buf *json)
{
	buf_lit(json, "{\"uuid\":");
	json_write_string(json, r->uuid);
	buf_lit(json, ",\"status\":501}");
}

static enum err reply(const struct wire_event *request, struct request *r, struct str source,
		      const unsigned char random[static 16], struct buf *ret_bytes)
{
	char uuid[UUID_MAX];
	struct buf json = { 0 };
	struct wire_event event = {
		.type = request->target == WIRE_TO_REDIS ? WIRE_REDIS_RESPONSE : WIRE_RESPONSE,
		.target = request->target,
		.source = source,
		.event_id = r->uuid,
		.content_type = STR("application/json"),
	};
	enum err err;

	if (request->target == WIRE_TO_REDIS)
		put_redis(r, &json);
	else
		put_resource(r, &json);
	uuid_write(random, uuid);
	event.resource_id = str_of(uuid);
	event.data = buf_view(&json);
	err = json.err == E_OK ? wire_event_encode(&event, ret_bytes) : json.err;
	buf_release(&json);
	return err;
}

static enum wire_refusal refusal_of(const struct wire_event *e)
{
	if (e->type == WIRE_REDIS_REQUEST && e->target == WIRE_TO_REDIS)
		return WIRE_REFUSE_EVENT;
	if (e->type == WIRE_TERMINAL_REQUEST && e->target == WIRE_TO_TERMINAL)
		return WIRE_REFUSE_TERMINAL;
	if (e->target == WIRE_TO_CONTAINERLOG)
		return WIRE_REFUSE_LOGS;
	/* Whatever its method: one that is in no table waits for an answer too. */
	if (e->target == WIRE_TO_RESOURCE && e->type != WIRE_RESPONSE)
		return WIRE_REFUSE_EVENT;
	return WIRE_REFUSE_NOTHING;
}

enum err wire_refuse(const struct wire_event *request, struct str source, const unsigned char random[static 16],
		     enum wire_refusal *ret_refusal, struct buf *ret_bytes)
{
	enum wire_refusal refusal = refusal_of(request);
	struct request r = { 0 };
	enum err err = E_OK;

	*ret_refusal = WIRE_REFUSE_NOTHING;
	if (refusal == WIRE_REFUSE_NOTHING)
		return E_OK;
	open_request(request, &r);
	if (r.arena.err == E_NOMEM || r.uuid.n == 0)
		err = r.uuid.n ? E_NOMEM : E_MALFORMED;
	else if (refusal == WIRE_REFUSE_LOGS)
		err = last_message(r.uuid, LOG_EOF, LOG_ERROR, ret_bytes);
	else if (refusal == WIRE_REFUSE_TERMINAL)
		err = last_message(r.uuid, TERMINAL_EOF, TERMINAL_ERROR, ret_bytes);
	else
		err = reply(request, &r, source, random, ret_bytes);
	buf_release(&r.arena);
	if (err == E_OK)
		*ret_refusal = refusal;
	return err;
}
