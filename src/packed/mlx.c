/*
 * mlx.c - MLX: affine codes of 2, 3, 4, 5, 6 and 8 bits, and its mx modes.
 *
 *             affine                                mxfp4           mxfp8            nvfp4
 *   M.weight  U32 [..., O, I*b/32], dense stream    [..., O, I/8]   [..., O, I/4]    [..., O, I/8]
 *   M.scales  BF16 F16 F32 [..., O, I/g]            U8 E8M0 [I/32]  U8 E8M0 [I/32]   U8 E4M3 [I/16]
 *   M.biases  the same; affine has them, the modes have not
 *
 *   affine: number = code * scale + bias, the product and the sum each rounded to the scales' type, as MLX does on a processor
 *   modes:  number = code * scale, exact
 *
 * 4 and 5 bits with 16-bit scales are GGUF's Q4_1 and Q5_1, two blocks or four to a larger group; MXFP4 is its own.
 *
 * g, b and mode are the configuration's group_size, bits and mode: all of them the module's where it has an entry of its own. Refuses
 * what does not fit the shapes: 4 bits in groups of 64 and 8 bits in groups of 32 have the same ones.
 */
#include "../../quant/integer.h"
#include "../packed.h"

#include <string.h>

enum { CODES, SCALES, BIASES };
enum { CHUNK = 256, UNIT = 32, COLUMNS_MAX = 1 << 24 };

static const struct mode {
	const char *name;
	unsigned bits, group; /* what the configuration need not say */
	const char *code, *scale; /* encodings; NULL: affine */
} modes[] = {
	{"affine", 4, 64, NULL, NULL},
	{"mxfp4", 4, 32, NULL, "f8_e8m0"},
	{"mxfp8", 8, 32, "f8_e4m3", "f8_e8m0"},
	{"nvfp4", 4, 16, NULL, "f8_e4m3"},
};

static float one(quant_decode_fn *decode, const uint8_t *p)
{
	const void *plane[1] = { p };
	float v;

	decode(plane, &v, 1);
	return v;
}

/* ---- affine ---- */

static integer_round_fn *round_of(const struct packed *k)
{
	if (k->enc.plane[SCALES].bytes == 4)
		return NULL;
	return k->scales == quant_decoder(quant_find("f16")) ? integer_round_f16 : integer_round_bf16;
}

static void decode_affine(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, float *dst, size_t n)
{
	const uint8_t *code = plane[CODES], *scale = plane[SCALES], *bias = plane[BIASES];
	uint32_t bytes = k->enc.plane[SCALES].bytes;
	integer_round_fn *round = round_of(k);
	uint8_t buf[CHUNK];

	for (size_t done = 0, run; done < n; done += run, code += run / UNIT * UNIT * k->bits / 8) {
		size_t g = (size_t)((col + done) / k->group - col / k->group);
		uint64_t left = k->group - (col + done) % k->group;
		float s = one(k->scales, scale + g * bytes), b = one(k->scales, bias + g * bytes);
		struct integer_row r = { .group = k->group, .scale = &s, .zero = &b };

		run = n - done < CHUNK ? n - done : CHUNK;
		r.n = run = left < run ? (size_t)left : run;
		integer_unpack(code, k->bits, run, buf);
		integer_values_mlx(&r, buf, round, dst + done);
	}
}

/* ---- modes ---- */

static const float e2m1[16] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6 };

static void decode_mode(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, float *dst, size_t n)
{
	const uint8_t *code = plane[CODES], *scale = plane[SCALES];

	for (size_t i = 0; i < n; i++) {
		float s = one(k->scales, scale + ((col + i) / k->group - col / k->group));

		dst[i] = (k->bits == 4 ? e2m1[code[i / 2] >> i % 2 * 4 & 15] : one(k->codes, code + i)) * s;
	}
}

/* GGUF's byte j of a block has numbers j and j + 16, where here they are 2j and 2j + 1. */
static bool to_mxfp4(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, void *dst, size_t n)
{
	const uint8_t *code = plane[CODES], *scale = plane[SCALES];
	uint8_t *out = dst;

	for (size_t done = 0; done < n; done += 32, code += 16) {
		*out++ = *scale++;
		for (int j = 0; j < 16; j++)
			*out++ = (uint8_t)((code[j / 2] >> j % 2 * 4 & 15) | (code[8 + j / 2] >> j % 2 * 4 & 15) << 4);
	}
	return true;
}

