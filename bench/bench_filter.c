/*
 * bench_filter -- ns of CPU for one judgement of an event by a filter, on a GitHub push.
 *
 * Shape     rounds that take each expression in turn, so that a busy machine slows all of them; medians. A table for people,
 *           then one line of JSON.
 *
 *     bench_filter [FILE]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "event/json_text.h"
#include "filter/filter.h"

#define ROUNDS   15
#define ROUND_NS 10000000u /* per expression and round */

static const struct question {
	const char *key, *expression;
} questions[] = {
	{ "field", "headers[\"X-Github-Event\"][0] == \"push\"" },
	{ "typical", "headers[\"X-Github-Event\"][0] == \"push\" && body.ref == \"refs/heads/main\" && !body.deleted" },
	{ "regex", "body.ref matches \"^refs/(heads|tags)/\"" },
	{ "commits", "any(body.commits, any(.modified, # endsWith \".md\"))" },
	{ "jsonpath", "len(jsonpath(toJson(body), \"$.commits[*].id\")) > 0" },
};
#define QUESTIONS ARRAY_LEN(questions)

static struct filter *filters[QUESTIONS];
static char file[1 << 20];

static void judge(size_t q, struct str object)
{
	struct filter_input in = { .object = object };
	bool pass;

	if (filter_eval(filters[q], &in, NULL, &pass) != E_OK)
		abort();
}

/* What this thread has used: a busy machine does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ns for one judgement. */
static double time_one(size_t q, struct str object)
{
	uint64_t from = cpu_ns(), now = from;
	size_t n = 0;

	while (now - from < ROUND_NS) {
		for (int i = 0; i < 16; i++, n++)
			judge(q, object);
		now = cpu_ns();
	}
	return (double)(now - from) / (double)n;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(struct str object, double ret_ns[static QUESTIONS])
{
	static double rounds[QUESTIONS][ROUNDS];

	for (size_t r = 0; r < ROUNDS; r++)
		for (size_t q = 0; q < QUESTIONS; q++)
			rounds[q][r] = time_one(q, object);
	for (size_t q = 0; q < QUESTIONS; q++) {
		qsort(rounds[q], ROUNDS, sizeof(double), by_value);
		ret_ns[q] = rounds[q][ROUNDS / 2];
	}
}

static void print(struct str object, const double ns[static QUESTIONS])
{
	printf("%9s  %s\n", "CPU ns", "filter, one GitHub push");
	for (size_t q = 0; q < QUESTIONS; q++)
		printf("%9.0f  %s\n", ns[q], questions[q].expression);
	printf("{\"bench\":\"filter\",\"bytes\":%zu,\"rounds\":%d,\"ns\":{", object.n, ROUNDS);
	for (size_t q = 0; q < QUESTIONS; q++)
		printf("%s\"%s\":%.0f", q ? "," : "", questions[q].key, ns[q]);
	printf("}}\n");
}

static bool compile_all(void)
{
	struct why why;

	for (size_t q = 0; q < QUESTIONS; q++) {
		if (filter_compile(str_of(questions[q].expression), &why, NULL, &filters[q]) == E_OK)
			continue;
		(void)fprintf(stderr, "%s: %s\n", questions[q].expression, why.text);
		return false;
	}
	return true;
}

/* The push as an event: facts argo-events 1.3. */
static bool read_event(const char *path, struct buf *ret_object)
{
	FILE *f = fopen(path, "rb");
	struct str in = { file, 0 };

	if (!f) {
		perror(path);
		return false;
	}
	in.n = fread(file, 1, sizeof(file), f);
	(void)fclose(f);
	buf_lit(ret_object, "{\"headers\":{\"Accept\":[\"*/*\"],\"Content-Type\":[\"application/"
			    "json\"],\"User-Agent\":[\"GitHub-Hookshot/1\"],"
			    "\"X-Github-Delivery\":[\"f7b0c0d0-0000-11ef-8000-000000000000\"],\"X-Github-Event\":["
			    "\"push\"]},\"body\":");
	if (json_compact(in, /* plain= */ false, ret_object, NULL) != E_OK) {
		(void)fprintf(stderr, "%s: is not JSON\n", path);
		return false;
	}
	buf_char(ret_object, '}');
	return ret_object->err == E_OK;
}

int main(int argc, char **argv)
{
	struct buf object = { 0 };
	double ns[QUESTIONS];
	bool ok = compile_all() && read_event(argc > 1 ? argv[1] : BENCH_PUSH_JSON, &object);

	if (ok) {
		measure(buf_view(&object), ns);
		print(buf_view(&object), ns);
	}
	for (size_t q = 0; q < QUESTIONS; q++)
		filter_free(filters[q]);
	buf_release(&object);
	return ok ? 0 : 1;
}
