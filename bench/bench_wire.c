/*
 * bench_wire -- ns for one event of the agent protocol: read, write, stamp, answer; and for the checksum of its spec.
 *
 * Shape     rounds that take each method in turn, so that a busy machine slows all of them; medians. A table for people, then one
 *           line of JSON. The target is 2,000 ns for reading and for writing an event of 1 KB.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/json_text.h"
#include "wire/ack.h"
#include "wire/checksum.h"
#include "wire/convert.h"

#define ROUNDS   15
#define ROUND_NS 5000000u /* per method and round */

static const size_t sizes[] = { 1024, 4096 };
#define SIZES ARRAY_LEN(sizes)

static const struct wire_dialect ours = { .version = WIRE_TWO_STEPS };
static struct wire_event event;
static struct buf spec, encoded, out;

/* Keeps the compiler from leaving out what nobody reads. */
static void used(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

static void must(enum err err)
{
	if (err != E_OK)
		abort();
}

static void run_encode(void)
{
	buf_clear(&out);
	must(wire_event_encode(&event, &out));
	used(out.p);
}

static void run_decode(void)
{
	struct wire_event e;

	must(wire_event_decode(buf_view(&encoded), &e, NULL));
	used(&e);
}

/* All that a received event costs before it is with the inbox. */
static void run_receive(void)
{
	struct wire_event e;
	struct delivery_event d;

	must(wire_event_decode(buf_view(&encoded), &e, NULL));
	must(wire_to_delivery(&e, NULL, &ours, &out, &d, NULL));
	used(&d);
}

static void run_stamp(void)
{
	size_t n = encoded.n;

	must(wire_event_stamp(STR("2026-08-20T10:00:00.123456789Z"), 123456, &encoded));
	used(encoded.p);
	encoded.n = n;
}

static void run_ack(void)
{
	struct delivery_answer a = { .outcome = DELIVERY_APPLIED, .order = 123456 };

	a.resource_id = event.resource_id;
	a.event_id = event.event_id;
	buf_clear(&out);
	must(wire_ack_encode(&a, &ours, STR(""), &out));
	used(out.p);
}

static void run_checksum(void)
{
	unsigned char sum[WIRE_CHECKSUM];

	must(wire_spec_checksum(WIRE_TO_APPLICATION, buf_view(&spec), sum, NULL));
	used(sum);
}

static const struct method {
	const char *key, *meaning;
	void (*run)(void);
} methods[] = {
	{ "encode", "write an event", run_encode },
	{ "decode", "read an event", run_decode },
	{ "receive", "read it and find its ordering key", run_receive },
	{ "stamp", "add order and time of sending", run_stamp },
	{ "ack", "write its answer", run_ack },
	{ "checksum", "canonical form and SHA-256 of its spec", run_checksum },
};
#define METHODS ARRAY_LEN(methods)

/* ns for one run of `m`. */
static double time_one(const struct method *m)
{
	uint64_t from = clock_mono_ns(), ns = 0, runs = 0;

	while (ns < ROUND_NS) {
		for (int i = 0; i < 64; i++)
			m->run();
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

/* An Application whose JSON has `size` bytes, about. */
static void make_event(size_t size)
{
	buf_clear(&spec);
	buf_lit(&spec,
		"{\"metadata\":{\"name\":\"guestbook\",\"namespace\":\"argocd\"},\"spec\":{\"project\":\"default\","
		"\"destination\":{\"name\":\"one\"},\"source\":{\"repoURL\":\"https://example.com/app.git\","
		"\"helm\":{\"parameters\":[");
	for (unsigned i = 0; spec.n + 60 < size; i++)
		buf_addf(&spec, "%s{\"name\":\"p%u\",\"value\":\"a value of some length\"}", i ? "," : "", i);
	buf_lit(&spec, "]}}}}");
	event = (struct wire_event){
		.type = WIRE_SPEC_UPDATE,
		.target = WIRE_TO_APPLICATION,
		.subject = STR("argocd/guestbook"),
		.resource_id = STR("guestbook_4bb5a7d1-2f6e-4c11-9a0e-2b1f0c9d8e7f"),
		.event_id = STR("guestbook_4bb5a7d1-2f6e-4c11-9a0e-2b1f0c9d8e7f_123456"),
		.sent_at = STR("2026-08-20T10:00:00.123456789Z"),
		.principal_uid = STR("0d2c7a55-98c1-4b7e-8b55-6a8de8a6f0c3"),
		.content_type = STR("application/json"),
	};
	event.data = buf_view(&spec);
	buf_clear(&encoded);
	must(wire_event_encode(&event, &encoded));
}

static void measure(double ret_ns[static METHODS])
{
	static double rounds[METHODS][ROUNDS];

	for (size_t r = 0; r < ROUNDS; r++)
		for (size_t m = 0; m < METHODS; m++)
			rounds[m][r] = time_one(&methods[m]);
	for (size_t m = 0; m < METHODS; m++) {
		qsort(rounds[m], ROUNDS, sizeof(double), by_value);
		ret_ns[m] = rounds[m][ROUNDS / 2];
	}
}

int main(void)
{
	double ns[SIZES][METHODS];

	for (size_t s = 0; s < SIZES; s++) {
		make_event(sizes[s]);
		measure(ns[s]);
	}
	printf("%-42s", "agent protocol, ns an event");
	for (size_t s = 0; s < SIZES; s++)
		printf(" %7zu B", sizes[s]);
	for (size_t m = 0; m < METHODS; m++)
		printf("\n%-42s %9.0f %9.0f", methods[m].meaning, ns[0][m], ns[1][m]);
	printf("\n{\"bench\":\"wire\",\"rounds\":%d,\"ns\":{", ROUNDS);
	for (size_t m = 0; m < METHODS; m++)
		printf("%s\"%s\":[%.0f,%.0f]", m ? "," : "", methods[m].key, ns[0][m], ns[1][m]);
	printf("}}\n");
	buf_release(&spec);
	buf_release(&encoded);
	buf_release(&out);
	return 0;
}
