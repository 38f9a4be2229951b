/*
 * mlx.c - MLX's affine codes: a worked example of each edge, the real library's bytes where the vectors are at hand, a search that is never worse,
 * types and modules.
 */
#include "base/json.h"
#include "quant/fit.h"
#include "src/recipe.h"
#include "src/target/mlx.h"
#include "tests/tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;

static const struct scheme *scheme(const char *type, const char *real, uint32_t group)
{
	struct scheme *s = arena_alloc(arena, sizeof *s);
	struct scheme_options o = { .real = quant_find(real), .group = group };
	const struct heft_encoding *named = NULL;
	const struct target *t = target_find("mlx")->typed(type, &named);
	struct heft_err err;

	s->enc.block = 1;
	return !t || t->scheme(s, &o, arena, &err) ? NULL : s;
}

/* ---- worked examples ---- */

static void test_edges(void)
{
	struct scaled s = { .scale = SCALED_AFFINE, .bits = 2, .real = SCALED_F32 };
	struct scaled_unit high = scaled_unit(&s, -1, 2), low = scaled_unit(&s, -2, 1), none = scaled_unit(&s, 0, 0);
	static const float x[4] = { -1, 0, 1, 2 };
	uint8_t code[4];
	float back[4];

	ok(high.scale == -1 && high.bias == 2 && low.scale == 1 && low.bias == -2, "the edge is what is farther from zero");
	ok(none.scale == -1e-7f && none.bias == 0, "zeros have the least scale");
	scaled_codes(&s, &high, x, 4, code, back);
	ok(code[0] == 3 && code[1] == 2 && code[2] == 1 && code[3] == 0, "codes count down from the highest");
	ok(!memcmp(back, x, sizeof x), "and stand for the numbers");
}

static struct scaled_unit unit(unsigned bits, enum scaled_real real, const float *x, size_t n)
{
	struct scaled s = { .scale = SCALED_AFFINE, .bits = bits, .real = real };
	float lo, hi;

	scaled_empty(&s, &lo, &hi);
	scaled_range(x, n, &lo, &hi);
	return scaled_unit(&s, lo, hi);
}

static void test_ties(void)
{
	struct scaled s = { .scale = SCALED_AFFINE, .bits = 2, .real = SCALED_F32 };
	static const float even[2] = { -1, 1 }, same[3] = { 5, 5, 5 }, little[2] = { 0, 1e-9f }, nan[4] = { NAN, -2, 1, NAN };
	static const float half[4] = { -1.5f, -0.5f, 0.5f, 9 }, thirds[3] = { 0, 1, 0.1f };
	struct scaled_unit u = unit(2, SCALED_F32, even, 2);
	uint8_t code[4];
	float back[4];

	ok(u.scale == -0.5f && u.bias == 1, "as far to either side: the edge is the high one, and half a step is rounded to even");
	u = unit(4, SCALED_F32, same, 3);
	ok(u.scale == 5 / rintf(5 / -1e-7f) && u.bias == 5, "one number: the least step, and that number");
	u = unit(2, SCALED_F32, little, 2);
	ok(u.scale == -1e-7f && u.bias == 0, "an edge that is no step away is none");
	u = unit(2, SCALED_F32, nan, 4);
	ok(u.scale == 1 && u.bias == -2, "what is no number counts for no range");
	scaled_codes(&s, &u, nan, 4, code, back);
	ok(code[0] == 0 && code[1] == 0 && code[2] == 3, "and has code 0");
	scaled_codes(&s, &u, half, 4, code, back);
	ok(code[0] == 0 && code[1] == 2 && code[2] == 2 && code[3] == 3, "codes: halves go to even, what is out of range to its end");
	u = unit(3, SCALED_BF16, thirds, 3);
	ok(u.factor == -1.0f / 7 && u.scale == scaled_round(SCALED_BF16, -1.0f / 7) && u.scale != u.factor, "codes are made with the scale before it is rounded");
}

/* ---- the library's vectors ---- */

struct file {
	uint8_t *byte;
	size_t n, data;
	struct json_doc *doc;
};

