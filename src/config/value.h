/*
 * value.h -- the texts of single values: sizes, times, numbers, addresses.
 *
 * Shape     false: the text is not such a value, or does not fit 64 bits; nothing is set.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * Bytes: a whole number with a unit or none, as Kubernetes writes quantities: k kB M MB G GB T TB count in thousands,
 * Ki KiB Mi MiB Gi GiB Ti TiB in 1024.
 */
bool value_size(struct str s, uint64_t *ret_bytes);

/* A duration as Go writes it, with days besides: "500ms", "1.5s", "1h30m", "7d", "0". At least whole ms. */
bool value_time(struct str s, uint64_t *ret_ms);

/* A whole number with or without a minus. */
bool value_int(struct str s, int64_t *ret_value);

/* Shortest exact text: 1048576 -> "1MiB", 90000 -> "90s". */
void value_write_size(uint64_t bytes, struct buf *ret_text);
void value_write_time(uint64_t ms, struct buf *ret_text);

/* "host:port", ":port", "[v6]:port"; the host is an address in digits or empty. `ret_host` points into `s`. */
bool value_address(struct str s, struct str *ret_host, uint16_t *ret_port);
