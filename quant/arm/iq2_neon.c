/*
 * iq2_neon.c - the encoders of IQ2_XXS, IQ2_XS and IQ2_S in 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "near_neon.h"

#include "../iq2_lanes.h"

IQ2_KERNELS(neon, QUANT_NEON)
#endif
