/*
 * coreml_values.c - constants as tensors: which bytes they are made of, and their numbers.
 *
 *   const                             val
 *   constexpr_affine_dequantize       scale * (quantized_data - zero_point), one of each or one per index of an axis
 *   constexpr_blockwise_shift_scale   scale * (data - offset), scale and offset of the same rank; their dimensions divide the data's
 *   constexpr_lut_to_dense            lut[indices]; iOS 16: one table, packed indices and a shape; iOS 18: tables [.., 2^n, 1] for parts
 *                                     whose dimensions divide
 *
 *     data [4, 6], scale [2, 3]:    a a b b c c        the scale of [i, j] is [i / (4/2), j / (6/3)]
 *                                   a a b b c c
 *                                   d d e e f f
 *                                   d d e e f f
 *
 * The numbers are rounded to the output's type, once. Other operations (sparse constants, vectors in tables, one constant made of another)
 * are kept, but not read. Refuses operands whose shapes do not go together.
 */
#include "coreml.h"

#include "../../quant/quant.h"
#include "../model.h"

#include <stdlib.h>
#include <string.h>

enum { STRIP = 1 << 18 }; /* numbers decoded at a time, about */

static uint64_t low_bits(const uint8_t *p, uint64_t bit, uint32_t bits)
{
	uint32_t word = p[bit / 8];

	if (bit % 8 + bits > 8)
		word |= (uint32_t)p[bit / 8 + 1] << 8;
	return word >> bit % 8 & ((1u << bits) - 1);
}

/* n numbers of a type, the first at a bit of p. */
static void unpack(const struct coreml_dtype_info *d, const uint8_t *p, uint64_t bit, float *dst, uint64_t n)
{
	const void *plane[1] = { p + bit / 8 };

	if (d->encoding) {
		quant_decoder(quant_find(d->encoding))(plane, dst, (size_t)n);
		return;
	}
	for (uint64_t i = 0; i < n; i++) {
		uint64_t code = low_bits(p, bit + i * d->bits, d->bits);

		dst[i] = d->dtype == COREML_I4 && code > 7 ? (float)code - 16 : (float)code;
	}
}

static int read_numbers(const struct heft_model *m, const struct heft_tensor *t, int plane, const struct coreml_dtype_info *d, uint64_t first,
			uint64_t n, float *dst, struct heft_err *err)
{
	uint64_t from = first * d->bits / 8, to = ((first + n) * d->bits + 7) / 8;
	uint8_t *bytes = xmalloc((size_t)(to - from + 1));
	int rc = packed_read_plane(m, t, plane, from, bytes, (size_t)(to - from), err);

	if (!rc)
		unpack(d, bytes, first * d->bits - from * 8, dst, n);
	free(bytes);
	return rc;
}

/* ---- operands ---- */

void coreml_parts(struct coreml_parts *p, const struct heft_tensor *t, const uint64_t *n)
{
	*p = (struct coreml_parts){ .count = 1, .run = { 1 }, .stride = { 1 } };
	for (int d = t->rank; d-- > 0;) {
		p->run[d] = t->dim[d] > n[d] ? t->dim[d] / n[d] : 1; /* they divide it, which was checked when it was opened */
		p->stride[d] = p->count;
		p->count *= n[d];
	}
}

uint64_t coreml_part(const struct coreml_parts *p, const struct heft_tensor *t, uint64_t row)
{
	uint64_t part = 0;

	for (int d = t->rank - 1; d-- > 0; row /= t->dim[d])
		part += row % t->dim[d] / p->run[d] * p->stride[d];
	return part;
}

struct slab { /* of an operand: the parts that a run of the tensor's elements needs */
	float *x;
	uint64_t each;  /* floats of one part: 1, or a table's */
	uint64_t first; /* part that x begins with */
	struct coreml_parts parts;
};

