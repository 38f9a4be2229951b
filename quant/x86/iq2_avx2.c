/*
 * iq2_avx2.c - the encoders of IQ2_XXS, IQ2_XS and IQ2_S in 8 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "near_avx2.h"

#include "../iq2_lanes.h"

IQ2_KERNELS(avx2, QUANT_AVX2)
#endif
