#include "auth/remembered.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/rand.h"

#define WAYS     4  /* entries of a bucket: the one that is over first gives way */
#define MAC_SIZE 32 /* HMAC-SHA-256 */

struct entry {
	unsigned char mac[MAC_SIZE];
	uint64_t until_ms; /* 0: free */
};

struct remembered {
	pthread_mutex_t lock;
	unsigned char key[32];
	size_t buckets;
	struct entry entries[];
};

struct remembered *remembered_new(size_t max)
{
	struct remembered *r = mem_alloc(sizeof(*r) + max * sizeof(r->entries[0]));

	assert(max >= WAYS && (max & (max - 1)) == 0);
	if (!r)
		return NULL;
	(void)pthread_mutex_init(&r->lock, NULL);
	rand_bytes(r->key, sizeof(r->key));
	r->buckets = max / WAYS;
	return r;
}

void remembered_free(struct remembered *r)
{
	if (!r)
		return;
	(void)pthread_mutex_destroy(&r->lock);
	explicit_bzero(r->key, sizeof(r->key));
	mem_free(r);
}

/* A hash of hashes has no question of where one text ends and the next begins. */
static bool mac_of(const struct remembered *r, struct str name, struct str password, struct str line,
		   unsigned char ret_mac[static MAC_SIZE])
{
	const struct str parts[] = { name, password, line };
	unsigned char each[ARRAY_LEN(parts)][MAC_SIZE];
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		ok = HMAC(EVP_sha256(), r->key, sizeof(r->key), (const unsigned char *)parts[i].p, parts[i].n, each[i],
			  NULL) &&
		     ok;
	ok = ok && HMAC(EVP_sha256(), r->key, sizeof(r->key), each[0], sizeof(each), ret_mac, NULL);
	explicit_bzero(each, sizeof(each));
	return ok;
}

static struct entry *bucket_of(struct remembered *r, const unsigned char mac[static MAC_SIZE])
{
	uint64_t place;

	memcpy(&place, mac, sizeof(place));
	return &r->entries[(place & (r->buckets - 1)) * WAYS];
}

static struct entry *find(struct entry bucket[static WAYS], const unsigned char mac[static MAC_SIZE])
{
	for (size_t i = 0; i < WAYS; i++)
		if (bucket[i].until_ms && CRYPTO_memcmp(bucket[i].mac, mac, MAC_SIZE) == 0)
			return &bucket[i];
	return NULL;
}

static struct entry *first_over(struct entry bucket[static WAYS])
{
	struct entry *first = bucket;

	for (size_t i = 1; i < WAYS; i++)
		if (bucket[i].until_ms < first->until_ms)
			first = &bucket[i];
	return first;
}

void remembered_put(struct remembered *r, struct str name, struct str password, struct str line, uint64_t until_ms)
{
	unsigned char mac[MAC_SIZE];
	struct entry *bucket, *at;

	if (!mac_of(r, name, password, line, mac))
		return;
	bucket = bucket_of(r, mac);
	(void)pthread_mutex_lock(&r->lock);
	at = find(bucket, mac);
	if (!at)
		at = first_over(bucket);
	memcpy(at->mac, mac, sizeof(at->mac));
	at->until_ms = until_ms;
	(void)pthread_mutex_unlock(&r->lock);
}

bool remembered_has(struct remembered *r, struct str name, struct str password, struct str line, uint64_t now_ms)
{
	unsigned char mac[MAC_SIZE];
	struct entry *at;
	bool has;

	if (!mac_of(r, name, password, line, mac))
		return false;
	(void)pthread_mutex_lock(&r->lock);
	at = find(bucket_of(r, mac), mac);
	has = at && at->until_ms > now_ms;
	(void)pthread_mutex_unlock(&r->lock);
	return has;
}
