/*
 * bnb.c - what the targets of bitsandbytes share. O outputs, I inputs.
 *
 *   M.weight              U8 [O*I/2, 1]     codes, in blocks of 64 that run through the rows
 *   M.weight.absmax       F32 [O*I/64]      their scales
 *   M.weight.quant_map    F32 [16]          the table
 *   M.weight.quant_state.bitsandbytes__nf4  U8, JSON: {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [O, I]}
 *
 * Refuses rows of an odd number of columns: two codes share a byte.
 */
#include "scheme.h"
#include "target.h"

#include <stdio.h>
#include <string.h>

enum { MAP = 2, STATE, STATE_MAX = 256 };

static const char *torch_name(const struct scheme *s)
{
	return s->scaled.real == SCALED_BF16 ? "bfloat16" : s->scaled.real == SCALED_F16 ? "float16" : "float32";
}

static size_t map_or_state(const struct scheme *s, int p, uint64_t rows, uint64_t cols, uint8_t *dst)
{
	char text[STATE_MAX];
	size_t n = 16 * sizeof(float);

	if (p == STATE)
		n = (size_t)snprintf(text, sizeof text, "{\"quant_type\": \"%s\", \"blocksize\": %d, \"dtype\": \"%s\", \"shape\": [%llu, %llu]}", s->table->name,
				     NF4_BLOCK, torch_name(s), (unsigned long long)rows, (unsigned long long)cols);
	if (dst)
		memcpy(dst, p == STATE ? (const void *)text : s->table->value, n);
	return n;
}

void bnb_table(struct scheme *s, const struct scheme_options *o, const struct nf4_table *t, const char *name, const char *state)
{
	const struct heft_encoding *real = quant_find("f32"), *bytes = quant_find("u8");

	s->enc.name = name;
	s->scaled.real = scheme_real(o->real);
	s->table = t;
	s->strip = 32; /* of an even number of columns: whole blocks */
	s->even_rows = 1;
	s->even_cols = 2;
	scheme_add(s, ".weight", bytes, (struct quant_plane){ "codes", 2, 1, 1 });
	scheme_add(s, ".weight.absmax", real, (struct quant_plane){ "scales", NF4_BLOCK, 1, 4 });
	scheme_add(s, ".weight.quant_map", real, (struct quant_plane){ "table", SCHEME_ALL, SCHEME_ALL, 4 });
	scheme_add(s, state, bytes, (struct quant_plane){ "state", SCHEME_ALL, SCHEME_ALL, 1 });
	s->dims[SCHEME_SCALES] = SCHEME_VECTOR;
	s->once = map_or_state;
}

void bnb_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	const char *in4 = s->table ? "true" : "false", *in8 = s->table ? "false" : "true";

	jbuf_printf(b, "{\n    \"quant_method\": \"bitsandbytes\",\n    \"load_in_4bit\": %s,\n    \"_load_in_4bit\": %s,\n", in4, in4);
	jbuf_printf(b, "    \"load_in_8bit\": %s,\n    \"_load_in_8bit\": %s,\n    \"bnb_4bit_quant_type\": \"%s\",\n", in8, in8, s->table ? s->table->name : "fp4");
	jbuf_printf(b, "    \"bnb_4bit_use_double_quant\": false,\n    \"bnb_4bit_compute_dtype\": \"%s\",\n", s->table ? torch_name(s) : "float32");
	jbuf_printf(b, "    \"bnb_4bit_quant_storage\": \"uint8\",\n    \"llm_int8_threshold\": 6.0,\n    \"llm_int8_has_fp16_weight\": false,\n");
	jbuf_printf(b, "    \"llm_int8_enable_fp32_cpu_offload\": false,\n    \"llm_int8_skip_modules\": ");
	scheme_list(b, stays);
	jbuf_printf(b, "\n  }");
}
