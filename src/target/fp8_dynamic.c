/*
 * fp8_dynamic.c - compressed-tensors FP8_DYNAMIC: 8-bit floats, one scale per output channel; activations are scaled per token as they come.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_float(s, o, 1, SCHEME_ALL, "fp8_e4m3 channel");
	s->ct_activations = "{\"num_bits\": 8, \"type\": \"float\", \"symmetric\": true, \"group_size\": null, \"strategy\": \"token\", \"dynamic\": true}";
	return 0;
}

const struct target target_fp8_dynamic = {
	.name = "fp8-dynamic",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = ct_config,
	.mix = ct_mix,
	.candidates = "keep,fp8-dynamic,w4a16:32,w4a16",
};
