/*
 * awq.c - AWQ's layout for GEMM: packed integers of 4 bits with zero points, eight rows to a word. I inputs, O outputs, groups of g columns.
 *
 *   M.qweight  I32 [I, O/8]   M.qzeros I32 [I/g, O/8]   M.scales F16 [I/g, O]
 *
 *   a word   row 7 5 3 1 6 4 2 0, the last in the low end
 *
 * AutoAWQ packs 32 rows at a time: refuses other matrices, and groups that no kernel serves.
 */
#include "scheme.h"
#include "target.h"

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	const struct heft_encoding *words = quant_find("i32"), *half = quant_find("f16");

	if (scheme_group(s, o, 128, "awq4", a, err))
		return -1;
	s->scaled = (struct scaled){ .bits = 4, .scale = SCALED_AWQ, .zeros = true };
	s->through = half;
	s->strip = 16;
	s->even_rows = 32;
	s->shuffled = true;
	scheme_add(s, ".qweight", words, (struct quant_plane){ "codes", 8, 1, 4 });
	scheme_add(s, ".scales", half, (struct quant_plane){ "scales", 1, s->group, 2 });
	scheme_add(s, ".qzeros", words, (struct quant_plane){ "zeros", 8, s->group, 4 });
	s->dims[SCHEME_CODES] = s->dims[SCHEME_SCALES] = s->dims[2] = SCHEME_TURNED;
	s->zeros = 2;
	return 0;
}

static void config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	jbuf_printf(b, "{\n    \"quant_method\": \"awq\",\n    \"bits\": 4,\n    \"group_size\": %d,\n", s->group == SCHEME_ALL ? -1 : (int)s->group);
	jbuf_printf(b, "    \"zero_point\": true,\n    \"version\": \"gemm\",\n    \"modules_to_not_convert\": ");
	scheme_list(b, stays);
	jbuf_printf(b, "\n  }");
}

const struct target target_awq = {
	.name = "awq",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.groups = true,
	.config = config,
};
