/*
 * iq2_refine.c - what --effort high does to IQ2_XXS, IQ2_XS and IQ2_S: the best points for many scales, from which the
 * scale that serves each run best; then halves for the super-block for which these scales have good codes; then least
 * squares for the half.
 */
#include "iq2_refine.h"
#include "bits.h"
#include "refine.h"

#include <float.h>

enum {
	RUNGS = 8,   /* scales tried for a run: those that make its largest number the top level, times 0.55 to 1.18 */
	HALVES = 28, /* for a super-block, by estimate: they give the largest scale a code from 9.5 to 16.25 */
	TRIES = 2,   /* of them in earnest */
	ROUNDS = 2,  /* of least squares for the half */
	GROUPS = QK_K / IQ2_GROUP,
	CODE_TOP = 15,
};

/* A super-block at work. */
struct work {
	const struct iq2 *q;
	const struct grid *g;
	iq2_nearest_fn *nearest;
	int runs, groups; /* of the super-block; of a run */
	float x[QK_K], w[QK_K];
	uint8_t signs[GROUPS];
	bool odd[GROUPS];
	/* of each run: the scale that serves it best, and what the error grows by with the square of the distance from
	 * it */
	float scale[IQ2_MAX_RUNS], slope[IQ2_MAX_RUNS];
};

struct choice {
	float d, error;
	uint8_t code[IQ2_MAX_RUNS];
	uint16_t point[GROUPS];
};

static struct iq2_group group_of(const struct work *k, int group)
{
	return (struct iq2_group){k->x + group * IQ2_GROUP, k->w + group * IQ2_GROUP, k->odd[group]};
}

static float try_run(const struct work *k, int run, float scale, uint16_t *point)
{
	float error = 0;
	for (int i = 0; i < k->groups; i++) {
		struct iq2_group group = group_of(k, run * k->groups + i);
		error += k->nearest(k->g, &group, scale, point + i);
	}
	return error;
}

/* The number of a group whose wrong sign costs least. */
static int cheapest(const struct work *k, const struct iq2_group *group, unsigned point)
{
	int best = 0;
	float least = FLT_MAX;
	for (int i = 0; i < IQ2_GROUP; i++) {
		float cost = group->w[i] * group->x[i] * iq2_magnitude[grid_level(k->g, point, i)];
		if (cost < least) {
			least = cost;
			best = i;
		}
	}
	return best;
}

/* Sums for the least squares of a run's scale. */
static void sums(const struct work *k, int run, const uint16_t *point, double *xm, double *mm)
{
	*xm = *mm = 0;
	for (int j = 0; j < k->groups; j++) {
		struct iq2_group group = group_of(k, run * k->groups + j);
		int wrong = group.odd ? cheapest(k, &group, point[j]) : -1;
		for (int i = 0; i < IQ2_GROUP; i++) {
			double m = iq2_magnitude[grid_level(k->g, point[j], i)], wm = group.w[i] * m;
			*xm += i == wrong ? -wm * group.x[i] : wm * group.x[i];
			*mm += wm * m;
		}
	}
}

static void try_scale(struct work *k, int run, float scale, float *least)
{
	uint16_t point[IQ2_MAX_GROUPS];
	float error = try_run(k, run, scale, point);
	if (error < *least) {
		*least = error;
		k->scale[run] = scale;
	}
}

/* encoded: the scale that the encoder gave the run. */
static void fit_run(struct work *k, int run, float encoded)
{
	uint16_t point[IQ2_MAX_GROUPS];
	float max = 0, least = FLT_MAX;
	double xm, mm;
	for (int i = 0; i < k->q->run; i++)
		max = k->x[run * k->q->run + i] > max ? k->x[run * k->q->run + i] : max;
	k->scale[run] = k->slope[run] = 0;
	try_scale(k, run, encoded, &least);
	for (int i = 0; i < RUNGS; i++)
		try_scale(k, run, max / iq2_magnitude[2] * (0.55f + 0.09f * (float)i), &least);
	for (int i = 0; i < 2; i++) {
		try_run(k, run, k->scale[run], point);
		sums(k, run, point, &xm, &mm);
		k->slope[run] = (float)mm;
		if (mm > 0 && xm > 0)
			k->scale[run] = (float)(xm / mm);
	}
}

static int code_of(float d, float scale)
{
	float code = d > 0 ? 4 * scale / d - 0.5f : 0;
	return code < CODE_TOP ? code > 0 ? (int)(code + 0.5f) : 0 : CODE_TOP;
}

static float estimate(const struct work *k, float d)
{
	float error = 0;
	for (int j = 0; j < k->runs; j++) {
		float off = iq2_scale(d, code_of(d, k->scale[j])) - k->scale[j];
		error += k->slope[j] * off * off;
	}
	return error;
}

/* The best codes around those of the fitted scales, for d; into *best where that is better. */
static bool try_half(const struct work *k, float d, struct choice *best)
{
	struct choice t = {.d = d};
	for (int j = 0; j < k->runs; j++) {
		int middle = code_of(d, k->scale[j]), lo = middle > 0 ? middle - 1 : 0;
		float least = FLT_MAX;
		for (int c = lo; c <= middle + 1 && c <= CODE_TOP; c++) {
			uint16_t point[IQ2_MAX_GROUPS];
			float error = try_run(k, j, iq2_scale(d, c), point);
			if (error < least || c == lo) {
				least = error;
				t.code[j] = (uint8_t)c;
				memcpy(t.point + j * k->groups, point, (size_t)k->groups * sizeof *point);
			}
		}
		t.error += least;
	}
	if (!(t.error < best->error))
		return false;
	*best = t;
	return true;
}

static float half(float f)
{
	return float_of_half(half_of_float(f));
}

