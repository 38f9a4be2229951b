/*
 * scheme.c - matrices as codes and scales for GPU runtimes: worked examples of the formats, strips in any order, which modules stay.
 */
#include "src/regex.h"
#include "src/target/target.h"
#include "tests/tap.h"

#include <math.h>

static struct arena *arena;

static const struct scheme *scheme(const char *target, const char *real, uint32_t group)
{
	struct scheme *s = arena_alloc(arena, sizeof *s);
	struct scheme_options o = { .real = quant_find(real), .group = group };
	struct heft_err err;

	s->enc.block = 1;
	return target_find(target)->scheme(s, &o, arena, &err) ? NULL : s;
}

struct planes {
	uint8_t byte[QUANT_MAX_PLANES][4096];
	float back[4096];
};

/* A matrix of whole strips of `each` rows, the last one first. */
static void encode(const struct scheme *s, const float *x, uint64_t rows, uint64_t cols, uint64_t each, struct planes *out)
{
	uint8_t code[4096];
	float all[64], number[SCHEME_NUMBERS] = { 0 };

	for (uint64_t row = 0; s->measure && row < rows; row += each) {
		struct scheme_strip t = { .src = x + row * cols, .rows = rows - row < each ? rows - row : each, .cols = cols, .of = rows };

		s->measure->strip(s, &t, all + s->measure->count(s, row, cols));
	}
	if (s->measure)
		s->measure->sum(s, all, (size_t)s->measure->count(s, rows, cols), number);
	for (uint64_t row = (rows - 1) / each * each;; row -= each) {
		struct scheme_strip t = { .src = x + row * cols, .rows = rows - row < each ? rows - row : each, .cols = cols, .of = rows, .number = number };
		void *plane[QUANT_MAX_PLANES];

		for (int p = 0; p < s->enc.n_planes; p++)
			plane[p] = out->byte[p] + (s->enc.plane[p].rows == SCHEME_ALL ? 0 : scheme_offset(s, p, row, cols));
		for (int p = 0; p < s->enc.n_planes; p++)
			if (scheme_is_once(s, p))
				scheme_once(s, p, rows, cols, number, plane[p]);
		scheme_encode(s, &t, plane, out->back + row * cols, code);
		if (!row)
			break;
	}
}

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static float number(const uint8_t *p)
{
	float v;

	memcpy(&v, p, sizeof v);
	return v;
}

static void test_fp8(void)
{
	static const float x[8] = { 448, 1, 0.0625f, 0x1p-6f, 0x1p-9f, -2, 17, 18 };
	static const uint8_t want[8] = { 0x7e, 0x38, 0x18, 0x08, 0x01, 0xc0, 0x58, 0x59 };
	const struct scheme *s = scheme("fp8-dynamic", "f32", 0);
	static const float zeros[8];
	struct planes p;

	encode(s, x, 1, 8, 1, &p);
	ok(!memcmp(p.byte[0], want, sizeof want) && number(p.byte[1]) == 1, "e4m3: rounded to nearest, ties to even, down to subnormal numbers");
	ok(p.back[6] == 16 && p.back[7] == 18, "what the codes stand for");
	encode(s, zeros, 1, 8, 1, &p);
	ok(!word(p.byte[0]) && number(p.byte[1]) == 0x1p-23f, "a row of zeros has epsilon for a scale");
	s = scheme("fp8", "bf16", 0);
	is_str(s->suffix[1], ".weight_scale_inv", "DeepSeek's name of a scale");
	is_int(s->type[1]->plane[0].bytes, 4, "and its type, whatever the weight's is");
}

