/*
 * modelopt_fp8_block.c - ModelOpt FP8_PB_WO: 8-bit floats, one scale per 128 x 128.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	const struct heft_encoding *f32 = quant_find("f32");

	ct_float(s, &(struct scheme_options){ .real = f32 }, 128, 128, "fp8_e4m3 128x128");
	s->scaled.scale = SCALED_PLAIN;
	s->dims[SCHEME_SCALES] = SCHEME_BLOCKS;
	s->algorithm = "FP8_PB_WO";
	return 0;
}

const struct target target_modelopt_fp8_block = {
	.name = "modelopt-fp8-block",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = modelopt_config,
	.side_name = "hf_quant_config.json",
	.side = modelopt_file,
};
