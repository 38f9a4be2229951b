/*
 * tile.c - a piece of a weight, gathered from runs of its sources.
 *
 * A run is read where it lies. Where the runs of a piece are short and lie close together (rotary rows, a transposed matrix), the span that holds
 * them all is read once and the runs are picked from it.
 */
#include "tile.h"

#include "../base/source.h"
#include "../quant/quant.h"
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_RUN = 4096, SPAN_LIMIT = 16 * 1024 * 1024 };

struct run {
	size_t source;
	uint64_t element;
	size_t n;
	bool padding;
};

void tile_scratch_release(struct tile_scratch *s)
{
	free(s->bytes);
	free(s->floats);
	free(s->wide);
	packed_scratch_release(&s->packed);
	lora_scratch_release(&s->lora);
	*s = (struct tile_scratch){ 0 };
}

static void *scratch_bytes(struct tile_scratch *s, size_t n)
{
	if (s->n_bytes < n) {
		s->bytes = xrealloc(s->bytes, n);
		s->n_bytes = n;
	}
	return s->bytes;
}

static float *scratch_floats(struct tile_scratch *s, size_t n)
{
	if (s->n_floats < n) {
		s->floats = xrealloc(s->floats, n * sizeof(float));
		s->n_floats = n;
	}
	return s->floats;
}

int tile_plan_init(struct tile_plan *p, const struct weight *w, struct heft_err *err)
{
	*p = (struct tile_plan){ .count = 1 };
	for (int i = 0; i < w->shape.rank; i++)
		p->count *= w->shape.dim[i];
	if (w->generated) {
		p->map.weight = w;
		return 0;
	}
	if (op_map_init(&p->map, w, err))
		return -1;
	p->grain = p->map.grain;
	for (size_t i = 0; i < w->n_sources; i++) {
		const struct heft_encoding *e = w->source[i]->enc;

		if (!w->source[i]->packed && !e->decode && !quant_decoder(e))
			return heft_fail(err, HEFT_E_DTYPE, "'%s': heft does not decode %s", w->source[i]->name, e->name);
		p->round_f16 |= !strcmp(e->name, "f16");
	}
	return 0;
}

/* The run that output element `first` begins, at most n elements long. */
static struct run next_run(const struct tile_plan *p, uint64_t first, size_t n)
{
	struct run r = { .n = n };
	uint64_t left = p->grain - first % p->grain;

	r.padding = !op_map_locate(&p->map, first, &r.source, &r.element);
	if (left < r.n)
		r.n = (size_t)left;
	return r;
}

size_t tile_bytes(const struct heft_encoding *e, uint64_t elements)
{
	return (size_t)(elements / e->plane[0].cols * e->plane[0].bytes);
}

static int read_elements(const struct heft_model *m, const struct heft_tensor *t, uint64_t element, size_t n, void *dst,
			 struct heft_err *err)
{
	struct heft_err why;
	uint64_t begin;
	struct source *src = model_extent(m, &t->plane[0], &begin);

	if (source_read(src, begin + tile_bytes(t->enc, element), dst, tile_bytes(t->enc, n), &why))
		return heft_fail(err, why.code, "tensor '%s': %s", t->name, why.text);
	return 0;
}

void tile_decode(const struct heft_encoding *e, const void *src, float *dst, size_t n)
{
	const void *plane[1] = { src };

	quant_decoder(e)(plane, dst, n);
}

/* As floats, from one plane or several. */
static int read_stored(const struct heft_model *m, const struct heft_tensor *t, uint64_t element, size_t n, float *dst,
		       struct tile_scratch *s, struct heft_err *err)
{
	void *bytes;

	if (t->packed)
		return packed_read(m, t, element, n, dst, &s->packed, err);
	bytes = scratch_bytes(s, tile_bytes(t->enc, n));
	if (read_elements(m, t, element, n, bytes, err))
		return -1;
	tile_decode(t->enc, bytes, dst, n);
	return 0;
}

/* What begins or ends inside of a block is read with all of that block. */
static int read_cut(const struct heft_model *m, const struct heft_tensor *t, uint64_t element, size_t n, float *dst, struct tile_scratch *s,
		    struct heft_err *err)
{
	uint64_t block = t->enc->block, before = element % block, whole = (before + n + block - 1) / block * block;

	if (s->n_wide < whole) {
		s->wide = xrealloc(s->wide, (size_t)whole * sizeof(float));
		s->n_wide = (size_t)whole;
	}
	if (read_stored(m, t, element - before, (size_t)whole, s->wide, s, err))
		return -1;
	if (s->wide)
		memcpy(dst, s->wide + before, n * sizeof *dst);
	return 0;
}

