/*
 * json_run.h -- the plain bytes of a JSON string, sixteen at a time.
 *
 * Shape     inline, for those that scan and write strings.
 * Source    RFC 8259 7; Go's encoding/json with HTML escaping on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Ends a run: control characters, the quote, the backslash, < > &, and 0xe2, which may begin U+2028 or U+2029. */
static inline bool json_run_stops(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '&' || c == '<' || c == '>' || c == '\\' || c == 0xe2;
}

#if defined(__SSE2__)
/* One bit for each of sixteen bytes that ends a run. '"' and '&' differ in one bit, so do '<' and '>'. */
static inline unsigned json_run_mask_of(__m128i v)
{
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i quote = _mm_cmpeq_epi8(_mm_and_si128(v, _mm_set1_epi8((char)~('"' ^ '&'))), _mm_set1_epi8('"' & '&'));
	__m128i angle = _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8('<' ^ '>')), _mm_set1_epi8('<' | '>'));
	__m128i escape = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
	__m128i separator = _mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xe2));

	control = _mm_or_si128(control, _mm_or_si128(quote, angle));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(escape, separator)));
}

/* Those at p. */
static inline unsigned json_run_mask(const char *p)
{
	return json_run_mask_of(_mm_loadu_si128((const __m128i *)(const void *)p));
}
#endif

/* The first byte at or behind p that ends a run, or `end`. */
static inline const char *json_run(const char *p, const char *end)
{
#if defined(__SSE2__)
	for (; end - p >= 16; p += 16) {
		unsigned mask = json_run_mask(p);

		if (mask)
			return p + __builtin_ctz(mask);
	}
	if (end - p >= 8) { /* keys and names are short */
		unsigned mask = json_run_mask_of(_mm_loadl_epi64((const __m128i *)(const void *)p)) & 0xff;

		if (mask)
			return p + __builtin_ctz(mask);
		p += 8;
	}
#endif
	while (p < end && !json_run_stops((unsigned char)*p))
		p++;
	return p;
}
