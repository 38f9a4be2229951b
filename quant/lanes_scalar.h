/*
 * lanes_scalar.h - the words of x86/lanes_avx2.h for one lane: an algorithm that is written in lanes is its own scalar
 * specification.
 */
#ifndef QUANT_LANES_SCALAR_H
#define QUANT_LANES_SCALAR_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "bits.h"

#define LANES 1
#define LANES_TARGET
#define LANE_FN static inline __attribute__((always_inline, unused))
#define TURN 1

typedef float vf;
typedef int32_t vi;
typedef bool vm;

/* clang-format off */
LANE_FN vf v_set(float f) { return f; }
LANE_FN vf v_load(const float *p) { return *p; }
LANE_FN void v_store(float *p, vf v) { *p = v; }
LANE_FN vf v_sqrt(vf a) { return sqrtf(a); }
LANE_FN vf v_abs(vf a) { return fabsf(a); }
LANE_FN vf v_min(vf a, vf b) { return a < b ? a : b; }
LANE_FN vf v_max(vf a, vf b) { return a > b ? a : b; }
LANE_FN vm v_lt(vf a, vf b) { return a < b; }
LANE_FN vm v_le(vf a, vf b) { return a <= b; }
LANE_FN vm v_eq(vf a, vf b) { return a == b; }
LANE_FN vm v_ne(vf a, vf b) { return a != b; }
LANE_FN vm m_and(vm a, vm b) { return a && b; }
LANE_FN vm m_or(vm a, vm b) { return a || b; }
LANE_FN unsigned m_bits(vm a) { return a; }
LANE_FN vf v_pick(vm m, vf yes, vf no) { return m ? yes : no; }
LANE_FN vi v_bits(vf a) { return (vi)bits_of(a); }
LANE_FN vf v_float(vi a) { return (float)a; }
LANE_FN vi i_set(int i) { return i; }
LANE_FN vi i_and(vi a, vi b) { return a & b; }
LANE_FN vi i_sub(vi a, vi b) { return a - b; }
LANE_FN vi i_clamp(vi a, int lo, int hi) { return a < lo ? lo : a > hi ? hi : a; }
LANE_FN vi i_add_unless(vi a, vm m) { return a + !m; }
LANE_FN float v_largest(vf a) { return a; }
LANE_FN void i_store_bytes(uint8_t *p, vi a) { *p = (uint8_t)a; }
LANE_FN void turn(const float *const in[1], int at, float *out) { *out = in[0][at]; }
/* clang-format on */

/* From 2^23 on there are no fractions. */
LANE_FN vf v_round(vf a)
{
	float big = copysignf(0x1p23f, a);
	return fabsf(a) < 0x1p23f ? copysignf(a + big - big, a) : a;
}

#endif
