/*
 * iq1_refine.c - the search of iq1_refine.h, and its scalar primitives.
 */
#include "iq1_refine.h"
#include "bits.h"

#include <float.h>

/* ---- primitives ------------------------------------------------------------------------------------------------ */

static void round_group(const float *x, const float *w, float scale, int minus, float *error, int32_t *slot)
{
	const float *level = iq1_level[minus], *middle = iq1_middle[minus];
	*error = 0;
	*slot = 0;
	for (int i = 0; i < IQ1_GROUP; i++) {
		int code = x[i] < scale * middle[0] ? 0 : x[i] < scale * middle[1] ? 1 : 2;
		float diff = scale * level[code] - x[i];
		*error += w[i] * diff * diff;
		*slot += code * iq1_digit[i];
	}
}

static void round_runs(int run, const float *x, const float *w, size_t n, const float *d, struct iq1_tries *t)
{
	for (size_t k = 0; k < n; k++)
		for (int code = 0; code < IQ1_SCALES; code++)
			for (int minus = 0; minus < 2; minus++)
				for (int g = 0; g < run / IQ1_GROUP; g++) {
					size_t at = k * (size_t)run + (size_t)g * IQ1_GROUP;
					round_group(x + at, w + at, d[k] * (float)(2 * code + 1), minus,
						    &t->error[code][minus][g][k], &t->slot[code][minus][g][k]);
				}
}

static unsigned nearest(const struct grid *g, const struct grid_near *near, const float *x, const float *w, float scale,
			const float *level, float *error)
{
	unsigned packed = grid_nearest(g, near, x, w, scale, level);
	*error = 0;
	for (int i = 0; i < IQ1_GROUP; i++) {
		float diff = scale * level[grid_level(g, packed, i)] - x[i];
		*error += w[i] * diff * diff;
	}
	*error = *error < FLT_MAX ? *error : INFINITY;
	return packed;
}

static const struct iq1_refine_ops scalar = {round_runs, nearest};

/* ---- search ---------------------------------------------------------------------------------------------------- */

struct shape {
	const struct heft_encoding *e;
	int run;
	bool own_shifts; /* each group has its own shift; else the run's groups share one */
	void (*pack)(const struct iq1_parts *p, void *block);
	float (*d)(const void *block);
};

/* A run of those whose tries are known. */
struct place {
	const struct shape *s;
	const struct iq1_refine_ops *ops;
	const struct iq1_tries *t;
	const float *x, *w;
	float d;
	size_t k; /* in t */
};

struct choice {
	float error;
	uint8_t scale, minus;
	uint16_t packed[IQ1_MAX_GROUPS];
};

/* A group's point, and its error. */
static float place_group(const struct place *p, int scale, int minus, int g, uint16_t *packed)
{
	const struct grid *grid = grid_get(GRID_IQ1_S);
	const struct grid_near *near = grid->near + p->t->slot[scale][minus][g][p->k];
	float error = p->t->error[scale][minus][g][p->k];
	*packed = grid->list[near->first];
	if (near->index < 0)
		*packed = (uint16_t)p->ops->nearest(grid, near, p->x + g * IQ1_GROUP, p->w + g * IQ1_GROUP,
						    p->d * (float)(2 * scale + 1), iq1_level[minus], &error);
	return error;
}

/* The same with the better of both shifts. */
static float place_either(const struct place *p, int scale, int g, struct choice *c)
{
	float bound[2] = {p->t->error[scale][0][g][p->k], p->t->error[scale][1][g][p->k]};
	int minus = bound[1] < bound[0];
	float error = place_group(p, scale, minus, g, &c->packed[g]);
	if (bound[!minus] < error) {
		uint16_t packed;
		float other = place_group(p, scale, !minus, g, &packed);
		if (other < error) {
			error = other;
			minus = !minus;
			c->packed[g] = packed;
		}
	}
	c->minus |= (uint8_t)(minus << g);
	return error;
}

/* The least error that a group can have in a try. Try `at` is a scale where groups have their own shifts, else
 * 2 * scale + shift. */
static float bound_of(const struct place *p, int at, int g)
{
	int scale = p->s->own_shifts ? at : at / 2;
	float up = p->t->error[scale][0][g][p->k], down = p->t->error[scale][1][g][p->k];
	return p->s->own_shifts ? (down < up ? down : up) : at % 2 ? down : up;
}

/* `bound` is that of the whole run. The error grows as groups are placed; the try ends once it cannot be the best. */
static void try_one(const struct place *p, int at, float bound, struct choice *best)
{
	struct choice c = {.error = bound, .scale = (uint8_t)(p->s->own_shifts ? at : at / 2)};
	for (int g = 0; g < p->s->run / IQ1_GROUP; g++) {
		float error = p->s->own_shifts ? place_either(p, c.scale, g, &c)
					       : place_group(p, c.scale, at % 2, g, &c.packed[g]);
		c.error += error - bound_of(p, at, g);
		if (!(c.error < best->error))
			return;
	}
	if (!p->s->own_shifts && at % 2)
		c.minus = (1 << p->s->run / IQ1_GROUP) - 1;
	*best = c;
}

/* The try that promises most comes first: few others are then worth placing. */
static struct choice choose(const struct place *p)
{
	struct choice best = {.error = INFINITY};
	float bound[2 * IQ1_SCALES];
	int tries = p->s->own_shifts ? IQ1_SCALES : 2 * IQ1_SCALES, first = 0;
	for (int at = 0; at < tries; at++) {
		bound[at] = 0;
		for (int g = 0; g < p->s->run / IQ1_GROUP; g++)
			bound[at] += bound_of(p, at, g);
		if (bound[at] < bound[first])
			first = at;
	}
	try_one(p, first, bound[first], &best);
	for (int at = 0; at < tries; at++)
		if (at != first && bound[at] < best.error)
			try_one(p, at, bound[at], &best);
	return best;
}

