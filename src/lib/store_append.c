#include <stdint.h>

#include "base/mem.h"
#include "lib/store.h"

#define WORD_MAX 1000 /* bytes of a stream, a name or a key */

/* Entries on their way to the disk, with all that belongs to them. */
struct request {
	struct store_put put;
	struct why why;
	size_t count;
	struct store_row *rows;
	struct buf *texts; /* what each row points into */
	bool *duplicates;
	struct hf_stored *stored;
	void (*on_stored)(void *ctx, enum hf_error error, const struct hf_stored *stored, const struct hf_why *why);
	void *ctx;
};

static void request_free(struct request *r)
{
	if (!r)
		return;
	for (size_t i = 0; r->texts && i < r->count; i++)
		buf_release(&r->texts[i]);
	mem_free(r->texts);
	mem_free(r->rows);
	mem_free(r->duplicates);
	mem_free(r->stored);
	mem_free(r);
}

DEFINE_FREEP(request, struct request, request_free)

static struct request *request_new(size_t count)
{
	CLEANUP(request_freep) struct request *r = mem_alloc(sizeof(*r));

	if (!r)
		return NULL;
	r->count = count;
	r->rows = mem_array(count, sizeof(r->rows[0]));
	r->texts = mem_array(count, sizeof(r->texts[0]));
	r->duplicates = mem_array(count, sizeof(r->duplicates[0]));
	r->stored = mem_array(count, sizeof(r->stored[0]));
	return r->rows && r->texts && r->duplicates && r->stored ? TAKE(r) : NULL;
}

/* ---- what comes in --------------------------------------------------------------------------------------------------- */

