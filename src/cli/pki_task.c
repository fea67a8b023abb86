#include "cli/pki_task.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/out.h"

#define DIR_DEFAULT "pki"
#define DATE_LENGTH 10 /* of an RFC 3339 time */

void pki_task_begin(struct pki_task *t, const struct invocation *inv, const char *dir, bool force)
{
	*t = (struct pki_task){ .inv = inv, .dir = dir ? dir : DIR_DEFAULT, .force = force, .now_ms = clock_wall_ms() };
}

int pki_task_end(struct pki_task *t, enum err err)
{
	if (err == E_OK)
		return out_print(&t->text);
	buf_release(&t->text);
	return command_failed(t->inv, "%s", t->why.text);
}

enum err pki_task_path(struct pki_task *t, const char *name, const char *ending, struct pki_path *ret_path)
{
	int n = snprintf(ret_path->text, sizeof(ret_path->text), "%s/%s%s", t->dir, name, ending);

	if (n < 0 || (size_t)n >= sizeof(ret_path->text))
		return why_set(&t->why, E_LIMIT, "%s: the path is too long", t->dir);
	return E_OK;
}

enum err pki_task_check_free(struct pki_task *t, const struct file_part *files, size_t n)
{
	files_settle(files, n);
	for (size_t i = 0; i < n && !t->force; i++)
		if (access(files[i].path, F_OK) == 0)
			return why_set(&t->why, E_EXISTS, "%s exists; --force replaces it", files[i].path);
	return E_OK;
}

void pki_task_say_file(struct pki_task *t, const struct pki_path *path, const char *what)
{
	buf_addf(&t->text, "%-28s  %s\n", path->text, what);
}

void pki_task_say_cert(struct pki_task *t, const struct pki_path *path, const char *what, int64_t expires_ms)
{
	char time[CLOCK_RFC3339_MAX];

	(void)clock_rfc3339(expires_ms * 1000000, time);
	buf_addf(&t->text, "%-28s  %s, until %.*s\n", path->text, what, DATE_LENGTH, time);
}
