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
#include "iq3_refine.h"
#include "quant.h"

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

static void pack(const struct iq3_code *c, void *block)
{
	const struct grid *g = grid_get(GRID_IQ3_S);
	struct block_iq3_s *b = block;
	memset(b, 0, sizeof *b);
	b->d = c->d;
	for (int run = 0; run < IQ3_RUNS; run++) {
		for (int j = 0; j < IQ3_GROUPS; j++) {
			int index = g->near[c->point[run][j]].index;
			b->qs[run * IQ3_GROUPS + j] = index & 255;
			b->qh[run] |= index >> 8 << j;
		}
		memcpy(b->signs + 4 * run, c->signs[run], 4);
		b->scales[run / 2] |= c->scale[run] << run % 2 * 4;
	}
}

static void drop(uint8_t *bytes, size_t n, size_t at, size_t size)
{
	memmove(bytes + at, bytes + at + size, n - at - size);
	memset(bytes + n - size, 0, size);
}

/* The reference leaves out the low bits and the signs of empty runs, so that those of later runs take their place; the
 * high bits stay where they belong. Its bytes are had only with its mistake. */
static void forget(unsigned runs, void *block)
{
	struct block_iq3_s *b = block;
	for (int run = IQ3_RUNS - 1; run >= 0; run--)
		if (runs >> run & 1) {
			drop(b->qs, sizeof b->qs, (size_t)run * IQ3_GROUPS, IQ3_GROUPS);
			drop(b->signs, sizeof b->signs, (size_t)run * 4, 4);
		}
}

const struct iq3 iq3_s = {
	.grid = GRID_IQ3_S,
	.level = iq3_value,
	.tries = 9,
	.least = 0x1p-149f, /* only zeros are empty */
	.settle_all = true,
	.larger = 1.033f,
	.block = sizeof(struct block_iq3_s),
	.pack = pack,
	.forget = forget,
};

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq3_encode(&iq3_s, &iq3_scalar, src, plane[0], n, weights);
}

static void refine(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq3_refine(&iq3_s, &quant_iq3_s, iq3_nearest, src, plane[0], n, weights);
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
	.refine = refine,
};
