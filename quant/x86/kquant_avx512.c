/*
 * kquant_avx512.c - the k-quants' encoders with their searches in 16 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../kquant_lanes.h"

KQUANT_KERNEL(2, avx512, QUANT_AVX512)
KQUANT_KERNEL(3, avx512, QUANT_AVX512)
KQUANT_KERNEL(4, avx512, QUANT_AVX512)
KQUANT_KERNEL(5, avx512, QUANT_AVX512)
KQUANT_KERNEL(6, avx512, QUANT_AVX512)
#endif
