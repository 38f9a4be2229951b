/* solve.c - the choice of types for a size: against all that can be chosen, monotone, at the edges; the weights of roles. */
#include "src/solve.h"
#include "tests/tap.h"

#include <math.h>
#include <string.h>

enum { UNITS = 6, OPTIONS = 4 };

static uint64_t state = 88172645463325252u;

static uint64_t random_below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static struct solve_option option[UNITS][OPTIONS];
static struct solve_unit unit[UNITS];

static void make(uint64_t scale)
{
	for (size_t i = 0; i < UNITS; i++) {
		for (size_t k = 0; k < OPTIONS; k++)
			option[i][k] = (struct solve_option){ (1 + random_below(30)) * scale, (double)random_below(1000) / 16 };
		unit[i] = (struct solve_unit){ option[i], OPTIONS };
	}
}

static double cost_of(const uint8_t *pick, uint64_t *size)
{
	double cost = 0;

	*size = 0;
	for (size_t i = 0; i < UNITS; i++) {
		cost += option[i][pick[i]].cost;
		*size += option[i][pick[i]].size;
	}
	return cost;
}

/* INFINITY: nothing is small enough. */
static double best_between(uint64_t least, uint64_t budget)
{
	uint8_t pick[UNITS] = { 0 };
	double best = INFINITY;

	for (unsigned way = 0; way < 1u << (2 * UNITS); way++) {
		uint64_t size;
		double cost;

		for (size_t i = 0; i < UNITS; i++)
			pick[i] = way >> (2 * i) & 3;
		cost = cost_of(pick, &size);
		if (size <= budget && size >= least && cost < best)
			best = cost;
	}
	return best;
}

static double best_of_all(uint64_t budget)
{
	return best_between(0, budget);
}

static void test_optimal(void)
{
	int wrong = 0, above = 0;

	for (int round = 0; round < 40; round++) {
		uint64_t scale = round % 2 ? 1 : 1000000007u, budget, size;
		uint8_t pick[UNITS];

		make(scale);
		budget = (20 + random_below(140)) * scale;
		if (!solve_choose(unit, UNITS, 0, budget, pick)) {
			wrong += best_of_all(budget) < INFINITY;
			continue;
		}
		wrong += cost_of(pick, &size) != best_of_all(budget);
		above += size > budget;
	}
	is_int(wrong, 0, "40 small ones: as cheap as the cheapest of all 4096 ways");
	is_int(above, 0, "never over");
}

static void test_filled(void)
{
	int wrong = 0, outside = 0, found = 0;

	for (int round = 0; round < 40; round++) {
		uint64_t budget = 20 + random_below(140), least = budget - random_below(8), size;
		uint8_t pick[UNITS];
		double best;

		make(1);
		best = best_between(least, budget);
		if (!solve_choose(unit, UNITS, least, budget, pick)) {
			wrong += best < INFINITY;
			continue;
		}
		found++;
		wrong += cost_of(pick, &size) != best;
		outside += size > budget || size < least;
	}
	ok(found > 10 && !wrong, "40 small ones that must fill a part: as cheap as the cheapest of all ways between");
	is_int(outside, 0, "never outside");
}

static void test_monotone(void)
{
	double last = INFINITY;
	int worse = 0;

	make(7);
	for (uint64_t budget = 0; budget < 1400; budget += 3) {
		uint8_t pick[UNITS];
		uint64_t size;

		if (!solve_choose(unit, UNITS, 0, budget, pick))
			continue;
		worse += cost_of(pick, &size) > last;
		last = cost_of(pick, &size);
	}
	is_int(worse, 0, "a larger budget never costs more");
	ok(last < INFINITY, "and some of them were reached");
}

