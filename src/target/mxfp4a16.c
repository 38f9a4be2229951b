/*
 * mxfp4a16.c - compressed-tensors MXFP4A16: 4-bit floats, one power of two per 32 columns.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_mx(s, o, SCALED_E2M1, "mxfp4 pairs");
	return 0;
}

const struct target target_mxfp4a16 = {
	.name = "mxfp4a16",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = ct_config,
	.mix = ct_mix,
	.candidates = "keep,mxfp8a16,mxfp4a16",
};