/* What a half holds: all of a bfloat's digits, down to 2^-17; what is less goes to the nearest, what is too large has none. */
static bool put_half(const struct packed *k, const uint8_t *from, uint8_t *to)
{
	float v = one(k->scales, from);
	void *plane[1] = { to };

	if (!(v > -65520 && v < 65520))
		return false;
	quant_encoder(quant_find("f16"))(&v, plane, 1, NULL);
	return true;
}

/* Blocks of 32 with a scale and what is added: byte j has the low bits of numbers j and j + 16, the fifth bits stand before, all in one word. */
static bool to_affine_blocks(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, void *dst, size_t n)
{
	const uint8_t *code = plane[CODES];
	uint32_t bytes = k->enc.plane[SCALES].bytes;
	uint8_t *out = dst, q[UNIT];

	for (size_t done = 0; done < n; done += UNIT, code += UNIT * k->bits / 8) {
		size_t g = (size_t)((col + done) / k->group - col / k->group);
		uint32_t high = 0;

		if (!put_half(k, (const uint8_t *)plane[SCALES] + g * bytes, out) || !put_half(k, (const uint8_t *)plane[BIASES] + g * bytes, out + 2))
			return false;
		out += 4;
		integer_unpack(code, k->bits, UNIT, q);
		for (int j = 0; j < UNIT; j++)
			high |= (uint32_t)(q[j] >> 4) << j;
		for (int j = 0; j < 4 && k->bits == 5; j++)
			*out++ = (uint8_t)(high >> 8 * j);
		for (int j = 0; j < 16; j++)
			*out++ = (uint8_t)((q[j] & 15) | q[j + 16] << 4);
	}
	return true;
}

#define TOO_LARGE "a scale or bias is beyond what F16 holds; another type has room for it, name one with --tensor-type"
static const struct packed_repack affine_repack[2][2][2] = { /* by bits less 4, and whether scales are F16 already; the second row ends */
	{ { { .to = "q4_1", .fn = to_affine_blocks, .rounds = true, .refusal = TOO_LARGE } }, { { .to = "q4_1", .fn = to_affine_blocks, .refusal = TOO_LARGE } } },
	{ { { .to = "q5_1", .fn = to_affine_blocks, .rounds = true, .refusal = TOO_LARGE } }, { { .to = "q5_1", .fn = to_affine_blocks, .refusal = TOO_LARGE } } },
};
static const struct packed_repack mxfp4_repack[] = { { .to = "mxfp4", .fn = to_mxfp4 }, { .to = NULL } };

/* ---- fitting ---- */

struct said { /* of a module */
	const struct mode *mode;
	uint64_t bits, group;
};

static const struct mode *mode_named(const char *name)
{
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	return NULL;
}

/* A number of the configuration, or what goes without saying; null says nothing, as mlx-lm writes it. */
static bool read_number(const struct json *j, uint64_t otherwise, uint64_t *out)
{
	*out = otherwise;
	return json_kind(j) == JSON_NONE || json_kind(j) == JSON_NULL || json_uint(j, out);
}

/* As mlx-lm says it of a module. */
static bool is_unquantized(const struct packed_module *m)
{
	bool yes;

	return json_bool(json_get(m->config->root, m->name), &yes) && !yes;
}

/* A module's own entry stands for all that is said of the others, its mode too; what neither says, MLX takes for granted. */
static bool read_said(const struct packed_module *m, struct said *s)
{
	const struct json *own = json_get(m->config->root, m->name), *c = json_kind(own) == JSON_OBJECT ? own : m->config->root;
	const char *mode = json_cstr(json_get(c, "mode"));

	s->mode = mode_named(mode ? mode : "affine");
	if (!s->mode)
		return false;
	return read_number(json_get(c, "bits"), s->mode->bits, &s->bits) && read_number(json_get(c, "group_size"), s->mode->group, &s->group);
}

static bool bits_fit(const struct said *s)
{
	if (s->mode->scale)
		return s->bits == s->mode->bits && s->group == s->mode->group;
	return s->bits >= 2 && s->bits <= 8 && s->bits != 7 && s->group % UNIT == 0 && s->group && s->group <= 4096;
}

static int wrong(const struct packed_module *m, const struct said *s, struct heft_err *err)
{
	if (!s->mode)
		return heft_fail(err, HEFT_E_SHAPE, "'%s', %s, and '%s', %s, are no codes and scales of MLX", m->part[1]->name,
				 packed_dims(m->part[1], m->arena), m->part[0]->name, packed_dims(m->part[0], m->arena));
	return heft_fail(err, HEFT_E_SHAPE, "'%s', %s, and '%s', %s, are no %s codes of %llu bits in groups of %llu, as the configuration says",
			 m->part[1]->name, packed_dims(m->part[1], m->arena), m->part[0]->name, packed_dims(m->part[0], m->arena),
			 s->mode->name, (unsigned long long)s->bits, (unsigned long long)s->group);
}

