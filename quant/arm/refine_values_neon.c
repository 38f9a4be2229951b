/*
 * refine_values_neon.c - the searches of --effort high for the small types in 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "iq4_value_neon.h"

#include "../refine_values_lanes.h"

static const struct value_ops lanes_value_ops = {lanes_refine_fit, lanes_refine_sums};

REFINE_KERNELS(neon, QUANT_NEON)
#endif