static bool load(struct file *f, const char *path)
{
	FILE *in = fopen(path, "rb");
	struct heft_err err;
	uint64_t header;
	long size;

	*f = (struct file){ 0 };
	if (!in || fseek(in, 0, SEEK_END) || (size = ftell(in)) < 8)
		return false;
	rewind(in);
	f->byte = arena_alloc(arena, (size_t)size);
	f->n = fread(f->byte, 1, (size_t)size, in);
	fclose(in);
	memcpy(&header, f->byte, sizeof header);
	if (header > f->n - 8)
		return false;
	f->data = 8 + (size_t)header;
	f->doc = json_parse((const char *)f->byte + 8, (size_t)header, path, true, &err);
	return f->doc != NULL;
}

static const uint8_t *bytes(const struct file *f, const char *name, size_t *n)
{
	const struct json *at = json_first(json_get(json_get(json_root(f->doc), name), "data_offsets"));
	uint64_t from = 0, to = 0;

	json_uint(at, &from);
	json_uint(json_next(at), &to);
	*n = (size_t)(to - from);
	return f->byte + f->data + from;
}

/* w as codes, scales and biases is the library's? */
static bool same(const struct file *f, const char *real, unsigned bits, uint32_t group, const char *suffix)
{
	char type[8], name[16];
	static const char *const planes[] = { "wq", "scales", "biases" };
	const struct scheme *s;
	const struct heft_encoding *e = quant_find(real);
	size_t n, count;
	const uint8_t *w;
	float *x, *back;
	void *plane[3];
	uint8_t code[256];
	bool good = true;

	snprintf(type, sizeof type, "%ubit", bits);
	snprintf(name, sizeof name, "w%s", suffix);
	s = scheme(type, real, group);
	w = bytes(f, name, &n);
	count = n / e->plane[0].bytes;
	x = arena_array(arena, count, sizeof *x);
	back = arena_array(arena, count, sizeof *back);
	quant_decoder(e)((const void *[]){ w }, x, count);
	for (int p = 0; p < 3; p++)
		plane[p] = arena_alloc(arena, n * 4);
	scheme_encode(s, &(struct scheme_strip){ .src = x, .rows = count / 256, .cols = 256, .of = count / 256 }, plane, back, code);
	for (int p = 0; p < 3; p++) {
		const uint8_t *want;

		snprintf(name, sizeof name, *suffix && !p ? "w3q" : "%s%s", planes[p], suffix);
		want = bytes(f, name, &n);
		good = good && n && !memcmp(plane[p], want, n);
	}
	return good;
}

static void test_vectors(void)
{
	static const char *const reals[] = { "f32", "f16", "bf16" };
	static const unsigned widths[] = { 2, 3, 4, 5, 6, 8 };
	unsigned good = 0, all = 0;

	for (int r = 0; r < 3; r++)
		for (uint32_t group = 32; group <= 128; group *= 2)
			for (int k = 0; k < 6; k++) {
				char path[128];
				struct file f;

				snprintf(path, sizeof path, "../shared/data/vectors/mlx/quant/affine_%s_gs%u_b%u.safetensors", reals[r], (unsigned)group, widths[k]);
				if (!load(&f, path))
					continue;
				all += 2;
				good += same(&f, reals[r], widths[k], group, "") + same(&f, reals[r], widths[k], group, "3");
				json_free(f.doc);
			}
	ok(good == all, "the library's own codes, scales and biases: %u of %u matrices", good, all);
}

