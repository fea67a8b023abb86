#include "gateway/certificates.h"

#include <limits.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "gateway/fetch.h"

#define FETCH_MS  4000
#define FETCH_MAX (64 << 10)
#define KEEP_MS   (24ull * 3600 * 1000)
#define AGAIN_MS  5000 /* after a server could not be reached */
#define RSA_BITS  2048

void certificates_init(struct certificates *c)
{
	*c = (struct certificates){ 0 };
	pthread_mutex_init(&c->lock, NULL);
}

static void forget(struct certificate *item)
{
	mem_free(item->url);
	EVP_PKEY_free(item->key);
	*item = (struct certificate){ 0 };
}

void certificates_release(struct certificates *c)
{
	for (size_t i = 0; i < CERTIFICATES_MAX; i++)
		forget(&c->items[i]);
	pthread_mutex_destroy(&c->lock);
}

/* Under the lock. */
static struct certificate *find(struct certificates *c, struct str url)
{
	for (size_t i = 0; i < CERTIFICATES_MAX; i++)
		if (c->items[i].url && str_is(url, c->items[i].url))
			return &c->items[i];
	return NULL;
}

EVP_PKEY *certificates_find(struct certificates *c, struct str url, uint64_t now_ms)
{
	const struct certificate *item;
	EVP_PKEY *key = NULL;

	pthread_mutex_lock(&c->lock);
	item = find(c, url);
	if (item && now_ms < item->until_ms && EVP_PKEY_up_ref(item->key) == 1)
		key = item->key;
	pthread_mutex_unlock(&c->lock);
	return key;
}

static void x509_freep(X509 **x)
{
	X509_free(*x);
}

static X509 *read_pem(struct str pem)
{
	BIO *bio = pem.n <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return x;
}

static bool is_valid_now(const X509 *x)
{
	return X509_cmp_current_time(X509_get0_notBefore(x)) < 0 && X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
}

static enum err read_key(struct str pem, struct why *why, EVP_PKEY **ret_key)
{
	CLEANUP(x509_freep) X509 *x = read_pem(pem);
	EVP_PKEY *key = x ? X509_get0_pubkey(x) : NULL;

	if (!key)
		return why_set(why, E_FORBIDDEN, "it is not a certificate");
	if (!is_valid_now(x))
		return why_set(why, E_FORBIDDEN, "the certificate is not valid at this time");
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < RSA_BITS)
		return why_set(why, E_FORBIDDEN, "the certificate's key is not RSA of %d bits", RSA_BITS);
	if (EVP_PKEY_up_ref(key) != 1)
		return why_set(why, E_NOMEM, "no memory");
	*ret_key = key;
	return E_OK;
}

static void keep(struct certificates *c, char *url, EVP_PKEY *key, uint64_t now_ms)
{
	struct certificate *item;

	pthread_mutex_lock(&c->lock);
	item = find(c, str_of(url));
	if (!item) {
		item = &c->items[c->next];
		c->next = (c->next + 1) % CERTIFICATES_MAX;
	}
	forget(item);
	*item = (struct certificate){ url, key, now_ms + KEEP_MS };
	pthread_mutex_unlock(&c->lock);
}

enum err certificates_add(struct certificates *c, const char *url, struct str pem, uint64_t now_ms, struct why *why)
{
	char *copy = str_dup(str_of(url));
	EVP_PKEY *key = NULL;
	enum err err = copy ? read_key(pem, why, &key) : why_set(why, E_NOMEM, "no memory");

	if (err == E_OK)
		keep(c, copy, key, now_ms);
	else
		mem_free(copy);
	return err;
}

static bool must_wait(struct certificates *c, uint64_t now_ms)
{
	bool wait;

	pthread_mutex_lock(&c->lock);
	wait = now_ms < c->not_before_ms;
	pthread_mutex_unlock(&c->lock);
	return wait;
}

static enum err fetch(struct certificates *c, const char *url, const char *ca_path, uint64_t now_ms, struct why *why)
{
	struct fetch f = { .url = url, .ca_path = ca_path, .timeout_ms = FETCH_MS, .max = FETCH_MAX };
	struct buf pem = { 0 };
	enum err err = fetch_run(&f, &pem, why);

	if (err == E_OK)
		err = certificates_add(c, url, buf_view(&pem), now_ms, why);
	buf_release(&pem);
	if (err == E_TIMEOUT || err == E_UNAVAILABLE) {
		pthread_mutex_lock(&c->lock);
		c->not_before_ms = now_ms + AGAIN_MS;
		pthread_mutex_unlock(&c->lock);
	}
	return err;
}

enum err certificates_fetch(struct certificates *c, const char *url, const char *ca_path, uint64_t now_ms,
			    struct why *why)
{
	EVP_PKEY *known = certificates_find(c, str_of(url), now_ms);

	EVP_PKEY_free(known);
	if (known)
		return E_OK;
	if (must_wait(c, now_ms))
		return why_set(why, E_UNAVAILABLE, "the server could not be reached a moment ago");
	return fetch(c, url, ca_path, now_ms, why) == E_OK ? E_OK : why_add(why, "fetch %s", url);
}
