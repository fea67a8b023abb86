#include "net/admin_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
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

/* 0, or what errno said. */
static int write_beside(const char *beside, const char *to, struct str text)
{
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), problem;

	if (fd < 0)
		return errno;
	problem = file_write_fd(fd, text);
	if (!problem && rename(beside, to) != 0)
		problem = errno;
	close(fd);
	if (problem)
		(void)unlink(beside);
	return problem;
}

static enum err write_text(const char *to, struct str text, struct why *why)
{
	struct buf beside = { 0 };
	int problem;

	buf_addf(&beside, "%s.new", to);
	problem = buf_cstr(&beside) ? write_beside(beside.p, to, text) : ENOMEM;
	buf_release(&beside);
	return problem ? why_errno(why, E_IO, problem, "write %s", to) : E_OK;
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
