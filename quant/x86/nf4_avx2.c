/*
 * nf4_avx2.c - blocks of NF4 and FP4, with vectors of 8.
 */
#if defined(__x86_64__)
#define VECTOR_TARGET __attribute__((target("avx2")))
#define VECTOR_WIDTH 8
#include "../nf4_lanes.h"

const struct nf4_ops nf4_avx2 = { lanes_most, lanes_nearest };
#endif
