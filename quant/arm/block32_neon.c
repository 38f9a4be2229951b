/*
 * block32_neon.c - encoders of the blocks of 32 with importance, one block in each of 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "../block32_lanes.h"

BLOCK32_ENCODER(q4_0, quant_q4_0.encode)
BLOCK32_ENCODER(q4_1, quant_q4_1.encode)
BLOCK32_ENCODER(q5_0, quant_q5_0.encode)
BLOCK32_ENCODER(q5_1, quant_q5_1.encode)

BLOCK32_KERNEL(q4_0, neon, QUANT_NEON)
BLOCK32_KERNEL(q4_1, neon, QUANT_NEON)
BLOCK32_KERNEL(q5_0, neon, QUANT_NEON)
BLOCK32_KERNEL(q5_1, neon, QUANT_NEON)
#endif
