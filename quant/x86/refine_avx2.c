/*
 * refine_avx2.c - --effort high with its searches in 8 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "../refine_lanes.h"

REFINE_KERNELS(avx2, QUANT_AVX2)
#endif
