/*
 * bench_store -- what a durable event costs in the store, beside the disk's own floor.
 *
 * Shape     groups of 1, 5, 8 and 64 events of 1 KB: appended to a file and fdatasync'ed (the floor), and put into a store
 *           in closed loops. Then groups of 64 with 0, 10^5 and 10^6 events waiting. A table for people, then one line of
 *           JSON. CPU is the whole process's without the thread that puts: the writer.
 *
 *     bench_store [DIR] [MS-PER-CASE]      DIR is made and removed; it should be on the disk that counts
 */
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"

#define BODY      1024
#define GROUP_MAX 512
#define CASES_MAX 16

static const size_t groups[] = { 1, 5, 8, 64 };
static const uint64_t backlogs[] = { 0, 100000, 1000000 };

struct result {
	const char *what;
	size_t group;
	uint64_t backlog;
	double per_s;   /* durable events */
	double cpu_us;  /* of the writer, an event */
	double against; /* share of the floor's events, or of the empty store's */
};

static struct result results[CASES_MAX];
static size_t result_count;
static char body[BODY];
static char meta[200];
static char dir[256];
static uint64_t case_ns = 1000000000;

static void die(const char *what, const struct why *why)
{
	(void)fprintf(stderr, "bench_store: %s: %s\n", what, why ? why->text : "failed");
	exit(1);
}

static struct result *add(struct result r)
{
	if (result_count == CASES_MAX)
		die("too many cases", NULL);
	results[result_count] = r;
	return &results[result_count++];
}

static double cpu_us(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* ---- the floor ------------------------------------------------------------------------------------------------------ */

static struct result *floor_of(size_t group)
{
	char path[300];
	char *block = mem_alloc(group * BODY);
	uint64_t events = 0;
	uint64_t start, ns;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/floor", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || !block)
		die(path, NULL);
	start = clock_mono_ns();
	do {
		if (write(fd, block, group * BODY) != (ssize_t)(group * BODY) || fdatasync(fd) != 0)
			die(path, NULL);
		events += group;
		ns = clock_mono_ns() - start;
	} while (ns < case_ns);
	close(fd);
	unlink(path);
	mem_free(block);
	return add((struct result){ "floor", group, 0, (double)events * 1e9 / (double)ns, 0, 1 });
}

/* ---- the store ------------------------------------------------------------------------------------------------------ */

struct client {
	struct store_put put;
	struct store_row row;
	char id[33];
};

static struct client clients[GROUP_MAX];
static sem_t done;

static void on_stored(struct store_put *put)
{
	if (put->err != E_OK)
		die("put", NULL);
	sem_post(&done);
}

static void prepare(struct client *c, size_t i)
{
	(void)snprintf(c->id, sizeof(c->id), "%032zx", i);
	c->row = (struct store_row){
		.source = STR("webhook"),
		.name = STR("example"),
		.id = str_of(c->id),
		.meta = { meta, sizeof(meta) },
		.data_kind = EVENT_DATA_JSON,
		.data = { body, BODY },
	};
	c->put = (struct store_put){ .rows = &c->row, .count = 1, .on_stored = on_stored };
}

/* Puts `group` events, waits for all of them: once. */
static void turn(struct store *s, size_t group)
{
	for (size_t i = 0; i < group; i++)
		store_put(s, &clients[i].put);
	for (size_t i = 0; i < group; i++)
		while (sem_wait(&done) != 0)
			;
}

static void remove_store(void)
{
	static const char *const names[] = { "spool.db", "spool.db-wal", "spool.db-shm", "spool.lock" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[300];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
}

static struct store *open_store(void)
{
	struct store_config config = { .dir = dir, .dedup_ms = 72ull * 3600 * 1000, .dedup_memory = 4 << 20 };
	struct store *s;
	struct why why = { 0 };

	if (store_open(&config, &why, &s) != E_OK)
		die("open", &why);
	return s;
}

static struct result *measure(struct store *s, const char *what, size_t group, uint64_t backlog)
{
	uint64_t events = 0;
	uint64_t start = clock_mono_ns();
	uint64_t ns;
	double cpu = cpu_us(RUSAGE_SELF) - cpu_us(RUSAGE_THREAD);

	do {
		turn(s, group);
		events += group;
		ns = clock_mono_ns() - start;
	} while (ns < case_ns);
	cpu = cpu_us(RUSAGE_SELF) - cpu_us(RUSAGE_THREAD) - cpu;
	return add((struct result){ what, group, backlog, (double)events * 1e9 / (double)ns, cpu / (double)events, 0 });
}

static void store_groups(void)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		const struct result *least = floor_of(groups[i]);
		struct store *s = open_store();
		struct result *r = measure(s, "store", groups[i], 0);

		r->against = r->per_s / least->per_s;
		store_close(s);
		remove_store();
	}
}

/* The same load on top of what waits; nothing was forwarded, so nothing goes. */
static void store_backlogs(void)
{
	struct store *s = open_store();
	double first = 0;

	for (size_t i = 0; i < ARRAY_LEN(backlogs); i++) {
		struct result *r;

		while (store_last(s) < backlogs[i])
			turn(s, GROUP_MAX);
		r = measure(s, "backlog", 64, backlogs[i]);
		first = first > 0 ? first : r->per_s;
		r->against = r->per_s / first;
	}
	store_close(s);
	remove_store();
}

/* ---- what came out -------------------------------------------------------------------------------------------------- */

static long peak_kib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void print_table(void)
{
	printf("%-8s %6s %9s %12s %12s %8s\n", "what", "group", "waiting", "events/s", "us CPU/event", "ratio");
	for (size_t i = 0; i < result_count; i++)
		printf("%-8s %6zu %9llu %12.0f %12.2f %8.2f\n", results[i].what, results[i].group,
		       (unsigned long long)results[i].backlog, results[i].per_s, results[i].cpu_us, results[i].against);
	printf("peak resident memory %ld KiB\n", peak_kib());
}

static void print_json(void)
{
	printf("{\"bench\":\"store\",\"peak_rss_kib\":%ld,\"cases\":[", peak_kib());
	for (size_t i = 0; i < result_count; i++)
		printf("%s{\"what\":\"%s\",\"group\":%zu,\"backlog\":%llu,\"events_per_s\":%.0f,\"cpu_us\":%.2f,"
		       "\"ratio\":%.3f}",
		       i ? "," : "", results[i].what, results[i].group, (unsigned long long)results[i].backlog,
		       results[i].per_s, results[i].cpu_us, results[i].against);
	printf("]}\n");
}

static void make_dir(const char *under)
{
	(void)snprintf(dir, sizeof(dir), "%s/bench-store-XXXXXX", under);
	if (!mkdtemp(dir))
		die(dir, NULL);
}

int main(int argc, char **argv)
{
	make_dir(argc > 1 ? argv[1] : ".");
	if (argc > 2)
		case_ns = strtoull(argv[2], NULL, 10) * 1000000;
	log_setup(STDERR_FILENO, LOG_WARN, LOG_FORMAT_AUTO);
	memset(body, 'x', sizeof(body));
	memset(meta, 'm', sizeof(meta));
	body[0] = body[BODY - 1] = '"';
	sem_init(&done, 0, 0);
	for (size_t i = 0; i < GROUP_MAX; i++)
		prepare(&clients[i], i);
	store_groups();
	store_backlogs();
	(void)rmdir(dir);
	print_table();
	print_json();
	return 0;
}
