/*
 * mxfp4.c - gpt-oss's own layout: the experts of a layer as 4-bit floats with one power of two per 32 columns, all else as it is.
 *
 *   experts.gate_up_proj_blocks  U8 [E, 2I, H/32, 16]   codes, the first of two in the low bits; rows of gate and up take turns
 *   experts.gate_up_proj_scales  U8 [E, 2I, H/32]       exponent + 127
 *   experts.down_proj_blocks     U8 [E, H, I/32, 16]    experts.down_proj_scales  U8 [E, H, I/32]
 *
 * Its unquantized form has each matrix the other way round: plan_experts.c turns it. The list of modules is OpenAI's.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	ct_mx(s, o, SCALED_E2M1, "mxfp4 1x32");
	s->scaled.code = SCALED_E2M1_MINUS; /* gpt-oss has them: what was MXFP4 gets its own bytes */
	s->suffix[SCHEME_CODES] = "_blocks";
	s->suffix[SCHEME_SCALES] = "_scales";
	s->enc.plane[SCHEME_CODES] = (struct quant_plane){ "codes", 1, 32, 16 };
	s->dims[SCHEME_CODES] = SCHEME_GROUPS;
	return 0;
}

static void config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	static const char *const names[] = { "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head" };

	jbuf_printf(b, "{\n    \"quant_method\": \"mxfp4\",\n    \"modules_to_not_convert\": ");
	scheme_list(b, &(struct scheme_names){ names, sizeof names / sizeof *names });
	jbuf_printf(b, "\n  }");
}

const struct target target_mxfp4 = {
	.name = "mxfp4",
	.format = "safetensors",
	.keeps_names = true,
	.experts = true,
	.scheme = scheme,
	.config = config,
};
