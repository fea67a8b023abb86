/*
 * Manifests: the whole reader, from bytes to a snapshot. Properties: a file is accepted or something is told, never both
 * an error and a snapshot; every problem is one line of UTF-8 or bytes without control characters, names the file, and its
 * number is bounded; what is accepted fits together: each route has a path, a port and a kind; reading it again gives the
 * same routes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/sources/source.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void problems_must_be_readable(const struct problems *p, const char *path)
{
	struct buf text = { 0 };
	size_t lines = 0;

	problems_write(p, &text);
	MUST(text.err == E_OK && !p->lost);
	for (size_t i = 0; i < text.n; i++) {
		MUST((unsigned char)text.p[i] >= ' ' || text.p[i] == '\n');
		lines += text.p[i] == '\n';
	}
	MUST(lines <= PROBLEMS_MAX + 1);
	for (const struct problem *q = p->first; q; q = q->next)
		MUST(str_is(str_of(q->file), path) && *q->text);
	buf_release(&text);
}

static void route_must_be_whole(const struct route_config *r)
{
	MUST(r->ops && r->event_source[0] && r->event_name[0] && r->namespace[0]);
	MUST(r->endpoint[0] == '/' && r->port != 0 && r->max_payload > 0);
	MUST(r->method && r->deadline_ms >= 100 && r->deadline_ms <= 60000);
	MUST(!r->tls_cert.path == !r->tls_key.path);
	MUST(!r->ops->settings_size == !r->settings);
	for (size_t i = 1; i < r->metadata_count; i++)
		MUST(str_cmp(str_of(r->metadata[i - 1].key), str_of(r->metadata[i].key)) < 0);
}

static void config_must_be_whole(const struct gateway_config *c)
{
	MUST(c->route_count > 0 && c->bus.name && c->admin_host);
	MUST(c->bus.kind != BUS_JETSTREAM || c->bus.jetstream.url);
	MUST(c->bus.kind != BUS_EMBEDDED || c->data_dir);
	for (size_t i = 0; i < c->route_count; i++) {
		route_must_be_whole(&c->routes[i]);
		MUST(c->routes[i].ack == ACK_BUS || c->data_dir);
		MUST(c->routes[i].port != c->admin_port);
	}
}

static void must_be_equal(const struct gateway_config *a, const struct gateway_config *b)
{
	MUST(a->route_count == b->route_count && a->bus.kind == b->bus.kind);
	for (size_t i = 0; i < a->route_count; i++)
		MUST(str_is(str_of(a->routes[i].endpoint), b->routes[i].endpoint) &&
		     a->routes[i].port == b->routes[i].port);
}

static struct gateway_config *load(const char *path)
{
	struct problems problems = { 0 };
	struct gateway_config *c = NULL;
	enum err err = gateway_config_load(&path, 1, &problems, &c);

	problems_must_be_readable(&problems, path);
	MUST(err == E_OK || err == E_CONFIG);
	MUST((err == E_OK) == (c != NULL) && (err == E_OK) == (problems.errors == 0));
	problems_release(&problems);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[32];
	struct gateway_config *a, *b;

	if (fd < 0) {
		fd = memfd_create("manifest", 0);
		MUST(fd >= 0);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	MUST(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	a = load(path);
	if (!a)
		return 0;
	config_must_be_whole(a);
	b = load(path);
	MUST(b);
	must_be_equal(a, b);
	gateway_config_unref(a);
	gateway_config_unref(b);
	return 0;
}
