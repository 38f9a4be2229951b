/*
 * fp4.c - MXFP4 and NVFP4: E2M1 numbers with a scale per 32 or 16. 4.25 and 4.5 bits per number.
 *
 *   number i = scale / 2 * value[code[i]]
 *
 *   mxfp4  byte   0  e   E8M0
 *                 1  qs  16 bytes: byte j holds code j (low nibble) and code j + 16 (high nibble)
 *
 *   nvfp4  byte   0  d   4 UE4M3 scales, of 16 numbers each
 *                 4  qs  4 times 8 bytes: byte j holds code j (low nibble) and code j + 8 (high nibble) of its 16
 *
 * Importance changes nothing.
 */
#include "fp4.h"
#include "blocks.h"
#include "quant.h"
#include "refine_values.h"

enum { RUN = 16 }; /* of NVFP4 */

static float largest(const float *x, int n)
{
	float amax = 0;
	for (int i = 0; i < n; i++)
		if (amax < fabsf(x[i]))
			amax = fabsf(x[i]);
	return amax;
}

/* The first of the nearest values. */
static uint8_t nearest_value(float x, float scale)
{
	int best = 0;
	float least = fabsf((float)fp4_value[0] * scale - x);
	for (int i = 1; i < 16; i++) {
		float error = fabsf((float)fp4_value[i] * scale - x);
		if (error < least) {
			best = i;
			least = error;
		}
	}
	return best;
}

static void put_codes(const float *x, int n, float scale, uint8_t *qs)
{
	for (int i = 0; i < n / 2; i++)
		qs[i] = nearest_value(x[i], scale) | nearest_value(x[i + n / 2], scale) << 4;
}

static void decode_run(const uint8_t *qs, int n, float scale, float *dst)
{
	for (int i = 0; i < n / 2; i++) {
		dst[i] = (float)fp4_value[qs[i] & 15] * scale;
		dst[i + n / 2] = (float)fp4_value[qs[i] >> 4] * scale;
	}
}

static void decode_mxfp4(const void *const *plane, float *dst, size_t n)
{
	const struct block_mxfp4 *b = plane[0];
	for (; n; n -= QK, b++, dst += QK)
		decode_run(b->qs, QK, fp4_scale_of_e8m0(b->e), dst);
}

static void encode_mxfp4(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_mxfp4 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		b->e = fp4_e8m0_of_amax(largest(src, QK));
		put_codes(src, QK, fp4_scale_of_e8m0(b->e), b->qs);
	}
}

static void decode_nvfp4(const void *const *plane, float *dst, size_t n)
{
	const struct block_nvfp4 *b = plane[0];
	for (; n; n -= QK_NVFP4, b++)
		for (int j = 0; j < QK_NVFP4 / RUN; j++, dst += RUN)
			decode_run(b->qs + j * RUN / 2, RUN, fp4_scale_of_ue4m3(b->d[j]), dst);
}

static void encode_nvfp4(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_nvfp4 *b = plane[0];
	for (; n; n -= QK_NVFP4, b++)
		for (int j = 0; j < QK_NVFP4 / RUN; j++, src += RUN) {
			b->d[j] = fp4_ue4m3_of_amax(largest(src, RUN));
			put_codes(src, RUN, fp4_scale_of_ue4m3(b->d[j]), b->qs + j * RUN / 2);
		}
}

/* ---- effort ---------------------------------------------------------------------------------------------------- */

/* Runs with a scale of 8 bits each: all scales from `below` under the encoder's to `above` over it are tried. */
struct scales {
	struct refine_run run;
	int below, above, least, most;
	float (*scale)(uint8_t code);
};

static int code_of(float value)
{
	int code = 0;
	while (fp4_value[code] != (int)fabsf(value))
		code++;
	return value < 0 ? code | 8 : code;
}

static void put_values(const struct scales *t, const float *x, uint8_t scale, uint8_t *qs)
{
	float value[QK];
	int half = t->run.size / 2;
	refine_values(&t->run, x, t->scale(scale), value);
	for (int i = 0; i < half; i++)
		qs[i] = (uint8_t)(code_of(value[i]) | code_of(value[i + half]) << 4);
}

