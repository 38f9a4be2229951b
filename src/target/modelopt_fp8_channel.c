/*
 * modelopt_fp8_channel.c - ModelOpt FP8_PER_CHANNEL_PER_TOKEN: 8-bit floats, one scale per row; activations become the same while the model runs.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	const struct heft_encoding *f32 = quant_find("f32");

	ct_float(s, &(struct scheme_options){ .real = f32 }, 1, SCHEME_ALL, "fp8_e4m3 channel");
	s->scaled.scale = SCALED_PLAIN;
	s->dims[SCHEME_SCALES] = SCHEME_VECTOR;
	s->algorithm = "FP8_PER_CHANNEL_PER_TOKEN";
	return 0;
}

const struct target target_modelopt_fp8_channel = {
	.name = "modelopt-fp8-channel",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = modelopt_config,
	.side_name = "hf_quant_config.json",
	.side = modelopt_file,
};
