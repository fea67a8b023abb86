#include "cli/data_dir.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

/* `name` in `dir`, when it has a ledger. E_CONFIG: it is not the first. */
static enum err take(const char *dir, const char *name, char found[static PATH_MAX], struct why *why)
{
	char path[PATH_MAX];

	if (name[0] == '.' || snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX || !data_dir_has_ledger(path))
		return E_OK;
	if (found[0])
		return why_set(why, E_CONFIG, "%s or %s? Give --data-dir", found, path);
	(void)snprintf(found, PATH_MAX, "%s", path);
	return E_OK;
}

/* The only one in `dir` that has a ledger; none: empty. */
static enum err find_peer(const char *dir, char ret_found[static PATH_MAX], struct why *why)
{
	DIR *names = opendir(dir);
	const struct dirent *entry;
	enum err err = E_OK;

	ret_found[0] = '\0';
	while (names && err == E_OK && (entry = readdir(names)))
		err = take(dir, entry->d_name, ret_found, why);
	if (names)
		closedir(names);
	return err;
}

enum err data_dir_of_peer(const char *given, size_t size, char *ret_dir, struct why *why)
{
	char found[PATH_MAX];
	enum err err = data_dir(given, size, ret_dir, why);

	if (err != E_OK || given)
		return err;
	err = find_peer(ret_dir, found, why);
	return err == E_OK && found[0] ? data_dir(found, size, ret_dir, why) : err;
}

enum err data_dir_of_process(const char *given, size_t size, char *ret_dir, struct why *why)
{
	enum err err = data_dir(given, size, ret_dir, why);

	return err == E_OK && !has_file(ret_dir, STORE_FILE) ? data_dir_of_peer(given, size, ret_dir, why) : err;
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