static void test_integers(void)
{
	static const float x[8] = { -7.5f, -7, -6, -5, -4, -3, -2, -1 };
	const struct scheme *s = scheme("w4a16", "f32", SCHEME_ALL);
	float asym[8][32] = { { 0 } }, wide[8];
	struct planes p;
	uint64_t dim[4];
	int rank;

	encode(s, x, 1, 8, 1, &p);
	ok(word(p.byte[0]) == 0x76543210 && number(p.byte[1]) == 1, "4 bits: the first number is in the low end of a word");
	is_int(p.byte[s->shape][0] + p.byte[s->shape][8] * 16, 1 + 8 * 16, "rows and columns are told");
	is_int((int)scheme_tensor(s, s->shape, 4, 8, NULL, &rank, dim) + rank * 100 + (int)dim[0] * 1000, 2116, "as a vector of two");
	for (int i = 0; i < 8; i++)
		wide[i] = i == 0 ? -127.5f : i == 1 ? -1 : i == 2 ? 0 : i == 3 ? 127 : 0;
	encode(scheme("w8a16", "f32", 0), wide, 1, 8, 1, &p);
	is_int(word(p.byte[0]), 0xff807f00, "8 bits");
	for (int r = 0; r < 8; r++) {
		asym[r][0] = (float)-r;
		asym[r][1] = (float)(15 - r);
	}
	s = scheme("w4a16-asym", "f32", 32);
	encode(s, asym[0], 8, 32, 8, &p);
	is_int(word(p.byte[s->zeros]), 0x76543210, "zero points run down the column");
	ok(p.back[0] == 0 && p.back[7 * 32] == -7 && p.back[7 * 32 + 1] == 8, "and are taken off");
	ok(!scheme("w4a16", "f32", 48), "a group that no kernel serves is refused");
}

/* An encoded line of words that run down a column: units of a strip lie row by row. */
static void test_turned(void)
{
	float column[32][32] = { { 0 } }, awq[32][32];
	const struct scheme *s = scheme("gptq", "f32", 32);
	struct planes p;
	uint64_t dim[2];
	int rank;

	for (int r = 0; r < 32; r++)
		for (int i = 0; i < 32; i++) {
			column[r][i] = r ? 0 : i < 8 ? (float)(i + 1 - 8) : i == 8 ? -7.5f : 0;
			awq[r][i] = i == 0 ? 0 : i == 1 ? 15 : (float)(r % 8 + 1);
		}
	encode(s, column[0], 32, 32, 16, &p);
	is_int(word(p.byte[0]), 0x87654321, "GPTQ: codes 1 to 8 of a column");
	is_int(p.byte[1][1] << 8 | p.byte[1][0], 0x3c00, "a scale of 1 in F16");
	is_int(word(p.byte[s->zeros]), 0x77777777, "zero points are stored less one");
	is_int(word(p.byte[3]) + word(p.byte[3] + 31 * 4), 0, "32 columns are of group 0");
	is_int((int)scheme_tensor(s, 0, 64, 32, NULL, &rank, dim) + (int)dim[0] * 10000 + (int)dim[1] * 100000, 4 * 4 * 64 + 4 * 10000 + 64 * 100000, "words by columns, then rows");
	is_int((int)scheme_tensor(s, 3, 64, 32, NULL, &rank, dim) + rank * 1000, 4 * 32 + 1000, "the index is a vector");
	encode(scheme("gptq-8bit", "f32", 32), column[0], 32, 32, 16, &p);
	is_int(word(p.byte[2]), 0x7f7f7f7f, "8 bits: zero points");
	s = scheme("awq", "f32", 32);
	encode(s, awq[0], 32, 32, 16, &p);
	is_int(word(p.byte[0] + 2 * 4), 0x86427531, "AWQ: rows 0 to 7 hold 1 to 8");
	for (int r = 0; r < 32; r++)
		for (int i = 0; i < 32; i++)
			awq[r][i] = (float)(i % 16 - r % 8 - 1);
	encode(s, awq[0], 32, 32, 16, &p);
	is_int(word(p.byte[s->zeros]), 0x86427531, "and their zero points");
	ok(p.back[7 * 32] == -8 && p.back[15] == 14, "which are taken off");
}

/* Ranges that F16 does not hold, and those of no numbers. */
static void test_half(void)
{
	const struct scaled gptq = { .bits = 4, .scale = SCALED_GPTQ }, awq = { .bits = 4, .scale = SCALED_AWQ };
	static const float large[3] = { 1e7f, -1e7f, NAN }, positive[2] = { 1, 15 };
	float lo, hi, back[3];
	uint8_t code[3];
	struct scaled_unit u;

	u = scaled_half_unit(&gptq, -1e7f, 1e7f);
	scaled_half_codes(&gptq, &u, large, 3, code, back);
	ok(u.scale == 65504 && code[0] == 15 && code[1] == 0 && code[2] == 8 && !back[2], "a scale beyond F16 is its largest number; NaN is zero");
	ok(scaled_half_unit(&gptq, 0, 0).factor == 2.0f / 15, "a group of zeros has GPTQ's scale of -1 to 1");
	u = scaled_half_unit(&gptq, 0, 15);
	scaled_half_codes(&gptq, &u, positive, 2, code, back);
	ok(u.scale == 1 && code[0] == 9 && code[1] == 15 && back[1] == 7, "numbers that are all positive stop at 7 steps, as in GPTQModel");
	scaled_empty(&awq, &lo, &hi);
	scaled_range(positive, 2, &lo, &hi);
	ok(lo == 1 && hi == 15, "AWQ's range need not hold 0");
	scaled_empty(&awq, &lo, &hi);
	u = scaled_half_unit(&awq, lo, hi);
	ok(u.scale == 0x1.6p-21f && u.zero == -8, "a group without numbers has its smallest scale");
	ok(scaled_half_unit(&awq, -INFINITY, INFINITY).scale == 65504, "no scale is infinite");
}

