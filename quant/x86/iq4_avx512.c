/*
 * iq4_avx512.c - the encoders of IQ4_NL and IQ4_XS in 16 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "iq4_value_avx512.h"

#include "../iq4_lanes.h"

IQ4_KERNELS(avx512, QUANT_AVX512)
#endif
