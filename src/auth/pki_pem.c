#include "auth/pki_impl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/mem.h"

static enum err take_bio(BIO *bio, bool written, struct buf *ret_pem, struct why *why)
{
	char *p = NULL;
	long n = bio ? BIO_get_mem_data(bio, &p) : 0;

	if (written && n > 0)
		buf_add(ret_pem, p, (size_t)n);
	if (p)
		explicit_bzero(p, (size_t)n);
	BIO_free(bio);
	ERR_clear_error();
	return written && ret_pem->err == E_OK ? E_OK : why_set(why, E_NOMEM, "write PEM");
}

enum err pki_write_cert(X509 *cert, struct buf *ret_pem, struct why *why)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return take_bio(bio, bio && PEM_write_bio_X509(bio, cert) == 1, ret_pem, why);
}

enum err pki_write_key(EVP_PKEY *key, struct buf *ret_pem, struct why *why)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return take_bio(bio, bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, ret_pem,
			why);
}

enum err pki_read_key(struct str pem, const char *path, struct why *why, EVP_PKEY **ret_key)
{
	BIO *bio = BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, pem_no_password, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	if (!key)
		return why_set(why, E_CONFIG, "%s: no private key in PEM without a password", path);
	*ret_key = key;
	return E_OK;
}

static enum err read_pem(const struct pem *from, struct why *why, struct buf *ret_text)
{
	enum err err = pem_read(from, why, ret_text);

	if (err != E_OK)
		(void)why_add(why, "read %s", from->name);
	return err == E_LIMIT ? E_CONFIG : err;
}

enum err pki_read_key_pem(const struct pem *from, struct why *why, EVP_PKEY **ret_key)
{
	CLEANUP(buf_wipe) struct buf text = { 0 };
	enum err err = read_pem(from, why, &text);

	return err == E_OK ? pki_read_key(buf_view(&text), from->name, why, ret_key) : err;
}

enum err pki_read_cert(const struct pem *from, struct why *why, X509 **ret_cert)
{
	CLEANUP(buf_wipe) struct buf text = { 0 }; /* a key may stand with it */
	enum err err = read_pem(from, why, &text);
	X509 *cert;
	BIO *bio;

	if (err != E_OK)
		return err;
	bio = BIO_new_mem_buf(text.n ? text.p : "", (int)text.n);
	cert = bio ? PEM_read_bio_X509(bio, NULL, pem_no_password, NULL) : NULL;
	BIO_free(bio);
	ERR_clear_error();
	if (!cert)
		return why_set(why, E_CONFIG, "%s: no certificate in PEM", from->name);
	*ret_cert = cert;
	return E_OK;
}