static int count_back(const float *a, const float *b, int n)
{
	int same = 0;

	for (int i = 0; i < n; i++)
		same += a[i] == b[i];
	return same;
}

static void test_pairs(void)
{
	static const float ties[32] = { 0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5, 6, -0.25f, -0.75f, -0.0f, -5.5f, 0.26f, 2.6f, 5.1f, 6.5f };
	static const float rounded[32] = { 0, 1, 1, 2, 2, 4, 4, 6, -0.0f, -1, 0, -6, 0.5f, 3, 6, 6 };
	static const uint8_t want[8] = { 0x20, 0x42, 0x64, 0x76, 0xa8, 0xf0, 0x51, 0x77 };
	static const struct { float most; uint8_t byte, wide; } scales[] = { /* E8M0: of 4-bit and of 8-bit floats */
		{ 0.9f, 125, 119 }, { 0.87f, 124, 118 }, { 1.5f, 125, 119 }, { 1.75f, 126, 120 }, { 6, 127, 121 }, { 448, 134, 128 }, { 0, 0, 0 },
		{ 0x1p-126f, 0, 0 }, { 0x1p-120f, 5, 0 }, { INFINITY, 253, 247 },
	};
	const struct scheme *s = scheme("mxfp4a16", "f32", 0), *wide = scheme("mxfp8a16", "f32", 0);
	float x[32];
	struct planes p;

	encode(s, ties, 1, 32, 1, &p);
	ok(!memcmp(p.byte[0], want, sizeof want) && p.byte[1][0] == 128 - 1, "mxfp4: two to a byte, the first in the low end, scale 1");
	is_int(count_back(p.back, rounded, 16), 16, "ties to even, 6 at most; -0 is 0");
	for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
		memset(x, 0, sizeof x);
		x[5] = -scales[i].most;
		encode(s, x, 1, 32, 1, &p);
		is_int(p.byte[1][0], scales[i].byte, "mxfp4: scale of %g", (double)scales[i].most);
		encode(wide, x, 1, 32, 1, &p);
		is_int(p.byte[1][0], scales[i].wide, "mxfp8: scale of %g", (double)scales[i].most);
	}
	memset(x, 0, sizeof x);
	encode(scheme("mxfp4a16", "f16", 0), x, 1, 32, 1, &p);
	is_int(p.byte[1][0], 127, "zeros that are F16 have 1");
	x[1] = NAN;
	x[2] = 3;
	encode(s, x, 1, 32, 1, &p);
	ok(p.byte[0][0] == 0 && p.byte[0][1] == 7, "what is no number counts for nothing");
}

/* The first block, of a matrix that has 1.2 for its largest number. */
static const float block[32] = { 0.5f, -1, 0.75f, 0.1f, 0, 0.25f, -0.3f, 1.2f };
static const uint8_t block_codes[4] = { 0xe4, 0x16, 0x20, 0x7b };

static void test_nvfp4(void)
{
	static const float values[8] = { 0.4f, -0.8f, 0.8f, 0.1f, 0, 0.2f, -0.3f, 1.2f };
	const struct scheme *s = scheme("nvfp4a16", "f32", 0);
	static const float zeros[32], low[32] = { 0.01f, [16] = 1e-9f };
	struct planes p;
	int close = 0;

	encode(s, block, 1, 32, 1, &p);
	ok(number(p.byte[s->whole]) == 2240 && p.byte[1][0] == 0x7e && !memcmp(p.byte[0], block_codes, 4), "nvfp4: codes, scales and what divides them");
	for (int i = 0; i < 8; i++)
		close += p.back[i] - values[i] < 1e-6f && values[i] - p.back[i] < 1e-6f;
	is_int(close, 8, "what they stand for");
	is_int(p.byte[1][1], 0x20, "a block of zeros has 0.125 for a scale");
	encode(s, zeros, 1, 32, 1, &p);
	is_int((int)number(p.byte[s->whole]), 1, "a matrix of zeros is divided by 1");
	s = scheme("nvfp4a16", "f16", 0);
	encode(s, low, 1, 32, 1, &p);
	ok(number(p.byte[s->whole]) == 2688 / 0.01f && p.byte[1][0] == 0x7e && p.byte[1][1] == 0x20, "nor is one of small numbers that are F16; a scale that would be 0 is 0.125");
}

