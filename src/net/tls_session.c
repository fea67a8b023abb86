#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "base/mem.h"
#include "net/tls_ctx.h"

struct tls_session {
	SSL *ssl;
	struct str in; /* borrowed; what OpenSSL has not taken yet */
	struct buf out;
	bool failed;
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

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "holdfast");
	if (!method)
		return;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

static BIO *bio_new(struct tls_session *s)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_method);
	bio = method ? BIO_new(method) : NULL;
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

struct tls_session *tls_session_new(struct tls_server *t)
{
	CLEANUP(tls_session_freep) struct tls_session *s = mem_alloc(sizeof(*s));
	BIO *bio;

	ERR_clear_error();
	if (!s)
		return NULL;
	s->ssl = tls_server_ssl(t);
	bio = s->ssl ? bio_new(s) : NULL;
	if (!bio) {
		ERR_clear_error();
		return NULL;
	}
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_accept_state(s->ssl);
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
	if (!tls_session_established(s))
		return;
	ERR_clear_error();
	if (SSL_shutdown(s->ssl) < 0)
		ERR_clear_error();
}

struct buf *tls_session_output(struct tls_session *s)
{
	return &s->out;
}
