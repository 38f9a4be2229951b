/* Modules that are stored quantized: worked examples of every layout of 8-bit and 4-bit floats, what is read of them in pieces, what
 * vanishes, what is refused. */
#include "formats/format.h"
#include "tests/checkpoint.h"

#include <math.h>
#include <stdarg.h>

/* ---- 8-bit floats ---- */

#define FP8(more) "{\"quantization_config\":{\"quant_method\":\"fp8\"" more "}}"

enum { ROWS = 5, COLS = 7 };

/* Codes that run through the type's numbers, and what they stand for in blocks of h x w. */
static void ragged(uint8_t *code, float *want, const float *scale, size_t h, size_t w)
{
	quant_decode_fn *decode = quant_find("f8_e4m3")->decode;

	for (size_t i = 0; i < ROWS * COLS; i++) {
		const void *p[1] = { &code[i] };

		code[i] = (uint8_t)(i * 7 % 0x7f);
		decode(p, &want[i], 1);
		want[i] *= scale[i / COLS / h * ((COLS + w - 1) / w) + i % COLS / w];
	}
}

static void fp8_blocks(void)
{
	static const float scale[3 * 3] = { 1, 2, 0.5f, 3, 0.25f, 7, 1e-3f, 5, 0.1f }, one = 0.5f;
	static uint8_t code[ROWS * COLS];
	static float want[ROWS * COLS];
	struct stored t[] = { ROW("a.weight", "F8_E4M3", "5, 7", code), ROW("a.weight_scale_inv", "F32", "3, 3", scale),
			      { "a.input_scale", "F32", "", &one, 4 } };
	struct heft_model *m;

	ragged(code, want, scale, 2, 3);
	m = OPEN(FP8(",\"weight_block_size\":[2,3]"), t);
	ok(reads(m, "a.weight", "fp8_e4m3 2x3", want, ROWS * COLS), "blocks whose last ones are ragged");
	ok(m && m->n_tensors == 1, "scales vanish, of the weight and of the activations");
	heft_close(m);
	t[0].shape = "5, 1, 7"; /* five matrices of one row each have other blocks */
	m = OPEN(FP8(",\"weight_block_size\":[2,3]"), t);
	ok(!m && failure.code == HEFT_E_SHAPE && strstr(failure.text, "a.weight_scale_inv") && strstr(failure.text, "'a.weight'"),
	   "a scale that does not fit is refused, both are named");
}

static void fp8_rows_and_tensors(void)
{
	static const uint8_t code[6] = { 0x38, 0x40, 0xb8, 0x7e, 0x01, 0x00 }; /* 1 2 -1 448 2^-9 0 */
	static const float row[2] = { 2, 0.5f }, want[6] = { 2, 4, -2, 224, 0x1p-10f, 0 }, all[6] = { 2, 4, -2, 896, 0x1p-8f, 0 };
	static const uint8_t power[2] = { 128, 126 };
	static const uint16_t bf16[2] = { 0x4000, 0x3f00 };
	struct stored t[] = { ROW("a.weight", "F8_E4M3", "2, 3", code), ROW("a.weight_scale", "F32", "2, 1", row) };
	struct heft_model *m = OPEN("{}", t);

	ok(reads(m, "a.weight", "fp8_e4m3 channel", want, 6), "one scale per row");
	heft_close(m);
	t[1].shape = "2";
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "fp8_e4m3 channel", want, 6), "the same without the dimension of one");
	heft_close(m);
	t[1] = (struct stored)ROW("a.weight_scale", "BF16", "2, 1", bf16);
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "fp8_e4m3 channel bf16", want, 6), "scales in BF16");
	heft_close(m);
	t[1] = (struct stored)ROW("a.weight_scale", "U8", "2, 1", power);
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "fp8_e4m3 channel f8_e8m0", want, 6), "exponents as bytes");
	heft_close(m);
	t[1] = (struct stored){ "a.weight_scale", "F32", "", row, 4 };
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "fp8_e4m3 tensor", all, 6), "one scale");
	heft_close(m);
	t[0].shape = "2, 1, 3";
	t[1] = (struct stored)ROW("a.weight_scale", "F32", "2", row);
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "fp8_e4m3 tensor", want, 6), "one scale per matrix of several");
	heft_close(m);
}

