/*
 * kquant_neon.c - the k-quants' encoders with their searches in 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "../kquant_lanes.h"

KQUANT_KERNEL(2, neon, QUANT_NEON)
KQUANT_KERNEL(3, neon, QUANT_NEON)
KQUANT_KERNEL(4, neon, QUANT_NEON)
KQUANT_KERNEL(5, neon, QUANT_NEON)
KQUANT_KERNEL(6, neon, QUANT_NEON)
#endif
