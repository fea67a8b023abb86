/*
 * wiretest -- src/wire on the other side of a pipe, for tests that speak protobuf by other means.
 *
 * Shape     each line of standard input is an event in hex; each is answered with one line of JSON: what was read, and in hex what we
 *           make of it: the event written anew, the same with a stamp, and its ACK in upstream's dialect and in ours.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "wire/ack.h"
#include "wire/convert.h"

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_hex(struct str hex, struct buf *ret_bytes)
{
	for (size_t i = 0; i + 1 < hex.n && nibble(hex.p[i]) >= 0; i += 2)
		buf_char(ret_bytes, (char)(nibble(hex.p[i]) << 4 | nibble(hex.p[i + 1])));
}

static void put_text(struct buf *b, const char *key, struct str text)
{
	buf_addf(b, "%s\"%s\":", b->n > 1 ? "," : "", key);
	buf_json(b, text);
}

static void put_hex(struct buf *b, const char *key, const struct buf *bytes)
{
	buf_addf(b, ",\"%s\":\"", key);
	for (size_t i = 0; i < bytes->n; i++)
		buf_addf(b, "%02x", (unsigned char)bytes->p[i]);
	buf_char(b, '"');
}

static void put_fields(struct buf *b, const struct wire_event *e)
{
	put_text(b, "type", e->type_text);
	put_text(b, "target", e->target_text);
	put_text(b, "type_name", str_of(wire_type_name(e->type)));
	put_text(b, "known_target", wire_target_text(e->target));
	put_text(b, "source", e->source);
	put_text(b, "subject", e->subject);
	put_text(b, "resource_id", e->resource_id);
	put_text(b, "event_id", e->event_id);
	put_text(b, "sent_at", e->sent_at);
	put_text(b, "principal_uid", e->principal_uid);
	put_text(b, "traceparent", e->traceparent);
	put_text(b, "tracestate", e->tracestate);
	put_text(b, "content_type", e->content_type);
	put_text(b, "data", e->data);
}

static void put_made(struct buf *b, const struct wire_event *e)
{
	const struct wire_dialect upstream = { .version = WIRE_UPSTREAM }, ours = { .version = WIRE_TWO_STEPS };
	struct delivery_answer a = { .outcome = DELIVERY_REJECTED, .reason = STR("because"), .order = 77 };
	struct buf bytes = { 0 };

	if (wire_event_encode(e, &bytes) != E_OK)
		abort();
	put_hex(b, "encoded", &bytes);
	if (wire_event_stamp(STR("2026-01-02T03:04:05Z"), 77, &bytes) != E_OK)
		abort();
	put_hex(b, "stamped", &bytes);
	buf_clear(&bytes);
	if (wire_ack_of(e, &a, &upstream, STR("wiretest"), &bytes) == E_OK)
		put_hex(b, "ack", &bytes);
	buf_clear(&bytes);
	if (wire_ack_of(e, &a, &ours, STR("wiretest"), &bytes) == E_OK)
		put_hex(b, "our_ack", &bytes);
	buf_release(&bytes);
}

static void answer(struct str line)
{
	struct buf bytes = { 0 }, text = { 0 };
	struct wire_event e;
	struct why why = { 0 };
	enum err err;

	read_hex(line, &bytes);
	err = wire_event_decode(buf_view(&bytes), &e, &why);
	buf_char(&text, '{');
	put_text(&text, "error", str_of(err == E_OK ? "" : why.text));
	put_fields(&text, &e);
	put_made(&text, &e);
	printf("%.*s}\n", STR_ARG(buf_view(&text)));
	buf_release(&bytes);
	buf_release(&text);
}

int main(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		answer((struct str){ line, (size_t)n });
		(void)fflush(stdout);
	}
	free(line); /* getline()'s, not ours */
	return 0;
}
