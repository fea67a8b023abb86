/*
 * rune.h -- characters of Unicode in UTF-8.
 *
 * Shape     bytes that are not UTF-8 read as U+FFFD, one byte each, as Go reads them.
 * Source    RFC 3629; Unicode's White_Space; letters and case from the C library's C.UTF-8 locale (ASCII when there is none)
 */
#pragma once

#include "base/buf.h"

#define RUNE_BAD 0xfffd

/* The character at the start of `s` (not empty); `ret_n` bytes, at least 1. */
uint32_t rune_read(struct str s, size_t *ret_n);

/* Writes `rune` to `to`; returns its length, 1 to 4. What is no character becomes U+FFFD. */
size_t rune_write(uint32_t rune, char to[4]);

bool rune_is_space(uint32_t c);
bool rune_is_letter(uint32_t c);
bool rune_is_digit(uint32_t c);
uint32_t rune_upper(uint32_t c);
uint32_t rune_lower(uint32_t c);

/* Appends `s` with everything that is not UTF-8 replaced by U+FFFD. */
void rune_repair(struct str s, struct buf *ret_text);

/* Characters in `s`. */
size_t rune_count(struct str s);

/* Without white space at both ends. */
struct str rune_trim(struct str s);
