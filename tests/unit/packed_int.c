/* Modules that are stored as integer codes: worked examples of GPTQ, AWQ, compressed-tensors, MLX and bitsandbytes, codes that go over to
 * GGUF's blocks, and what is refused. */
#include "tests/checkpoint.h"

#define HALF_ONE 0x3c00
#define HALF_TWO 0x4000
#define QUANT(more) "{\"quantization_config\":{" more "}}"
#define GROUP4(more) QUANT("\"config_groups\":{\"g\":{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":4" more "}}}")

static void refused(const struct heft_model *m, enum heft_code code, const char *name, const char *other, const char *what)
{
	if (!ok(!m && failure.code == code && strstr(failure.text, name) && strstr(failure.text, other), "%s", what))
		printf("# %s\n", failure.text);
}

/* ---- GPTQ ---- */

enum { N = 8 }; /* rows, and columns */

/* Row o is 1 to 8 in 4 bits, less a zero point of 8, times 1 or 2. */
static const uint32_t eights[N] = {0x87654321, 0x87654321, 0x87654321, 0x87654321, 0x87654321, 0x87654321, 0x87654321, 0x87654321};
static const uint16_t halves[N] = {HALF_ONE, HALF_TWO, HALF_ONE, HALF_TWO, HALF_ONE, HALF_TWO, HALF_ONE, HALF_TWO};
static const uint32_t zeros_v1 = 0x77777777, zeros_v2 = 0x88888888;

static void counted(float *want, int zero)
{
	for (int i = 0; i < N * N; i++)
		want[i] = (float)((i % N + 1 - zero) * (i / N % 2 + 1));
}

static void gptq(void)
{
	struct stored t[] = {ROW("a.qweight", "I32", "1, 8", eights), {"a.qzeros", "I32", "1, 1", &zeros_v1, 4}, ROW("a.scales", "F16", "1, 8", halves)};
	static const char *const true_zeros[] = {
		QUANT("\"quant_method\":\"gptq\",\"checkpoint_format\":\"gptq_v2\""),
		QUANT("\"quant_method\":\"auto-round\",\"packing_format\":\"auto_round\""),
	};
	struct heft_model *m = OPEN("{}", t);
	float want[N * N];

	counted(want, 8);
	ok(reads(m, "a.weight", "gptq4 channel zeros", want, N * N), "GPTQ v1 stores zero points less one");
	heft_close(m);
	m = OPEN(QUANT("\"quant_method\":\"auto-round\",\"packing_format\":\"auto_round:auto_gptq\""), t);
	ok(reads(m, "a.weight", "gptq4 channel zeros", want, N * N), "so does AutoRound in GPTQ's packing");
	heft_close(m);
	t[1].bytes = &zeros_v2;
	for (size_t i = 0; i < 2; i++) {
		m = OPEN(true_zeros[i], t);
		ok(reads(m, "a.weight", "gptq4 channel zeros", want, N * N), "%s do not", i ? "AutoRound's own zero points" : "GPTQ v2's zero points");
		heft_close(m);
	}
}

/* Columns 0 2 4 6 are in group 1, the others in group 0. */
static void gptq_order(void)
{
	static const int32_t order[N] = {1, 0, 1, 0, 1, 0, 1, 0}, plain[N] = {0, 0, 0, 0, 1, 1, 1, 1}, outside[N] = {0, 0, 0, 0, 2, 1, 1, 1};
	static const uint32_t zeros[2] = {0x77777777, 0};
	static uint16_t scales[2 * N];
	struct stored t[] = {ROW("a.qweight", "I32", "1, 8", eights), ROW("a.qzeros", "I32", "2, 1", zeros), ROW("a.scales", "F16", "2, 8", scales),
			     ROW("a.g_idx", "I32", "8", order)};
	float want[N * N], in_order[N * N];
	struct heft_model *m;

	for (int i = 0; i < 2 * N; i++)
		scales[i] = i < N ? HALF_ONE : HALF_TWO;
	for (int i = 0; i < N * N; i++) {
		want[i] = (float)(i % 2 ? i % N + 1 - 8 : (i % N + 1 - 1) * 2);
		in_order[i] = (float)(i % N < 4 ? i % N + 1 - 8 : (i % N + 1 - 1) * 2);
	}
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "gptq4 g4 zeros ordered", want, N * N), "GPTQ with act-order: each column names its group");
	heft_close(m);
	t[3].bytes = plain;
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "gptq4 g4 zeros", in_order, N * N), "an index that is in order is none");
	heft_close(m);
	t[3].bytes = outside;
	refused(OPEN("{}", t), HEFT_E_SHAPE, "a.g_idx", "group 2", "a group that is not there is refused");
	t[3].n = 4;
	t[3].shape = "1";
	refused(OPEN("{}", t), HEFT_E_SHAPE, "a.g_idx", "8 columns", "an index that is too short is refused");
}

