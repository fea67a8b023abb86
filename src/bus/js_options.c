#include "bus/js_options.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/doc.h"

#define CONNECT_TIMEOUT_MS 2000

static void free_doc(struct doc_file **f)
{
	doc_free(*f);
}

static const char *scalar(const struct node *map, const char *key)
{
	const struct node *n = node_get(map, key);

	return n && n->kind == NODE_SCALAR && n->text.n ? n->text.p : NULL;
}

static enum err set_auth(natsOptions *o, const char *path, struct why *why)
{
	CLEANUP(free_doc) struct doc_file *f = NULL;
	CLEANUP(problems_release) struct problems problems = { 0 };
	const struct node *root = NULL;

	if (doc_read(path, &problems, &f) || problems_fatal(&problems) || f->count != 1)
		return why_set(why, E_CONFIG, "%s: cannot be read as one YAML document (line %u)", path,
			       problems.first ? problems.first->line : 0);
	root = f->documents[0];
	if (scalar(root, "token"))
		return natsOptions_SetToken(o, scalar(root, "token")) ? E_NOMEM : E_OK;
	if (scalar(root, "username") && scalar(root, "password"))
		return natsOptions_SetUserInfo(o, scalar(root, "username"), scalar(root, "password")) ? E_NOMEM : E_OK;
	return why_set(why, E_CONFIG, "%s: needs username: and password:, or token:", path);
}

static enum err readable(const char *path, struct why *why)
{
	if (file_check(path, why) == E_OK)
		return E_OK;
	(void)why_add(why, "%s", path);
	return E_CONFIG;
}

static enum err set_credentials(natsOptions *o, const char *path, struct why *why)
{
	enum err err = readable(path, why);

	if (!err && natsOptions_SetUserCredentialsFromFiles(o, path, NULL))
		err = why_set(why, E_CONFIG, "%s: not a NATS credentials file", path);
	return err;
}

static enum err set_certificates(natsOptions *o, const struct tls_client_config *tls, struct why *why)
{
	enum err err = E_OK;

	if (tls->ca_path) {
		err = readable(tls->ca_path, why);
		if (!err && natsOptions_LoadCATrustedCertificates(o, tls->ca_path))
			err = why_set(why, E_CONFIG, "%s: no CA certificates in PEM form", tls->ca_path);
	}
	if (err || !tls->cert_path)
		return err;
	if (!tls->key_path)
		return why_set(why, E_CONFIG, "%s: a client certificate needs its key", tls->cert_path);
	err = readable(tls->cert_path, why);
	if (!err)
		err = tls_client_check_key(tls->key_path, why);
	if (!err && natsOptions_LoadCertificatesChain(o, tls->cert_path, tls->key_path))
		err = why_set(why, E_CONFIG, "%s, %s: not a certificate and its key in PEM form", tls->cert_path,
			      tls->key_path);
	return err;
}

bool js_options_tls(const struct jetstream_config *config, const struct server *server)
{
	return config->tls.configured || str_starts(str_of(server->url), STR("tls://"));
}

static enum err set_tls(natsOptions *o, const struct jetstream_config *config, const struct server *server,
			struct why *why)
{
	bool asked = js_options_tls(config, server);

	if (asked && natsOptions_SetSecure(o, true))
		return why_set(why, E_NOMEM, "set up TLS");
	if ((!asked || config->tls.insecure_skip_verify) && natsOptions_SkipServerVerification(o, true))
		return why_set(why, E_NOMEM, "set up TLS");
	if (!asked || config->tls.insecure_skip_verify)
		return E_OK;
	if (natsOptions_SetExpectedHostname(o, server->host))
		return why_set(why, E_NOMEM, "set up TLS");
	return set_certificates(o, &config->tls, why);
}

/*
 * Reconnecting is ours: files are read anew, and nothing is kept back while the server is away. A write has no deadline of the
 * library: that it lasts says nothing about a slow link (watch() in js_supervisor.c).
 */
static enum err set_basics(natsOptions *o, const struct server *server)
{
	bool bad = natsOptions_SetURL(o, server->url) || natsOptions_SetName(o, "holdfast") ||
		   natsOptions_SetAllowReconnect(o, false) || natsOptions_SetTimeout(o, CONNECT_TIMEOUT_MS) ||
		   natsOptions_SetSendAsap(o, true) || natsOptions_SetPingInterval(o, 0);

	return bad ? E_CONFIG : E_OK;
}

static void free_options(natsOptions **o)
{
	natsOptions_Destroy(*o);
}

enum err js_options(const struct jetstream_config *config, const struct server *server, natsOptions **ret_options,
		    struct why *why)
{
	CLEANUP(free_options) natsOptions *o = NULL;
	enum err err = natsOptions_Create(&o) ? E_NOMEM : set_basics(o, server);

	if (err)
		return why_set(why, err, "bus URL \"%s\": cannot be used", server->shown);
	if (config->auth_path)
		err = set_auth(o, config->auth_path, why);
	if (!err && config->credentials_path)
		err = set_credentials(o, config->credentials_path, why);
	if (!err)
		err = set_tls(o, config, server, why);
	if (err)
		return err;
	*ret_options = TAKE(o);
	return E_OK;
}

enum err js_options_check(const struct jetstream_config *config, const struct server *server, struct why *why)
{
	CLEANUP(free_options) natsOptions *o = NULL;

	return js_options(config, server, &o, why);
}