/* lo and hi: indices of the first dimension. */
static int read_slab(struct slab *s, const struct heft_model *m, const struct heft_tensor *t, const struct coreml_operand *o, uint64_t each,
		     uint64_t lo, uint64_t hi, struct heft_err *err)
{
	uint64_t n;

	coreml_parts(&s->parts, t, o->type.dim);
	s->each = each;
	s->first = lo / s->parts.run[0] * s->parts.stride[0];
	n = (hi / s->parts.run[0] + 1) * s->parts.stride[0] - s->first;
	s->x = xmalloc((size_t)(n * each) * sizeof *s->x);
	return read_numbers(m, t, o->plane, coreml_dtype(o->type.dtype), s->first * each, n * each, s->x, err);
}

static const float *part_of_row(const struct slab *s, const struct heft_tensor *t, uint64_t row)
{
	return s->x + (coreml_part(&s->parts, t, row) - s->first) * s->each;
}

struct pieces {
	struct slab scale, offset;
	bool has_offset;
};

/* What element i of dimension d adds to the number of its part. */
static uint64_t part_along(const struct slab *s, int d, uint64_t i)
{
	uint64_t run = s->parts.run[d];

	return run ? i / run * s->parts.stride[d] : 0;
}

static void scale_row(const struct coreml_const *k, const struct heft_tensor *t, const struct pieces *p, uint64_t row, float *x)
{
	const float *scale = part_of_row(&p->scale, t, row), *offset = p->has_offset ? part_of_row(&p->offset, t, row) : NULL;
	int last = t->rank - 1;

	for (uint64_t i = 0; i < t->dim[last]; i++) {
		if (k->kind == COREML_PALETTE) {
			x[i] = scale[part_along(&p->scale, last, i) * p->scale.each + (uint64_t)x[i]];
			continue;
		}
		if (offset)
			x[i] -= offset[part_along(&p->offset, last, i)];
		x[i] *= scale[part_along(&p->scale, last, i)];
	}
}

void coreml_round(const struct heft_encoding *e, float *x, uint64_t n)
{
	uint8_t bytes[1024];
	void *plane[1] = { bytes };
	const void *from[1] = { bytes };

	for (uint64_t i = 0, k; i < n; i += k) {
		k = n - i < 256 ? n - i : 256;
		quant_encoder(e)(x + i, plane, (size_t)k, NULL);
		quant_decoder(e)(from, x + i, (size_t)k);
	}
}

/* Scales and offsets, or tables, of whole rows. */
static int read_pieces(struct pieces *p, const struct heft_model *m, const struct heft_tensor *t, uint64_t row, uint64_t n, struct heft_err *err)
{
	const struct coreml_const *k = (const struct coreml_const *)(const void *)t->packed;
	const struct coreml_type *table = &k->scale.type;
	uint64_t each = k->kind == COREML_PALETTE ? table->dim[table->rank - 2] : 1, lo = 0, hi = t->dim[0] - 1, rows = 1;

	for (int d = 1; d < t->rank - 1; d++)
		rows *= t->dim[d];
	if (t->rank > 1) {
		lo = row / rows;
		hi = (row + n - 1) / rows;
	}
	p->has_offset = k->offset.plane >= 0;
	if (read_slab(&p->scale, m, t, &k->scale, each, lo, hi, err))
		return -1;
	return p->has_offset ? read_slab(&p->offset, m, t, &k->offset, 1, lo, hi, err) : 0;
}

static int strip(const struct heft_model *m, const struct heft_tensor *t, uint64_t row, uint64_t n, float *dst, void *scratch, struct heft_err *err)
{
	const struct coreml_const *k = (const struct coreml_const *)(const void *)t->packed;
	uint64_t cols = t->dim[t->rank - 1];
	struct pieces p = { 0 };
	int rc;

	if (read_numbers(m, t, 0, k->code, row * cols, n * cols, dst, err))
		return -1;
	if (k->kind == COREML_PLAIN)
		return 0;
	rc = read_pieces(&p, m, t, row, n, err);
	for (uint64_t i = 0; !rc && i < n; i++)
		scale_row(k, t, &p, row + i, dst + i * cols);
	if (!rc)
		coreml_round(k->out, dst, n * cols);
	free(p.scale.x);
	free(p.offset.x);
	return rc;
}

