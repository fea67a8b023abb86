/*
 * fuzz_policy.c -- policy lines of an agent's project, moved to the principal's copy.
 *
 * Property  A line that is moved has six fields and a bounded length, speaks of the new project and the agent, and no longer of the
 *           old project: it is not moved a second time, but from the new project to a third just as it was. A line that is not moved
 *           adds nothing.
 */
#include <stdlib.h>

#include "sync/policy.h"

#define TEXT_MAX 4096

static void must(bool holds)
{
	if (!holds)
		abort();
}

static size_t commas(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == ',';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct policy_names names = { "site", "prod", "site-prod" };
	static const struct policy_names again = { "site", "site-prod", "x" };
	struct str line = { (const char *)data, size };
	struct buf moved = { 0 }, further = { 0 };

	if (size > TEXT_MAX || str_find(line, '\0') < line.n)
		return 0;
	if (!policy_rewrite(line, &names, &moved)) {
		must(moved.n == 0);
		return 0;
	}
	must(moved.err == E_OK && commas(buf_view(&moved)) == 5 && commas(line) == 5);
	must(moved.n <= line.n + 64);
	must(!policy_rewrite(buf_view(&moved), &names, &further) && further.n == 0);
	must(policy_rewrite(buf_view(&moved), &again, &further));
	buf_release(&moved);
	buf_release(&further);
	return 0;
}
