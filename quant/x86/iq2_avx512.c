/*
 * iq2_avx512.c - the encoders of IQ2_XXS, IQ2_XS and IQ2_S in 16 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "near_avx512.h"

#include "../iq2_lanes.h"

IQ2_KERNELS(avx512, QUANT_AVX512)
#endif
