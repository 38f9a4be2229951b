/*
 * octets_neon.h - the words of x86/octets_avx2.h: one octet, in two registers.
 */
#ifndef QUANT_OCTETS_NEON_H
#define QUANT_OCTETS_NEON_H

#define OCTETS 1
typedef float vo __attribute__((vector_size(32)));

LANE_FN vo o_set(float f)
{
	return (vo){f, f, f, f, f, f, f, f};
}

LANE_FN vo o_load(const float *a, const float *b)
{
	vo v;
	memcpy(&v, a, sizeof v);
	return v;
}

/* table[low 3 bits of each word], as four bytes each. */
LANE_FN float32x4_t o_pick(vo table, uint32x4_t at)
{
	uint8x16x2_t bytes;
	memcpy(&bytes, &table, sizeof bytes);
	at = vmlaq_n_u32(vdupq_n_u32(0x03020100), vandq_u32(at, vdupq_n_u32(7)), 0x04040404);
	return vreinterpretq_f32_u8(vqtbl2q_u8(bytes, vreinterpretq_u8_u32(at)));
}

LANE_FN float32x4_t o_half(uint32x4_t at, vo a, vo b, vo c, vo d)
{
	float32x4_t sum = o_pick(a, at) + o_pick(b, vshrq_n_u32(at, 3));
	return sum + o_pick(c, vshrq_n_u32(at, 6)) + o_pick(d, vshrq_n_u32(at, 9));
}

LANE_FN vo o_look_up(const uint16_t *const list[OCTETS], vo a, vo b, vo c, vo d)
{
	uint16x8_t words = vld1q_u16(list[0]);
	float32x4_t half[2] = {o_half(vmovl_u16(vget_low_u16(words)), a, b, c, d),
			       o_half(vmovl_u16(vget_high_u16(words)), a, b, c, d)};
	vo v;
	memcpy(&v, half, sizeof v);
	return v;
}

LANE_FN void o_least(vo v, float least[OCTETS], int place[OCTETS])
{
	float32x4_t half[2];
	memcpy(half, &v, sizeof v);
	least[0] = vminvq_f32(vminq_f32(half[0], half[1]));
	vf m = v_set(least[0]);
	place[0] = __builtin_ctz(m_bits(v_eq(half[0], m)) | m_bits(v_eq(half[1], m)) << 4);
}

#endif
