/*
 * storefill.c -- writes a store on command, for tests of what reads one.
 *
 *   storefill DIR        reads commands from standard input, one a line; answers each with a line
 *     put SOURCE NAME ID KIND DATA     one event; KIND is json, text, binary or none; answers its position
 *     fill COUNT BYTES                 COUNT events of BYTES of JSON each; answers the last position
 *     dead POS BUS REASON              sets an event aside; answers "dead"
 *   The end of the input closes the store.
 */
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "event/event.h"
#include "store/store.h"

#define GROUP 256

struct waiting_put {
	struct store_put put;
	sem_t done;
};

struct waiting_dead {
	struct store_dead_put put;
	sem_t done;
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "storefill: %s\n", what);
	exit(1);
}

static void on_stored(struct store_put *put)
{
	sem_post(&CONTAINER_OF(put, struct waiting_put, put)->done);
}

static void on_done(struct store_dead_put *put)
{
	sem_post(&CONTAINER_OF(put, struct waiting_dead, put)->done);
}

static void put_rows(struct store *s, struct store_row *rows, size_t count)
{
	struct waiting_put w = { .put = { .rows = rows, .count = count, .on_stored = on_stored } };

	sem_init(&w.done, 0, 0);
	store_put(s, &w.put);
	sem_wait(&w.done);
	if (w.put.err != E_OK)
		fail(err_text(w.put.err));
}

static void write_meta(struct str source, struct str id, enum event_data kind, struct buf *ret_meta)
{
	struct event event = { .id = id, .source = source, .type = STR("test") };

	if (kind == EVENT_DATA_JSON)
		event.datacontenttype = STR("application/json");
	event_write_meta(&event, ret_meta);
}

static enum event_data kind_of(struct str word)
{
	static const char *const words[] = { "none", "json", "text", "binary" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_is(word, words[i]))
			return (enum event_data)i;
	fail("unknown kind of data");
	return EVENT_DATA_NONE;
}

static void put_one(struct store *s, struct str rest)
{
	struct str source = str_cut(&rest, ' '), name = str_cut(&rest, ' '), id = str_cut(&rest, ' ');
	enum event_data kind = kind_of(str_cut(&rest, ' '));
	struct store_row row = { .source = source, .name = name, .id = id, .key = id, .data_kind = kind, .data = rest };
	struct buf meta = { 0 };

	write_meta(source, id, kind, &meta);
	row.meta = buf_view(&meta);
	put_rows(s, &row, 1);
	printf("%" PRIu64 "\n", row.pos);
	buf_release(&meta);
}

static void fill(struct store *s, struct str rest)
{
	static struct store_row rows[GROUP];
	struct str count_word = str_cut(&rest, ' ');
	struct buf meta = { 0 }, data = { 0 };
	uint64_t count = 0, bytes = 0;

	if (!str_to_u64(count_word, UINT32_MAX, &count) || !str_to_u64(rest, 1 << 20, &bytes))
		fail("fill COUNT BYTES");
	write_meta(STR("fill"), STR("fill-id"), EVENT_DATA_JSON, &meta);
	buf_addf(&data, "\"%0*d\"", (int)bytes, 0);
	for (size_t i = 0; i < GROUP; i++)
		rows[i] = (struct store_row){ .source = STR("fill"),
					      .name = STR("event"),
					      .id = STR("fill-id"),
					      .meta = buf_view(&meta),
					      .data_kind = EVENT_DATA_JSON,
					      .data = buf_view(&data) };
	for (uint64_t done = 0; done < count; done += GROUP)
		put_rows(s, rows, count - done < GROUP ? count - done : GROUP);
	printf("%" PRIu64 "\n", store_last(s));
	buf_release(&meta);
	buf_release(&data);
}

static void set_aside(struct store *s, struct str rest)
{
	struct str pos = str_cut(&rest, ' '), bus = str_cut(&rest, ' ');
	CLEANUP(mem_freep) char *bus_text = str_dup(bus);
	CLEANUP(mem_freep) char *reason = str_dup(rest);
	struct waiting_dead w = {
		.put = { .bus = bus_text, .reason = reason, .what = STORE_DEAD_ADD, .on_done = on_done }
	};

	if (!str_to_u64(pos, UINT64_MAX, &w.put.pos))
		fail("dead POS BUS REASON");
	sem_init(&w.done, 0, 0);
	store_dead(s, &w.put);
	sem_wait(&w.done);
	if (w.put.err != E_OK)
		fail(err_text(w.put.err));
	puts("dead");
}

static void obey(struct store *s, struct str line)
{
	struct str verb = str_cut(&line, ' ');

	if (str_is(verb, "put"))
		put_one(s, line);
	else if (str_is(verb, "fill"))
		fill(s, line);
	else if (str_is(verb, "dead"))
		set_aside(s, line);
	else
		fail("unknown command");
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	struct store_config config = { .dir = argc > 1 ? argv[1] : NULL,
				       .dedup_ms = 259200000,
				       .dedup_memory = 1 << 20 };
	struct why why = { 0 };
	struct store *store;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (argc != 2)
		fail("storefill DIR");
	if (store_open(&config, &why, &store) != E_OK)
		fail(why.text);
	puts("open");
	(void)fflush(stdout);
	while ((n = getline(&line, &size, stdin)) > 0)
		obey(store, (struct str){ line, (size_t)(line[n - 1] == '\n' ? n - 1 : n) });
	free(line);
	store_close(store);
	return 0;
}
