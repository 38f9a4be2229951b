/*
 * iq4_neon.c - the encoders of IQ4_NL and IQ4_XS in 4 lanes.
 */
#if defined(__aarch64__)
#include "lanes_neon.h"

#include "../iq4.h"

LANE_FN vf lanes_value(vf scaled)
{
	vf q = v_set(iq4_value[0]);
	for (int k = 0; k < 15; k++)
		q = v_pick(v_lt(scaled, v_set(iq4_middle[k])), q, v_set(iq4_value[k + 1]));
	return q;
}

#include "../iq4_lanes.h"

IQ4_KERNELS(neon, QUANT_NEON)
#endif
