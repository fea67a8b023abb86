/* What a route's filter says about its events: which are stored, and which are marked because it failed on them. */
#include "base/clock.h"
#include "base/log.h"
#include "event/json_members.h"
#include "event/json_text.h"
#include "event/json_walk.h"
#include "filter/filter.h"
#include "gateway/exchange_impl.h"
#include "gateway/request_log.h"
#include "gateway/sources/source.h"

#define MARK       "filtererror" /* the extension attribute that holds the reason */
#define REASON_MAX 200
#define MARK_MAX   (6 * REASON_MAX + 32) /* bytes: each character may be written as \\uXXXX */

/* ---- what a filter sees ---------------------------------------------------------------------------------------------- */

/* JSON by its kind; or by its type where it came as base64, as SDKs send all bytes. */
static bool may_be_json(const struct store_row *row)
{
	struct str type;

	if (row->data_kind != EVENT_DATA_BINARY)
		return row->data_kind == EVENT_DATA_JSON;
	type = json_member_raw(row->meta, "datacontenttype");
	return type.n > 2 && event_type_is_json(str_sub(type, 1, type.n - 2));
}

/* `space` holds data that came as it was and is not compact yet. E_NOMEM, or it is JSON that the filter reads as nil. */
static enum err input_of(const struct exchange *x, const struct store_row *row, struct buf *space,
			 struct filter_input *ret)
{
	enum err err = E_OK;

	*ret = (struct filter_input){ .object = row->data, .now_ns = (int64_t)clock_wall_ns() };
	if (!x->route->config->ops->native)
		return E_OK;
	ret->object = row->meta;
	ret->has_data = true;
	ret->data_is_text = row->data_kind == EVENT_DATA_TEXT;
	buf_clear(space);
	if (may_be_json(row))
		err = json_compact(row->data, /* plain= */ true, space, NULL);
	ret->data = ret->data_is_text ? row->data : err == E_OK ? buf_view(space) : (struct str){ 0 };
	return err == E_MALFORMED ? E_OK : err;
}

/* ---- marks ------------------------------------------------------------------------------------------------------------- */

/* May the event get one more attribute? */
static bool can_be_marked(struct str meta)
{
	struct json_walk w = json_walk(meta);
	size_t n = 0;

	json_walk_enter(&w);
	for (; json_walk_next(&w); n++) {
		if (str_is(json_walk_key(&w), "\"" MARK "\""))
			return false;
		(void)json_walk_value(&w);
	}
	return n > 0 && n < EVENT_EXTENSIONS_MAX;
}

/* One line that an attribute may hold (CloudEvents 1.0.2, "String"). */
static struct str reason_of(struct why *why)
{
	struct str reason = str_sub(str_of(why->text), 0, REASON_MAX);

	while (!str_is_utf8(reason))
		reason.n--;
	for (size_t i = 0; i < reason.n; i++)
		if ((unsigned char)why->text[i] < ' ' || why->text[i] == 0x7f)
			why->text[i] = '?';
	return reason;
}

/* Room for all marks that the rows from `i` on can get: what was written before never moves. */
static bool reserve_marks(struct exchange *x, size_t i)
{
	size_t room = 0;

	if (x->marked.n)
		return true;
	for (; i < x->count; i++)
		room += x->rows[i].meta.n + MARK_MAX;
	return buf_reserve(&x->marked, room) != NULL;
}

static bool mark(struct exchange *x, size_t i, struct why *why)
{
	struct store_row *row = &x->rows[i];
	size_t from = x->marked.n;

	if (!can_be_marked(row->meta))
		return true;
	if (!reserve_marks(x, i))
		return false;
	buf_add(&x->marked, row->meta.p, row->meta.n - 1);
	buf_lit(&x->marked, ",\"" MARK "\":");
	json_write_string(&x->marked, reason_of(why));
	buf_char(&x->marked, '}');
	row->meta = str_sub(buf_view(&x->marked), from, x->marked.n);
	return x->marked.err == E_OK;
}

/* ---- judgement ----------------------------------------------------------------------------------------------------------- */

static void report(struct exchange *x, const struct why *why)
{
	const struct route_config *config = x->route->config;

	metric_inc(x->route->metrics.filter_errors);
	if (!atomic_exchange_explicit(&x->route->filter_failed, true, memory_order_relaxed))
		log_warn("gateway",
			 "a filter fails on an event, which is stored all the same; further ones are only counted",
			 LOG_ROUTE(config), LOG_WHY(why));
}

/* False: no memory to judge. */
static bool judge(struct exchange *x, size_t i, struct buf *space, bool *ret_pass)
{
	struct filter_input in;
	struct why why = { 0 };
	enum err err = input_of(x, &x->rows[i], space, &in);

	*ret_pass = true;
	if (err == E_OK)
		err = filter_eval(x->route->config->filter, &in, &why, ret_pass);
	if (err == E_OK || err == E_NOMEM)
		return err == E_OK;
	report(x, &why);
	return mark(x, i, &why);
}

static bool judge_all(struct exchange *x)
{
	struct buf space = { 0 };
	size_t kept = 0;
	bool ok = true, pass;

	for (size_t i = 0; i < x->count && ok; i++) {
		ok = judge(x, i, &space, &pass);
		if (pass) {
			x->rows[kept++] = x->rows[i];
			continue;
		}
		metric_inc(x->route->metrics.filtered);
		request_log_filtered(x, &x->rows[i]);
	}
	buf_release(&space);
	x->count = ok ? kept : x->count;
	return ok;
}

bool exchange_filter(struct exchange *x)
{
	if (!x->route->config->filter)
		return true;
	if (!judge_all(x)) {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
		return false;
	}
	if (x->count == 0)
		exchange_answer_success(x, (struct str){ 0 });
	return x->count > 0;
}
