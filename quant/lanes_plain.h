/*
 * lanes_plain.h - the words of x86/lanes_avx2.h for one lane, in plain C: where a search in lanes is its own specification.
 */
#ifndef QUANT_LANES_PLAIN_H
#define QUANT_LANES_PLAIN_H

#include "bits.h"

#include <stdbool.h>

#define LANES 1
#define LANES_TARGET
#define LANE_FN static inline __attribute__((unused))
#define TURN 1

typedef float vf;
typedef int32_t vi;
typedef bool vm;

/* clang-format off */
LANE_FN vf v_set(float f) { return f; }
LANE_FN vf v_load(const float *p) { return *p; }
LANE_FN void v_store(float *p, vf v) { *p = v; }
LANE_FN vf v_abs(vf a) { return fabsf(a); }
LANE_FN vf v_min(vf a, vf b) { return a < b ? a : b; }
LANE_FN vf v_max(vf a, vf b) { return a > b ? a : b; }
LANE_FN vf v_round(vf a) { return rintf(a); } /* ties to even */
LANE_FN vm v_lt(vf a, vf b) { return a < b; }
LANE_FN vm v_ne(vf a, vf b) { return a != b; }
LANE_FN unsigned m_bits(vm a) { return a; }
LANE_FN vf v_pick(vm m, vf yes, vf no) { return m ? yes : no; }
LANE_FN vi v_bits(vf a) { return (vi)bits_of(a); }
LANE_FN vi i_set(int i) { return i; }
LANE_FN vi i_and(vi a, vi b) { return a & b; }
LANE_FN vi i_sub(vi a, vi b) { return a - b; }
LANE_FN float v_largest(vf a) { return a; }
/* clang-format on */

LANE_FN void turn(const float *const in[1], int at, float *out)
{
	*out = in[0][at];
}

#endif
