/*
 * bench_directory -- what a durable apply costs in a directory, beside the disk's own floor.
 *
 * Shape     windows of 1, 8, 64 and 256 objects of about 2 KB. The floor: so many new files written, synced, renamed, and their
 *           directory synced, one thread and nothing else. Then the backend in a closed loop: objects created and then replaced,
 *           10,000 over 100 namespaces, each with its row in the ledger. CPU is the whole process's.
 *
 *     bench_directory [DIR] [MS-PER-CASE]      DIR is made, and must not exist; it should be on the disk that counts
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/directory.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define BODY       2000
#define WINDOW_MAX 256
#define OBJECTS    10000
#define NAMESPACES 100

static const unsigned windows[] = { 1, 8, 64, 256 };

struct slot {
	struct backend_write w;
	struct object *object;
};

static char dir[200] = "bench-directory";
static uint64_t case_ns = 1000000000;
static char body[BODY + 1];
static struct loop loop;
static struct backend *backend;
static struct slot slots[WINDOW_MAX];
static uint64_t end_ns;
static uint64_t done;
static unsigned under_way;
static uint64_t turn;

static void die(const char *what, const struct why *why)
{
	(void)fprintf(stderr, "bench_directory: %s: %s\n", what, why ? why->text : "failed");
	exit(1);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* ---- the floor ------------------------------------------------------------------------------------------------------ */

static void floor_batch(int at, unsigned window, uint64_t number)
{
	int fds[WINDOW_MAX];
	char temp[32];
	char name[32];

	for (unsigned i = 0; i < window; i++) {
		(void)snprintf(temp, sizeof(temp), "t%u", i);
		fds[i] = openat(at, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fds[i] < 0 || write(fds[i], body, BODY) != BODY)
			die("floor", NULL);
		(void)sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
	}
	for (unsigned i = 0; i < window; i++)
		(void)sync_file_range(fds[i], 0, 0,
				      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	for (unsigned i = 0; i < window; i++) {
		if (fdatasync(fds[i]) != 0)
			die("floor", NULL);
		close(fds[i]);
		(void)snprintf(temp, sizeof(temp), "t%u", i);
		(void)snprintf(name, sizeof(name), "f%llu", (unsigned long long)((number + i) % OBJECTS));
		(void)renameat(at, temp, at, name);
	}
	if (fsync(at) != 0)
		die("floor", NULL);
}

static double floor_of(unsigned window)
{
	char path[256];
	uint64_t files = 0;
	uint64_t start;
	int at;

	(void)snprintf(path, sizeof(path), "%s/floor", dir);
	(void)mkdir(path, 0700);
	at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		die(path, NULL);
	start = clock_mono_ns();
	for (; clock_mono_ns() - start < case_ns; files += window)
		floor_batch(at, window, files);
	close(at);
	return (double)files * 1e9 / (double)(clock_mono_ns() - start);
}

/* ---- the backend ---------------------------------------------------------------------------------------------------- */

static void next(struct slot *s);

static void on_done(struct backend_write *w)
{
	if (w->err != E_OK)
		die("write", &w->why);
	done++;
	under_way--;
	next(CONTAINER_OF(w, struct slot, w));
}

static void next(struct slot *s)
{
	static char json[BODY + 400];
	unsigned long long n = turn % OBJECTS;
	struct why why = { 0 };

	if (clock_mono_ns() >= end_ns) {
		if (!under_way)
			loop_stop(&loop);
		return;
	}
	(void)snprintf(
		json, sizeof(json),
		"{\"metadata\":{\"name\":\"app-%llu\",\"namespace\":\"ns-%llu\"},\"spec\":{\"turn\":%llu,\"body\":\"%"
		"s\"},"
		"\"status\":{\"turn\":%llu}}",
		n, n % NAMESPACES, (unsigned long long)turn, body, (unsigned long long)turn);
	turn++;
	if (object_new(OBJECT_APPLICATION, str_of(json), &why, &s->object) != E_OK)
		die("object", &why);
	s->w = (struct backend_write){ .verb = BACKEND_PUT, .object = s->object, .on_done = on_done };
	under_way++;
	backend_write(backend, &s->w);
	object_unref(s->object);
}

static void run_case(unsigned window, double floor_per_s)
{
	double cpu = cpu_s();
	uint64_t start = clock_mono_ns();
	double seconds;

	end_ns = start + case_ns;
	done = turn = 0;
	for (unsigned i = 0; i < window; i++)
		next(&slots[i]);
	loop_run(&loop);
	seconds = (double)(clock_mono_ns() - start) * 1e-9;
	cpu = cpu_s() - cpu;
	printf("%6u %12.0f %10.0f %10.1f %8.2f\n", window, floor_per_s, (double)done / seconds,
	       cpu * 1e6 / (double)done, (double)done / seconds / floor_per_s);
	(void)fflush(stdout);
}

static void ignore_object(void *ctx, struct object *o)
{
	(void)ctx;
	(void)o;
}

static void on_synced(void *ctx)
{
	loop_stop(ctx);
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	(void)ctx;
	(void)bad;
	die("problem", why);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int main(int argc, char **argv)
{
	struct backend_watcher watcher = { ignore_object, ignore_object, on_synced, on_problem, &loop };
	struct directory_options options = { 0 };
	struct why why = { 0 };
	char root[256];

	if (argc > 1)
		(void)snprintf(dir, sizeof(dir), "%s", argv[1]);
	if (argc > 2)
		case_ns = strtoull(argv[2], NULL, 10) * 1000000;
	if (mkdir(dir, 0700) != 0)
		die(dir, NULL);
	memset(body, 'x', BODY);
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_TEXT);
	(void)snprintf(root, sizeof(root), "%s/root", dir);
	options.path = root;
	if (loop_init(&loop, &why) != E_OK || ledger_open(dir, NULL, &why, &options.ledger) != E_OK ||
	    directory_open(&loop, &options, &why, &backend) != E_OK || backend_start(backend, &watcher, &why) != E_OK)
		die("open", &why);
	loop_run(&loop);
	printf("%6s %12s %10s %10s %8s\n", "window", "floor/s", "applies/s", "cpu us", "share");
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		double floor_per_s = floor_of(windows[i]);

		run_case(windows[i], floor_per_s);
	}
	backend_close(backend, on_synced, &loop);
	loop_run(&loop);
	loop_release(&loop);
	ledger_close(options.ledger);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
