/*
 * fit_avx512.c - the search for scales with vectors of 16.
 */
#if defined(__x86_64__)
#define VECTOR_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define VECTOR_WIDTH 16
#include "../fit_lanes.h"

const struct fit_ops fit_avx512 = { lanes_sums, lanes_error, lanes_error_of, lanes_error_e2m1, lanes_codes };
#endif
