/*
 * bus_open.h -- the bus that a configuration names.
 */
#pragma once

#include "gateway/config.h"

/* Opens it, the embedded one too. `metrics` and `on_state` may be NULL. Errors as of jetstream_open() and kafka_open(). */
enum err bus_open(const struct bus_config *config, struct metrics *metrics,
		  void (*on_state)(void *ctx, enum bus_state state), void *ctx, struct why *why, struct bus **ret_bus);

/* Whether bus_open() would take its settings and what stands in their files. Nobody is connected to. */
enum err bus_check(const struct bus_config *config, struct why *why);

/* Appends where its servers are, without a password that may stand in a URL; nothing for the embedded bus. */
void bus_write_place(const struct bus_config *config, struct buf *ret_text);