static void fp8_groups(void)
{
	static const float four[4] = { 1, 2, 4, 8 };
	static uint8_t code[2 * 64], power[4] = { 127, 128, 129, 130 };
	static float want[2 * 64];
	struct stored t[] = { ROW("a.weight", "F8_E4M3", "2, 64", code), ROW("a.weight_scale", "U8", "2, 2", power) };
	struct heft_model *m;

	for (size_t i = 0; i < 128; i++) {
		code[i] = 0x38;
		want[i] = four[i / 32];
	}
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "fp8_e4m3 1x32 f8_e8m0", want, 128), "MXFP8");
	heft_close(m);
	t[1] = (struct stored){ "a.weight_scale", "F32", "1, 1, 1, 1", four, 4 };
	m = OPEN("{}", t);
	ok(m && tensor(m, "a.weight") && tensor(m, "a.weight")->packed, "blocks in four dimensions");
	heft_close(m);
	t[1] = (struct stored)ROW("a.scale", "F8_E8M0", "1, 1", power);
	t[1].n = 1;
	m = OPEN("{}", t);
	ok(tensor(m, "a.weight") && !strcmp(tensor(m, "a.weight")->enc->name, "fp8_e4m3 tensor f8_e8m0"), "a scale called .scale");
	heft_close(m);
}

/* ---- 4-bit floats ---- */

static const uint8_t counted[16] = { 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe };
static const float by_four[32] = { 0, 2, 4, 6, 8, 12, 16, 24, -0.0f, -2, -4, -6, -8, -12, -16, -24,
				   0, 2, 4, 6, 8, 12, 16, 24, -0.0f, -2, -4, -6, -8, -12, -16, -24 };

