/*
 * block32_neon.c - the encoders of the blocks of 32 with vectors of 4.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "../block32_lanes.h"

BLOCK32_KERNEL(q8_0, neon, QUANT_NEON)
BLOCK32_KERNEL(q4_0, neon, QUANT_NEON)
BLOCK32_KERNEL(q4_1, neon, QUANT_NEON)
BLOCK32_KERNEL(q5_0, neon, QUANT_NEON)
BLOCK32_KERNEL(q5_1, neon, QUANT_NEON)
#endif