static void gptq_three(void)
{
	static const uint32_t three[3] = {0x88fac688, 0xc688fac6, 0xfac688fa}, zeros[3] = {0xdb6db6db, 0xb6db6db6, 0x6db6db6d}; /* 3 everywhere */
	static uint32_t codes[3 * 32];
	static uint16_t scales[32];
	struct stored t[] = {ROW("a.qweight", "I32", "3, 32", codes), ROW("a.qzeros", "I32", "1, 3", zeros), ROW("a.scales", "F16", "1, 32", scales)};
	static float want[32 * 32];
	struct heft_model *m;

	for (int i = 0; i < 3 * 32; i++)
		codes[i] = three[i / 32];
	for (int i = 0; i < 32; i++)
		scales[i] = HALF_ONE;
	for (int i = 0; i < 32 * 32; i++)
		want[i] = (float)(i % 8 - 4);
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "gptq3 channel zeros", want, 32 * 32), "GPTQ of 3 bits: codes and zero points cross words");
	heft_close(m);
}

static void gptq_parts(void)
{
	struct stored t[] = {ROW("a.qweight", "I32", "1, 8", eights), ROW("a.scales", "F16", "1, 8", halves), {"a.qzeros", "I32", "1, 1", &zeros_v1, 4}};

	refused(opened("{}", t, 2), HEFT_E_TENSOR_MISSING, "a.qweight", "a.qzeros", "codes without zero points are refused, both are named");
	refused(opened("{}", t, 1), HEFT_E_TENSOR_MISSING, "a.qweight", "a.scales", "codes without scales are refused, both are named");
	refused(opened("{}", t + 2, 1), HEFT_E_TENSOR_MISSING, "a.qzeros", "a.qweight", "zero points without codes are refused, both are named");
	t[1].shape = "2, 4";
	refused(OPEN("{}", t), HEFT_E_SHAPE, "a.qweight", "f16 [2, 4]", "shapes of no layout are refused");
}

/* ---- AWQ ---- */

static void awq(void)
{
	static const uint32_t codes[2] = {0x86427531, 0x86427531}, zeros = 0x11111111;
	static const float want[16] = {0, 0, 2, 2, 2, 2, 6, 6, 4, 4, 10, 10, 6, 6, 14, 14}; /* 8 rows of 2, rows 1 3 5 7 twice */
	struct stored t[] = {ROW("a.qweight", "I32", "2, 1", codes), {"a.qzeros", "I32", "1, 1", &zeros, 4}, ROW("a.scales", "F16", "1, 8", halves)};
	struct heft_model *m = OPEN(QUANT("\"quant_method\":\"awq\""), t);

	ok(reads(m, "a.weight", "awq4 channel zeros", want, 16), "AWQ: 0x86427531 is 1 to 8, down eight rows");
	heft_close(m);
}

static void awq_gemv(void)
{
	static const uint32_t codes[2] = {0x87654321, 0x87654321}, zeros[2] = {0x21, 0x03};
	static uint16_t scales[16];
	static const float want[16] = {0, 1, 2, 3, 6, 8, 10, 12, -2, -1, 0, 1, 10, 12, 14, 16};
	struct stored t[] = {ROW("a.qweight", "I32", "2, 1", codes), ROW("a.qzeros", "I32", "2, 1", zeros), ROW("a.scales", "F16", "2, 8", scales)};
	struct heft_model *m;

	for (int i = 0; i < 16; i++)
		scales[i] = i % 8 == 0 ? HALF_ONE : HALF_TWO;
	m = OPEN(QUANT("\"quant_method\":\"awq\",\"version\":\"gemv\",\"group_size\":4"), t);
	ok(reads(m, "a.weight", "awq4 gemv g4 zeros", want, 16), "AWQ's GEMV: rows of their own, filled up to a word");
	heft_close(m);
	refused(OPEN(QUANT("\"quant_method\":\"awq\""), t), HEFT_E_CONFIG, "a.scales", "group_size", "whose group must be told");
}

/* ---- compressed-tensors ---- */

