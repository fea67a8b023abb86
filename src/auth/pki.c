#include "auth/pki.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "auth/files.h"
#include "auth/pki_impl.h"
#include "base/mem.h"

#define RSA_BITS 3072

struct pki_authority {
	X509 *cert;
	EVP_PKEY *key;
};

void pki_pair_release(struct pki_pair *pair)
{
	buf_release(&pair->cert);
	buf_wipe(&pair->key);
	pair->expires_ms = 0;
}

static EVP_PKEY *make_key(enum pki_kind kind)
{
	return kind == PKI_EC ? EVP_EC_gen("P-256") : EVP_RSA_gen(RSA_BITS);
}

static enum err write_pair(X509 *cert, EVP_PKEY *key, struct why *why, struct pki_pair *ret_pair)
{
	struct pki_pair pair = { .expires_ms = pki_time_ms(X509_get0_notAfter(cert)) };
	enum err err = pki_write_cert(cert, &pair.cert, why);

	if (err == E_OK)
		err = pki_write_key(key, &pair.key, why);
	if (err == E_OK)
		*ret_pair = pair;
	else
		pki_pair_release(&pair);
	return err;
}

enum err pki_make_authority(const struct pki_request *request, int64_t now_ms, struct why *why,
			    struct pki_pair *ret_pair)
{
	EVP_PKEY *key = make_key(request->kind);
	X509 *cert = NULL;
	enum err err = key ? pki_cert(request, key, NULL, NULL, now_ms, why, &cert)
			   : why_set(why, E_NOMEM, "make a key");

	if (err == E_OK)
		err = write_pair(cert, key, why, ret_pair);
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}

static enum err check_authority(const struct pki_authority *a, const char *cert_path, int64_t now_ms, struct why *why)
{
	if (X509_check_ca(a->cert) != 1)
		return why_set(why, E_CONFIG, "%s: not the certificate of an authority", cert_path);
	if (X509_check_private_key(a->cert, a->key) != 1)
		return why_set(why, E_CONFIG, "%s: the key is not that of the certificate", cert_path);
	if (pki_time_ms(X509_get0_notAfter(a->cert)) <= now_ms)
		return why_set(why, E_CONFIG, "%s: the authority is over; make a new one with holdfast pki init",
			       cert_path);
	return E_OK;
}

enum err pki_authority_open(const char *cert_path, const char *key_path, int64_t now_ms, struct why *why,
			    struct pki_authority **ret_authority)
{
	struct pki_authority *a = mem_alloc(sizeof(*a));
	enum err err;

	if (!a)
		return why_set(why, E_NOMEM, "open %s", cert_path);
	err = pki_read_cert(&(struct pem){ cert_path }, why, &a->cert);
	if (err == E_OK)
		err = pki_read_key_pem(&(struct pem){ key_path }, why, &a->key);
	if (err == E_OK)
		err = check_authority(a, cert_path, now_ms, why);
	if (err == E_OK)
		*ret_authority = a;
	else
		pki_authority_free(a);
	return err;
}

void pki_authority_free(struct pki_authority *a)
{
	if (!a)
		return;
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
	mem_free(a);
}

enum err pki_issue(const struct pki_authority *a, const struct pki_request *request, struct str key_pem, int64_t now_ms,
		   struct why *why, struct pki_pair *ret_pair)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	enum err err = E_OK;

	if (key_pem.n)
		err = pki_read_key(key_pem, "the key", why, &key);
	else if (!(key = make_key(request->kind)))
		err = why_set(why, E_NOMEM, "make a key");
	if (err == E_OK)
		err = pki_cert(request, key, a->cert, a->key, now_ms, why, &cert);
	if (err == E_OK)
		err = write_pair(cert, key, why, ret_pair);
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}

enum err pki_make_rsa(unsigned bits, struct why *why, struct buf *ret_pem)
{
	EVP_PKEY *key;
	enum err err;

	if (bits != 2048 && bits != 3072 && bits != 4096)
		return why_set(why, E_CONFIG, "a key of %u bits: 2048, 3072 and 4096 are possible", bits);
	key = EVP_RSA_gen(bits);
	err = key ? pki_write_key(key, ret_pem, why) : why_set(why, E_NOMEM, "make a key");
	EVP_PKEY_free(key);
	return err;
}

enum err pki_expiry(const struct pem *from, struct why *why, int64_t *ret_expires_ms)
{
	X509 *cert;
	enum err err = pki_read_cert(from, why, &cert);

	if (err != E_OK)
		return err;
	*ret_expires_ms = pki_time_ms(X509_get0_notAfter(cert));
	X509_free(cert);
	return E_OK;
}
