/*
 * bench_json -- MB/s of the JSON scanner on a GitHub push, beside memcpy (the floor) and json-c (a tree).
 *
 * Shape     rounds that take each method in turn, so that a busy machine slows all of them; medians. A table for people,
 *           then one line of JSON.
 *
 *     bench_json [FILE]
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "event/json_text.h"

#define ROUNDS   15
#define ROUND_NS 10000000u /* per method and round */

static struct buf out;
static char payload[1 << 20], copy[1 << 20];

/* Keeps the compiler from leaving out what nobody reads. */
static void used(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

static void run_memcpy(struct str in)
{
	memcpy(copy, in.p, in.n);
	used(copy);
}

static void run_scan(struct str in)
{
	buf_clear(&out);
	if (json_compact(in, /* plain= */ false, &out, NULL) != E_OK)
		abort();
	used(out.p);
}

/* As the body arrives from a socket: in pieces of 1,460 bytes. */
static void run_pieces(struct str in)
{
	struct json_scan s;

	buf_clear(&out);
	json_scan_init(&s);
	for (size_t at = 0; at < in.n; at += 1460)
		if (json_scan_feed(&s, str_sub(in, at, 1460), &out) != E_OK)
			abort();
	if (json_scan_finish(&s, &out) != E_OK)
		abort();
	used(out.p);
}

static void run_validate(struct str in)
{
	if (!json_valid(in))
		abort();
}

static void run_base64(struct str in)
{
	buf_clear(&out);
	base64_write(in, &out);
	used(out.p);
}

static void run_json_c(struct str in)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *tree = json_tokener_parse_ex(tokener, in.p, (int)in.n);

	if (!tree)
		abort();
	used(tree);
	json_object_put(tree);
	json_tokener_free(tokener);
}

static const struct method {
	const char *key, *meaning;
	void (*run)(struct str in);
} methods[] = {
	{ "memcpy", "memcpy", run_memcpy },
	{ "json_scan", "json_scan: validate, compact, escape", run_scan },
	{ "json_scan_pieces", "json_scan, in pieces of 1,460 bytes", run_pieces },
	{ "json_scan_validate", "json_scan: validate only", run_validate },
	{ "base64", "base64: encode", run_base64 },
	{ "json_c", "json-c: parse into a tree, free it", run_json_c },
};
#define METHODS ARRAY_LEN(methods)

/* ns for one run of `m`. */
static double time_one(const struct method *m, struct str in)
{
	uint64_t from = clock_mono_ns(), ns = 0, runs = 0;

	while (ns < ROUND_NS) {
		for (int i = 0; i < 64; i++)
			m->run(in);
		runs += 64;
		ns = clock_mono_ns() - from;
	}
	return (double)ns / (double)runs;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct str in, double ret_ns[static METHODS])
{
	static double rounds[METHODS][ROUNDS];

	for (size_t r = 0; r < ROUNDS; r++)
		for (size_t m = 0; m < METHODS; m++)
			rounds[m][r] = time_one(&methods[m], in);
	for (size_t m = 0; m < METHODS; m++) {
		qsort(rounds[m], ROUNDS, sizeof(double), by_value);
		ret_ns[m] = rounds[m][ROUNDS / 2];
	}
}

static void print(struct str in, const double ns[static METHODS])
{
	printf("%-38s %9s %9s %9s\n", "JSON, one GitHub push", "us", "MB/s", "x json-c");
	for (size_t m = 0; m < METHODS; m++)
		printf("%-38s %9.2f %9.0f %9.1f\n", methods[m].meaning, ns[m] / 1e3, (double)in.n * 1e3 / ns[m],
		       ns[METHODS - 1] / ns[m]);
	printf("{\"bench\":\"json_scan\",\"bytes\":%zu,\"rounds\":%d,\"mb_per_s\":{", in.n, ROUNDS);
	for (size_t m = 0; m < METHODS; m++)
		printf("%s\"%s\":%.0f", m ? "," : "", methods[m].key, (double)in.n * 1e3 / ns[m]);
	printf("}}\n");
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : BENCH_PUSH_JSON;
	FILE *file = fopen(path, "rb");
	struct str in = { payload, 0 };
	double ns[METHODS];

	if (!file) {
		perror(path);
		return 1;
	}
	in.n = fread(payload, 1, sizeof(payload), file);
	(void)fclose(file);
	if (!json_valid(in)) {
		(void)fprintf(stderr, "%s: is not JSON\n", path);
		return 1;
	}
	measure(in, ns);
	print(in, ns);
	buf_release(&out);
	return 0;
}
