/*
 * fp4_lanes.h - the encoders of MXFP4 and NVFP4 with LANES numbers of one run at a time. To be included after a
 * lanes_ISA.h.
 *
 * The first of the nearest values is found by the middles between them, of which the lower value has the tie: near a
 * middle both distances are exact. That holds while no number is far above the largest value and no value overflows;
 * other blocks go to the scalar code.
 */
#ifndef QUANT_FP4_LANES_H
#define QUANT_FP4_LANES_H

#include "blocks.h"
#include "fp4.h"
#include "lanes.h"
#include "quant.h"

extern const struct heft_encoding quant_mxfp4, quant_nvfp4;

LANE_FN vi lanes_over(vi index, vf size, vf middle)
{
	return i_add_where(index, v_lt(middle, size), i_set(1));
}

LANE_FN void lanes_codes_fp4(const float *x, int n, float scale, uint8_t *qs)
{
	uint8_t code[QK];
	vf m0 = v_set(0.5f * scale), m1 = v_set(1.5f * scale), m2 = v_set(2.5f * scale), m3 = v_set(3.5f * scale),
	   m4 = v_set(5 * scale), m5 = v_set(7 * scale), m6 = v_set(10 * scale);
	for (int i = 0; i < n; i += LANES) {
		vf v = v_load(x + i), size = v_abs(v);
		vi low = lanes_over(lanes_over(lanes_over(i_set(0), size, m0), size, m1), size, m2);
		vi high = lanes_over(lanes_over(lanes_over(low, size, m3), size, m4), size, m5);
		vm negative = m_and(v_lt(v, v_set(0)), v_lt(m0, size));
		i_store_bytes(code + i, i_add_where(lanes_over(high, size, m6), negative, i_set(8)));
	}
	for (int i = 0; i < n / 2; i++)
		qs[i] = (uint8_t)(code[i] | code[i + n / 2] << 4);
}

static LANES_TARGET void lanes_encode_mxfp4(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_mxfp4 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		float amax = lanes_largest(src, QK);
		if (!(amax < 0x1p127f)) {
			quant_mxfp4.encode(src, (void *[]){b}, QK, NULL);
			continue;
		}
		b->e = fp4_e8m0_of_amax(amax);
		lanes_codes_fp4(src, QK, fp4_scale_of_e8m0(b->e), b->qs);
	}
}

static LANES_TARGET void lanes_encode_nvfp4(const float *src, void *const *plane, size_t n, const float *weights)
{
	enum { RUN = 16 };
	struct block_nvfp4 *b = plane[0];
	for (; n; n -= QK_NVFP4, b++, src += QK_NVFP4) {
		float amax[QK_NVFP4 / RUN], most = 0;
		for (int j = 0; j < QK_NVFP4 / RUN; j++) {
			amax[j] = lanes_largest(src + j * RUN, RUN);
			most = amax[j] > most ? amax[j] : most;
		}
		if (!(most < 2688)) { /* 6 * 448 */
			quant_nvfp4.encode(src, (void *[]){b}, QK_NVFP4, NULL);
			continue;
		}
		for (int j = 0; j < QK_NVFP4 / RUN; j++) {
			b->d[j] = fp4_ue4m3_of_amax(amax[j]);
			float scale = fp4_scale_of_ue4m3(b->d[j]);
			/* without a scale all values are equally near */
			lanes_codes_fp4(src + j * RUN, RUN, scale > 0 ? scale : INFINITY, b->qs + j * RUN / 2);
		}
	}
}

#define FP4_KERNELS(isa_name, isa_value)                                                                               \
	const struct quant_kernel kernel_mxfp4_##isa_name = {                                                          \
		.encoding = "mxfp4", .isa = isa_value, .encode = lanes_encode_mxfp4};                                  \
	const struct quant_kernel kernel_nvfp4_##isa_name = {                                                          \
		.encoding = "nvfp4", .isa = isa_value, .encode = lanes_encode_nvfp4};

#endif
