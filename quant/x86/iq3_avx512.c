/* iq3_avx512.c - IQ3_XXS and IQ3_S, encoded with 16 lanes. */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "octets_avx512.h"

#include "../iq3_lanes.h"

IQ3_KERNEL(iq3_xxs, avx512, QUANT_AVX512)
IQ3_KERNEL(iq3_s, avx512, QUANT_AVX512)
#endif