int tile_read_tensor(const struct heft_model *m, const struct heft_tensor *t, uint64_t element, size_t n, float *dst, struct tile_scratch *s,
		     struct heft_err *err)
{
	bool cut = element % t->enc->block || n % t->enc->block;

	if (cut ? read_cut(m, t, element, n, dst, s, err) : read_stored(m, t, element, n, dst, s, err))
		return -1;
	return t->lora ? lora_add(m, t, element, n, dst, &s->lora, err) : 0;
}

int tile_read_values(void *model, const struct heft_tensor *t, float *out, struct heft_err *err)
{
	struct tile_scratch scratch = { 0 };
	int rc = tile_read_tensor(model, t, 0, heft_tensor_count(t), out, &scratch, err);

	tile_scratch_release(&scratch);
	return rc;
}

static float padding_value(const struct weight *w)
{
	for (int i = 0; i < w->n_ops; i++)
		if (w->op[i].kind == OP_PAD)
			return (float)w->op[i].x;
	return 0;
}

static int read_run(const struct tile_plan *p, const struct heft_model *m, const struct run *r, float *dst,
		    struct tile_scratch *s, struct heft_err *err)
{
	const struct heft_tensor *t = p->map.weight->source[r->source];

	if (r->padding) {
		float v = padding_value(p->map.weight);

		for (size_t i = 0; i < r->n; i++)
			dst[i] = v;
		return 0;
	}
	return tile_read_tensor(m, t, r->element, r->n, dst, s, err);
}

/* The elements that hold all runs of a piece, where one source has them all and they lie close enough together. */
static bool find_span(const struct tile_plan *p, uint64_t first, size_t n, size_t *source, uint64_t *lo, uint64_t *hi)
{
	const struct heft_encoding *e;

	*lo = UINT64_MAX;
	*hi = 0;
	for (size_t done = 0; done < n;) {
		struct run r = next_run(p, first + done, n - done);

		if (r.padding || (done && r.source != *source))
			return false;
		*source = r.source;
		*lo = r.element < *lo ? r.element : *lo;
		*hi = r.element + r.n > *hi ? r.element + r.n : *hi;
		done += r.n;
	}
	e = p->map.weight->source[*source]->enc;
	return tile_bytes(e, *hi - *lo) <= SPAN_LIMIT && (*hi - *lo) <= SPAN_LIMIT / sizeof(float);
}

static int read_span(const struct tile_plan *p, const struct heft_model *m, uint64_t first, size_t n, size_t source,
		     uint64_t lo, uint64_t hi, float *dst, struct tile_scratch *s, struct heft_err *err)
{
	const struct heft_tensor *t = p->map.weight->source[source];
	float *floats = scratch_floats(s, (size_t)(hi - lo));

	if (tile_read_tensor(m, t, lo, (size_t)(hi - lo), floats, s, err))
		return -1;
	for (size_t done = 0; done < n;) {
		struct run r = next_run(p, first + done, n - done);

		memcpy(dst + done, floats + (r.element - lo), r.n * sizeof *dst);
		done += r.n;
	}
	return 0;
}

/* ---- calculations ---- */

static void round_to_f16(float *v, size_t n, struct tile_scratch *s)
{
	const struct heft_encoding *f16 = quant_find("f16");
	void *plane[1] = { scratch_bytes(s, n * 2) };
	const void *in[1] = { plane[0] };

	quant_encoder(f16)(v, plane, n, NULL);
	quant_decoder(f16)(in, v, n);
}

static void calculate_one(const struct op *op, float *v, size_t n)
{
	float x = (float)op->x;

	for (size_t i = 0; i < n; i++) {
		switch (op->kind) {
		case OP_ADD:
			v[i] += x;
			break;
		case OP_MUL:
			v[i] *= x;
			break;
		case OP_NEGEXP:
			v[i] = (float)-exp((double)v[i]);
			break;
		case OP_LOGNEG:
			v[i] = (float)log(-(double)v[i]);
			break;
		case OP_SOFTPLUS:
			v[i] = v[i] > 20 ? v[i] : (float)log1p(exp((double)v[i]));
			break;
		default:
			return;
		}
	}
}

static void calculate_and_round(const struct tile_plan *p, const struct op *op, float *v, size_t n, struct tile_scratch *s)
{
	calculate_one(op, v, n);
	if (p->round_f16)
		round_to_f16(v, n, s);
}

