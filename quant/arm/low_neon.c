/*
 * low_neon.c - the encoders of the 4-bit floats, the 1 and 2-bit codes and Q8_K in 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "../fp4_lanes.h"
#include "../low_lanes.h"

FP4_KERNELS(neon, QUANT_NEON)
LOW_KERNELS(neon, QUANT_NEON)
#endif
