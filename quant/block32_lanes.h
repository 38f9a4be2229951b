/*
 * block32_lanes.h - the encoders of block32.h with importance, by the searches in lanes. To be included after a
 * lanes_ISA.h.
 */
#ifndef QUANT_BLOCK32_LANES_H
#define QUANT_BLOCK32_LANES_H

#include "block32.h"
#include "quant.h"
#include "search_lanes.h"

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

/* An encoder: without weights there is nothing to search, and `plain` does it. A row in which a block is wild is the
 * scalar code's altogether: this is rare. */
#define BLOCK32_ENCODER(name, plain)                                                                                   \
	static void encode_##name(const float *src, void *const *plane, size_t n, const float *weights)                \
	{                                                                                                              \
		if (!weights)                                                                                          \
			plain(src, plane, n, NULL);                                                                    \
		else if (!lanes_block32_row(&block32_##name, src, plane[0], n, weights))                               \
			quant_##name.encode(src, plane, n, weights);                                                   \
	}

#define BLOCK32_KERNEL(name, isa_name, isa_value)                                                                      \
	const struct quant_kernel kernel_##name##_encode_##isa_name = {                                                \
		.encoding = #name,                                                                                     \
		.isa = isa_value,                                                                                      \
		.encode = encode_##name,                                                                               \
	};

extern const struct heft_encoding quant_q4_0, quant_q4_1, quant_q5_0, quant_q5_1;

#endif
