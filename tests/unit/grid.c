/*
 * grid.c - the grids of the IQ encodings: their points, and the near points of every slot against the definition, found
 * the slow way.
 */
#include "quant/grid.h"
#include "tests/tap.h"

#include <math.h>

static const struct {
	const char *name;
	int points, shells, last, near; /* last: the last point, packed; near: points in the lists of all slots */
} want[GRIDS] = {
    [GRID_IQ2_XXS] = {"iq2_xxs", 256, 2, 43268, 113413}, [GRID_IQ2_XS] = {"iq2_xs", 512, 2, 43690, 182233},
    [GRID_IQ2_S] = {"iq2_s", 1024, 1, 43690, 45740},	 [GRID_IQ1_S] = {"iq1_s", 2048, 3, 43690, 329769},
    [GRID_IQ3_XXS] = {"iq3_xxs", 256, 2, 3992, 19241},	 [GRID_IQ3_S] = {"iq3_s", 512, 3, 4032, 25245},
};

static int slots_of(const struct grid *g)
{
	return g->dims == 8 ? GRID_SLOTS : 4096;
}

static int distance(const struct grid *g, int slot, unsigned packed)
{
	int sum = 0;
	for (int i = 0; i < g->dims; i++, slot /= g->levels) {
		int diff = slot % g->levels - grid_level(g, packed, i);
		sum += diff * diff;
	}
	return sum;
}

/* The list of a slot off the grid, by selection: by distance, then by index. */
static int list_of(const struct grid *g, int shells, int slot, uint16_t *list)
{
	int n = 0, shell = -1;
	for (int k = 0; k < shells; k++) {
		int next = 1000;
		for (int j = 0; j < g->points; j++) {
			int d = distance(g, slot, g->point[j]);
			next = d > shell && d < next ? d : next;
		}
		shell = next;
		for (int j = 0; j < g->points; j++)
			if (distance(g, slot, g->point[j]) == shell)
				list[n++] = g->point[j];
	}
	return n;
}

static void lists(const struct grid *g, int id)
{
	int wrong = 0, total = 0, loose = 0;
	for (int s = 0; s < slots_of(g); s++) {
		const struct grid_near *near = &g->near[s];
		const uint16_t *got = g->list + near->first;
		uint16_t list[2048];
		total += near->n;
		for (int j = near->n; j % GRID_PAD; j++)
			loose += got[j] != got[0];
		loose += near->first % GRID_PAD != 0;
		if (near->index >= 0)
			wrong += near->n != 1 || got[0] != g->point[near->index] || grid_slot(g, got[0]) != s;
		else if (s % 7 == 3) /* a sample: all would take seconds */
			wrong += near->n != list_of(g, want[id].shells, s, list) ||
				 memcmp(got, list, near->n * sizeof *list);
	}
	is_int(wrong, 0, "%s: near points are those of the nearest shells", want[id].name);
	is_int(loose, 0, "%s: lists are filled up with their first points", want[id].name);
	is_int(total, want[id].near, "%s: near points in all", want[id].name);
}

static void points(const struct grid *g, int id)
{
	int wrong = 0;
	is_int(g->points, want[id].points, "%s: number of points", want[id].name);
	is_int(g->point[g->points - 1], want[id].last, "%s: the last point", want[id].name);
	for (int j = 0; j < g->points; j++) {
		int slot = grid_slot(g, g->point[j]);
		wrong += slot < 0 || slot >= slots_of(g) || g->near[slot].index != j ||
			 (j && g->point[j] <= g->point[j - 1]);
	}
	is_int(wrong, 0, "%s: slots lead to their points, in order", want[id].name);
}

static void nearest(void)
{
	const struct grid *g = grid_get(GRID_IQ2_XXS);
	const struct grid_near *near = &g->near[1]; /* (1 0 0 0 0 0 0 0) is off the grid */
	const float value[] = {1, 3, 5, 7};
	float x[8] = {3, 1, 1, 1, 1, 1, 1, 1}, w[8] = {0};
	ok(near->index < 0 && near->n > 1, "a slot off the grid has several near points");
	is_int(grid_nearest(g, near, x, w, 1, value), g->list[near->first], "of equals the first is taken");
	x[0] = INFINITY;
	w[0] = 1;
	is_int(grid_nearest(g, near, x, w, 1, value), g->list[near->first], "and where there is no distance");
	for (int j = 0; j < near->n; j++) {
		unsigned p = g->list[near->first + j];
		for (int i = 0; i < 8; i++) {
			x[i] = 0.5f * value[grid_level(g, p, i)];
			w[i] = 1;
		}
		is_int(grid_nearest(g, near, x, w, 0.5f, value), p, "a point is nearest to itself: %d", j);
	}
}

int main(void)
{
	for (int id = 0; id < GRIDS; id++) {
		const struct grid *g = grid_get(id);
		points(g, id);
		lists(g, id);
	}
	nearest();
	return done();
}
