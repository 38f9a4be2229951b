/*
 * map.c - open addressing with linear probing, at most three quarters full; a seeded multiply-mix hash.
 */
#include "map.h"

#include "arena.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t seed;

static void make_seed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	seed = ((uint64_t)t.tv_nsec << 32 ^ (uint64_t)t.tv_sec ^ (uint64_t)(uintptr_t)&t) | 1;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t hash_bytes(const char *p, size_t n)
{
	uint64_t h = seed ^ mix(n + 0x9e3779b97f4a7c15u, 0xa0761d6478bd642fu), w;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&w, p, 8);
		h = mix(h ^ w, 0xe7037ed1a0b428dbu ^ seed);
	}
	w = 0;
	memcpy(&w, p, n);
	return mix(h ^ w, 0x8ebc6af09c88c6e3u ^ seed);
}

void map_init(struct map *m)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_seed);
	*m = (struct map){ 0 };
}

void map_release(struct map *m)
{
	free(m->slot);
	*m = (struct map){ 0 };
}

static struct map_slot *probe(const struct map *m, const char *key, size_t n, uint64_t hash)
{
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slot[i];

		if (!s->key || (s->hash == hash && s->n == n && !memcmp(s->key, key, n)))
			return s;
	}
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 64;
	m->slot = calloc(m->cap, sizeof *m->slot);
	if (!m->slot)
		out_of_memory(m->cap * sizeof *m->slot);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slot[i].key)
			*probe(m, old.slot[i].key, old.slot[i].n, old.slot[i].hash) = old.slot[i];
	free(old.slot);
}

struct map_slot *map_put(struct map *m, const char *key, size_t n, bool *found)
{
	uint64_t hash = hash_bytes(key, n);
	struct map_slot *s;

	if (m->count + 1 > m->cap / 4 * 3)
		grow(m);
	s = probe(m, key, n, hash);
	*found = s->key != NULL;
	if (!*found) {
		*s = (struct map_slot){ .key = key, .n = n, .hash = hash };
		m->count++;
	}
	return s;
}

struct map_slot *map_find(const struct map *m, const char *key, size_t n)
{
	struct map_slot *s;

	if (!m->cap)
		return NULL;
	s = probe(m, key, n, hash_bytes(key, n));
	return s->key ? s : NULL;
}