/* The halves whose estimates are best, the best first. */
static void choose_halves(const struct work *k, float half_of[TRIES])
{
	float max = 0, error[TRIES];
	for (int j = 0; j < k->runs; j++)
		max = k->scale[j] > max ? k->scale[j] : max;
	for (int i = 0; i < TRIES; i++) {
		error[i] = FLT_MAX;
		half_of[i] = 0;
	}
	for (int i = 0; i < HALVES; i++) {
		float d = half(max * 4 / (10 + 0.25f * (float)i)), e = estimate(k, d);
		int at = TRIES;
		while (at > 0 && e < error[at - 1])
			at--;
		for (int j = TRIES - 1; j > at; j--) {
			error[j] = error[j - 1];
			half_of[j] = half_of[j - 1];
		}
		if (at < TRIES) {
			error[at] = e;
			half_of[at] = d;
		}
	}
}

static float least_squares(const struct work *k, const struct choice *c)
{
	double above = 0, below = 0;
	for (int j = 0; j < k->runs; j++) {
		double xm, mm, unit = iq2_scale(1, c->code[j]);
		sums(k, j, c->point + j * k->groups, &xm, &mm);
		above += unit * xm;
		below += unit * unit * mm;
	}
	return below > 0 ? half((float)(above / below)) : c->d;
}

static void load(struct work *k, const float *x, const float *w)
{
	for (int i = 0; i < QK_K; i++) {
		k->x[i] = fabsf(x[i]);
		k->w[i] = w ? w[i] : 1;
	}
	for (int j = 0; j < GROUPS; j++) {
		k->signs[j] = 0;
		for (int i = 0; i < IQ2_GROUP; i++)
			k->signs[j] |= (unsigned)(x[j * IQ2_GROUP + i] < 0) << i;
		k->odd[j] = k->q->even && __builtin_parity(k->signs[j]);
	}
}

static void pack(const struct work *k, const struct choice *c, void *block)
{
	struct iq2_run run[IQ2_MAX_RUNS];
	for (int j = 0; j < GROUPS; j++) {
		struct iq2_group group = group_of(k, j);
		unsigned wrong = k->odd[j] ? 1u << cheapest(k, &group, c->point[j]) : 0;
		run[j / k->groups].point[j % k->groups] = c->point[j];
		run[j / k->groups].signs[j % k->groups] = k->signs[j] ^ wrong;
	}
	k->q->pack(block, half_of_float(c->d), c->code, k->g, run);
}

static void refine_block(struct work *k, const void *block, struct choice *best)
{
	float d[TRIES];
	uint16_t encoded;
	uint8_t code[IQ2_MAX_RUNS];
	k->q->unpack(block, &encoded, code);
	for (int j = 0; j < k->runs; j++)
		fit_run(k, j, iq2_scale(float_of_half(encoded), code[j]));
	choose_halves(k, d);
	for (int i = 0; i < TRIES; i++)
		try_half(k, d[i], best);
	for (int i = 0; i < ROUNDS; i++)
		if (!try_half(k, least_squares(k, best), best))
			break;
}

void iq2_refine(const struct heft_encoding *e, const struct iq2 *q, iq2_nearest_fn *nearest, const float *src,
		void *dst, size_t n, const float *weights)
{
	struct work k = {
	    .q = q, .g = grid_get(q->grid), .nearest = nearest, .runs = QK_K / q->run, .groups = q->run / IQ2_GROUP};
	for (size_t at = 0; at < n; at += QK_K, dst = (char *)dst + q->block) {
		const float *w = weights ? weights + at : NULL;
		double error = refine_block_error(e, src + at, w, dst);
		struct choice best = {.error = FLT_MAX};
		if (!(error > 0 && error < FLT_MAX))
			continue;
		load(&k, src + at, w);
		refine_block(&k, dst, &best);
		pack(&k, &best, dst);
	}
}

/* ---- the primitive --------------------------------------------------------------------------------------------- */

/* Of half a point, by its packed levels: the error, and the least cost of a wrong sign. */
struct half_table {
	float error[256], wrong[256];
};

static void fill_half(const float *x, const float *w, float scale, struct half_table *t)
{
	float error[4][4], wrong[4][4];
	for (int i = 0; i < 4; i++)
		for (int l = 0; l < 3; l++) {
			float m = scale * iq2_magnitude[l], diff = x[i] - m;
			error[i][l] = w[i] * (diff * diff);
			wrong[i][l] = w[i] * x[i] * (m * 4);
		}
	for (int a = 0; a < 3; a++)
		for (int b = 0; b < 3; b++)
			for (int c = 0; c < 3; c++)
				for (int d = 0; d < 3; d++) {
					int at = a | b << 2 | c << 4 | d << 6;
					float low = wrong[0][a] < wrong[1][b] ? wrong[0][a] : wrong[1][b];
					float high = wrong[2][c] < wrong[3][d] ? wrong[2][c] : wrong[3][d];
					t->error[at] = error[0][a] + error[1][b] + (error[2][c] + error[3][d]);
					t->wrong[at] = low < high ? low : high;
				}
}

float iq2_nearest(const struct grid *g, const struct iq2_group *group, float scale, uint16_t *point)
{
	struct half_table low, high;
	float least = FLT_MAX;
	fill_half(group->x, group->w, scale, &low);
	fill_half(group->x + 4, group->w + 4, scale, &high);
	*point = g->point[0];
	for (int j = 0; j < g->points; j++) {
		int a = g->point[j] & 255, b = g->point[j] >> 8;
		float error = low.error[a] + high.error[b];
		if (group->odd)
			error += low.wrong[a] < high.wrong[b] ? low.wrong[a] : high.wrong[b];
		if (error < least) {
			least = error;
			*point = g->point[j];
		}
	}
	return least;
}
