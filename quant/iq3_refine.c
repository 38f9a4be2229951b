/*
 * iq3_refine.c - --effort high for IQ3_XXS and IQ3_S: another scale for each block and run, points and signs, found by
 * the error itself, where iq3.c weighs large numbers more and thinks of each run alone.
 *
 * The errors of runs at scales on a ladder, each step STEP times the last, are measured once, with the points that are
 * near. They tell which scales of the block are promising; for these the runs' codes are measured as they will be, the
 * scale is fitted to the points, and at last all points of the grid and all ways to make signs even are tried. Sums are
 * the same for every instruction set: kernels only bring their own way to find the nearest of a list of points.
 */
#include "iq3_refine.h"
#include "bits.h"
#include "refine.h"

#include <math.h>

enum {
	STEPS = 104,	/* of the ladder: from a 31st of the largest run's scale, and something at both ends */
	GUESS_DOWN = 6, /* steps around the first guess of a run's scale */
	GUESS_UP = 5,
	BEST = 3, /* scales of the block that are measured in full */
};
#define STEP 1.04f
#define LOWEST (1 / (15 * 31 * 1.25f)) /* of the largest number */
#define GUESS (1 / 14.0f)		/* of the largest number of a run */

/* Steps between scale codes 0 and s: log(2 * s + 1) / log(STEP). */
static const uint8_t code_step[16] = {0, 28, 41, 50, 56, 61, 65, 69, 72, 75, 78, 80, 82, 84, 86, 88};

/* A block that is being refined. */
struct work {
	const struct iq3 *k;
	const struct grid *g;
	iq3_nearest_fn *nearest;
	float natural[QK_K], x[QK_K], w[QK_K]; /* magnitudes; with one negative where signs must be even; weights */
	uint8_t signs[IQ3_RUNS][4], even[IQ3_RUNS][4]; /* natural, and those of x */
	float ladder[STEPS], error[IQ3_RUNS][STEPS];   /* scales; errors of runs, negative where not yet known */
	int best_step[IQ3_RUNS];
	struct iq3_code code;
};

float iq3_nearest(const uint16_t *list, int n, const float *x, const float *w, const float *value, unsigned *point)
{
	float cost[IQ3_GROUP][IQ3_LEVELS], least = INFINITY;
	for (int i = 0; i < IQ3_GROUP; i++)
		for (int level = 0; level < IQ3_LEVELS; level++) {
			float diff = value[level] - x[i];
			cost[i][level] = w[i] * diff * diff;
		}
	*point = list[0];
	for (int j = 0; j < n; j++) {
		unsigned p = list[j];
		float sum = cost[0][p & 7] + cost[1][p >> 3 & 7] + cost[2][p >> 6 & 7] + cost[3][p >> 9];
		*point = sum < least ? p : *point;
		least = sum < least ? sum : least;
	}
	return least;
}

static void scale_levels(const struct work *t, float scale, float value[IQ3_LEVELS])
{
	for (int level = 0; level < IQ3_LEVELS; level++)
		value[level] = scale * t->k->level[level];
}

/* Rounds a run to points that are near; returns the error. */
static float round_near(const struct work *t, int run, float scale, uint16_t point[IQ3_GROUPS])
{
	float value[IQ3_LEVELS], error = 0;
	scale_levels(t, scale, value);
	for (int j = 0; j < IQ3_GROUPS; j++) {
		const float *x = t->x + run * IQ3_RUN + 4 * j, *w = t->w + run * IQ3_RUN + 4 * j;
		const struct grid_near *near = &t->g->near[iq3_slot(x, 1 / scale)];
		unsigned found;
		error += t->nearest(t->g->list + near->first, near->n, x, w, value, &found);
		point[j] = found;
	}
	return error;
}

/* ---- the ladder ------------------------------------------------------------------------------------------------ */

static float error_at(struct work *t, int run, int step)
{
	uint16_t point[IQ3_GROUPS];
	float *error = &t->error[run][step];
	if (*error < 0)
		*error = round_near(t, run, t->ladder[step], point);
	return *error;
}

