/*
 * iq4_nl_avx2.c - IQ4_NL's encoder in 8 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "../iq4_nl_lanes.h"

IQ4_NL_KERNEL(avx2, QUANT_AVX2)
#endif
