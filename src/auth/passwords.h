/*
 * passwords.h -- names and password hashes in a file.
 *
 * Shape     a line "name:hash" for each user; lines that begin with '#' or "//" and empty lines are comments. A name is
 *           an agent's (agent.h), a hash is bcrypt's. Whatever is wrong costs the same time, that of the dearest hash.
 *           Credentials that were right are remembered for PASSWORDS_KEEP_MS, as a keyed hash over name, password and
 *           line of the file: an agent that comes back need not be computed again, and a change of its line forgets it.
 * Threads   any, at the same time; reload too.
 * Errors    E_CONFIG           the file cannot be read, or something in it is wrong: each line of it is a problem
 *           E_UNAUTHENTICATED  no such user, or another password
 * Source    facts argocd-agent 2.3; crypt(5)
 */
#pragma once

#include "auth/agent.h"
#include "config/problem.h"
#include "net/work.h"

#define PASSWORDS_FILE_MAX  (16u << 20) /* bytes */
#define PASSWORDS_COST_MAX  16          /* more would take seconds for each login */
#define PASSWORDS_BYTES_MAX 72          /* of a password: bcrypt looks at no more */
#define PASSWORDS_KEEP_MS   (10 * 60 * 1000)
#define PASSWORDS_KEPT_MAX  8192 /* remembered credentials */

struct passwords;

/* E_CONFIG: not a file of users, or an empty one; `ret_problems` has each. A comment alone is a file without users. */
enum err passwords_open(const char *path, struct problems *ret_problems, struct passwords **ret_passwords);
void passwords_free(struct passwords *p);

/* Reads the file again; on an error everything stays as it was. */
enum err passwords_reload(struct passwords *p, struct problems *ret_problems);

/* Users, for the log. */
size_t passwords_count(struct passwords *p);
bool passwords_has(struct passwords *p, struct str name);

/* E_OK: they belong together. Takes as long as bcrypt takes: 50 ms and more. */
enum err passwords_check(struct passwords *p, struct str name, struct str password);

/* Were they right a short while ago? Takes microseconds. */
bool passwords_recall(struct passwords *p, struct str name, struct str password, uint64_t now_ms);
void passwords_remember(struct passwords *p, struct str name, struct str password, uint64_t now_ms);

/*
 * The same away from the loop: `on_checked` is called once, in the loop's thread, never before this returns; E_OK,
 * E_UNAUTHENTICATED, E_NOMEM or E_CANCELLED. Name and password are copied, and wiped. E_BUSY, E_NOMEM: it is not called.
 * `p` and `pool` must live until then.
 */
enum err passwords_check_start(struct passwords *p, struct work_pool *pool, struct loop *loop, struct str name,
			       struct str password, void (*on_checked)(void *ctx, enum err result), void *ctx);

/* Appends the bcrypt hash of `password` as a line of the file wants it. E_LIMIT: the password is empty or too long. */
enum err password_hash(struct str password, unsigned cost, const unsigned char random[static 16], struct buf *ret_hash);
