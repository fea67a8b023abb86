#include "backend/kubernetes_config.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "backend/kubeconfig.h"
#include "backend/object.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define POD_DIR   "/var/run/secrets/kubernetes.io/serviceaccount"
#define HOME_FILE ".kube/config"
#define TOKEN_MAX (64 << 10)
#define SMALL_MAX 1024       /* the namespace of a pod */
#define CHUNK     (32 << 10) /* more than file_read() asks for at a time: what it reads into need not grow */

static enum err nomem(struct why *why)
{
	return why_set(why, E_NOMEM, "read who to be to the API server");
}

static char *join(const char *dir, const char *name)
{
	CLEANUP(buf_release) struct buf path = { 0 };

	buf_addf(&path, "%s/%s", dir, name);
	return path.err == E_OK ? str_dup(buf_view(&path)) : NULL;
}

static void wipe_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	mem_free(text);
}

void kubernetes_config_free(struct kubernetes_config *c)
{
	if (!c)
		return;
	mem_free(c->server);
	mem_free(c->tls_server_name);
	wipe_text(c->proxy); /* a password may stand in it */
	mem_free(c->ca_file);
	buf_release(&c->ca);
	mem_free(c->cert_file);
	buf_release(&c->cert);
	mem_free(c->key_file);
	buf_wipe(&c->key);
	mem_free(c->token_file);
	buf_wipe(&c->token);
	mem_free(c->namespace);
	mem_free(c->origin);
	mem_free(c);
}

/* ---- what files say ---------------------------------------------------------------------------------------------- */

static struct str without_blanks(struct str s)
{
	while (s.n && s.p[0] <= ' ' && s.p[0] >= 0)
		s = str_sub(s, 1, s.n);
	while (s.n && s.p[s.n - 1] <= ' ' && s.p[s.n - 1] >= 0)
		s.n--;
	return s;
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

enum err kubernetes_config_token(const struct kubernetes_config *c, struct why *why, struct buf *ret_token)
{
	CLEANUP(buf_wipe) struct buf text = { 0 };
	struct str token = buf_view(&c->token);
	enum err err;

	if (c->token_file) {
		(void)buf_reserve(&text, TOKEN_MAX + CHUNK);
		err = file_read(c->token_file, TOKEN_MAX, &text, why);
		token = without_blanks(buf_view(&text));
		if (err != E_OK)
			return err;
		if (!is_token(token))
			return why_set(why, E_CONFIG, "read %s: it holds no token", c->token_file);
	}
	(void)buf_reserve(ret_token, token.n);
	buf_str(ret_token, token);
	return ret_token->err == E_OK ? E_OK : nomem(why);
}

static enum err check_file(const char *path, struct why *why)
{
	enum err err = path ? file_check(path, why) : E_OK;

	return err == E_OK ? E_OK : why_add(why, "read %s", path);
}

/* What would fail at the first request fails now. */
static enum err check_files(const struct kubernetes_config *c, struct why *why)
{
	CLEANUP(buf_wipe) struct buf token = { 0 };
	enum err err = check_file(c->ca_file, why);

	if (err == E_OK)
		err = check_file(c->cert_file, why);
	if (err == E_OK)
		err = check_file(c->key_file, why);
	if (err == E_OK)
		err = kubernetes_config_token(c, why, &token);
	return err == E_OK ? E_OK : why_add(why, "%s", c->origin);
}

/* ---- a kubeconfig ------------------------------------------------------------------------------------------------ */

static enum err add_file(struct kubeconfig *k, const char *path, struct why *why)
{
	CLEANUP(buf_wipe) struct buf text = { 0 };
	struct stat st;
	enum err err;

	if (stat(path, &st) == 0 && st.st_size > 0 && st.st_size <= OBJECT_MAX)
		(void)buf_reserve(&text, (size_t)st.st_size + CHUNK);
	err = file_read(path, OBJECT_MAX, &text, why);
	return err == E_OK ? kubeconfig_add(k, path, buf_view(&text), why) : err;
}

static void warn_of_readers(const char *path)
{
	struct stat st;

	if (path && stat(path, &st) == 0 && st.st_mode & S_IROTH)
		log_warn("kubernetes", "everybody on this machine can read the credentials in this file",
			 LOG_S("path", path), LOG_S("fix", "chmod 600"));
}

static enum err choose(const struct kubeconfig *k, const char *context, struct why *why, struct kubernetes_config *c)
{
	const char *secrets = NULL;
	enum err err = kubeconfig_choose(k, context, why, c, &secrets);

	if (err == E_OK)
		warn_of_readers(secrets);
	if (err == E_OK && c->insecure)
		log_warn("kubernetes", "whoever answers is taken for the API server, and is sent the credentials",
			 LOG_S("server", c->server), LOG_S("reason", "insecure-skip-tls-verify"));
	return err;
}

static enum err from_file(const char *path, const char *context, struct why *why, struct kubernetes_config *c)
{
	struct kubeconfig k = { 0 };
	enum err err = add_file(&k, path, why);

	if (err == E_OK)
		err = choose(&k, context, why, c);
	kubeconfig_release(&k);
	return err;
}

/* Of a list some may be missing. */
static enum err add_list(struct kubeconfig *k, const char *list, struct why *why)
{
	struct str rest = str_of(list);