int coreml_read(const struct heft_model *m, const struct heft_tensor *t, uint64_t row, uint64_t rows, float *dst, struct packed_scratch *s,
		struct heft_err *err)
{
	static const uint32_t floats[] = { COREML_F16, COREML_F32, COREML_BF16 };
	uint64_t cols = t->dim[t->rank - 1];

	if (t->packed)
		return packed_read(m, t, row * cols, (size_t)(rows * cols), dst, s, err);
	for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
		if (!strcmp(coreml_dtype(floats[i])->encoding, t->enc->name))
			return read_numbers(m, t, 0, coreml_dtype(floats[i]), row * cols, rows * cols, dst, err);
	return heft_fail(err, HEFT_E_DTYPE, "tensor '%s' is no float", t->name);
}

/* ---- tensors ---- */

struct maker {
	struct heft_model *m;
	struct heft_tensor *t;
	struct coreml_const *k;
	const struct coreml_op *op;
	struct heft_err *err;
};

static int unfit(struct maker *x, const char *what)
{
	return heft_fail(x->err, HEFT_E_SHAPE, "%s: constant '%s' (%s): %s", x->m->file[0].path, x->op->output, x->op->type, what);
}

/* Where a value's bytes lie, as one more plane of the tensor. */
static int add_plane(struct maker *x, const struct coreml_value *v, const char *name)
{
	struct coreml_extent e = { v->at, v->end - v->at };
	const struct coreml_dtype_info *d = coreml_dtype(v->type.dtype);
	bool blob = v->place == COREML_BLOB;
	uint64_t count, bits;

	if (!d || !coreml_count(&v->type, &count) || __builtin_mul_overflow(count, d->bits, &bits))
		return unfit(x, "an operand has a type or shape that heft does not know");
	if (blob && x->m->n_files < 2)
		return unfit(x, "lies in weight.bin, which the package does not have");
	if (blob && coreml_blob_find(x->m->file[1].source, v, &e, x->err))
		return -1;
	if (!blob && v->place != COREML_BYTES && (v->place != COREML_NUMBERS || d->dtype != COREML_F32))
		return unfit(x, "an operand is not stored as numbers");
	if (e.size != bits / 8 + (bits % 8 != 0))
		return unfit(x, "an operand has not the bytes of its shape");
	x->k->packed.enc.plane[x->t->n_planes] = (struct quant_plane){ name, PACKED_ALL, PACKED_ALL, e.size < UINT32_MAX ? (uint32_t)e.size : UINT32_MAX };
	x->t->plane[x->t->n_planes++] = (struct heft_extent){ .file = blob, .offset = e.offset, .size = e.size };
	return 0;
}

static const struct coreml_value *value_of(const struct coreml_op *op, const char *name)
{
	const struct coreml_param *p = coreml_param(op, name);

	return p && !p->ref ? p->value : NULL;
}

/* An operand whose dimensions divide the data's; each part has `extra` more. */
static int add_operand(struct maker *x, const char *param, struct coreml_operand *o, int extra)
{
	const struct coreml_value *v = value_of(x->op, param);

	*o = (struct coreml_operand){ .plane = -1 };
	if (!v)
		return 0;
	o->plane = x->t->n_planes;
	o->type = v->type;
	if (add_plane(x, v, param))
		return -1;
	if (o->type.rank != x->t->rank + extra)
		return unfit(x, "an operand has another rank than the data");
	for (int d = 0; d < x->t->rank; d++)
		if (x->t->dim[d] % o->type.dim[d])
			return unfit(x, "an operand's shape does not divide the data's");
	return 0;
}