static void ct(void)
{
	static const uint32_t code = 0x76543210, zero[8] = {0x76543210};
	static const uint16_t one = 0x3f80, ones[N] = {0x3f80, 0x3f80, 0x3f80, 0x3f80, 0x3f80, 0x3f80, 0x3f80, 0x3f80};
	static const int64_t shape[2] = {1, 8};
	static uint32_t codes[N];
	float want[N * N];
	struct stored t[] = {{"a.weight_packed", "I32", "1, 1", &code, 4}, {"a.weight_scale", "BF16", "1, 1", &one, 2}, ROW("a.weight_shape", "I64", "2", shape)};
	struct stored u[] = {ROW("a.weight_packed", "I32", "8, 1", codes), ROW("a.weight_scale", "BF16", "8, 1", ones),
			     {"a.weight_zero_point", "I32", "1, 1", zero, 4}};
	struct heft_model *m;

	for (int i = 0; i < N; i++)
		want[i] = (float)(i - 8);
	m = OPEN(GROUP4(""), t);
	ok(reads(m, "a.weight", "int4 channel", want, N), "compressed-tensors: 0x76543210 is -8 to -1");
	heft_close(m);
	refused(OPEN("{}", t), HEFT_E_CONFIG, "a.weight_packed", "num_bits", "the bits must be told");
	for (int i = 0; i < N; i++)
		codes[i] = code;
	for (int i = 0; i < N * N; i++)
		want[i] = (float)(i % N - i / N);
	m = OPEN(GROUP4(""), u);
	ok(reads(m, "a.weight", "int4 channel zeros", want, N * N), "zero points are packed along the column");
	heft_close(m);
	refused(opened(GROUP4(""), t, 1), HEFT_E_TENSOR_MISSING, "a.weight_packed", "a.weight_scale", "codes without a scale are refused, both are named");
}

static void ct_int8(void)
{
	static const int8_t codes[4] = {-128, -1, 0, 127}, zeros[2] = {1, -1};
	static const float scale[2] = {2, 0.5f}, want[4] = {-256, -2, 0, 63.5f}, with[4] = {-258, -4, 0.5f, 64};
	struct stored t[] = {ROW("a.weight", "I8", "2, 2", codes), ROW("a.weight_scale", "F32", "2, 1", scale), ROW("a.weight_zero_point", "I8", "2, 1", zeros)};
	struct heft_model *m = opened("{}", t, 2);

	ok(reads(m, "a.weight", "int8 channel", want, 4), "bytes with a scale per row");
	heft_close(m);
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "int8 channel zeros", with, 4), "and zero points");
	heft_close(m);
}

static void blocks(void)
{
	static const uint32_t codes[4] = {0x76543210, 0xfedcba98, 0x76543210, 0xfedcba98};
	static const uint16_t scale = HALF_TWO;
	static uint8_t q4_0[18] = {0x00, 0x40}, q8_0[34] = {0x00, 0x40};
	static int8_t bytes[32];
	struct stored t[] = {ROW("a.weight_packed", "I32", "1, 4", codes), {"a.weight_scale", "F16", "1, 1", &scale, 2}};
	struct stored u[] = {ROW("a.weight", "I8", "1, 32", bytes), {"a.weight_scale", "F16", "1, 1", &scale, 2}};
	struct heft_model *m = OPEN(GROUP4(""), t);

	for (int i = 0; i < 16; i++)
		q4_0[2 + i] = (uint8_t)(i | i << 4);
	repacks(m, "a.weight", "q4_0", q4_0, sizeof q4_0);
	ok(!packed_repacker(tensor(m, "a.weight"), quant_find("q8_0")), "but not to Q8_0");
	heft_close(m);
	for (int i = 0; i < 32; i++)
		q8_0[2 + i] = (uint8_t)(bytes[i] = (int8_t)(i * 8 - 128));
	m = OPEN("{}", u);
	repacks(m, "a.weight", "q8_0", q8_0, sizeof q8_0);
	heft_close(m);
}

