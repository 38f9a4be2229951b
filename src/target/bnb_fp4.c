/*
 * bnb_fp4.c - bitsandbytes FP4: 4-bit codes, floats of its own; one scale per 64 numbers.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	bnb_table(s, o, &fp4_table, false, "bnb fp4", ".weight.quant_state.bitsandbytes__fp4");
	return 0;
}

const struct target target_bnb_fp4 = {
	.name = "bnb-fp4",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = bnb_config,
};
