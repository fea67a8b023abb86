/*
 * dirtool -- writes to a directory backend until it is killed, and says what was acknowledged.
 *
 *     dirtool write DIR DATA SEED     PUT, STATUS and DELETE of a few hundred objects, many at a time. Lines on standard output,
 *                                     each before the next write of that object begins:
 *                                         NAME V            the object is there, with spec.v and status.v of V
 *                                         NAME ~            it is going to be deleted
 *                                         NAME -            it is deleted
 *     dirtool list DIR DATA           NAME SPEC.V STATUS.V UID for each object there is, then ends; a problem ends it with status 1
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/directory.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/seed.h"

#define OBJECTS 300

struct slot {
	struct backend_write w;
	unsigned number;
	uint64_t value;
	bool exists;
};

static struct loop loop;
static struct backend *backend;
static struct slot slots[OBJECTS];
static uint64_t dice;
static bool failed;

static void die(const struct why *why)
{
	fprintf(stderr, "dirtool: %s\n", why->text);
	exit(2);
}

static uint64_t throw_dice(void)
{
	return seed_next(&dice);
}

/* One write(2), which the kernel keeps when the process is killed after it. */
static void say(const struct slot *s, const char *what)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "o%u %s\n", s->number, what);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		exit(2);
}

static void say_value(const struct slot *s)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)s->value);
	say(s, text);
}

static struct object *object_of(const struct slot *s)
{
	char json[512];
	struct object *o = NULL;
	struct why why = { 0 };

	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"o%u\",\"namespace\":\"ns-%u\"},\"spec\":{\"v\":%llu,\"pad\":\"%0*d\"},"
		 "\"status\":{\"v\":%llu}}",
		 s->number, s->number % 7, (unsigned long long)s->value, (int)(s->value % 200), 0,
		 (unsigned long long)s->value);
	if (object_new(OBJECT_APPLICATION, str_of(json), &why, &o) != E_OK)
		die(&why);
	return o;
}

static void give(struct slot *s, enum backend_verb verb)
{
	s->w.verb = verb;
	s->w.object = object_of(s);
	backend_write(backend, &s->w);
	object_unref(s->w.object);
}

static void next(struct slot *s)
{
	if (s->exists && throw_dice() % 5 == 0) {
		say(s, "~");
		give(s, BACKEND_DELETE);
		return;
	}
	s->value++;
	give(s, BACKEND_PUT);
}

static void on_done(struct backend_write *w)
{
	struct slot *s = CONTAINER_OF(w, struct slot, w);

	if (w->err != E_OK && !(w->verb == BACKEND_DELETE && w->err == E_NOT_FOUND) && w->err != E_CONFLICT)
		die(&w->why);
	if (w->err == E_CONFLICT) {
		next(s); /* what the last process left was not seen yet */
		return;
	}
	s->exists = w->verb != BACKEND_DELETE;
	if (w->verb == BACKEND_PUT) {
		give(s, BACKEND_STATUS);
		return;
	}
	if (s->exists)
		say_value(s);
	else
		say(s, "-");
	next(s);
}

static void on_object(void *ctx, struct object *o)
{
	json_object *tree = object_tree(o);

	if (ctx)
		printf("%s %s %s %s\n", o->name, json_object_to_json_string(tree_get(tree, "spec", "v", NULL)),
		       json_object_to_json_string(tree_get(tree, "status", "v", NULL)), o->uid);
	json_object_put(tree);
}

static void on_gone(void *ctx, struct object *last)
{
	(void)ctx;
	(void)last;
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	(void)ctx;
	fprintf(stderr, "dirtool: problem %d: %s\n", bad, why->text);
	failed |= bad;
}

static void on_closed(void *ctx)
{
	(void)ctx;
	loop_stop(&loop);
}

static void begin_writes(void)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		slots[i].number = i;
		slots[i].value = dice % 1000 * 1000000;
		slots[i].w.on_done = on_done;
		next(&slots[i]);
	}
}

static void on_synced(void *ctx)
{
	if (ctx)
		backend_close(backend, on_closed, NULL);
	else
		begin_writes();
}

int main(int argc, char **argv)
{
	bool list = argc == 4 && strcmp(argv[1], "list") == 0;
	struct backend_watcher watcher = { on_object, on_gone, on_synced, on_problem, list ? &loop : NULL };
	struct directory_options options = { 0 };
	struct ledger *ledger = NULL;
	struct why why = { 0 };

	if (!list && !(argc == 5 && strcmp(argv[1], "write") == 0)) {
		fprintf(stderr, "usage: dirtool write DIR DATA SEED | list DIR DATA\n");
		return 2;
	}
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_TEXT);
	dice = list ? 0 : strtoull(argv[4], NULL, 10);
	options.path = argv[2];
	if (loop_init(&loop, &why) != E_OK || ledger_open(argv[3], NULL, &why, &ledger) != E_OK)
		die(&why);
	options.ledger = ledger;
	if (directory_open(&loop, &options, &why, &backend) != E_OK || backend_start(backend, &watcher, &why) != E_OK)
		die(&why);
	loop_run(&loop);
	loop_release(&loop);
	ledger_close(ledger);
	return failed;
}
