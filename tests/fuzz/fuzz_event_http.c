/*
 * CloudEvents in HTTP binary mode: lines of "name: value", then an empty line, then the body. Properties: what is read
 * passes event_check() and keeps the body; written and read again it is the same event; what is written holds no byte that
 * could end a field; a refusal says why.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "event/event_http.h"
#include "event/json_text.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define FIELDS_MAX 100

static size_t take_fields(struct str *text, struct event_field *fields)
{
	size_t n = 0;

	while (n < FIELDS_MAX && text->n) {
		struct str line = str_cut(text, '\n'), value = line;

		if (line.n && line.p[line.n - 1] == '\r')
			value = line = str_sub(line, 0, line.n - 1);
		if (line.n == 0)
			break;
		fields[n].name = str_cut(&value, ':');
		fields[n++].value = str_trim(value);
	}
	return n;
}

static void must_be_safe(struct str written)
{
	for (size_t i = 0; i < written.n; i++) {
		unsigned char c = (unsigned char)written.p[i];
		bool line_end = (c == '\r' && i + 1 < written.n && written.p[i + 1] == '\n') ||
				(c == '\n' && i > 0 && written.p[i - 1] == '\r');

		MUST(line_end || (c >= 0x20 && c < 0x7f));
	}
}

static struct buf meta_of(const struct event *event)
{
	struct buf meta = { 0 };

	event_write_meta(event, &meta);
	MUST(meta.err == E_OK && json_valid(buf_view(&meta)));
	return meta;
}

static void must_survive(const struct event *event)
{
	struct event_field fields[FIELDS_MAX];
	struct buf written = { 0 }, arena = { 0 }, first, second;
	struct str type = { 0 }, rest;
	struct event back;
	size_t n;

	MUST(event_http_write(event, &written, &type, NULL) == E_OK);
	must_be_safe(buf_view(&written));
	rest = buf_view(&written);
	n = take_fields(&rest, fields);
	if (event->datacontenttype.n)
		fields[n++] = (struct event_field){ STR("Content-Type"), type };
	MUST(event_http_read(fields, n, event->data, &arena, &back, NULL) == E_OK);
	first = meta_of(event);
	second = meta_of(&back);
	MUST(str_eq(buf_view(&first), buf_view(&second)));
	MUST(back.data_kind == event->data_kind);
	buf_release(&first);
	buf_release(&second);
	buf_release(&written);
	buf_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct event_field fields[FIELDS_MAX];
	size_t n = take_fields(&rest, fields);
	struct buf arena = { 0 }, json = { 0 };
	struct why why = { 0 };
	struct event event;

	(void)event_http_mode(str_sub((struct str){ (const char *)data, size }, 0, 60));
	if (event_http_read(fields, n, rest, &arena, &event, &why) == E_OK) {
		struct buf meta = meta_of(&event);

		MUST(event_check(&event, NULL) == E_OK);
		MUST(str_eq(event.data, rest));
		event_write_json(buf_view(&meta), event.data_kind, event.data, EVENT_JSON_NATIVE, &json);
		MUST(json.err == E_OK && json_valid(buf_view(&json)));
		must_survive(&event);
		buf_release(&meta);
	} else {
		MUST(why.err != E_OK && why.text[0] != '\0');
	}
	buf_release(&arena);
	buf_release(&json);
	return 0;
}
