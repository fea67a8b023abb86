/*
 * machine.h -- a root directory of our own, with the files by which a machine shows its control groups.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dir.h"
#include "base/str.h"

#define SYS "sys/fs/cgroup"

struct file {
	const char *path;
	const char *text;
};

static char machine[] = "/tmp/test_machine.XXXXXX";

static inline void machine_file(const char *path, const char *text)
{
	char whole[PATH_MAX];
	int n = snprintf(whole, sizeof(whole), "%s/%s", machine, path);
	char *slash = strrchr(whole, '/');
	FILE *f;

	assert_true(n > 0 && (size_t)n < sizeof(whole));
	*slash = '\0';
	assert_int_equal(dir_make(whole, 0700), 0);
	*slash = '/';
	f = fopen(whole, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* NULL: there is no such file. `files` end with one that has no path, or after `most`. */
static inline void machine_make(const char *mounts, const char *groups, const struct file *files, size_t most)
{
	memcpy(machine, "/tmp/test_machine.XXXXXX", sizeof(machine));
	assert_non_null(mkdtemp(machine));
	if (mounts)
		machine_file("proc/self/mountinfo", mounts);
	if (groups)
		machine_file("proc/self/cgroup", groups);
	for (size_t i = 0; i < most && files[i].path; i++)
		machine_file(files[i].path, files[i].text);
}

static inline int machine_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void machine_unmake(void)
{
	assert_int_equal(nftw(machine, machine_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
