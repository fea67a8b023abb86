#include "cli/suggest.h"

static bool is_near(struct str word, struct str candidate, unsigned distance)
{
	size_t longest = word.n > candidate.n ? word.n : candidate.n;

	if (word.n >= 2 && (str_starts_nocase(candidate, word) || str_starts_nocase(word, candidate)))
		return true;
	return distance <= (longest + 2) / 3;
}

void suggest_try(struct suggest *s, struct str candidate)
{
	unsigned distance;

	if (!s->word.n || !candidate.n)
		return;
	distance = str_distance(s->word, candidate);
	if (!is_near(s->word, candidate, distance) || (s->best.n && s->distance <= distance))
		return;
	s->best = candidate;
	s->distance = distance;
}
