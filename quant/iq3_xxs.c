/*
 * iq3_xxs.c - IQ3_XXS: 256 numbers in 8 runs of 32; an index of 8 bits for every 4 magnitudes, 7 bits for every 8 signs,
 * a scale of 4 bits per run. 3.0625 bits per number.
 *
 *   number i of run r = d * (0.5 + scale[r]) / 2 * value[level], levels of point index[i / 4] of the grid
 *   value = 4 12 20 28 36 44 52 62
 *
 *   byte   0  d      binary16
 *          2  qs     64 indices
 *         66  signs  8 words, one per run: bits 27-0 are four times 7 signs, bits 31-28 the scale. The eighth sign of
 *                    eight is the one that makes the number of negative ones even
 */
#include "bits.h"
#include "iq3_refine.h"
#include "quant.h"

static const uint8_t value[IQ3_LEVELS] = {4, 12, 20, 28, 36, 44, 52, 62};

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct grid *g = grid_get(GRID_IQ3_XXS);
	const struct block_iq3_xxs *b = plane[0];
	for (; n; n -= QK_K, b++)
		for (int i = 0; i < QK_K; i++) {
			uint32_t word = b->signs[i / 32];
			float d = float_of_half(b->d) * (0.5f + (word >> 28)) * 0.5f;
			unsigned signs = word >> 7 * (i / 8 % 4) & 127;
			signs |= (unsigned)__builtin_parity(signs) << 7;
			float v = d * value[grid_level(g, g->point[b->qs[i / 4]], i % 4)];
			*dst++ = signs >> i % 8 & 1 ? -v : v;
		}
}

static void pack(const struct iq3_code *c, void *block)
{
	const struct grid *g = grid_get(GRID_IQ3_XXS);
	struct block_iq3_xxs *b = block;
	b->d = c->d;
	for (int run = 0; run < IQ3_RUNS; run++) {
		b->signs[run] = (uint32_t)c->scale[run] << 28;
		for (int i = 0; i < 4; i++)
			b->signs[run] |= (c->signs[run][i] & 127u) << 7 * i;
		for (int j = 0; j < IQ3_GROUPS; j++)
			b->qs[run * IQ3_GROUPS + j] = g->near[c->point[run][j]].index;
	}
}

static const float level[IQ3_LEVELS] = {1, 3, 5, 7, 9, 11, 13, 15.5f};

const struct iq3 iq3_xxs = {
	.grid = GRID_IQ3_XXS,
	.level = level,
	.tries = 15,
	.least = 1e-8f,
	.even_signs = true,
	.larger = 1.0125f,
	.block = sizeof(struct block_iq3_xxs),
	.pack = pack,
};

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq3_encode(&iq3_xxs, &iq3_scalar, src, plane[0], n, weights);
}

static void refine(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq3_refine(&iq3_xxs, &quant_iq3_xxs, iq3_nearest, src, plane[0], n, weights);
}

const struct heft_encoding quant_iq3_xxs = {
	.name = "iq3_xxs",
	.about = "4 magnitudes in 8 bits by a grid, 4-bit scale per 32, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_iq3_xxs)}},
	.decode = decode,
	.encode = encode,
	.refine = refine,
};
