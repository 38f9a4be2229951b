/*
 * lanes_neon.h - the words of x86/lanes_avx2.h for 4 lanes. Every aarch64 processor has them.
 */
#ifndef QUANT_LANES_NEON_H
#define QUANT_LANES_NEON_H

#include <arm_neon.h>
#include <string.h>

#define LANES 4
#define LANES_TARGET
#define LANE_FN static inline __attribute__((always_inline))

typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;

/* clang-format off */
LANE_FN vf v_set(float f) { return vdupq_n_f32(f); }
LANE_FN vf v_load(const float *p) { return vld1q_f32(p); }
LANE_FN void v_store(float *p, vf v) { vst1q_f32(p, v); }
LANE_FN vf v_sqrt(vf a) { return vsqrtq_f32(a); }
LANE_FN vf v_abs(vf a) { return vabsq_f32(a); }
LANE_FN vf v_round(vf a) { return vrndnq_f32(a); } /* ties to even */
LANE_FN vm v_lt(vf a, vf b) { return vcltq_f32(a, b); }
LANE_FN vm v_le(vf a, vf b) { return vcleq_f32(a, b); }
LANE_FN vm v_eq(vf a, vf b) { return vceqq_f32(a, b); }
LANE_FN vm v_ne(vf a, vf b) { return vmvnq_u32(vceqq_f32(a, b)); }
LANE_FN vm m_and(vm a, vm b) { return vandq_u32(a, b); }
LANE_FN vm m_or(vm a, vm b) { return vorrq_u32(a, b); }
LANE_FN vf v_pick(vm m, vf yes, vf no) { return vbslq_f32(m, yes, no); }
LANE_FN vf v_min(vf a, vf b) { return v_pick(v_lt(a, b), a, b); } /* vminq_f32 gives NaN where either is */
LANE_FN vf v_max(vf a, vf b) { return v_pick(v_lt(b, a), a, b); }
LANE_FN vi v_bits(vf a) { return vreinterpretq_s32_f32(a); }
LANE_FN vf v_float(vi a) { return vcvtq_f32_s32(a); }
LANE_FN vi i_set(int i) { return vdupq_n_s32(i); }
LANE_FN vi i_and(vi a, vi b) { return vandq_s32(a, b); }
LANE_FN vi i_sub(vi a, vi b) { return vsubq_s32(a, b); }
LANE_FN vi i_clamp(vi a, int lo, int hi) { return vminq_s32(vmaxq_s32(a, i_set(lo)), i_set(hi)); }
LANE_FN float v_largest(vf a) { return vmaxvq_f32(a); }
LANE_FN vi i_add_unless(vi a, vm m) { return vaddq_s32(a, vaddq_s32(vreinterpretq_s32_u32(m), i_set(1))); }
LANE_FN vi i_load_words(const uint16_t *p) { return vreinterpretq_s32_u32(vmovl_u16(vld1_u16(p))); }
LANE_FN vf v_load_fours(const float *p) { return vld1q_f32(p); }
LANE_FN float v_least(vf a) { return vminvq_f32(a); } /* none is NaN */
LANE_FN vi i_add_where(vi a, vm m, vi b) { return vaddq_s32(a, vandq_s32(vreinterpretq_s32_u32(m), b)); }
/* clang-format on */

/* The instruction clamps, and makes 0 of a NaN. */
LANE_FN vi i_truncate(vf a)
{
	vm fits = m_and(v_le(v_set(-0x1p31f), a), v_lt(a, v_set(0x1p31f)));
	return vbslq_s32(fits, vcvtq_s32_f32(a), i_set(INT32_MIN));
}

LANE_FN unsigned m_bits(vm a)
{
	const uint32x4_t bit = {1, 2, 4, 8};
	return vaddvq_u32(vandq_u32(a, bit));
}

LANE_FN void i_store_bytes(uint8_t *p, vi a)
{
	uint8x8_t bytes = vmovn_u16(vcombine_u16(vmovn_u32(vreinterpretq_u32_s32(a)), vdup_n_u16(0)));
	uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
	memcpy(p, &four, sizeof four);
}

LANE_FN vf v_of_four(vf table, vi at)
{
	const uint32x4_t own_bytes = vdupq_n_u32(0x03020100), spread = vdupq_n_u32(0x04040404);
	uint32x4_t bytes = vmlaq_u32(own_bytes, vandq_u32(vreinterpretq_u32_s32(at), vdupq_n_u32(3)), spread);
	return vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(table), vreinterpretq_u8_u32(bytes)));
}

LANE_FN void i_store_32(uint8_t *p, const vi q[8], int top)
{
	for (int i = 0; i < 8; i += 4) {
		int16x8_t a = vcombine_s16(vmovn_s32(q[i]), vmovn_s32(q[i + 1]));
		int16x8_t b = vcombine_s16(vmovn_s32(q[i + 2]), vmovn_s32(q[i + 3]));
		int8x16_t bytes = vminq_s8(vcombine_s8(vmovn_s16(a), vmovn_s16(b)), vdupq_n_s8((int8_t)top));
		vst1q_u8(p + 4 * i, vreinterpretq_u8_s8(bytes));
	}
}

#define TURN 4

/* out[i * LANES + r] = in[r][at + i] for 4 runs and 4 numbers. */
LANE_FN void turn(const float *const in[4], int at, float *out)
{
	float32x4x2_t a = vtrnq_f32(vld1q_f32(in[0] + at), vld1q_f32(in[1] + at));
	float32x4x2_t b = vtrnq_f32(vld1q_f32(in[2] + at), vld1q_f32(in[3] + at));
	vst1q_f32(out + 0 * LANES, vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0])));
	vst1q_f32(out + 1 * LANES, vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1])));
	vst1q_f32(out + 2 * LANES, vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0])));
	vst1q_f32(out + 3 * LANES, vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1])));
}

#endif
