/*
 * fp8.c - DeepSeek's layout, `quant_method` fp8: 8-bit floats, one scale per 128 x 128.
 *
 *   M.weight F8_E4M3 [O, I]    M.weight_scale_inv F32 [O/128, I/128]    number = code * scale, whatever the name says
 *
 * The bytes are those of transformers (Fp8Quantize). Matrices that are not made of whole blocks stay, as they do there.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	const struct heft_encoding *f32 = quant_find("f32");

	ct_float(s, &(struct scheme_options){ .real = f32 }, 128, 128, "fp8_e4m3 128x128");
	s->suffix[SCHEME_SCALES] = ".weight_scale_inv";
	s->scaled.scale = SCALED_INVERSE;
	return 0;
}

static void config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	jbuf_printf(b, "{\n    \"quant_method\": \"fp8\",\n    \"fmt\": \"e4m3\",\n    \"activation_scheme\": \"dynamic\",\n"
		       "    \"weight_block_size\": [128, 128],\n    \"modules_to_not_convert\": ");
	scheme_list(b, stays);
	jbuf_printf(b, "\n  }");
}

const struct target target_fp8 = {
	.name = "fp8",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = config,
};
