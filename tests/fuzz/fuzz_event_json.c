/*
 * CloudEvents in JSON: the first byte chooses batch or single. Properties: what is read passes event_check(); written in
 * native form it reads back as the same event, and both forms are one line of valid JSON; a batch has as many events as it
 * says; a refusal says why.
 */
#include <stdint.h>
#include <stdlib.h>

#include "event/event_json.h"
#include "event/json_text.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static struct buf written(const struct event *event, enum event_json_form form)
{
	struct buf meta = { 0 }, json = { 0 };

	event_write_meta(event, &meta);
	event_write_json(buf_view(&meta), event->data_kind, event->data, form, &json);
	buf_release(&meta);
	MUST(json.err == E_OK);
	MUST(json_valid(buf_view(&json)) && str_is_utf8(buf_view(&json)));
	MUST(str_find(buf_view(&json), '\n') == json.n);
	return json;
}

static void must_survive(const struct event *event)
{
	struct buf first = written(event, EVENT_JSON_NATIVE), upstream = written(event, EVENT_JSON_UPSTREAM), second;
	struct event_json j;
	struct event back;

	MUST(event_check(event, NULL) == E_OK);
	MUST(event_json_open(&j, buf_view(&first), /* batch= */ false, NULL) == E_OK);
	MUST(event_json_next(&j, &back));
	MUST(back.data_kind == event->data_kind && str_eq(back.data, event->data));
	second = written(&back, EVENT_JSON_NATIVE);
	MUST(str_eq(buf_view(&first), buf_view(&second)));
	event_json_release(&j);
	buf_release(&first);
	buf_release(&second);
	buf_release(&upstream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event_json j;
	struct event event;
	struct why why = { 0 };
	size_t count = 0;

	if (size == 0)
		return 0;
	if (event_json_open(&j, (struct str){ (const char *)data + 1, size - 1 }, data[0] == 'b', &why) != E_OK) {
		MUST(why.err != E_OK && why.text[0] != '\0');
		return 0;
	}
	for (; event_json_next(&j, &event); count++)
		must_survive(&event);
	MUST(count == j.count);
	event_json_release(&j);
	return 0;
}
