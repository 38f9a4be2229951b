/*
 * w8a8.c - compressed-tensors W8A8: 8-bit integers, one scale per row; activations become the same while the model runs.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_integer8(s, o);
	return 0;
}

static void config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	ct_config(b, s, stays, "int-quantized",
		  "{\"num_bits\": 8, \"type\": \"int\", \"symmetric\": true, \"group_size\": null, \"strategy\": \"token\", \"dynamic\": true}");
}

const struct target target_w8a8 = {
	.name = "w8a8",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = config,
	.mix = ct_mix,
};
