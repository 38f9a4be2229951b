/*
 * kquant_lanes.h - the primitives of kquant.h by the searches in lanes. To be included after a lanes_ISA.h.
 */
#ifndef QUANT_KQUANT_LANES_H
#define QUANT_KQUANT_LANES_H

#include "kquant.h"
#include "search_lanes.h"

/* Bit k: run at + k is wild. */
LANE_FN uint64_t all_wild(const struct lanes_found found[ABREAST])
{
	uint64_t all = 0;
	for (int g = 0; g < ABREAST; g++)
		all |= (uint64_t)found[g].wild << g * LANES;
	return all;
}

LANE_FN void lanes_affine_runs(const struct search_affine *s, int run, const float *x, const float *w, size_t n,
			       float *scale, float *min)
{
	for (size_t at = 0; at < n; at += ABREAST * LANES) {
		struct lanes_runs r[ABREAST];
		struct lanes_found found[ABREAST];
		lanes_load_abreast(x, w, run, at, n, r);
		EACH(g)
			if (!w)
				lanes_own_weights(s, run, &r[g]);
		lanes_search_affine(s, run, r, found);
		for (size_t g = 0, k = at; g < ABREAST && k < n; g++, k += LANES) {
			lanes_put(found[g].scale, n - k, scale + k);
			lanes_put(found[g].min, n - k, min + k);
		}
		for (uint64_t k = at, wild = all_wild(found); wild && k < n; k++, wild >>= 1)
			if (wild & 1)
				kquant_scalar.affine(s, x + k * run, w ? w + k * run : NULL, 1, scale + k, min + k);
	}
}

/* Twice, so that the compiler sees how long a run is. */
static LANES_TARGET void lanes_affine(const struct search_affine *s, const float *x, const float *w, size_t n,
				      float *scale, float *min)
{
	if (s->run == 16)
		lanes_affine_runs(s, 16, x, w, n, scale, min);
	else
		lanes_affine_runs(s, 32, x, w, n, scale, min);
}

/* code[k * run + i] = from[i][k] for up to n runs. */
LANE_FN void lanes_put_codes(int run, uint8_t from[][LANES], size_t n, uint8_t *code)
{
	for (size_t k = 0; k < LANES && k < n; k++)
		for (int i = 0; i < run; i++)
			code[k * run + i] = from[i][k];
}

/* All k-quants with signed codes have runs of 16. */
static LANES_TARGET void lanes_symmetric(int half, const float *x, const float *w, size_t n, float *scale, uint8_t *code)
{
	enum { RUN = KQUANT_SIGNED_RUN };
	for (size_t at = 0; at < n; at += ABREAST * LANES) {
		struct lanes_runs r[ABREAST];
		struct lanes_found found[ABREAST];
		uint8_t turned[RUN][LANES];
		lanes_load_abreast(x, w, RUN, at, n, r);
		EACH(g)
			for (int i = 0; i < RUN && !w; i++)
				v_store(r[g].w[i], v_load(r[g].x[i]) * v_load(r[g].x[i]));
		lanes_search_signed(RUN, half, r, found);
		for (size_t g = 0, k = at; g < ABREAST && k < n; g++, k += LANES) {
			lanes_put(found[g].scale, n - k, scale + k);
			if (!code)
				continue;
			lanes_found_codes(RUN, &r[g], &found[g], -half, half - 1, turned);
			lanes_put_codes(RUN, turned, n - k, code + k * RUN);
		}
		for (uint64_t k = at, wild = all_wild(found); wild && k < n; k++, wild >>= 1)
			if (wild & 1)
				kquant_scalar.symmetric(half, x + k * RUN, w ? w + k * RUN : NULL, 1, scale + k,
							code ? code + k * RUN : NULL);
	}
}

static LANES_TARGET void lanes_descent(int half, const float *x, size_t n, float *scale)
{
	for (size_t at = 0; at < n; at += ABREAST * LANES) {
		struct lanes_runs r[ABREAST];
		vf out[ABREAST];
		lanes_load_abreast(x, NULL, KQUANT_SIGNED_RUN, at, n, r);
		lanes_search_descent(KQUANT_SIGNED_RUN, half, r, out);
		for (size_t g = 0, k = at; g < ABREAST && k < n; g++, k += LANES)
			lanes_put(out[g], n - k, scale + k);
	}
}

