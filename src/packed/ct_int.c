/*
 * ct_int.c - compressed-tensors' integers: pack-quantized (W4A16 as Kimi-K2 has it, W8A16 ...), int-quantized and naive-quantized.
 * b bits, G groups of a row of I.
 *
 *   M.weight_packed      I32 [..., O, ceil(I*b/32)]   codes as a dense stream; before 0.18, for 3 5 6 7 bits: 32/b in a word
 *   M.weight_scale       BF16 F16 F32 [..., O, G]     G 1: one per row; or one number for all
 *   M.weight_zero_point  I32 [..., ceil(O*b/32), G]   codes along the column; none: 2^(b-1)
 *   M.weight_g_idx       I32 [I]                      group of each column, of act-order
 *   M.weight_shape       I64 [rank]                   asked where widths leave it open
 *
 *   M.weight             I8 [..., O, I]               with weight_scale, and weight_zero_point I8 of its shape
 *
 *   number = (code - zero) * scale
 *
 * The bits are the configuration's num_bits, the columns of a group its group_size. Where the numbers go into 16 bits, compressed-tensors
 * rounds this product once, to the scales' type. Refuses zero points of 3, 5, 6 and 7 bits, which nobody has seen.
 */
#include "groups.h"

#include <string.h>

#include "../../base/ceil.h"

enum { PACKED, SCALE, INDEX }; /* parts */

static const struct json *weights_of(const struct packed_module *m)
{
	return json_get(packed_config_group(m->config, m->name), "weights");
}

/* ---- how many columns ---- */

static bool dense(uint64_t cols, unsigned bits, uint64_t words)
{
	return ceil_of(cols * bits, 32) == words;
}

static bool fits_words(uint64_t cols, unsigned bits, uint64_t words)
{
	return cols && cols <= GROUPS_COLUMNS_MAX && (dense(cols, bits, words) || ceil_of(cols, 32 / bits) == words);
}

static uint64_t columns_said(const struct packed_module *m, const struct heft_tensor *shape, struct heft_err *err)
{
	float dim[HEFT_MAX_RANK];
	uint64_t n = shape ? heft_tensor_count(shape) : 0;

	if (!n || n > HEFT_MAX_RANK || packed_small(m, shape, dim, HEFT_MAX_RANK, err))
		return 0;
	return dim[n - 1] >= 1 && dim[n - 1] <= GROUPS_COLUMNS_MAX ? (uint64_t)dim[n - 1] : 0;
}

/* By groups and their size; else as weight_shape says; else as many as the words hold. 0: none of it fits. */
static uint64_t columns_of(const struct packed_module *m, const struct heft_tensor *shape, uint64_t words, uint64_t groups, struct heft_err *err)
{
	uint64_t size, n;

	if (groups > 1 && json_uint(json_get(weights_of(m), "group_size"), &size) && size <= GROUPS_COLUMNS_MAX &&
	    fits_words(groups * size, m->kind.bits, words))
		return groups * size;
	n = shape ? columns_said(m, shape, err) : words * 32 / m->kind.bits;
	return fits_words(n, m->kind.bits, words) ? n : 0;
}

/* ---- planes ---- */

/* Scales of [O, G], [O, 1], [O] or one; false: of none of these. *groups of a row; 0: one scale for all. */
static bool scale_groups(const struct packed_module *m, const struct heft_tensor *s, uint64_t *groups)
{
	struct packed_shape w = packed_shape(m->rank, m->dim), have = packed_shape(s->rank, s->dim);

	*groups = 0;
	if (heft_tensor_count(s) == 1 && w.matrices == 1 && w.rows > 1)
		return true;
	*groups = s->rank == m->rank ? have.cols : 1;
	if (s->rank == m->rank)
		return have.rows == w.rows && have.matrices == w.matrices && have.cols && have.cols <= GROUPS_COLUMNS_MAX;
	return s->rank == m->rank - 1 && heft_tensor_count(s) == w.rows * w.matrices;
}

