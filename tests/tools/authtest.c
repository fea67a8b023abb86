/*
 * authtest -- tokens and passwords from outside: for the end-to-end tests.
 *
 *   authtest issue KEY access|refresh AGENT MODE MS     prints a token
 *   authtest verify KEY access|refresh MS               the token on standard input: "AGENT MODE EXPIRES", or why not
 *   authtest peek                                       the token on standard input, without a key
 *   authtest password FILE NAME                         the password on standard input: "ok", or "refused"
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "auth/jwt.h"
#include "auth/passwords.h"
#include "base/rand.h"

static struct str standard_input(void)
{
	static char text[2 * JWT_TOKEN_MAX];
	size_t n = fread(text, 1, sizeof(text), stdin);

	return str_trim((struct str){ text, n && text[n - 1] == '\n' ? n - 1 : n });
}

static int complain(const struct why *why)
{
	(void)printf("refused: %s\n", why->text);
	return 1;
}

static int show(const struct jwt_claims *c)
{
	(void)printf("%s %s %" PRId64 "\n", c->agent.text, agent_mode_text(c->mode), c->expires_ms);
	return 0;
}

static enum jwt_use use_of(const char *word)
{
	return str_is(STR("refresh"), word) ? JWT_REFRESH : JWT_ACCESS;
}

static int64_t time_of(const char *word)
{
	uint64_t ms = 0;

	(void)str_to_u64(str_of(word), INT64_MAX, &ms);
	return (int64_t)ms;
}

static int issue(struct jwt_keys *keys, char **words)
{
	struct agent_name agent = { 0 };
	enum agent_mode mode = AGENT_MANAGED;
	unsigned char random[JWT_ID_BYTES];
	struct buf token = { 0 };

	(void)agent_name_set(&agent, str_of(words[1]));
	(void)agent_mode_parse(str_of(words[2]), &mode);
	rand_bytes(random, sizeof(random));
	if (jwt_issue(keys, use_of(words[0]), &agent, mode, time_of(words[3]), random, &token) == E_OK)
		(void)printf("%s\n", buf_cstr(&token));
	buf_release(&token);
	return 0;
}

static int verify(struct jwt_keys *keys, char **words)
{
	struct jwt_claims claims;
	struct why why = { 0 };

	if (jwt_verify(keys, standard_input(), use_of(words[0]), time_of(words[1]), &why, &claims) != E_OK)
		return complain(&why);
	return show(&claims);
}

static int with_keys(const char *path, int (*run)(struct jwt_keys *keys, char **words), char **words)
{
	struct jwt_keys *keys;
	struct why why = { 0 };
	int code;

	if (jwt_keys_open(&(struct pem){ path }, &why, &keys) != E_OK)
		return complain(&why);
	code = run(keys, words);
	jwt_keys_free(keys);
	return code;
}

static int peek(void)
{
	struct jwt_claims claims;
	struct why why = { 0 };

	return jwt_peek(standard_input(), &why, &claims) == E_OK ? show(&claims) : complain(&why);
}

static int password(char **words)
{
	struct problems problems = { 0 };
	struct passwords *p;
	enum err err;

	if (passwords_open(words[0], &problems, &p) != E_OK) {
		problems_release(&problems);
		(void)printf("bad file\n");
		return 1;
	}
	err = passwords_check(p, str_of(words[1]), standard_input());
	passwords_free(p);
	(void)printf("%s\n", err == E_OK ? "ok" : "refused");
	return err == E_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct str word = str_of(argc > 1 ? argv[1] : "");

	if (str_is(word, "issue") && argc == 7)
		return with_keys(argv[2], issue, argv + 3);
	if (str_is(word, "verify") && argc == 5)
		return with_keys(argv[2], verify, argv + 3);
	if (str_is(word, "peek") && argc == 2)
		return peek();
	if (str_is(word, "password") && argc == 4)
		return password(argv + 2);
	(void)fprintf(stderr, "authtest: see the first lines of authtest.c\n");
	return 2;
}
