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

static void scalar_symmetric(int run, int half, const float *x, const float *w, size_t n, float *scale)
{
	uint8_t code[SEARCH_MAX_RUN];
	for (size_t i = 0; i < n; i++)
		scale[i] = search_signed(run, half, x + i * run, w ? w + i * run : NULL, code);
}

static void scalar_descent(int run, int half, const float *x, size_t n, float *scale)
{
	uint8_t code[SEARCH_MAX_RUN];
	for (size_t i = 0; i < n; i++)
		scale[i] = search_descent(run, half, x + i * run, code);
}

static void scalar_codes(const float *x, size_t n, float shift, float d, int lo, int hi, uint8_t *code)
{
	for (size_t i = 0; i < n; i++)
		code[i] = clamp_int(nearest_int((x[i] + shift) / d), lo, hi) - lo;
}

const struct kquant_ops kquant_scalar = {scalar_affine, scalar_symmetric, scalar_descent, scalar_codes};

void kquant_search_affine(struct kquant_chunk *c, size_t runs)
{
	c->ops->affine(c->w ? c->k->weighted : c->k->own, c->x, c->w, runs, c->scale, c->min);
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

static uint16_t scale_codes(int n, int top, const float *v, const float *sum, uint8_t *code)
{
	if (sum)
		return half_of_float(search_positive(n, top, v, sum, code));
	float max = largest(n, v), inverse = max > 0 ? top / max : 0;
	for (int j = 0; j < n; j++)
		code[j] = nearest_int(inverse * v[j]);
	return half_of_float(max / top);
}

void kquant_scales(const struct kquant_chunk *c, size_t at, int top, uint8_t *scale, uint8_t *min, uint16_t *d,
		   uint16_t *dmin)
{
	size_t r = at / c->k->run;
	const float *sum = c->w ? c->sum + r : NULL;
	*d = scale_codes(QK_K / c->k->run, top, c->scale + r, sum, scale);
	*dmin = scale_codes(QK_K / c->k->run, top, c->min + r, sum, min);
}

/* Importance of columns into weights of numbers. */
static void weigh(struct kquant_chunk *c, size_t n, const float *importance)
{
	c->w = importance;
	if (!importance || c->k->variance == 0)
		return;
	c->w = c->weight;
	for (size_t i = 0; i < n; i += QK_K) {
		float variance = c->k->variance * search_sum_squares(c->x + i, QK_K) / QK_K;
		search_importance(c->x + i, importance + i, variance, QK_K, c->weight + i);
	}
	for (size_t i = 0; i < n; i++)
		c->sum[i / c->k->run] = (i % c->k->run ? c->sum[i / c->k->run] : 0) + c->w[i];
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
		weigh(&c, size, weights ? weights + done : NULL);
		k->search(&c, size / k->run);
		for (size_t at = 0; at < size; at += QK_K, block += k->block)
			k->finish(&c, at, block);
	}
}