/* Columns and rows of the unit of scales, and of zero points, which have `rows` rows in one. */
static struct quant_plane unit(const char *name, const struct packed_module *m, uint64_t groups, uint32_t rows, uint32_t bytes)
{
	const struct packed *k = &m->kind;

	if (!groups)
		return (struct quant_plane){name, PACKED_ALL, PACKED_ALL, bytes};
	if (k->param[GROUPS_INDEX_AT])
		return (struct quant_plane){name, rows, PACKED_ALL, bytes * (uint32_t)groups};
	return (struct quant_plane){name, rows, groups == 1 ? PACKED_ALL : k->group, bytes};
}

static int wrong(const struct packed_module *m, const struct heft_tensor *a, const struct heft_tensor *b, struct heft_err *err)
{
	return heft_fail(err, HEFT_E_SHAPE, "'%s', %s, does not fit '%s', %s", a->name, packed_dims(a, m->arena), b->name,
			 packed_dims(b, m->arena));
}

/* Planes behind the codes; kind.bits, rank and dim stand. A unit of `zeros` has zero_bytes for zero_rows rows. */
static int place(struct packed_module *m, const struct heft_tensor *codes, const struct heft_tensor *scale, const struct heft_tensor *index,
		 const struct heft_tensor *zeros, uint32_t zero_rows, uint32_t zero_bytes, struct heft_err *err)
{
	struct packed *k = &m->kind;
	uint64_t groups, group, cols = m->dim[m->rank - 1];
	bool plain = true;

	if (!scale_groups(m, scale, &groups))
		return wrong(m, scale, codes, err);
	group = groups > 1 ? groups_size(json_get(weights_of(m), "group_size"), cols, groups) : cols;
	if (index && groups_index(m, INDEX, cols, group, groups, &plain, err))
		return -1;
	plain = plain && !(index && zeros); /* an index that says nothing is a plane all the same, or the last one would have no neighbour */
	if (plain ? !group : groups > GROUPS_INDEXED_MAX)
		return wrong(m, scale, codes, err);
	k->scales = quant_decoder(scale->enc);
	k->param[GROUPS_COUNT] = plain ? 1 : (uint32_t)groups;
	k->param[GROUPS_INDEX_AT] = plain ? 0 : 2;
	k->param[GROUPS_ZEROS_AT] = zeros ? index ? 3 : 2 : 0;
	k->param[GROUPS_ZERO] = zeros ? 0 : 1u << (k->bits - 1);
	k->enc.n_planes = (uint8_t)(zeros ? k->param[GROUPS_ZEROS_AT] + 1 : plain ? 2 : 3);
	groups_name(m, arena_printf(m->arena, "int%u", k->bits), group ? group : 1);
	k->enc.plane[1] = unit("scales", m, groups, 1, scale->enc->plane[0].bytes);
	if (!plain)
		k->enc.plane[2] = (struct quant_plane){"groups", PACKED_ALL, PACKED_ALL, (uint32_t)cols * 4};
	if (zeros)
		k->enc.plane[k->param[GROUPS_ZEROS_AT]] = unit("zeros", m, groups, zero_rows, zero_bytes);
	k->repack = groups_repack(m, false);
	return 0;
}

/* ---- pack-quantized ---- */

static bool read_bits(struct packed_module *m)
{
	uint64_t bits;

	if (!json_uint(json_get(weights_of(m), "num_bits"), &bits) || bits < 1 || bits > 8)
		return false;
	m->kind.bits = (uint32_t)bits;
	return true;
}

static int fit_packed(struct packed_module *m, const struct heft_tensor *index, const struct heft_tensor *zeros, const struct heft_tensor *shape,
		      struct heft_err *err)
{
	const struct heft_tensor *codes = m->part[PACKED], *scale = m->part[SCALE];
	struct packed *k = &m->kind;
	uint64_t words, per_word;

