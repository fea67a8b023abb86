#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define FILE_MAX (64u << 20)

enum kind { TEXT, NUMBER, SECONDS, FLAG, FIELD, ZERO };

struct row {
	const char *name;
	char letter;
	enum kind kind;
	size_t offset;
	uint64_t min, max; /* NUMBER: itself; SECONDS: ns */
	const char *meaning;
};

#define AT(field) offsetof(struct options, field)
#define S         1000000000ull

/* clang-format off */
static const struct row rows[] = {
	{ "url",           'u', TEXT,    AT(url),         0, 0,             "http://host:port/path" },
	{ "rate",          'r', NUMBER,  AT(rate),        0, 100000000,     "requests a second over all connections (open loop); 0 is --closed [0]" },
	{ "closed",         0,  ZERO,    AT(rate),        0, 0,             "each connection sends its next request when the last one is answered" },
	{ "connections",   'c', NUMBER,  AT(connections), 1, 99999,         "connections, kept alive [64]" },
	{ "threads",       't', NUMBER,  AT(threads),     1, 64,            "threads that share the connections [1]" },
	{ "duration",      'd', SECONDS, AT(duration_ns), 0, 86400 * S,     "seconds to send for [10, without --count]" },
	{ "count",         'n', NUMBER,  AT(count),       0, 1000000000000, "requests to send; 0 is no limit [0]" },
	{ "warmup",        'w', SECONDS, AT(warmup_ns),   0, 3600 * S,      "seconds at the start that are not measured [0]" },
	{ "method",        'X', TEXT,    AT(method),      0, 0,             "request method [POST]" },
	{ "header",        'H', FIELD,   0,               0, 0,             "'Name: value', may be repeated; {id} is replaced" },
	{ "body-template", 'b', TEXT,    AT(body),        0, 0,             "text or @file; {id} and {pad} are replaced [{\"id\":\"{id}\",\"pad\":\"{pad}\"}]" },
	{ "body-size",     's', NUMBER,  AT(body_size),   0, 1u << 30,      "bytes {pad} fills the body to; 0 is no padding [1024]" },
	{ "ids",           'i', TEXT,    AT(ids),         0, 0,             "append what became of every id to this file: A id, R id status, U id" },
	{ "run",            0,  TEXT,    AT(run),         0, 0,             "first 8 characters of every id [random]" },
	{ "retry",          0,  FLAG,    AT(retry),       0, 0,             "send an unanswered request again, with the same id" },
	{ "no-keepalive",   0,  FLAG,    AT(close),       0, 0,             "a connection for each request" },
	{ "timeout",        0,  SECONDS, AT(timeout_ns),  1, 3600 * S,      "seconds after which a request counts as unanswered [10]" },
	{ "give-up",        0,  SECONDS, AT(give_up_ns),  1, 3600 * S,      "seconds without any connection after which it ends [30]" },
	{ "json",          'j', FLAG,    AT(json),        0, 0,             "one line of JSON on standard output, the table on standard error" },
	{ "quiet",         'q', FLAG,    AT(quiet),       0, 0,             "no progress bar and no table" },
	{ "help",          'h', FLAG,    AT(help),        0, 0,             "this text" },
};
/* clang-format on */

static bool takes_value(const struct row *row)
{
	return row->kind != FLAG && row->kind != ZERO;
}

static enum err set_number(struct options *o, const struct row *row, const char *value, struct why *why)
{
	uint64_t *field = (uint64_t *)((char *)o + row->offset);
	uint64_t number;

	if (!str_to_u64(str_of(value), row->max, &number) || number < row->min)
		return why_set(why, E_CONFIG, "--%s %s: expected a number from %llu to %llu", row->name, value,
			       (unsigned long long)row->min, (unsigned long long)row->max);
	*field = number;
	return E_OK;
}

static enum err set_seconds(struct options *o, const struct row *row, const char *value, struct why *why)
{
	uint64_t *field = (uint64_t *)((char *)o + row->offset);
	char *end = NULL;
	double seconds = strtod(value, &end);

	if (end == value || *end || !isfinite(seconds) || seconds < 0 || seconds * 1e9 > (double)row->max ||
	    (uint64_t)(seconds * 1e9) < row->min)
		return why_set(why, E_CONFIG, "--%s %s: expected seconds up to %llu", row->name, value,
			       (unsigned long long)(row->max / S));
	*field = (uint64_t)(seconds * 1e9);
	return E_OK;
}

static enum err set(struct options *o, const struct row *row, char *value, struct why *why)
{
	char *field = (char *)o + row->offset;

