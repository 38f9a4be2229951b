/*
 * bnb.c - what the targets of bitsandbytes share. O outputs, I inputs.
 *
 *   M.weight              U8 [O*I/2, 1]     codes, in blocks of 64 that run through the rows
 *   M.weight.absmax       F32 [O*I/64]      their scales
 *   M.weight.quant_map    F32 [16]          the table
 *   M.weight.quant_state.bitsandbytes__nf4  U8, JSON: {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [O, I]}
 *
 * Where scales are quantized in turn, 256 of them with a scale, the state's JSON has the mean of all too: it is measured before the sizes are known.
 *
 *   M.weight.absmax             U8 [O*I/64]             M.weight.nested_quant_map   F32 [256]
 *   M.weight.nested_absmax      F32 [ceil(O*I/64/256)]  state  ..., "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.05}
 *
 * Refuses rows of an odd number of columns, as two codes share a byte; nested, rows that are no whole blocks.
 */
#include "../../base/nest.h"
#include "scheme.h"
#include "target.h"

#include <stdio.h>
#include <string.h>

enum { MAP = 2, STATE, NESTED, NESTED_MAP, STATE_MAX = 256 };

static const char *torch_name(const struct scheme *s)
{
	return s->scaled.real == SCALED_BF16 ? "bfloat16" : s->scaled.real == SCALED_F16 ? "float16" : "float32";
}

static size_t state(const struct scheme *s, uint64_t rows, uint64_t cols, const float *number, char *text)
{
	int n = snprintf(text, STATE_MAX, "{\"quant_type\": \"%s\", \"blocksize\": %d, \"dtype\": \"%s\", \"shape\": [%llu, %llu]", s->table->name,
			 NF4_BLOCK, torch_name(s), (unsigned long long)rows, (unsigned long long)cols);
	struct arena *a = arena_new();

	if (s->nested)
		n += snprintf(text + n, STATE_MAX - (size_t)n, ", \"nested_blocksize\": %d, \"nested_dtype\": \"float32\", \"nested_offset\": %s", NF4_NESTED,
			      json_of_f64(number ? (double)number[0] : 0, a));
	arena_free(a);
	text[n] = '}';
	return (size_t)n + 1;
}

/* Tables, and the state. */
static size_t once(const struct scheme *s, int p, uint64_t rows, uint64_t cols, const float *number, uint8_t *dst)
{
	char text[STATE_MAX];
	float map[NF4_MAP];
	const void *bytes = s->table->value;
	size_t n = 16 * sizeof(float);

	if (p == STATE) {
		n = state(s, rows, cols, number, text);
		bytes = text;
	}
	else if (p == NESTED_MAP) {
		n = sizeof map;
		nf4_map(map);
		bytes = map;
	}
	if (dst)
		memcpy(dst, bytes, n);
	return n;
}

/* ---- the mean of scales ---- */

static uint64_t blocks_of(const struct scheme *s, uint64_t rows, uint64_t cols)
{
	return rows * (cols / NF4_BLOCK);
}

static void scales_of(const struct scheme *s, const struct scheme_strip *t, float *out)
{
	for (uint64_t i = 0; i < t->rows * t->cols; i += NF4_BLOCK)
		out[i / NF4_BLOCK] = nf4_most(t->src + i, NF4_BLOCK);
}

static void mean_of(const struct scheme *s, const float *all, size_t n, float *number)
{
	number[0] = nf4_mean(all, n);
}

static const struct scheme_measure mean = { blocks_of, scales_of, mean_of, .early = true };

static void add_nested(struct scheme *s)
{
	const struct heft_encoding *real = quant_find("f32");

	s->strip = NF4_NESTED; /* of whole blocks: as many of them, whatever the columns */
	s->even_cols = NF4_BLOCK;
	s->nested = NESTED;
	s->measure = &mean;
	scheme_add(s, ".weight.nested_absmax", real, (struct quant_plane){ "nested scales", NF4_NESTED * NF4_BLOCK, 1, 4 });
	scheme_add(s, ".weight.nested_quant_map", real, (struct quant_plane){ "nested table", SCHEME_ALL, SCHEME_ALL, 4 });
	s->dims[NESTED] = SCHEME_VECTOR;
}

void bnb_table(struct scheme *s, const struct scheme_options *o, const struct nf4_table *t, bool nested, const char *name, const char *state_name)
{
	const struct heft_encoding *real = quant_find("f32"), *bytes = quant_find("u8");

	s->enc.name = name;
	s->scaled.real = scheme_real(o->real);
	s->table = t;
	s->strip = 32; /* of an even number of columns: whole blocks */
	s->even_rows = 1;
	s->even_cols = 2;
	scheme_add(s, ".weight", bytes, (struct quant_plane){ "codes", 2, 1, 1 });
	scheme_add(s, ".weight.absmax", nested ? bytes : real, (struct quant_plane){ "scales", NF4_BLOCK, 1, nested ? 1 : 4 });
	scheme_add(s, ".weight.quant_map", real, (struct quant_plane){ "table", SCHEME_ALL, SCHEME_ALL, 4 });
	scheme_add(s, state_name, bytes, (struct quant_plane){ "state", SCHEME_ALL, SCHEME_ALL, 1 });
	s->dims[SCHEME_SCALES] = SCHEME_VECTOR;
	s->once = once;
	if (nested)
		add_nested(s);
}

void bnb_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	const char *in4 = s->table ? "true" : "false", *in8 = s->table ? "false" : "true";

	jbuf_printf(b, "{\n    \"quant_method\": \"bitsandbytes\",\n    \"load_in_4bit\": %s,\n    \"_load_in_4bit\": %s,\n", in4, in4);
	jbuf_printf(b, "    \"load_in_8bit\": %s,\n    \"_load_in_8bit\": %s,\n    \"bnb_4bit_quant_type\": \"%s\",\n", in8, in8, s->table ? s->table->name : "fp4");
	jbuf_printf(b, "    \"bnb_4bit_use_double_quant\": %s,\n    \"bnb_4bit_compute_dtype\": \"%s\",\n", s->nested ? "true" : "false",
		    s->table ? torch_name(s) : "float32");
	jbuf_printf(b, "    \"bnb_4bit_quant_storage\": \"uint8\",\n    \"llm_int8_threshold\": 6.0,\n    \"llm_int8_has_fp16_weight\": false,\n");
	jbuf_printf(b, "    \"llm_int8_enable_fp32_cpu_offload\": false,\n    \"llm_int8_skip_modules\": ");
	scheme_list(b, stays);
	jbuf_printf(b, "\n  }");
}
