#include "gateway/secret_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

#define LOOK_AGAIN_MS 1000
#define SECRET_MAX    (64 << 10)

void secret_file_init(struct secret_file *s, const char *path)
{
	*s = (struct secret_file){ .path = path, .content = { .max = SECRET_MAX } };
	pthread_mutex_init(&s->lock, NULL);
}

static void forget(struct secret_file *s)
{
	if (s->content.p)
		explicit_bzero(s->content.p, s->content.cap);
	buf_clear(&s->content);
}

void secret_file_release(struct secret_file *s)
{
	if (!s->path)
		return;
	forget(s);
	buf_release(&s->content);
	pthread_mutex_destroy(&s->lock);
	*s = (struct secret_file){ 0 };
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum err read_all(struct secret_file *s, int fd)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(&s->content, chunk, (size_t)n);
	explicit_bzero(chunk, sizeof(chunk));
	if (n < 0 || s->content.err != E_OK)
		return E_IO;
	if (s->content.n && s->content.p[s->content.n - 1] == '\n')
		s->content.n--;
	return s->content.n ? E_OK : E_IO;
}

static enum err reload(struct secret_file *s)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat now;
	enum err err = E_IO;

	if (fd >= 0 && fstat(fd, &now) == 0) {
		if (s->err == E_OK && s->content.n && is_same_file(&now, &s->seen)) {
			close(fd);
			return E_OK;
		}
		forget(s);
		err = read_all(s, fd);
		s->seen = now;
	}
	if (fd >= 0)
		close(fd);
	if (err != E_OK)
		forget(s);
	return err;
}

static void look_again(struct secret_file *s, uint64_t now_ms)
{
	enum err before = s->err;

	if (s->checked_ms && now_ms - s->checked_ms < LOOK_AGAIN_MS)
		return;
	s->err = reload(s);
	if (s->err != before)
		log_at(s->err == E_OK ? LOG_INFO : LOG_ERROR, "gateway",
		       s->err == E_OK ? "secret is readable" : "secret cannot be read, is empty or too large",
		       LOG_S("path", s->path));
	s->checked_ms = now_ms ? now_ms : 1;
}

enum err secret_file_check(struct secret_file *s, struct str token, uint64_t now_ms)
{
	enum err err;

	pthread_mutex_lock(&s->lock);
	look_again(s, now_ms);
	err = s->err;
	if (err == E_OK && !str_eq_secret(token, buf_view(&s->content)))
		err = E_UNAUTHENTICATED;
	pthread_mutex_unlock(&s->lock);
	return err;
}
