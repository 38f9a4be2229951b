/*
 * iq4.h - what IQ4_NL and IQ4_XS share: the values that codes choose from, the middles between them, the primitives that
 * take an encoder's time, and the fields of IQ4_XS's scales.
 */
#ifndef QUANT_IQ4_H
#define QUANT_IQ4_H

#include "bits.h"
#include "blocks.h"

#include <stddef.h>

enum { IQ4_TRIES = 7 /* scales tried on either side */, IQ4_RUNS = QK_K / QK };

/* clang-format off */
static const float iq4_value[16] = {
	-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};
static const float iq4_middle[15] = {
	-115.5f, -93.5f, -74, -57, -42, -28.5f, -16, -4.5f, 7, 19, 31.5f, 45.5f, 61, 79, 101,
};
/* clang-format on */

static inline int iq4_xs_scale(const struct block_iq4_xs *b, int j) /* -32 to 31 */
{
	return ((b->scales_l[j / 2] >> j % 2 * 4 & 15) | (b->scales_h >> 2 * j & 3) << 4) - 32;
}

static inline void iq4_xs_set_scales(struct block_iq4_xs *b, const int scale[IQ4_RUNS])
{
	uint16_t high = 0;
	for (int j = 0; j < IQ4_RUNS; j++)
		high |= (scale[j] + 32) >> 4 << 2 * j;
	for (int j = 0; j < IQ4_RUNS; j += 2)
		b->scales_l[j / 2] = ((scale[j] + 32) & 15) | ((scale[j + 1] + 32) & 15) << 4;
	b->scales_h = high;
}

static inline void iq4_decode_run(const uint8_t qs[QK / 2], float d, float *dst)
{
	for (int i = 0; i < QK; i++)
		dst[i] = d * iq4_value[qs[i % 16] >> i / 16 * 4 & 15];
}

/* An encoder is written once over these; a faster kernel is the same encoder with other ones (quant/iq4_lanes.h). */
struct iq4_ops {
	/* Sums of squares of n runs, front to back. */
	void (*squares)(const float *x, size_t run, size_t n, float *sum);
	/* The best scales of n runs of 32; importance NULL: the numbers' squares are their weights. */
	void (*search)(const float *x, const float *importance, const float *variance, size_t n, float *scale);
	/* The codes of a run of 32, whose numbers times inverse meet the values. */
	void (*codes)(const float *x, float inverse, uint8_t *qs);
};
extern const struct iq4_ops iq4_scalar;

void iq4_encode_nl(const struct iq4_ops *ops, const float *src, void *dst, size_t n, const float *weights);
void iq4_encode_xs(const struct iq4_ops *ops, const float *src, void *dst, size_t n, const float *weights);

void iq4_decode_nl(const void *const *plane, float *dst, size_t n);
void iq4_decode_xs(const void *const *plane, float *dst, size_t n);

/* Of quant/iq4_refine.c. */
void iq4_scalar_refine_nl(const float *src, void *const *plane, size_t n, const float *weights);
void iq4_scalar_refine_xs(const float *src, void *const *plane, size_t n, const float *weights);

#endif
