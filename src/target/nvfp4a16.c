/*
 * nvfp4a16.c - compressed-tensors NVFP4A16: 4-bit floats, one 8-bit float per 16 columns, one number per matrix that divides those; matrices
 * that runtimes fuse share it.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_nvfp4(s, o, SCALED_DIVIDED, (const char *[]){ ".weight_packed", ".weight_scale", ".weight_global_scale" });
	return 0;
}

const struct target target_nvfp4a16 = {
	.name = "nvfp4a16",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = ct_config,
	.mix = ct_mix,
	.candidates = "keep,fp8-dynamic,nvfp4a16",
};
