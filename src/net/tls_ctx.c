#include "net/tls_ctx.h"

#include <assert.h>
#include <openssl/err.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/tls_suites.h"

/* The oldest OpenSSL error, which is the cause, as the end of the story. */
static enum err why_tls(struct why *why, enum err err, const char *what, const char *path)
{
	unsigned long code = ERR_peek_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(code))
		return why_errno(why, err, ERR_GET_REASON(code), "%s %s", what, path);
	return why_set(why, err, "%s %s: %s", what, path, reason ? reason : "unknown error");
}

/* The library would wait for a pipe. */
static enum err check_file(const char *what, const char *path, struct why *why)
{
	if (file_check(path, why) == E_OK)
		return E_OK;
	(void)why_add(why, "%s %s", what, path);
	return E_CONFIG;
}

static int on_alpn(SSL *ssl, const unsigned char **ret_p, unsigned char *ret_n, const unsigned char *offered,
		   unsigned n, void *arg)
{
	const struct tls_ctx *t = arg;

	(void)ssl;
	/* It returns a pointer into `offered` or the list, either of which lives long enough. */
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)ret_p, ret_n, t->alpn, t->alpn_n, offered, n) ==
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2 */
}

static void ctx_freep(SSL_CTX **ctx)
{
	SSL_CTX_free(*ctx);
}

/* Without this OpenSSL would ask on the terminal, and the loop would wait for whoever sits there. */
static int no_password(char *to, int size, int writing, void *ret_asked)
{
	(void)to;
	(void)size;
	(void)writing;
	if (ret_asked)
		*(bool *)ret_asked = true;
	return -1;
}

static enum err load_key(SSL_CTX *ctx, const char *path, struct why *why)
{
	bool asked = false;
	bool ok;

	SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
	ok = SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1;
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (asked)
		return why_set(why, E_CONFIG, "key %s: it wants a password, for which nobody is asked", path);
	return ok ? E_OK : why_tls(why, E_CONFIG, "key", path);
}

static enum err load_own(SSL_CTX *ctx, const struct tls_ctx *t, struct why *why)
{
	enum err err;

	if (!t->cert_path)
		return E_OK;
	err = check_file("certificate", t->cert_path, why);
	if (err == E_OK)
		err = check_file("key", t->key_path, why);
	if (err != E_OK)
		return err;
	if (SSL_CTX_use_certificate_chain_file(ctx, t->cert_path) != 1)
		return why_tls(why, E_CONFIG, "certificate", t->cert_path);
	err = load_key(ctx, t->key_path, why);
	if (err != E_OK)
		return err;
	if (SSL_CTX_check_private_key(ctx) != 1)
		return why_tls(why, E_CONFIG, "key does not belong to the certificate", t->key_path);
	return E_OK;
}

/* Whom we believe. A server also names them to its clients, so that those can choose a certificate. */
static enum err load_ca(SSL_CTX *ctx, const struct tls_ctx *t, struct why *why)
{
	STACK_OF(X509_NAME) * names;
	enum err err;

	if (t->verify == TLS_VERIFY_NONE)
		return E_OK;
	if (!t->ca_path)
		return SSL_CTX_set_default_verify_paths(ctx) == 1 ? E_OK : why_set(why, E_NOMEM, "set up TLS");
	err = check_file("certificate authorities", t->ca_path, why);
	if (err != E_OK)
		return err;
	if (SSL_CTX_load_verify_file(ctx, t->ca_path) != 1)
		return why_tls(why, E_CONFIG, "certificate authorities", t->ca_path);
	/* Who is in the file is believed, also when another one has signed it: an authority below one that is not there. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	if (t->client)
		return E_OK;
	names = SSL_load_client_CA_file(t->ca_path);
	if (!names)
		return why_tls(why, E_CONFIG, "certificate authorities", t->ca_path);
	SSL_CTX_set_client_CA_list(ctx, names);
	return E_OK;
}

static int verify_mode(const struct tls_ctx *t)
{
	switch (t->verify) {
	case TLS_VERIFY_IF_GIVEN:
		return SSL_VERIFY_PEER;
	case TLS_VERIFY_REQUIRED:
		return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	case TLS_VERIFY_NONE:
		break;
	}
	return SSL_VERIFY_NONE;
}

static enum err use_alpn(SSL_CTX *ctx, struct tls_ctx *t, struct why *why)
{
	if (t->alpn_n == 0)
		return E_OK;
	if (!t->client)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, t);
	else if (SSL_CTX_set_alpn_protos(ctx, t->alpn, t->alpn_n) != 0)
		return why_set(why, E_NOMEM, "set up TLS");
	return E_OK;
}

static enum err set_up(SSL_CTX *ctx, struct tls_ctx *t, struct why *why)
{
	enum err err;

	SSL_CTX_set_min_proto_version(ctx, t->min == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(ctx, t->max == TLS_1_2 ? TLS1_2_VERSION : /* the newest */ 0);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ctx, verify_mode(t), NULL);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	/* An identity is looked at each time, not taken over from an earlier connection. */
	if (!t->client && t->verify != TLS_VERIFY_NONE) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
	}
	err = tls_suites_use(ctx, t->suites, t->min, t->max, why);
	return err == E_OK ? use_alpn(ctx, t, why) : err;
}

