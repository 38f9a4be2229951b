/*
 * refine_shapes.c - the encodings that refine_runs.c searches: their parts in their bytes, and how far to search.
 */
#include "blocks.h"
#include "refine_runs.h"

#include <string.h>

static void unpack_q2_k(const void *block, struct refine_parts *p)
{
	const struct block_q2_k *b = block;
	p->d = b->d;
	p->dmin = b->dmin;
	for (int j = 0; j < 16; j++) {
		p->scale[j] = b->scales[j] & 15;
		p->min[j] = b->scales[j] >> 4;
	}
}

static void pack_q2_k(void *block, const struct refine_parts *p)
{
	struct block_q2_k *b = block;
	b->d = p->d;
	b->dmin = p->dmin;
	for (int j = 0; j < 16; j++)
		b->scales[j] = p->scale[j] | p->min[j] << 4;
	pack_quarters(b->qs, p->code);
}

static void unpack_q3_k(const void *block, struct refine_parts *p)
{
	const struct block_q3_k *b = block;
	p->d = b->d;
	p->dmin = 0;
	for (int j = 0; j < 16; j++) {
		p->scale[j] = unpack_scale_q3(b->scales, j);
		p->min[j] = 0;
	}
}

static void pack_q3_k(void *block, const struct refine_parts *p)
{
	struct block_q3_k *b = block;
	uint8_t scale[16];
	b->d = p->d;
	for (int j = 0; j < 16; j++)
		scale[j] = p->scale[j] + 32;
	pack_scales_q3(b->scales, scale);
	pack_quarters(b->qs, p->code);
	pack_bit(b->hmask, p->code, 2);
}

static void unpack_q4_k(const void *block, struct refine_parts *p)
{
	const struct block_q4_k *b = block; /* q5_k begins alike */
	p->d = b->d;
	p->dmin = b->dmin;
	for (int j = 0; j < 8; j++) {
		uint8_t scale;
		unpack_scale_min(b->scales, j, &scale, &p->min[j]);
		p->scale[j] = scale;
	}
}

static void pack_q4_k(void *block, const struct refine_parts *p)
{
	struct block_q4_k *b = block;
	b->d = p->d;
	b->dmin = p->dmin;
	pack_scale_min(b->scales, (const uint8_t *)p->scale, p->min);
	pack_nibbles(b->qs, p->code);
}

#define unpack_q5_k unpack_q4_k

static void pack_q5_k(void *block, const struct refine_parts *p)
{
	struct block_q5_k *b = block;
	b->d = p->d;
	b->dmin = p->dmin;
	pack_scale_min(b->scales, (const uint8_t *)p->scale, p->min);
	pack_nibbles(b->qs, p->code);
	pack_bit(b->qh, p->code, 4);
}

static void unpack_q6_k(const void *block, struct refine_parts *p)
{
	const struct block_q6_k *b = block;
	p->d = b->d;
	p->dmin = 0;
	memcpy(p->scale, b->scales, 16);
	memset(p->min, 0, 16);
}

static void pack_q6_k(void *block, const struct refine_parts *p)
{
	struct block_q6_k *b = block;
	b->d = p->d;
	memcpy(b->scales, p->scale, 16);
	pack_sixes(b->ql, b->qh, p->code);
}

/* Simple blocks begin with their halves. */
static void unpack_q4_0(const void *block, struct refine_parts *p)
{
	const struct block_q4_0 *b = block;
	*p = (struct refine_parts){.d = b->d, .scale = {1}};
}

static void unpack_q4_1(const void *block, struct refine_parts *p)
{
	const struct block_q4_1 *b = block;
	*p = (struct refine_parts){.d = b->d, .dmin = b->m ^ 0x8000, .scale = {1}, .min = {1}};
}

#define unpack_q5_0 unpack_q4_0
#define unpack_q8_0 unpack_q4_0
#define unpack_q5_1 unpack_q4_1

static void pack_q4_0(void *block, const struct refine_parts *p)
{
	struct block_q4_0 *b = block;
	b->d = p->d;
	pack_halves(b->qs, p->code);
}

static void pack_q5_0(void *block, const struct refine_parts *p)
{
	struct block_q5_0 *b = block;
	b->d = p->d;
	b->qh = pack_halves(b->qs, p->code);
}

static void pack_q4_1(void *block, const struct refine_parts *p)
{
	struct block_q4_1 *b = block;
	b->d = p->d;
	b->m = p->dmin ^ 0x8000;
	pack_halves(b->qs, p->code);
}

static void pack_q5_1(void *block, const struct refine_parts *p)
{
	struct block_q5_1 *b = block;
	b->d = p->d;
	b->m = p->dmin ^ 0x8000;
	b->qh = pack_halves(b->qs, p->code);
}

