/*
 * fp4.c - 4-bit floats with scales per 16 or 32: MXFP4 as gpt-oss, DeepSeek-V4, compressed-tensors and ModelOpt store it, NVFP4 of
 * compressed-tensors and ModelOpt.
 *
 *   codes   s ee m   0 0.5 1 1.5 2 3 4 6 and their negatives; two to a byte, the first in the low nibble
 *
 *             codes                           scales                       factor of all
 *   gpt-oss   M_blocks  U8 [E, R, C/32, 16]   M_scales  E8M0 [E, R, C/32]
 *   V4        M.weight  I8 [O, I/2]           M.scale   E8M0 [O, I/32]
 *   ct        M.weight_packed  U8 [O, I/2]    M.weight_scale  E8M0 [O, I/32] or E4M3 [O, I/16]   M.weight_global_scale: divides
 *   modelopt  M.weight  U8 [O, I/2]           M.weight_scale  the same                           M.weight_scale_2: multiplies
 *
 *   number = code * (scale * factor)   or   code * (scale / factor)
 *
 * GGUF has the same codes and scales in blocks of its own, and the factor in a tensor beside: they go over as they are. Its byte j of
 * n holds numbers j and j + n, where here they are 2j and 2j + 1.
 */
#include "../packed.h"

#include <string.h>

enum { CODES, SCALES, FACTOR, INPUT, MX_BLOCK = 32, NV_BLOCK = 16, NV_SUPER = 64 };

enum factor { MULTIPLIES, DIVIDES }; /* param[0] */

static const float e2m1[16] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6 };

static float one(quant_decode_fn *decode, const void *p)
{
	const void *plane[1] = { p };
	float v;

	decode(plane, &v, 1);
	return v;
}

static float float_at(const void *p)
{
	float v;

	memcpy(&v, p, sizeof v);
	return v;
}

static void decode_run(const uint8_t *codes, float scale, float *dst, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		dst[2 * i] = e2m1[codes[i] & 15] * scale;
		dst[2 * i + 1] = e2m1[codes[i] >> 4] * scale;
	}
}

static void decode(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, float *dst, size_t n)
{
	const uint8_t *codes = plane[CODES], *scale = plane[SCALES];
	bool has_factor = k->enc.n_planes > FACTOR;
	float factor = has_factor ? float_at(plane[FACTOR]) : 1;

	for (size_t done = 0; done < n; done += k->group, codes += k->group / 2, scale++) {
		float s = one(k->scales, scale);

		if (has_factor)
			s = k->param[0] == DIVIDES ? s / factor : s * factor;
		decode_run(codes, s, dst + done, k->group);
	}
}

/* ---- GGUF's blocks ---- */

static uint8_t code_at(const uint8_t *codes, int i)
{
	return codes[i / 2] >> i % 2 * 4 & 15;
}

/* n codes of the source as a run of the target. */
static void regroup(const uint8_t *codes, int n, uint8_t *dst)
{
	for (int j = 0; j < n / 2; j++)
		dst[j] = (uint8_t)(code_at(codes, j) | code_at(codes, j + n / 2) << 4);
}

static bool to_mxfp4(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, void *dst, size_t n)
{
	const uint8_t *codes = plane[CODES], *scale = plane[SCALES];
	uint8_t *out = dst;

	for (size_t done = 0; done < n; done += MX_BLOCK, codes += MX_BLOCK / 2, out += 1 + MX_BLOCK / 2) {
		out[0] = *scale++;
		regroup(codes, MX_BLOCK, out + 1);
	}
	return true;
}

/* Scales lose their sign bit, as in the reference. */
static bool to_nvfp4(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, void *dst, size_t n)
{
	enum { RUNS = NV_SUPER / NV_BLOCK };
	const uint8_t *codes = plane[CODES], *scale = plane[SCALES];
	uint8_t *out = dst;

	for (size_t done = 0; done < n; done += NV_SUPER, out += RUNS + NV_SUPER / 2)
		for (int r = 0; r < RUNS; r++, codes += NV_BLOCK / 2) {
			out[r] = *scale++ & 0x7f;
			regroup(codes, NV_BLOCK, out + RUNS + r * NV_BLOCK / 2);
		}
	return true;
}

