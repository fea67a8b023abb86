#include "auth/blocklist.h"

#include <pthread.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/tls_peer.h"

#define HEX_DIGITS (TLS_FINGERPRINT_MAX - 1)

/* One fingerprint; the map's key lies in it. */
struct blocked {
	char hex[HEX_DIGITS];
};

struct blocklist {
	pthread_mutex_t lock; /* of entries */
	struct map entries;
	const struct buf *text; /* instead of the file; or NULL */
	char path[];
};

static void entries_release(struct map *entries)
{
	const struct map_entry *e;
	size_t at = 0;

	while ((e = map_next(entries, &at)))
		mem_free(e->value);
	map_release(entries);
}

/* Upper case, without colons. False: no SHA-256. */
static bool read_hex(struct str s, struct blocked *ret_blocked)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == ':' && n > 0 && n % 2 == 0)
			continue;
		if (c >= 'a' && c <= 'f')
			c = (char)(c - 'a' + 'A');
		if (n == HEX_DIGITS || !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F')))
			return false;
		ret_blocked->hex[n++] = c;
	}
	return n == HEX_DIGITS;
}

static enum err add(struct map *entries, const struct blocked *b)
{
	struct blocked *copy;

	if (map_get(entries, (struct str){ b->hex, HEX_DIGITS }))
		return E_OK;
	copy = mem_alloc(sizeof(*copy));
	if (!copy)
		return E_NOMEM;
	*copy = *b;
	if (map_put(entries, (struct str){ copy->hex, HEX_DIGITS }, copy) != E_OK) {
		mem_free(copy);
		return E_NOMEM;
	}
	return E_OK;
}

static enum err read_lines(struct str rest, const char *path, struct problems *problems, struct map *entries)
{
	size_t errors = problems->errors;

	for (unsigned number = 1; rest.n; number++) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		struct blocked b;

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!read_hex(line, &b))
			problem_in(problems, path, number, "openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE",
				   "not the SHA-256 fingerprint of a certificate: 64 hex digits");
		else if (add(entries, &b) != E_OK)
			return problem_nomem(problems);
	}
	return problems->errors != errors || problems->lost ? E_CONFIG : E_OK;
}

static enum err read_text(struct str text, const char *path, struct problems *problems, struct map *ret_entries)
{
	struct map entries = { 0 };
	enum err err = read_lines(text, path, problems, &entries);

	if (err == E_OK)
		*ret_entries = entries;
	else
		entries_release(&entries);
	return err;
}

static enum err read_list(const struct blocklist *b, struct problems *problems, struct map *ret_entries)
{
	CLEANUP(buf_release) struct buf text = { 0 };
	struct why why = { 0 };
	enum err err;

	if (b->text)
		return read_text(buf_view(b->text), b->path, problems, ret_entries);
	err = file_read(b->path, BLOCKLIST_FILE_MAX, &text, &why);
	if (err == E_OK)
		return read_text(buf_view(&text), b->path, problems, ret_entries);
	problem_in(problems, b->path, 0, NULL, "%s", why.text);
	return err == E_NOMEM ? E_NOMEM : E_CONFIG;
}

enum err blocklist_open(const char *path, const struct buf *text, struct problems *ret_problems,
			struct blocklist **ret_list)
{
	size_t n = strlen(path) + 1;
	struct blocklist *b = mem_alloc(sizeof(*b) + n);
	enum err err;

	if (!b)
		return problem_nomem(ret_problems);
	(void)pthread_mutex_init(&b->lock, NULL);
	memcpy(b->path, path, n);
	b->text = text;
	err = read_list(b, ret_problems, &b->entries);
	if (err == E_OK)
		*ret_list = b;
	else
		blocklist_free(b);
	return err;
}

void blocklist_free(struct blocklist *b)
{
	if (!b)
		return;
	entries_release(&b->entries);
	(void)pthread_mutex_destroy(&b->lock);
	mem_free(b);
}

enum err blocklist_reload(struct blocklist *b, struct problems *ret_problems)
{
	struct map fresh, old;
	enum err err = read_list(b, ret_problems, &fresh);

	if (err != E_OK)
		return err;
	(void)pthread_mutex_lock(&b->lock);
	old = b->entries;
	b->entries = fresh;
	(void)pthread_mutex_unlock(&b->lock);
	entries_release(&old);
	return E_OK;
}

bool blocklist_has(struct blocklist *b, const char *fingerprint)
{
	bool has;

	if (!b)
		return false;
	(void)pthread_mutex_lock(&b->lock);
	has = map_get(&b->entries, str_of(fingerprint)) != NULL;
	(void)pthread_mutex_unlock(&b->lock);
	return has;
}

size_t blocklist_count(struct blocklist *b)
{
	size_t n;

	if (!b)
		return 0;
	(void)pthread_mutex_lock(&b->lock);
	n = b->entries.n;
	(void)pthread_mutex_unlock(&b->lock);
	return n;
}
