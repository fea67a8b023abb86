#include "cli/data_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/ledger_sql.h"
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

/* errno says why not. */
static bool has_file(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path) && access(path, F_OK) == 0;
}

bool data_dir_has_ledger(const char *dir)
{
	return has_file(dir, LEDGER_FILE);
}

/* Takes the one of them that has a ledger. */
static void go_below(size_t size, char *dir)
{
	static const char *const names[] = { "/principal", "/agent" };
	size_t n = strlen(dir);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (snprintf(dir + n, size - n, "%s", names[i]) < (int)(size - n) && data_dir_has_ledger(dir))
			return;
		dir[n] = '\0';
	}
}

enum err data_dir_of_process(const char *given, size_t size, char *ret_dir, struct why *why)
{
	enum err err = data_dir(given, size, ret_dir, why);

	if (err == E_OK && !given && !has_file(ret_dir, STORE_FILE))
		go_below(size, ret_dir);
	return err;
}

static enum err no_store(const char *dir, struct why *why)
{
	return why_set(why, E_NOT_FOUND, "there is no store in %s: give --data-dir, or start the gateway first", dir);
}

enum err data_dir_check(const char *dir, struct why *why)
{
	return has_file(dir, STORE_FILE) || (errno != ENOENT && errno != ENOTDIR) ? E_OK : no_store(dir, why);
}

enum err data_dir_read(const char *dir, struct why *why, struct store_reader **ret_reader)
{
	enum err err = store_reader_open(dir, why, ret_reader);

	return err == E_NOT_FOUND ? no_store(dir, why) : err;
}
