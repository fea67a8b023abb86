#include "lib/store.h"

#include <unistd.h>

#include "base/mem.h"

#define DEDUP_MS     (72ull * 3600 * 1000)
#define DEDUP_MEMORY (4u << 20)
#define CONSUMER     "confirmed" /* the library's place in the list of buses */

DEFINE_FREEP(hf_store, struct hf_store, hf_store_close)

/* ---- open, close ----------------------------------------------------------------------------------------------------- */

static void on_commit(struct store_listener *l, uint64_t last)
{
	const struct hf_store *s = CONTAINER_OF(l, struct hf_store, listener);

	s->on_commit(s->ctx, last);
}

static void listen(struct hf_store *s, const struct hf_store_options *options)
{
	s->on_commit = options->on_commit;
	s->ctx = options->ctx;
	s->listener.on_commit = on_commit;
	if (s->on_commit)
		store_listen(s->writer, &s->listener);
}

/* Nothing is let go before the store knows what was confirmed. */
static enum err open_writer(struct hf_store *s, const char *dir, const struct hf_store_options *options,
			    struct why *why)
{
	struct store_config config = {
		.dir = dir,
		.max_bytes = options->max_bytes,
		.dedup_ms = options->dedup_ms ? options->dedup_ms : DEDUP_MS,
		.dedup_memory = DEDUP_MEMORY,
	};
	uint64_t confirmed;
	enum err err = store_open(&config, why, &s->writer);

	if (err == E_OK)
		err = store_forwarded(s->writer, CONSUMER, &confirmed, why);
	if (err != E_OK)
		return err;
	config.retain_ms = options->retain_ms;
	config.retain_bytes = options->retain_bytes;
	store_set_limits(s->writer, &config);
	listen(s, options);
	return E_OK;
}

static struct hf_store *new_store(void)
{
	struct hf_store *s = mem_alloc(sizeof(*s));
	pthread_mutexattr_t recursive;

	if (!s)
		return NULL;
	s->process = getpid();
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&s->reading, &recursive);
	pthread_mutexattr_destroy(&recursive);
	return s;
}

enum hf_error hf_store_open(const char *dir, const struct hf_store_options *options, struct hf_why *why,
			    struct hf_store **ret_store)
{
	static const struct hf_store_options defaults;
	struct why story = { 0 };

	if (!dir || !dir[0] || !ret_store)
		return lib_misuse(why, "hf_store_open: a directory and a place for the handle are required");
	options = options ? options : &defaults;
	if (options->read_only && options->on_commit)
		return lib_misuse(why, "hf_store_open: a handle that only reads hears of no commits");

	lib_no_log();
	CLEANUP(hf_store_freep) struct hf_store *s = new_store();
	if (!s)
		why_set(&story, E_NOMEM, "store %s: no memory", dir);
	else if (options->read_only || open_writer(s, dir, options, &story) == E_OK)
		(void)store_reader_open(dir, &story, &s->reader);
	if (story.err)
		return lib_fail(&story, why);
	*ret_store = TAKE(s);
	return HF_OK;
}

void hf_store_close(struct hf_store *s)
{
	if (!s)
		return;
	if (s->process != getpid()) { /* all but the lock is the parent's */
		if (s->writer)
			store_abandon(s->writer);
		return;
	}
	store_close(s->writer); /* what was submitted is stored and told of, and whoever is told may read */
	store_reader_close(s->reader);
	pthread_mutex_destroy(&s->reading);
	mem_free(s);
}

/* May `call` use the handle at all? */
static enum hf_error use(const struct hf_store *s, const char *call, struct hf_why *ret_why)
{
	struct why story = { 0 };

	if (s && s->process == getpid())
		return HF_OK;
	why_set(&story, E_INTERNAL, "%s: %s", call, s ? "the store was opened before fork()" : "a store is required");
	return lib_misuse(ret_why, story.text);
}

enum hf_error lib_store_use_writer(const struct hf_store *s, const char *call, struct hf_why *ret_why)
{
	struct why story = { 0 };
	enum hf_error error = use(s, call, ret_why);

	if (error || s->writer)
		return error;
	why_set(&story, E_UNSUPPORTED, "%s: the store was opened for reading only", call);
	return lib_fail(&story, ret_why);
}