/* One number, or a vector along the axis: as a shape of the data's rank. */
static int add_along(struct maker *x, const char *param, struct coreml_operand *o)
{
	const struct coreml_value *v = value_of(x->op, param);
	uint64_t *dim = arena_array(x->m->arena, HEFT_MAX_RANK, sizeof *dim);

	*o = (struct coreml_operand){ .plane = -1 };
	if (!v)
		return unfit(x, "an operand is missing");
	o->plane = x->t->n_planes;
	if (add_plane(x, v, param))
		return -1;
	for (int d = 0; d < x->t->rank; d++)
		dim[d] = 1;
	if (v->type.rank == 1)
		dim[x->k->axis] = v->type.dim[0];
	if (v->type.rank > 1 || (v->type.rank == 1 && v->type.dim[0] != x->t->dim[x->k->axis] && v->type.dim[0] != 1))
		return unfit(x, "an operand has not one number per index of the axis");
	o->type = (struct coreml_type){ v->type.dtype, x->t->rank, dim };
	return 0;
}

static int affine(struct maker *x)
{
	const struct coreml_value *axis = value_of(x->op, "axis");
	int64_t a = axis ? axis->integer : 0;

	if (a < 0)
		a += x->t->rank;
	if (a < 0 || a >= x->t->rank)
		return unfit(x, "its axis is none of the data's");
	x->k->axis = (int)a;
	x->k->packed.enc.name = x->k->code->name;
	return add_along(x, "scale", &x->k->scale) || add_along(x, "zero_point", &x->k->offset) ? -1 : 0;
}

static int blockwise(struct maker *x)
{
	x->k->packed.enc.name = x->k->code->name;
	if (add_operand(x, "scale", &x->k->scale, 0) || add_operand(x, "offset", &x->k->offset, 0))
		return -1;
	return x->k->scale.plane < 0 ? unfit(x, "it has no scale") : 0;
}

/* iOS 16: the indices are bytes in a row, n bits each; the table's length says n. */
static int flat_palette(struct maker *x, const struct coreml_type *lut)
{
	static const uint32_t by_bits[9] = { 0, COREML_U1, COREML_U2, 0, COREML_U4, 0, COREML_U6, 0, COREML_U8 };
	uint64_t count = heft_tensor_count(x->t), *dim = arena_array(x->m->arena, HEFT_MAX_RANK, sizeof *dim);
	int bits = lut->rank == 1 && lut->dim[0] <= 256 ? __builtin_ctzll(lut->dim[0] | 256) : 0;

	if (!by_bits[bits] || lut->dim[0] != 1ull << bits)
		return unfit(x, "its table has not 2, 4, 16, 64 or 256 entries");
	x->k->code = coreml_dtype(by_bits[bits]);
	if (x->t->plane[0].size != (count * (uint64_t)bits + 7) / 8)
		return unfit(x, "its indices are not as many as its shape has numbers");
	for (int d = 0; d < x->t->rank; d++)
		dim[d] = 1;
	dim[x->t->rank] = lut->dim[0];
	dim[x->t->rank + 1] = 1;
	x->k->scale.plane = x->t->n_planes;
	x->k->scale.type = (struct coreml_type){ lut->dtype, x->t->rank + 2, dim };
	x->k->offset.plane = -1;
	return add_plane(x, value_of(x->op, "lut"), "lut");
}

static int palette(struct maker *x)
{
	const struct coreml_value *lut = value_of(x->op, "lut");
	static const char *const names[9] = { NULL, "palette1", "palette2", "palette3", "palette4", NULL, "palette6", NULL, "palette8" };
	const struct coreml_type *t = &lut->type;

	if (t->rank < 1 || x->t->rank > HEFT_MAX_RANK - 2)
		return unfit(x, "its table has no known shape");
	if (coreml_param(x->op, "shape")) {
		if (flat_palette(x, t))
			return -1;
	} else if (x->k->code->dtype == COREML_I4 || x->k->code->dtype == COREML_I8) {
		return unfit(x, "its indices have a sign");
	} else if (add_operand(x, "lut", &x->k->scale, 2)) {
		return -1;
	} else if (x->k->code->bits > 8 || t->dim[t->rank - 2] != 1ull << x->k->code->bits || t->dim[t->rank - 1] != 1) {
		return unfit(x, "its table has not one number for each index");
	}
	x->k->packed.enc.name = names[x->k->code->bits];
	return 0;
}

