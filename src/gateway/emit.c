/* Payloads into rows for the store: the event's attributes, its id, and what makes it the same event again. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "gateway/exchange_impl.h"
#include "gateway/sources/source.h"

/* Where the texts of one row lie in x->meta, which still grows: attributes, then the id. */
struct place {
	size_t at;
	size_t meta_n;
	size_t id_n;
	bool given; /* by the sender; a random id is never met again */
};

/*
 * The id names the route too. A provider sends one id to every endpoint that gets the event, and on a bus all routes share one
 * space of ids; a consumer that reads several of them may go by the id alone (a Sensor of Argo Events does).
 */
static void write_id(const struct route_config *config, struct str id, struct buf *ret_id)
{
	char random[33];

	if (id.n) {
		buf_addf(ret_id, "%s/%s ", config->event_source, config->event_name);
		buf_str(ret_id, id);
	} else {
		rand_uuid_hex(random);
		buf_str(ret_id, (struct str){ random, 32 });
	}
}

/* `id` may end with the request, so the row has the copy. */
static void place_texts(struct exchange *x, struct str id, const char *time, size_t time_n, struct place *ret_place)
{
	struct buf text = { 0 };

	*ret_place = (struct place){ .at = x->meta.n, .given = id.n };
	write_id(x->route->config, id, &text);
	event_write_meta_around(buf_view(&x->route->meta), buf_view(&text), (struct str){ time, time_n }, &x->meta);
	ret_place->meta_n = x->meta.n - ret_place->at;
	buf_str(&x->meta, buf_view(&text));
	ret_place->id_n = text.n;
	if (text.err != E_OK)
		x->meta.err = text.err;
	buf_release(&text);
}

static struct store_row row_of(const struct exchange *x, const struct place *place, struct str data)
{
	const char *meta = x->meta.p + place->at;
	struct str id = { meta + place->meta_n, place->id_n };

	return (struct store_row){
		.source = str_of(x->route->config->event_source),
		.name = str_of(x->route->config->event_name),
		.id = id,
		.key = place->given ? id : (struct str){ 0 },
		.meta = { meta, place->meta_n },
		.data_kind = EVENT_DATA_JSON,
		.data = data,
	};
}

static bool is_whole(struct exchange *x)
{
	if (x->meta.err == E_OK && x->payload.err == E_OK)
		return true;
	exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	return false;
}

void exchange_emit(struct exchange *x, struct str id)
{
	char time[CLOCK_RFC3339_MAX];
	struct place place;

	place_texts(x, id, time, clock_rfc3339(clock_wall_ns(), time), &place);
	if (!is_whole(x))
		return;
	x->one = row_of(x, &place, buf_view(&x->payload));
	exchange_emit_rows(x, &x->one, &x->one_duplicate, 1);
}

/* `places` of every part, with the ids "<id>.1", "<id>.2" .. */
static void place_parts(struct exchange *x, size_t count, struct str id, struct place *places)
{
	char time[CLOCK_RFC3339_MAX];
	size_t time_n = clock_rfc3339(clock_wall_ns(), time);
	struct buf text = { 0 };

	for (size_t i = 0; i < count && x->meta.err == E_OK; i++) {
		buf_clear(&text);
		if (id.n)
			buf_addf(&text, "%.*s.%zu", STR_ARG(id), i + 1);
		place_texts(x, buf_view(&text), time, time_n, &places[i]);
		if (text.err != E_OK)
			x->meta.err = text.err;
	}
	buf_release(&text);
}

void exchange_emit_parts(struct exchange *x, const size_t *sizes, size_t count, struct str id)
{
	CLEANUP(mem_freep) struct place *places = mem_array(count, sizeof(*places));
	CLEANUP(mem_freep) struct store_row *rows = mem_array(count, sizeof(*rows));
	CLEANUP(mem_freep) bool *duplicates = mem_array(count, sizeof(*duplicates));
	const char *data = x->payload.p;

	if (places)
		place_parts(x, count, id, places);
	if (!places || !rows || !duplicates) {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
		return;
	}
	if (!is_whole(x))
		return;
	for (size_t i = 0; i < count; data += sizes[i++])
		rows[i] = row_of(x, &places[i], (struct str){ data, sizes[i] });
	exchange_emit_rows(x, TAKE(rows), TAKE(duplicates), count);
}
