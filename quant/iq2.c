/*
 * iq2.c - IQ2_XXS, IQ2_XS, IQ2_S: super-blocks of 256 numbers, each 8 of which are a point of a grid and
 * signs. 2.06, 2.31 and 2.56 bits per number.
 *
 *   number i of group j = d * (0.5 + scale) / 4 * magnitude[level i of point j] * sign
 *
 * IQ2_XXS: a grid of 256; a scale per 32
 *   byte   0  d       binary16
 *          2  qs      8 times 4 bytes: the indices of 4 points; 4 bytes: bits 0-27: 4 times 7 signs, 28-31: scale
 *
 * IQ2_XS: a grid of 512; a scale per 16
 *   byte   0  d       binary16
 *          2  qs      32 times 2 bytes: bits 0-8: index, 9-15: signs
 *         66  scales  8 bytes: nibble j % 2 of byte j / 2 is the scale of numbers 16 j and on, low nibble first
 *
 * IQ2_S: a grid of 1024; a scale per 16
 *   byte   0  d       binary16
 *          2  qs      32 bytes: the low bits of the indices
 *         34  signs   32 bytes: bit i of byte j is number i of group j
 *         66  qh      8 bytes: bits 2 (j % 4) and on of byte j / 4 are bits 8 and 9 of index j
 *         74  scales  8 bytes, as in IQ2_XS
 *
 * Seven signs tell the eighth: the number of minus signs in a group is even.
 */
#include "iq2.h"
#include "bits.h"
#include "iq2_refine.h"
#include "quant.h"
#include "search.h"

enum { SCALE_TOP = 15 };

const float iq2_value[3] = {1, 3, 5};
const float iq2_magnitude[4] = {8, 25, 43};

/* ---- decoders -------------------------------------------------------------------------------------------------- */

static void decode_group(unsigned point, unsigned signs, float scale, float *dst)
{
	for (int i = 0; i < IQ2_GROUP; i++, point >>= 2, signs >>= 1) {
		float v = scale * iq2_magnitude[point & 3];
		dst[i] = signs & 1 ? -v : v;
	}
}

static unsigned all_signs(unsigned seven)
{
	return seven | (unsigned)__builtin_parity(seven) << 7;
}

static void decode_xxs(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq2_xxs *b = plane[0];
	const uint16_t *point = grid_get(GRID_IQ2_XXS)->point;
	for (; n; n -= QK_K, b++)
		for (int j = 0; j < QK_K / IQ2_GROUP; j++, dst += IQ2_GROUP) {
			uint32_t index = b->qs[j / 4][0] >> j % 4 * 8 & 255, rest = b->qs[j / 4][1];
			decode_group(point[index], all_signs(rest >> j % 4 * 7 & 127),
				     iq2_scale(float_of_half(b->d), rest >> 28), dst);
		}
}

static void decode_xs(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq2_xs *b = plane[0];
	const uint16_t *point = grid_get(GRID_IQ2_XS)->point;
	for (; n; n -= QK_K, b++)
		for (int j = 0; j < QK_K / IQ2_GROUP; j++, dst += IQ2_GROUP)
			decode_group(point[b->qs[j] & 511], all_signs(b->qs[j] >> 9),
				     iq2_scale(float_of_half(b->d), b->scales[j / 4] >> j / 2 % 2 * 4 & 15), dst);
}

static void decode_s(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq2_s *b = plane[0];
	const uint16_t *point = grid_get(GRID_IQ2_S)->point;
	for (; n; n -= QK_K, b++)
		for (int j = 0; j < QK_K / IQ2_GROUP; j++, dst += IQ2_GROUP) {
			int index = b->qs[j] | (b->qh[j / 4] >> j % 4 * 2 & 3) << 8;
			decode_group(point[index], b->signs[j],
				     iq2_scale(float_of_half(b->d), b->scales[j / 4] >> j / 2 % 2 * 4 & 15), dst);
		}
}

/* ---- the bytes of what was found ------------------------------------------------------------------------------- */

static unsigned index_of(const struct grid *g, const struct iq2_run *run, int group)
{
	return (unsigned)g->near[grid_slot(g, run->point[group])].index;
}

