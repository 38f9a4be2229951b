/*
 * modelopt_nvfp4.c - ModelOpt W4A16_NVFP4: 4-bit floats, one 8-bit float per 16 columns, one number per matrix that multiplies those; matrices that
 * runtimes fuse share it.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_nvfp4(s, o, SCALED_MULTIPLIED, (const char *[]){ ".weight", ".weight_scale", ".weight_scale_2" });
	s->dims[s->whole] = SCHEME_SCALAR;
	s->algorithm = "W4A16_NVFP4";
	s->algorithm_groups = "{\"group_0\": {\"targets\": [\"Linear\"], \"weights\": "
			      "{\"dynamic\": false, \"num_bits\": 4, \"type\": \"float\", \"group_size\": 16}}}";
	s->group = 16;
	return 0;
}

const struct target target_modelopt_nvfp4 = {
	.name = "modelopt-nvfp4",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = modelopt_config,
	.side_name = "hf_quant_config.json",
	.side = modelopt_file,
};