/* at() with arithmetic: of the elements from first on, those that lie in its slice of the weight. */
static void calculate_at(const struct tile_plan *p, const struct op *at, uint64_t first, float *v, size_t n, struct tile_scratch *s)
{
	const struct shape *shape = &p->map.weight->shape;
	uint64_t start = (uint64_t)at->arg[1], end = at->arg[2] < 0 ? shape->dim[at->arg[0]] : start + (uint64_t)at->arg[2], inner = 1;

	for (int i = (int)at->arg[0] + 1; i < shape->rank; i++)
		inner *= shape->dim[i];
	for (size_t done = 0, run; done < n; done += run) {
		uint64_t place = (first + done) % (shape->dim[at->arg[0]] * inner);
		bool before = place < start * inner, inside = !before && place < end * inner;
		uint64_t left = (before ? start : inside ? end : shape->dim[at->arg[0]]) * inner - place;

		run = left < n - done ? (size_t)left : n - done;
		for (int k = 0; k < at->n_sub && inside; k++)
			calculate_and_round(p, &at->sub[k], v + done, run, s);
	}
}

static void calculate(const struct tile_plan *p, uint64_t first, float *v, size_t n, struct tile_scratch *s)
{
	const struct weight *w = p->map.weight;

	for (int i = 0; i < w->n_ops; i++)
		if (op_calculates(w->op[i].kind))
			calculate_and_round(p, &w->op[i], v, n, s);
		else if (op_calculates_slice(&w->op[i]))
			calculate_at(p, &w->op[i], first, v, n, s);
}

int tile_read(const struct tile_plan *p, const struct heft_model *m, uint64_t first, size_t n, float *dst,
	      struct tile_scratch *s, struct heft_err *err)
{
	uint64_t lo, hi;
	size_t source = 0;

	if (p->map.weight->generated) {
		memcpy(dst, p->map.weight->generated + first, n * sizeof *dst);
		return 0;
	}
	if (p->grain < LONG_RUN && find_span(p, first, n, &source, &lo, &hi)) {
		if (read_span(p, m, first, n, source, lo, hi, dst, s, err))
			return -1;
	} else {
		for (size_t done = 0; done < n;) {
			struct run r = next_run(p, first + done, n - done);

			if (read_run(p, m, &r, dst + done, s, err))
				return -1;
			done += r.n;
		}
	}
	calculate(p, first, dst, n, s);
	return 0;
}

uint64_t tile_good_size(const struct tile_plan *p)
{
	const struct weight *w = p->map.weight;
	const struct heft_tensor *t = w->n_sources ? w->source[0] : NULL;

	if (!t || !t->packed || !t->packed->strip || w->n_sources > 1 || p->grain % packed_shape(t->rank, t->dim).cols) /* no whole rows */
		return TILE_ELEMENTS;
	return t->packed->strip_rows * packed_shape(t->rank, t->dim).cols;
}

/* Do its operations leave each block of its sources in one piece? */
static bool keeps_blocks(const struct weight *w)
{
	struct op_map map;

	if (op_map_init(&map, w, &(struct heft_err){ 0 }))
		return false;
	for (size_t i = 0; i < w->n_sources; i++)
		if (map.grain % w->source[i]->enc->block)
			return false;
	return true;
}

bool tile_has_bytes(const struct weight *w, const struct heft_encoding *e)
{
	for (size_t i = 0; i < w->n_sources; i++)
		if (w->source[i]->packed ? !packed_repacker(w->source[i], e) : w->source[i]->enc != e)
			return false;
	return w->n_sources > 0 && weight_moves_only(w) && keeps_blocks(w);
}

bool tile_rounds(const struct weight *w, const struct heft_encoding *e)
{
	for (size_t i = 0; i < w->n_sources; i++)
		if (w->source[i]->packed && packed_repacker(w->source[i], e)->rounds)
			return true;
	return false;
}

const struct heft_encoding *tile_stays_as(const struct weight *w)
{
	const struct packed_repack *r = w->n_sources && w->source[0]->packed ? w->source[0]->packed->repack : NULL;

	for (; r && r->to; r++)
		if (r->stays && tile_has_bytes(w, quant_find(r->to)))
			return quant_find(r->to);
	return NULL;
}

int tile_read_bytes(const struct tile_plan *p, const struct heft_model *m, const struct heft_encoding *e, uint64_t first, size_t n, void *dst,
		    struct tile_scratch *s, struct heft_err *err)
{
	const struct weight *w = p->map.weight;

	for (size_t done = 0; done < n;) {
		struct run r = next_run(p, first + done, n - done);
		const struct heft_tensor *t = w->source[r.source];
		uint8_t *to = (uint8_t *)dst + tile_bytes(e, done);

		if (t->packed ? packed_read_bytes(m, t, e, r.element, r.n, to, &s->packed, err) : read_elements(m, t, r.element, r.n, to, err))
			return -1;
		done += r.n;
	}
	return 0;
}
