/* As whom the requests of an account go: secrets are read for each one, and wiped after it. */
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "gateway/hooks/account_impl.h"
#include "gateway/hooks/app_token.h"
#include "gateway/hooks/aws_role.h"

#define EARLY_S 120 /* a token that ends so soon is not used any more */

static enum err copy_secret(void *ctx, struct str secret)
{
	struct buf *to = ctx;

	return buf_reserve(to, secret.n + 1) ? (buf_str(to, secret), to->err) : E_NOMEM;
}

static enum err read_secret(struct secret_file *s, struct buf *ret_secret, struct why *why)
{
	enum err err = secret_file_match(s, clock_mono_ms(), copy_secret, ret_secret);

	return err == E_OK ? E_OK : why_set(why, err, "the secret %s cannot be read", s->path);
}

/* A field with a secret in it: nothing that would end the field may stand in it. */
bool account_add_field(struct account *a, const char *name, struct str value)
{
	struct buf line = { 0 };
	struct curl_slist *more = NULL;
	bool plain = str_find(value, '\r') == value.n && str_find(value, '\n') == value.n;

	if (buf_reserve(&line, strlen(name) + value.n + 8)) {
		buf_addf(&line, "%s: ", name);
		buf_str(&line, value);
		if (plain && buf_cstr(&line))
			more = curl_slist_append(a->fields, line.p);
	}
	buf_wipe(&line);
	a->fields = more ? more : a->fields;
	return more != NULL;
}

static bool add_bearer(struct account *a, struct str token)
{
	struct buf value = { 0 };
	bool ok = buf_reserve(&value, token.n + 16) != NULL;

	buf_lit(&value, "Bearer ");
	buf_str(&value, token);
	ok = ok && account_add_field(a, "Authorization", buf_view(&value));
	buf_wipe(&value);
	return ok;
}

static bool add_basic(struct account *a, struct str user, struct str password)
{
	struct buf pair = { 0 }, value = { 0 };
	bool ok = buf_reserve(&pair, user.n + password.n + 2) && buf_reserve(&value, 2 * (user.n + password.n) + 16);

	buf_str(&pair, user);
	buf_char(&pair, ':');
	buf_str(&pair, password);
	buf_lit(&value, "Basic ");
	base64_write(buf_view(&pair), &value);
	ok = ok && account_add_field(a, "Authorization", buf_view(&value));
	buf_wipe(&pair);
	buf_wipe(&value);
	return ok;
}

static bool sign_aws(struct account *a, const char *service, struct buf *id, struct buf *key)
{
	struct buf scheme = { 0 };
	const char *text;
	bool ok;

	buf_addf(&scheme, "aws:amz:%s:%s", a->login.region, service);
	text = buf_cstr(&scheme);
	ok = text && buf_cstr(id) && buf_cstr(key) && curl_easy_setopt(a->curl, CURLOPT_AWS_SIGV4, text) == CURLE_OK &&
	     curl_easy_setopt(a->curl, CURLOPT_USERNAME, id->p) == CURLE_OK &&
	     curl_easy_setopt(a->curl, CURLOPT_PASSWORD, key->p) == CURLE_OK;
	buf_release(&scheme);
	return ok;
}

/* With the keys of the role. libcurl copies them, and signs all fields that are there. */
static bool sign_as_role(struct account *a)
{
	struct buf id = { 0 }, key = { 0 };
	struct str keys = buf_view(&a->token);
	bool ok;

	buf_str(&id, str_cut(&keys, '\n'));
	buf_str(&key, str_cut(&keys, '\n'));
	ok = account_add_field(a, "X-Amz-Security-Token", str_cut(&keys, '\n')) && sign_aws(a, "sns", &id, &key);
	buf_wipe(&id);
	buf_wipe(&key);
	return ok;
}

bool account_is_logged_in(const struct account *a)
{
	bool wants = a->login.kind == LOGIN_APP || a->login.kind == LOGIN_ROLE;

	bool lasts = a->token_unused || clock_wall_ms() / 1000 + EARLY_S < a->token_until_s;

	return !wants || (a->token.n && lasts);
}

static bool add_app(struct account *a, struct str pem, struct why *why)
{
	struct buf jwt = { 0 };
	bool ok = app_token_sign(pem, a->login.app_id, clock_wall_ms() / 1000, &jwt, why) == E_OK &&
		  add_bearer(a, buf_view(&jwt));

	buf_wipe(&jwt);
	return ok;
}

static bool add_login(struct account *a, struct buf *first, struct buf *second, struct why *why)
{
	switch (a->login.kind) {
	case LOGIN_BEARER:
		return add_bearer(a, buf_view(first));
	case LOGIN_PRIVATE_TOKEN:
		return account_add_field(a, "PRIVATE-TOKEN", buf_view(first));
	case LOGIN_BASIC:
		return add_basic(a, buf_view(first), buf_view(second));
	case LOGIN_AWS:
		return sign_aws(a, "sns", first, second);
	case LOGIN_ROLE:
		return a->logging_in ? sign_aws(a, "sts", first, second) : sign_as_role(a);
	case LOGIN_APP:
		return a->logging_in ? add_app(a, buf_view(first), why) : add_bearer(a, buf_view(&a->token));
	}
	return false;
}

enum err account_log_in(struct account *a, struct why *why)
{
	struct buf first = { 0 }, second = { 0 };
	enum err err = read_secret(&a->first, &first, why);

	if (err == E_OK && a->second.path)
		err = read_secret(&a->second, &second, why);
	if (err == E_OK && !add_login(a, &first, &second, why))
		err = why->err != E_OK ? why->err : why_set(why, E_CONFIG, "the secret is nothing to log in with");
	buf_wipe(&first);
	buf_wipe(&second);
	return err;
}

/* ---- a token ------------------------------------------------------------------------------------------------------------ */

void account_ask_login(struct account *a)
{
	if (a->login.kind == LOGIN_ROLE) {
		aws_role_request(&a->login, &a->request);
		return;
	}
	a->request = (struct hook_request){ .method = "POST" };
	buf_addf(&a->request.path, "/app/installations/%lld/access_tokens", (long long)a->login.installation_id);
}

/* The memory stays: who asked may yet look for a complaint in it. */
static void forget_answer(struct account *a)
{
	if (a->answer.p)
		explicit_bzero(a->answer.p, a->answer.cap);
	if (a->space.p)
		explicit_bzero(a->space.p, a->space.cap);
}

enum err account_take_login(struct account *a, const struct account_outcome *o, struct why *why)
{
	bool role = a->login.kind == LOGIN_ROLE;
	int64_t now_s = clock_wall_ms() / 1000;
	enum err err;

	if (o->answer.status < 200 || o->answer.status >= 300)
		return why_set(why, E_FORBIDDEN, "%s: the answer was %u",
			       role ? "the role was not given" : "the app was not given a token", o->answer.status);
	err = role ? aws_role_read(o->answer.body, now_s, &a->token, &a->token_until_s, why)
		   : app_token_read(o->answer.body, now_s, &a->token, &a->token_until_s, why);
	forget_answer(a);
	a->token_unused = err == E_OK;
	return err;
}
