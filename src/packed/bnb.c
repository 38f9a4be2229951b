/*
 * bnb.c - bitsandbytes: NF4 and FP4, whose scales may be quantized in turn, and INT8.
 *
 *   M.weight                                U8 [O*I/2, 1]   two codes to a byte, the first in the high nibble; blocks of B run through rows
 *   M.weight.absmax                         F32 [n], n = ceil(O*I/B); U8 where quantized
 *   M.weight.nested_absmax                  F32 [ceil(n/N)]            \  scale = map[absmax] * nested_absmax[/N] + nested_offset
 *   M.weight.nested_quant_map               F32 [256]                  /
 *   M.weight.quant_map                      F32 [16]        the table, which is always the same one
 *   M.weight.quant_state.bitsandbytes__nf4  U8, JSON        {"quant_type": "nf4", "blocksize": B, "dtype": "bfloat16", "shape": [O, I],
 *                                                           "nested_blocksize": N, "nested_dtype": "float32", "nested_offset": 0.05}
 *   number = table[code] * scale
 *
 *   M.weight   I8 [O, I]       number = code * SCB[row] * (1/127)
 *   M.SCB      F32 [O]
 *
 * Where the numbers go into 16 bits, bitsandbytes rounds once. Refuses states that do not fit the tensors, weights of an odd number of
 * columns, INT8 in another order than by rows.
 */
#include "../../quant/integer.h"
#include "../packed.h"

#include <string.h>

enum { CODES, ABSMAX, NESTED, MAP, STATE };
enum { STATE_MAX = 4096, BLOCK_MAX = 1 << 20, COLUMNS_MAX = 1 << 24, STRIP = 64 * 1024, MAP_SIZE = 256 };
enum { NESTED_BLOCK }; /* of kind.param; 0: not nested */

struct state {
	uint64_t block, nested_block, dim[HEFT_MAX_RANK];
	int rank;
	float offset;
};

/* ---- the state's JSON ---- */

static int bad_state(const char *name, struct heft_err *err)
{
	return heft_fail(err, HEFT_E_JSON, "'%s': is no state of bitsandbytes: blocksize, shape, and what nested scales need", name);
}

static bool read_shape(const struct json *j, struct state *s)
{
	for (const struct json *d = json_first(j); d; d = json_next(d))
		if (s->rank == HEFT_MAX_RANK || !json_uint(d, &s->dim[s->rank++]))
			return false;
	return s->rank > 0;
}

static int read_state(const char *text, size_t n, const char *name, bool nested, struct state *s, struct heft_err *err)
{
	struct json_doc *doc = json_parse(text, n, name, false, err);
	const struct json *root = json_root(doc);
	double offset = 0;
	bool good;

	if (!doc)
		return -1;
	*s = (struct state){ 0 };
	good = json_uint(json_get(root, "blocksize"), &s->block) && s->block && s->block <= BLOCK_MAX && read_shape(json_get(root, "shape"), s);
	if (nested)
		good = good && json_uint(json_get(root, "nested_blocksize"), &s->nested_block) && s->nested_block && s->nested_block <= BLOCK_MAX &&
		       json_num(json_get(root, "nested_offset"), &offset);
	s->offset = (float)offset;
	json_free(doc);
	return good ? 0 : bad_state(name, err);
}

/* ---- reading ---- */

/* Where things lie in the scratch of a strip. */
struct strip {
	char state[STATE_MAX];
	float map[MAP_SIZE];
	float numbers[]; /* scales, then nested scales; then bytes */
};

static uint64_t units(uint64_t n, uint64_t each)
{
	return n / each + (n % each != 0);
}

/* Blocks that a strip of n numbers may touch. */
static uint64_t blocks_of(uint64_t n, uint64_t block)
{
	return n / block + 2;
}

static size_t scratch_size(uint64_t n, uint64_t block, uint64_t nested)
{
	uint64_t blocks = blocks_of(n, block);

	return sizeof(struct strip) + (size_t)((blocks + (nested ? blocks_of(blocks, nested) : 0)) * sizeof(float) + blocks + n / 2);
}

