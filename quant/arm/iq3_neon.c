/* iq3_neon.c - IQ3_XXS and IQ3_S, encoded with 4 lanes. */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "octets_neon.h"

#include "../iq3_lanes.h"

IQ3_KERNEL(iq3_xxs, neon, QUANT_NEON)
IQ3_KERNEL(iq3_s, neon, QUANT_NEON)
#endif
