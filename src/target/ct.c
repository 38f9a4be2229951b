/*
 * ct.c - what the targets of compressed-tensors share: the names of its tensors, and quantization_config as its library (0.20) writes it.
 *
 *   float-quantized   M.weight F8_E4M3 [O, I]             M.weight_scale [O, 1] or [ceil(O/128), ceil(I/128)]
 *   int-quantized     M.weight I8 [O, I]                  M.weight_scale [O, 1]
 *   pack-quantized    M.weight_packed I32 [O, ceil(I*b/32)] M.weight_scale [O, G]
 *                     M.weight_zero_point I32 [ceil(O*b/32), G]   M.weight_shape I64 [2]
 *   mxfp8-quantized   M.weight F8_E4M3 [O, I]             M.weight_scale U8 [O, I/32], an E8M0 number each
 *   mxfp4-pack-quantized  M.weight_packed U8 [O, I/2], the first of two in the low end   M.weight_scale the same
 *   nvfp4-pack-quantized  M.weight_packed the same        M.weight_scale F8_E4M3 [O, I/16]   M.weight_global_scale F32 [1]
 *
 * Scales have the weight's own float type where none is said. Refuses group sizes that no kernel serves.
 */
#include "scheme.h"
#include "target.h"

#include <string.h>

void ct_float(struct scheme *s, const struct scheme_options *o, uint32_t rows, uint32_t cols, const char *name)
{
	s->enc.name = name;
	s->ct_format = "float-quantized";
	s->scaled = (struct scaled){ .code = SCALED_E4M3, .bits = 8, .real = scheme_real(o->real) };
	s->strip = rows;
	s->even_rows = rows;
	s->even_cols = cols == SCHEME_ALL ? 1 : cols;
	scheme_add(s, ".weight", quant_find("f8_e4m3"), (struct quant_plane){ "codes", 1, 1, 1 });
	scheme_add(s, ".weight_scale", o->real, (struct quant_plane){ "scales", rows, cols, o->real->plane[0].bytes });
}

void ct_integer8(struct scheme *s, const struct scheme_options *o)
{
	s->enc.name = "int8 channel";
	s->ct_format = "int-quantized";
	s->scaled = (struct scaled){ .bits = 8, .twos = true, .real = scheme_real(o->real) };
	s->strip = s->even_rows = s->even_cols = 1;
	scheme_add(s, ".weight", quant_find("i8"), (struct quant_plane){ "codes", 1, 1, 1 });
	scheme_add(s, ".weight_scale", o->real, (struct quant_plane){ "scales", 1, SCHEME_ALL, o->real->plane[0].bytes });
}

void ct_mx(struct scheme *s, const struct scheme_options *o, enum scaled_code code, const char *name)
{
	bool pairs = code == SCALED_E2M1;

	s->enc.name = name;
	s->ct_format = pairs ? "mxfp4-pack-quantized" : "mxfp8-quantized";
	s->scaled = (struct scaled){ .code = code, .scale = SCALED_E8M0, .bits = pairs ? 4 : 8, .real = scheme_real(o->real) };
	s->strip = s->even_rows = 1;
	s->even_cols = 32;
	scheme_add(s, pairs ? ".weight_packed" : ".weight", quant_find(pairs ? "u8" : "f8_e4m3"), (struct quant_plane){ "codes", 1, pairs ? 2 : 1, 1 });
	scheme_add(s, ".weight_scale", quant_find("u8"), (struct quant_plane){ "scales", 1, 32, 1 });
}

void ct_nvfp4(struct scheme *s, const struct scheme_options *o, enum scaled_scale scale, const char *const *suffix)
{
	s->enc.name = scale == SCALED_DIVIDED ? "nvfp4 pairs, divisor" : "nvfp4 pairs, factor";
	s->ct_format = "nvfp4-pack-quantized";
	s->scaled = (struct scaled){ .code = SCALED_E2M1, .scale = scale, .bits = 4, .real = scheme_real(o->real) };
	s->measure = &scheme_most;
	s->strip = s->even_rows = 1;
	s->even_cols = 16;
	scheme_add(s, suffix[0], quant_find("u8"), (struct quant_plane){ "codes", 1, 2, 1 });
	scheme_add(s, suffix[1], quant_find("f8_e4m3"), (struct quant_plane){ "scales", 1, 16, 1 });
	s->whole = s->enc.n_planes;
	s->dims[s->whole] = SCHEME_VECTOR;
	scheme_add(s, suffix[2], quant_find("f32"), (struct quant_plane){ "factor", SCHEME_ALL, SCHEME_ALL, sizeof(float) });
}