/* Scales of the blocks first .. first+n, of which at least one is there. */
static int read_scales(const struct heft_model *m, const struct heft_tensor *t, uint64_t first, uint64_t n, struct strip *s, float *scale,
		       float *outer, uint8_t *code, struct heft_err *err)
{
	uint64_t each = t->packed->param[NESTED_BLOCK], lo, hi;
	struct state state;

	if (!each)
		return packed_read_plane(m, t, ABSMAX, first * sizeof *scale, scale, n * sizeof *scale, err);
	lo = first / each;
	hi = (first + n - 1) / each + 1;
	if (packed_read_plane(m, t, ABSMAX, first, code, n, err) ||
	    packed_read_plane(m, t, NESTED, lo * sizeof *outer, outer, (hi - lo) * sizeof *outer, err) || packed_read_plane(m, t, MAP, 0, s->map, sizeof s->map, err) || packed_read_plane(m, t, STATE, 0, s->state, t->plane[STATE].size, err) ||
	    read_state(s->state, t->plane[STATE].size, t->name, true, &state, err))
		return -1;
	for (uint64_t i = 0; i < n; i++) {
		float product = s->map[code[i]] * outer[(first + i) / each - lo];

		scale[i] = product + state.offset;
	}
	return 0;
}

static int read_strip(const struct heft_model *m, const struct heft_tensor *t, uint64_t row, uint64_t n, float *dst, void *scratch,
		      struct heft_err *err)
{
	uint64_t cols = t->dim[t->rank - 1], block = t->packed->group, from = row * cols, count = n * cols;
	uint64_t first = from / block, last = (from + count - 1) / block, blocks = last - first + 1;
	struct strip *s = scratch;
	float *scale = s->numbers, *outer = scale + blocks;
	uint8_t *code = (uint8_t *)(outer + (t->packed->param[NESTED_BLOCK] ? blocks_of(blocks, t->packed->param[NESTED_BLOCK]) : 0)), *byte = code + blocks;

	if (read_scales(m, t, first, blocks, s, scale, outer, code, err) || packed_read_plane(m, t, CODES, from / 2, byte, count / 2, err))
		return -1;
	integer_values_table(byte, (size_t)count, t->packed->bits ? integer_nf4 : integer_fp4, scale, from - first * block, (size_t)block, dst);
	return 0;
}

/* ---- fitting ---- */

static struct quant_plane whole(const char *name, const struct heft_tensor *t)
{
	return (struct quant_plane){name, PACKED_ALL, PACKED_ALL, t ? (uint32_t)t->plane[0].size : 0};
}

/* Bytes, as they were stored, whatever type they were given. */
static bool has_bytes(const struct heft_tensor *t, uint64_t bytes)
{
	return t && t->plane[0].size == bytes && bytes <= UINT32_MAX;
}

static bool parts_fit(const struct packed_module *m, const struct state *s, uint64_t count)
{
	const struct heft_tensor *const *t = m->part; /* state, weight, absmax, nested, map */
	uint64_t blocks = units(count, s->block), cols = s->dim[s->rank - 1];

	if (cols % 2 || cols > COLUMNS_MAX || !has_bytes(t[1], count / 2))
		return false;
	if (!t[3])
		return packed_is(t[2], "f32") && has_bytes(t[2], blocks * sizeof(float));
	return packed_is(t[2], "u8") && has_bytes(t[2], blocks) && packed_is(t[3], "f32") &&
	       has_bytes(t[3], units(blocks, s->nested_block) * sizeof(float)) && t[4] && packed_is(t[4], "f32") && has_bytes(t[4], MAP_SIZE * sizeof(float));
}

static bool count_of(const struct state *s, uint64_t *count)
{
	*count = 1;
	for (int i = 0; i < s->rank; i++)
		if (!s->dim[i] || __builtin_mul_overflow(*count, s->dim[i], count))
			return false;
	return true;
}

static int fit_4bit(struct packed_module *m, bool nf4, struct heft_err *err)
{
	const struct heft_tensor *const *t = m->part;
	struct packed *k = &m->kind;
	char text[STATE_MAX];
	struct state s;
	uint64_t count, cols;

	if (!t[0]->plane[0].size || t[0]->plane[0].size > sizeof text)
		return bad_state(t[0]->name, err);
	if (packed_bytes(m, t[0], text, err) || read_state(text, (size_t)t[0]->plane[0].size, t[0]->name, t[3] != NULL, &s, err))
		return -1;
	if (!count_of(&s, &count) || !parts_fit(m, &s, count))
		return heft_fail(err, HEFT_E_SHAPE, "'%s': %s, and its scales %s, are not what '%s' says", t[1]->name, packed_dims(t[1], m->arena),
				 packed_dims(t[2], m->arena), t[0]->name);
	m->rank = s.rank;
	memcpy(m->dim, s.dim, sizeof m->dim);
	cols = s.dim[s.rank - 1];
	k->enc = (struct heft_encoding){.about = "codes of a table with scales", .block = 1, .class = QUANT_BLOCK, .n_planes = t[3] ? 5 : 2};
	k->enc.name = arena_printf(m->arena, "bnb %s g%u%s", nf4 ? "nf4" : "fp4", (unsigned)s.block, t[3] ? " nested" : "");
	k->enc.plane[CODES] = whole("codes", t[1]);
	k->enc.plane[ABSMAX] = whole("scales", t[2]);
	k->enc.plane[NESTED] = whole("scales of scales", t[3]);
	k->enc.plane[MAP] = whole("table", t[4]);
	k->enc.plane[STATE] = whole("state", t[0]);
	k->strip = read_strip;
	k->strip_rows = cols < STRIP ? (uint32_t)(STRIP / cols) : 1;
	k->bits = nf4;
	k->group = (uint32_t)s.block;
	k->param[NESTED_BLOCK] = (uint32_t)s.nested_block;
	k->scratch = scratch_size(k->strip_rows * cols, s.block, s.nested_block);
	return 0;
}