enum hf_error hf_store_state(const struct hf_store *s, uint64_t *ret_bytes)
{
	static const enum hf_error states[] = {
		[STORE_OK] = HF_OK,
		[STORE_NEARLY_FULL] = HF_OK,
		[STORE_FULL] = HF_FULL,
		[STORE_FAILED] = HF_UNAVAILABLE,
	};
	enum hf_error error = lib_store_use_writer(s, "hf_store_state", NULL);

	if (error)
		return error;
	if (ret_bytes)
		*ret_bytes = store_bytes(s->writer);
	return states[store_state(s->writer)];
}

/* ---- read ------------------------------------------------------------------------------------------------------------ */

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

static enum err read_from(struct store_reader *reader, const struct store_query *query, struct reading *r)
{
	uint64_t end = 0;
	enum err err = store_end(reader, &end, r->why);

	if (err == E_OK && query->from > end)
		return why_set(r->why, E_NOT_FOUND, "read: position %llu lies ahead of the store, whose next is %llu",
			       (unsigned long long)query->from, (unsigned long long)end);
	if (err == E_OK)
		err = store_read(reader, query, on_row, r, r->why);
	return err == E_OK ? r->err : err;
}

enum hf_error hf_store_read(struct hf_store *s, uint64_t from, size_t limit,
			    bool (*on_record)(void *ctx, const struct hf_record *record), void *ctx, struct hf_why *why)
{
	struct why story = { 0 };
	struct reading r = { .on_record = on_record, .ctx = ctx, .why = &story };
	const struct store_query query = { .from = from, .limit = limit };
	enum hf_error error = use(s, "hf_store_read", why);

	if (error)
		return error;
	if (!on_record)
		return lib_misuse(why, "hf_store_read: a callback is required");
	pthread_mutex_lock(&s->reading);
	if (s->is_reading) {
		error = lib_misuse(why, "hf_store_read: a callback of it may not read from the same handle");
	} else {
		s->is_reading = true;
		if (read_from(s->reader, &query, &r) != E_OK)
			error = lib_fail(&story, why);
		s->is_reading = false;
	}
	pthread_mutex_unlock(&s->reading);
	return error;
}

static enum err last_of_reader(struct hf_store *s, uint64_t *ret_position, struct why *why)
{
	uint64_t next = 0;
	enum err err;

	pthread_mutex_lock(&s->reading);
	err = store_end(s->reader, &next, why);
	pthread_mutex_unlock(&s->reading);
	if (err == E_OK)
		*ret_position = next - 1;
	return err;
}

enum hf_error hf_store_last(struct hf_store *s, struct hf_why *why, uint64_t *ret_position)
{
	struct why story = { 0 };
	enum hf_error error = use(s, "hf_store_last", why);

	if (error)
		return error;
	if (!ret_position)
		return lib_misuse(why, "hf_store_last: a place for the position is required");
	if (s->writer)
		*ret_position = store_last(s->writer);
	else if (last_of_reader(s, ret_position, &story) != E_OK)
		return lib_fail(&story, why);
	return HF_OK;
}

/* ---- confirm --------------------------------------------------------------------------------------------------------- */

enum hf_error hf_store_confirm(struct hf_store *s, uint64_t position, struct hf_why *why)
{
	struct why story = { 0 };
	enum hf_error error = lib_store_use_writer(s, "hf_store_confirm", why);

	if (error)
		return error;
	if (position > store_last(s->writer)) {
		why_set(&story, E_NOT_FOUND, "hf_store_confirm: nothing is stored at position %llu yet",
			(unsigned long long)position);
		return lib_fail(&story, why);
	}
	store_set_forwarded(s->writer, CONSUMER, position);
	return HF_OK;
}

enum hf_error hf_store_confirmed(struct hf_store *s, struct hf_why *why, uint64_t *ret_position)
{
	struct why story = { 0 };
	enum hf_error error = lib_store_use_writer(s, "hf_store_confirmed", why);

	if (error)
		return error;
	if (!ret_position)
		return lib_misuse(why, "hf_store_confirmed: a place for the position is required");
	if (store_forwarded(s->writer, CONSUMER, ret_position, &story) != E_OK)
		return lib_fail(&story, why);
	return HF_OK;
}
