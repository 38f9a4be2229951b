/*
 * mxfp8a16.c - compressed-tensors MXFP8A16: 8-bit floats, one power of two per 32 columns.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_mx(s, o, SCALED_E4M3, "fp8_e4m3 1x32 f8_e8m0");
	return 0;
}

const struct target target_mxfp8a16 = {
	.name = "mxfp8a16",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = ct_config,
	.mix = ct_mix,
	.candidates = "keep,mxfp8a16,mxfp4a16",
};