static void place(struct packed_module *m, const struct said *s)
{
	struct packed *k = &m->kind;
	const struct heft_encoding *scale = s->mode->scale ? quant_find(s->mode->scale) : m->part[0]->enc;

	k->bits = (uint32_t)s->bits;
	k->group = (uint32_t)s->group;
	k->scales = quant_decoder(scale);
	k->codes = s->mode->code ? quant_decoder(quant_find(s->mode->code)) : NULL;
	k->enc.class = QUANT_BLOCK;
	k->enc.about = "MLX's codes with scales";
	k->enc.block = s->mode->scale ? 16 : UNIT;
	k->enc.plane[CODES] = s->mode->scale ? (struct quant_plane){"codes", 1, 8 / k->bits, 1} : (struct quant_plane){"codes", 1, UNIT, 4 * k->bits};
	k->enc.plane[SCALES] = (struct quant_plane){"scales", 1, k->group, scale->plane[0].bytes};
	k->enc.plane[BIASES] = (struct quant_plane){"biases", 1, k->group, scale->plane[0].bytes};
	k->enc.n_planes = s->mode->scale ? 2 : 3;
	k->decode = s->mode->scale ? decode_mode : decode_affine;
	k->enc.name = s->mode->scale ? arena_printf(m->arena, "mlx %s", s->mode->name) :
				       arena_printf(m->arena, "mlx%u g%u %s", k->bits, k->group, scale->name);
	if (!strcmp(s->mode->name, "mxfp4"))
		k->repack = mxfp4_repack;
	else if (!s->mode->scale && scale->plane[0].bytes == 2 && (k->bits == 4 || k->bits == 5))
		k->repack = affine_repack[k->bits - 4][scale == quant_find("f16")];
}

static int fit(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *scales = m->part[0], *codes = m->part[1], *biases = m->part[2];
	struct said s = { 0 };
	uint64_t words, cols;

	if (!packed_is(codes, "u32") || codes->rank < 2 || scales->rank != codes->rank)
		return wrong(m, &s, err), biases ? -1 : 1; /* others have weights with scales, too */
	if (is_unquantized(m))
		return heft_fail(err, HEFT_E_CONFIG, "'%s' has codes and scales, but the configuration says that '%s' is not quantized", codes->name, m->name);
	if (!read_said(m, &s))
		return heft_fail(err, HEFT_E_CONFIG, "'%s': the configuration says no mode, bits and group_size that MLX has: affine, mxfp4, mxfp8 or nvfp4, and numbers",
				 codes->name);
	if (!bits_fit(&s) || !packed_is(scales, s.mode->scale ? "u8" : "bf16 f16 f32"))
		return wrong(m, &s, err);
	if (!s.mode->scale && !biases)
		return heft_fail(err, HEFT_E_TENSOR_MISSING, "'%s' is there without '%s.biases', which affine codes need", codes->name, m->name);
	if (biases && (s.mode->scale || biases->enc != scales->enc))
		return wrong(m, &s, err);
	if (biases && (biases->rank != scales->rank || memcmp(biases->dim, scales->dim, (size_t)scales->rank * sizeof *scales->dim)))
		return heft_fail(err, HEFT_E_SHAPE, "'%s', %s, is not of the shape of '%s', %s", biases->name, packed_dims(biases, m->arena), scales->name,
				 packed_dims(scales, m->arena));
	words = codes->dim[codes->rank - 1];
	cols = scales->dim[scales->rank - 1];
	if (!words || words > COLUMNS_MAX || cols > COLUMNS_MAX || (cols *= s.group) > COLUMNS_MAX || cols * s.bits != words * 32)
		return wrong(m, &s, err);
	if (!m->config->root)
		return heft_fail(err, HEFT_E_CONFIG, "'%s' has MLX's codes, but no config.json beside it says of how many bits and in what groups", codes->name);
	m->rank = codes->rank;
	memcpy(m->dim, codes->dim, sizeof m->dim);
	m->dim[m->rank - 1] = cols;
	place(m, &s);
	return 0;
}

const struct packed_layout packed_mlx = {
	.name = "mlx",
	.weight = ".weight",
	.part = {{".scales", SCALES, 0}, {".weight", CODES, 0}, {".biases", BIASES, PACKED_OWN | PACKED_OPTIONAL}},
	.fit = fit,
};
