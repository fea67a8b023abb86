#include <arpa/inet.h>
#include <stddef.h>

#include "backend/kubeconfig_impl.h"
#include "backend/object.h"
#include "base/base64.h"
#include "base/mem.h"

#define INSTEAD           "give the token of a service account (token or tokenFile) or a client certificate"
#define CONFIG_AT(member) offsetof(struct kubernetes_config, member)

enum err kubeconfig_refuse(const struct kubeconfig_entry *e, const char *key, struct why *why, const char *text)
{
	return why_set(why, E_CONFIG, "%s: the %s %.80s: %s%s%s", e->path, e->what, e->name, key ? key : "",
		       key ? " " : "", text);
}

static enum err nomem(struct why *why)
{
	return why_set(why, E_NOMEM, "read a kubeconfig");
}

/* ---- what it says ------------------------------------------------------------------------------------------------ */

/* NULL: not there, or empty. Borrowed. */
enum err kubeconfig_text(const struct kubeconfig_entry *e, const char *key, struct why *why, const char **ret_text)
{
	json_object *value = tree_member(e->value, key);
	const char *text = "";

	if (value && !json_object_is_type(value, json_type_string))
		return kubeconfig_refuse(e, key, why, "is no text: put it in quotes");
	if (value)
		text = json_object_get_string(value);
	if (value && strlen(text) != (size_t)json_object_get_string_len(value))
		return kubeconfig_refuse(e, key, why, "has a NUL character");
	*ret_text = *text ? text : NULL;
	return E_OK;
}

enum err kubeconfig_copy(const struct kubeconfig_entry *e, const char *key, struct why *why, char **ret_copy)
{
	const char *text = NULL;
	enum err err = kubeconfig_text(e, key, why, &text);

	if (err != E_OK || !text)
		return err;
	*ret_copy = str_dup(str_of(text));
	return *ret_copy ? E_OK : nomem(why);
}

static enum err take_flag(const struct kubeconfig_entry *e, const char *key, struct why *why, bool *ret_flag)
{
	json_object *value = tree_member(e->value, key);

	if (value && !json_object_is_type(value, json_type_boolean))
		return kubeconfig_refuse(e, key, why, "is neither true nor false");
	*ret_flag = json_object_get_boolean(value);
	return E_OK;
}

/* Relative to the file that says so. */
static enum err copy_path(const struct kubeconfig_entry *e, const char *file, struct why *why, char **ret_path)
{
	const char *slash = strrchr(e->path, '/');
	CLEANUP(buf_release) struct buf path = { 0 };

	if (*file != '/' && slash)
		buf_add(&path, e->path, (size_t)(slash - e->path) + 1);
	buf_str(&path, str_of(file));
	*ret_path = path.err == E_OK ? str_dup(buf_view(&path)) : NULL;
	return *ret_path ? E_OK : nomem(why);
}

/* Base64 may be broken into lines, as Go has it. */
static enum err copy_data(const struct kubeconfig_entry *e, const char *key, struct str text, struct why *why,
			  struct buf *ret_data)
{
	CLEANUP(buf_wipe) struct buf joined = { 0 };

	(void)buf_reserve(&joined, text.n);
	(void)buf_reserve(ret_data, text.n);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\n' && text.p[i] != '\r')
			buf_char(&joined, text.p[i]);
	if (joined.err != E_OK || ret_data->err != E_OK)
		return nomem(why);
	if (!base64_read(buf_view(&joined), ret_data))
		return kubeconfig_refuse(e, key, why, "is not base64");
	if (!str_contains(buf_view(ret_data), STR("-----BEGIN ")))
		return kubeconfig_refuse(e, key, why, "is base64 of something else than PEM");
	return E_OK;
}

struct pair {
	const char *file, *data;
	size_t file_at, data_at;
};

static enum err take_pair(const struct kubeconfig_entry *e, const struct pair *pair, struct why *why,
			  struct kubernetes_config *c)
{
	const char *file = NULL, *data = NULL;
	enum err err = kubeconfig_text(e, pair->file, why, &file);

	if (err == E_OK)
		err = kubeconfig_text(e, pair->data, why, &data);
	if (err == E_OK && file && data)
		return kubeconfig_refuse(e, pair->data, why, "and the file are both given: drop one");
	if (err == E_OK && file)
		return copy_path(e, file, why, (char **)((char *)c + pair->file_at));
	if (err == E_OK && data)
		return copy_data(e, pair->data, str_of(data), why, (struct buf *)((char *)c + pair->data_at));
	return err;
}

/* ---- the cluster ------------------------------------------------------------------------------------------------- */

static const struct pair authority = { "certificate-authority", "certificate-authority-data", CONFIG_AT(ca_file),
				       CONFIG_AT(ca) };

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

/* Behind "https://" or "http://"; {NULL, 0}: neither. */
static struct str behind_scheme(const char *url)
{
	struct str s = str_of(url);

	if (str_starts(s, STR("https://")))
		return str_sub(s, 8, s.n);
	return str_starts(s, STR("http://")) ? str_sub(s, 7, s.n) : (struct str){ 0 };
}

static enum err take_server(const struct kubeconfig_entry *e, struct why *why, struct kubernetes_config *c)
{
	enum err err = kubeconfig_copy(e, "server", why, &c->server);
	struct str rest;
	size_t n;