/* Four groups of eight rows of 32; what the configuration says of zero points is looked at again when they are read. */
static void gptq_blocks(void)
{
	static uint32_t codes[4 * N], zeros[1] = {0x77777777};
	static uint8_t q4_0[N * 18];
	struct stored t[] = {ROW("a.qweight", "I32", "4, 8", codes), ROW("a.qzeros", "I32", "1, 1", zeros), ROW("a.scales", "F16", "1, 8", halves)};
	struct packed_scratch s = { 0 };
	struct heft_err err = { 0 };
	struct heft_model *m;

	for (int i = 0; i < 4 * N; i++)
		codes[i] = i / N % 2 ? 0xfedcba98 : 0x76543210;
	for (int i = 0; i < N * 18; i++)
		q4_0[i] = i % 18 == 0 ? 0 : i % 18 == 1 ? halves[i / 18] >> 8 : (uint8_t)((i % 18 - 2) * 0x11);
	m = OPEN(QUANT("\"quant_method\":\"gptq\",\"sym\":true"), t);
	repacks(m, "a.weight", "q4_0", q4_0, sizeof q4_0);
	heft_close(m);
	zeros[0] = 0x77777773;
	m = OPEN(QUANT("\"quant_method\":\"gptq\",\"sym\":true"), t);
	ok(m && packed_read_bytes(m, tensor(m, "a.weight"), quant_find("q4_0"), 0, N * 32, q4_0, &s, &err) && err.code == HEFT_E_CONFIG && strstr(err.text, "sym"),
	   "a zero point that is not in the middle, against the configuration, is an error");
	heft_close(m);
	m = OPEN("{}", t);
	ok(m && !packed_repacker(tensor(m, "a.weight"), quant_find("q4_0")), "zero points of which nothing is said are not trusted");
	heft_close(m);
	packed_scratch_release(&s);
}

/* ---- MLX ---- */

static void mlx(void)
{
	static uint32_t codes[8];
	static const uint16_t scale = 0x3f81, bias = 0x3c00; /* 1.0078125, 2^-7 */
	struct stored t[] = {ROW("a.weight", "U32", "1, 8", codes), {"a.scales", "BF16", "1, 1", &scale, 2}, {"a.biases", "BF16", "1, 1", &bias, 2}};
	struct heft_model *m;
	float want[64];

	codes[0] = 0x00000f30;
	for (int i = 0; i < 64; i++)
		want[i] = i == 1 ? 0x1.84p1f : i == 2 ? 0x1.e4p3f : 0x1p-7f; /* 3 and 15 times the scale, rounded, and the bias, rounded */
	refused(OPEN("{}", t), HEFT_E_CONFIG, "a.weight", "config.json", "the same bytes could be other bits in other groups: a configuration must speak of them");
	m = OPEN("{\"quantization\":{}}", t);
	ok(reads(m, "a.weight", "mlx4 g64 bf16", want, 64), "MLX: what is not said is 4 bits in groups of 64; two roundings");
	heft_close(m);
	refused(OPEN("{\"quantization\":{\"group_size\":32,\"bits\":4}}", t), HEFT_E_SHAPE, "a.weight", "groups of 32", "a group that does not fit is refused");
	m = OPEN("{\"quantization\":{\"group_size\":32,\"bits\":4,\"a\":{\"group_size\":64,\"bits\":4}}}", t);
	ok(m != NULL, "a module's own entry counts");
	heft_close(m);
	m = OPEN("{\"quantization\":{\"group_size\":32,\"bits\":8}}", t);
	ok(m && tensor(m, "a.weight")->dim[1] == 32, "the same bytes are 8 bits in groups of 32, if the configuration says so");
	heft_close(m);
	refused(opened("{}", t, 2), HEFT_E_TENSOR_MISSING, "a.weight", "a.biases", "codes without biases are refused, both are named");
}

static void mlx_modes(void)
{
	static const uint8_t codes[16] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe}, scale = 129;
	static const uint8_t block[17] = {129, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f};
	static const float want[32] = {0, 2, 4, 6, 8, 12, 16, 24, -0.0f, -2, -4, -6, -8, -12, -16, -24};
	struct stored t[] = {{"a.weight", "U32", "1, 4", codes, 16}, {"a.scales", "U8", "1, 1", &scale, 1}};
	struct heft_model *m = OPEN("{\"quantization\":{\"group_size\":32,\"bits\":4,\"mode\":\"mxfp4\"}}", t);

	ok(reads(m, "a.weight", "mlx mxfp4", want, 32), "MLX's MXFP4");
	repacks(m, "a.weight", "mxfp4", block, sizeof block);
	heft_close(m);
}

/* ---- bitsandbytes ---- */

#define STATE(name, json) {name, "U8", NULL, json, sizeof(json) - 1}

static void set_length(struct stored *s, char *shape, size_t size)
{
	snprintf(shape, size, "%zu", s->n);
	s->shape = shape;
}