static void test_modelopt(void)
{
	const struct scheme *s = scheme("modelopt-nvfp4", "bf16", 0);
	static const float zeros[32], rows[4] = { -0.0f, 2, 0, 0 };
	struct planes p;
	uint64_t dim[4];
	int rank;

	encode(s, block, 1, 32, 1, &p);
	ok(number(p.byte[s->whole]) == 1.2f / 2688 && p.byte[1][0] == 0x7e && !memcmp(p.byte[0], block_codes, 4), "ModelOpt's nvfp4: codes, scales and what multiplies them");
	is_int(p.byte[1][1], 0x38, "a block of zeros has 1 for a scale");
	is_str(s->suffix[s->whole], ".weight_scale_2", "its name");
	scheme_tensor(s, s->whole, 4, 32, NULL, &rank, dim);
	is_int(rank, 0, "which is a scalar");
	encode(s, zeros, 1, 32, 1, &p);
	is_int((int)number(p.byte[s->whole]), 1, "a matrix of zeros is multiplied by 1");
	s = scheme("modelopt-fp8-channel", "bf16", 0);
	encode(s, rows, 2, 2, 1, &p);
	ok(number(p.byte[1]) == 2.0f / 448 && number(p.byte[1] + 4) == 1 && p.byte[0][0] == 0x80, "scales of rows are F32, of zeros 1; -0 stays");
	scheme_tensor(s, 1, 4, 32, NULL, &rank, dim);
	is_int(rank * 10 + (int)dim[0], 14, "a vector of them");
	s = scheme("modelopt-fp8-block", "bf16", 0);
	scheme_tensor(s, 1, 384, 256, NULL, &rank, dim);
	is_int(rank * 10000 + (int)(dim[0] * 1000 + dim[1] * 100 + dim[2] * 10 + dim[3]), 43121, "scales of blocks have four dimensions");
}

static void test_int8(void)
{
	static const float x[4] = { -127.5f, -1, 0, 127 };
	struct planes p;

	encode(scheme("w8a8", "f32", 0), x, 1, 4, 1, &p);
	is_int(word(p.byte[0]), 0x7f00ff80, "integers of 8 bits that stand alone are two's complement");
}

