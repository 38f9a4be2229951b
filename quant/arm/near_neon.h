/*
 * near_neon.h - the words of x86/near_avx2.h for 4 lanes. To be included after lanes_neon.h.
 */
#ifndef QUANT_NEAR_NEON_H
#define QUANT_NEAR_NEON_H

#include <float.h>

/* clang-format off */
LANE_FN vi i_load(const int32_t *p) { return vld1q_s32(p); }
LANE_FN void i_store(int32_t *p, vi a) { vst1q_s32(p, a); }
LANE_FN vi i_add(vi a, vi b) { return vaddq_s32(a, b); }
LANE_FN vi i_down(vi a, int n) { return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-n))); }
LANE_FN vi i_pick(vm m, vi yes, vi no) { return vbslq_s32(m, yes, no); }
/* clang-format on */

LANE_FN void turn4(vf a, vf b, vf c, vf d, float *out)
{
	float32x4x4_t all = {{a, b, c, d}};
	vst4q_f32(out, all);
}

/* The floats of a table of 4 that the low two bits of the lanes choose. */
LANE_FN vf choose(const float *table, vi which)
{
	uint32x4_t bytes = vmulq_n_u32(vreinterpretq_u32_s32(i_and(which, i_set(3))), 0x04040404);
	bytes = vaddq_u32(bytes, vdupq_n_u32(0x03020100));
	return vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(v_load(table)), vreinterpretq_u8_u32(bytes)));
}

LANE_FN uint64_t near_key(const float *term, const uint16_t *list, uint32_t at)
{
	vi p = vreinterpretq_s32_u32(vmovl_u16(vld1_u16(list + at)));
	vf sum = v_set(0);
	for (int i = 0; i < 8; i++)
		sum += choose(term + 4 * LANES * i, i_down(p, 2 * i));
	sum = v_min(sum, v_set(FLT_MAX));
	float least = vminvq_f32(sum);
	unsigned first = (unsigned)__builtin_ctz(m_bits(v_eq(sum, v_set(least))));
	return (uint64_t)vgetq_lane_u32(vreinterpretq_u32_f32(v_set(least)), 0) << 32 | (at + first);
}

#endif
