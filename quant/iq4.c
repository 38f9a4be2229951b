/*
 * iq4.c - IQ4_NL and IQ4_XS: 4-bit codes that choose among 16 unevenly spaced values, a scale per 32. 4.5 and 4.25 bits
 * per number.
 *
 *   iq4_nl  number i = d * value[code[i]]
 *
 *     byte   0  d   binary16
 *            2  qs  16 bytes: byte j holds code j (low nibble) and code j + 16 (high nibble)
 *
 *   iq4_xs  number i of run j = d * (scale[j] - 32) * value[code[i]]        256 numbers in 8 runs of 32
 *
 *     byte   0  d         binary16
 *            2  scales_h  16 bits: bits 2j+1, 2j are bits 5-4 of scale[j]
 *            4  scales_l  4 bytes: bits 3-0 of scale[2k] (low nibble) and scale[2k+1] (high) in byte k
 *            8  qs        8 times 16 bytes as above
 */
#include "iq4.h"
#include "quant.h"
#include "search.h"

#define TOO_SMALL 1e-15f

/* The index of the nearest value, of two at one distance the upper, is the number of middles that x is not below. Near
 * a middle the distances to both values are exact, so that comparing with the middle is comparing the distances. */
static void nearest_values(const float *restrict x, float inverse, int32_t *restrict code)
{
	memset(code, 0, QK * sizeof *code);
	for (int k = 0; k < 15; k++)
		for (int i = 0; i < QK; i++)
			code[i] += !(inverse * x[i] < iq4_middle[k]);
}

static void sums(const float *x, const float *w, float inverse, float *sum_xq, float *sum_q2)
{
	int32_t code[QK];
	nearest_values(x, inverse, code);
	*sum_xq = *sum_q2 = 0;
	for (int i = 0; i < QK; i++) {
		float q = iq4_value[code[i]];
		*sum_xq += w[i] * q * x[i];
		*sum_q2 += w[i] * q * q;
	}
}

static float search(const float *x, const float *w)
{
	float amax = 0, max = 0, sum_xq, sum_q2;
	for (int i = 0; i < QK; i++)
		if (fabsf(x[i]) > amax) {
			amax = fabsf(x[i]);
			max = x[i];
		}
	if (amax < TOO_SMALL)
		return 0;
	sums(x, w, 1 / (-max / iq4_value[0]), &sum_xq, &sum_q2);
	float d = sum_q2 > 0 ? sum_xq / sum_q2 : 0, best = d * sum_xq;
	for (int i = -IQ4_TRIES; i <= IQ4_TRIES; i++) {
		sums(x, w, (i + iq4_value[0]) / max, &sum_xq, &sum_q2);
		if (sum_q2 > 0 && sum_xq * sum_xq > best * sum_q2) {
			d = sum_xq / sum_q2;
			best = d * sum_xq;
		}
	}
	return d;
}

static void squares(const float *x, size_t run, size_t n, float *sum)
{
	for (size_t i = 0; i < n; i++)
		sum[i] = search_sum_squares(x + i * run, run);
}

static void search_runs(const float *x, const float *importance, const float *variance, size_t n, float *scale)
{
	for (size_t k = 0; k < n; k++, x += QK) {
		float w[QK];
		if (importance)
			search_importance(x, importance + k * QK, variance[k], QK, w);
		for (int i = 0; i < QK && !importance; i++)
			w[i] = x[i] * x[i];
		scale[k] = search(x, w);
	}
}

static void codes(const float *x, float inverse, uint8_t *qs)
{
	int32_t index[QK];
	uint8_t code[QK];
	nearest_values(x, inverse, index);
	for (int i = 0; i < QK; i++)
		code[i] = index[i];
	pack_halves(qs, code);
}

const struct iq4_ops iq4_scalar = {squares, search_runs, codes};

/* Runs that are searched at once, so that wide kernels find enough of them. */
enum { CHUNK = 64 };

