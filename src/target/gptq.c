/*
 * gptq.c - GPTQ's layout (AutoGPTQ's v1): packed integers, words that run down the columns. I inputs, O outputs, b bits, groups of g columns.
 *
 *   M.qweight  I32 [I*b/32, O]   M.scales F16 [I/g, O]   M.qzeros I32 [I/g, O*b/32]   M.g_idx I32 [I], column / g
 *
 * Codes are symmetric: every zero point is 2^(b-1), and v1 stores it less one: 0x77777777. GPTQModel packs blocks of 32 columns and 32 rows:
 * refuses other matrices, and groups that no kernel serves.
 */
#include "scheme.h"
#include "target.h"

#include <string.h>

static size_t index_of_groups(const struct scheme *s, int p, uint64_t rows, uint64_t cols, const float *number, uint8_t *dst)
{
	for (uint64_t i = 0; dst && i < cols; i++) {
		uint32_t group = (uint32_t)(i / s->enc.plane[SCHEME_SCALES].cols);

		memcpy(dst + 4 * i, &group, sizeof group);
	}
	return 4 * (size_t)cols;
}

int gptq_scheme(struct scheme *s, const struct scheme_options *o, unsigned bits, struct arena *a, struct heft_err *err)
{
	const struct heft_encoding *words = quant_find("i32");

	if (scheme_group(s, o, 128, arena_printf(a, "gptq%u", bits), a, err))
		return -1;
	s->scaled = (struct scaled){ .bits = bits, .scale = SCALED_GPTQ, .real = scheme_real(o->real) };
	s->strip = 16; /* a line of the processor's cache of each column's words */
	s->even_rows = 32;
	scheme_add(s, ".qweight", words, (struct quant_plane){ "codes", 1, 32 / bits, 4 });
	scheme_add(s, ".scales", quant_find("f16"), (struct quant_plane){ "scales", 1, s->group, 2 });
	scheme_add(s, ".qzeros", words, (struct quant_plane){ "zeros", 32 / bits, s->group, 4 });
	scheme_add(s, ".g_idx", words, (struct quant_plane){ "groups", SCHEME_ALL, SCHEME_ALL, 4 });
	s->dims[SCHEME_CODES] = s->dims[SCHEME_SCALES] = s->dims[2] = SCHEME_TURNED;
	s->zeros = 2;
	s->zero_less = 1;
	s->once = index_of_groups;
	return 0;
}

static int scheme(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err)
{
	return gptq_scheme(s, o, 4, a, err);
}

static int group_size(const struct scheme *s)
{
	return s->group == SCHEME_ALL ? -1 : (int)s->group;
}

/* Runtimes take the first that begins the name of a layer, also of one that they made of several. */
static const char *pattern(const char *module, struct arena *a)
{
	return strcmp(module, "lm_head") ? linear_pattern(module, a) : "";
}

static void put_rule(struct jbuf *b, bool *any, const char *sign, const char *pattern, const char *rule, struct arena *a)
{
	const char *key = arena_printf(a, "%s%s", sign, pattern);

	jbuf_printf(b, *any ? ", " : ",\n    \"dynamic\": {");
	jbuf_string(b, key, strlen(key));
	jbuf_printf(b, ": %s", rule);
	*any = true;
}

/* What stays beside lm_head, which has a member of its own; then what is stored otherwise than most. */
static void put_dynamic(struct jbuf *b, const struct scheme_use *use, size_t n, const struct scheme_use *most, const struct scheme_names *stays)
{
	struct arena *a = arena_new();
	struct scheme_names each = scheme_each(stays, pattern, a);
	bool any = false;

	for (size_t i = 0; i < each.n; i++)
		if (*each.name[i])
			put_rule(b, &any, "-:", each.name[i], "{}", a);
	for (const struct scheme_use *u = use; u < use + n; u++) {
		const char *rule = arena_printf(a, "{\"bits\": %u, \"group_size\": %d}", u->scheme->scaled.bits, group_size(u->scheme));

		each = scheme_each(&u->modules, pattern, a);
		for (size_t i = 0; u != most && i < each.n; i++)
			put_rule(b, &any, "+:", each.name[i], rule, a);
	}
	jbuf_raw(b, "}", any);
	arena_free(a);
}

void gptq_mix(struct jbuf *b, const struct scheme_use *use, size_t n, const struct scheme_names *stays)
{
	const struct scheme_use *most = use;

	for (size_t i = 1; i < n; i++)
		if (use[i].modules.n > most->modules.n)
			most = &use[i];
	jbuf_printf(b, "{\n    \"quant_method\": \"gptq\",\n    \"checkpoint_format\": \"gptq\",\n    \"bits\": %u,\n    \"group_size\": %d,\n",
		    most->scheme->scaled.bits, group_size(most->scheme));
	jbuf_printf(b, "    \"desc_act\": false,\n    \"sym\": true,\n    \"damp_percent\": 0.01,\n    \"static_groups\": false,\n");
	jbuf_printf(b, "    \"true_sequential\": true,\n    \"lm_head\": false,\n    \"pack_dtype\": \"int32\"");
	put_dynamic(b, use, n, most, stays);
	jbuf_printf(b, "\n  }");
}

void gptq_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	gptq_mix(b, &(struct scheme_use){ .scheme = s }, 1, stays);
}

const struct target target_gptq = {
	.name = "gptq",
	.format = "safetensors",
	.keeps_names = true,
	.scheme = scheme,
	.groups = true,
	.config = gptq_config,
	.mix = gptq_mix,
	.candidates = "keep,gptq-8bit:32,gptq-8bit,gptq:32,gptq",
	.side_name = "quantize_config.json",
};