/* The step of a run's least error, of those around what its largest number tells. */
static void guess_run(struct work *t, int run)
{
	float max = 0;
	int at = 0;
	for (int i = 0; i < IQ3_RUN; i++)
		max = fmaxf(max, t->natural[run * IQ3_RUN + i]);
	while (at < STEPS - 1 && t->ladder[at] < max * GUESS)
		at++;
	t->best_step[run] = at;
	for (int step = at - GUESS_DOWN; step <= at + GUESS_UP; step++)
		if (step >= 0 && step < STEPS && error_at(t, run, step) < error_at(t, run, t->best_step[run]))
			t->best_step[run] = step;
}

/* The largest code whose scale is not above the run's best, where the block's is at `base`. */
static int code_below(const struct work *t, int run, int base)
{
	int code = 0;
	while (code < 15 && base + code_step[code + 1] <= t->best_step[run])
		code++;
	return code;
}

static float error_of_base(struct work *t, int base)
{
	float error = 0;
	for (int run = 0; run < IQ3_RUNS; run++) {
		int code = code_below(t, run, base), low = base + code_step[code], high = low;
		if (code < 15)
			high = base + code_step[code + 1];
		error += fminf(error_at(t, run, low), error_at(t, run, high < STEPS ? high : STEPS - 1));
	}
	return error;
}

/* ---- codes ----------------------------------------------------------------------------------------------------- */

/* The scale of the block that fits best what its code says otherwise; 0 where nothing does. */
static uint16_t fit_block(const struct work *t, const struct iq3_code *c)
{
	float sum_xq = 0, sum_q2 = 0;
	for (int i = 0; i < QK_K; i++) {
		int run = i / IQ3_RUN;
		bool agree = (c->signs[run][i / 8 % 4] >> i % 8 & 1) == (t->signs[run][i / 8 % 4] >> i % 8 & 1);
		float q = (2 * c->scale[run] + 1) * t->k->level[c->point[run][i / 4 % 8] >> 3 * (i % 4) & 7];
		sum_xq += t->w[i] * (agree ? t->natural[i] : -t->natural[i]) * q;
		sum_q2 += t->w[i] * q * q;
	}
	return sum_xq > 0 && sum_q2 > 0 ? half_of_float(sum_xq / sum_q2) : 0;
}

/* Codes and near points of all runs for a scale of the block; returns the error. */
static float round_block(struct work *t, int base, struct iq3_code *c)
{
	float error = 0, d = float_of_half(c->d);
	for (int run = 0; run < IQ3_RUNS; run++) {
		uint16_t point[IQ3_GROUPS];
		int code = code_below(t, run, base);
		float least = round_near(t, run, d * (2 * code + 1), c->point[run]);
		c->scale[run] = code;
		float other = code < 15 ? round_near(t, run, d * (2 * code + 3), point) : INFINITY;
		if (other < least) {
			least = other;
			c->scale[run] = code + 1;
			memcpy(c->point[run], point, sizeof point);
		}
		error += least;
	}
	return error;
}

/* Measures the codes for a base, as it is and with the scale that fits its points; they replace t->code if better. */
static void try_base(struct work *t, int base, float *best)
{
	struct iq3_code c = {.d = half_of_float(t->ladder[base])};
	memcpy(c.signs, t->even, sizeof c.signs);
	for (int round = 0; round < 2 && c.d; round++) {
		float error = round_block(t, base, &c);
		if (error < *best) {
			*best = error;
			t->code = c;
		}
		c.d = fit_block(t, &c);
	}
}

/* ---- all points ------------------------------------------------------------------------------------------------ */

static float round_all(const struct work *t, const float *x, const float *w, const float *value, uint16_t *point)
{
	unsigned found;
	float error = t->nearest(t->g->point, t->g->points, x, w, value, &found);
	*point = found;
	return error;
}

/* The best points and signs of 8 numbers. */
static void round_octet(const struct work *t, int at, const float *value, uint16_t point[2], uint8_t *signs)
{
	float error[2], least = INFINITY;
	uint16_t natural[2];
	*signs = t->signs[at / IQ3_RUN][at / 8 % 4];
	for (int j = 0; j < 2; j++)
		error[j] = round_all(t, t->natural + at + 4 * j, t->w + at + 4 * j, value, &natural[j]);
	memcpy(point, natural, sizeof natural);
	if (!t->k->even_signs || !__builtin_parity(*signs))
		return;
	for (int i = 0, flip = 0; i < 8; i++) {
		float x[IQ3_GROUP];
		uint16_t other;
		memcpy(x, t->natural + at + i / 4 * 4, sizeof x);
		x[i % 4] = -x[i % 4];
		float sum = error[1 - i / 4] + round_all(t, x, t->w + at + i / 4 * 4, value, &other);
		if (!(sum < least))
			continue;
		least = sum;
		*signs ^= 1 << i | flip;
		flip = 1 << i;
		memcpy(point, natural, sizeof natural);
		point[i / 4] = other;
	}
}

