/*
 * iq4_value_avx2.h - the nearest of IQ4's values, in 8 lanes. To be included after lanes_avx2.h.
 *
 * The nearest value is found by look-ups. Numbers fall into 8 buckets of 26.125, the outer ones without end, none of
 * which holds three middles; no middle is within 2 of a bucket's end, so that how the product rounds does not matter.
 */
#ifndef QUANT_IQ4_VALUE_AVX2_H
#define QUANT_IQ4_VALUE_AVX2_H

#include "../iq4.h"

/* Of bucket n, at n modulo 8: its middles (1024 where it has only one) and the values around them. */
/* clang-format off */
static const float first_middle[8] = {-4.5f, 19, 45.5f, 79, -115.5f, -74, -57, -28.5f};
static const float second_middle[8] = {7, 31.5f, 61, 101, -93.5f, 1024, -42, -16};
static const float value[3][8] = {
	{-10, 13, 38, 69, -127, -83, -65, -35},
	{1, 25, 53, 89, -104, -65, -49, -22},
	{13, 38, 69, 113, -83, -65, -35, -10},
};
/* clang-format on */

LANE_FN vf look_up(const float table[8], vi at)
{
	return _mm256_permutevar8x32_ps(v_load(table), at);
}

LANE_FN vf lanes_value(vf scaled)
{
	vf inside = v_max(v_min(scaled, v_set(80)), v_set(-104));
	vi at = v_bits(inside * v_set(1 / 26.125f) + v_set(12582912.0f));
	vm first = v_lt(scaled, look_up(first_middle, at)), second = v_lt(scaled, look_up(second_middle, at));
	return v_pick(first, look_up(value[0], at), v_pick(second, look_up(value[1], at), look_up(value[2], at)));
}

#endif
