/*
 * block32_avx2.c - the encoders of the blocks of 32 with vectors of 8.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "../block32_lanes.h"

BLOCK32_KERNEL(q8_0, avx2, QUANT_AVX2)
BLOCK32_KERNEL(q4_0, avx2, QUANT_AVX2)
BLOCK32_KERNEL(q4_1, avx2, QUANT_AVX2)
BLOCK32_KERNEL(q5_0, avx2, QUANT_AVX2)
BLOCK32_KERNEL(q5_1, avx2, QUANT_AVX2)
#endif
