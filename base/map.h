/*
 * map.h - from a byte string to a number or pointer. Keys are borrowed, not copied. Insertion order is kept by the caller.
 * The hash is seeded per process, so that a file cannot aim at its buckets; nothing that heft writes depends on its order.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
	const char *key;
	size_t n;
	uint64_t hash;
	union { int64_t i; void *p; } value;
};
struct map {
	struct map_slot *slot;
	size_t cap, count;
};

void map_init(struct map *m);
void map_release(struct map *m);
/* Finds the slot of a key or makes one (*found tells); valid until the next map_put. */
struct map_slot *map_put(struct map *m, const char *key, size_t n, bool *found);
struct map_slot *map_find(const struct map *m, const char *key, size_t n); /* NULL where there is none */

#endif
