/*
 * q2_k.c - Q2_K: 256 numbers in 16 runs of 16; codes of 2 bits, 4-bit scale and minimum per run. 2.625 bits per number.
 *
 *   number i of run j = d * scale[j] * code[i] - dmin * min[j]
 *
 *   byte   0  scales 16 bytes: min[j] (high nibble), scale[j] (low nibble)
 *         16  qs     64 bytes: byte l of each half holds numbers l, l + 32, l + 64, l + 96 of its 128, lowest first
 *         80  d      binary16
 *         82  dmin   binary16
 */
#include "bits.h"
#include "kquant.h"
#include "refine_runs.h"

enum { RUN = 16, RUNS = QK_K / RUN, TOP = 3, SCALE_TOP = 15 };

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct block_q2_k *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = float_of_half(b->d), dmin = float_of_half(b->dmin);
		for (int j = 0; j < RUNS; j++) {
			const uint8_t *q = b->qs + j / 8 * 32 + j % 2 * RUN;
			float ds = d * (b->scales[j] & 15), dm = dmin * (b->scales[j] >> 4);
			for (int l = 0; l < RUN; l++)
				*dst++ = ds * (q[l] >> j % 8 / 2 * 2 & 3) - dm;
		}
	}
}

static void finish(const struct kquant_chunk *c, size_t at, void *block)
{
	struct block_q2_k *b = block;
	uint8_t code[QK_K], scale[RUNS], min[RUNS];
	uint16_t d, dmin;
	kquant_scales(c, at, scale, min, &d, &dmin);
	b->d = d;
	b->dmin = dmin;
	for (int j = 0; j < RUNS; j++) {
		b->scales[j] = scale[j] | min[j] << 4;
		kquant_codes(c, at + j * RUN, float_of_half(dmin) * (b->scales[j] >> 4),
			     float_of_half(d) * (b->scales[j] & 15), code + j * RUN);
	}
	pack_quarters(b->qs, code);
}

static const struct search_affine own = {
	.run = RUN, .top = TOP, .first = -0.5f, .step = 0.1f, .steps = 15, .absolute = true, .plain_abs = true};
static const struct search_affine weighted = {.run = RUN, .top = TOP, .first = -0.9f, .step = 0.05f, .steps = 36};

const struct kquant kquant_q2 = {
	.run = RUN,
	.lo = 0,
	.hi = TOP,
	.scale_top = SCALE_TOP,
	.block = sizeof(struct block_q2_k),
	.variance = 1,
	.own = &own,
	.weighted = &weighted,
	.search = kquant_search_affine,
	.searched = kquant_searched_affine,
	.finish = finish,
};

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	kquant_encode(&kquant_q2, &kquant_scalar, src, plane[0], n, weights);
}

const struct heft_encoding quant_q2_k = {
	.name = "q2_k",
	.about = "2-bit codes, 4-bit scale and minimum per 16, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_q2_k)}},
	.codes = CODES(struct block_q2_k, qs, qs, 0, 0xff, 4),
	.decode = decode,
	.encode = encode,
	.refine = refine_q2_k,
};
