#include "cli/data_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/spool_sql.h"

static int default_dir(size_t size, char *ret_dir)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		return snprintf(ret_dir, size, "/var/lib/holdfast");
	if (state && state[0] == '/') /* the specification: relative paths are to be ignored */
		return snprintf(ret_dir, size, "%s/holdfast", state);
	if (home && *home)
		return snprintf(ret_dir, size, "%s/.local/state/holdfast", home);
	return -1;
}

enum err data_dir(const char *given, size_t size, char *ret_dir, struct why *why)
{
	int n = given ? snprintf(ret_dir, size, "%s", given) : default_dir(size, ret_dir);

	if (n < 0)
		return why_set(why, E_NOT_FOUND, "no data directory: HOME is not set; give --data-dir");
	if ((size_t)n >= size)
		return why_set(why, E_LIMIT, "the path of the data directory is too long");
	return E_OK;
}

static enum err no_store(const char *dir, struct why *why)
{
	return why_set(why, E_NOT_FOUND, "there is no store in %s: give --data-dir, or start the gateway first", dir);
}

enum err data_dir_check(const char *dir, struct why *why)
{
	struct buf path = { .max = PATH_MAX + sizeof(STORE_FILE) };
	enum err err = E_OK;

	buf_addf(&path, "%s/" STORE_FILE, dir);
	if (buf_cstr(&path) && access(path.p, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		err = no_store(dir, why);
	buf_release(&path);
	return err;
}

enum err data_dir_read(const char *dir, struct why *why, struct store_reader **ret_reader)
{
	enum err err = store_reader_open(dir, why, ret_reader);

	return err == E_NOT_FOUND ? no_store(dir, why) : err;
}
