/*
 * grid.c - finds, when a grid is first asked for, the points near each of its slots; and of those the nearest to given
 * numbers. All memory is here and static. What a level is worth this file does not know.
 */
#include "grid.h"

#include <float.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { MAX_POINTS = 2048, MAX_HALVES = 81 /* levels^(dims / 2) */ };

#define GRID_ROWS(X) /* name, id, dims, bits, levels, points, shells of near points, points in all lists */            \
	X(iq2_xxs, GRID_IQ2_XXS, 8, 2, 3, 256, 2, 165232)                                                              \
	X(iq2_xs, GRID_IQ2_XS, 8, 2, 3, 512, 2, 238752)                                                                \
	X(iq2_s, GRID_IQ2_S, 8, 2, 3, 1024, 1, 116960)                                                                 \
	X(iq1_s, GRID_IQ1_S, 8, 2, 3, 2048, 3, 395120)                                                                 \
	X(iq3_xxs, GRID_IQ3_XXS, 4, 3, 8, 256, 2, 66528)                                                               \
	X(iq3_s, GRID_IQ3_S, 4, 3, 8, 512, 3, 67488)

#define X(name, id, dims, bits, levels, points, shells, room)                                                          \
	static uint16_t point_##name[points], list_##name[room] __attribute__((aligned(64)));
GRID_ROWS(X)
#undef X
static struct grid_near near_slots[GRIDS][GRID_SLOTS];

static const struct grid grids[GRIDS] = {
#define X(name, id, dims, bits, levels, points, shells, room)                                                          \
	[id] = {dims, bits, levels, points, point_##name, near_slots[id], list_##name},
    GRID_ROWS(X)
#undef X
};

/* What grids are built of, and where. */
static const struct source {
	const uint64_t *member;
	int shells;
	uint16_t *point, *list;
} sources[GRIDS] = {
#define X(name, id, dims, bits, levels, points, shells, room)                                                          \
	[id] = {grid_points_##name, shells, point_##name, list_##name},
    GRID_ROWS(X)
#undef X
};

/* A distance is the sum of the squares of the differences of levels: low[h][j] from the half slot h to the lower half
 * of point j. */
struct halves {
	uint8_t low[MAX_HALVES][MAX_POINTS], high[MAX_HALVES][MAX_POINTS];
};

static int power(int base, int exponent)
{
	int p = 1;
	while (exponent--)
		p *= base;
	return p;
}

static unsigned packed_of(const struct grid *g, int slot)
{
	unsigned packed = 0;
	for (int i = 0; i < g->dims; i++, slot /= g->levels)
		packed |= (unsigned)(slot % g->levels) << g->bits * i;
	return packed;
}

int grid_slot(const struct grid *g, unsigned packed)
{
	int slot = 0;
	for (int i = g->dims - 1; i >= 0; i--)
		slot = slot * g->levels + grid_level(g, packed, i);
	return slot;
}

static int half_distance(const struct grid *g, int half, unsigned packed)
{
	int sum = 0;
	for (int i = 0; i < g->dims / 2; i++, half /= g->levels) {
		int diff = half % g->levels - grid_level(g, packed, i);
		sum += diff * diff;
	}
	return sum;
}

static void measure(const struct grid *g, struct halves *h)
{
	for (int half = 0; half < power(g->levels, g->dims / 2); half++)
		for (int j = 0; j < g->points; j++) {
			h->low[half][j] = half_distance(g, half, g->point[j]);
			h->high[half][j] = half_distance(g, half, g->point[j] >> g->bits * g->dims / 2);
		}
}

/* The points of the least `shells` distances, which are all below 64. */
static uint16_t list_shells(const struct grid *g, int shells, const uint8_t *low, const uint8_t *high, uint16_t *list)
{
	uint16_t n = 0;
	uint64_t distances = 0;
	for (int j = 0; j < g->points; j++)
		distances |= (uint64_t)(low[j] + high[j] < 64) << (low[j] + high[j]) % 64;
	for (; shells--; distances &= distances - 1) {
		int shell = __builtin_ctzll(distances);
		for (int j = 0; j < g->points; j++)
			if (low[j] + high[j] == shell)
				list[n++] = g->point[j];
	}
	return n;
}

static void build(const struct grid *g, const struct source *from, struct grid_near *near)
{
	static struct halves h;
	uint32_t at = 0;
	int points = 0, halves = power(g->levels, g->dims / 2), slots = halves * halves;
	for (int s = 0; s < slots; s++)
		if (from->member[s / 64] >> s % 64 & 1)
			from->point[points++] = packed_of(g, s);
	measure(g, &h);
	points = 0;
	for (int s = 0; s < slots; s++) {
		bool on = from->member[s / 64] >> s % 64 & 1;
		near[s].first = at;
		near[s].n =
		    list_shells(g, on ? 1 : from->shells, h.low[s % halves], h.high[s / halves], from->list + at);
		near[s].index = on ? points++ : -1;
		for (at += near[s].n; at % GRID_PAD; at++)
			from->list[at] = from->list[near[s].first];
	}
}

const struct grid *grid_get(enum grid_id id)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static atomic_bool built[GRIDS];
	if (!atomic_load_explicit(&built[id], memory_order_acquire)) {
		pthread_mutex_lock(&mutex);
		if (!atomic_load_explicit(&built[id], memory_order_relaxed))
			build(&grids[id], &sources[id], near_slots[id]);
		atomic_store_explicit(&built[id], true, memory_order_release);
		pthread_mutex_unlock(&mutex);
	}
	return &grids[id];
}

unsigned grid_nearest(const struct grid *g, const struct grid_near *near, const float *x, const float *w, float scale,
		      const float *value)
{
	const uint16_t *list = g->list + near->first;
	unsigned best = list[0];
	float least = FLT_MAX;
	for (int j = 0; j < near->n; j++) {
		float sum = 0;
		for (int i = 0; i < g->dims; i++) {
			float diff = scale * value[grid_level(g, list[j], i)] - x[i];
			sum += w[i] * diff * diff;
		}
		if (sum < least) {
			least = sum;
			best = list[j];
		}
	}
	return best;
}
