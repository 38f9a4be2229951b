/*
 * gptq_8bit.c - GPTQ's layout with codes of 8 bits.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	return gptq_scheme(s, o, 8, a, err);
}

const struct target target_gptq_8bit = {
	.name = "gptq-8bit",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.groups = true,
	.config = gptq_config,
	.mix = gptq_mix,
	.candidates = "keep,gptq-8bit:32,gptq-8bit,gptq:32,gptq",
	.side_name = "quantize_config.json",
};