static void pack_xxs(void *block, uint16_t d, const uint8_t *scale, const struct grid *g, const struct iq2_run *run)
{
	struct block_iq2_xxs *b = block;
	b->d = d;
	for (int j = 0; j < QK_K / 32; j++) {
		uint32_t indices = 0, rest = (uint32_t)scale[j] << 28;
		for (int k = 0; k < 4; k++) {
			indices |= index_of(g, &run[j], k) << 8 * k;
			rest |= (run[j].signs[k] & 127u) << 7 * k;
		}
		b->qs[j][0] = indices;
		b->qs[j][1] = rest;
	}
}

static void unpack_xxs(const void *block, uint16_t *d, uint8_t *scale)
{
	const struct block_iq2_xxs *b = block;
	*d = b->d;
	for (int j = 0; j < QK_K / 32; j++)
		scale[j] = b->qs[j][1] >> 28;
}

static void unpack_nibbles(const uint8_t from[QK_K / 32], uint8_t *scale)
{
	for (int j = 0; j < QK_K / 16; j++)
		scale[j] = from[j / 2] >> j % 2 * 4 & 15;
}

static void pack_xs(void *block, uint16_t d, const uint8_t *scale, const struct grid *g, const struct iq2_run *run)
{
	struct block_iq2_xs *b = block;
	b->d = d;
	for (int j = 0; j < QK_K / 8; j++)
		b->qs[j] = index_of(g, &run[j / 2], j % 2) | (run[j / 2].signs[j % 2] & 127) << 9;
	for (int j = 0; j < QK_K / 32; j++)
		b->scales[j] = scale[2 * j] | scale[2 * j + 1] << 4;
}

static void unpack_xs(const void *block, uint16_t *d, uint8_t *scale)
{
	const struct block_iq2_xs *b = block;
	*d = b->d;
	unpack_nibbles(b->scales, scale);
}

static void pack_s(void *block, uint16_t d, const uint8_t *scale, const struct grid *g, const struct iq2_run *run)
{
	struct block_iq2_s *b = block;
	memset(b, 0, sizeof *b);
	b->d = d;
	for (int j = 0; j < QK_K / 8; j++) {
		unsigned index = index_of(g, &run[j / 2], j % 2);
		b->qs[j] = index & 255;
		b->qh[j / 4] |= index >> 8 << j % 4 * 2;
		b->signs[j] = run[j / 2].signs[j % 2];
	}
	for (int j = 0; j < QK_K / 32; j++)
		b->scales[j] = scale[2 * j] | scale[2 * j + 1] << 4;
}

static void unpack_s(const void *block, uint16_t *d, uint8_t *scale)
{
	const struct block_iq2_s *b = block;
	*d = b->d;
	unpack_nibbles(b->scales, scale);
}

void iq2_finish(const struct iq2 *q, struct iq2_run *run, void *block)
{
	int runs = QK_K / q->run;
	uint8_t code[IQ2_MAX_RUNS] = {0};
	float max = 0;
	for (int j = 0; j < runs; j++)
		max = max > run[j].scale ? max : run[j].scale;
	if (max == 0)
		memset(run, 0, (size_t)runs * sizeof *run);
	float d = max / (2 * SCALE_TOP + 1), inverse = 1 / d;
	for (int j = 0; j < runs && max != 0; j++)
		code[j] = clamp_int(nearest_int(0.5f * (inverse * run[j].scale - 1)), 0, SCALE_TOP);
	/* a NaN has no sign here, since which one it had would depend on the order of operands */
	q->pack(block, isnan(d) ? 0x7e00 : half_of_float(d * q->shrink), code, grid_get(q->grid), run);
}

/* ---- search ---------------------------------------------------------------------------------------------------- */

/* A run at work. */
struct search {
	const struct iq2 *q;
	const struct grid *g;
	float x[IQ2_MAX_RUN]; /* magnitudes; of a group with an odd number of minus signs one, of the other sign */
	float w[IQ2_MAX_RUN], root[IQ2_MAX_RUN]; /* weights, and what near points are judged by */
};

void iq2_weights(const struct iq2 *q, const float *x, const float *importance, float variance, size_t n, float *w)
{
	static const float same[IQ2_MAX_RUN] = {[0 ... IQ2_MAX_RUN - 1] = 1};
	if (importance || q->even)
		search_importance(x, importance ? importance : same, variance, n, w);
	for (size_t i = 0; i < n && !importance && !q->even; i++)
		w[i] = 0.25f * variance + x[i] * x[i];
}