/* The library's 8-bit floats: what it makes of numbers, and what it reads. */
static void test_floats(void)
{
	static const struct scaled s = { .code = SCALED_E4M3, .scale = SCALED_E8M0_UP, .bits = 8, .real = SCALED_F32 };
	struct scaled_unit one = { .scale = 1, .step = 1, .factor = 1 };
	struct file f;
	const uint8_t *want;
	const void *x;
	size_t n, size;
	uint8_t *code;
	float *back;

	if (load(&f, "../shared/data/vectors/mlx/quant/fp8_e4m3_encode.safetensors")) {
		x = bytes(&f, "x", &size);
		want = bytes(&f, "codes", &n);
		code = arena_alloc(arena, n);
		back = arena_array(arena, n, sizeof *back);
		scaled_codes(&s, &one, memcpy(arena_alloc(arena, size), x, size), n, code, back);
		ok(n > 1000 && !memcmp(code, want, n), "the library's codes of %zu numbers in E4M3", n);
		json_free(f.doc);
	}
	if (load(&f, "../shared/data/vectors/mlx/quant/fp8_e4m3_table.safetensors")) {
		float read[256], *values = arena_alloc(arena, sizeof read);

		want = bytes(&f, "codes", &n);
		quant_decoder(quant_find("f8_e4m3"))((const void *[]){ want }, read, 256);
		memcpy(values, bytes(&f, "f32", &size), sizeof read);
		for (int i = 0; i < 256; i++) /* here they are no numbers, there the next one */
			read[i] = (want[i] & 0x7f) == 0x7f ? copysignf(480, read[i]) : read[i];
		ok(n == 256 && !memcmp(read, values, sizeof read), "and what they stand for");
		json_free(f.doc);
	}
}

static const char *key(const struct json *member)
{
	struct heft_str k = json_key(member);

	return arena_printf(arena, "%.*s", (int)k.n, k.p);
}

/* What a recipe that is compiled in has for a module of a model with so many layers; 0: no row decides. */
static unsigned bits_of(const char *recipe, const char *module, unsigned layers)
{
	struct recipe_facts facts = { .arch = "llama", .layers = layers };
	struct recipe_item item = { .name = module, .shape = { .rank = 2 }, .stored = quant_find("bf16") };
	struct recipe_says says;
	struct heft_err err;

	if (recipe_ask(recipe_begin(recipe_of_modules(recipe), &facts, arena, &err), &item, &says) || !says.row)
		return 0;
	return (unsigned)atoi(says.as.target->name + strlen("mlx-"));
}

/* The bits of every module in five sizes of model, as mlx-lm's recipes have them. */
static void test_recipes(void)
{
	struct heft_err err;
	struct json_doc *doc = json_read_file("../shared/data/vectors/mlx/mixed_recipes.json", 1 << 20, &err);
	size_t all = 0, good = 0;

	for (const struct json *r = json_first(json_root(doc)); r; r = json_next(r)) {
		unsigned low, high, layers;

		if (sscanf(key(r), "mixed_%u_%u/L%u", &low, &high, &layers) != 3)
			continue;
		for (const struct json *m = json_first(r); m; m = json_next(m), all++) {
			uint64_t bits = 0;

			json_uint(m, &bits);
			good += bits == bits_of(arena_printf(arena, "mixed_%u_%u", low, high), key(m), layers);
		}
	}
	ok(good == all, "mlx-lm's recipes: bits of %zu of %zu modules", good, all);
	json_free(doc);
}

/* ---- the search ---- */

static float bell(void)
{
	static uint32_t state = 1;
	float v = 0;

	for (int i = 0; i < 12; i++) {
		state = state * 1664525 + 1013904223;
		v += (float)(state >> 8) * 0x1p-24f;
	}
	return (v - 6) * 0.02f;
}

/* The error that is said is that of what is stored: codes, scale and bias. */
static bool is_true(const struct scaled *s, const struct scaled_unit *u, const uint8_t *code, const float *x, const float *w, double error)
{
	double sum = 0;

	for (int i = 0; i < 64; i++) {
		float product = (float)code[i] * u->scale, d = x[i] - (product + u->bias);

		sum += (w ? w[i] : 1) * (double)d * d;
		if (code[i] >> s->bits)
			return false;
	}
	return fabs(sum - error) <= 1e-5 * error && scaled_round(s->real, u->scale) == u->scale && scaled_round(s->real, u->bias) == u->bias;
}

