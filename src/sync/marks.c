#include "sync/marks.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	const char *key;
	bool ours;
} annotations[] = {
#define X(key, ours, meaning) { key, ours },
	MARK_ANNOTATIONS(X)
#undef X
};

bool mark_is_ours(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(annotations); i++)
		if (annotations[i].ours && strcmp(annotations[i].key, key) == 0)
			return true;
	return false;
}

const char *const mark_wishes[MARK_WISHES] = { MARK_REFRESH, MARK_REFRESH_TIME, MARK_HYDRATE, MARK_HYDRATE_TIME };

/* The times begin with what they are of. */
bool mark_may_wish(struct str text)
{
	return str_contains(text, STR(MARK_REFRESH)) || str_contains(text, STR(MARK_HYDRATE));
}

static bool is_among(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

bool member_is_content(const char *key)
{
	static const char *const others[] = { "apiVersion", "kind", "metadata", "status", "operation" };

	return !is_among(key, others, ARRAY_LEN(others));
}

bool phase_has_ended(const char *phase)
{
	static const char *const ends[] = { "Succeeded", "Failed", "Error" };

	return is_among(phase, ends, ARRAY_LEN(ends));
}
