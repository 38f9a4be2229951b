/*
 * low_avx512.c - the encoders of the 4-bit floats, the 1 and 2-bit codes and Q8_K in 16 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../fp4_lanes.h"
#include "../low_lanes.h"

FP4_KERNELS(avx512, QUANT_AVX512)
LOW_KERNELS(avx512, QUANT_AVX512)
#endif
