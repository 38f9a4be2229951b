/*
 * gptq.c - GPTQ (AutoGPTQ's v1, GPTQModel's v2, AutoRound's two) and AWQ (GEMM and GEMV). I inputs, O outputs, G groups, b bits.
 *
 *            GPTQ, b 2 3 4 8                AWQ GEMM, b 4          AWQ GEMV, b 4
 *   qweight  I32 [I*b/32, O]                I32 [I, O/8]           I32 [O, I/8]
 *   qzeros   I32 [G, O*b/32]                I32 [G, O/8]           I32 [O, z]          z: words for G nibbles, or more
 *   scales   F16 [G, O]                     F16 [G, O]             F16 [O, 8*z]
 *   g_idx    I32 [I], or none
 *
 *   number[o, i] = (code - zero) * scale of group g_idx[i], or of group i / (I/G)
 *
 * Shapes tell all but one thing: GPTQ v1 and AutoRound's "auto_gptq" store zero points less one, GPTQ v2 and AutoRound's own do not; that
 * is asked of the configuration, v1 being the rule. A zero point that becomes 2^b stays that, as in llama.cpp's converter (GPTQModel adds
 * the ones a word at a time, so that it would carry into its neighbour). Where the numbers go into 16 bits, GPTQModel and AutoAWQ round
 * this product once, to the scales' type.
 *
 * GPTQ's words run down the columns: the file's matrices are read turned. Refuses other widths, groups that do not divide, an index of
 * groups that are not there, AWQ's GEMV_FAST.
 */
#include "groups.h"

#include <string.h>

enum { QWEIGHT, SCALES, QZEROS, G_IDX };
#define PARTS                                                                                                                               \
	{".qweight", GROUPS_CODES, PACKED_OWN}, {".scales", GROUPS_SCALES, 0}, {".qzeros", 2, PACKED_OWN}, {                                \
		".g_idx", 3, PACKED_OWN | PACKED_OPTIONAL                                                                                   \
	}

/* ---- what all have ---- */

static bool are_matrices(const struct packed_module *m)
{
	const struct heft_tensor *const *t = m->part;

	for (int i = QWEIGHT; i <= QZEROS; i++)
		if (t[i]->rank != 2 || !t[i]->dim[0] || !t[i]->dim[1] || t[i]->dim[0] > GROUPS_COLUMNS_MAX || t[i]->dim[1] > GROUPS_COLUMNS_MAX)
			return false;
	return packed_is(t[QWEIGHT], "i32 u32") && packed_is(t[QZEROS], "i32 u32") && packed_is(t[SCALES], "f16 bf16 f32");
}

static int no_match(const struct packed_module *m, struct heft_err *err)
{
	heft_fail(err, HEFT_E_SHAPE, "'%s': %s, scales %s and zero points %s are no layout of GPTQ or AWQ that heft reads", m->part[QWEIGHT]->name,
		  packed_dims(m->part[QWEIGHT], m->arena), packed_dims(m->part[SCALES], m->arena), packed_dims(m->part[QZEROS], m->arena));
	return 1;
}

static const struct json *group_size(const struct packed_module *m)
{
	const struct json *own = json_get(json_get(m->config->root, "extra_config"), m->name); /* AutoRound's exceptions */
	const struct json *g = json_get(own, "group_size");

	g = g ? g : json_get(m->config->root, "group_size");
	return g ? g : json_get(m->config->root, "q_group_size");
}

static void set_shape(struct packed_module *m, uint64_t rows, uint64_t cols)
{
	m->rank = 2;
	m->dim[0] = rows;
	m->dim[1] = cols;
}

/* ---- GPTQ ---- */

static bool has(const struct json *j, const char *word)
{
	const char *s = json_cstr(j);

	return s && strstr(s, word);
}

/* Does the checkpoint store its zero points as they are? */
static bool zeros_are_true(const struct packed_config *c)
{
	if (strstr(c->method, "auto-round"))
		return !has(json_get(c->root, "packing_format"), "gptq") && !has(json_get(c->root, "backend"), "gptq");
	return has(json_get(c->root, "checkpoint_format"), "gptq_v2");
}