static const struct packed_repack mx_repack[] = { { .to = "mxfp4", .fn = to_mxfp4, .stays = true }, { .to = NULL } };
static const struct packed_repack nv_repack[] = { { .to = "nvfp4", .fn = to_nvfp4, .stays = true }, { .to = NULL } };

/* ---- fitting ---- */

static void fill(struct packed_module *m, const char *name, int group, const char *scale)
{
	struct packed *k = &m->kind;

	k->enc = (struct heft_encoding){ .name = name, .about = "4-bit floats with scales", .block = (uint32_t)group, .class = QUANT_BLOCK,
					 .n_planes = 2 };
	k->enc.plane[CODES] = (struct quant_plane){ "codes", 1, 2, 1 };
	k->enc.plane[SCALES] = (struct quant_plane){ "scales", 1, (uint32_t)group, 1 };
	k->enc.plane[FACTOR] = k->enc.plane[INPUT] = (struct quant_plane){ "factor", PACKED_ALL, PACKED_ALL, 4 };
	k->decode = decode;
	k->scales = quant_decoder(quant_find(scale));
	k->group = (uint32_t)group;
}

static bool doubled(struct packed_module *m, const struct heft_tensor *codes)
{
	m->rank = codes->rank;
	memcpy(m->dim, codes->dim, sizeof m->dim);
	return m->rank >= 2 && !__builtin_mul_overflow(m->dim[m->rank - 1], (uint64_t)2, &m->dim[m->rank - 1]);
}

static int refuse(struct packed_module *m, const struct heft_tensor *a, const struct heft_tensor *b, struct heft_err *err)
{
	return heft_fail(err, HEFT_E_SHAPE, "'%s', %s, and '%s', %s, do not go together", a->name, packed_dims(a, m->arena), b->name,
			 packed_dims(b, m->arena));
}

/* Scales of one shape with the codes but for the last dimension, which has one for each group. */
static bool scales_fit(const struct packed_module *m, const struct heft_tensor *s, uint64_t group)
{
	if (s->rank != m->rank || m->dim[m->rank - 1] % group || s->dim[s->rank - 1] != m->dim[m->rank - 1] / group)
		return false;
	return !memcmp(s->dim, m->dim, (size_t)(m->rank - 1) * sizeof *s->dim);
}

static int fit_mx(struct packed_module *m, const struct heft_tensor *codes, const struct heft_tensor *scales, struct heft_err *err)
{
	if (!doubled(m, codes) || !scales_fit(m, scales, MX_BLOCK))
		return refuse(m, scales, codes, err);
	fill(m, "mxfp4 pairs", MX_BLOCK, "f8_e8m0");
	m->kind.repack = mx_repack;
	return 0;
}

/* A part of one float for each matrix; 1 where there is none. */
static int is_factor(const struct packed_module *m, const struct heft_tensor *t)
{
	return packed_is(t, "f32") && heft_tensor_count(t) == packed_shape(m->rank, m->dim).matrices;
}

static int fit_nv(struct packed_module *m, const struct heft_tensor *codes, const struct heft_tensor *scales, const struct heft_tensor *factor,
		  const struct heft_tensor *input, enum factor how, struct heft_err *err)
{
	struct packed *k = &m->kind;

	if (!doubled(m, codes) || !scales_fit(m, scales, NV_BLOCK))
		return refuse(m, scales, codes, err);
	fill(m, how == DIVIDES ? "nvfp4 pairs, divisor" : "nvfp4 pairs, factor", NV_BLOCK, "f8_e4m3");
	if (!factor)
		return heft_fail(err, HEFT_E_TENSOR_MISSING, "'%s' is there without '%s.%s', the factor of all its scales", codes->name, m->name,
				 how == DIVIDES ? "weight_global_scale" : "weight_scale_2");
	if (!is_factor(m, factor))
		return refuse(m, factor, codes, err);
	if (input && !is_factor(m, input))
		return refuse(m, input, codes, err);
	k->enc.n_planes = input ? 4 : 3;
	k->param[0] = how;
	if (m->dim[m->rank - 1] % NV_SUPER == 0)
		k->repack = nv_repack;
	return 0;
}

