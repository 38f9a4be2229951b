/*
 * block32_lanes.h - the encoders of the blocks of 32. Without importance a block lies across vectors, with importance
 * one lies in each lane and the searches of search_lanes.h do the work. To be included after a lanes_ISA.h.
 *
 * A maximum may come in any order as long as no number is NaN: those are passed over, as the scalar code does.
 */
#ifndef QUANT_BLOCK32_LANES_H
#define QUANT_BLOCK32_LANES_H

#include "block32.h"
#include "quant.h"
#include "search_lanes.h"

#include <float.h>

extern const struct heft_encoding quant_q8_0, quant_q4_0, quant_q4_1, quant_q5_0, quant_q5_1;

enum { VECTORS = QK / LANES };

struct numbers {
	vf v[VECTORS];
};

#define EACH_VECTOR(i) UNROLL for (int i = 0; i < VECTORS; i++)

LANE_FN struct numbers load_block(const float *src)
{
	struct numbers x;
	EACH_VECTOR(i)
		x.v[i] = v_load(src + LANES * i);
	return x;
}

LANE_FN float largest_magnitude(const struct numbers *x)
{
	vf m = v_set(0);
	EACH_VECTOR(i)
		m = v_max(v_abs(x->v[i]), m);
	return v_largest(m);
}

/* ---- Q8_0 ------------------------------------------------------------------------------------------------------ */

LANE_FN bool has_nan(const struct numbers *x)
{
	vm good = v_eq(x->v[0], x->v[0]);
	EACH_VECTOR(i)
		good = m_and(good, v_eq(x->v[i], x->v[i]));
	return m_wild(good);
}

/* roundf(), as an integer: halves away from zero. What is added is the number below a half: a half itself would carry
 * 0.49999997 over; and a half and this number make one. */
LANE_FN vi i_round_away(vf v)
{
	vf below_half = v_set(0x1.fffffep-2f);
	return i_truncate(v + v_pick(v_lt(v, v_set(0)), -below_half, below_half));
}

static LANES_TARGET void encode_q8_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q8_0 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		struct numbers x = load_block(src);
		vi q[VECTORS];
		if (has_nan(&x)) { /* the scalar code's maximum depends on where it stands */
			quant_q8_0.encode(src, (void *[]){b}, QK, NULL);
			continue;
		}
		float d = largest_magnitude(&x) / 127, inverse = d != 0 ? 1 / d : 0;
		b->d = half_of_float(d);
		EACH_VECTOR(i)
			q[i] = i_round_away(x.v[i] * v_set(inverse));
		i_store_32((uint8_t *)b->qs, q, 127);
	}
}

/* ---- without importance ---------------------------------------------------------------------------------------- */

/* Codes: ((x - base) * inverse + offset) truncated, at most top; what does not fit a byte wraps first. */
LANE_FN void plain_codes(const struct numbers *x, float base, float inverse, float offset, int top, uint8_t code[QK])
{
	vi q[VECTORS];
	EACH_VECTOR(i)
		q[i] = i_truncate((x->v[i] - v_set(base)) * v_set(inverse) + v_set(offset));
	i_store_32(code, q, top);
}

/* The first of the numbers (their magnitudes, where `bare`) that are f; f where there is none. */
LANE_FN float first_of(const struct numbers *x, const float *src, float f, bool bare)
{
	uint32_t found = 0;
	EACH_VECTOR(i)
		found |= (uint32_t)m_bits(v_eq(bare ? v_abs(x->v[i]) : x->v[i], v_set(f))) << LANES * i;
	return found ? src[__builtin_ctz(found)] : f;
}

/* The scale; the number of the largest magnitude, the first of equals, gets the code 0. */
LANE_FN float plain_signed(const float *src, int half, float *min, uint8_t code[QK])
{
	struct numbers x = load_block(src);
	float amax = largest_magnitude(&x), max = amax > 0 ? first_of(&x, src, amax, true) : 0;
	float d = max / (float)-half, inverse = d != 0 ? 1 / d : 0;
	plain_codes(&x, 0, inverse, (float)half + 0.5f, 2 * half - 1, code);
	*min = 0;
	return d;
}

