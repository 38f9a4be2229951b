/*
 * bnb_fp4_double.c - bitsandbytes FP4 whose scales are quantized in turn: 8-bit codes, an F32 scale per 256 of them, an offset per matrix.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	bnb_table(s, o, &fp4_table, true, "bnb fp4 nested", ".weight.quant_state.bitsandbytes__fp4");
	return 0;
}

const struct target target_bnb_fp4_double = {
	.name = "bnb-fp4-double",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = bnb_config,
};
