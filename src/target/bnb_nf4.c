/*
 * bnb_nf4.c - bitsandbytes NF4: 4-bit codes, quantiles of the normal distribution; one scale per 64 numbers.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	bnb_table(s, o, &nf4_table, false, "bnb nf4", ".weight.quant_state.bitsandbytes__nf4");
	return 0;
}

const struct target target_bnb_nf4 = {
	.name = "bnb-nf4",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = bnb_config,
};
