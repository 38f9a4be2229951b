/*
 * iq4_avx2.c - the encoders of IQ4_NL and IQ4_XS in 8 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "iq4_value_avx2.h"

#include "../iq4_lanes.h"

IQ4_KERNELS(avx2, QUANT_AVX2)
#endif