static void round_fully(const struct work *t, struct iq3_code *c)
{
	for (int run = 0; run < IQ3_RUNS; run++) {
		float value[IQ3_LEVELS];
		scale_levels(t, float_of_half(c->d) * (2 * c->scale[run] + 1), value);
		for (int i = 0; i < 4; i++)
			round_octet(t, run * IQ3_RUN + 8 * i, value, c->point[run] + 2 * i, &c->signs[run][i]);
	}
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

/* False where the numbers or their weights leave nothing to refine. */
static bool prepare(struct work *t, const float *src, const float *weights)
{
	struct iq3_run r;
	float max = 0, sum_w = 0;
	for (int i = 0; i < QK_K; i++) {
		t->natural[i] = fabsf(src[i]);
		t->w[i] = weights ? weights[i] : 1;
		max = t->natural[i] < max ? max : t->natural[i];
		sum_w += t->w[i];
	}
	if (!(max > 0) || !isfinite(max * max * 1024 * sum_w))
		return false;
	for (int run = 0; run < IQ3_RUNS; run++) {
		for (int i = 0; i < 4; i++)
			t->signs[run][i] = iq3_signs(src + run * IQ3_RUN + 8 * i);
		memcpy(t->even[run], t->signs[run], sizeof t->signs[run]);
		memcpy(r.x, t->natural + run * IQ3_RUN, sizeof r.x);
		memcpy(r.w, t->w + run * IQ3_RUN, sizeof r.w);
		if (t->k->even_signs)
			iq3_make_even(&r, t->even[run]);
		memcpy(t->x + run * IQ3_RUN, r.x, sizeof r.x);
	}
	t->ladder[0] = max * LOWEST;
	for (int step = 1; step < STEPS; step++)
		t->ladder[step] = t->ladder[step - 1] * STEP;
	for (int run = 0; run < IQ3_RUNS; run++)
		for (int step = 0; step < STEPS; step++)
			t->error[run][step] = -1;
	return true;
}

/* The block scales of least error by the ladder, each tried in full; false where none is better than nothing. */
static bool search(struct work *t)
{
	float error[STEPS] = {0}, best = INFINITY;
	int top = 0;
	for (int run = 0; run < IQ3_RUNS; run++) {
		guess_run(t, run);
		top = t->best_step[run] > top ? t->best_step[run] : top;
	}
	int first = top - code_step[15] - 4, last = top - code_step[10] + 3;
	first = first < 0 ? 0 : first;
	for (int base = first; base <= last; base++)
		error[base] = error_of_base(t, base);
	for (int i = 0; i < BEST; i++) {
		int chosen = first;
		for (int base = first; base <= last; base++)
			chosen = error[base] < error[chosen] ? base : chosen;
		error[chosen] = INFINITY;
		try_base(t, chosen, &best);
	}
	return best < INFINITY;
}

void iq3_refine(const struct iq3 *k, const struct heft_encoding *e, iq3_nearest_fn *nearest, const float *src,
		void *dst, size_t n, const float *weights)
{
	struct work t = {.k = k, .g = grid_get(k->grid), .nearest = nearest};
	uint8_t *block = dst, candidate[sizeof(struct block_iq3_s)];
	for (; n; n -= QK_K, src += QK_K, block += k->block) {
		double error = refine_block_error(e, src, weights, block);
		if (prepare(&t, src, weights) && search(&t))
			for (int round = 0; round < 2 && t.code.d; round++) {
				round_fully(&t, &t.code);
				k->pack(&t.code, candidate);
				refine_keep(e, src, weights, candidate, block, &error);
				t.code.d = fit_block(&t, &t.code);
			}
		weights = weights ? weights + QK_K : NULL;
	}
}
