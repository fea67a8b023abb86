#include "net/tls_suites.h"

#include <openssl/ssl.h>

/* Forward secrecy and authenticated encryption only; what every client of the last ten years can do. For TLS 1.2: 1.3 has
 * nothing else. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

bool tls_version_parse(struct str word, enum tls_version *ret_version)
{
	if (!str_is(word, "tls1.2") && !str_is(word, "tls1.3"))
		return false;
	*ret_version = str_is(word, "tls1.3") ? TLS_1_3 : TLS_1_2;
	return true;
}

static bool is_13(const SSL_CIPHER *cipher)
{
	return strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") == 0;
}

/* All suites; free with SSL_CTX_free(). NULL without memory. */
static SSL_CTX *all_suites(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (ctx && SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static const SSL_CIPHER *find(const SSL_CTX *all, struct str name)
{
	const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(all);

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
		if (str_is(name, SSL_CIPHER_standard_name(sk_SSL_CIPHER_value(ciphers, i))))
			return sk_SSL_CIPHER_value(ciphers, i);
	return NULL;
}

void tls_suites(struct buf *ret_lines)
{
	SSL_CTX *all = all_suites();
	const STACK_OF(SSL_CIPHER) *ciphers = all ? SSL_CTX_get_ciphers(all) : NULL;

	for (int i = 0; ciphers && i < sk_SSL_CIPHER_num(ciphers); i++)
		buf_addf(ret_lines, "%s\n", SSL_CIPHER_standard_name(sk_SSL_CIPHER_value(ciphers, i)));
	SSL_CTX_free(all);
}

static enum err sort(const SSL_CTX *all, struct str list, struct buf *ret_12, struct buf *ret_13, struct why *why)
{
	while (list.n) {
		struct str name = str_trim(str_cut(&list, ','));
		const SSL_CIPHER *cipher = find(all, name);
		struct buf *to;

		if (!cipher)
			return why_set(why, E_CONFIG, "'%.*s' is no cipher suite that is served", STR_ARG(name));
		to = is_13(cipher) ? ret_13 : ret_12;
		buf_addf(to, "%s%s", to->n ? ":" : "", SSL_CIPHER_get_name(cipher));
	}
	return ret_12->err != E_OK ? ret_12->err : ret_13->err;
}

static enum err judge(const struct buf *v12, const struct buf *v13, enum tls_version min, enum tls_version max,
		      struct why *why)
{
	if (min == TLS_1_3 && v12->n)
		return why_set(why, E_CONFIG, "a cipher suite of TLS 1.2, and TLS 1.3 is the least");
	if (max == TLS_1_2 && v13->n)
		return why_set(why, E_CONFIG, "a cipher suite of TLS 1.3, and TLS 1.2 is the most");
	if (min != TLS_1_3 && v12->n == 0)
		return why_set(why, E_CONFIG, "no cipher suite of TLS 1.2, and it is the least version");
	return E_OK;
}

static enum err use(SSL_CTX *ctx, const SSL_CTX *all, const char *list, enum tls_version min, enum tls_version max,
		    struct why *why)
{
	struct buf v12 = { 0 }, v13 = { 0 };
	enum err err = sort(all, str_of(list), &v12, &v13, why);

	if (err == E_OK)
		err = judge(&v12, &v13, min, max, why);
	/* Suites of 1.3 are all good: who names none of them means those of 1.2. */
	if (err == E_OK && v12.n && SSL_CTX_set_cipher_list(ctx, buf_cstr(&v12) ? v12.p : "") != 1)
		err = why_set(why, E_CONFIG, "cipher suites");
	if (err == E_OK && v13.n && SSL_CTX_set_ciphersuites(ctx, buf_cstr(&v13) ? v13.p : "") != 1)
		err = why_set(why, E_CONFIG, "cipher suites");
	buf_release(&v12);
	buf_release(&v13);
	return err;
}

enum err tls_suites_use(SSL_CTX *ctx, const char *list, enum tls_version min, enum tls_version max, struct why *why)
{
	SSL_CTX *all;
	enum err err;

	if (min == TLS_1_3 && max == TLS_1_2)
		return why_set(why, E_CONFIG, "the least TLS version is newer than the most");
	if (SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1)
		return why_set(why, E_NOMEM, "set up TLS");
	if (!list)
		return E_OK;
	all = all_suites();
	err = all ? use(ctx, all, list, min, max, why) : why_set(why, E_NOMEM, "set up TLS");
	SSL_CTX_free(all);
	return err;
}
