/*
 * iq4_value_neon.h - the nearest of IQ4's values, in 4 lanes. To be included after lanes_neon.h.
 */
#ifndef QUANT_IQ4_VALUE_NEON_H
#define QUANT_IQ4_VALUE_NEON_H

#include "../iq4.h"

LANE_FN vf lanes_value(vf scaled)
{
	vf q = v_set(iq4_value[0]);
	for (int k = 0; k < 15; k++)
		q = v_pick(v_lt(scaled, v_set(iq4_middle[k])), q, v_set(iq4_value[k + 1]));
	return q;
}

#endif
