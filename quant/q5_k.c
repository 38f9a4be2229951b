/*
 * q5_k.c - Q5_K: Q4_K with a fifth bit per code. 5.5 bits per number.
 *
 *   number i of run j = d * scale[j] * code[i] - dmin * min[j]
 *
 *   byte   0  d      binary16
 *          2  dmin   binary16
 *          4  scales 12 bytes as in q4_k.c
 *         16  qh     32 bytes: bit j of byte l is bit 4 of run j's code l
 *         48  qs     128 bytes of bits 3-0, as in q4_k.c
 */
#include "bits.h"
#include "kquant.h"
#include "refine_runs.h"

enum { RUN = 32, RUNS = QK_K / RUN, TOP = 31, SCALE_TOP = 63 };

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct block_q5_k *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = float_of_half(b->d), dmin = float_of_half(b->dmin);
		for (int j = 0; j < RUNS; j++) {
			uint8_t scale, min;
			unpack_scale_min(b->scales, j, &scale, &min);
			float ds = d * scale, dm = dmin * min;
			for (int l = 0; l < RUN; l++) {
				int low = b->qs[j / 2 * RUN + l] >> 4 * (j % 2) & 15;
				*dst++ = ds * (low | (b->qh[l] >> j & 1) << 4) - dm;
			}
		}
	}
}

static void finish(const struct kquant_chunk *c, size_t at, void *block)
{
	struct block_q5_k *b = block;
	uint8_t code[QK_K], scale[RUNS], min[RUNS];
	uint16_t d, dmin;
	kquant_scales(c, at, scale, min, &d, &dmin);
	for (int j = 0; j < RUNS; j++) {
		scale[j] = scale[j] < SCALE_TOP ? scale[j] : SCALE_TOP;
		min[j] = min[j] < SCALE_TOP ? min[j] : SCALE_TOP;
	}
	b->d = d;
	b->dmin = dmin;
	pack_scale_min(b->scales, scale, min);
	for (int j = 0; j < RUNS; j++)
		kquant_codes(c, at + j * RUN, float_of_half(dmin) * min[j], float_of_half(d) * scale[j],
			     code + j * RUN);
	pack_nibbles(b->qs, code);
	pack_bit(b->qh, code, 4);
}

static const struct search_affine own = {.run = RUN, .top = TOP, .first = -0.5f, .step = 0.1f, .steps = 15};
static const struct search_affine weighted = {.run = RUN, .top = TOP, .first = -0.9f, .step = 0.05f, .steps = 36};

const struct kquant kquant_q5 = {
	.run = RUN,
	.lo = 0,
	.hi = TOP,
	.scale_top = SCALE_TOP,
	.block = sizeof(struct block_q5_k),
	.variance = 2,
	.own = &own,
	.weighted = &weighted,
	.search = kquant_search_affine,
	.searched = kquant_searched_affine,
	.finish = finish,
};

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	kquant_encode(&kquant_q5, &kquant_scalar, src, plane[0], n, weights);
}

const struct heft_encoding quant_q5_k = {
	.name = "q5_k",
	.about = "5-bit codes, 6-bit scale and minimum per 32, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_q5_k)}},
	.codes = CODES(struct block_q5_k, qh, qs, 0, 0xff, 32),
	.decode = decode,
	.encode = encode,
	.refine = refine_q5_k,
};