static enum err ctx_new(struct tls_ctx *t, struct why *why, SSL_CTX **ret_ctx)
{
	CLEANUP(ctx_freep) SSL_CTX *ctx = SSL_CTX_new(t->client ? TLS_client_method() : TLS_server_method());
	enum err err;

	ERR_clear_error();
	if (!ctx)
		return why_set(why, E_NOMEM, "set up TLS");
	err = set_up(ctx, t, why);
	if (err == E_OK)
		err = load_own(ctx, t, why);
	if (err == E_OK)
		err = load_ca(ctx, t, why);
	ERR_clear_error();
	if (err == E_OK)
		*ret_ctx = TAKE(ctx);
	return err;
}

enum err tls_ctx_reload(struct tls_ctx *t, struct why *why)
{
	SSL_CTX *ctx = NULL;
	SSL_CTX *before;
	enum err err = ctx_new(t, why, &ctx);

	if (err != E_OK)
		return err;
	pthread_mutex_lock(&t->lock);
	before = t->ctx;
	t->ctx = ctx;
	pthread_mutex_unlock(&t->lock);
	SSL_CTX_free(before);
	return E_OK;
}

SSL *tls_ctx_ssl(struct tls_ctx *t)
{
	SSL_CTX *ctx;
	SSL *ssl;

	pthread_mutex_lock(&t->lock);
	ctx = t->ctx;
	SSL_CTX_up_ref(ctx);
	pthread_mutex_unlock(&t->lock);
	ssl = SSL_new(ctx); /* holds a reference of its own */
	SSL_CTX_free(ctx);
	return ssl;
}

/* A copy of a path that may be missing. */
static bool copy(const char *path, char **ret_path)
{
	*ret_path = path ? str_dup(str_of(path)) : NULL;
	return !path || *ret_path;
}

/* The names come from the program, never from outside. */
static void set_alpn(struct tls_ctx *t, struct str names)
{
	while (names.n) {
		struct str name = str_cut(&names, ',');

		assert(name.n && name.n < sizeof(t->alpn) - t->alpn_n);
		t->alpn[t->alpn_n++] = (unsigned char)name.n;
		memcpy(t->alpn + t->alpn_n, name.p, name.n);
		t->alpn_n += (unsigned)name.n;
	}
}

enum err tls_ctx_init(struct tls_ctx *t, const struct tls_options *o, bool client, struct why *why)
{
	pthread_mutex_init(&t->lock, NULL);
	t->client = client;
	t->verify = o->verify;
	t->min = o->min;
	t->max = o->max;
	if (!copy(o->cert_path, &t->cert_path) || !copy(o->key_path, &t->key_path) || !copy(o->ca_path, &t->ca_path) ||
	    !copy(o->suites, &t->suites))
		return why_set(why, E_NOMEM, "set up TLS");
	set_alpn(t, str_of(o->alpn));
	return tls_ctx_reload(t, why);
}

void tls_ctx_release(struct tls_ctx *t)
{
	SSL_CTX_free(t->ctx);
	pthread_mutex_destroy(&t->lock);
	mem_free(t->cert_path);
	mem_free(t->key_path);
	mem_free(t->ca_path);
	mem_free(t->suites);
}
