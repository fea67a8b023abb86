/*
 * re2_impl.h -- the walk over a pattern of RE2. Internal to re2.c (groups, repetitions) and re2_char.c (one character or class).
 */
#pragma once

#include "base/re2.h"

#define NO_ATOM SIZE_MAX

struct walk {
	struct str pattern;
	size_t at;
	struct buf *out;
	struct why *why;
	bool captures;
	bool repeated; /* a repetition stands right before */
	size_t atom; /* where the one character or class right before begins in `out`; NO_ATOM: something else is there */
	bool multiline;      /* (?m): ^ and $ are at each line, too */
	bool outer[RE2_MAX]; /* what it was outside of each open group */
	size_t groups;
};

/* The byte `ahead` of where the walk stands; NUL: behind the end. */
static inline char peek(const struct walk *w, size_t ahead)
{
	return w->at + ahead < w->pattern.n ? w->pattern.p[w->at + ahead] : '\0';
}

static inline bool at_end(const struct walk *w)
{
	return w->at >= w->pattern.n;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_alnum(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* E_MALFORMED, with the place. */
enum err re2_refuse(const struct walk *w, const char *what);

/* A character that means itself. */
void re2_copy_literal(struct walk *w);

/* `.`, an escape or a class: one character, however it is written (\Q...\E: several; \b: none). */
enum err re2_copy_character(struct walk *w);
