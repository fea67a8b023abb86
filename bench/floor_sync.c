/*
 * floor_sync.c -- the floor for the disk: append records to a file, flush after each group.
 *
 * Shape     for each group size: one pwrite of the whole group, one fdatasync, for a given time. The file is allocated
 *           beforehand, as a write-ahead log is after its first turn, so that a flush has no block map to write.
 * Usage     floor_sync FILE [BYTES=1024] [SECONDS=1] [GROUP...=1 5 64]
 * Output    a table; the last line is JSON.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "argument.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "flushed_file.h"
#include "hist.h"

#define GROUPS_MAX 16
#define RECORD_MAX (1u << 20)

struct result {
	uint64_t group;
	double records; /* a second */
	uint64_t p50_ns, p99_ns;
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "floor_sync: %s: ", what);
	perror(NULL);
	exit(1);
}

static struct result measure(int fd, const char *bytes, size_t size, uint64_t group, uint64_t for_ns)
{
	static struct hist hist;
	uint64_t start_ns = clock_mono_ns();
	uint64_t end_ns = start_ns, groups = 0;
	size_t at = 0;

	hist = (struct hist){ 0 };
	while (end_ns - start_ns < for_ns) {
		uint64_t before_ns = end_ns;

		if (at + size > FLUSHED_FILE_SIZE)
			at = 0;
		if (pwrite(fd, bytes, size, (off_t)at) != (ssize_t)size)
			fail("pwrite");
		if (fdatasync(fd) != 0)
			fail("fdatasync");
		at += size;
		end_ns = clock_mono_ns();
		hist_add(&hist, end_ns - before_ns);
		groups++;
	}
	return (struct result){ group, (double)(groups * group) / ((double)(end_ns - start_ns) / 1e9),
				hist_at(&hist, 50), hist_at(&hist, 99) };
}

static void print(const struct result *results, size_t n, uint64_t bytes)
{
	struct buf line = { 0 };

	printf("%10s %14s %12s %12s\n", "group", "records/s", "p50 us", "p99 us");
	buf_addf(&line, "{\"record_bytes\":%llu,\"groups\":[", (unsigned long long)bytes);
	for (size_t i = 0; i < n; i++) {
		const struct result *r = &results[i];

		printf("%10llu %14.0f %12.1f %12.1f\n", (unsigned long long)r->group, r->records,
		       (double)r->p50_ns / 1e3, (double)r->p99_ns / 1e3);
		buf_addf(&line, "%s{\"group\":%llu,\"records_s\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f}", i ? "," : "",
			 (unsigned long long)r->group, r->records, (double)r->p50_ns / 1e3, (double)r->p99_ns / 1e3);
	}
	buf_lit(&line, "]}");
	puts(buf_cstr(&line) ? line.p : "{}");
	buf_release(&line);
}

int main(int argc, char **argv)
{
	uint64_t groups[GROUPS_MAX] = { 1, 5, 64 };
	struct result results[GROUPS_MAX];
	uint64_t bytes = argument_number(argc, argv, 2, RECORD_MAX, 1024);
	uint64_t seconds = argument_number(argc, argv, 3, 3600, 1);
	size_t n = argc > 4 ? (size_t)argc - 4 : 3;
	CLEANUP(mem_freep) char *block = NULL;
	uint64_t largest = 0;
	int fd;

	if (argc < 2 || n > GROUPS_MAX) {
		(void)fputs("usage: floor_sync FILE [BYTES] [SECONDS] [GROUP...]\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < n; i++) {
		groups[i] = argument_number(argc, argv, 4 + (int)i, FLUSHED_FILE_SIZE / bytes, groups[i]);
		largest = groups[i] > largest ? groups[i] : largest;
	}
	block = mem_alloc((size_t)(largest * bytes));
	if (!block)
		fail("memory");
	memset(block, 'x', (size_t)(largest * bytes));
	fd = flushed_file(argv[1]);
	if (fd < 0)
		fail(argv[1]);
	for (size_t i = 0; i < n; i++)
		results[i] = measure(fd, block, (size_t)(groups[i] * bytes), groups[i], seconds * 1000000000ull);
	print(results, n, bytes);
	close(fd);
	unlink(argv[1]);
	return 0;
}
