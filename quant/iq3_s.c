/*
 * iq3_s.c - IQ3_S: 256 numbers in 8 runs of 32; an index of 9 bits for every 4 magnitudes, a bit for every sign, a
 * scale of 4 bits per run. 3.4375 bits per number.
 *
 *   number i of run r = d * (1 + 2 * scale[r]) * (2 * level + 1), levels of point index[i / 4] of the grid
 *
 *   byte   0  d       binary16
 *          2  qs      64 bytes, bits 7-0 of the indices
 *         66  qh      8 bytes, one per run: bit 8 of its 8 indices
 *         74  signs   32 bytes, bit i of byte j: number 8j + i is negative
 *        106  scales  4 bytes: runs 2j (low nibble) and 2j + 1
 */
#include "bits.h"
#include "iq3.h"
#include "quant.h"

#define LARGER 1.033f /* than the search's scale: it leans to small ones */

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct grid *g = grid_get(GRID_IQ3_S);
	const struct block_iq3_s *b = plane[0];
	for (; n; n -= QK_K, b++)
		for (int i = 0; i < QK_K; i++) {
			int index = b->qs[i / 4] | (b->qh[i / 32] >> i / 4 % 8 & 1) << 8;
			float d = float_of_half(b->d) * (1 + 2 * (b->scales[i / 64] >> i / 32 % 2 * 4 & 15));
			float v = d * (2 * grid_level(g, g->point[index], i % 4) + 1);
			*dst++ = b->signs[i / 8] >> i % 8 & 1 ? -v : v;
		}
}

/* The reference leaves out the low bits and the signs of an empty run, and those of later runs take its place. The high
 * bits stay where they belong. A file has the same numbers only with the same mistake. */
static void pack(const struct iq3_found *f, void *block)
{
	const struct grid *g = grid_get(GRID_IQ3_S);
	struct block_iq3_s *b = block;
	uint8_t scale[IQ3_RUNS], *qs = b->qs, *signs = b->signs;
	memset(b, 0, sizeof *b);
	for (int run = 0; run < IQ3_RUNS; run++) {
		if (f->empty >> run & 1)
			continue;
		for (int j = 0; j < IQ3_GROUPS; j++) {
			int index = g->near[f->point[run][j]].index;
			*qs++ = index & 255;
			b->qh[run] |= index >> 8 << j;
		}
		memcpy(signs, f->signs[run], 4);
		signs += 4;
	}
	if (f->max_scale == 0)
		return;
	b->d = half_of_float(iq3_scale_codes(f, scale) * LARGER);
	for (int j = 0; j < 4; j++)
		b->scales[j] = scale[2 * j] | scale[2 * j + 1] << 4;
}

const struct iq3 iq3_s = {
	.grid = GRID_IQ3_S,
	.tries = 9,
	.least = 0x1p-149f, /* only zeros are empty */
	.settle_all = true,
	.block = sizeof(struct block_iq3_s),
	.pack = pack,
};

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq3_encode(&iq3_s, &iq3_scalar, src, plane[0], n, weights);
}

const struct heft_encoding quant_iq3_s = {
	.name = "iq3_s",
	.about = "4 magnitudes in 9 bits by a grid, 4-bit scale per 32, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_iq3_s)}},
	.decode = decode,
	.encode = encode,
};
