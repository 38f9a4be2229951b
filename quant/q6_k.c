/*
 * q6_k.c - Q6_K: 256 numbers in 16 runs of 16; codes of 6 bits, an 8-bit scale per run, both signed.
 * 6.5625 bits per number.
 *
 *   number i of run j = d * scale[j] * (code[i] - 32)
 *
 *   byte   0  ql     128 bytes of bits 3-0: in each 64, byte l holds numbers l (low nibble) and l + 64 (high) of a 128
 *        128  qh     64 bytes of bits 5-4: in each 32, byte l holds numbers l, l + 32, l + 64, l + 96 of a 128
 *        192  scales 16 bytes, signed
 *        208  d      binary16
 */
#include "bits.h"
#include "kquant.h"
#include "refine_runs.h"

#define TOO_SMALL 1e-15f /* scales below this: all zeros */

enum { RUN = KQUANT_SIGNED_RUN, RUNS = QK_K / RUN, HALF = 32 };

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct block_q6_k *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = float_of_half(b->d);
		for (int j = 0; j < RUNS; j++) {
			int half = j / 8, quarter = j % 8 / 2, l = j % 2 * RUN;
			const uint8_t *low = b->ql + half * 64 + quarter % 2 * 32 + l, *high = b->qh + half * 32 + l;
			float ds = d * b->scales[j];
			for (int i = 0; i < RUN; i++) {
				int code = (low[i] >> quarter / 2 * 4 & 15) | (high[i] >> 2 * quarter & 3) << 4;
				*dst++ = ds * (code - HALF);
			}
		}
	}
}

static void search(struct kquant_chunk *c, size_t runs)
{
	c->ops->symmetric(HALF, c->x, c->w, runs, c->scale, NULL);
}

static void searched(const struct kquant_chunk *c, size_t at, uint8_t *code)
{
	search_signed(RUN, HALF, c->x + at, c->w ? c->w + at : NULL, code);
}

static void finish(const struct kquant_chunk *c, size_t at, void *block)
{
	struct block_q6_k *b = block;
	uint8_t code[QK_K];
	const float *scale = c->scale + at / RUN;
	float amax = 0, max = 0;
	for (int j = 0; j < RUNS; j++)
		if (fabsf(scale[j]) > amax) {
			amax = fabsf(scale[j]);
			max = scale[j];
		}
	if (amax < TOO_SMALL) {
		memset(b, 0, sizeof *b);
		return;
	}
	float inverse = -128.0f / max;
	b->d = half_of_float(1 / inverse);
	for (int j = 0; j < RUNS; j++) {
		int s = nearest_int(inverse * scale[j]);
		b->scales[j] = s < 127 ? s : 127;
		kquant_codes(c, at + j * RUN, 0, float_of_half(b->d) * b->scales[j], code + j * RUN);
	}
	pack_sixes(b->ql, b->qh, code);
}

const struct kquant kquant_q6 = {
	.run = RUN,
	.lo = -HALF,
	.hi = HALF - 1,
	.block = sizeof(struct block_q6_k),
	.search = search,
	.searched = searched,
	.finish = finish,
};

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	kquant_encode(&kquant_q6, &kquant_scalar, src, plane[0], n, weights);
}

const struct heft_encoding quant_q6_k = {
	.name = "q6_k",
	.about = "6-bit codes, 8-bit scale per 16, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_q6_k)}},
	.codes = CODES(struct block_q6_k, ql, qh, 0, 0xff, 64),
	.decode = decode,
	.encode = encode,
	.refine = refine_q6_k,
};
