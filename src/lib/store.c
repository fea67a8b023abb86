#include "holdfast/store.h"

#include <pthread.h>

#include "base/mem.h"
#include "lib/lib.h"
#include "store/store.h"

#define DEDUP_MS     (72ull * 3600 * 1000)
#define DEDUP_MEMORY (4u << 20)

struct hf_store {
	struct store *writer; /* NULL: reads only */
	struct store_reader *reader;
	pthread_mutex_t reading; /* a reader belongs to one thread at a time */
};

DEFINE_FREEP(hf_store, struct hf_store, hf_store_close)

static enum err open_writer(struct hf_store *s, const char *dir, const struct hf_store_options *options,
			    struct why *why)
{
	struct store_config config = {
		.dir = dir,
		.max_bytes = options->max_bytes,
		.dedup_ms = options->dedup_ms ? options->dedup_ms : DEDUP_MS,
		.dedup_memory = DEDUP_MEMORY,
	};
	return store_open(&config, why, &s->writer);
}

enum hf_error hf_store_open(const char *dir, const struct hf_store_options *options, struct hf_why *why,
			    struct hf_store **ret_store)
{
	static const struct hf_store_options defaults;
	if (!dir || !dir[0] || !ret_store)
		return lib_misuse(why, "hf_store_open: a directory and a place for the handle are required");
	options = options ? options : &defaults;

	lib_log();
	struct why story = { 0 };
	struct hf_store *s = mem_alloc(sizeof(*s));
	if (!s) {
		why_set(&story, E_NOMEM, "store %s: no memory", dir);
		return lib_fail(&story, why);
	}
	pthread_mutex_init(&s->reading, NULL);
	CLEANUP(hf_store_freep) struct hf_store *owned = s;
	if ((!options->read_only && open_writer(s, dir, options, &story)) || store_reader_open(dir, &story, &s->reader))
		return lib_fail(&story, why);
	*ret_store = TAKE(owned);
	return HF_OK;
}

void hf_store_close(struct hf_store *s)
{
	if (!s)
		return;
	if (s->reader)
		store_reader_close(s->reader);
	store_close(s->writer);
	pthread_mutex_destroy(&s->reading);
	mem_free(s);
}

/* ---- append -------------------------------------------------------------------------------------------------------- */

/* One append that waits for its commit. */
struct waiting {
	struct store_put put;
	pthread_mutex_t lock;
	pthread_cond_t stored;
	bool done;
};

static void on_stored(struct store_put *put)
{
	struct waiting *w = CONTAINER_OF(put, struct waiting, put);
	pthread_mutex_lock(&w->lock);
	w->done = true;
	pthread_cond_signal(&w->stored);
	pthread_mutex_unlock(&w->lock);
}

static enum err put_and_wait(struct store *store, struct store_row *row, bool *ret_duplicate)
{
	struct waiting w = {
		.put = { .rows = row, .count = 1, .duplicates = ret_duplicate, .on_stored = on_stored },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.stored = PTHREAD_COND_INITIALIZER,
	};
	store_put(store, &w.put);
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.stored, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_cond_destroy(&w.stored);
	pthread_mutex_destroy(&w.lock);
	return w.put.err;
}

static enum err append(struct store *store, struct store_row *row, const struct hf_event *event, struct why *why,
		       bool *ret_duplicate)
{
	struct event view;
	lib_event_view(event, &view);
	enum err err = event_check(&view, why);
	if (err)
		return err;
	struct buf meta = { 0 };
	event_write_meta(&view, &meta);
	row->id = view.id;
	row->meta = buf_view(&meta);
	row->data_kind = view.data_kind;
	row->data = view.data;
	err = meta.err ? meta.err : put_and_wait(store, row, ret_duplicate);
	buf_release(&meta);
	return err ? why_set(why, err, "append: %s", err_text(err)) : E_OK;
}

enum hf_error hf_store_append(struct hf_store *s, const char *stream, const char *name, const char *key,
			      const struct hf_event *event, struct hf_why *why, uint64_t *ret_position,
			      bool *ret_duplicate)
{
	if (!s || !stream || !name || !event)
		return lib_misuse(why, "hf_store_append: store, stream, name and event are required");
	struct why story = { 0 };
	if (!s->writer) {
		why_set(&story, E_UNSUPPORTED, "append: the store was opened for reading only");
		return lib_fail(&story, why);
	}
	struct store_row row = { .source = str_of(stream), .name = str_of(name), .key = str_of(key) };
	bool duplicate = false;
	if (append(s->writer, &row, event, &story, &duplicate))
		return lib_fail(&story, why);
	if (ret_position)
		*ret_position = row.pos;
	if (ret_duplicate)
		*ret_duplicate = duplicate;
	return HF_OK;
}

/* ---- read ---------------------------------------------------------------------------------------------------------- */

/* One hf_store_read() on its way. */
struct reading {
	bool (*on_record)(void *ctx, const struct hf_record *record);
	void *ctx;
	struct why *why;
	enum err err;
};

static bool on_row(void *ctx, const struct store_row *row)
{
	struct reading *r = ctx;
	CLEANUP(mem_freep) char *stream = str_dup(row->source);
	CLEANUP(mem_freep) char *name = str_dup(row->name);
	struct hf_event *event = NULL;
	if (!stream || !name)
		r->err = why_set(r->why, E_NOMEM, "no memory");
	else
		r->err = lib_event_join(row->meta, row->data_kind, row->data, r->why, &event);
	if (r->err) {
		why_add(r->why, "event at position %llu", (unsigned long long)row->pos);
		return false;
	}
	bool more = r->on_record(r->ctx, &(struct hf_record){ row->pos, row->stored_ms, stream, name, event });
	hf_event_free(event);
	return more;
}

enum hf_error hf_store_read(struct hf_store *s, uint64_t from, size_t limit,
			    bool (*on_record)(void *ctx, const struct hf_record *record), void *ctx, struct hf_why *why)
{
	if (!s || !on_record)
		return lib_misuse(why, "hf_store_read: store and callback are required");
	struct why story = { 0 };
	struct reading r = { .on_record = on_record, .ctx = ctx, .why = &story };
	struct store_query query = { .from = from, .limit = limit };
	pthread_mutex_lock(&s->reading);
	enum err err = store_read(s->reader, &query, on_row, &r, &story);
	pthread_mutex_unlock(&s->reading);
	return err || r.err ? lib_fail(&story, why) : HF_OK;
}

enum hf_error hf_store_last(struct hf_store *s, struct hf_why *why, uint64_t *ret_position)
{
	if (!s || !ret_position)
		return lib_misuse(why, "hf_store_last: store and a place for the position are required");
	if (s->writer) {
		*ret_position = store_last(s->writer);
		return HF_OK;
	}
	struct why story = { 0 };
	uint64_t next;
	pthread_mutex_lock(&s->reading);
	enum err err = store_pos_at(s->reader, INT64_MAX, &next, &story);
	pthread_mutex_unlock(&s->reading);
	if (err)
		return lib_fail(&story, why);
	*ret_position = next - 1;
	return HF_OK;
}