/* Takes the signs off x; where seven must tell them, the number whose loss costs least gets a wrong one. */
static uint8_t take_signs(bool even, const float *w, float *x)
{
	unsigned signs = 0;
	int least = 0;
	for (int i = 0; i < IQ2_GROUP; i++) {
		signs |= (unsigned)!(x[i] >= 0) << i;
		if (w[i] * x[i] * x[i] < w[least] * x[least] * x[least])
			least = i;
	}
	for (int i = 0; i < IQ2_GROUP; i++)
		x[i] = signs >> i & 1 ? -x[i] : x[i];
	if (even && __builtin_parity(signs)) {
		signs ^= 1u << least;
		x[least] = -x[least];
	}
	return signs;
}

static float maximum(const float *x, int n)
{
	float max = x[0];
	for (int i = 1; i < n; i++)
		max = max > x[i] ? max : x[i];
	return max;
}

/* The point for group k where 1 / inverse is the scale; whether rounding each number gives it. */
static bool round_group(const struct search *s, int k, float inverse, float scale, uint16_t *point)
{
	const float *x = s->x + k * IQ2_GROUP;
	int slot = 0;
	for (int i = IQ2_GROUP - 1; i >= 0; i--)
		slot = slot * 3 + clamp_int(nearest_int(0.5f * (inverse * x[i] - 1)), 0, 2);
	*point = grid_nearest(s->g, &s->g->near[slot], x, s->root + k * IQ2_GROUP, scale, iq2_value);
	return s->g->near[slot].index >= 0;
}

static void sums(const struct search *s, const uint16_t *point, float *sum_xq, float *sum_q2)
{
	*sum_xq = *sum_q2 = 0;
	for (int i = 0; i < s->q->run; i++) {
		float q = iq2_value[grid_level(s->g, point[i / IQ2_GROUP], i % IQ2_GROUP)];
		*sum_xq += s->w[i] * s->x[i] * q;
		*sum_q2 += s->w[i] * q * q;
	}
}

/* The scale that the tries begin with, and what stands for the numerator of their inverses; 0: a run of zeros. */
static float first_scale(const struct search *s, float *extent)
{
	uint8_t code[IQ2_MAX_RUN];
	*extent = maximum(s->x, s->q->run);
	if (*extent < s->q->too_small)
		return 0;
	if (!s->q->fit)
		return *extent / IQ2_TOP;
	float scale = search_positive(s->q->run, 4, s->x, s->w, code);
	*extent = scale * 3;
	return *extent <= 0 ? 0 : scale;
}

/* Rounds anew, with the scale found, the groups that need it. */
static void settle(const struct search *s, const bool *on, struct iq2_run *run)
{
	float sum_xq, sum_q2;
	bool any = false;
	for (int k = 0; k < s->q->run / IQ2_GROUP; k++)
		if (s->q->fit || !on[k]) {
			round_group(s, k, 1 / run->scale, run->scale, &run->point[k]);
			any = true;
		}
	if (!any)
		return;
	sums(s, run->point, &sum_xq, &sum_q2);
	if (sum_q2 > 0)
		run->scale = sum_xq / sum_q2;
}

static void search_run(const struct search *s, struct iq2_run *run)
{
	float extent, best = 0, sum_xq, sum_q2;
	int groups = s->q->run / IQ2_GROUP;
	bool on[IQ2_MAX_GROUPS] = {true, true, true, true}, try_on[IQ2_MAX_GROUPS];
	uint16_t try[IQ2_MAX_GROUPS] = {0};
	run->scale = first_scale(s, &extent);
	if (run->scale == 0) {
		memset(run, 0, sizeof *run);
		return;
	}
	for (int i = -s->q->tries; i <= s->q->tries; i++) {
		float inverse = (IQ2_TOP + i * 0.1f) / extent;
		for (int k = 0; k < groups; k++)
			try_on[k] = round_group(s, k, inverse, 1 / inverse, &try[k]);
		sums(s, try, &sum_xq, &sum_q2);
		if (sum_q2 > 0 && sum_xq * sum_xq > best * sum_q2) {
			run->scale = sum_xq / sum_q2;
			best = run->scale * sum_xq;
			memcpy(run->point, try, sizeof try);
			memcpy(on, try_on, sizeof on);
		}
	}
	if (run->scale > 0)
		settle(s, on, run);
	if (run->scale < 0) {
		run->scale = -run->scale;
		for (int k = 0; k < groups; k++)
			run->signs[k] = ~run->signs[k];
	}
}

