/*
 * nf4_avx512.c - blocks of NF4 and FP4, with vectors of 16.
 */
#if defined(__x86_64__)
#define VECTOR_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define VECTOR_WIDTH 16
#include "../nf4_lanes.h"

const struct nf4_ops nf4_avx512 = { lanes_most, lanes_nearest };
#endif
