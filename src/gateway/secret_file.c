#include "gateway/secret_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define LOOK_AGAIN_MS 1000
#define SECRET_MAX    (64 << 10)

void secret_file_init(struct secret_file *s, const char *path)
{
	*s = (struct secret_file){ .path = path, .content = { .max = SECRET_MAX }, .before = { .max = SECRET_MAX } };
	pthread_mutex_init(&s->lock, NULL);
}

void secret_file_release(struct secret_file *s)
{
	if (!s->path)
		return;
	buf_wipe(&s->content);
	buf_wipe(&s->before);
	pthread_mutex_destroy(&s->lock);
	*s = (struct secret_file){ 0 };
}

/* Threads read the clock at different moments: a time may lie a little ahead of another's now. */
static uint64_t since(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The room is taken at once: a buffer that grows would leave secrets behind in memory that was freed. */
static enum err read_all(int fd, size_t size, struct buf *ret_content)
{
	char *to = size <= SECRET_MAX ? buf_reserve(ret_content, size + 1) : NULL;
	ssize_t n;

	while (to && ret_content->n <= size && (n = read(fd, to + ret_content->n, size + 1 - ret_content->n)) != 0) {
		if (n < 0)
			return E_IO;
		ret_content->n += (size_t)n;
	}
	if (!to || ret_content->n > size) /* it grew while it was read: the next look has it */
		return ret_content->err == E_NOMEM ? E_NOMEM : E_IO;
	if (ret_content->n && to[ret_content->n - 1] == '\n')
		ret_content->n--;
	return ret_content->n ? E_OK : E_IO;
}

/*
 * When the file became what it is: its change time, which no copy can set back, but not earlier than the last look, when it
 * was still another.
 */
static uint64_t time_of_change(const struct secret_file *s, const struct stat *st, uint64_t now_ms)
{
	int64_t at_ms = (int64_t)st->st_ctim.tv_sec * 1000 + st->st_ctim.tv_nsec / 1000000;
	int64_t age_ms = clock_wall_ms() - at_ms;
	uint64_t since_ms = since(s->checked_ms, now_ms);

	if (age_ms <= 0)
		return now_ms;
	return now_ms - ((uint64_t)age_ms < since_ms ? (uint64_t)age_ms : since_ms);
}

/* `content` is what the file says now. */
static void replace(struct secret_file *s, struct buf *content, const struct stat *st, uint64_t now_ms)
{
	if (s->content.n && !str_eq(buf_view(&s->content), buf_view(content))) {
		buf_wipe(&s->before);
		s->before = s->content;
		s->content = (struct buf){ 0 };
		s->changed_ms = time_of_change(s, st, now_ms);
		log_info("gateway", "a secret has changed", LOG_S("path", s->path),
			 LOG_U("old_accepted_ms", s->overlap_ms));
	}
	buf_wipe(&s->content);
	s->content = *content;
	*content = (struct buf){ 0 };
}

/* What was read last stays when the file cannot be read, so that the next content knows what came before it. */
static enum err reload(struct secret_file *s, uint64_t now_ms)
{
	int fd = -1;
	struct buf content = { .max = SECRET_MAX + 1 };
	struct stat st;
	enum err err = E_IO;

	if (file_open(s->path, NULL, &fd) == E_OK && fstat(fd, &st) == 0) {
		if (s->err == E_OK && s->content.n && is_same_file(&st, &s->seen)) {
			close(fd);
			return E_OK;
		}
		err = read_all(fd, (size_t)st.st_size, &content);
		if (err == E_OK)
			replace(s, &content, &st, now_ms);
		s->seen = st;
	}
	if (fd >= 0)
		close(fd);
	buf_wipe(&content);
	return err;
}

static void look_again(struct secret_file *s, uint64_t now_ms)
{
	enum err was = s->err;

	if (s->checked_ms && since(s->checked_ms, now_ms) < LOOK_AGAIN_MS)
		return;
	s->err = reload(s, now_ms);
	if (s->err != was)
		log_at(s->err == E_OK ? LOG_INFO : LOG_ERROR, "gateway",
		       s->err == E_OK ? "secret is readable" : "secret cannot be read, is empty or too large",
		       LOG_S("path", s->path));
	if (s->before.n && since(s->changed_ms, now_ms) >= s->overlap_ms)
		buf_wipe(&s->before);
	s->checked_ms = now_ms ? now_ms : 1;
}

void secret_file_look(struct secret_file *s, uint64_t now_ms)
{
	pthread_mutex_lock(&s->lock);
	look_again(s, now_ms);
	pthread_mutex_unlock(&s->lock);
}

void secret_file_inherit(struct secret_file *s, struct secret_file *from)
{
	buf_wipe(&s->content);
	buf_wipe(&s->before);
	s->err = E_OK;
	s->checked_ms = 0;
	pthread_mutex_lock(&from->lock);
	buf_str(&s->content, buf_view(&from->content));
	buf_str(&s->before, buf_view(&from->before));
	if (s->content.err == E_OK && s->before.err == E_OK) {
		s->checked_ms = from->checked_ms;
		s->changed_ms = from->changed_ms;
		s->seen = from->seen;
		s->err = from->err;
	} else {
		buf_wipe(&s->content); /* no memory: it reads for itself */
		buf_wipe(&s->before);
	}
	pthread_mutex_unlock(&from->lock);
}

/* The valid secrets, one behind the other: `*ret_newest` bytes of the newest, then the one before. */
static enum err copy_valid(struct secret_file *s, uint64_t now_ms, struct buf *ret_secrets, size_t *ret_newest)
{
	enum err err;

	pthread_mutex_lock(&s->lock);
	look_again(s, now_ms);
	err = s->err;
	if (err == E_OK && buf_reserve(ret_secrets, s->content.n + s->before.n)) {
		*ret_newest = s->content.n;
		buf_str(ret_secrets, buf_view(&s->content));
		if (since(s->changed_ms, now_ms) < s->overlap_ms)
			buf_str(ret_secrets, buf_view(&s->before));
	}
	pthread_mutex_unlock(&s->lock);
	return err != E_OK ? err : ret_secrets->err;
}

enum err secret_file_match(struct secret_file *s, uint64_t now_ms, enum err (*check)(void *ctx, struct str secret),
			   void *ctx)
{
	struct buf secrets = { 0 };
	size_t newest = 0;
	enum err err = copy_valid(s, now_ms, &secrets, &newest);

	if (err == E_OK)
		err = check(ctx, str_sub(buf_view(&secrets), 0, newest));
	if (err == E_UNAUTHENTICATED && secrets.n > newest)
		err = check(ctx, str_sub(buf_view(&secrets), newest, secrets.n));
	buf_wipe(&secrets);
	return err;
}

static enum err check_token(void *ctx, struct str secret)
{
	const struct str *token = ctx;

	return str_eq_secret(*token, secret) ? E_OK : E_UNAUTHENTICATED;
}

enum err secret_file_check(struct secret_file *s, struct str token, uint64_t now_ms)
{
	return secret_file_match(s, now_ms, check_token, &token);
}
