#include "net/tls_ctx.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "net/tls_suites.h"

#define CA "certificate authorities"

/* The oldest OpenSSL error, which is the cause, as the end of the story. */
static enum err why_tls(struct why *why, const char *what, const struct pem *pem)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return why_set(why, E_CONFIG, "%s %s: %s", what, pem->name, reason ? reason : "unknown error");
}

/* Reads from `ret_text`, which is the caller's to wipe. */
static enum err open_pem(const struct pem *pem, const char *what, struct why *why, struct buf *ret_text, BIO **ret_bio)
{
	enum err err = pem_read(pem, why, ret_text);

	if (err != E_OK) {
		(void)why_add(why, "%s %s", what, pem->name);
		return err == E_NOMEM ? err : E_CONFIG;
	}
	*ret_bio = BIO_new_mem_buf(ret_text->n ? ret_text->p : "", (int)ret_text->n);
	return *ret_bio ? E_OK : why_set(why, E_NOMEM, "set up TLS");
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

/* The first is ours, the others lead to its authority. */
static bool use_chain(SSL_CTX *ctx, BIO *bio)
{
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, pem_no_password, NULL);
	bool ok = cert && SSL_CTX_use_certificate(ctx, cert) == 1;

	X509_free(cert);
	while (ok && (cert = PEM_read_bio_X509(bio, NULL, pem_no_password, NULL))) {
		ok = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
		if (!ok)
			X509_free(cert);
	}
	/* That there is no further one is how it ends. */
	return ok && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

static enum err load_chain(SSL_CTX *ctx, const struct pem *pem, struct why *why)
{
	CLEANUP(buf_wipe) struct buf text = { 0 }; /* a key may stand with it */
	BIO *bio = NULL;
	enum err err = open_pem(pem, "certificate", why, &text, &bio);

	if (err != E_OK)
		return err;
	if (!use_chain(ctx, bio))
		err = why_tls(why, "certificate", pem);
	BIO_free(bio);
	ERR_clear_error();
	return err;
}

static enum err load_key(SSL_CTX *ctx, const struct pem *pem, struct why *why)
{
	CLEANUP(buf_wipe) struct buf text = { 0 };
	BIO *bio = NULL;
	enum err err = open_pem(pem, "key", why, &text, &bio);
	bool asked = false, ok;
	EVP_PKEY *key;

	if (err != E_OK)
		return err;
	key = PEM_read_bio_PrivateKey(bio, NULL, pem_no_password, &asked);
	BIO_free(bio);
	if (asked)
		return why_set(why, E_CONFIG, "key %s: it wants a password, for which nobody is asked", pem->name);
	ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1;
	EVP_PKEY_free(key);
	return ok ? E_OK : why_tls(why, "key", pem);
}

static enum err load_own(SSL_CTX *ctx, const struct tls_ctx *t, struct why *why)
{
	enum err err;

	if (!pem_is_there(&t->cert))
		return E_OK;
	err = load_chain(ctx, &t->cert, why);
	if (err == E_OK)
		err = load_key(ctx, &t->key, why);
	if (err != E_OK)
		return err;
	if (SSL_CTX_check_private_key(ctx) != 1)
		return why_tls(why, "key does not belong to the certificate", &t->key);
	return E_OK;
}

/* A server also names them to its clients, so that those can choose a certificate. */
static bool believe(SSL_CTX *ctx, const struct tls_ctx *t, const X509_INFO *info)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	if (info->crl && X509_STORE_add_crl(store, info->crl) != 1)
		return false;
	if (info->x509 && X509_STORE_add_cert(store, info->x509) != 1)
		return false;
	return !info->x509 || t->client || SSL_CTX_add_client_CA(ctx, info->x509) == 1;
}

static enum err believe_all(SSL_CTX *ctx, const struct tls_ctx *t, const STACK_OF(X509_INFO) * infos, struct why *why)
{
	bool any = false;

	for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
		const X509_INFO *info = sk_X509_INFO_value(infos, i);

		any = any || info->x509;
		if (!believe(ctx, t, info))
			return why_tls(why, CA, &t->ca);
	}
	return any ? E_OK : why_set(why, E_CONFIG, CA " %s: no certificate", t->ca.name);
}

/* Whom we believe. */
static enum err load_ca(SSL_CTX *ctx, const struct tls_ctx *t, struct why *why)
{
	CLEANUP(buf_wipe) struct buf text = { 0 }; /* as above */
	STACK_OF(X509_INFO) * infos;
	BIO *bio = NULL;
	enum err err;

	if (t->verify == TLS_VERIFY_NONE)
		return E_OK;
	if (!t->ca.name)
		return SSL_CTX_set_default_verify_paths(ctx) == 1 ? E_OK : why_set(why, E_NOMEM, "set up TLS");
	err = open_pem(&t->ca, CA, why, &text, &bio);
	if (err != E_OK)
		return err;
	infos = PEM_X509_INFO_read_bio(bio, NULL, pem_no_password, NULL);
	BIO_free(bio);
	err = infos ? believe_all(ctx, t, infos, why) : why_tls(why, CA, &t->ca);
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
	/* Who is among them is believed, also when another one has signed it: an authority below one that is not there. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	return err;
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
	t->suites = o->suites ? str_dup(str_of(o->suites)) : NULL;
	if (!pem_copy(&o->cert, &t->cert) || !pem_copy(&o->key, &t->key) || !pem_copy(&o->ca, &t->ca) ||
	    (o->suites && !t->suites))
		return why_set(why, E_NOMEM, "set up TLS");
	set_alpn(t, str_of(o->alpn));
	return tls_ctx_reload(t, why);
}

void tls_ctx_release(struct tls_ctx *t)
{
	SSL_CTX_free(t->ctx);
	pthread_mutex_destroy(&t->lock);
	pem_release(&t->cert);
	pem_release(&t->key);
	pem_release(&t->ca);
	mem_free(t->suites);
}
