/*
 * iq1_avx512.c - IQ1_S and IQ1_M, encoded and refined in 16 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../iq1_lanes.h"

IQ1_KERNEL(iq1_s, avx512, QUANT_AVX512)
IQ1_KERNEL(iq1_m, avx512, QUANT_AVX512)
#endif
