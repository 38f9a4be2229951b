/*
 * iq4_refine.c - IQ4_NL and IQ4_XS with more effort. Both signs of the scale are tried, since the values are not
 * symmetric. IQ4_XS's scales are chosen together with the half that they multiply.
 */
#include "iq4.h"
#include "refine_values.h"

/* clang-format off */
static const float tries[] = {
	-182, -174, -166, -158, -150, -142, -134, -126, -118, -110, -102, -94, -86, 78, 86, 94, 102, 110, 118, 126,
	134, 142, 150, 158,
};
/* clang-format on */

#define FIT {REFINE_IQ4, QK, sizeof tries / sizeof *tries, tries}

static void put_nl(void *block, uint16_t d, const float *x)
{
	struct block_iq4_nl *b = block;
	b->d = d;
	iq4_scalar.codes(x, float_of_half(d) != 0 ? 1 / float_of_half(d) : 0, b->qs);
}

void refine_iq4_nl(const struct value_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	static const struct refine_halves t = {FIT, sizeof(struct block_iq4_nl), put_nl};
	refine_halves(&t, ops, src, dst, n, weights);
}

/* ---- IQ4_XS ---------------------------------------------------------------------------------------------------- */

enum { BLOCKS = REFINE_CHUNK / QK_K, RUNS = BLOCKS * IQ4_RUNS };

/* A chunk of super-blocks at work. */
struct chunk {
	const struct value_ops *ops;
	const float *x, *w;
	size_t blocks;
	float d[BLOCKS];
	int8_t scale[RUNS];
	struct refine_sums s; /* for these */
};

static const struct refine_run fit = FIT;

static float as_half(float f)
{
	return float_of_half(half_of_float(f));
}

/* The sums of all runs whose scales are moved by `step`. */
static void sum_up(const struct chunk *c, int step, struct refine_sums *s)
{
	float scale[RUNS];
	for (size_t i = 0; i < c->blocks * IQ4_RUNS; i++)
		scale[i] = c->d[i / IQ4_RUNS] * (float)clamp_int(c->scale[i] + step, -32, 31);
	c->ops->sums(&fit, c->x, c->w, c->blocks * IQ4_RUNS, scale, s);
}

/* How far d's multiples are from the scales that the runs would like, and which multiples those are. */
static float miss(const float *want, const float *growth, float d, int8_t *scale)
{
	float inverse = d != 0 ? 1 / d : 0, sum = 0;
	for (int j = 0; j < IQ4_RUNS; j++) {
		int l = clamp_int(nearest_int(want[j] * inverse), -32, 31);
		float diff = want[j] - d * (float)l;
		sum += growth[j] * (diff * diff);
		scale[j] = (int8_t)l;
	}
	return sum;
}

/* The d that the largest scale is a multiple of, by 20 to 32 either way, and that misses the least. */
static float choose_half(const float *want, const float *growth, int8_t *scale)
{
	float max = 0, best_d = 0, least = INFINITY;
	for (int j = 0; j < IQ4_RUNS; j++)
		max = fabsf(want[j]) > fabsf(max) ? want[j] : max;
	for (int l = -32; l <= 31; l++) {
		int8_t try[IQ4_RUNS];
		if (l > -20 && l < 20)
			continue;
		float d = as_half(max / (float)l), missed = miss(want, growth, d, try);
		if (missed < least) {
			least = missed;
			best_d = d;
			memcpy(scale, try, sizeof try);
		}
	}
	return best_d;
}

/* Moves each run's scale by one where that helps. */
static void move_scales(struct chunk *c)
{
	struct refine_sums down, up;
	sum_up(c, 0, &c->s);
	sum_up(c, -1, &down);
	sum_up(c, 1, &up);
	for (size_t i = 0; i < c->blocks * IQ4_RUNS; i++) {
		const struct refine_sums *s = up.error[i] < down.error[i] ? &up : &down;
		if (!(s->error[i] < c->s.error[i]))
			continue;
		c->scale[i] = (int8_t)clamp_int(c->scale[i] + (s == &up ? 1 : -1), -32, 31);
		c->s.error[i] = s->error[i];
		c->s.xq[i] = s->xq[i];
		c->s.q2[i] = s->q2[i];
	}
}

static float block_error(const float *error)
{
	float sum = 0;
	for (int j = 0; j < IQ4_RUNS; j++)
		sum += error[j];
	return sum;
}

/* The d that fits all runs' values best, where it is the better. */
static void move_half(struct chunk *c)
{
	float old[BLOCKS];
	struct refine_sums s;
	memcpy(old, c->d, sizeof old);
	for (size_t b = 0; b < c->blocks; b++) {
		float xq = 0, q2 = 0;
		for (size_t i = b * IQ4_RUNS; i < (b + 1) * IQ4_RUNS; i++) {
			float l = c->scale[i];
			xq += l * c->s.xq[i];
			q2 += l * l * c->s.q2[i];
		}
		c->d[b] = q2 > 0 ? as_half(xq / q2) : old[b];
	}
	sum_up(c, 0, &s);
	for (size_t b = 0; b < c->blocks; b++)
		if (block_error(s.error + b * IQ4_RUNS) < block_error(c->s.error + b * IQ4_RUNS))
			memcpy(c->s.error + b * IQ4_RUNS, s.error + b * IQ4_RUNS, IQ4_RUNS * sizeof(float));
		else
			c->d[b] = old[b];
}

static void put_xs(const struct chunk *c, size_t at, struct block_iq4_xs *b)
{
	int scale[IQ4_RUNS];
	for (int j = 0; j < IQ4_RUNS; j++) {
		size_t i = at * IQ4_RUNS + (size_t)j;
		float d = c->d[at] * (float)c->scale[i];
		scale[j] = c->scale[i];
		iq4_scalar.codes(c->x + i * QK, d != 0 ? 1 / d : 0, b->qs + j * QK / 2);
	}
	b->d = half_of_float(c->d[at]);
	iq4_xs_set_scales(b, scale);
}

static void refine_xs_chunk(struct chunk *c, struct block_iq4_xs *b)
{
	float want[RUNS];
	struct refine_sums s;
	c->ops->fit(&fit, c->x, c->w, c->blocks * IQ4_RUNS, want, &s);
	for (size_t i = 0; i < c->blocks; i++)
		c->d[i] = choose_half(want + i * IQ4_RUNS, s.q2 + i * IQ4_RUNS, c->scale + i * IQ4_RUNS);
	move_scales(c);
	move_half(c);
	for (size_t i = 0; i < c->blocks; i++)
		if (isfinite(block_error(c->s.error + i * IQ4_RUNS)))
			put_xs(c, i, b + i);
}

void refine_iq4_xs(const struct value_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	struct block_iq4_xs *b = dst;
	for (size_t at = 0; at < n; at += REFINE_CHUNK, b += BLOCKS) {
		struct chunk c;
		c.ops = ops;
		c.x = src + at;
		c.w = weights ? weights + at : NULL;
		c.blocks = (n - at < REFINE_CHUNK ? n - at : REFINE_CHUNK) / QK_K;
		refine_xs_chunk(&c, b);
	}
}

void iq4_scalar_refine_nl(const float *src, void *const *plane, size_t n, const float *weights)
{
	refine_iq4_nl(&value_scalar, src, plane[0], n, weights);
}

void iq4_scalar_refine_xs(const float *src, void *const *plane, size_t n, const float *weights)
{
	refine_iq4_xs(&value_scalar, src, plane[0], n, weights);
}
