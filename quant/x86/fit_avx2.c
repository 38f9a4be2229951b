/*
 * fit_avx2.c - the search for scales with vectors of 8.
 */
#if defined(__x86_64__)
#define VECTOR_TARGET __attribute__((target("avx2")))
#define VECTOR_WIDTH 8
#include "../fit_lanes.h"

const struct fit_ops fit_avx2 = { lanes_sums, lanes_error, lanes_error_of, lanes_error_e2m1, lanes_codes };
#endif
