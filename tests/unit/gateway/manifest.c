#include "manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/holdfast-gateway-XXXXXX";

int manifest_begin(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

int manifest_end(void **state)
{
	(void)state;
	return chdir("/") == 0 ? nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

void manifest_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

struct gateway_config *manifest_load(const char *text)
{
	static const char *const paths[] = { "a.yaml" };
	struct problems problems = { 0 };
	struct gateway_config *config = NULL;

	manifest_file(paths[0], text);
	assert_int_equal(gateway_config_load(paths, 1, &problems, &config), E_OK);
	problems_release(&problems);
	return config;
}