/* code: the scales of n runs, replaced by those with the least errors. */
static void refine_scales(const struct scales *t, const struct value_ops *ops, const float *x, const float *w, size_t n,
			  uint8_t *code, float *error)
{
	struct refine_sums s;
	float scale[REFINE_RUNS];
	uint8_t from[REFINE_RUNS];
	memcpy(from, code, n);
	for (size_t i = 0; i < n; i++)
		error[i] = INFINITY;
	for (int step = -t->below; step <= t->above; step++) {
		for (size_t i = 0; i < n; i++)
			scale[i] = t->scale((uint8_t)clamp_int(from[i] + step, t->least, t->most));
		ops->sums(&t->run, x, w, n, scale, &s);
		for (size_t i = 0; i < n; i++)
			if (s.error[i] < error[i]) {
				error[i] = s.error[i];
				code[i] = (uint8_t)clamp_int(from[i] + step, t->least, t->most);
			}
	}
}

/* Where the scales and codes of run i are. */
struct place {
	uint8_t *scale, *qs;
};

static struct place mxfp4_place(void *blocks, size_t i)
{
	struct block_mxfp4 *b = (struct block_mxfp4 *)blocks + i;
	return (struct place){&b->e, b->qs};
}

static struct place nvfp4_place(void *blocks, size_t i)
{
	enum { RUNS = QK_NVFP4 / RUN };
	struct block_nvfp4 *b = (struct block_nvfp4 *)blocks + i / RUNS;
	return (struct place){b->d + i % RUNS, b->qs + i % RUNS * RUN / 2};
}

static void refine_chunk(const struct scales *t, struct place (*place)(void *, size_t), const struct value_ops *ops,
			 const float *x, void *blocks, size_t n, const float *w)
{
	float error[REFINE_RUNS];
	uint8_t code[REFINE_RUNS] = {0};
	for (size_t i = 0; i < n; i++)
		code[i] = *place(blocks, i).scale;
	refine_scales(t, ops, x, w, n, code, error);
	for (size_t i = 0; i < n; i++)
		if (error[i] < INFINITY) {
			*place(blocks, i).scale = code[i];
			put_values(t, x + i * (size_t)t->run.size, code[i], place(blocks, i).qs);
		}
}

static const struct scales mxfp4_scales = {{REFINE_FP4, QK, 0, NULL}, 1, 1, 2, 253, fp4_scale_of_e8m0};
static const struct scales nvfp4_scales = {{REFINE_FP4, RUN, 0, NULL}, 3, 6, 1, FP4_UE4M3_MAX, fp4_scale_of_ue4m3};

void refine_mxfp4(const struct value_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	struct block_mxfp4 *b = dst;
	for (size_t at = 0, size; at < n; at += size, b += size / QK) {
		size = n - at < REFINE_CHUNK ? n - at : REFINE_CHUNK;
		refine_chunk(&mxfp4_scales, mxfp4_place, ops, src + at, b, size / QK, weights ? weights + at : NULL);
	}
}

void refine_nvfp4(const struct value_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	struct block_nvfp4 *b = dst;
	for (size_t at = 0, size; at < n; at += size, b += size / QK_NVFP4) {
		size = n - at < REFINE_CHUNK ? n - at : REFINE_CHUNK;
		refine_chunk(&nvfp4_scales, nvfp4_place, ops, src + at, b, size / RUN, weights ? weights + at : NULL);
	}
}

static void scalar_refine_mxfp4(const float *src, void *const *plane, size_t n, const float *weights)
{
	refine_mxfp4(&value_scalar, src, plane[0], n, weights);
}

static void scalar_refine_nvfp4(const float *src, void *const *plane, size_t n, const float *weights)
{
	refine_nvfp4(&value_scalar, src, plane[0], n, weights);
}

const struct heft_encoding quant_mxfp4 = {
	.name = "mxfp4",
	.about = "4-bit floats, a power of two as scale per 32",
	.block = QK,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK, sizeof(struct block_mxfp4)}},
	.codes = CODES(struct block_mxfp4, qs, qs, 0x77, 0xff, 13),
	.decode = decode_mxfp4,
	.encode = encode_mxfp4,
	.refine = scalar_refine_mxfp4,
};

const struct heft_encoding quant_nvfp4 = {
	.name = "nvfp4",
	.about = "4-bit floats, an 8-bit float as scale per 16, blocks of 64",
	.block = QK_NVFP4,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_NVFP4, sizeof(struct block_nvfp4)}},
	.codes = CODES(struct block_nvfp4, qs, qs, 0x77, 0xff, 13),
	.decode = decode_nvfp4,
	.encode = encode_nvfp4,
	.refine = scalar_refine_nvfp4,
};
