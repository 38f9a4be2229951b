/*
 * fit_affine_avx512.c - the search for scales and biases, 16 runs at a time.
 */
#if defined(__x86_64__)
#include <math.h>

#include "lanes_avx512.h"

#include "../fit_affine_lanes.h"

const struct fit_affine_ops fit_affine_avx512 = { lanes_lines };
#endif
