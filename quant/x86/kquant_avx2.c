/*
 * kquant_avx2.c - the k-quants' encoders with their searches in 8 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "../kquant_lanes.h"

KQUANT_KERNEL(2, avx2, QUANT_AVX2)
KQUANT_KERNEL(3, avx2, QUANT_AVX2)
KQUANT_KERNEL(4, avx2, QUANT_AVX2)
KQUANT_KERNEL(5, avx2, QUANT_AVX2)
KQUANT_KERNEL(6, avx2, QUANT_AVX2)
#endif