	while (rest.n) {
		CLEANUP(mem_freep) char *path = str_dup(str_cut(&rest, ':'));
		enum err err = E_OK;

		if (!path)
			return nomem(why);
		if (*path)
			err = add_file(k, path, why);
		if (err != E_OK && err != E_NOT_FOUND)
			return err;
	}
	if (k->n)
		return E_OK;
	return why_set(why, E_CONFIG, "$KUBECONFIG: no file there: %s", list);
}

static enum err from_list(const char *list, const char *context, struct why *why, struct kubernetes_config *c)
{
	struct kubeconfig k = { 0 };
	enum err err = add_list(&k, list, why);

	if (err == E_OK)
		err = choose(&k, context, why, c);
	kubeconfig_release(&k);
	return err;
}

static enum err from_home(const char *context, struct why *why, struct kubernetes_config *c)
{
	const char *home = getenv("HOME");
	CLEANUP(mem_freep) char *path = join(home ? home : "", HOME_FILE);
	enum err err = path ? from_file(path, context, why, c) : nomem(why);

	if (err != E_NOT_FOUND)
		return err;
	return why_set(why, E_CONFIG,
		       "no API server is known: give --kubeconfig FILE or set $KUBECONFIG (there is no %s, and %s)",
		       path, context ? "no other place has contexts" : "this is no pod");
}

/* ---- a pod ------------------------------------------------------------------------------------------------------- */

static enum err take_pod_server(struct why *why, struct kubernetes_config *c)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	bool bare_v6 = host && strchr(host, ':') && *host != '[';
	CLEANUP(buf_release) struct buf url = { 0 };
	uint64_t number;

	if (!host || !*host || !is_token(str_of(host)) || strpbrk(host, "/@?#"))
		return why_set(why, E_CONFIG, "$KUBERNETES_SERVICE_HOST is not the API server's address");
	if (!str_to_u64(str_of(port), UINT16_MAX, &number) || number == 0)
		return why_set(why, E_CONFIG, "$KUBERNETES_SERVICE_PORT is not the API server's port");
	buf_addf(&url, "https://%s%s%s:%s", bare_v6 ? "[" : "", host, bare_v6 ? "]" : "", port);
	c->server = url.err == E_OK ? str_dup(buf_view(&url)) : NULL;
	return c->server ? E_OK : nomem(why);
}

static enum err take_pod_namespace(const char *dir, struct why *why, struct kubernetes_config *c)
{
	CLEANUP(mem_freep) char *path = join(dir, "namespace");
	CLEANUP(buf_release) struct buf text = { 0 };
	enum err err = path ? file_read(path, SMALL_MAX, &text, why) : nomem(why);
	struct str name = without_blanks(buf_view(&text));

	if (err != E_OK && err != E_NOT_FOUND)
		return err;
	if (err == E_OK && !object_name_ok(name))
		return why_set(why, E_CONFIG, "read %s: it holds no name of a namespace", path);
	c->namespace = str_dup(err == E_OK ? name : STR("default"));
	return c->namespace ? E_OK : nomem(why);
}

static enum err take_pod(const char *dir, struct why *why, struct kubernetes_config *c)
{
	enum err err = take_pod_server(why, c);

	if (err == E_OK)
		err = take_pod_namespace(dir, why, c);
	if (err != E_OK)
		return err;
	c->token_file = join(dir, "token");
	c->ca_file = join(dir, "ca.crt");
	c->origin = str_dup(STR("the pod's service account"));
	if (!c->token_file || !c->ca_file || !c->origin)
		return nomem(why);
	if (file_check(c->token_file, why) != E_NOT_FOUND)
		return E_OK;
	return why_set(why, E_CONFIG,
		       "this pod has no token in %s: see its automountServiceAccountToken, or give --kubeconfig FILE",
		       dir);
}

/* ---- which of them ----------------------------------------------------------------------------------------------- */

static enum err give(struct kubernetes_config *c, enum err err, struct why *why, struct kubernetes_config **ret_config)
{
	if (err == E_OK)
		err = check_files(c, why);
	if (err == E_OK) {
		*ret_config = c;
		return E_OK;
	}
	kubernetes_config_free(c);
	if (why && err != E_NOMEM)
		why->err = E_CONFIG;
	return err == E_NOMEM ? err : E_CONFIG;
}

enum err kubernetes_config_pod(const char *dir, struct why *why, struct kubernetes_config **ret_config)
{
	struct kubernetes_config *c = mem_alloc(sizeof(*c));

	return c ? give(c, take_pod(dir, why, c), why, ret_config) : nomem(why);
}

static enum err from_files(const char *path, const char *context, struct why *why, struct kubernetes_config *c)
{
	const char *list = getenv("KUBECONFIG");

	if (path && *path)
		return from_file(path, context, why, c);
	return list && *list ? from_list(list, context, why, c) : from_home(context, why, c);
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

enum err kubernetes_config_load(const char *path, const char *context, struct why *why,
				struct kubernetes_config **ret_config)
{
	struct kubernetes_config *c;

	if (!(path && *path) && !(context && *context) && !is_set("KUBECONFIG") && is_set("KUBERNETES_SERVICE_HOST"))
		return kubernetes_config_pod(POD_DIR, why, ret_config);
	c = mem_alloc(sizeof(*c));
	return c ? give(c, from_files(path, context && *context ? context : NULL, why, c), why, ret_config)
		 : nomem(why);
}