static int plain(struct maker *x)
{
	const struct heft_encoding *e = x->k->code->encoding ? quant_find(x->k->code->encoding) : NULL;

	if (!e)
		x->k->packed.enc.name = x->k->code->name;
	else
		x->t->enc = e;
	return 0;
}

static const struct kind {
	const char *type, *data, *needs;
	enum coreml_kind kind;
	int (*make)(struct maker *x);
} kinds[] = {
	{ "const", "val", NULL, COREML_PLAIN, plain },
	{ "constexpr_affine_dequantize", "quantized_data", "scale", COREML_AFFINE, affine },
	{ "constexpr_blockwise_shift_scale", "data", "scale", COREML_BLOCKWISE, blockwise },
	{ "constexpr_lut_to_dense", "indices", "lut", COREML_PALETTE, palette },
};

static const struct kind *kind_of(const struct coreml_op *op)
{
	const struct coreml_value *lut = value_of(op, "lut");

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].type, op->type)) {
			if (coreml_param(op, "vector_axis") || (lut && lut->type.rank > 1 && lut->type.dim[lut->type.rank - 1] != 1))
				return NULL;
			return value_of(op, kinds[i].data) && (!kinds[i].needs || value_of(op, kinds[i].needs)) ? &kinds[i] : NULL;
		}
	return NULL;
}

/* Whole rows that are some STRIP numbers. */
static uint32_t strip_rows(const struct heft_tensor *t)
{
	uint64_t cols = t->rank ? t->dim[t->rank - 1] : 1;

	return cols >= STRIP ? 1 : (uint32_t)(STRIP / cols);
}

static int same_shape(struct maker *x, const struct coreml_type *data)
{
	if (coreml_param(x->op, "shape")) /* iOS 16's tables: the indices are flat */
		return 0;
	if (data->rank != x->t->rank || memcmp(data->dim, x->t->dim, (size_t)data->rank * sizeof *data->dim))
		return unfit(x, "its data have another shape than its output");
	return 0;
}

int coreml_tensor(struct heft_tensor *t, struct heft_model *m, const struct coreml_op *op, struct heft_err *err)
{
	const struct kind *kind = kind_of(op);
	struct coreml_const *k;
	struct maker x = { m, t, NULL, op, err };
	const struct coreml_value *data = kind ? value_of(op, kind->data) : NULL;
	uint64_t count;

	if (!data)
		return 1;
	if (data->place == COREML_BLOB && data->type.rank > 0 && !coreml_count(&data->type, &count))
		return unfit(&x, "its shape is larger than any file");
	if (!coreml_count(&op->out, &count) || op->out.rank < 1 || (!strcmp(op->type, "const") && data->place != COREML_BLOB))
		return 1;
	x.k = k = arena_alloc(m->arena, sizeof *k);
	*t = (struct heft_tensor){ .name = op->output, .rank = op->out.rank };
	memcpy(t->dim, op->out.dim, (size_t)t->rank * sizeof *t->dim);
	k->packed.enc = (struct heft_encoding){ .about = "a compressed constant of Core ML", .block = 1, .class = QUANT_BLOCK };
	t->enc = &k->packed.enc;
	*k = (struct coreml_const){ .packed = k->packed, .op = op, .kind = kind->kind, .scale.plane = -1, .offset.plane = -1 };
	k->packed.strip = strip;
	k->packed.strip_rows = strip_rows(t);
	k->packed.scratch = 1;
	k->out = coreml_dtype(op->out.dtype) && coreml_dtype(op->out.dtype)->encoding ? quant_find(coreml_dtype(op->out.dtype)->encoding) : NULL;
	k->code = coreml_dtype(data->type.dtype);
	if (add_plane(&x, data, kind->data) || same_shape(&x, &data->type))
		return -1;
	if (kind->kind != COREML_PLAIN && (!k->out || k->out->class != QUANT_FLOAT))
		return unfit(&x, "its output is no float");
	if (kind->make(&x))
		return -1;
	k->packed.enc.n_planes = (uint8_t)t->n_planes;
	if (t->enc == &k->packed.enc)
		t->packed = &k->packed;
	return 0;
}
