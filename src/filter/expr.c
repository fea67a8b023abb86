#include "filter/expr.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "filter/rune.h"

const char *expr_operator(enum op op)
{
	static const struct {
		const char *word;
		enum op op;
	} words[] = {
#define X(word, op, precedence) { word, OP_##op },
		BINARY_OPERATORS(X)
#undef X
			{ "not", OP_NOT },
		{ "-", OP_MINUS },
		{ "+", OP_PLUS },
	};
	size_t i = 0;

	while (words[i].op != op)
		i++;
	return words[i].word;
}

struct filter_place filter_place_of(struct str text, size_t at)
{
	struct filter_place place = { 1, 1 };
	struct str before = str_sub(text, 0, at);
	size_t line = 0;

	for (size_t i = 0; i < before.n; i++) {
		if (before.p[i] != '\n')
			continue;
		place.line++;
		line = i + 1;
	}
	place.column += (unsigned)rune_count(str_sub(before, line, before.n));
	return place;
}

enum err filter_say(struct str text, size_t at, struct why *why, enum err err, const char *format, ...)
{
	struct filter_place place = filter_place_of(text, at);
	char words[320];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	if (place.line > 1)
		return why_set(why, err, "line %u, column %u: %s", place.line, place.column, words);
	return why_set(why, err, "column %u: %s", place.column, words);
}
