/*
 * iq4_nl_neon.c - IQ4_NL's encoder in 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "../iq4_nl_lanes.h"

IQ4_NL_KERNEL(neon, QUANT_NEON)
#endif
