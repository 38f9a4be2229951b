/*
 * iq4_nl_avx512.c - IQ4_NL's encoder in 16 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../iq4_nl_lanes.h"

IQ4_NL_KERNEL(avx512, QUANT_AVX512)
#endif
