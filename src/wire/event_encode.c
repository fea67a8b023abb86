#include <assert.h>

#include "base/mem.h"
#include "wire/event_impl.h"

#define ATTRIBUTES_MAX 16 /* all that wire.md has are fewer */

/* What is to be written, sized before the first byte. */
struct encode {
	struct attribute list[ATTRIBUTES_MAX];
	size_t n;
	char order[STR_U64_MAX];
	struct str raw; /* a message whose extensions go along */
};

static void add(struct encode *e, const char *key, enum member member, struct str text)
{
	assert(e->n < ATTRIBUTES_MAX);
	e->list[e->n++] = (struct attribute){ .key = str_of(key), .member = member, .text = text };
}

static void add_text(struct encode *e, const char *key, struct str text)
{
	if (text.n)
		add(e, key, MEMBER_STRING, text);
}

static void add_order(struct encode *e, uint64_t order)
{
	if (order)
		add(e, WIRE_ORDER, MEMBER_STRING, str_from_u64(order, e->order));
}

static void add_ours(struct encode *e, const struct wire_event *event)
{
	add_order(e, event->order);
	if (event->outcome != WIRE_NO_OUTCOME)
		add(e, WIRE_OUTCOME, MEMBER_STRING, wire_outcomes[event->outcome]);
	if (event->retryable)
		add(e, WIRE_RETRY, MEMBER_BOOLEAN, (struct str){ 0 });
	if (event->bare)
		add(e, WIRE_BARE, MEMBER_BOOLEAN, (struct str){ 0 });
	add_text(e, WIRE_REASON, event->reason);
}

static void add_all(struct encode *e, const struct wire_event *event, struct str target)
{
	if (target.n)
		add(e, WIRE_SCHEMA, MEMBER_URI, target);
#define X(key, field, extension)           \
	if (!(extension) || e->raw.n == 0) \
		add_text(e, key, event->field);
	WIRE_ATTRIBUTES(X)
#undef X
	add_ours(e, event);
}

static size_t value_size(const struct attribute *a)
{
	return a->member == MEMBER_BOOLEAN ? proto_number_size(1) : proto_bytes_size(a->text.n);
}

static size_t entry_size(const struct attribute *a)
{
	return proto_bytes_size(a->key.n) + proto_bytes_size(value_size(a));
}

static size_t attributes_size(const struct encode *e)
{
	struct extension_walk walk;
	struct str field;
	size_t size = 0;

	for (size_t i = 0; i < e->n; i++)
		size += proto_bytes_size(entry_size(&e->list[i]));
	extensions(e->raw, &walk);
	while (extension_next(&walk, &field))
		size += field.n;
	return size;
}

static char *put_attribute(char *to, const struct attribute *a)
{
	to = proto_put_head(to, CE_ATTRIBUTE, entry_size(a));
	to = proto_put_bytes(to, ENTRY_KEY, a->key);
	to = proto_put_head(to, ENTRY_VALUE, value_size(a));
	if (a->member == MEMBER_BOOLEAN)
		return proto_put_number(to, MEMBER_BOOLEAN, 1);
	return proto_put_bytes(to, a->member, a->text);
}

static char *put_attributes(char *to, const struct encode *e)
{
	struct extension_walk walk;
	struct str field;

	for (size_t i = 0; i < e->n; i++)
		to = put_attribute(to, &e->list[i]);
	extensions(e->raw, &walk);
	while (extension_next(&walk, &field)) {
		memcpy(to, field.p, field.n);
		to += field.n;
	}
	return to;
}

static size_t text_size(struct str text)
{
	return text.n ? proto_bytes_size(text.n) : 0;
}

static char *put_text(char *to, unsigned number, struct str text)
{
	return text.n ? proto_put_bytes(to, number, text) : to;
}

/* Room for the message `Event` around a CloudEvent of `size` bytes, its head written; NULL: sticky in the buffer. */
static char *begin(struct buf *b, size_t size)
{
	char *to = buf_reserve(b, proto_bytes_size(size));

	return to ? proto_put_head(to, EVENT_EVENT, size) : NULL;
}

enum err event_encode_with(const struct wire_event *event, struct str original, struct buf *ret_bytes)
{
	struct str type = event->type == WIRE_UNKNOWN_TYPE ? event->type_text : wire_type_text(event->type);
	struct str target = event->target == WIRE_UNKNOWN_TARGET ? event->target_text : wire_target_text(event->target);
	struct str version = STR("1.0");
	struct encode e = { .raw = original };
	size_t size;
	char *to;

	add_all(&e, event, target);
	size = text_size(event->source) + text_size(version) + text_size(type) + attributes_size(&e) +
	       proto_bytes_size(event->data.n);
	to = begin(ret_bytes, size);
	if (!to)
		return ret_bytes->err;
	to = put_text(to, CE_SOURCE, event->source);
	to = put_text(to, CE_SPEC_VERSION, version);
	to = put_text(to, CE_TYPE, type);
	to = put_attributes(to, &e);
	to = proto_put_bytes(to, CE_BINARY, event->data);
	ret_bytes->n = (size_t)(to - ret_bytes->p);
	return E_OK;
}

enum err wire_event_encode(const struct wire_event *event, struct buf *ret_bytes)
{
	return event_encode_with(event, (struct str){ 0 }, ret_bytes);
}

enum err wire_event_stamp(struct str sent_at, uint64_t order, struct buf *bytes)
{
	struct encode e = { 0 };
	char *to;

	add_text(&e, "sentat", sent_at);
	add_order(&e, order);
	if (e.n == 0)
		return bytes->err;
	to = begin(bytes, attributes_size(&e));
	if (!to)
		return bytes->err;
	to = put_attributes(to, &e);
	bytes->n = (size_t)(to - bytes->p);
	return E_OK;
}
