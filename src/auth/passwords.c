#include "auth/passwords.h"

#include <crypt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "auth/files.h"
#include "auth/password_line.h"
#include "auth/remembered.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"

#define DUMMY_COST 10 /* without any user */
#define FIX_EMPTY  "holdfast pki user NAME --file FILE adds one; if nobody shall come in, write '# nobody'"
#define FIX_USER   "make the line anew: holdfast pki user NAME --file FILE"

struct user {
	char hash[BCRYPT_LENGTH + 1];
	unsigned cost;
	unsigned line; /* in the file */
};

/* What a file said: never changes. */
struct table {
	atomic_uint refs;
	struct buf text; /* of the file: names point into it */
	struct map users;
	unsigned dearest; /* cost of any user */
};

struct passwords {
	pthread_mutex_t lock; /* of table */
	struct table *table;
	struct remembered *remembered;
	char path[];
};

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static void table_unref(struct table *t)
{
	const struct map_entry *e;
	size_t at = 0;

	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	while ((e = map_next(&t->users, &at)))
		mem_free(e->value);
	map_release(&t->users);
	buf_wipe(&t->text);
	mem_free(t);
}

static enum err add_user(struct table *t, const char *path, unsigned number, const struct password_line *line,
			 struct problems *problems)
{
	const struct user *twin = map_get(&t->users, line->name);
	struct user *u;

	if (twin) {
		problem_in(problems, path, number, "keep one of the two lines", "'%.*s' has a line already: line %u",
			   STR_ARG(line->name), twin->line);
		return E_OK;
	}
	u = mem_alloc(sizeof(*u));
	if (!u || map_put(&t->users, line->name, u) != E_OK) {
		mem_free(u);
		return problem_nomem(problems);
	}
	memcpy(u->hash, line->hash.p, BCRYPT_LENGTH);
	u->cost = line->cost;
	t->dearest = u->cost > t->dearest ? u->cost : t->dearest;
	u->line = number;
	return E_OK;
}

static enum err read_lines(struct table *t, const char *path, struct problems *problems)
{
	struct str rest = buf_view(&t->text);
	enum err err = E_OK;

	for (unsigned number = 1; rest.n && err == E_OK; number++) {
		struct password_line line;
		const char *what;

		switch (password_line_read(str_cut(&rest, '\n'), &line, &what)) {
		case PASSWORD_LINE_EMPTY:
			break;
		case PASSWORD_LINE_BAD:
			problem_in(problems, path, number, FIX_USER, "%s", what);
			break;
		case PASSWORD_LINE_USER:
			err = add_user(t, path, number, &line, problems);
			break;
		}
	}
	if (t->users.n == 0)
		t->dearest = DUMMY_COST;
	return err;
}

/* Nothing but white space, or the zeros that a crash leaves. */
static bool is_empty(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!strchr(" \t\r\n", text.p[i]))
			return false;
	return true;
}

static enum err table_read(const char *path, struct problems *problems, struct table **ret_table)
{
	struct table *t = mem_alloc(sizeof(*t));
	size_t errors = problems->errors;
	struct why why = { 0 };
	enum err err;

	if (!t)
		return problem_nomem(problems);
	atomic_init(&t->refs, 1);
	err = file_read(path, PASSWORDS_FILE_MAX, &t->text, &why);
	/* A file that was cut off must not shut everybody out; a comment alone says that it is meant. */
	if (err != E_OK)
		problem_in(problems, path, 0, "--auth userpass:FILE names the file with the users", "%s", why.text);
	else if (is_empty(buf_view(&t->text)))
		problem_in(problems, path, 0, FIX_EMPTY, "the file with the users is empty");
	else
		err = read_lines(t, path, problems);
	if (err == E_OK && problems->errors == errors && !problems->lost) {
		*ret_table = t;
		return E_OK;
	}
	table_unref(t);
	return err == E_NOMEM ? E_NOMEM : E_CONFIG;
}

enum err passwords_open(const char *path, struct problems *ret_problems, struct passwords **ret_passwords)
{
	size_t n = strlen(path) + 1;
	struct passwords *p = mem_alloc(sizeof(*p) + n);
	enum err err;

	if (!p)
		return problem_nomem(ret_problems);
	(void)pthread_mutex_init(&p->lock, NULL);
	memcpy(p->path, path, n);
	p->remembered = remembered_new(PASSWORDS_KEPT_MAX);
	err = p->remembered ? table_read(path, ret_problems, &p->table) : problem_nomem(ret_problems);
	if (err == E_OK)
		*ret_passwords = p;
	else
		passwords_free(p);
	return err;
}

