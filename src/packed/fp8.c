/*
 * fp8.c - 8-bit floats with scales that multiply: DeepSeek, Qwen, MiniMax, GLM (`quant_method` fp8), compressed-tensors
 * (float-quantized, naive-quantized, mxfp8-quantized), ModelOpt (FP8, FP8_PER_CHANNEL_PER_TOKEN, FP8_PB_WO, MXFP8), Mistral.
 *
 *   M.weight            F8_E4M3 or F8_E5M2 [..., O, I]
 *   M.weight_scale_inv  F32, BF16, F16, F8_E8M0, or U8 that is E8M0; it multiplies, whatever its name says
 *
 *   [ceil(O/h), ceil(I/w)]          one per block of h x w (weight_block_size, block_structure; 128 x 128 where nothing is said)
 *   [ceil(O/h), 1, ceil(I/w), 1]    the same, as ModelOpt writes it
 *   [O, 1] or [O]                   one per row
 *   [O, I/w]                        one per w numbers of a row (w = 32: MXFP8)
 *   [], [1], [1, 1]                 one
 *   [E], [E, 1], [E, 1, 1]          one per matrix of [E, O, I]
 *
 *   number[r, c] = float32(code) * float32(scale)
 */
#include "../packed.h"

#include <string.h>

#include "../../base/ceil.h"

enum { CODES, SCALE };

/* Multiplies by one scale per `each` numbers, the first of which stand at column `col`. */
static void multiply(float *v, size_t n, uint64_t col, uint32_t each, quant_decode_fn *decode, const uint8_t *scale, size_t bytes)
{
	for (size_t done = 0, run; done < n; done += run, scale += bytes) {
		uint64_t left = each - (col + done) % each;
		const void *plane[1] = { scale };
		float s;

		decode(plane, &s, 1);
		run = left < n - done ? (size_t)left : n - done;
		for (size_t i = done; i < done + run; i++)
			v[i] *= s;
	}
}

static void decode(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, float *dst, size_t n)
{
	const void *codes[1] = { plane[CODES] };

	k->codes(codes, dst, n);
	multiply(dst, n, col, k->enc.plane[SCALE].cols, k->scales, plane[SCALE], k->enc.plane[SCALE].bytes);
}

/* The block of the configuration: {128, 128} where there is none, {0, 0} where it cannot be read. */
static void block_size(const struct packed_module *m, uint64_t *block)
{
	const struct json *group = packed_config_group(m->config, m->name);
	const struct json *b = json_get(m->config->root, "weight_block_size");

	block[0] = block[1] = 128;
	if (!b || json_kind(b) == JSON_NULL)
		b = json_get(json_get(group, "weights"), "block_structure");
	if (json_kind(b) != JSON_ARRAY)
		return;
	if (!json_uint(json_first(b), &block[0]) || !json_uint(json_next(json_first(b)), &block[1]) || block[0] >= PACKED_ALL ||
	    block[1] >= PACKED_ALL)
		block[0] = block[1] = 0;
}

/* The scales' shape without what says nothing: leading ones, and the ones between that ModelOpt writes. */
static int squeeze(const struct heft_tensor *s, uint64_t *dim)
{
	int n = 0;

	for (int i = 0; i < s->rank; i++)
		if (s->dim[i] != 1)
			dim[n++] = s->dim[i];
	return n;
}

/* Rows and columns that one scale is for: false where the shape is none of the above. */
static bool unit_of(const struct packed_module *m, const struct heft_tensor *scale, struct quant_plane *g)
{
	struct packed_shape w = packed_shape(m->rank, m->dim), s = packed_shape(scale->rank, scale->dim);
	uint64_t block[2], dim[HEFT_MAX_RANK];
	int n = squeeze(scale, dim);
	bool even = scale->rank == m->rank && s.matrices == w.matrices;

	block_size(m, block);
	if (scale->rank == 4 && m->rank == 2 && scale->dim[1] == 1 && scale->dim[3] == 1)
		s = (struct packed_shape){ 1, scale->dim[0], scale->dim[2] }, even = true;
	g->rows = g->cols = PACKED_ALL;
	if (n == 0 && w.matrices == 1)
		return true;
	if (even && s.rows == ceil_of(w.rows, block[0]) && s.cols == ceil_of(w.cols, block[1])) {
		g->rows = (uint32_t)block[0];
		g->cols = (uint32_t)block[1];
		return true;
	}
	if (n <= 1 && w.matrices > 1 && heft_tensor_count(scale) == w.matrices && scale->dim[0] == m->dim[0])
		return true;
	g->rows = 1;
	if ((even && s.rows == w.rows && s.cols == 1) || (scale->rank == m->rank - 1 && heft_tensor_count(scale) == w.rows * w.matrices))
		return true;
	if (!even || s.rows != w.rows || !s.cols || w.cols % s.cols || w.cols / s.cols >= PACKED_ALL)
		return false;
	g->cols = (uint32_t)(w.cols / s.cols);
	return true;
}

