/*
 * iq4_neon.c - the encoders of IQ4_NL and IQ4_XS in 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "iq4_value_neon.h"

#include "../iq4_lanes.h"

IQ4_KERNELS(neon, QUANT_NEON)
#endif
