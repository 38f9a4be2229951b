/*
 * refine_scalar.c - the primitives of refine_runs.h, one run at a time.
 */
#include "lanes_scalar.h"

#include "refine_lanes.h"

const struct refine_ops refine_scalar = {lanes_fit, lanes_around, lanes_sums_of};
