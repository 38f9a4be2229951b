/* iq3_avx2.c - IQ3_XXS and IQ3_S, encoded with 8 lanes. */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "octets_avx2.h"

#include "../iq3_lanes.h"

IQ3_KERNEL(iq3_xxs, avx2, QUANT_AVX2)
IQ3_KERNEL(iq3_s, avx2, QUANT_AVX2)
#endif