/* The best scales of the runs of a chunk of n numbers, whose variance is that of `group` numbers. */
static void search_chunk(const struct iq4_ops *ops, const float *x, const float *importance, size_t group, size_t n,
			 float scale[CHUNK])
{
	float sum[CHUNK], variance[CHUNK];
	if (importance)
		ops->squares(x, group, n / group, sum);
	for (size_t i = 0; i < n / QK && importance; i++)
		variance[i] = sum[i / (group / QK)] * (2.0f / (float)group);
	ops->search(x, importance, variance, n / QK, scale);
}

/* ---- IQ4_NL ---------------------------------------------------------------------------------------------------- */

void iq4_decode_nl(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq4_nl *b = plane[0];
	for (; n; n -= QK, b++, dst += QK)
		iq4_decode_run(b->qs, float_of_half(b->d), dst);
}

void iq4_encode_nl(const struct iq4_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	struct block_iq4_nl *b = dst;
	for (size_t done = 0, size; done < n; done += size) {
		float scale[CHUNK];
		size = n - done < CHUNK * QK ? n - done : CHUNK * QK;
		search_chunk(ops, src + done, weights ? weights + done : NULL, QK, size, scale);
		for (size_t i = 0; i < size / QK; i++, b++) {
			b->d = half_of_float(scale[i]);
			ops->codes(src + done + i * QK, scale[i] != 0 ? 1 / scale[i] : 0, b->qs);
		}
	}
}

static void encode_nl(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq4_encode_nl(&iq4_scalar, src, plane[0], n, weights);
}

/* ---- IQ4_XS ---------------------------------------------------------------------------------------------------- */

void iq4_decode_xs(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq4_xs *b = plane[0];
	for (; n; n -= QK_K, b++)
		for (int j = 0; j < IQ4_RUNS; j++, dst += QK)
			iq4_decode_run(b->qs + j * QK / 2, float_of_half(b->d) * (float)iq4_xs_scale(b, j), dst);
}

/* Quantizes the best scales of the runs in turn; the codes are those for the scale before it became a half. */
static void finish_xs(const struct iq4_ops *ops, const float *x, const float best[IQ4_RUNS], struct block_iq4_xs *b)
{
	float amax = 0, max = 0;
	int scale[IQ4_RUNS];
	for (int j = 0; j < IQ4_RUNS; j++)
		if (fabsf(best[j]) > amax) {
			amax = fabsf(best[j]);
			max = best[j];
		}
	float d = -max / 32, inverse = d != 0 ? 1 / d : 0;
	b->d = half_of_float(d);
	for (int j = 0; j < IQ4_RUNS; j++) {
		scale[j] = clamp_int(nearest_int(inverse * best[j]), -32, 31);
		float run_d = d * (float)scale[j];
		ops->codes(x + j * QK, run_d != 0 ? 1 / run_d : 0, b->qs + j * QK / 2);
	}
	iq4_xs_set_scales(b, scale);
}

void iq4_encode_xs(const struct iq4_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	struct block_iq4_xs *b = dst;
	for (size_t done = 0, size; done < n; done += size) {
		float scale[CHUNK];
		size = n - done < CHUNK * QK ? n - done : CHUNK * QK;
		search_chunk(ops, src + done, weights ? weights + done : NULL, QK_K, size, scale);
		for (size_t i = 0; i < size; i += QK_K, b++)
			finish_xs(ops, src + done + i, scale + i / QK, b);
	}
}

static void encode_xs(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq4_encode_xs(&iq4_scalar, src, plane[0], n, weights);
}

const struct heft_encoding quant_iq4_nl = {
	.name = "iq4_nl",
	.about = "4-bit codes for uneven steps, a half as scale per 32",
	.block = QK,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK, sizeof(struct block_iq4_nl)}},
	.codes = CODES(struct block_iq4_nl, qs, qs, 0, 0xff, 16),
	.decode = iq4_decode_nl,
	.encode = encode_nl,
	.refine = iq4_scalar_refine_nl,
};

const struct heft_encoding quant_iq4_xs = {
	.name = "iq4_xs",
	.about = "4-bit codes for uneven steps, 6-bit scale per 32, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_iq4_xs)}},
	.codes = CODES(struct block_iq4_xs, qs, qs, 0, 0xff, 16),
	.decode = iq4_decode_xs,
	.encode = encode_xs,
	.refine = iq4_scalar_refine_xs,
};