static int no_match(struct packed_module *m, const struct heft_tensor *a, const struct heft_tensor *b, struct heft_err *err)
{
	refuse(m, a, b, err);
	return 1;
}

static int fit_gpt_oss(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *b = m->part[0], *s = m->part[1];

	if (!packed_is(b, "u8") || !packed_is(s, "u8 f8_e8m0") || b->rank < 3 || b->dim[b->rank - 1] != MX_BLOCK / 2)
		return refuse(m, b, s, err);
	m->rank = b->rank - 1;
	memcpy(m->dim, b->dim, sizeof m->dim);
	if (s->rank != m->rank || memcmp(s->dim, b->dim, (size_t)m->rank * sizeof *s->dim) ||
	    __builtin_mul_overflow(m->dim[m->rank - 1], (uint64_t)MX_BLOCK, &m->dim[m->rank - 1]))
		return refuse(m, b, s, err);
	fill(m, "mxfp4 pairs", MX_BLOCK, "f8_e8m0");
	m->kind.repack = mx_repack;
	m->kind.turns = true;
	return 0;
}

static int fit_v4(struct packed_module *m, struct heft_err *err)
{
	if (!packed_is(m->part[0], "f8_e8m0") || !packed_is(m->part[1], "i8"))
		return 1;
	return fit_mx(m, m->part[1], m->part[0], err);
}

static int fit_ct(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *codes = m->part[0], *scales = m->part[1];

	if (packed_is(codes, "u8") && packed_is(scales, "u8 f8_e8m0"))
		return fit_mx(m, codes, scales, err);
	if (packed_is(codes, "u8") && packed_is(scales, "f8_e4m3"))
		return fit_nv(m, codes, scales, m->part[2], m->part[3], DIVIDES, err);
	return no_match(m, scales, codes, err);
}

static int fit_modelopt(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *scales = m->part[0], *codes = m->part[1];

	if (packed_is(codes, "u8") && packed_is(scales, "u8 f8_e8m0"))
		return fit_mx(m, codes, scales, err);
	if (packed_is(codes, "u8") && packed_is(scales, "f8_e4m3"))
		return fit_nv(m, codes, scales, m->part[2], m->part[3], MULTIPLIES, err);
	return no_match(m, scales, codes, err);
}

const struct packed_layout packed_mxfp4_blocks = {
	.name = "mxfp4_blocks",
	.weight = "",
	.part = { { "_blocks", CODES, PACKED_OWN }, { "_scales", SCALES, 0 } },
	.fit = fit_gpt_oss,
};

const struct packed_layout packed_mxfp4_original = {
	.name = "mxfp4_original",
	.weight = "",
	.part = { { ".blocks", CODES, 0 }, { ".scales", SCALES, 0 } },
	.fit = fit_gpt_oss,
};

const struct packed_layout packed_fp4_v4 = {
	.name = "fp4_v4",
	.weight = ".weight",
	.part = { { ".scale", SCALES, 0 }, { ".weight", CODES, 0 } },
	.fit = fit_v4,
};

const struct packed_layout packed_fp4_ct = {
	.name = "fp4_ct",
	.weight = ".weight",
	.part = { { ".weight_packed", CODES, PACKED_OWN }, { ".weight_scale", SCALES, 0 }, { ".weight_global_scale", FACTOR, PACKED_OPTIONAL },
		  { ".input_global_scale", INPUT, PACKED_OPTIONAL } },
	.fit = fit_ct,
};

const struct packed_layout packed_fp4_modelopt = {
	.name = "fp4_modelopt",
	.weight = ".weight",
	.part = { { ".weight_scale", SCALES, PACKED_OWN }, { ".weight", CODES, 0 }, { ".weight_scale_2", FACTOR, PACKED_OPTIONAL },
		  { ".input_scale", INPUT, PACKED_OPTIONAL } },
	.fit = fit_modelopt,
};
