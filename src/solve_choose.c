/*
 * solve_choose.c - one option for each unit, of least cost within a number of bytes: the multiple-choice knapsack.
 *
 * A table over sums of sizes, above that of the smallest options, is filled unit by unit. A cell is a span of sums and holds the cheapest
 * way to reach one of them, with its exact size, so that nothing is rounded: with as many cells as there are sums the answer is the best there is.
 * The table does not depend on the budget, which only says which of its cells may be taken: so a larger budget never costs more.
 */
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 1 << 21, LEAST_CELLS = 1 << 10, MOST_CELLS = 1 << 16 }; /* of all units: 4 bytes each; of one */

struct cell {
	uint64_t size; /* above the least */
	double cost;   /* INFINITY: nothing reaches it */
};

struct table {
	size_t cells;
	uint64_t span;
	struct cell *now, *next;
	uint32_t *way; /* of each unit and cell: the cell before, and the option */
};

enum { OPTION_BITS = 8 };

static uint64_t least(const struct solve_unit *u)
{
	uint64_t size = UINT64_MAX;

	for (size_t k = 0; k < u->n; k++)
		size = u->option[k].size < size ? u->option[k].size : size;
	return size;
}

static uint64_t most(const struct solve_unit *u)
{
	uint64_t size = 0;

	for (size_t k = 0; k < u->n; k++)
		size = u->option[k].size > size ? u->option[k].size : size;
	return size;
}

static void clear(struct cell *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		c[i] = (struct cell){ 0, INFINITY };
}

/* The first is the least sum alone, so that the smallest of all stays among them. */
static size_t cell_of(const struct table *t, uint64_t size)
{
	return size ? (size_t)((size - 1) / t->span) + 1 : 0;
}

static void table_init(struct table *t, size_t n, uint64_t range)
{
	size_t cells = n ? CELLS / n : 1;

	cells = cells < LEAST_CELLS ? LEAST_CELLS : cells > MOST_CELLS ? MOST_CELLS : cells;
	t->span = range / (cells - 2) + 1;
	t->cells = cell_of(t, range) + 1;
	t->now = xmalloc(t->cells * sizeof *t->now);
	t->next = xmalloc(t->cells * sizeof *t->next);
	t->way = xmalloc((n ? n : 1) * t->cells * sizeof *t->way);
	clear(t->now, t->cells);
	t->now[0].cost = 0;
}

static void table_release(struct table *t)
{
	free(t->now);
	free(t->next);
	free(t->way);
}

/* What is no cheaper than something smaller leads nowhere. */
static void drop_dear(struct cell *c, size_t n)
{
	double best = INFINITY;

	for (size_t i = 0; i < n; i++)
		if (c[i].cost < best)
			best = c[i].cost;
		else
			c[i].cost = INFINITY;
}

static void add_unit(struct table *t, const struct solve_unit *u, uint32_t *way, bool all)
{
	uint64_t base = least(u);
	struct cell *done = t->now;

	clear(t->next, t->cells);
	for (size_t i = 0; i < t->cells; i++)
		for (size_t k = 0; k < u->n && t->now[i].cost < INFINITY; k++) {
			struct cell c = { t->now[i].size + (u->option[k].size - base), t->now[i].cost + u->option[k].cost };
			size_t at = cell_of(t, c.size);
			struct cell *there = &t->next[at];

			if (c.cost < there->cost || (c.cost == there->cost && c.size < there->size)) {
				*there = c;
				way[at] = (uint32_t)(i << OPTION_BITS | k);
			}
		}
	if (!all)
		drop_dear(t->next, t->cells);
	t->now = t->next;
	t->next = done;
}

/* SIZE_MAX: there is none. */
static size_t cheapest(const struct table *t, uint64_t least, uint64_t room)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < t->cells; i++)
		if (t->now[i].cost < INFINITY && t->now[i].size >= least && t->now[i].size <= room && (best == SIZE_MAX || t->now[i].cost < t->now[best].cost))
			best = i;
	return best;
}

bool solve_choose(const struct solve_unit *unit, size_t n, uint64_t least_sum, uint64_t budget, uint8_t *pick)
{
	uint64_t base = 0, range = 0;
	struct table t;
	bool found;
	size_t at;

	for (size_t i = 0; i < n; i++) {
		base += least(&unit[i]);
		range += most(&unit[i]) - least(&unit[i]);
	}
	if (budget < base)
		return false;
	table_init(&t, n, range);
	for (size_t i = 0; i < n; i++)
		add_unit(&t, &unit[i], t.way + i * t.cells, least_sum > base);
	at = cheapest(&t, least_sum > base ? least_sum - base : 0, budget - base);
	found = at != SIZE_MAX;
	for (size_t i = n; found && i-- > 0;) {
		uint32_t way = t.way[i * t.cells + at];

		pick[i] = (uint8_t)(way & ((1u << OPTION_BITS) - 1));
		at = way >> OPTION_BITS;
	}
	table_release(&t);
	return found;
}