/* What of a plane holds the zero points, or codes, of how many. */
struct unit {
	uint32_t numbers, bytes;
};
static struct unit unit_of(unsigned bits)
{
	return bits == 3 ? (struct unit){32, 12} : (struct unit){32 / bits, 4};
}

/* Planes of scales and zero points: by group, or a whole row where an index picks from it. */
static void place_groups(struct packed_module *m, uint64_t group, uint64_t count, bool plain)
{
	struct packed *k = &m->kind;
	uint32_t scale = m->part[SCALES]->enc->plane[0].bytes, cols = plain ? (uint32_t)group : PACKED_ALL, n = plain ? 1 : (uint32_t)count;
	struct unit u = unit_of(k->bits);

	k->enc.plane[GROUPS_SCALES] = (struct quant_plane){"scales", 1, cols, scale * n};
	k->enc.plane[2] = (struct quant_plane){"zeros", u.numbers, cols, u.bytes * n};
	k->enc.plane[3] = (struct quant_plane){"groups", PACKED_ALL, PACKED_ALL, (uint32_t)m->dim[1] * 4};
	k->enc.n_planes = plain ? 3 : 4;
	k->param[GROUPS_ZERO] = !zeros_are_true(m->config);
	k->param[GROUPS_COUNT] = plain ? 1 : (uint32_t)count;
	k->param[GROUPS_ZEROS_AT] = 2;
	k->param[GROUPS_INDEX_AT] = plain ? 0 : 3;
}

static int turn_parts(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *const *t = m->part;
	struct unit u = unit_of(m->kind.bits);

	return packed_turn(m, QWEIGHT, t[QWEIGHT]->dim[0], t[QWEIGHT]->dim[1], 4, err) ||
	       packed_turn(m, QZEROS, t[QZEROS]->dim[0], t[QZEROS]->dim[1] * 4 / u.bytes, u.bytes, err) ||
	       packed_turn(m, SCALES, t[SCALES]->dim[0], t[SCALES]->dim[1], t[SCALES]->enc->plane[0].bytes, err) ? -1 : 0;
}

static int fit_gptq(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *const *t = m->part;
	struct packed *k = &m->kind;
	uint64_t count, outputs, inputs, group;
	bool plain = true, symmetric = false;
	struct unit u;

	if (!are_matrices(m) || t[QWEIGHT]->dim[1] != t[SCALES]->dim[1] || t[QZEROS]->dim[0] != t[SCALES]->dim[0])
		return no_match(m, err);
	count = t[SCALES]->dim[0];
	outputs = t[SCALES]->dim[1];
	k->bits = (uint32_t)(t[QZEROS]->dim[1] * 32 / outputs);
	if ((k->bits != 2 && k->bits != 3 && k->bits != 4 && k->bits != 8) || t[QZEROS]->dim[1] * 32 != outputs * k->bits)
		return no_match(m, err);
	u = unit_of(k->bits);
	inputs = t[QWEIGHT]->dim[0] * 4 / u.bytes * u.numbers;
	if (outputs % u.numbers || t[QWEIGHT]->dim[0] * 4 % u.bytes || inputs > GROUPS_COLUMNS_MAX)
		return no_match(m, err);
	set_shape(m, outputs, inputs);
	group = groups_size(group_size(m), inputs, count);
	if (t[G_IDX] && groups_index(m, G_IDX, inputs, group, count, &plain, err))
		return -1;
	if (plain ? !group : count > GROUPS_INDEXED_MAX)
		return heft_fail(err, HEFT_E_SHAPE, "'%s': %llu groups do not fit %llu columns", t[SCALES]->name, (unsigned long long)count,
				 (unsigned long long)inputs);
	k->enc.plane[GROUPS_CODES] = (struct quant_plane){"codes", 1, u.numbers, u.bytes};
	place_groups(m, group, count, plain);
	k->decode = groups_decode_stream;
	k->scales = quant_decoder(t[SCALES]->enc);
	groups_name(m, arena_printf(m->arena, "gptq%u", k->bits), group ? group : 1);
	json_bool(json_get(m->config->root, "sym"), &symmetric);
	k->repack = groups_repack(m, symmetric);
	return turn_parts(m, err);
}

