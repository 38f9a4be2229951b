/*
 * low_avx2.c - the encoders of the 4-bit floats, the 1 and 2-bit codes and Q8_K in 8 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "../fp4_lanes.h"
#include "../low_lanes.h"

FP4_KERNELS(avx2, QUANT_AVX2)
LOW_KERNELS(avx2, QUANT_AVX2)
#endif
