/*
 * str.h -- a borrowed run of bytes.
 *
 * Shape     pointer and length; not terminated; {NULL, 0} is both empty and absent.
 * Owner     never owns: it lives as long as what it points into.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })

/* printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s)   (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_of(const char *p)
{
	return p ? (struct str){ p, strlen(p) } : (struct str){ 0 };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *b)
{
	return str_eq(a, str_of(b));
}

/* Bytes [from, from + n), cut to what is there. */
static inline struct str str_sub(struct str s, size_t from, size_t n)
{
	if (from >= s.n)
		return (struct str){ 0 };
	return (struct str){ s.p + from, n < s.n - from ? n : s.n - from };
}

bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Without case: ASCII letters only, everything else byte for byte. Most names that are compared differ in length. */
bool str_same_letters(const char *a, const char *b, size_t n);

static inline bool str_eq_nocase(struct str a, struct str b)
{
	return a.n == b.n && str_same_letters(a.p, b.p, a.n);
}

bool str_starts_nocase(struct str s, struct str prefix);

/* Order as memcmp(3), then the shorter first: <0, 0 or >0. */
int str_cmp(struct str a, struct str b);

/* Without spaces and tabs at both ends. */
struct str str_trim(struct str s);

/* Cut `*rest` at the first `sep`: returns what stood before it, `*rest` keeps what follows. No `sep`: all of it. */
struct str str_cut(struct str *rest, char sep);

/* The position of byte `c`, or s.n. */
size_t str_find(struct str s, char c);

/* Whether `part` stands anywhere in `s`; an empty one does. */
bool str_contains(struct str s, struct str part);

/* Compares in a time that depends only on the lengths. For secrets. */
bool str_eq_secret(struct str a, struct str b);

/* A decimal number without sign and without anything else. False: empty, another byte, or over `max`. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *ret_value);

/* Its decimal digits, at the end of `text`. */
#define STR_U64_MAX 20
struct str str_from_u64(uint64_t value, char text[static STR_U64_MAX]);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool str_is_utf8(struct str s);

/* The same, without a NUL: what a C string can hold whole. */
bool str_is_text(struct str s);

/* `s` with a terminating zero into `size` bytes, cut where it is longer. */
static inline void str_copy(struct str s, char *ret_text, size_t size)
{
	size_t n = s.n < size ? s.n : size - 1;

	if (n)
		memcpy(ret_text, s.p, n);
	ret_text[n] = '\0';
}

/* A terminated copy on the heap (mem_free), or NULL. */
char *str_dup(struct str s);

/* Levenshtein distance of two short words (at most 64 bytes each are looked at, case is not), for "did you mean". */
unsigned str_distance(struct str a, struct str b);
