#include "net/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <pthread.h>

#include "base/mem.h"
#include "net/tls_ctx.h"

/* Forward secrecy and authenticated encryption only; what every client of the last ten years can do. For TLS 1.2: 1.3 has
 * nothing else. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls_server {
	pthread_mutex_t lock; /* of ctx */
	SSL_CTX *ctx;
	char *cert_path;
	char *key_path;
	unsigned char alpn[64]; /* as on the wire: length, name, and so on */
	unsigned alpn_n;        /* bytes; 0: none */
};

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

static int on_alpn(SSL *ssl, const unsigned char **ret_p, unsigned char *ret_n, const unsigned char *offered,
		   unsigned n, void *arg)
{
	const struct tls_server *t = arg;

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

static enum err load_files(SSL_CTX *ctx, const struct tls_server *t, struct why *why)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, t->cert_path) != 1)
		return why_tls(why, E_CONFIG, "certificate", t->cert_path);
	if (SSL_CTX_use_PrivateKey_file(ctx, t->key_path, SSL_FILETYPE_PEM) != 1)
		return why_tls(why, E_CONFIG, "key", t->key_path);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return why_tls(why, E_CONFIG, "key does not belong to the certificate", t->key_path);
	return E_OK;
}

static enum err ctx_new(struct tls_server *t, struct why *why, SSL_CTX **ret_ctx)
{
	CLEANUP(ctx_freep) SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	enum err err;

	ERR_clear_error();
	if (!ctx)
		return why_set(why, E_NOMEM, "set up TLS");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1)
		return why_tls(why, E_CONFIG, "TLS ciphers", CIPHERS);
	if (t->alpn_n)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, t);
	err = load_files(ctx, t, why);
	if (err == E_OK)
		*ret_ctx = TAKE(ctx);
	return err;
}

enum err tls_server_reload(struct tls_server *t, struct why *why)
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

SSL *tls_server_ssl(struct tls_server *t)
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

void tls_server_free(struct tls_server *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	pthread_mutex_destroy(&t->lock);
	mem_free(t->cert_path);
	mem_free(t->key_path);
	mem_free(t);
}

DEFINE_FREEP(tls_server, struct tls_server, tls_server_free)

/* The names come from the program, never from outside. */
static void set_alpn(struct tls_server *t, struct str names)
{
	while (names.n) {
		struct str name = str_cut(&names, ',');

		assert(name.n && name.n < sizeof(t->alpn) - t->alpn_n);
		t->alpn[t->alpn_n++] = (unsigned char)name.n;
		memcpy(t->alpn + t->alpn_n, name.p, name.n);
		t->alpn_n += (unsigned)name.n;
	}
}

enum err tls_server_new(const char *cert_path, const char *key_path, const char *alpn, struct why *why,
			struct tls_server **ret_tls)
{
	CLEANUP(tls_server_freep) struct tls_server *t = mem_alloc(sizeof(*t));
	enum err err;

	if (!t)
		return why_set(why, E_NOMEM, "set up TLS");
	pthread_mutex_init(&t->lock, NULL);
	t->cert_path = str_dup(str_of(cert_path));
	t->key_path = str_dup(str_of(key_path));
	if (!t->cert_path || !t->key_path)
		return why_set(why, E_NOMEM, "set up TLS");
	set_alpn(t, str_of(alpn));
	err = tls_server_reload(t, why);
	if (err == E_OK)
		*ret_tls = TAKE(t);
	return err;
}
