/*
 * fit_affine_neon.c - the search for scales and biases, 4 runs at a time.
 */
#if defined(__aarch64__)
#include <math.h>

#include "lanes_neon.h"

#include "../fit_affine_lanes.h"

const struct fit_affine_ops fit_affine_neon = { lanes_lines };
#endif
