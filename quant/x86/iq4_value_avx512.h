/*
 * iq4_value_avx512.h - the nearest of IQ4's values, in 16 lanes. To be included after lanes_avx512.h.
 *
 * The nearest value is found by two look-ups. Numbers fall into buckets of 11.75, none of which holds two middles; no
 * middle is within 0.8 of a bucket's end, so that how the division rounds does not matter.
 */
#ifndef QUANT_IQ4_VALUE_AVX512_H
#define QUANT_IQ4_VALUE_AVX512_H

#include "../iq4.h"

/* Of bucket n, at n modulo 32: its middle (1024 where it has none) as a binary32, and in the low 4 bits, which are free,
 * the code below the middle. */
/* clang-format off */
static const uint32_t bucket[32] = {
	0xc0900007, 0x40e00008, 0x41980009, 0x41fc000a, 0x4236000b, 0x4274000c, 0x4480000d, 0x429e000d,
	0x4480000e, 0x42ca000e, 0x4480000f, 0x4480000f, 0x4480000f, 0x4480000f, 0x4480000f, 0x4480000f,
	0x44800000, 0x44800000, 0x44800000, 0x44800000, 0x44800000, 0x44800000, 0xc2e70000, 0x44800001,
	0xc2bb0001, 0x44800002, 0xc2940002, 0xc2640003, 0xc2280004, 0x44800005, 0xc1e40005, 0xc1800006,
};
/* clang-format on */

LANE_FN vf lanes_value(vf scaled)
{
	const vf below = v_load(iq4_value), above = _mm512_setr_ps(-104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113, 113);
	vi at = v_bits(_mm512_fmadd_ps(scaled, v_set(1 / 11.75f), v_set(12582912.0f)));
	vi found = _mm512_permutex2var_epi32(_mm512_loadu_si512(bucket), at, _mm512_loadu_si512(bucket + 16));
	vm less = v_lt(scaled, _mm512_castsi512_ps(i_and(found, i_set(~15))));
	return _mm512_mask_permutexvar_ps(_mm512_permutexvar_ps(found, above), less, found, below);
}

#endif
