/*
 * options.h -- what the load generator is asked to do.
 *
 * Shape     one row per option in options.c: the parser and --help come from it.
 * Owner     strings point into argv; `body` may be read from a file and then belongs to `file`.
 * Errors    E_CONFIG  an unknown option, or a value that makes no sense
 *           E_IO      the file of the body cannot be read
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

#define OPTIONS_FIELDS_MAX 32

struct options {
	const char *url;
	const char *method;
	const char *body; /* template, or @file */
	const char *ids;  /* file; NULL: none */
	const char *run;  /* 8 characters; NULL: random */
	const char *fields[OPTIONS_FIELDS_MAX];
	size_t field_count;
	uint64_t rate; /* requests a second; 0: closed loop */
	uint64_t connections;
	uint64_t threads;
	uint64_t count; /* requests; 0: until `duration_ns` */
	uint64_t body_size;
	uint64_t duration_ns; /* 0: until `count` */
	uint64_t warmup_ns;
	uint64_t timeout_ns;
	uint64_t give_up_ns;
	bool retry;
	bool close; /* a connection per request */
	bool json;
	bool quiet;
	bool help;
	struct buf file;
};

/* Reads argv over the defaults. */
enum err options_parse(int argc, char **argv, struct why *why, struct options *ret);
void options_release(struct options *o);

/* The text of --help on standard output. */
void options_help(void);
