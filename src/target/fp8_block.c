/*
 * fp8_block.c - compressed-tensors FP8_BLOCK: 8-bit floats, one scale per 128 x 128; activations are scaled per 128 numbers as they come.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_float(s, o, 128, 128, "fp8_e4m3 128x128");
	s->ct_activations = "{\"num_bits\": 8, \"type\": \"float\", \"symmetric\": true, \"group_size\": 128, \"strategy\": \"group\", \"dynamic\": true}";
	return 0;
}

const struct target target_fp8_block = {
	.name = "fp8-block",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = ct_config,
	.mix = ct_mix,
	.candidates = "keep,fp8-block,w4a16:32,w4a16",
};
