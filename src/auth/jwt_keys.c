#include "auth/jwt_keys.h"

#include <openssl/rsa.h>

#include "auth/pki_impl.h"
#include "base/mem.h"

static enum err check(const EVP_PKEY *pkey, const char *path, struct why *why)
{
	int bits = EVP_PKEY_get_bits(pkey);

	if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)
		return why_set(why, E_CONFIG, "%s: not an RSA key; RS512 needs one", path);
	if (bits < JWT_KEY_BITS_MIN || bits > JWT_KEY_BITS_MAX)
		return why_set(why, E_CONFIG, "%s: a key of %d bits; %d to %d are taken", path, bits, JWT_KEY_BITS_MIN,
			       JWT_KEY_BITS_MAX);
	return E_OK;
}

static enum err load(const struct pem *from, struct why *why, EVP_PKEY **ret_pkey)
{
	EVP_PKEY *pkey = NULL;
	enum err err = pki_read_key_pem(from, why, &pkey);

	if (err == E_OK)
		err = check(pkey, from->name, why);
	if (err == E_OK) {
		*ret_pkey = pkey;
		return E_OK;
	}
	EVP_PKEY_free(pkey);
	(void)why_add(why, "JWT key");
	return err == E_NOMEM ? E_NOMEM : E_CONFIG;
}

/* Takes `pkey`, also on an error. */
static enum err keys_new(const struct pem *from, EVP_PKEY *pkey, struct why *why, struct jwt_keys **ret_keys)
{
	struct jwt_keys *k = mem_alloc(sizeof(*k));

	if (!k || !pem_copy(from, &k->from)) {
		mem_free(k);
		EVP_PKEY_free(pkey);
		return why_set(why, E_NOMEM, "JWT key");
	}
	(void)pthread_mutex_init(&k->lock, NULL);
	k->keys[0] = (struct jwt_key){ .pkey = pkey };
	k->n = 1;
	*ret_keys = k;
	return E_OK;
}

enum err jwt_keys_open(const struct pem *key, struct why *why, struct jwt_keys **ret_keys)
{
	EVP_PKEY *pkey;
	enum err err = load(key, why, &pkey);

	return err == E_OK ? keys_new(key, pkey, why, ret_keys) : err;
}

enum err jwt_keys_generate(struct why *why, struct jwt_keys **ret_keys)
{
	EVP_PKEY *pkey = EVP_RSA_gen(JWT_KEY_BITS_IN_MEMORY);

	if (!pkey)
		return why_set(why, E_NOMEM, "make a JWT key");
	return keys_new(&(struct pem){ 0 }, pkey, why, ret_keys);
}

void jwt_keys_free(struct jwt_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->n; i++)
		EVP_PKEY_free(keys->keys[i].pkey);
	(void)pthread_mutex_destroy(&keys->lock);
	pem_release(&keys->from);
	mem_free(keys);
}

static void forget(struct jwt_keys *k, size_t i)
{
	EVP_PKEY_free(k->keys[i].pkey);
	k->n--;
	memmove(&k->keys[i], &k->keys[i + 1], (k->n - i) * sizeof(k->keys[0]));
}

/* With the lock held: `pkey` signs from now on. An older one that comes back is not there twice. */
static void put_first(struct jwt_keys *k, EVP_PKEY *pkey, int64_t now_ms)
{
	k->keys[0].until_ms = now_ms + JWT_REFRESH_MS + JWT_LEEWAY_MS;
	for (size_t i = k->n; i-- > 1;)
		if (k->keys[i].until_ms <= now_ms || EVP_PKEY_eq(k->keys[i].pkey, pkey) == 1)
			forget(k, i);
	if (k->n == JWT_KEYS_MAX)
		forget(k, JWT_KEYS_MAX - 1);
	memmove(&k->keys[1], &k->keys[0], k->n * sizeof(k->keys[0]));
	k->keys[0] = (struct jwt_key){ .pkey = pkey };
	k->n++;
}

enum err jwt_keys_reload(struct jwt_keys *keys, int64_t now_ms, struct why *why)
{
	EVP_PKEY *pkey = NULL;
	enum err err;

	if (!keys->from.name)
		return E_OK;
	err = load(&keys->from, why, &pkey);
	if (err != E_OK)
		return err;
	(void)pthread_mutex_lock(&keys->lock);
	if (EVP_PKEY_eq(keys->keys[0].pkey, pkey) != 1)
		put_first(keys, TAKE(pkey), now_ms);
	(void)pthread_mutex_unlock(&keys->lock);
	EVP_PKEY_free(pkey);
	return E_OK;
}

EVP_PKEY *jwt_keys_signer(struct jwt_keys *keys)
{
	EVP_PKEY *pkey;

	(void)pthread_mutex_lock(&keys->lock);
	pkey = keys->keys[0].pkey;
	EVP_PKEY_up_ref(pkey);
	(void)pthread_mutex_unlock(&keys->lock);
	return pkey;
}

size_t jwt_keys_verifiers(struct jwt_keys *keys, int64_t now_ms, EVP_PKEY *ret_keys[static JWT_KEYS_MAX])
{
	size_t n = 0;

	(void)pthread_mutex_lock(&keys->lock);
	for (size_t i = 0; i < keys->n; i++) {
		if (i > 0 && keys->keys[i].until_ms <= now_ms)
			continue;
		EVP_PKEY_up_ref(keys->keys[i].pkey);
		ret_keys[n++] = keys->keys[i].pkey;
	}
	(void)pthread_mutex_unlock(&keys->lock);
	return n;
}
