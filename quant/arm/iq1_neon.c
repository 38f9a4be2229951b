/*
 * iq1_neon.c - IQ1_S and IQ1_M, encoded and refined in 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "../iq1_lanes.h"

IQ1_KERNEL(iq1_s, neon, QUANT_NEON)
IQ1_KERNEL(iq1_m, neon, QUANT_NEON)
#endif