static void mxfp4(void)
{
	static const uint8_t e = 129, block[17] = { 129, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	static const struct {
		const char *label, *name, *dtype, *shape, *scale, *scale_dtype, *scale_shape, *joined;
	} rows[] = {
		{ "gpt-oss", "x.up_proj_blocks", "U8", "1, 1, 1, 16", "x.up_proj_scales", "U8", "1, 1, 1", "x.up_proj" },
		{ "DeepSeek-V4", "a.weight", "I8", "1, 16", "a.scale", "F8_E8M0", "1, 1", "a.weight" },
		{ "compressed-tensors", "a.weight_packed", "U8", "1, 16", "a.weight_scale", "U8", "1, 1", "a.weight" },
		{ "ModelOpt", "a.weight", "U8", "1, 16", "a.weight_scale", "U8", "1, 1", "a.weight" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stored t[] = { ROW(rows[i].name, rows[i].dtype, rows[i].shape, counted), { rows[i].scale, rows[i].scale_dtype, rows[i].scale_shape, &e, 1 } };
		struct heft_model *m = OPEN("{}", t);

		ok(reads(m, rows[i].joined, "mxfp4 pairs", by_four, 32), "MXFP4 of %s", rows[i].label);
		repacks(m, rows[i].joined, "mxfp4", block, sizeof block);
		heft_close(m);
	}
}

static void nvfp4(void)
{
	static const uint8_t codes[8] = { 0xe4, 0x16, 0x20, 0x7b }, scale = 0x7e; /* 4 14 6 1 0 2 11 7 */
	static const float global = 2240, factor = 0.5f;
	float want[16] = { 0 }, twice[16] = { 0 };
	static const float value[8] = { 2, -4, 4, 0.5f, 0, 1, -1.5f, 6 };
	struct stored t[] = { ROW("a.weight_packed", "U8", "1, 8", codes), { "a.weight_scale", "F8_E4M3", "1, 1", &scale, 1 },
			      { "a.weight_global_scale", "F32", "1", &global, 4 } };
	struct stored u[] = { ROW("a.weight", "U8", "1, 8", codes), { "a.weight_scale", "F8_E4M3", "1, 1", &scale, 1 },
			      { "a.weight_scale_2", "F32", "", &factor, 4 } };
	struct heft_model *m = OPEN("{}", t);

	for (int i = 0; i < 8; i++) {
		want[i] = value[i] * (448 / global);
		twice[i] = value[i] * (448 * factor);
	}
	ok(reads(m, "a.weight", "nvfp4 pairs, divisor", want, 16), "NVFP4 of compressed-tensors");
	ok(!packed_repacker(tensor(m, "a.weight"), quant_find("nvfp4")), "rows that GGUF's blocks of 64 do not fill are no codes for it");
	heft_close(m);
	m = OPEN("{}", u);
	ok(reads(m, "a.weight", "nvfp4 pairs, factor", twice, 16), "NVFP4 of ModelOpt");
	heft_close(m);
}

static void nvfp4_repacked(void)
{
	static uint8_t codes[32], scale[4] = { 0x38, 0xb9, 0x3a, 0x3b }, want[36] = { 0x38, 0x39, 0x3a, 0x3b };
	static const float factor = 0.5f;
	struct stored t[] = { ROW("a.weight", "U8", "1, 32", codes), ROW("a.weight_scale", "F8_E4M3", "1, 4", scale),
			      { "a.weight_scale_2", "F32", "", &factor, 4 } };
	struct heft_model *m;

	for (int i = 0; i < 32; i++) {
		codes[i] = counted[i % 8];
		want[4 + i] = (uint8_t)(i % 8 | (i % 8 + 8) << 4);
	}
	m = OPEN("{}", t);
	repacks(m, "a.weight", "nvfp4", want, sizeof want);
	heft_close(m);
}

/* ---- a scale in another file, and configurations ---- */

static void two_files(void)
{
	static const uint8_t code[4] = { 0x38, 0x38, 0x38, 0x38 };
	static const float scale = 3, want[4] = { 3, 3, 3, 3 };
	const struct stored a[] = { ROW("a.weight", "F8_E4M3", "2, 2", code) }, b[] = { { "a.weight_scale_inv", "F32", "1, 1", &scale, 4 } };
	struct heft_model *m = NULL;
	char path[128];

	put_tensors("model-00001-of-00002.safetensors", b, 1);
	put_tensors("model-00002-of-00002.safetensors", a, 1);
	snprintf(path, sizeof path, "%s/model.safetensors", dir);
	unlink(path);
	failure = (struct heft_err){ 0 };
	heft_open(&m, dir, NULL, &failure);
	ok(reads(m, "a.weight", "fp8_e4m3 tensor", want, 4), "a scale in another file than its weight");
	heft_close(m);
}

static void groups(void)
{
	static const char text[] = "{\"config_groups\":{\"a\":{\"targets\":[\"Linear\"]},\"b\":{\"targets\":[\"re:.*down_proj$\",\"x.y\"]}}}";
	struct heft_err err;
	struct json_doc *d = json_parse(text, sizeof text - 1, "config", false, &err);
	struct packed_config c = { .root = json_root(d), .method = "" };
	const struct json *a = json_get(json_get(c.root, "config_groups"), "a"), *b = json_get(json_get(c.root, "config_groups"), "b");

	ok(packed_config_group(&c, "m.up_proj") == a, "a module's class names its group");
	ok(packed_config_group(&c, "m.down_proj") == b && packed_config_group(&c, "x.y") == b, "its own name goes before");
	ok(packed_config_group(&c, "m.down_proj.x") == a, "a pattern's end is kept");
	json_free(d);
}

int main(void)
{
	checkpoint_begin();
	fp8_blocks();
	fp8_rows_and_tensors();
	fp8_groups();
	mxfp4();
	nvfp4();
	nvfp4_repacked();
	two_files();
	groups();
	checkpoint_end();
	return done();
}
