#include "net/http_quota.h"

#include <assert.h>

#include "base/mem.h"

static struct str key_of(const unsigned char key[static 16])
{
	return (struct str){ (const char *)key, 16 };
}

void http_quota_init(struct http_quota *q)
{
	*q = (struct http_quota){ 0 };
	pthread_mutex_init(&q->lock, NULL);
}

void http_quota_release(struct http_quota *q)
{
	assert(q->conns == 0);
	map_release(&q->addrs);
	pthread_mutex_destroy(&q->lock);
}

static struct http_addr *add_addr(struct http_quota *q, const unsigned char key[static 16])
{
	struct http_addr *a = mem_alloc(sizeof(*a));

	if (!a)
		return NULL;
	memcpy(a->key, key, sizeof(a->key));
	if (map_put(&q->addrs, key_of(a->key), a) != E_OK) {
		mem_free(a);
		return NULL;
	}
	return a;
}

static enum err take(struct http_quota *q, const unsigned char key[static 16], size_t max, size_t addr_max,
		     struct http_addr **ret_addr)
{
	struct http_addr *a = map_get(&q->addrs, key_of(key));

	if (q->conns >= max || (addr_max && a && a->conns >= addr_max))
		return E_LIMIT;
	if (!a)
		a = add_addr(q, key);
	if (!a)
		return E_NOMEM;
	a->conns++;
	q->conns++;
	*ret_addr = a;
	return E_OK;
}

enum err http_quota_take(struct http_quota *q, const unsigned char key[static 16], size_t max, size_t addr_max,
			 struct http_addr **ret_addr)
{
	enum err err;

	pthread_mutex_lock(&q->lock);
	err = take(q, key, max, addr_max, ret_addr);
	pthread_mutex_unlock(&q->lock);
	return err;
}

void http_quota_give(struct http_quota *q, struct http_addr *addr)
{
	if (!addr)
		return;
	pthread_mutex_lock(&q->lock);
	q->conns--;
	if (--addr->conns == 0) {
		map_remove(&q->addrs, key_of(addr->key));
		mem_free(addr);
	}
	pthread_mutex_unlock(&q->lock);
}