int ct_integer(struct scheme *s, const struct scheme_options *o, unsigned bits, uint32_t group, bool zeros, struct arena *a, struct heft_err *err)
{
	const struct heft_encoding *words = quant_find("i32");

	if (scheme_group(s, o, group, arena_printf(a, "int%u", bits), a, err))
		return -1;
	group = s->group;
	s->enc.name = zeros ? arena_printf(a, "%s zeros", s->enc.name) : s->enc.name;
	s->ct_format = "pack-quantized";
	s->scaled = (struct scaled){ .bits = bits, .zeros = zeros, .real = scheme_real(o->real) };
	s->strip = zeros ? 32 / bits : 1;
	s->even_rows = 1;
	s->even_cols = group == SCHEME_ALL ? 1 : group;
	scheme_tiles(s);
	scheme_add(s, ".weight_packed", words, (struct quant_plane){ "codes", 1, 32 / bits, 4 });
	scheme_add(s, ".weight_scale", o->real, (struct quant_plane){ "scales", 1, group, o->real->plane[0].bytes });
	if (zeros) {
		s->zeros = s->enc.n_planes;
		scheme_add(s, ".weight_zero_point", words, (struct quant_plane){ "zeros", 32 / bits, group, 4 });
	}
	s->shape = s->enc.n_planes;
	scheme_add(s, ".weight_shape", quant_find("i64"), (struct quant_plane){ "shape", SCHEME_ALL, SCHEME_ALL, 2 * sizeof(uint64_t) });
	return 0;
}

/* Where it is not the weight's. */
static const char *const scale_types[] = { [SCALED_E8M0] = "uint8", [SCALED_DIVIDED] = "float8_e4m3fn", [SCALED_MULTIPLIED] = NULL };

static void put_weights(struct jbuf *b, const struct scheme *s)
{
	const struct quant_plane *g = &s->enc.plane[SCHEME_SCALES];
	bool channel = g->cols == SCHEME_ALL, block = g->rows > 1;
	const char *type = scale_types[s->scaled.scale];

	jbuf_printf(b, "{\"num_bits\": %u, \"type\": \"%s\", \"symmetric\": %s, ", s->scaled.bits, s->scaled.code == SCALED_INTEGER ? "int" : "float",
		    s->scaled.zeros ? "false" : "true");
	if (channel || block)
		jbuf_printf(b, "\"group_size\": null, \"strategy\": \"%s\", ", block ? "block" : "channel");
	else
		jbuf_printf(b, "\"group_size\": %u, \"strategy\": \"%s\", ", (unsigned)g->cols, s->whole ? "tensor_group" : "group");
	if (block)
		jbuf_printf(b, "\"block_structure\": [%u, %u], ", (unsigned)g->rows, (unsigned)g->cols);
	if (type)
		jbuf_printf(b, "\"scale_dtype\": \"torch.%s\", \"zp_dtype\": \"torch.%s\", ", type, type);
	jbuf_printf(b, "\"dynamic\": false, \"observer\": \"minmax\"}");
}

static void put_group(struct jbuf *b, const struct scheme *s)
{
	jbuf_printf(b, "        \"format\": \"%s\",\n        \"weights\": ", s->ct_format);
	put_weights(b, s);
	jbuf_printf(b, ",\n        \"input_activations\": %s,\n        \"output_activations\": null\n      }", s->ct_activations ? s->ct_activations : "null");
}

static void put_head(struct jbuf *b, const char *format)
{
	jbuf_printf(b, "{\n    \"quant_method\": \"compressed-tensors\",\n    \"format\": \"%s\",\n    \"quantization_status\": \"compressed\",\n", format);
	jbuf_printf(b, "    \"global_compression_ratio\": null,\n    \"kv_cache_scheme\": null,\n    \"config_groups\": {\n");
}

/* Of experts vLLM asks by names of its own. */
static const char *target_name(const char *module, struct arena *a)
{
	const char *expert = linear_expert(module, a);

	return expert ? arena_printf(a, "re:%s", expert) : module;
}

static void put_names(struct jbuf *b, const struct scheme_names *modules)
{
	struct arena *a = arena_new();
	struct scheme_names each = scheme_each(modules, target_name, a);

	scheme_list(b, &each);
	arena_free(a);
}

static void put_tail(struct jbuf *b, const struct scheme_names *ignore)
{
	jbuf_printf(b, "\n    },\n    \"ignore\": ");
	put_names(b, ignore);
	jbuf_printf(b, "\n  }");
}

void ct_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *ignore)
{
	put_head(b, s->ct_format);
	jbuf_printf(b, "      \"group_0\": {\n        \"targets\": [\"Linear\"],\n");
	put_group(b, s);
	put_tail(b, ignore);
}

void ct_mix(struct jbuf *b, const struct scheme_use *use, size_t n, const struct scheme_names *ignore)
{
	put_head(b, "mixed-precision");
	for (size_t i = 0; i < n; i++) {
		jbuf_printf(b, "%s      \"group_%zu\": {\n        \"targets\": ", i ? ",\n" : "", i);
		put_names(b, &use[i].modules);
		jbuf_printf(b, ",\n");
		put_group(b, use[i].scheme);
	}
	put_tail(b, ignore);
}
