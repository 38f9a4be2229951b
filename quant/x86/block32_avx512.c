/*
 * block32_avx512.c - the encoders of the blocks of 32 with vectors of 16.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../block32_lanes.h"

BLOCK32_KERNEL(q8_0, avx512, QUANT_AVX512)
BLOCK32_KERNEL(q4_0, avx512, QUANT_AVX512)
BLOCK32_KERNEL(q4_1, avx512, QUANT_AVX512)
BLOCK32_KERNEL(q5_0, avx512, QUANT_AVX512)
BLOCK32_KERNEL(q5_1, avx512, QUANT_AVX512)
#endif
