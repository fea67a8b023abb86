#include "event/event_json.h"

#include "base/mem.h"
#include "lib/lib.h"

/* The first event of `json`, copied; with `data` (not NULL) in place of its own. */
static enum err copy_first(struct str json, const struct event *data, struct why *why, struct hf_event **ret_event)
{
	struct event_json j = { 0 };
	struct event view;
	enum err err = event_json_open(&j, json, /* batch= */ false, why);
	if (err)
		return err;
	if (!event_json_next(&j, &view)) {
		err = why_set(why, E_INTERNAL, "no event in JSON that has one");
		goto out;
	}
	if (data) {
		view.data_kind = data->data_kind;
		view.data = data->data;
	}
	struct hf_event *copy = lib_event_copy(&view);
	if (copy)
		*ret_event = copy;
	else
		err = why_set(why, E_NOMEM, "event: no memory");
out:
	event_json_release(&j);
	return err;
}

enum err lib_event_join(struct str meta, enum event_data kind, struct str data, struct why *why,
			struct hf_event **ret_event)
{
	const struct event stored = { .data_kind = kind, .data = data };
	enum err err = copy_first(meta, &stored, why, ret_event);
	return err == E_MALFORMED ? why_set(why, E_CORRUPT, "the stored attributes do not parse") : err;
}

enum hf_error hf_event_parse_json(const char *json, size_t size, struct hf_why *why, struct hf_event **ret_event)
{
	if ((!json && size > 0) || !ret_event)
		return lib_misuse(why, "hf_event_parse_json: text and a place for the event are required");
	struct why story = { 0 };
	if (copy_first((struct str){ json, size }, NULL, &story, ret_event))
		return lib_fail(&story, why);
	return HF_OK;
}

enum hf_error hf_event_check(const struct hf_event *e, struct hf_why *why)
{
	if (!e)
		return lib_misuse(why, "hf_event_check: an event is required");
	struct why story = { 0 };
	struct event view;
	lib_event_view(e, &view);
	return event_check(&view, &story) ? lib_fail(&story, why) : HF_OK;
}

static enum err write_json(const struct event *view, struct buf *ret_json, struct why *why)
{
	enum err err = event_check(view, why);
	if (err)
		return err;
	struct buf meta = { 0 };
	event_write_meta(view, &meta);
	if (!meta.err)
		event_write_json(buf_view(&meta), view->data_kind, view->data, EVENT_JSON_NATIVE, ret_json);
	err = meta.err;
	buf_release(&meta);
	if (!err && !buf_cstr(ret_json))
		err = ret_json->err;
	return err ? why_set(why, err, "event in JSON: %s", err_text(err)) : E_OK;
}

enum hf_error hf_event_write_json(const struct hf_event *e, struct hf_why *why, char **ret_json, size_t *ret_size)
{
	if (!e || !ret_json)
		return lib_misuse(why, "hf_event_write_json: an event and a place for the text are required");
	struct why story = { 0 };
	struct event view;
	struct buf json = { 0 };
	lib_event_view(e, &view);
	if (write_json(&view, &json, &story)) {
		buf_release(&json);
		return lib_fail(&story, why);
	}
	if (ret_size)
		*ret_size = json.n;
	*ret_json = json.p;
	return HF_OK;
}