static void nf4(void)
{
	static const uint8_t codes[4] = {0xc0, 0xa8, 0x5b, 0x77};
	static const float absmax[2] = {1, 2}, fours[4] = {0.44070982933044434f, -1, 0.24611230194568634f, 0.07958029955625534f};
	static const float want[8] = {0.44070982933044434f, -1, 0.24611230194568634f, 0.07958029955625534f,
				      2 * -0.18477343022823334f, 2 * 0.33791524171829224f, 0, 0};
	struct stored t[] = {STATE("a.weight.quant_state.bitsandbytes__nf4", "{\"quant_type\":\"nf4\",\"blocksize\":4,\"dtype\":\"bfloat16\",\"shape\":[4,2]}"),
			     ROW("a.weight", "U8", "4, 1", codes), ROW("a.weight.absmax", "F32", "2", absmax)};
	char length[16];
	struct heft_model *m;

	set_length(&t[0], length, sizeof length);
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "bnb nf4 g4", want, 8), "NF4: C0 A8, the first number in the high nibble; blocks run through rows");
	ok(m && !memcmp(want, fours, sizeof fours) && m->n_tensors == 1, "the state vanishes");
	heft_close(m);
	t[2].n = 4;
	t[2].shape = "1";
	refused(OPEN("{}", t), HEFT_E_SHAPE, "a.weight", "quant_state", "scales that the state does not go with are refused");
	refused(opened("{}", t, 2), HEFT_E_TENSOR_MISSING, "a.weight.absmax", "a.weight", "codes without scales are refused, both are named");
}

static void fp4_nested(void)
{
	static const uint8_t codes[4] = {0x5b, 0x76, 0x5b, 0x76}, absmax[2] = {1, 2};
	static const float outer[1] = {4}, want[8] = {1.5f, -3, 0.75f, 0.5f, 2.5f, -5, 1.25f, 5 * 0.16666667f};
	static float map[256] = {0, 0.5f, 1};
	struct stored t[] = {STATE("a.weight.quant_state.bitsandbytes__fp4", "{\"quant_type\":\"fp4\",\"blocksize\":4,\"shape\":[1,8],\"nested_blocksize\":256,\"nested_offset\":1}"),
			     ROW("a.weight", "U8", "4, 1", codes), ROW("a.weight.absmax", "U8", "2", absmax),
			     ROW("a.weight.nested_absmax", "F32", "1", outer), ROW("a.weight.nested_quant_map", "F32", "256", map)};
	char length[16];
	float wanted[8];
	struct heft_model *m;

	memcpy(wanted, want, sizeof want);
	wanted[3] = 3 * 0.16666667f;
	set_length(&t[0], length, sizeof length);
	m = OPEN("{}", t);
	ok(reads(m, "a.weight", "bnb fp4 g4 nested", wanted, 8), "FP4: 5B 76; scales of 0.5*4+1 and 1*4+1");
	heft_close(m);
	refused(opened("{}", t, 4), HEFT_E_SHAPE, "a.weight", "quant_state", "quantized scales without their table are refused");
	t[0].bytes = "{\"blocksize\":4,\"shape\":[1,8]}";
	t[0].n = strlen(t[0].bytes);
	set_length(&t[0], length, sizeof length);
	refused(OPEN("{}", t), HEFT_E_JSON, "quant_state", "nested", "a state that does not say how they are nested is refused");
}

static void bnb_int8(void)
{
	static const int8_t codes[4] = {127, -127, 64, 0};
	static const float scale[2] = {2, 0.5f}, k = 7.874015718698502e-3f;
	static const uint8_t format = 1;
	struct stored t[] = {ROW("a.weight", "I8", "2, 2", codes), ROW("a.SCB", "F32", "2", scale), {"a.weight_format", "U8", "", &format, 1}};
	const float want[4] = {254 * k, -254 * k, 32 * k, 0};
	struct heft_model *m = opened("{}", t, 2);

	ok(reads(m, "a.weight", "bnb int8", want, 4), "LLM.int8: code * SCB / 127");
	heft_close(m);
	refused(OPEN("{}", t), HEFT_E_DTYPE, "a.weight_format", "only 0", "another order of codes is refused");
}

static void unscaled(void)
{
	static const int8_t codes[4];
	static const float scale[2] = {1, 1};
	struct stored t[] = {ROW("a.weight", "I8", "2, 2", codes), ROW("a.weight_scale", "F32", "2, 1", scale), ROW("b.weight", "I8", "2, 2", codes)};

	refused(OPEN("{}", t), HEFT_E_TENSOR_MISSING, "b.weight", "b.weight_scale", "a weight of codes whose scale is lost");
}

int main(void)
{
	checkpoint_begin();
	gptq();
	gptq_order();
	gptq_three();
	gptq_parts();
	awq();
	awq_gemv();
	ct();
	ct_int8();
	blocks();
	gptq_blocks();
	mlx();
	mlx_modes();
	nf4();
	fp4_nested();
	bnb_int8();
	unscaled();
	checkpoint_end();
	return done();
}