void passwords_free(struct passwords *p)
{
	if (!p)
		return;
	table_unref(p->table);
	remembered_free(p->remembered);
	(void)pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

enum err passwords_reload(struct passwords *p, struct problems *ret_problems)
{
	struct table *fresh = NULL, *old;
	enum err err = table_read(p->path, ret_problems, &fresh);

	if (err != E_OK)
		return err;
	(void)pthread_mutex_lock(&p->lock);
	old = p->table;
	p->table = fresh;
	(void)pthread_mutex_unlock(&p->lock);
	table_unref(old);
	return E_OK;
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

/* The table of this moment; table_unref() it. */
static struct table *table_of(struct passwords *p)
{
	struct table *t;

	(void)pthread_mutex_lock(&p->lock);
	t = p->table;
	atomic_fetch_add(&t->refs, 1);
	(void)pthread_mutex_unlock(&p->lock);
	return t;
}

size_t passwords_count(struct passwords *p)
{
	struct table *t = table_of(p);
	size_t n = t->users.n;

	table_unref(t);
	return n;
}

bool passwords_has(struct passwords *p, struct str name)
{
	struct table *t = table_of(p);
	bool has = map_get(&t->users, name) != NULL;

	table_unref(t);
	return has;
}

/* The same work whether it can be right or not. */
static enum err compare(const char *hash, struct str password)
{
	struct crypt_data *data = mem_alloc(sizeof(*data));
	char text[PASSWORDS_BYTES_MAX + 1] = "";
	enum err err = E_UNAUTHENTICATED;

	if (!data)
		return E_NOMEM;
	memcpy(text, password.p ? password.p : "", password.n < PASSWORDS_BYTES_MAX ? password.n : PASSWORDS_BYTES_MAX);
	if (crypt_r(text, hash, data) && str_eq_secret(str_of(data->output), str_of(hash)))
		err = E_OK;
	explicit_bzero(text, sizeof(text));
	explicit_bzero(data, sizeof(*data));
	mem_free(data);
	return err;
}

/* The work of a comparison. Any 53 digits will do; the cost decides how long it takes. */
static enum err compare_nothing(unsigned cost, struct str password)
{
	char hash[BCRYPT_LENGTH + 1];

	(void)snprintf(hash, sizeof(hash), "$2b$%02u$%s", cost,
		       "7iRvyWbCTnPUKGBmzKLdWeWG1ZdSmvHYgEMTqG8cZfVLfqu0YVpZe");
	return compare(hash, password);
}

/* bcrypt ends a password at a zero byte and looks at no more than its first bytes: neither may pass for the whole. */
static bool is_password(struct str password)
{
	return password.n > 0 && password.n <= PASSWORDS_BYTES_MAX && !memchr(password.p, '\0', password.n);
}

enum err passwords_check(struct passwords *p, struct str name, struct str password)
{
	struct table *t = table_of(p);
	const struct user *u = map_get(&t->users, name);
	enum err err = u ? compare(u->hash, password) : compare_nothing(t->dearest, password);

	/* Up to the work for the dearest: each step doubles it, so 2^c + 2^c + 2^(c+1) + ... + 2^(d-1) = 2^d. */
	for (unsigned cost = u ? u->cost : t->dearest; err == E_UNAUTHENTICATED && cost < t->dearest; cost++)
		(void)compare_nothing(cost, password);
	table_unref(t);
	if (err == E_OK && (!u || !is_password(password)))
		return E_UNAUTHENTICATED;
	return err;
}

bool passwords_recall(struct passwords *p, struct str name, struct str password, uint64_t now_ms)
{
	struct table *t = table_of(p);
	const struct user *u = map_get(&t->users, name);
	bool right = u && is_password(password) &&
		     remembered_has(p->remembered, name, password, str_of(u->hash), now_ms);

	table_unref(t);
	return right;
}

void passwords_remember(struct passwords *p, struct str name, struct str password, uint64_t now_ms)
{
	struct table *t = table_of(p);
	const struct user *u = map_get(&t->users, name);

	if (u && is_password(password))
		remembered_put(p->remembered, name, password, str_of(u->hash), now_ms + PASSWORDS_KEEP_MS);
	table_unref(t);
}

/* ---- new hashes -------------------------------------------------------------------------------------------------- */

enum err password_hash(struct str password, unsigned cost, const unsigned char random[static 16], struct buf *ret_hash)
{
	struct crypt_data *data;
	char salt[CRYPT_GENSALT_OUTPUT_SIZE], text[PASSWORDS_BYTES_MAX + 1] = "";
	enum err err = E_OK;

	if (!is_password(password) || cost < BCRYPT_COST_MIN || cost > PASSWORDS_COST_MAX)
		return E_LIMIT;
	data = mem_alloc(sizeof(*data));
	if (!data)
		return E_NOMEM;
	memcpy(text, password.p, password.n);
	if (!crypt_gensalt_rn("$2b$", cost, (const char *)random, 16, salt, sizeof(salt)) ||
	    !crypt_r(text, salt, data) || data->output[0] != '$')
		err = E_INTERNAL;
	else
		buf_str(ret_hash, str_of(data->output));
	explicit_bzero(text, sizeof(text));
	explicit_bzero(data, sizeof(*data));
	mem_free(data);
	return err == E_OK ? ret_hash->err : err;
}
