/*
 * mlx.c - MLX's codes, as mlx-lm (0.32) writes them: affine integers of 2, 3, 4, 5, 6 and 8 bits, its mx modes, and plain floats.
 *
 *             affine                                mxfp4           mxfp8            nvfp4
 *   M.weight  U32 [..., O, I*b/32], dense stream    [..., O, I/8]   [..., O, I/4]    [..., O, I/8]
 *   M.scales  as the weight was [..., O, I/g]       U8 E8M0 [I/32]  U8 E8M0 [I/32]   U8 E4M3 [I/16]
 *   M.biases  the same; the modes have none
 *
 * A mixed type has the layers that lose most in more bits: its recipe says which. config.json says all of it twice, as `quantization` and `quantization_config`, in
 * which what is not stored as most are has an entry of its own: whole numbers of bits and columns, as the loader for Swift wants them.
 */
#include "mlx.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- schemes ---- */

static int affine(struct scheme *s, const struct scheme_options *o, unsigned bits, struct arena *a, struct heft_err *err)
{
	uint32_t group = o->group ? o->group : 64, bytes = o->real->plane[0].bytes;

	if (group != 32 && group != 64 && group != 128)
		return heft_fail(err, HEFT_E_OPTION, "--group-size: MLX has groups of 32, 64 and 128 columns");
	s->enc.name = arena_printf(a, "mlx%u g%u", bits, (unsigned)group);
	s->scaled = (struct scaled){ .scale = SCALED_AFFINE, .bits = bits, .real = scheme_real(o->real) };
	s->group = group;
	s->strip = s->even_rows = 1;
	s->even_cols = group;
	s->dims[SCHEME_CODES] = SCHEME_ROWS;
	scheme_add(s, ".weight", quant_find("u32"), (struct quant_plane){ "codes", 1, 32, 4 * bits });
	scheme_add(s, ".scales", o->real, (struct quant_plane){ "scales", 1, group, bytes });
	s->biases = s->enc.n_planes;
	scheme_add(s, ".biases", o->real, (struct quant_plane){ "biases", 1, group, bytes });
	return 0;
}

/* A search rounds nothing but codes and scales. */
static int mode(struct scheme *s, const struct scheme_options *o, enum scaled_code code, uint32_t group, const char *name, struct heft_err *err)
{
	unsigned bits = code == SCALED_E4M3 ? 8 : 4;
	bool powers = group == 32;

	if (o->group && o->group != group)
		return heft_fail(err, HEFT_E_OPTION, "--group-size: MLX has %s in groups of %u columns alone", name, (unsigned)group);
	s->enc.name = name;
	s->scaled = (struct scaled){ .code = code, .scale = powers ? SCALED_E8M0_UP : SCALED_ALONE, .bits = bits,
				     .real = s->search && bits == 4 ? SCALED_F32 : scheme_real(o->real) };
	s->group = group;
	s->strip = s->even_rows = 1;
	s->even_cols = group;
	scheme_add(s, ".weight", quant_find("u32"), (struct quant_plane){ "codes", 1, 32 / bits, 4 });
	scheme_add(s, ".scales", quant_find("u8"), (struct quant_plane){ "scales", 1, group, 1 });
	return 0;
}

#define SCHEME(name, call) \
	static int name(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err) { return call; }
SCHEME(affine2, affine(s, o, 2, a, err))
SCHEME(affine3, affine(s, o, 3, a, err))
SCHEME(affine4, affine(s, o, 4, a, err))
SCHEME(affine5, affine(s, o, 5, a, err))
SCHEME(affine6, affine(s, o, 6, a, err))
SCHEME(affine8, affine(s, o, 8, a, err))
SCHEME(mxfp4, mode(s, o, SCALED_E2M1_INNER, 32, "mlx mxfp4", err))
SCHEME(mxfp8, mode(s, o, SCALED_E4M3, 32, "mlx mxfp8", err))
SCHEME(nvfp4, mode(s, o, SCALED_E2M1_INNER, 16, "mlx nvfp4", err))
#undef SCHEME

/* ---- config.json ---- */

static void put_said(struct jbuf *b, const struct scheme *s, const char *indent)
{
	const char *name = s->scaled.scale == SCALED_AFFINE ? "affine" : s->enc.name + strlen("mlx ");

	jbuf_printf(b, "%s\"group_size\": %u,\n%s\"bits\": %u,\n%s\"mode\": \"%s\"", indent, (unsigned)s->group, indent, s->scaled.bits, indent, name);
}

/* Those that are most stand for all. */
static size_t main_of(const struct scheme_use *use, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (use[i].modules.n > use[best].modules.n)
			best = i;
	return best;
}

static void mix(struct jbuf *b, const struct scheme_use *use, size_t n, const struct scheme_names *stays)
{
	size_t best = main_of(use, n);

	jbuf_printf(b, "{\n");
	put_said(b, use[best].scheme, "    ");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < use[i].modules.n && i != best; k++) {
			const char *name = use[i].modules.name[k];

			jbuf_printf(b, ",\n    ");
			jbuf_string(b, name, strlen(name));
			jbuf_printf(b, ": {\n");
			put_said(b, use[i].scheme, "      ");
			jbuf_printf(b, "\n    }");
		}
	jbuf_printf(b, "\n  }");
}

static void config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	mix(b, &(struct scheme_use){ .scheme = s }, 1, stays);
}

/* ---- targets ---- */

static enum linear plain(const char *name, int rank, const struct target_model *m, const char **why)
{
	*why = "as asked";
	return LINEAR_NO;
}

