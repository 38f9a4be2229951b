/*
 * bnb_nf4_double.c - bitsandbytes NF4 whose scales are quantized in turn: 8-bit codes, an F32 scale per 256 of them, an offset per matrix.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	bnb_table(s, o, &nf4_table, true, "bnb nf4 nested", ".weight.quant_state.bitsandbytes__nf4");
	return 0;
}

const struct target target_bnb_nf4_double = {
	.name = "bnb-nf4-double",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = bnb_config,
};
