/*
 * w8a8.c - compressed-tensors W8A8: 8-bit integers, one scale per row; activations become the same while the model runs.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_integer8(s, o);
	s->ct_activations = "{\"num_bits\": 8, \"type\": \"int\", \"symmetric\": true, \"group_size\": null, \"strategy\": \"token\", \"dynamic\": true}";
	return 0;
}

const struct target target_w8a8 = {
	.name = "w8a8",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = ct_config,
	.mix = ct_mix,
	.candidates = "keep,w8a8,w4a16:32,w4a16",
};