static const struct target *typed(const char *type, const struct heft_encoding **real);
static const struct target *module_of(const struct target *t, const struct target_module *module, const struct target_model *m);

#define MLX .format = "safetensors", .keeps_names = true, .groups = true, .config = config, .mix = mix, .typed = typed, .stacks = true, .indexed = true, .section = "mlx", \
	    .config_too = "quantization"
#define QUANTIZED MLX, .kind = mlx_kind, .module = module_of
#define PLAIN MLX, .kind = plain, .scheme = affine4

static const struct target router = { .name = "mlx-8bit", .scheme = affine8, .group_fixed = true, QUANTIZED };

enum { NAMES = 4 };
#define NAME(name) { name, name "-bf16", name "-f16", name "-f32" }

/* The first is what a user gets who names none. With a dash: what is not codes, and the scales, in that float type. */
static const struct type {
	const char *name[NAMES];
	struct target target;
} types[] = {
	{ NAME("4bit"), { .name = "mlx-4bit", .scheme = affine4, QUANTIZED } },
	{ NAME("2bit"), { .name = "mlx-2bit", .scheme = affine2, QUANTIZED } },
	{ NAME("3bit"), { .name = "mlx-3bit", .scheme = affine3, QUANTIZED } },
	{ NAME("5bit"), { .name = "mlx-5bit", .scheme = affine5, QUANTIZED } },
	{ NAME("6bit"), { .name = "mlx-6bit", .scheme = affine6, QUANTIZED } },
	{ NAME("8bit"), { .name = "mlx-8bit", .scheme = affine8, QUANTIZED } },
	{ NAME("mxfp4"), { .name = "mlx-mxfp4", .scheme = mxfp4, .group_fixed = true, QUANTIZED } },
	{ NAME("mxfp8"), { .name = "mlx-mxfp8", .scheme = mxfp8, .group_fixed = true, QUANTIZED } },
	{ NAME("nvfp4"), { .name = "mlx-nvfp4", .scheme = nvfp4, .group_fixed = true, QUANTIZED } },
	{ NAME("mixed_2_6"), { .name = "mlx-mixed_2_6", .scheme = affine2, .recipe = "mixed_2_6", QUANTIZED } },
	{ NAME("mixed_3_4"), { .name = "mlx-mixed_3_4", .scheme = affine3, .recipe = "mixed_3_4", QUANTIZED } },
	{ NAME("mixed_3_6"), { .name = "mlx-mixed_3_6", .scheme = affine3, .recipe = "mixed_3_6", QUANTIZED } },
	{ NAME("mixed_4_6"), { .name = "mlx-mixed_4_6", .scheme = affine4, .recipe = "mixed_4_6", QUANTIZED } },
	{ { "keep" }, { .name = "mlx-keep", .scheme = affine4, QUANTIZED } },
	{ { "bf16" }, { .name = "mlx-bf16", PLAIN } },
	{ { "f16" }, { .name = "mlx-f16", PLAIN } },
	{ { "f32" }, { .name = "mlx-f32", PLAIN } },
};
#undef NAME
enum { TYPES = sizeof types / sizeof *types };

static const char *type_at(size_t i)
{
	for (size_t k = 0; k < NAMES; k++)
		for (size_t t = 0; t < TYPES; t++)
			if (types[t].name[k] && !i--)
				return types[t].name[k];
	return NULL;
}

static const struct target *typed(const char *name, const struct heft_encoding **real)
{
	const char *dash = strchr(name, '-');

	if (!strcasecmp(name, "auto"))
		return &types->target;
	for (const struct type *t = types; t < types + TYPES; t++)
		for (int k = 0; k < NAMES && t->name[k]; k++)
			if (!strcasecmp(t->name[k], name)) {
				if (dash || t->target.kind == plain)
					*real = quant_find(dash ? dash + 1 : name);
				return &t->target;
			}
	return NULL;
}

static const struct target *plainly_typed(const char *name)
{
	const struct heft_encoding *none;

	return typed(name, &none);
}

/* The type that has room for just the codes of a source. */
static const struct held {
	const char *from, *type;
	bool always; /* whatever the user asks of all modules: models are trained in such codes, and mlx-lm leaves them, too */
} helds[] = {
	{ "mxfp4", "mxfp4", true }, { "mxfp4 pairs", "mxfp4", true }, { "mlx mxfp4", "mxfp4", true },
	{ "q4_0", "4bit", false }, { "q4_1", "4bit", false }, { "q5_0", "5bit", false }, { "q5_1", "5bit", false }, { "q8_0", "8bit", false },
};

static const struct target *held_as(const struct target_module *m, bool all)
{
	char bits[16];

	for (size_t i = 0; i < sizeof helds / sizeof *helds; i++)
		if (!strcmp(helds[i].from, m->from->name) && (all || helds[i].always))
			return plainly_typed(helds[i].type);
	snprintf(bits, sizeof bits, "%ubit", m->bits);
	return all && m->bits ? plainly_typed(bits) : NULL;
}

/* The rows of a mixed type's recipe stand instead of what is said here of routers. */
static const struct target *module_of(const struct target *t, const struct target_module *module, const struct target_model *m)
{
	bool keeps = t == plainly_typed("keep");
	const struct target *held = held_as(module, keeps);

	if (held || keeps)
		return held;
	return !t->recipe && module->how && (t->group_fixed || strcmp(module->how, "8bit-fp") != 0) ? &router : t;
}

const struct target target_mlx = { .name = "mlx", .scheme = affine4, .type_at = type_at, .candidates = "2bit,3bit,4bit,5bit,6bit,8bit", QUANTIZED };
