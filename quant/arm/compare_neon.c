/*
 * compare_neon.c - compare.c's sums with 2 doubles at a time, half of the lanes per turn so that the sums stay in
 * registers. The square of a float is exact in a double, as is the product of two, so that a fused addition rounds the
 * same; the square of an error is not.
 */
#if defined(__aarch64__)
#include "../compare.h"

#include <arm_neon.h>

enum { PIECE = 1024, HALF = COMPARE_LANES / 2, PAIRS = HALF / 2 };

struct half {
	float64x2_t sum_sq[PAIRS], sum_sq_out[PAIRS], dot[PAIRS], sum_sq_err[PAIRS], max_err[PAIRS];
};

static inline void add(struct half *h, int k, float32x2_t x, float32x2_t y)
{
	float64x2_t a = vcvt_f64_f32(x), b = vcvt_f64_f32(y), err = vsubq_f64(a, b);
	h->sum_sq[k] = vfmaq_f64(h->sum_sq[k], a, a);
	h->sum_sq_out[k] = vfmaq_f64(h->sum_sq_out[k], b, b);
	h->dot[k] = vfmaq_f64(h->dot[k], a, b);
	h->sum_sq_err[k] = vaddq_f64(h->sum_sq_err[k], vmulq_f64(err, err));
	h->max_err[k] = vmaxq_f64(h->max_err[k], vabsq_f64(err));
}

static inline uint32x4_t is_finite(float32x4_t v)
{
	return vcltq_u32(vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(0x7fffffff)), vdupq_n_u32(0x7f800000));
}

/* Four pairs for the sums from k on; a pair that is left out adds zeros. Returns how many are. */
static inline unsigned four(struct half *h, int k, const float *x, const float *y)
{
	float32x4_t a = vld1q_f32(x), b = vld1q_f32(y);
	uint32x4_t good = vandq_u32(is_finite(a), is_finite(b));
	a = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), good));
	b = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(b), good));
	add(h, k, vget_low_f32(a), vget_low_f32(b));
	add(h, k + 1, vget_high_f32(a), vget_high_f32(b));
	return 4 + vaddvq_u32(good); /* 0 or -1 each */
}

/* Pairs x[0..7], x[16..23] ... below n. */
static uint64_t run(struct half *to, const float *x, const float *y, size_t n)
{
	struct half h = *to;
	uint64_t left_out = 0;
	for (size_t i = 0; i < n; i += COMPARE_LANES)
		left_out += four(&h, 0, x + i, y + i) + four(&h, 2, x + i + 4, y + i + 4);
	*to = h;
	return left_out;
}

static void load(struct half *h, const struct compare_lanes *l, int at)
{
	for (int k = 0; k < PAIRS; k++, at += 2) {
		h->sum_sq[k] = vld1q_f64(l->sum_sq + at);
		h->sum_sq_out[k] = vld1q_f64(l->sum_sq_out + at);
		h->dot[k] = vld1q_f64(l->dot + at);
		h->sum_sq_err[k] = vld1q_f64(l->sum_sq_err + at);
		h->max_err[k] = vld1q_f64(l->max_err + at);
	}
}

static void store(const struct half *h, struct compare_lanes *l, int at)
{
	for (int k = 0; k < PAIRS; k++, at += 2) {
		vst1q_f64(l->sum_sq + at, h->sum_sq[k]);
		vst1q_f64(l->sum_sq_out + at, h->sum_sq_out[k]);
		vst1q_f64(l->dot + at, h->dot[k]);
		vst1q_f64(l->sum_sq_err + at, h->sum_sq_err[k]);
		vst1q_f64(l->max_err + at, h->max_err[k]);
	}
}

static void plain(const float *x, const float *y, size_t n, struct compare_lanes *l)
{
	struct half h[2];
	load(&h[0], l, 0);
	load(&h[1], l, HALF);
	for (size_t at = 0; at < n; at += PIECE) {
		size_t size = n - at < PIECE ? n - at : PIECE;
		l->nonfinite += run(&h[0], x + at, y + at, size);
		l->nonfinite += run(&h[1], x + at + HALF, y + at + HALF, size);
	}
	store(&h[0], l, 0);
	store(&h[1], l, HALF);
}

/* 2 pairs; zeros are added for those that are not good. */
static inline void add_weighted(float64x2_t *sq, float64x2_t *err, float32x2_t x, float32x2_t y, float32x2_t w, uint32x2_t good)
{
	float64x2_t a = vcvt_f64_f32(x), e = vsubq_f64(a, vcvt_f64_f32(y)), weight = vcvt_f64_f32(w);
	uint64x2_t keep = vreinterpretq_u64_s64(vmovl_s32(vreinterpret_s32_u32(good)));
	float64x2_t more = vmulq_f64(weight, vmulq_f64(a, a)), less = vmulq_f64(weight, vmulq_f64(e, e));
	*sq = vaddq_f64(*sq, vreinterpretq_f64_u64(vandq_u64(vreinterpretq_u64_f64(more), keep)));
	*err = vaddq_f64(*err, vreinterpretq_f64_u64(vandq_u64(vreinterpretq_u64_f64(less), keep)));
}

static void weighted(const float *x, const float *y, const float *w, size_t n, struct compare_weighted_lanes *l)
{
	float64x2_t sq[2 * PAIRS], err[2 * PAIRS];
	for (int k = 0; k < 2 * PAIRS; k++) {
		sq[k] = vld1q_f64(l->sq + 2 * k);
		err[k] = vld1q_f64(l->err + 2 * k);
	}
	for (size_t i = 0; i < n; i += COMPARE_LANES)
		for (int k = 0; k < 2 * PAIRS; k += 2) {
			float32x4_t a = vld1q_f32(x + i + 2 * k), b = vld1q_f32(y + i + 2 * k), c = vld1q_f32(w + i + 2 * k);
			uint32x4_t good = vandq_u32(is_finite(a), is_finite(b));
			add_weighted(&sq[k], &err[k], vget_low_f32(a), vget_low_f32(b), vget_low_f32(c), vget_low_u32(good));
			add_weighted(&sq[k + 1], &err[k + 1], vget_high_f32(a), vget_high_f32(b), vget_high_f32(c),
				     vget_high_u32(good));
		}
	for (int k = 0; k < 2 * PAIRS; k++) {
		vst1q_f64(l->sq + 2 * k, sq[k]);
		vst1q_f64(l->err + 2 * k, err[k]);
	}
}

const struct compare_ops compare_neon = {plain, weighted};
#endif
