/*
 * refine_values_avx2.c - the searches of --effort high for the small types in 8 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "iq4_value_avx2.h"

#include "../refine_values_lanes.h"

static const struct value_ops lanes_value_ops = {lanes_refine_fit, lanes_refine_sums};

REFINE_KERNELS(avx2, QUANT_AVX2)
#endif