static void encode(const struct iq2 *q, const float *src, void *dst, size_t n, const float *weights)
{
	struct search s = {.q = q, .g = grid_get(q->grid)};
	for (size_t at = 0; at < n; at += QK_K, dst = (char *)dst + q->block) {
		struct iq2_run run[IQ2_MAX_RUNS] = {0};
		float variance = q->spread * search_sum_squares(src + at, QK_K) / QK_K;
		for (int j = 0; j < QK_K / q->run; j++) {
			size_t from = at + (size_t)j * q->run;
			memcpy(s.x, src + from, q->run * sizeof *s.x);
			iq2_weights(q, s.x, weights ? weights + from : NULL, variance, q->run, s.w);
			for (int i = 0; i < q->run; i++)
				s.root[i] = sqrtf(s.w[i]);
			for (int k = 0; k < q->run / IQ2_GROUP; k++)
				run[j].signs[k] = take_signs(q->even, s.w + k * IQ2_GROUP, s.x + k * IQ2_GROUP);
			search_run(&s, &run[j]);
		}
		iq2_finish(q, run, dst);
	}
}

/* ---- the three ------------------------------------------------------------------------------------------------- */

const struct iq2 iq2_xxs = {
	.grid = GRID_IQ2_XXS,
	.run = 32,
	.tries = 6,
	.fit = true,
	.even = true,
	.spread = 1,
	.too_small = 1e-15f,
	.shrink = 1,
	.block = sizeof(struct block_iq2_xxs),
	.unpack = unpack_xxs,
	.pack = pack_xxs,
};
const struct iq2 iq2_xs = {
	.grid = GRID_IQ2_XS,
	.run = 16,
	.tries = 9,
	.even = true,
	.spread = 1,
	.too_small = 1e-15f,
	.shrink = 1,
	.block = sizeof(struct block_iq2_xs),
	.unpack = unpack_xs,
	.pack = pack_xs,
};
const struct iq2 iq2_s = {
	.grid = GRID_IQ2_S,
	.run = 16,
	.tries = 9,
	.spread = 2,
	.too_small = 1e-8f,
	.shrink = 0.9875f,
	.block = sizeof(struct block_iq2_s),
	.unpack = unpack_s,
	.pack = pack_s,
};

IQ2_REFINE(iq2_xxs, iq2_nearest)
IQ2_REFINE(iq2_xs, iq2_nearest)
IQ2_REFINE(iq2_s, iq2_nearest)

static void encode_xxs(const float *src, void *const *plane, size_t n, const float *weights)
{
	encode(&iq2_xxs, src, plane[0], n, weights);
}

static void encode_xs(const float *src, void *const *plane, size_t n, const float *weights)
{
	encode(&iq2_xs, src, plane[0], n, weights);
}

static void encode_s(const float *src, void *const *plane, size_t n, const float *weights)
{
	encode(&iq2_s, src, plane[0], n, weights);
}

const struct heft_encoding quant_iq2_xxs = {
	.name = "iq2_xxs",
	.about = "eights on a grid of 256 points, 7 signs, 4-bit scale per 32, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_iq2_xxs)}},
	.decode = decode_xxs,
	.encode = encode_xxs,
	.refine = refine_iq2_xxs,
	.needs_weights = true,
};

const struct heft_encoding quant_iq2_xs = {
	.name = "iq2_xs",
	.about = "eights on a grid of 512 points, 7 signs, 4-bit scale per 16, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_iq2_xs)}},
	.decode = decode_xs,
	.encode = encode_xs,
	.refine = refine_iq2_xs,
	.needs_weights = true,
};

const struct heft_encoding quant_iq2_s = {
	.name = "iq2_s",
	.about = "eights on a grid of 1024 points, 8 signs, 4-bit scale per 16, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_iq2_s)}},
	.decode = decode_s,
	.encode = encode_s,
	.refine = refine_iq2_s,
};
