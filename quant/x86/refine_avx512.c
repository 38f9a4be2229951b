/*
 * refine_avx512.c - --effort high with its searches in 16 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../refine_lanes.h"

REFINE_KERNELS(avx512, QUANT_AVX512)
#endif