LANE_FN void lanes_positive_runs(int run, int top, const float *x, const float *w, size_t n, float *scale,
				 uint8_t *code)
{
	for (size_t at = 0; at < n; at += ABREAST * LANES) {
		struct lanes_runs r[ABREAST];
		lanes_code found[ABREAST];
		uint8_t turned[SEARCH_MAX_RUN][LANES];
		vf out[ABREAST];
		lanes_load_abreast(x, w, run, at, n, r);
		lanes_search_positive(run, top, r, out, found);
		for (size_t g = 0, k = at; g < ABREAST && k < n; g++, k += LANES) {
			lanes_put(out[g], n - k, scale + k);
			for (int i = 0; i < run; i++)
				i_store_bytes(turned[i], v_nearest_int(v_load(found[g][i])));
			lanes_put_codes(run, turned, n - k, code + k * run);
		}
	}
}

static LANES_TARGET void lanes_positive(int run, int top, const float *x, const float *w, size_t n, float *scale,
					uint8_t *code)
{
	if (run == 16)
		lanes_positive_runs(16, top, x, w, n, scale, code);
	else
		lanes_positive_runs(8, top, x, w, n, scale, code);
}

/* Sums of squares of up to LANES super-blocks. */
LANE_FN vf lanes_squares(const float *x, size_t n)
{
	float part[16][LANES];
	vf sum = v_set(0);
	const float *p[LANES];
	for (size_t k = 0; k < LANES; k++)
		p[k] = x + (k < n ? k : 0) * QK_K;
	for (int at = 0; at < QK_K; at += 16) {
		for (int i = 0; i < 16; i += TURN)
			for (int k = 0; k < LANES; k += TURN)
				turn(p + k, at + i, &part[i][k]);
		for (int i = 0; i < 16; i++)
			sum += v_load(part[i]) * v_load(part[i]);
	}
	return sum;
}

static LANES_TARGET void lanes_weigh(float factor, const float *x, const float *importance, size_t n, float *w)
{
	for (size_t at = 0; at < n; at += LANES * QK_K) {
		float variance[LANES];
		size_t blocks = (n - at) / QK_K < LANES ? (n - at) / QK_K : LANES;
		v_store(variance, v_set(factor) * lanes_squares(x + at, blocks) / v_set(QK_K));
		for (size_t i = 0; i < blocks * QK_K; i += LANES) {
			vf v = v_load(x + at + i);
			v = v_load(importance + at + i) * v_sqrt(v_set(variance[i / QK_K]) + v * v);
			v_store(w + at + i, v);
		}
	}
}

LANE_FN void lanes_run_sums(int run, const float *w, size_t n, float *sum)
{
	for (size_t at = 0; at < n; at += LANES) {
		float turned[SEARCH_MAX_RUN][LANES];
		vf v;
		lanes_load(w + at * run, run, n - at, turned);
		v = v_load(turned[0]);
		for (int i = 1; i < run; i++)
			v += v_load(turned[i]);
		lanes_put(v, n - at, sum + at);
	}
}

static LANES_TARGET void lanes_sums_of(int run, const float *w, size_t n, float *sum)
{
	if (run == 16)
		lanes_run_sums(16, w, n, sum);
	else
		lanes_run_sums(32, w, n, sum);
}

static LANES_TARGET void lanes_codes(const float *x, size_t n, float shift, float d, int lo, int hi, uint8_t *code)
{
	for (size_t i = 0; i < n; i += LANES) {
		vi l = v_nearest_int((v_load(x + i) + v_set(shift)) / v_set(d));
		i_store_bytes(code + i, i_sub(i_clamp(l, lo, hi), i_set(lo)));
	}
}

static const struct kquant_ops lanes_ops = {
	.affine = lanes_affine,
	.symmetric = lanes_symmetric,
	.descent = lanes_descent,
	.positive = lanes_positive,
	.weigh = lanes_weigh,
	.sums = lanes_sums_of,
	.codes = lanes_codes,
};

/* The row of one k-quant, by its bits. */
#define KQUANT_KERNEL(bits, isa_name, isa_value)                                                                       \
	static void encode_q##bits(const float *src, void *const *plane, size_t n, const float *weights)               \
	{                                                                                                              \
		kquant_encode(&kquant_q##bits, &lanes_ops, src, plane[0], n, weights);                                 \
	}                                                                                                              \
	const struct quant_kernel kernel_q##bits##_k_##isa_name = {                                                    \
		.encoding = "q" #bits "_k",                                                                            \
		.isa = isa_value,                                                                                      \
		.encode = encode_q##bits,                                                                              \
	};

#endif
