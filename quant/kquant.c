/*
 * kquant.c - the shared parts of the k-quants' encoders, and their scalar primitives.
 */
#include "kquant.h"
#include "bits.h"

static void scalar_affine(const struct search_affine *s, const float *x, const float *w, size_t n, float *scale,
			  float *min)
{
	uint8_t code[SEARCH_MAX_RUN];
	float own[SEARCH_MAX_RUN];
	for (size_t i = 0; i < n; i++, x += s->run) {
		if (!w)
			search_affine_weights(s, x, own);
		scale[i] = search_affine(s, x, w ? w + i * s->run : own, code, &min[i]);
	}
}

static void scalar_symmetric(int half, const float *x, const float *w, size_t n, float *scale, uint8_t *code)
{
	enum { RUN = KQUANT_SIGNED_RUN };
	uint8_t own[RUN] = {0};
	for (size_t i = 0; i < n; i++)
		scale[i] = search_signed(RUN, half, x + i * RUN, w ? w + i * RUN : NULL, code ? code + i * RUN : own);
}

static void scalar_descent(int half, const float *x, size_t n, float *scale)
{
	uint8_t code[KQUANT_SIGNED_RUN];
	for (size_t i = 0; i < n; i++)
		scale[i] = search_descent(KQUANT_SIGNED_RUN, half, x + i * KQUANT_SIGNED_RUN, code);
}

static void scalar_positive(int run, int top, const float *x, const float *w, size_t n, float *scale, uint8_t *code)
{
	for (size_t i = 0; i < n * run; i += run)
		*scale++ = search_positive(run, top, x + i, w + i, code + i);
}

static void scalar_weigh(float factor, const float *x, const float *importance, size_t n, float *w)
{
	for (size_t i = 0; i < n; i += QK_K) {
		float variance = factor * search_sum_squares(x + i, QK_K) / QK_K;
		search_importance(x + i, importance + i, variance, QK_K, w + i);
	}
}

static void scalar_sums(int run, const float *w, size_t n, float *sum)
{
	for (size_t i = 0; i < n; i++, w += run) {
		sum[i] = w[0];
		for (int k = 1; k < run; k++)
			sum[i] += w[k];
	}
}

static void scalar_codes(const float *x, size_t n, float shift, float d, int lo, int hi, uint8_t *code)
{
	for (size_t i = 0; i < n; i++)
		code[i] = clamp_int(nearest_int((x[i] + shift) / d), lo, hi) - lo;
}

const struct kquant_ops kquant_scalar = {
	.affine = scalar_affine,
	.symmetric = scalar_symmetric,
	.descent = scalar_descent,
	.positive = scalar_positive,
	.weigh = scalar_weigh,
	.sums = scalar_sums,
	.codes = scalar_codes,
};

void kquant_search_affine(struct kquant_chunk *c, size_t runs)
{
	int per_block = QK_K / c->k->run;
	c->ops->affine(c->w ? c->k->weighted : c->k->own, c->x, c->w, runs, c->scale, c->min);
	if (c->w) /* scales and minimums alike */
		c->ops->positive(per_block, c->k->scale_top, c->scale, c->sum, 2 * runs / per_block, c->d,
				 c->scale_code);
}

void kquant_searched_affine(const struct kquant_chunk *c, size_t at, uint8_t *code)
{
	float own[SEARCH_MAX_RUN], min;
	if (!c->w)
		search_affine_weights(c->k->own, c->x + at, own);
	search_affine(c->w ? c->k->weighted : c->k->own, c->x + at, c->w ? c->w + at : own, code, &min);
}

void kquant_codes(const struct kquant_chunk *c, size_t at, float shift, float d, uint8_t *code)
{
	if (d != 0)
		c->ops->codes(c->x + at, c->k->run, shift, d, c->k->lo, c->k->hi, code);
	else
		c->k->searched(c, at, code);
}

static float largest(int n, const float *v)
{
	float max = 0;
	for (int i = 0; i < n; i++)
		if (v[i] > max)
			max = v[i];
	return max;
}

static uint16_t scale_codes(int n, int top, const float *v, uint8_t *code)
{
	float max = largest(n, v), inverse = max > 0 ? top / max : 0;
	for (int j = 0; j < n; j++)
		code[j] = nearest_int(inverse * v[j]);
	return half_of_float(max / top);
}

void kquant_scales(const struct kquant_chunk *c, size_t at, uint8_t *scale, uint8_t *min, uint16_t *d, uint16_t *dmin)
{
	int n = QK_K / c->k->run, top = c->k->scale_top;
	size_t r = at / c->k->run, runs = (size_t)(c->min - c->scale);
	if (c->w) {
		memcpy(scale, c->scale_code + r, n);
		memcpy(min, c->scale_code + runs + r, n);
		*d = half_of_float(c->d[r / n]);
		*dmin = half_of_float(c->d[(runs + r) / n]);
		return;
	}
	*d = scale_codes(n, top, c->scale + r, scale);
	*dmin = scale_codes(n, top, c->min + r, min);
}

/* Importance of columns into weights of numbers. */
static void weigh(struct kquant_chunk *c, size_t n, const float *importance)
{
	size_t runs = n / c->k->run;
	c->w = importance;
	if (!importance || c->k->variance == 0)
		return;
	c->w = c->weight;
	c->ops->weigh(c->k->variance, c->x, importance, n, c->weight);
	c->ops->sums(c->k->run, c->weight, runs, c->sum);
	memcpy(c->sum + runs, c->sum, runs * sizeof *c->sum);
}

void kquant_encode(const struct kquant *k, const struct kquant_ops *ops, const float *src, void *dst, size_t n,
		   const float *weights)
{
	struct kquant_chunk c;
	uint8_t *block = dst;
	c.k = k;
	c.ops = ops;
	for (size_t done = 0, size; done < n; done += size) {
		size = n - done < KQUANT_CHUNK ? n - done : KQUANT_CHUNK;
		c.x = src + done;
		c.min = c.scale + size / k->run;
		weigh(&c, size, weights ? weights + done : NULL);
		k->search(&c, size / k->run);
		for (size_t at = 0; at < size; at += QK_K, block += k->block)
			k->finish(&c, at, block);
	}
}