	if (!packed_is(codes, "i32 u32") || !packed_is(scale, "f32 bf16 f16") || codes->rank < 2)
		return wrong(m, scale, codes, err), 1;
	if (!read_bits(m))
		return heft_fail(err, HEFT_E_CONFIG, "'%s': the configuration must say the bits of its codes: config_groups, weights, num_bits", codes->name);
	m->rank = codes->rank;
	memcpy(m->dim, codes->dim, sizeof m->dim);
	words = codes->dim[codes->rank - 1];
	m->dim[m->rank - 1] = columns_of(m, shape, words, scale->rank ? scale->dim[scale->rank - 1] : 0, err);
	if (!words || words > GROUPS_COLUMNS_MAX || !m->dim[m->rank - 1])
		return wrong(m, scale, codes, err);
	per_word = 32 / k->bits;
	k->decode = dense(m->dim[m->rank - 1], k->bits, words) ? groups_decode_stream : groups_decode_words;
	k->enc.plane[0] = (struct quant_plane){"codes", 1, (uint32_t)per_word, 4};
	if (32 % k->bits && k->decode == groups_decode_stream)
		k->enc.plane[0] = (struct quant_plane){"codes", 1, 32, 4 * k->bits};
	if (zeros && (32 % k->bits || !packed_is(zeros, "i32 u32")))
		return heft_fail(err, HEFT_E_DTYPE, "'%s': heft does not read %s as zero points of %u bits", zeros->name, packed_dims(zeros, m->arena), k->bits);
	return place(m, codes, scale, index, zeros, (uint32_t)per_word, 4, err);
}

static int fit(struct packed_module *m, struct heft_err *err)
{
	return fit_packed(m, NULL, m->part[2], m->part[3], err);
}

static int fit_ordered(struct packed_module *m, struct heft_err *err)
{
	return fit_packed(m, m->part[INDEX], m->part[3], m->part[4], err);
}

const struct packed_layout packed_ct_int_ordered = {
	.name = "ct_int_ordered",
	.weight = ".weight",
	.part = {{".weight_packed", GROUPS_CODES, PACKED_OWN},
		 {".weight_scale", GROUPS_SCALES, PACKED_OWN},
		 {".weight_g_idx", 2, PACKED_OWN},
		 {".weight_zero_point", 3, PACKED_OWN | PACKED_OPTIONAL},
		 {".weight_shape", 0, PACKED_UNUSED | PACKED_OPTIONAL}},
	.fit = fit_ordered,
};

const struct packed_layout packed_ct_int = {
	.name = "ct_int",
	.weight = ".weight",
	.part = {{".weight_packed", GROUPS_CODES, PACKED_OWN},
		 {".weight_scale", GROUPS_SCALES, PACKED_OWN},
		 {".weight_zero_point", 2, PACKED_OWN | PACKED_OPTIONAL},
		 {".weight_shape", 0, PACKED_UNUSED | PACKED_OPTIONAL}},
	.fit = fit,
};

/* ---- int-quantized ---- */

static int fit_int8(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *scale = m->part[0], *codes = m->part[1], *zeros = m->part[2];

	if (!packed_is(codes, "i8") || !packed_is(scale, "f32 bf16 f16") || codes->rank < 2)
		return wrong(m, scale, codes, err), 1;
	if (zeros && (!packed_is(zeros, "i8") || zeros->rank != scale->rank || memcmp(zeros->dim, scale->dim, sizeof zeros->dim)))
		return wrong(m, zeros, scale, err);
	m->rank = codes->rank;
	memcpy(m->dim, codes->dim, sizeof m->dim);
	m->kind.bits = 8;
	m->kind.decode = groups_decode_int8;
	m->kind.enc.plane[0] = (struct quant_plane){"codes", 1, 1, 1};
	return place(m, codes, scale, NULL, zeros, 1, 1, err);
}

const struct packed_layout packed_ct_int8 = {
	.name = "ct_int8",
	.weight = ".weight",
	.part = {{".weight_scale", GROUPS_SCALES, PACKED_OWN},
		 {".weight", GROUPS_CODES, 0},
		 {".weight_zero_point", 2, PACKED_OWN | PACKED_OPTIONAL}},
	.fit = fit_int8,
};