static void test_sets(void)
{
	static const struct { const char *a, *b; bool same; } rows[] = {
		{ "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.v_proj.weight", true },
		{ "model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight", false },
		{ "model.layers.0.mlp.experts.0.gate_proj.weight", "model.layers.0.mlp.experts.0.up_proj.weight", true },
		{ "model.layers.0.mlp.experts.0.gate_proj.weight", "model.layers.0.mlp.experts.1.gate_proj.weight", false },
		{ "block_sparse_moe.experts.0.w1.weight", "block_sparse_moe.experts.0.w3.weight", true },
		{ "self_attn.q_a_proj.weight", "self_attn.kv_a_proj_with_mqa.weight", true },
		{ "self_attn.q_a_proj.weight", "self_attn.q_proj.weight", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ok(!strcmp(linear_set(rows[i].a, arena), linear_set(rows[i].b, arena)) == rows[i].same, "%s and %s are %s", rows[i].a, rows[i].b, rows[i].same ? "fused" : "not");
	ok(!linear_set("model.layers.0.mlp.down_proj.weight", arena) && !linear_set("w2.weight", arena), "down stands alone");
}

/* As vLLM, SGLang and GPTQModel look a layer up: the first pattern that begins its name; here it must be all of it. */
static bool finds(const char *pattern, const char *name)
{
	struct regex r;

	return pattern && !regex_compile(&r, pattern, strlen(pattern)) && regex_search(&r, name);
}

static void test_patterns(void)
{
	static const struct { const char *module, *asked; bool own, expert; } rows[] = { /* found by linear_pattern(), by linear_expert() */
		{ "model.layers.1.mlp.down_proj", "model.layers.1.mlp.down_proj", true, false },
		{ "model.layers.1.mlp.down_proj", "model.layers.11.mlp.down_proj", false, false },
		{ "model.layers.1.mlp.down_proj", "model.layers.1.mlp.down_proj.lora", false, false },
		{ "model.layers.1.mlp.down_proj", "model.layers.1xmlp.down_proj", false, false },
		{ "model.layers.1.self_attn.k_proj", "model.layers.1.self_attn.k_proj", true, false },
		{ "model.layers.1.self_attn.k_proj", "model.layers.1.self_attn.v_proj", true, false },
		{ "model.layers.1.self_attn.k_proj", "model.layers.1.self_attn.qkv_proj", true, false },
		{ "model.layers.1.self_attn.k_proj", "model.layers.1.self_attn.o_proj", false, false },
		{ "model.layers.1.mlp.up_proj", "model.layers.1.mlp.gate_up_proj", true, false },
		{ "model.layers.1.mlp.up_proj", "model.layers.1.mlp.gate_proj", true, false },
		{ "model.layers.1.mlp.up_proj", "model.layers.1.mlp.gate", false, false },
		{ "model.layers.1.mlp.shared_experts.up_proj", "model.layers.1.mlp.shared_experts.gate_up_proj", true, false },
		{ "model.layers.1.mlp.shared_experts.up_proj", "model.layers.1.mlp.experts", false, false },
		{ "model.layers.1.self_attn.q_a_proj", "model.layers.1.self_attn.fused_qkv_a_proj", true, false },
		{ "model.layers.1.linear_attn.in_proj_z", "model.layers.1.linear_attn.in_proj_qkvz", true, false },
		{ "model.layers.1.linear_attn.in_proj_b", "model.layers.1.linear_attn.in_proj_ba", true, false },
		{ "model.layers.1.mlp.experts.7.up_proj", "model.layers.1.mlp.experts", true, false },
		{ "model.layers.1.mlp.experts.7.up_proj", "model.layers.1.mlp.experts.0.gate_proj", true, true },
		{ "model.layers.1.mlp.experts.7.up_proj", "model.layers.1.mlp.experts.127.down_proj", true, true },
		{ "model.layers.1.mlp.experts.7.up_proj", "model.layers.11.mlp.experts.0.up_proj", false, false },
		{ "model.layers.1.mlp.experts.7.up_proj", "model.layers.1.mlp.experts.0.act_fn", false, false },
		{ "model.layers.1.mlp.experts.7.dense.in", "model.layers.1.mlp.experts.0.dense.in", true, true },
		{ "model.layers.1.mlp.experts.7.dense.in", "model.layers.1.mlp.experts.0.gate_proj", true, true },
		{ "model.layers.1.mlp.experts.7.up_proj", "mtp.layers.1.mlp.experts.0.up_proj", false, false },
		{ "model.layers.1.block_sparse_moe.experts.0.w1", "model.layers.1.block_sparse_moe.experts.0.gate_proj", true, true },
		{ "model.layers.1.block_sparse_moe.experts.0.w1", "model.layers.1.block_sparse_moe.experts.0.w2", true, true },
		{ "model.layers.1.block_sparse_moe.experts.0.w1", "model.layers.1.mlp.experts.0.gate_proj", true, true },
		{ "model.language_model.layers.1.mlp.up_proj", "language_model.model.layers.1.mlp.gate_up_proj", true, false },
		{ "model.language_model.layers.1.mlp.up_proj", "model.language_model.layers.1.mlp.up_proj", true, false },
		{ "model.language_model.layers.1.mlp.experts.0.up_proj", "language_model.model.layers.1.mlp.experts.0.up_proj", true, true },
		{ "a+b.w(1)", "a+b.w(1)", true, false },
		{ "q_proj", "qkv_proj", true, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		is_int(finds(linear_pattern(rows[i].module, arena), rows[i].asked), rows[i].own, "%s is asked for as %s", rows[i].module, rows[i].asked);
		is_int(finds(linear_expert(rows[i].module, arena), rows[i].asked), rows[i].expert, "as an expert");
	}
}

/* Names of a configuration: what is the same for all of a layer stands once. */
static void test_names(void)
{
	static const char *const modules[] = { "l.0.q_proj", "l.0.o_proj", "l.0.k_proj", "l.0.mlp.experts.0.w1", "l.0.mlp.experts.1.w2" };
	struct scheme_names each = scheme_each(&(struct scheme_names){ modules, 5 }, linear_pattern, arena);

	is_int((int)each.n, 3, "five modules, three patterns");
	is_str(each.name[0], "^l\\.0\\.(?:q_proj|k_proj|v_proj|qkv_proj)$", "queries, keys and values");
	is_str(each.name[1], "^l\\.0\\.o_proj$", "what stands alone");
	is_str(each.name[2], "^l\\.0\\.mlp\\.experts(?:\\.[0-9]+\\.(?:gate_proj|up_proj|down_proj|w1|w2|w3))?$", "experts");
}

static void test_strips(void)
{
	static const struct { const char *target; uint32_t group; uint64_t cols, each; } rows[] = {
		{ "fp8-dynamic", 0, 9, 1 }, { "fp8-block", 0, 9, 128 }, { "w4a16", 32, 64, 3 }, { "w4a16-asym", 32, 64, 8 }, { "w8a16", 0, 9, 5 },
		{ "gptq", 32, 64, 8 }, { "gptq-8bit", SCHEME_ALL, 64, 4 }, { "awq", 64, 64, 8 },
		{ "w8a8", 0, 9, 7 }, { "mxfp4a16", 0, 64, 3 }, { "mxfp8a16", 0, 64, 1 }, { "nvfp4a16", 0, 48, 3 }, { "modelopt-nvfp4", 0, 48, 7 }, { "modelopt-fp8-block", 0, 9, 128 },
	};
	static float x[20 * 64];
	static struct planes one, many;

	for (int i = 0; i < 20 * 64; i++)
		x[i] = (float)((i * 7919) % 1013) - 500;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct scheme *s = scheme(rows[i].target, "bf16", rows[i].group);

		memset(&one, 0, sizeof one);
		memset(&many, 0, sizeof many);
		encode(s, x, 20, rows[i].cols, 256, &one);
		encode(s, x, 20, rows[i].cols, rows[i].each, &many);
		ok(!memcmp(&one, &many, sizeof one), "%s: strips of %d rows, the last one first, make the same", rows[i].target, (int)rows[i].each);
	}
}

static void test_linear(void)
{
	static const struct { const char *name; int rank; enum linear kind; } rows[] = {
		{ "model.layers.0.self_attn.q_proj.weight", 2, LINEAR_YES },
		{ "model.layers.0.self_attn.q_proj.bias", 1, LINEAR_NO },
		{ "model.layers.0.mlp.gate_proj.weight", 2, LINEAR_YES },
		{ "model.layers.0.mlp.gate.weight", 2, LINEAR_STAYS },
		{ "model.layers.0.mlp.router.layer.weight", 2, LINEAR_STAYS },
		{ "model.layers.0.mlp.experts.31.down_proj.weight", 2, LINEAR_YES },
		{ "model.layers.0.mlp.experts.gate_up_proj", 3, LINEAR_FUSED },
		{ "model.layers.0.input_layernorm.weight", 1, LINEAR_NO },
		{ "model.embed_tokens.weight", 2, LINEAR_NO },
		{ "lm_head.weight", 2, LINEAR_STAYS },
		{ "model.layers.4.self_attn.q_proj.weight", 2, LINEAR_STAYS },
		{ "model.layers.4.input_layernorm.weight", 1, LINEAR_NO },
		{ "mtp.layers.0.mlp.up_proj.weight", 2, LINEAR_STAYS },
		{ "model.visual.blocks.0.attn.qkv.weight", 2, LINEAR_STAYS },
		{ "model.visual.patch_embed.proj.weight", 5, LINEAR_NO },
		{ "model.layers.0.linear_attn.conv1d.weight", 3, LINEAR_NO },
	};
	const char *why;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		is_int(linear_kind(rows[i].name, rows[i].rank, 4, &why), rows[i].kind, "%s", rows[i].name);
	is_str(linear_module("a.b.weight", arena), "a.b", "a module's name");
}

int main(void)
{
	arena = arena_new();
	test_fp8();
	test_integers();
	test_turned();
	test_half();
	test_pairs();
	test_nvfp4();
	test_modelopt();
	test_int8();
	test_sets();
	test_patterns();
	test_names();
	test_strips();
	test_linear();
	arena_free(arena);
	return done();
}
