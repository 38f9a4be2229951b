/*
 * bnb_int8.c - bitsandbytes LLM.int8: 8-bit integers, a scale per output channel. O outputs, I inputs.
 *
 *   M.weight I8 [O, I]   M.SCB F32 [O], the largest magnitude of each row   M.weight_format U8, 0: by rows
 */
#include "scheme.h"
#include "target.h"

static size_t format(const struct scheme *s, int p, uint64_t rows, uint64_t cols, const float *number, uint8_t *dst)
{
	if (dst)
		*dst = 0;
	return 1;
}

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	s->enc.name = "bnb int8";
	s->scaled = (struct scaled){ .bits = 8, .scale = SCALED_INT8, .real = scheme_real(o->real) };
	s->through = quant_find("f16");
	s->strip = s->even_rows = s->even_cols = 1;
	scheme_add(s, ".weight", quant_find("i8"), (struct quant_plane){ "codes", 1, 1, 1 });
	scheme_add(s, ".SCB", quant_find("f32"), (struct quant_plane){ "scales", 1, SCHEME_ALL, 4 });
	scheme_add(s, ".weight_format", quant_find("u8"), (struct quant_plane){ "format", SCHEME_ALL, SCHEME_ALL, 1 });
	s->dims[SCHEME_SCALES] = SCHEME_VECTOR;
	s->dims[2] = SCHEME_SCALAR;
	s->once = format;
	return 0;
}

const struct target target_bnb_int8 = {
	.name = "bnb-int8",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.config = bnb_config,
};
