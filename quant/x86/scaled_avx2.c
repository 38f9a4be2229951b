/*
 * scaled_avx2.c - codes that share a scale, with vectors of 8.
 */
#if defined(__x86_64__)
#define VECTOR_TARGET __attribute__((target("avx2")))
#define VECTOR_WIDTH 8
#include "../scaled_lanes.h"

const struct scaled_ops scaled_avx2 = { lanes_range, lanes_codes, 8 };
#endif
