/*
 * w8a16.c - compressed-tensors W8A16: packed 8-bit integers, one scale per output channel.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	return ct_integer(s, o, 8, SCHEME_ALL, false, a, err);
}

const struct target target_w8a16 = {
	.name = "w8a16",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.groups = true,
	.config = ct_config,
	.mix = ct_mix,
	.candidates = "keep,w8a16:32,w8a16,w4a16:32,w4a16",
};