static void test_search(unsigned bits, bool weighted, double most)
{
	struct scaled s = { .scale = SCALED_AFFINE, .bits = bits, .real = SCALED_BF16 };
	struct scaled_gain all = { 0 };
	bool never = true, consistent = true;
	const char *how = weighted ? "bits, with importance" : "bits";

	for (int k = 0; k < 500; k++) {
		float x[64], w[64], back[64], lo, hi;
		uint8_t code[64];
		struct scaled_gain one = { 0 };
		struct scaled_unit u;

		for (int i = 0; i < 64; i++) {
			x[i] = scaled_round(SCALED_BF16, bell());
			w[i] = i % 7 ? 50 * fabsf(bell()) : 0;
		}
		scaled_empty(&s, &lo, &hi);
		scaled_range(x, 64, &lo, &hi);
		u = scaled_unit(&s, lo, hi);
		scaled_codes(&s, &u, x, 64, code, back);
		fit_codes(&s, &u, x, weighted ? w : NULL, 64, code, back, &one);
		never = never && one.found <= one.nearest;
		consistent = consistent && is_true(&s, &u, code, x, weighted ? w : NULL, one.found);
		all.nearest += one.nearest;
		all.found += one.found;
	}
	ok(never, "%u %s: no group is worse than the library's", bits, how);
	ok(consistent, "%u %s: errors are of what is stored", bits, how);
	if (!ok(all.found < most * all.nearest, "%u %s: all are better", bits, how))
		printf("# %g of the library's squared error\n", all.found / all.nearest);
}

/* Nothing to search in: what the library makes stays. */
static void test_search_edges(void)
{
	struct scaled s = { .scale = SCALED_AFFINE, .bits = 4, .real = SCALED_F32 };
	static const float zeros[64], none[64];
	float same[64], x[64];
	bool good = true;

	for (int i = 0; i < 64; i++) {
		same[i] = -3;
		x[i] = (float)(i % 16);
	}
	for (int k = 0; k < 4; k++) {
		const float *from = k == 0 ? zeros : k == 1 ? same : x, *w = k == 3 ? none : NULL;
		struct scaled_unit u = unit(4, SCALED_F32, from, 64), before = u;
		struct scaled_gain gain = { 0 };
		uint8_t code[64];
		float back[64];

		scaled_codes(&s, &u, from, 64, code, back);
		fit_codes(&s, &u, from, w, 64, code, back, &gain);
		good = good && u.scale == before.scale && u.bias == before.bias && gain.found == 0;
	}
	ok(good, "zeros, one number, numbers that codes are exact for, and no importance: the library's stay");
}

/* ---- types and modules ---- */

static void test_modules(void)
{
	struct target_model qwen = { "qwen3_moe", 16 };
	const struct heft_encoding *real = NULL;
	const char *why;

	ok(target_find("mlx")->typed("4bit-f16", &real) && real == quant_find("f16"), "a type with a float type");
	ok(!target_find("mlx")->typed("7bit", &real) && !target_find("mlx")->typed("f16-bf16", &real), "what is no type");
	ok(mlx_kind("model.embed_tokens.weight", 2, &qwen, &why) == LINEAR_YES && mlx_kind("lm_head.weight", 2, &qwen, &why) == LINEAR_YES,
	   "embeddings and heads are quantized");
	ok(mlx_kind("model.norm.weight", 1, &qwen, &why) == LINEAR_NO && mlx_kind("l.conv1d.weight", 3, &qwen, &why) == LINEAR_NO,
	   "norms and convolutions are not");
	ok(bits_of("mixed_3_6", "model.layers.1.mlp.down_proj", 16) == 6 && bits_of("mixed_3_6", "model.layers.2.mlp.down_proj", 16) == 3 &&
	   bits_of("mixed_3_6", "model.layers.4.self_attn.v_proj", 16) == 6 && bits_of("mixed_3_6", "model.layers.0.self_attn.q_proj", 16) == 3 &&
	   bits_of("mixed_3_6", "lm_head", 16) == 6 && bits_of("mixed_3_6", "model.embed_tokens", 16) == 3, "a mixed recipe's layers");
}

int main(void)
{
	arena = arena_new();
	test_edges();
	test_ties();
	test_vectors();
	test_floats();
	test_recipes();
	for (int weighted = 0; weighted < 2; weighted++) {
		test_search(2, weighted, 0.8);
		test_search(3, weighted, 0.8);
		test_search(4, weighted, 0.9);
		test_search(5, weighted, 0.9);
		test_search(6, weighted, 0.9);
		test_search(8, weighted, 0.7);
	}
	test_search_edges();
	test_modules();
	arena_free(arena);
	return done();
}
