/*
 * refine_neon.c - --effort high with its searches in 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "../refine_lanes.h"

REFINE_KERNELS(neon, QUANT_NEON)
#endif