	if (err != E_OK)
		return err;
	if (!c->server)
		return kubeconfig_refuse(e, NULL, why, "it has no server: say where it is, as in https://HOST:PORT");
	rest = behind_scheme(c->server);
	if (rest.n == 0 || rest.p[0] == '/' || rest.p[0] == ':')
		return kubeconfig_refuse(e, "server", why, "is not of the form https://HOST:PORT");
	if (!is_printable(rest) || str_find(rest, '@') < rest.n || str_find(rest, '?') < rest.n ||
	    str_find(rest, '#') < rest.n)
		return kubeconfig_refuse(e, "server", why, "has more than a host, a port and a path");
	for (n = strlen(c->server); c->server[n - 1] == '/'; n--)
		c->server[n - 1] = '\0';
	return E_OK;
}

static enum err take_proxy(const struct kubeconfig_entry *e, struct why *why, struct kubernetes_config *c)
{
	enum err err = kubeconfig_copy(e, "proxy-url", why, &c->proxy);
	struct str url = str_of(c->proxy);

	if (err != E_OK || !c->proxy)
		return err;
	if (!is_printable(url) || (!behind_scheme(c->proxy).n && !str_starts(url, STR("socks5://"))))
		return kubeconfig_refuse(e, "proxy-url", why,
					 "is none of http://HOST:PORT, https://HOST:PORT and "
					 "socks5://HOST:PORT");
	return E_OK;
}

enum err kubeconfig_cluster(const struct kubeconfig_entry *e, struct why *why, struct kubernetes_config *c)
{
	enum err err = take_server(e, why, c);

	if (err == E_OK)
		err = take_proxy(e, why, c);
	if (err == E_OK)
		err = kubeconfig_copy(e, "tls-server-name", why, &c->tls_server_name);
	if (err == E_OK)
		err = take_flag(e, "insecure-skip-tls-verify", why, &c->insecure);
	if (err == E_OK)
		err = take_pair(e, &authority, why, c);
	if (err == E_OK && c->insecure && (c->ca_file || c->ca.n))
		err = kubeconfig_refuse(e, "insecure-skip-tls-verify", why,
					"would not look at certificate-authority: drop one");
	return err;
}

static bool is_own_machine(struct str host)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr address;

	if (str_starts(host, STR("[")))
		return str_starts(host, STR("[::1]"));
	host = str_cut(&host, ':');
	str_copy(host, text, sizeof(text));
	return str_is(host, "localhost") ||
	       (host.n < sizeof(text) && inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

/* Clients of Kubernetes do send a token in clear text: whoever sees it may do all that it may. On one machine nobody does. */
enum err kubeconfig_check_clear(const struct kubeconfig_entry *cluster, struct why *why,
				const struct kubernetes_config *c)
{
	struct str host = behind_scheme(c->server);

	if ((!c->token.n && !c->token_file) || str_starts(str_of(c->server), STR("https:")) ||
	    is_own_machine(str_cut(&host, '/')))
		return E_OK;
	return kubeconfig_refuse(cluster, "server", why,
				 "is http://, where everybody on the way could read the token: make it https://");
}

/* ---- the user ---------------------------------------------------------------------------------------------------- */

static const struct pair certificate = { "client-certificate", "client-certificate-data", CONFIG_AT(cert_file),
					 CONFIG_AT(cert) };
static const struct pair private_key = { "client-key", "client-key-data", CONFIG_AT(key_file), CONFIG_AT(key) };

/* Without these somebody else would be asked, or as somebody else, than the file says. */
static const struct {
	const char *key, *text;
} not_served[] = {
	{ "exec", "(a program that logs in) is not served: " INSTEAD },
	{ "auth-provider", "is not served: " INSTEAD },
	{ "username", "and password are not served, by API servers neither: " INSTEAD },
	{ "password", "and username are not served, by API servers neither: " INSTEAD },
	{ "as", "(impersonation) is not served: give that user's own credentials" },
	{ "as-uid", "(impersonation) is not served: give that user's own credentials" },
	{ "as-groups", "(impersonation) is not served: give that user's own credentials" },
	{ "as-user-extra", "(impersonation) is not served: give that user's own credentials" },
};

/* Is there anything in it? */
static bool says(json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return false;
	case json_type_string:
		return json_object_get_string_len(value) > 0;
	case json_type_array:
		return json_object_array_length(value) > 0;
	case json_type_object:
		return json_object_object_length(value) > 0;
	default:
		return true;
	}
}

/* With both the file counts, as in client-go. */
static enum err take_token(const struct kubeconfig_entry *e, struct why *why, struct kubernetes_config *c)
{
	const char *file = NULL, *token = NULL;
	enum err err = kubeconfig_text(e, "tokenFile", why, &file);

	if (err == E_OK)
		err = kubeconfig_text(e, "token", why, &token);
	if (err != E_OK)
		return err;
	if (file)
		return copy_path(e, file, why, &c->token_file);
	if (!token)
		return E_OK;
	if (!is_printable(str_of(token)))
		return kubeconfig_refuse(e, "token", why, "has spaces, or characters that no token has");
	buf_str(&c->token, str_of(token));
	return c->token.err == E_OK ? E_OK : nomem(why);
}

enum err kubeconfig_user(const struct kubeconfig_entry *e, struct why *why, struct kubernetes_config *c)
{
	enum err err = E_OK;

	for (size_t i = 0; i < ARRAY_LEN(not_served); i++)
		if (says(tree_member(e->value, not_served[i].key)))
			return kubeconfig_refuse(e, not_served[i].key, why, not_served[i].text);
	err = take_token(e, why, c);
	if (err == E_OK)
		err = take_pair(e, &certificate, why, c);
	if (err == E_OK)
		err = take_pair(e, &private_key, why, c);
	if (err == E_OK && (c->cert_file || c->cert.n) != (c->key_file || c->key.n))
		err = kubeconfig_refuse(e, NULL, why,
					"client-certificate and client-key belong together: one is missing");
	return err;
}