/* The first of equals counts here too: a zero has a sign, and it is written. */
LANE_FN float plain_affine(const float *src, int top, float *out_min, uint8_t code[QK])
{
	struct numbers x = load_block(src);
	vf lo = v_set(-FLT_MAX), hi = lo; /* lo: the largest of -x */
	EACH_VECTOR(i) {
		lo = v_max(-x.v[i], lo);
		hi = v_max(x.v[i], hi);
	}
	float min = first_of(&x, src, -v_largest(lo), false), max = first_of(&x, src, v_largest(hi), false);
	float d = (max - min) / (float)top, inverse = d != 0 ? 1 / d : 0;
	plain_codes(&x, min, inverse, 0.5f, top, code);
	*out_min = min;
	return d;
}

#define BLOCK32_PLAIN(name, search, top)                                                                               \
	static LANES_TARGET void plain_##name(const float *src, uint8_t *dst, size_t n)                                \
	{                                                                                                              \
		for (; n; n -= QK, src += QK, dst += sizeof(struct block_##name)) {                                    \
			uint8_t code[QK];                                                                              \
			float min, d = search(src, top, &min, code);                                                   \
			store_##name(dst, d, min, code);                                                               \
		}                                                                                                      \
	}
BLOCK32_PLAIN(q4_0, plain_signed, 8)
BLOCK32_PLAIN(q5_0, plain_signed, 16)
BLOCK32_PLAIN(q4_1, plain_affine, 15)
BLOCK32_PLAIN(q5_1, plain_affine, 31)

/* ---- with importance ------------------------------------------------------------------------------------------- */

/* Importance in r->w becomes weights, as search_importance() does it. */
LANE_FN void lanes_importance(struct lanes_runs *r, vf variance)
{
	for (int i = 0; i < QK; i++) {
		vf x = v_load(r->x[i]);
		v_store(r->w[i], v_load(r->w[i]) * v_sqrt(variance + x * x));
	}
}

/* Up to LANES blocks. */
LANE_FN void lanes_store(const struct block32 *e, const struct lanes_runs *r, const struct lanes_found *f, size_t n,
			 uint8_t *dst)
{
	float scale[LANES], min[LANES];
	uint8_t turned[QK][LANES], code[QK];
	v_store(scale, f->scale);
	v_store(min, -f->min);
	lanes_found_codes(QK, r, f, e->lo, e->hi, turned);
	for (size_t k = 0; k < LANES && k < n; k++, dst += e->bytes) {
		for (int i = 0; i < QK; i++)
			code[i] = turned[i][k];
		e->store(dst, scale[k], min[k], code);
	}
}

/* One row; false where a block is wild. */
static LANES_TARGET bool lanes_block32_row(const struct block32 *e, const float *src, uint8_t *dst, size_t n,
					   const float *weights)
{
	vf variance = v_set(search_sum_squares(src, n) / n);
	for (size_t at = 0, blocks = n / QK; at < blocks; at += ABREAST * LANES) {
		struct lanes_runs r[ABREAST];
		struct lanes_found found[ABREAST];
		lanes_load_abreast(src, weights, QK, at, blocks, r);
		EACH(g)
			lanes_importance(&r[g], variance);
		if (e->search)
			lanes_search_affine(e->search, QK, r, found);
		else
			lanes_search_signed(QK, -e->lo, r, found);
		for (size_t g = 0, k = at; g < ABREAST && k < blocks; g++, k += LANES) {
			if (found[g].wild)
				return false;
			lanes_store(e, &r[g], &found[g], blocks - k, dst + k * e->bytes);
		}
	}
	return true;
}

/* A row in which a block is wild is the scalar code's altogether: this is rare. */
#define BLOCK32_ENCODER(name)                                                                                          \
	static void encode_##name(const float *src, void *const *plane, size_t n, const float *weights)                \
	{                                                                                                              \
		if (!weights)                                                                                          \
			plain_##name(src, plane[0], n);                                                                \
		else if (!lanes_block32_row(&block32_##name, src, plane[0], n, weights))                               \
			quant_##name.encode(src, plane, n, weights);                                                   \
	}
BLOCK32_ENCODER(q4_0)
BLOCK32_ENCODER(q5_0)
BLOCK32_ENCODER(q4_1)
BLOCK32_ENCODER(q5_1)

#define BLOCK32_KERNEL(name, isa_name, isa_value)                                                                      \
	const struct quant_kernel kernel_##name##_encode_##isa_name = {                                                \
		.encoding = #name,                                                                                     \
		.isa = isa_value,                                                                                      \
		.encode = encode_##name,                                                                               \
	};

#endif