static const char *unit_name(const struct quant_plane *g, struct arena *a)
{
	if (g->rows == PACKED_ALL)
		return "tensor";
	return g->cols == PACKED_ALL ? "channel" : arena_printf(a, "%ux%u", g->rows, g->cols);
}

static int fit_pair(struct packed_module *m, const struct heft_tensor *scale, const struct heft_tensor *weight, struct heft_err *err)
{
	struct packed *k = &m->kind;
	const struct heft_encoding *code = weight->enc, *s = scale->enc;

	if (!packed_is(weight, "f8_e4m3 f8_e5m2"))
		return heft_fail(err, HEFT_E_DTYPE, "'%s' has a scale, '%s', but is %s", weight->name, scale->name, packed_dims(weight, m->arena)), 1;
	if (!packed_is(scale, "f32 bf16 f16 f8_e8m0 u8"))
		return heft_fail(err, HEFT_E_DTYPE, "'%s', the scale of '%s', is %s", scale->name, weight->name, packed_dims(scale, m->arena)), 1;
	if (packed_is(scale, "u8"))
		s = quant_find("f8_e8m0");
	m->rank = weight->rank;
	memcpy(m->dim, weight->dim, sizeof m->dim);
	k->enc.plane[CODES] = (struct quant_plane){ "codes", 1, 1, 1 };
	k->enc.plane[SCALE] = (struct quant_plane){ "scales", 1, 1, s->plane[0].bytes };
	if (weight->rank < 1 || !unit_of(m, scale, &k->enc.plane[SCALE]))
		return heft_fail(err, HEFT_E_SHAPE, "'%s': %s is no scale for '%s', %s", scale->name, packed_dims(scale, m->arena), weight->name,
				 packed_dims(weight, m->arena));
	k->enc.name = arena_printf(m->arena, "fp8_%s %s%s%s", code->name + 3, unit_name(&k->enc.plane[SCALE], m->arena),
				   packed_is(scale, "f32") ? "" : " ", packed_is(scale, "f32") ? "" : s->name);
	k->enc.about = "8-bit floats with scales";
	k->enc.block = 1;
	k->enc.class = QUANT_BLOCK;
	k->enc.n_planes = 2;
	k->decode = decode;
	k->codes = quant_decoder(code);
	k->scales = quant_decoder(s);
	return 0;
}

static int fit(struct packed_module *m, struct heft_err *err)
{
	return fit_pair(m, m->part[0], m->part[1], err);
}

const struct packed_layout packed_fp8_inv = {
	.name = "fp8_inv",
	.weight = "",
	.part = { { "_scale_inv", SCALE, PACKED_OWN }, { "", CODES, 0 } },
	.fit = fit,
};

const struct packed_layout packed_fp8 = {
	.name = "fp8",
	.weight = ".weight",
	.part = { { ".weight_scale", SCALE, PACKED_OWN }, { ".weight", CODES, 0 } },
	.fit = fit,
};

/* DeepSeek-V4: other models have tensors of this name too. */
static int fit_v4(struct packed_module *m, struct heft_err *err)
{
	if (!packed_is(m->part[0], "f8_e8m0") || !packed_is(m->part[1], "f8_e4m3"))
		return 1;
	return fit(m, err);
}

const struct packed_layout packed_fp8_v4 = {
	.name = "fp8_v4",
	.weight = ".weight",
	.part = { { ".scale", SCALE, 0 }, { ".weight", CODES, 0 } },
	.fit = fit_v4,
};

const struct packed_layout packed_fp8_qscale = {
	.name = "fp8_qscale",
	.weight = ".weight",
	.part = { { ".qscale_weight", SCALE, PACKED_OWN }, { ".weight", CODES, 0 } },
	.fit = fit,
};
