#include "base/map.h"

#include <assert.h>
#include <endian.h>

#include "base/mem.h"
#include "base/rand.h"

_Static_assert(sizeof(struct map_entry) <= 24, "an object is in six maps");

static inline uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

uint64_t siphash(const uint64_t key[2], struct str s)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
			  key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL };
	uint64_t word;
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		memcpy(&word, s.p + i, 8);
		sip_word(v, le64toh(word));
	}
	word = (uint64_t)s.n << 56;
	for (size_t j = 0; i + j < s.n; j++)
		word |= (uint64_t)(unsigned char)s.p[i + j] << (8 * j);
	sip_word(v, word);
	v[2] ^= 0xff;
	for (int r = 0; r < 4; r++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct str key_of(const struct map_entry *e)
{
	return (struct str){ e->key, e->key_n };
}

static uint32_t hash_of(const struct map *m, struct str key)
{
	return (uint32_t)siphash(m->seed, key);
}

/* The entry of `key`, or the free one where it would go. The table always has a free entry. */
static struct map_entry *slot(const struct map *m, struct str key, uint32_t hash)
{
	size_t at = hash & (m->cap - 1);

	while (m->entries[at].value && !(m->entries[at].hash == hash && str_eq(key_of(&m->entries[at]), key)))
		at = (at + 1) & (m->cap - 1);
	return &m->entries[at];
}

void *map_get(const struct map *m, struct str key)
{
	return m->n ? slot(m, key, hash_of(m, key))->value : NULL;
}

static enum err grow(struct map *m)
{
	struct map bigger = { .n = m->n, .cap = m->cap ? 2 * m->cap : 16, .seed = { m->seed[0], m->seed[1] } };

	bigger.entries = mem_array(bigger.cap, sizeof(*bigger.entries));
	if (!bigger.entries)
		return E_NOMEM;
	if (m->cap == 0)
		rand_bytes(bigger.seed, sizeof(bigger.seed));
	for (size_t i = 0; i < m->cap; i++)
		if (m->entries[i].value)
			*slot(&bigger, key_of(&m->entries[i]), m->entries[i].hash) = m->entries[i];
	mem_free(m->entries);
	*m = bigger;
	return E_OK;
}

enum err map_put(struct map *m, struct str key, void *value)
{
	struct map_entry *entry;
	uint32_t hash;

	assert(value && key.n <= UINT32_MAX);
	if (4 * (m->n + 1) > 3 * m->cap && grow(m) != E_OK)
		return E_NOMEM;
	hash = hash_of(m, key);
	entry = slot(m, key, hash);
	m->n += entry->value == NULL;
	*entry = (struct map_entry){ .key = key.p, .value = value, .key_n = (uint32_t)key.n, .hash = hash };
	return E_OK;
}

/* Close the gap at `hole`: move back every later entry of the run that may stand there (Knuth 6.4, algorithm R). */
static void close_gap(struct map *m, size_t hole)
{
	size_t mask = m->cap - 1;

	for (size_t at = (hole + 1) & mask; m->entries[at].value; at = (at + 1) & mask) {
		size_t home = m->entries[at].hash & mask;

		if (((at - home) & mask) >= ((at - hole) & mask)) {
			m->entries[hole] = m->entries[at];
			hole = at;
		}
	}
	m->entries[hole] = (struct map_entry){ 0 };
}

void *map_remove(struct map *m, struct str key)
{
	struct map_entry *entry;
	void *value;

	if (m->n == 0)
		return NULL;
	entry = slot(m, key, hash_of(m, key));
	value = entry->value;
	if (!value)
		return NULL;
	m->n--;
	close_gap(m, (size_t)(entry - m->entries));
	return value;
}

const struct map_entry *map_next(const struct map *m, size_t *at)
{
	while (*at < m->cap) {
		const struct map_entry *entry = &m->entries[(*at)++];

		if (entry->value)
			return entry;
	}
	return NULL;
}

void map_release(struct map *m)
{
	mem_free(m->entries);
	*m = (struct map){ 0 };
}