/* A super-block at work. */
struct block {
	const float *x, *w;
	float d, best_d, best;
	struct choice now[QK_K / 16], chosen[QK_K / 16];
};

/* The d that fits a block's choices best. */
static float refit(const struct shape *s, const struct block *b)
{
	double xq = 0, q2 = 0;
	for (int i = 0; i < QK_K; i++) {
		const struct choice *c = &b->now[i / s->run];
		int g = i % s->run / IQ1_GROUP, code = c->packed[g] >> 2 * (i % IQ1_GROUP) & 3;
		float q = iq1_levels(c->minus, g)[code] * (float)(2 * c->scale + 1);
		double wq = (double)b->w[i] * q;
		xq += wq * b->x[i];
		q2 += wq * q;
	}
	return q2 > 0 ? float_of_half(half_of_float((float)(xq / q2))) : 0;
}

static bool usable(float d)
{
	return d > 0 && d < INFINITY;
}

/* All runs of n blocks, one after another in x, with their d; the choices where they are the best so far. */
static void choose_all(const struct shape *s, const struct iq1_refine_ops *ops, size_t n, struct block *b)
{
	struct iq1_tries t;
	float d[IQ1_TRY_RUNS] = {0};
	size_t runs = QK_K / (size_t)s->run;
	for (size_t k = 0; k < n * runs; k++)
		d[k] = b[k / runs].d;
	ops->round(s->run, b->x, b->w, n * runs, d, &t);
	for (size_t i = 0; i < n; i++, b++) {
		float error = 0;
		for (size_t j = 0; j < runs && usable(b->d); j++) {
			struct place p = {s, ops, &t, b->x + j * (size_t)s->run, b->w + j * (size_t)s->run, b->d, i * runs + j};
			b->now[j] = choose(&p);
			error += b->now[j].error;
		}
		if (usable(b->d) && error < b->best) {
			b->best = error;
			b->best_d = b->d;
			memcpy(b->chosen, b->now, sizeof b->now);
		}
	}
}

static void parts_of(const struct shape *s, const struct block *b, struct iq1_parts *p)
{
	const struct grid *grid = grid_get(GRID_IQ1_S);
	memset(p, 0, sizeof *p);
	p->d = half_of_float(b->best_d);
	for (int j = 0; j < QK_K / s->run; j++) {
		p->scale[j] = b->chosen[j].scale;
		p->run[j].minus = b->chosen[j].minus;
		for (int g = 0; g < s->run / IQ1_GROUP; g++)
			p->run[j].index[g] = (uint16_t)grid->near[iq1_slot(b->chosen[j].packed[g])].index;
	}
}

/* Values of d that are tried, of the encoder's; each is fitted and tried again. The encoder's is too large for most. */
static const float starts[] = {1, 0.85f, 0.7f};
enum { STARTS = sizeof starts / sizeof starts[0], ROUNDS = 2 };

static void refine_blocks(const struct shape *s, const struct iq1_refine_ops *ops, const float *x, const float *w,
			  size_t n, uint8_t *bytes)
{
	struct block b[IQ1_TRY_RUNS / (QK_K / IQ1_MAX_RUN)] = {0};
	size_t size = s->e->plane[0].bytes;
	for (size_t i = 0; i < n; i++)
		b[i] = (struct block){.x = x + i * QK_K, .w = w + i * QK_K, .best = FLT_MAX};
	for (int k = 0; k < STARTS * ROUNDS; k++) {
		for (size_t i = 0; i < n; i++)
			b[i].d = k % ROUNDS ? (usable(b[i].d) ? refit(s, &b[i]) : 0)
					    : float_of_half(half_of_float(s->d(bytes + i * size) * starts[k / ROUNDS]));
		choose_all(s, ops, n, b);
	}
	for (size_t i = 0; i < n; i++) {
		struct iq1_parts p;
		if (!(b[i].best < FLT_MAX))
			continue;
		parts_of(s, &b[i], &p);
		s->pack(&p, bytes + i * size);
	}
}

static void refine(const struct shape *s, const struct iq1_refine_ops *ops, const float *src, void *const *plane,
		   size_t n, const float *weights)
{
	static const float ones[2 * QK_K] = {[0 ... 2 * QK_K - 1] = 1};
	size_t step = (size_t)IQ1_TRY_RUNS * (size_t)s->run;
	for (size_t at = 0; at < n; at += step) {
		size_t blocks = (n - at < step ? n - at : step) / QK_K;
		refine_blocks(s, ops, src + at, weights ? weights + at : ones, blocks,
			      (uint8_t *)plane[0] + at / QK_K * s->e->plane[0].bytes);
	}
}

extern const struct heft_encoding quant_iq1_s, quant_iq1_m;

void iq1_s_refine(const struct iq1_refine_ops *ops, const float *src, void *const *plane, size_t n, const float *weights)
{
	static const struct shape s = {&quant_iq1_s, 32, false, iq1_s_pack, iq1_s_d};
	refine(&s, ops, src, plane, n, weights);
}

void iq1_m_refine(const struct iq1_refine_ops *ops, const float *src, void *const *plane, size_t n, const float *weights)
{
	static const struct shape s = {&quant_iq1_m, 16, true, iq1_m_pack, iq1_m_d};
	refine(&s, ops, src, plane, n, weights);
}

void iq1_s_refine_scalar(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq1_s_refine(&scalar, src, plane, n, weights);
}

void iq1_m_refine_scalar(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq1_m_refine(&scalar, src, plane, n, weights);
}