	switch (row->kind) {
	case TEXT:
		*(const char **)(void *)field = value;
		return E_OK;
	case NUMBER:
		return set_number(o, row, value, why);
	case SECONDS:
		return set_seconds(o, row, value, why);
	case FLAG:
		*(bool *)field = true;
		return E_OK;
	case ZERO:
		*(uint64_t *)(void *)field = 0;
		return E_OK;
	case FIELD:
		if (o->field_count == OPTIONS_FIELDS_MAX)
			return why_set(why, E_CONFIG, "--%s: more than %d", row->name, OPTIONS_FIELDS_MAX);
		o->fields[o->field_count++] = value;
		return E_OK;
	}
	return why_set(why, E_INTERNAL, "--%s", row->name);
}

static enum err parse_all(int argc, char **argv, struct why *why, struct options *o)
{
	struct option longs[ARRAY_LEN(rows) + 1] = { 0 };
	char shorts[3 * ARRAY_LEN(rows) + 1] = "";
	size_t n = 0;
	int at, c;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		longs[i] = (struct option){ rows[i].name, takes_value(&rows[i]), NULL, 256 + (int)i };
		if (rows[i].letter)
			shorts[n++] = rows[i].letter;
		if (rows[i].letter && takes_value(&rows[i]))
			shorts[n++] = ':';
	}
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		for (at = 0; at < (int)ARRAY_LEN(rows); at++) {
			if (c == 256 + at || c == rows[at].letter)
				break;
		}
		if (at == (int)ARRAY_LEN(rows))
			return why_set(why, E_CONFIG, "see --help");
		if (set(o, &rows[at], optarg, why) != E_OK)
			return why->err;
	}
	if (optind < argc && !o->url)
		o->url = argv[optind++];
	return optind < argc ? why_set(why, E_CONFIG, "%s: not understood; see --help", argv[optind]) : E_OK;
}

static enum err read_body(struct options *o, struct why *why)
{
	FILE *f = fopen(o->body + 1, "re");

	if (!f)
		return why_errno(why, E_IO, errno, "read %s", o->body + 1);
	while (!feof(f) && !ferror(f) && o->file.n <= FILE_MAX) {
		char *p = buf_reserve(&o->file, 4096);

		if (!p)
			break;
		o->file.n += fread(p, 1, 4096, f);
	}
	if (ferror(f) || o->file.err || o->file.n > FILE_MAX)
		why_set(why, E_IO, "read %s: it fails, or is over %u bytes", o->body + 1, FILE_MAX);
	(void)fclose(f);
	while (o->file.n && o->file.p[o->file.n - 1] == '\n')
		o->file.n--; /* what editors add */
	return why->err;
}

enum err options_parse(int argc, char **argv, struct why *why, struct options *ret)
{
	*ret = (struct options){
		.method = "POST",
		.body = "{\"id\":\"{id}\",\"pad\":\"{pad}\"}",
		.connections = 64,
		.threads = 1,
		.body_size = 1024,
		.timeout_ns = 10 * S,
		.give_up_ns = 30 * S,
	};
	if (parse_all(argc, argv, why, ret) != E_OK || ret->help)
		return why->err;
	if (!ret->url)
		return why_set(why, E_CONFIG, "--url is missing; see --help");
	if (ret->threads > ret->connections)
		return why_set(why, E_CONFIG, "more threads than connections");
	if (ret->run && strlen(ret->run) != 8)
		return why_set(why, E_CONFIG, "--run %s: expected 8 characters", ret->run);
	if (!ret->duration_ns && !ret->count)
		ret->duration_ns = 10 * S;
	if (ret->body[0] == '@')
		return read_body(ret, why);
	buf_str(&ret->file, str_of(ret->body));
	return ret->file.err ? why_set(why, E_NOMEM, "copy the body") : E_OK;
}

void options_release(struct options *o)
{
	buf_release(&o->file);
}

void options_help(void)
{
	puts("hfload: HTTP load that does not wait for the server, and a record of every answer.\n\n"
	     "usage: hfload [options] http://host:port/path\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[40];

		(void)snprintf(name, sizeof(name), "--%s%s", rows[i].name, takes_value(&rows[i]) ? " VALUE" : "");
		printf("  %c%c %-24s %s\n", rows[i].letter ? '-' : ' ', rows[i].letter ? rows[i].letter : ' ', name,
		       rows[i].meaning);
	}
	puts("\nThe exit status is 0 when at least one request was acknowledged.");
}