static void pack_q8_0(void *block, const struct refine_parts *p)
{
	struct block_q8_0 *b = block;
	b->d = p->d;
	for (int i = 0; i < QK; i++)
		b->qs[i] = (int8_t)(p->code[i] - 128);
}

#define SIGNED(half) .lo = -(half), .hi = (half) - 1
#define BETWEEN(a, b, tries) {(a), ((b) - (a)) / (float)((tries) - 1), (tries)}
#define ONE(a) {(a), 0, 1}
#define SUPER(numbers) .run = (numbers), .runs = QK_K / (numbers)
#define SIMPLE .run = QK, .runs = 1, .scale_lo = 1, .scale_hi = 1, .d = ONE(1), .dmin = ONE(1)
#define BITS(name) .unpack = unpack_##name, .pack = pack_##name

/* How far to search is chosen by what a wider search still finds: less than a fiftieth of what this one does. */
#define SHAPE(name, ...)                                                                                               \
	extern const struct heft_encoding quant_##name;                                                                \
	const struct refine_shape refine_shape_##name = {.encoding = &quant_##name, __VA_ARGS__};                      \
	void refine_##name(const float *src, void *const *plane, size_t n, const float *weights)                       \
	{                                                                                                              \
		refine_runs(&refine_shape_##name, &refine_scalar, src, plane[0], n, weights);                          \
	}

/* clang-format off */
SHAPE(q4_0, SIMPLE, SIGNED(8), BITS(q4_0),
      .fit = BETWEEN(5.5f, 11.0f, 24), .fit_weighted = BETWEEN(3.0f, 13.0f, 28))
SHAPE(q5_0, SIMPLE, SIGNED(16), BITS(q5_0),
      .fit = BETWEEN(12.5f, 19.0f, 24), .fit_weighted = BETWEEN(7.0f, 23.0f, 36))
SHAPE(q8_0, SIMPLE, SIGNED(128), BITS(q8_0),
      .fit = BETWEEN(119.0f, 129.5f, 56), .fit_weighted = BETWEEN(100.0f, 136.0f, 80))
SHAPE(q4_1, SIMPLE, .hi = 15, .min_hi = 1, BITS(q4_1),
      .fit = BETWEEN(-0.4f, 1.2f, 7), .fit_weighted = BETWEEN(-1.0f, 4.0f, 9))
SHAPE(q5_1, SIMPLE, .hi = 31, .min_hi = 1, BITS(q5_1),
      .fit = BETWEEN(-0.4f, 1.2f, 7), .fit_weighted = BETWEEN(-1.0f, 4.0f, 9))
SHAPE(q2_k, SUPER(16), .hi = 3, .scale_hi = 15, .min_hi = 15, BITS(q2_k),
      .fit = BETWEEN(-0.4f, 0.8f, 4), .fit_weighted = BETWEEN(-0.8f, 1.2f, 5),
      .d = BETWEEN(12.0f, 17.0f, 5), .dmin = ONE(14.5f), .around = {1, 1}, .around_best = {2, 1})
SHAPE(q3_k, SUPER(16), SIGNED(4), .scale_lo = -32, .scale_hi = 31, BITS(q3_k),
      .fit = BETWEEN(2.3f, 5.5f, 16), .fit_weighted = BETWEEN(1.5f, 7.0f, 24),
      .d = BETWEEN(-36.0f, -28.0f, 5), .dmin = ONE(1), .around = {1, 0}, .around_best = {4, 0})
SHAPE(q4_k, SUPER(32), .hi = 15, .scale_hi = 63, .min_hi = 63, BITS(q4_k),
      .fit = BETWEEN(-0.3f, 1.0f, 4), .fit_weighted = BETWEEN(-1.0f, 4.0f, 7),
      .d = ONE(62), .dmin = ONE(62), .around = {1, 1}, .around_best = {5, 2})
SHAPE(q5_k, SUPER(32), .hi = 31, .scale_hi = 63, .min_hi = 63, BITS(q5_k),
      .fit = BETWEEN(-0.3f, 1.0f, 4), .fit_weighted = BETWEEN(-1.0f, 5.0f, 7),
      .d = ONE(62), .dmin = ONE(62), .around = {1, 1}, .around_best = {5, 2})
SHAPE(q6_k, SUPER(16), SIGNED(32), .scale_lo = -128, .scale_hi = 127, BITS(q6_k),
      .fit = BETWEEN(27.0f, 36.0f, 24), .fit_weighted = BETWEEN(14.0f, 40.0f, 32),
      .d = ONE(-128), .dmin = ONE(1), .around = {1, 0}, .around_best = {14, 0})
/* clang-format on */
