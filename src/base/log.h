/*
 * log.h -- one line for each thing worth knowing.
 *
 * Shape     JSON lines {"level","ts","logger","msg",fields...}; on a terminal a readable, coloured line.
 *           One line per state change, not one per retry. Never a secret, a query string or a payload.
 *           Nobody waits for who reads it: past a tenth of a second lines are lost, and counted in the next that is taken.
 * Threads   any; one line at a time, each of up to 4096 bytes (PIPE_BUF) one write(2).
 *
 *     log_info("store", "store opened", LOG_S("path", path), LOG_U("events", n));
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_format {
	LOG_FORMAT_AUTO, /* readable on a terminal, else JSON */
	LOG_FORMAT_JSON,
	LOG_FORMAT_TEXT,
};

struct log_field {
	const char *key; /* NULL: no field */
	enum { LOG_STR, LOG_INT, LOG_UINT, LOG_BOOL } type;
	struct str s;
	int64_t i;
	uint64_t u;
};

#define LOG_S(k, v)    ((struct log_field){ .key = (k), .type = LOG_STR, .s = str_of(v) }) /* a C string */
#define LOG_STRN(k, v) ((struct log_field){ .key = (k), .type = LOG_STR, .s = (v) })       /* a struct str */
#define LOG_I(k, v)    ((struct log_field){ .key = (k), .type = LOG_INT, .i = (int64_t)(v) })
#define LOG_U(k, v)    ((struct log_field){ .key = (k), .type = LOG_UINT, .u = (uint64_t)(v) })
#define LOG_B(k, v)    ((struct log_field){ .key = (k), .type = LOG_BOOL, .u = (v) ? 1 : 0 })
#define LOG_WHY(w)     LOG_S("error", (w)->text)

/* Set once at start, before other threads. Lines go to `fd` (2 by default); colours only on a terminal that draws, without NO_COLOR. */
void log_setup(int fd, enum log_level level, enum log_format format);

/* "debug" "info" "warn" "error"; false for another word. */
bool log_level_parse(struct str word, enum log_level *ret_level);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *logger, const char *msg, const struct log_field *fields, size_t n);

#define log_at(level, logger, msg, ...)                                                                       \
	do {                                                                                                  \
		if (log_enabled(level)) {                                                                     \
			const struct log_field fields_[] = { { 0 }, ##__VA_ARGS__ };                          \
			log_write(level, logger, msg, fields_ + 1, sizeof(fields_) / sizeof(fields_[0]) - 1); \
		}                                                                                             \
	} while (0)

#define log_debug(logger, msg, ...) log_at(LOG_DEBUG, logger, msg, ##__VA_ARGS__)
#define log_info(logger, msg, ...)  log_at(LOG_INFO, logger, msg, ##__VA_ARGS__)
#define log_warn(logger, msg, ...)  log_at(LOG_WARN, logger, msg, ##__VA_ARGS__)
#define log_error(logger, msg, ...) log_at(LOG_ERROR, logger, msg, ##__VA_ARGS__)