/* Like a real model: so many tensors that a cell of the table is a span of sizes. */
static void test_many(void)
{
	enum { MANY = 600 };
	static struct solve_option some[MANY][5];
	static struct solve_unit many[MANY];
	static uint8_t pick[MANY];
	double last = INFINITY;
	uint64_t least = 0, most = 0;
	int worse = 0, above = 0, far = 0;

	for (size_t i = 0; i < MANY; i++) {
		uint64_t weights = 4096 * (1 + random_below(14000));
		double role = 1 + (double)random_below(100) / 25;

		for (size_t k = 0; k < 5; k++)
			some[i][k] = (struct solve_option){ weights * (5 + 2 * k) / 16, role * pow(4, -(double)k) };
		many[i] = (struct solve_unit){ some[i], 5 };
		least += some[i][0].size;
		most += some[i][4].size;
	}
	for (uint64_t budget = least; budget < most; budget += (most - least) / 97) {
		uint64_t size = 0;
		double cost = 0;

		solve_choose(many, MANY, 0, budget, pick);
		for (size_t i = 0; i < MANY; i++) {
			size += some[i][pick[i]].size;
			cost += some[i][pick[i]].cost;
		}
		worse += cost > last;
		above += size > budget;
		far += (double)size < 0.998 * (double)budget;
		last = cost;
	}
	is_int(worse, 0, "600 tensors: a larger budget never costs more");
	is_int(above, 0, "never over");
	is_int(far, 0, "within 0.2 percent of the budget");
}

static void test_edges(void)
{
	struct solve_option one[] = { { 10, 1 } }, dear[] = { { 10, 1 }, { 20, 1 }, { 30, 2 } };
	struct solve_option set[] = { { 90, 0 }, { 50, 0.25 }, { 28, 3 } }; /* three matrices at once: as they are, and in codes */
	struct solve_unit units[] = { { one, 1 }, { dear, 3 } }, sets[] = { { set, 3 }, { set, 3 } };
	uint8_t pick[2] = { 9, 9 };

	ok(!solve_choose(units, 2, 0, 19, pick), "too small a budget");
	ok(solve_choose(units, 2, 0, 20, pick) && pick[0] == 0 && pick[1] == 0, "the smallest fits");
	ok(solve_choose(units, 2, 0, UINT64_MAX, pick) && pick[1] == 0, "nothing larger that gains nothing is taken");
	ok(solve_choose(units, 0, 0, 0, pick), "nothing to choose");
	ok(solve_choose(sets, 2, 0, 180, pick) && pick[0] == 0 && pick[1] == 0, "with room for it all stays, which costs nothing");
	ok(solve_choose(sets, 2, 0, 179, pick) && pick[0] + pick[1] == 1, "with a byte less one of them does");
	ok(solve_choose(sets, 2, 0, 118, pick) && pick[0] == 1 && pick[1] == 1, "two that lose little, not one that loses nothing beside one that loses much");
	ok(solve_choose(sets, 2, 110, 139, pick) && pick[0] + pick[1] == 2 && pick[0] != pick[1], "filled: one that stays beside one that loses much");
	ok(!solve_choose(sets, 2, 101, 117, pick), "nothing between");
}

static void test_roles(void)
{
	ok(solve_role("output.weight", 32, false) > 10 * solve_role("blk.20.ffn_up.weight", 32, false), "the output weighs more than a layer's matrix");
	ok(solve_role("token_embd.weight", 32, true) > solve_role("output.weight", 32, false), "embeddings that are the output, too, most");
	ok(solve_role("blk.0.ffn_up.weight", 32, false) > solve_role("blk.10.ffn_up.weight", 32, false), "the first layer more than the tenth");
	ok(solve_role("blk.10.attn_v.weight", 32, false) > solve_role("blk.10.attn_q.weight", 32, false), "values more than queries");
	ok(solve_role("blk.10.attn_v.weight", 32, false) > solve_role("blk.10.attn_output.weight", 32, false), "and than the attention's output");
	ok(fabs(solve_role("blk.10.attn_q.weight", 32, false) + solve_role("blk.10.attn_k.weight", 32, false) +
		solve_role("blk.10.attn_v.weight", 32, false) - solve_role("blk.10.attn_qkv.weight", 32, false)) < 1e-12,
	   "a matrix that is three in one weighs what they do");
	ok(solve_role("model.layers.10.self_attn.qkv_proj.weight", 32, false) == solve_role("blk.10.attn_qkv.weight", 32, false), "by either name");
	ok(solve_role("transformer.wte.weight", 32, true) == solve_role("token_embd.weight", 32, true), "embeddings by either name");
	ok(solve_role("model.layers.10.self_attn.v_proj.weight", 32, false) == solve_role("blk.10.attn_v.weight", 32, false), "by either name");
	ok(solve_role("model.layers.10.mlp.down_proj.weight", 32, false) == solve_role("blk.10.ffn_down.weight", 32, false), "down, too");
}

int main(void)
{
	test_optimal();
	test_filled();
	test_monotone();
	test_many();
	test_edges();
	test_roles();
	return done();
}
