#include "sync/policy.h"

#include "base/mem.h"
#include "trees.h"

/* Facts 4.4 (principal/event.go:442-505), 8.4 #17, #18, #96: lines about the project itself are moved, all others stay untouched. */
static const struct row {
	const char *line;
	const char *moved; /* NULL: stays */
} rows[] = {
	{ "p, proj:prod:dev, applications, get, prod/*, allow",
	  "p, proj:site-prod:dev, applications, get, site-prod/site/*, allow" },
	{ "p,proj:prod:dev,applications,sync,prod/web,deny",
	  "p, proj:site-prod:dev,applications,sync, site-prod/site/web,deny" },
	{ "p, proj:prod:dev, applicationsets, *, prod/a, allow",
	  "p, proj:site-prod:dev, applicationsets, *, site-prod/site/a, allow" },
	{ "p, proj:prod:dev, logs, get, prod/a, allow", "p, proj:site-prod:dev, logs, get, site-prod/site/a, allow" },
	{ "p, proj:prod:dev, exec, create, prod/a, allow",
	  "p, proj:site-prod:dev, exec, create, site-prod/site/a, allow" },
	{ "p, proj:prod:dev, applications, get, prod/ns/a, allow",
	  "p, proj:site-prod:dev, applications, get, site-prod/site/a, allow" },
	{ "p, proj:prod:dev, repositories, get, prod/*, allow", NULL },
	{ "p, proj:other:dev, applications, get, prod/*, allow", NULL },
	{ "p, proj:prod:dev, applications, get, other/*, allow", NULL },
	{ "p, proj:prod:dev, applications, get, prod/, allow", NULL },
	{ "p, proj:prod:dev, applications, get, prod, allow", NULL },
	{ "p, proj:prod:, applications, get, prod/*, allow", NULL },
	{ "p, proj:prods:dev, applications, get, prod/*, allow", NULL },
	{ "p, role:admin, applications, get, prod/*, allow", NULL },
	{ "g, proj:prod:dev, applications, get, prod/*, allow", NULL },
	{ "g, group, proj:prod:dev", NULL },
	{ "p, proj:prod:dev, applications, get, prod/*", NULL },
	{ "p, proj:prod:dev, applications, get, prod/*, allow, more", NULL },
	{ "p, proj:prod:dev, applications, get, prod/*, allow,", NULL },
	{ "", NULL },
};

static void only_what_speaks_of_the_project_itself_is_moved(void **state)
{
	const struct policy_names names = { "site", "prod", "site-prod" };
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&b);
		if (policy_rewrite(str_of(rows[i].line), &names, &b) != (rows[i].moved != NULL))
			fail_msg("%s", rows[i].line);
		assert_string_equal(buf_cstr(&b), rows[i].moved ? rows[i].moved : "");
	}
	buf_release(&b);
}

static void without_memory_the_buffer_says_so(void **state)
{
	const struct policy_names names = { "site", "prod", "site-prod" };
	struct buf b = { .max = 8 };

	(void)state;
	assert_true(policy_rewrite(str_of(rows[0].line), &names, &b));
	assert_int_equal(b.err, E_LIMIT);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_speaks_of_the_project_itself_is_moved),
		cmocka_unit_test(without_memory_the_buffer_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