static int fit_nf4(struct packed_module *m, struct heft_err *err)
{
	return fit_4bit(m, true, err);
}

static int fit_fp4(struct packed_module *m, struct heft_err *err)
{
	return fit_4bit(m, false, err);
}

#define PARTS(type)                                                                                                                         \
	{                                                                                                                                   \
		{".weight.quant_state.bitsandbytes__" type, STATE, PACKED_OWN}, {".weight", CODES, 0}, {".weight.absmax", ABSMAX, PACKED_OWN}, \
			{".weight.nested_absmax", NESTED, PACKED_OWN | PACKED_OPTIONAL},                                                    \
			{".weight.nested_quant_map", MAP, PACKED_OWN | PACKED_OPTIONAL}, {                                                  \
			".weight.quant_map", 0, PACKED_OWN | PACKED_UNUSED | PACKED_OPTIONAL                                                \
		}                                                                                                                           \
	}

const struct packed_layout packed_bnb_nf4 = {
	.name = "bnb_nf4",
	.weight = ".weight",
	.part = PARTS("nf4"),
	.fit = fit_nf4,
};

const struct packed_layout packed_bnb_fp4 = {
	.name = "bnb_fp4",
	.weight = ".weight",
	.part = PARTS("fp4"),
	.fit = fit_fp4,
};

/* ---- INT8 ---- */

static void decode_int8(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, float *dst, size_t n)
{
	const int8_t *code = plane[CODES];
	float scale;

	memcpy(&scale, plane[ABSMAX], sizeof scale);
	for (size_t i = 0; i < n; i++) {
		float product = (float)code[i] * scale;

		dst[i] = product * 7.874015718698502e-3f;
	}
}

static int fit_int8(struct packed_module *m, struct heft_err *err)
{
	const struct heft_tensor *scale = m->part[0], *codes = m->part[1], *order = m->part[2];
	struct packed *k = &m->kind;
	float by_rows = 0;

	if (!packed_is(codes, "i8") || !packed_is(scale, "f32") || codes->rank != 2 || heft_tensor_count(scale) != codes->dim[0])
		return heft_fail(err, HEFT_E_SHAPE, "'%s', %s, does not fit '%s', %s", scale->name, packed_dims(scale, m->arena), codes->name,
				 packed_dims(codes, m->arena));
	if (order && packed_small(m, order, &by_rows, 1, err))
		return -1;
	if (order && by_rows != 0)
		return heft_fail(err, HEFT_E_DTYPE, "'%s' is %g: only 0, codes by rows, can be read", order->name, (double)by_rows);
	m->rank = 2;
	memcpy(m->dim, codes->dim, sizeof m->dim);
	k->enc = (struct heft_encoding){.name = "bnb int8", .about = "8-bit codes with a scale per row", .block = 1, .class = QUANT_BLOCK, .n_planes = 2};
	k->enc.plane[CODES] = (struct quant_plane){"codes", 1, 1, 1};
	k->enc.plane[ABSMAX] = (struct quant_plane){"scales", 1, PACKED_ALL, 4};
	k->decode = decode_int8;
	return 0;
}

const struct packed_layout packed_bnb_int8 = {
	.name = "bnb_int8",
	.weight = ".weight",
	.part = {{".SCB", ABSMAX, PACKED_OWN}, {".weight", CODES, 0}, {".weight_format", 0, PACKED_OWN | PACKED_UNUSED | PACKED_OPTIONAL}},
	.fit = fit_int8,
};