const struct packed_layout packed_gptq = {
	.name = "gptq",
	.weight = ".weight",
	.part = {PARTS},
	.fit = fit_gptq,
};

/* ---- AWQ ---- */

static int fit_gemm(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *const *t = m->part;
	struct packed *k = &m->kind;
	uint64_t count, inputs, group;

	if (!are_matrices(m) || t[QWEIGHT]->dim[1] * 8 != t[SCALES]->dim[1] || t[QZEROS]->dim[1] != t[QWEIGHT]->dim[1] ||
	    t[QZEROS]->dim[0] != t[SCALES]->dim[0] || t[QWEIGHT]->dim[0] == t[SCALES]->dim[0]) /* no groups of one: that is GEMV */
		return no_match(m, err);
	count = t[SCALES]->dim[0];
	inputs = t[QWEIGHT]->dim[0];
	group = groups_size(group_size(m), inputs, count);
	if (!group)
		return heft_fail(err, HEFT_E_SHAPE, "'%s': %llu groups do not fit %llu columns", t[SCALES]->name, (unsigned long long)count,
				 (unsigned long long)inputs);
	set_shape(m, t[SCALES]->dim[1], inputs);
	k->bits = 4;
	k->enc.plane[GROUPS_CODES] = (struct quant_plane){"codes", 8, 1, 4};
	k->enc.plane[GROUPS_SCALES] = (struct quant_plane){"scales", 1, (uint32_t)group, t[SCALES]->enc->plane[0].bytes};
	k->enc.plane[2] = (struct quant_plane){"zeros", 8, (uint32_t)group, 4};
	k->enc.n_planes = 3;
	k->param[GROUPS_ZEROS_AT] = 2;
	k->decode = groups_decode_awq;
	k->scales = quant_decoder(t[SCALES]->enc);
	groups_name(m, "awq4", group);
	return turn_parts(m, err);
}

static int fit_gemv(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *const *t = m->part;
	struct packed *k = &m->kind;
	uint64_t rows = t[QWEIGHT]->dim[0], words = t[QZEROS]->dim[1], inputs = t[QWEIGHT]->dim[1] * 8, group;

	if (!are_matrices(m) || t[SCALES]->dim[0] != rows || t[QZEROS]->dim[0] != rows || t[SCALES]->dim[1] != words * 8)
		return no_match(m, err);
	if (!json_uint(group_size(m), &group) || !group || (inputs + group - 1) / group > words * 8)
		return heft_fail(err, HEFT_E_CONFIG, "'%s': AWQ's GEMV layout needs the group_size of the configuration, and %llu scales for each row",
				 t[SCALES]->name, (unsigned long long)words * 8);
	set_shape(m, rows, inputs);
	k->bits = 4;
	k->enc.plane[GROUPS_CODES] = (struct quant_plane){"codes", 1, 8, 4};
	k->enc.plane[GROUPS_SCALES] = (struct quant_plane){"scales", 1, PACKED_ALL, (uint32_t)words * 8 * t[SCALES]->enc->plane[0].bytes};
	k->enc.plane[2] = (struct quant_plane){"zeros", 1, PACKED_ALL, (uint32_t)words * 4};
	k->enc.n_planes = 3;
	k->param[GROUPS_ZEROS_AT] = 2;
	k->param[GROUPS_COUNT] = (uint32_t)words * 8;
	k->decode = groups_decode_gemv;
	k->scales = quant_decoder(t[SCALES]->enc);
	groups_name(m, "awq4 gemv", group);
	return 0;
}

const struct packed_layout packed_awq = {
	.name = "awq",
	.weight = ".weight",
	.part = {PARTS},
	.fit = fit_gemm,
};

const struct packed_layout packed_awq_gemv = {
	.name = "awq_gemv",
	.weight = ".weight",
	.part = {PARTS},
	.fit = fit_gemv,
};
