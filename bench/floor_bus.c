/*
 * floor_bus.c -- the floor for a bus: messages to JetStream from a program that does nothing else.
 *
 * Shape     for each window: a stream of its own, that many publishes in flight, each with a message id of its own as the
 *           gateway sends it, for a given time; counted when all are acknowledged.
 * Usage     floor_bus URL [BYTES=1024] [SECONDS=1] [WINDOW...=5 64]
 * Output    a table; the last line is JSON.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <nats/nats.h>

#include "argument.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#define WINDOWS_MAX 16
#define MESSAGE_MAX (1u << 20)
#define FLUSH_MS    10000

struct result {
	uint64_t window;
	double messages; /* a second */
};

static void check(natsStatus status, const char *what)
{
	if (status == NATS_OK)
		return;
	(void)fprintf(stderr, "floor_bus: %s: %s\n", what, natsStatus_GetText(status));
	exit(1);
}

static void make_stream(jsCtx *js, const char *name)
{
	const char *subjects[] = { name };
	jsStreamConfig config;

	check(jsStreamConfig_Init(&config), "stream");
	config.Name = name;
	config.Subjects = subjects;
	config.SubjectsLen = 1;
	check(js_AddStream(NULL, js, &config, NULL, NULL), "make a stream");
}

static uint64_t publish_for(jsCtx *js, const char *subject, const char *bytes, int n, uint64_t end_ns)
{
	uint64_t count = 0;

	while (clock_mono_ns() < end_ns) {
		jsPubOptions options;
		char id[32];

		check(jsPubOptions_Init(&options), "publish");
		(void)snprintf(id, sizeof(id), "%s-%llu", subject, (unsigned long long)count++);
		options.MsgId = id;
		check(js_PublishAsync(js, subject, bytes, n, &options), "publish");
	}
	check(js_PublishAsyncComplete(js, NULL), "wait for the acknowledgements");
	return count;
}

static struct result measure(natsConnection *connection, const char *bytes, int n, uint64_t window, uint64_t for_ns)
{
	jsOptions options;
	jsCtx *js = NULL;
	char name[32];
	uint64_t start_ns, count;

	check(jsOptions_Init(&options), "options");
	options.PublishAsync.MaxPending = (int64_t)window;
	options.PublishAsync.StallWait = FLUSH_MS;
	check(natsConnection_JetStream(&js, connection, &options), "JetStream");
	(void)snprintf(name, sizeof(name), "floor-%llu", (unsigned long long)window);
	make_stream(js, name);
	start_ns = clock_mono_ns();
	count = publish_for(js, name, bytes, n, start_ns + for_ns);
	jsCtx_Destroy(js);
	return (struct result){ window, (double)count / ((double)(clock_mono_ns() - start_ns) / 1e9) };
}

static void print(const struct result *results, size_t n, uint64_t bytes)
{
	struct buf line = { 0 };

	printf("%10s %14s\n", "window", "messages/s");
	buf_addf(&line, "{\"message_bytes\":%llu,\"windows\":[", (unsigned long long)bytes);
	for (size_t i = 0; i < n; i++) {
		const struct result *r = &results[i];

		printf("%10llu %14.0f\n", (unsigned long long)r->window, r->messages);
		buf_addf(&line, "%s{\"window\":%llu,\"messages_s\":%.0f}", i ? "," : "", (unsigned long long)r->window,
			 r->messages);
	}
	buf_lit(&line, "]}");
	puts(buf_cstr(&line) ? line.p : "{}");
	buf_release(&line);
}

int main(int argc, char **argv)
{
	static const uint64_t usual[] = { 5, 64 };
	struct result results[WINDOWS_MAX];
	uint64_t bytes = argument_number(argc, argv, 2, MESSAGE_MAX, 1024);
	uint64_t seconds = argument_number(argc, argv, 3, 3600, 1);
	size_t n = argc > 4 ? (size_t)argc - 4 : 2;
	CLEANUP(mem_freep) char *message = NULL;
	natsConnection *connection = NULL;

	if (argc < 2 || n > WINDOWS_MAX) {
		(void)fputs("usage: floor_bus URL [BYTES] [SECONDS] [WINDOW...]\n", stderr);
		return 2;
	}
	message = mem_alloc((size_t)bytes);
	if (!message) {
		(void)fputs("floor_bus: out of memory\n", stderr);
		return 1;
	}
	memset(message, 'x', (size_t)bytes);
	check(natsConnection_ConnectTo(&connection, argv[1]), argv[1]);
	for (size_t i = 0; i < n; i++)
		results[i] = measure(connection, message, (int)bytes,
				     argument_number(argc, argv, 4 + (int)i, 100000, i < 2 ? usual[i] : 1),
				     seconds * 1000000000ull);
	print(results, n, bytes);
	natsConnection_Destroy(connection);
	nats_Close();
	return 0;
}
