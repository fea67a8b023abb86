#include "net/admin_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"

void admin_file_init(struct admin_file *f)
{
	rand_uuid_hex(f->token);
	rand_uuid_hex(f->token + 32);
}

static void describe(const struct admin_file *f, struct str host, uint16_t port, struct buf *ret_text)
{
	bool v6 = str_find(host, ':') < host.n;

	if (host.n == 0)
		host = STR("127.0.0.1");
	buf_addf(ret_text, "{\"address\":\"http://%s%.*s%s:%u\",\"token\":\"%s\"}\n", v6 ? "[" : "", STR_ARG(host),
		 v6 ? "]" : "", port, f->token);
}

static enum err write_text(const char *to, struct str text, struct why *why)
{
	struct buf beside = { 0 };
	const char *path;
	enum err err = E_OK;
	int fd;

	buf_addf(&beside, "%s.new", to);
	path = buf_cstr(&beside);
	fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n || rename(path, to) != 0)
		err = why_errno(why, E_IO, errno, "write %s", to);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && err != E_OK)
		(void)unlink(path);
	buf_release(&beside);
	return err;
}

enum err admin_file_write(struct admin_file *f, const char *data_dir, struct str host, uint16_t port, struct why *why)
{
	struct buf text = { 0 }, path = { 0 };
	enum err err;

	buf_addf(&path, "%s/admin.json", data_dir);
	f->path = path.err == E_OK ? str_dup(buf_view(&path)) : NULL;
	describe(f, host, port, &text);
	if (!f->path || text.err != E_OK)
		err = why_set(why, E_NOMEM, "write admin.json: %s", err_text(E_NOMEM));
	else
		err = write_text(f->path, buf_view(&text), why);
	if (err != E_OK)
		mem_free(TAKE(f->path));
	buf_release(&text);
	buf_release(&path);
	return err;
}

void admin_file_remove(struct admin_file *f)
{
	if (f->path)
		(void)unlink(f->path);
	mem_free(TAKE(f->path));
}
