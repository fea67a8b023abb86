#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "base/mem.h"
#include "net/tls_ctx.h"

struct tls_session {
	SSL *ssl;
	struct str in; /* borrowed; what OpenSSL has not taken yet */
	struct buf out;
	bool failed;
	bool insecure;         /* the other side's certificate was not looked at */
	unsigned long problem; /* OpenSSL's code of the failure */
};

/*
 * Our own BIO: OpenSSL reads from the bytes that were lent and writes into `out`. Its memory BIO would copy every byte once
 * more and keep its memory for as long as the connection lives.
 */
static int bio_read(BIO *bio, char *p, size_t n, size_t *ret_n)
{
	struct tls_session *s = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (s->in.n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	*ret_n = n < s->in.n ? n : s->in.n;
	memcpy(p, s->in.p, *ret_n);
	s->in = str_sub(s->in, *ret_n, s->in.n);
	return 1;
}

static int bio_write(BIO *bio, const char *p, size_t n, size_t *ret_n)
{
	struct tls_session *s = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_add(&s->out, p, n);
	*ret_n = n;
	return s->out.err == E_OK;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
	(void)bio;
	(void)number;
	(void)p;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "holdfast");

	if (!method)
		return NULL;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
	return method;
}

/* One for all; when there was no memory for it the next session asks again. */
static const BIO_METHOD *the_method(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static BIO_METHOD *method;
	const BIO_METHOD *made;

	pthread_mutex_lock(&lock);
	if (!method)
		method = method_new();
	made = method;
	pthread_mutex_unlock(&lock);
	return made;
}

static BIO *bio_new(struct tls_session *s)
{
	const BIO_METHOD *method = the_method();
	BIO *bio = method ? BIO_new(method) : NULL;

	if (!bio)
		return NULL;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	return bio;
}

void tls_session_free(struct tls_session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	buf_release(&s->out);
	mem_free(s);
}

DEFINE_FREEP(tls_session, struct tls_session, tls_session_free)

static struct tls_session *session_new(struct tls_ctx *ctx)
{
	CLEANUP(tls_session_freep) struct tls_session *s = mem_alloc(sizeof(*s));
	BIO *bio;

	ERR_clear_error();
	if (!s)
		return NULL;
	s->insecure = ctx->verify == TLS_VERIFY_NONE;
	s->ssl = tls_ctx_ssl(ctx);
	bio = s->ssl ? bio_new(s) : NULL;
	if (!bio) {
		ERR_clear_error();
		return NULL;
	}
	SSL_set_bio(s->ssl, bio, bio);
	return TAKE(s);
}

struct tls_session *tls_session_new(struct tls_server *t)
{
	struct tls_session *s = session_new(&t->ctx);

	if (s)
		SSL_set_accept_state(s->ssl);
	return s;
}

static bool is_address(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/*
 * What the certificate must say, and, for a DNS name, which one we want to see (RFC 6066 3 has no addresses there). Its subject is
 * no name of a host (RFC 9525 2): an authority that names agents there would let each of them be a principal.
 */
static bool expect_name(SSL *ssl, const char *name)
{
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct tls_session *tls_session_new_client(struct tls_client *t, const char *name)
{
	CLEANUP(tls_session_freep) struct tls_session *s = session_new(&t->ctx);

	if (!s)
		return NULL;
	SSL_set_connect_state(s->ssl);
	if (!expect_name(s->ssl, name)) {
		ERR_clear_error();
		return NULL;
	}
	return TAKE(s);
}

void tls_session_feed(struct tls_session *s, struct str from_wire)
{
	s->in = from_wire;
}

enum tls_result tls_session_read(struct tls_session *s, char *p, size_t n, size_t *ret_n)
{
	if (s->failed)
		return TLS_FAILED;
	ERR_clear_error();
	if (SSL_read_ex(s->ssl, p, n, ret_n) == 1)
		return TLS_DATA;
	switch (SSL_get_error(s->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		return TLS_MORE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		s->problem = ERR_peek_error();
		ERR_clear_error();
		s->failed = true;
		return TLS_FAILED;
	}
}

bool tls_session_established(const struct tls_session *s)
{
	return !s->failed && SSL_is_init_finished(s->ssl);
}

enum err tls_session_write(struct tls_session *s, struct str plain)
{
	size_t written;

	if (plain.n == 0)
		return E_OK;
	ERR_clear_error();
	/* The output takes everything, so a write is never partial. */
	if (!tls_session_established(s) || SSL_write_ex(s->ssl, plain.p, plain.n, &written) != 1) {
		ERR_clear_error();
		s->failed = true;
		return E_IO;
	}
	return E_OK;
}

void tls_session_close(struct tls_session *s)
{
	if (!tls_session_established(s) || SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN)
		return;
	ERR_clear_error();
	if (SSL_shutdown(s->ssl) < 0)
		ERR_clear_error();
}

struct buf *tls_session_output(struct tls_session *s)
{
	return &s->out;
}

enum err tls_session_peer(const struct tls_session *s, struct tls_peer *ret_peer)
{
	X509 *cert = s->insecure ? NULL : SSL_get0_peer_certificate(s->ssl);

	return cert ? tls_peer_read(ret_peer, cert) : E_NOT_FOUND;
}

const char *tls_session_problem(const struct tls_session *s)
{
	long verified = SSL_get_verify_result(s->ssl);
	const char *reason;

	if (!s->insecure && verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	reason = ERR_reason_error_string(s->problem);
	return reason ? reason : "the other side closed the connection";
}

bool tls_session_speaks(const struct tls_session *s, const char *alpn)
{
	const unsigned char *p;
	unsigned n;

	SSL_get0_alpn_selected(s->ssl, &p, &n);
	return str_is((struct str){ (const char *)p, n }, alpn);
}
