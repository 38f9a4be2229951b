/*
 * scaled_avx512.c - codes that share a scale, with vectors of 16.
 */
#if defined(__x86_64__)
#define VECTOR_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define VECTOR_WIDTH 16
#include "../scaled_lanes.h"

const struct scaled_ops scaled_avx512 = { lanes_range, lanes_codes, 16 };
#endif
