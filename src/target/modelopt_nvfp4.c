/*
 * modelopt_nvfp4.c - ModelOpt W4A16_NVFP4: 4-bit floats, one 8-bit float per 16 columns, one number per matrix that multiplies those; matrices that
 * runtimes fuse share it.
 */
#include "scheme.h"
#include "target.h"

#define ALGORITHM "W4A16_NVFP4"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_nvfp4(s, o, SCALED_MULTIPLIED, (const char *[]){ ".weight", ".weight_scale", ".weight_scale_2" });
	s->dims[s->whole] = SCHEME_SCALAR;
	return 0;
}

static void config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	modelopt_config(b, stays, ALGORITHM, "{\"group_0\": {\"targets\": [\"Linear\"], \"weights\": "
			"{\"dynamic\": false, \"num_bits\": 4, \"type\": \"float\", \"group_size\": 16}}}");
}

static void side(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	modelopt_file(b, stays, ALGORITHM, 16);
}

const struct target target_modelopt_nvfp4 = {
	.name = "modelopt-nvfp4",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = config,
	.side_name = "hf_quant_config.json",
	.side = side,
};
