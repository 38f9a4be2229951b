/*
 * w4a16.c - compressed-tensors W4A16: packed 4-bit integers, one scale per 128 columns.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	return ct_integer(s, o, 4, 128, false, a, err);
}

const struct target target_w4a16 = {
	.name = "w4a16",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.groups = true,
	.config = ct_config,
	.mix = ct_mix,
	.candidates = "keep,w8a16:32,w8a16,w4a16:32,w4a16",
};
