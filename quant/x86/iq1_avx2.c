/*
 * iq1_avx2.c - IQ1_S and IQ1_M, encoded and refined in 8 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "../iq1_lanes.h"

IQ1_KERNEL(iq1_s, avx2, QUANT_AVX2)
IQ1_KERNEL(iq1_m, avx2, QUANT_AVX2)
#endif