static bool is_word(struct str s)
{
	bool ok = s.n > 0 && s.n <= WORD_MAX && str_is_utf8(s);

	for (size_t i = 0; ok && i < s.n; i++)
		ok = (unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f;
	return ok;
}

static enum err check(const struct hf_entry *entry, const struct event *view, struct why *why)
{
	struct str key = str_of(entry->key);

	if (!is_word(str_of(entry->stream)) || !is_word(str_of(entry->name)))
		return why_set(why, E_MALFORMED,
			       "stream and name are 1 to 1,000 bytes of UTF-8 without control characters");
	if (key.n > WORD_MAX || !str_is_utf8(key))
		return why_set(why, E_MALFORMED, "a key is at most 1,000 bytes of UTF-8");
	return event_check(view, why);
}

static struct str cut(const char **at, size_t n)
{
	struct str s = { *at, n };

	*at += n;
	return s;
}

/* Copies what the row is made of into one text. */
static enum err fill_row(const struct hf_entry *entry, struct why *why, struct buf *text, struct store_row *ret_row)
{
	struct str stream = str_of(entry->stream), name = str_of(entry->name), key = str_of(entry->key);
	struct event view;
	const char *at;
	size_t meta;
	enum err err;

	lib_event_view(entry->event, &view);
	err = check(entry, &view, why);
	if (err != E_OK)
		return err;
	event_write_meta(&view, text);
	meta = text->n;
	buf_str(text, view.data);
	buf_str(text, stream);
	buf_str(text, name);
	buf_str(text, key);
	buf_str(text, view.id);
	if (text->err != E_OK)
		return why_set(why, text->err, "no memory");
	at = text->p;
	*ret_row = (struct store_row){ .data_kind = view.data_kind };
	ret_row->meta = cut(&at, meta);
	ret_row->data = cut(&at, view.data.n);
	ret_row->source = cut(&at, stream.n);
	ret_row->name = cut(&at, name.n);
	ret_row->key = cut(&at, key.n);
	ret_row->id = cut(&at, view.id.n);
	return E_OK;
}

static enum err fill(struct request *r, const struct hf_entry *entries, struct why *why)
{
	for (size_t i = 0; i < r->count; i++) {
		enum err err = fill_row(&entries[i], why, &r->texts[i], &r->rows[i]);

		if (err != E_OK && r->count > 1)
			return why_add(why, "entry %zu", i);
		if (err != E_OK)
			return err;
	}
	return E_OK;
}

static bool are_entries(const struct hf_entry *entries, size_t count)
{
	for (size_t i = 0; entries && i < count; i++)
		if (!entries[i].stream || !entries[i].name || !entries[i].event)
			return false;
	return entries && count > 0;
}

static enum hf_error request_open(const struct hf_store *s, const char *call, const struct hf_entry *entries,
				  size_t count, struct hf_why *why, struct request **ret_request)
{
	struct why story = { 0 };
	enum hf_error error = lib_store_use_writer(s, call, why);

	if (error)
		return error;
	if (!are_entries(entries, count)) {
		why_set(&story, E_INTERNAL, "%s: entries with stream, name and event are required", call);
		return lib_misuse(why, story.text);
	}
	CLEANUP(request_freep) struct request *r = request_new(count);
	if (!r)
		why_set(&story, E_NOMEM, "no memory");
	else
		(void)fill(r, entries, &story);
	if (story.err) {
		why_add(&story, "append");
		return lib_fail(&story, why);
	}
	r->put = (struct store_put){ .rows = r->rows, .count = count, .duplicates = r->duplicates, .why = &r->why };
	*ret_request = TAKE(r);
	return HF_OK;
}

/* ---- what comes back ------------------------------------------------------------------------------------------------- */

static const char *text_of(enum err err)
{
	return err == E_LIMIT ? "an event has at most 512 MiB" : err_text(err);
}

static enum hf_error result(struct request *r, struct hf_why *why)
{
	if (r->put.err) {
		if (!r->why.err)
			why_set(&r->why, r->put.err, "%s", text_of(r->put.err));
		r->why.err = r->put.err;
		why_add(&r->why, "append");
		return lib_fail(&r->why, why);
	}
	for (size_t i = 0; i < r->count; i++)
		r->stored[i] = (struct hf_stored){ r->rows[i].pos, r->duplicates[i] };
	return HF_OK;
}

static void on_submitted(struct store_put *put)
{
	CLEANUP(request_freep) struct request *r = CONTAINER_OF(put, struct request, put);
	struct hf_why why = { .error = HF_OK };
	enum hf_error error = result(r, &why);

	r->on_stored(r->ctx, error, error ? NULL : r->stored, &why);
}

enum hf_error hf_store_submit(struct hf_store *s, const struct hf_entry *entries, size_t count,
			      void (*on_stored)(void *ctx, enum hf_error error, const struct hf_stored *stored,
						const struct hf_why *why),
			      void *ctx, struct hf_why *why)
{
	struct request *r = NULL;
	enum hf_error error = on_stored ? request_open(s, "hf_store_submit", entries, count, why, &r)
					: lib_misuse(why, "hf_store_submit: a callback is required");

	if (!r)
		return error;
	r->on_stored = on_stored;
	r->ctx = ctx;
	r->put.on_stored = on_submitted;
	store_put(s->writer, &r->put);
	return HF_OK;
}

/* ---- the same, waiting ----------------------------------------------------------------------------------------------- */

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t stored;
	bool done;
};

static void on_appended(struct store_put *put)
{
	const struct request *r = CONTAINER_OF(put, struct request, put);
	struct waiting *w = r->ctx;

	pthread_mutex_lock(&w->lock);
	w->done = true;
	pthread_cond_signal(&w->stored);
	pthread_mutex_unlock(&w->lock);
}

static void put_and_wait(struct store *store, struct request *r)
{
	struct waiting w = { .lock = PTHREAD_MUTEX_INITIALIZER, .stored = PTHREAD_COND_INITIALIZER };

	r->ctx = &w; /* cppcheck-suppress autoVariables; it is waited for below */
	r->put.on_stored = on_appended;
	store_put(store, &r->put);
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.stored, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_cond_destroy(&w.stored);
	pthread_mutex_destroy(&w.lock);
}

enum hf_error hf_store_append(struct hf_store *s, const struct hf_entry *entries, size_t count, struct hf_why *why,
			      struct hf_stored *ret_stored)
{
	CLEANUP(request_freep) struct request *r = NULL;
	enum hf_error error = request_open(s, "hf_store_append", entries, count, why, &r);

	if (!r)
		return error;
	if (store_is_writer(s->writer))
		return lib_misuse(why, "hf_store_append: a callback of the store would wait for itself");
	put_and_wait(s->writer, r);
	error = result(r, why);
	if (!error && ret_stored)
		memcpy(ret_stored, r->stored, count * sizeof(ret_stored[0]));
	return error;
}
