/*
 * diff_tile.c - error sums of one piece of two weights. Numbers that f32 would round, integers and F64 stored alike on
 * both sides, are compared as they are stored.
 */
#include "diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct diff_exact {
	const char *encoding;
	size_t size;
	bool integer;
	double (*value)(const void *p);
};

#define VALUE(name, ctype)                                                                                             \
	static double name##_value(const void *p)                                                                      \
	{                                                                                                              \
		ctype v;                                                                                               \
		memcpy(&v, p, sizeof v);                                                                               \
		return (double)v;                                                                                      \
	}
VALUE(i8, int8_t)
VALUE(i16, int16_t)
VALUE(i32, int32_t)
VALUE(i64, int64_t)
VALUE(u8, uint8_t)
VALUE(u16, uint16_t)
VALUE(u32, uint32_t)
VALUE(u64, uint64_t)
VALUE(f64, double)

static const struct diff_exact exact[] = {
	{ "i8", 1, true, i8_value }, { "i16", 2, true, i16_value }, { "i32", 4, true, i32_value },
	{ "i64", 8, true, i64_value }, { "u8", 1, true, u8_value }, { "u16", 2, true, u16_value },
	{ "u32", 4, true, u32_value }, { "u64", 8, true, u64_value }, { "bool", 1, true, u8_value },
	{ "f64", 8, false, f64_value },
};

/* The one encoding of all sources of a weight whose elements only move; else NULL. */
static const struct heft_encoding *stored_as(const struct weight *w)
{
	if (!w->n_sources || !weight_moves_only(w))
		return NULL;
	for (size_t i = 1; i < w->n_sources; i++)
		if (w->source[i]->enc != w->source[0]->enc)
			return NULL;
	return w->source[0]->enc;
}

static const struct diff_exact *find_exact(const struct weight *a, const struct weight *b)
{
	const struct heft_encoding *e = stored_as(a);

	if (!e || e != stored_as(b))
		return NULL;
	for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
		if (!strcmp(exact[i].encoding, e->name))
			return &exact[i];
	return NULL;
}

int diff_pair_init(struct diff_pair *p, const struct heft_model *const model[2], const struct weight *const weight[2],
		   struct heft_err *err)
{
	*p = (struct diff_pair){ .model = { model[0], model[1] }, .stored = stored_as(weight[0]), .exact = find_exact(weight[0], weight[1]) };
	return tile_plan_init(&p->plan[0], weight[0], err) || tile_plan_init(&p->plan[1], weight[1], err) ? -1 : 0;
}

void diff_scratch_release(struct diff_scratch *s)
{
	tile_scratch_release(&s->tile);
	free(s->value[0]);
	free(s->value[1]);
}

/* Integers beyond 2^53 may look alike as doubles: where their bytes differ, they differ by one at least. */
static void compare_exact(const struct diff_exact *x, const uint8_t *a, const uint8_t *b, size_t n,
			  struct quant_sums *s)
{
	for (size_t i = 0; i < n; i++, a += x->size, b += x->size) {
		double v = x->value(a), w = x->value(b), err = fabs(v - w);

		if (!isfinite(v) || !isfinite(w)) {
			s->nonfinite++;
			continue;
		}
		if (x->integer && err < 1 && memcmp(a, b, x->size))
			err = 1;
		s->sum_sq += v * v;
		s->sum_sq_out += w * w;
		s->dot += v * w;
		s->sum_sq_err += err * err;
		s->max_err = err > s->max_err ? err : s->max_err;
	}
}

int diff_tile(const struct diff_pair *p, uint64_t first, size_t n, struct diff_scratch *s, struct quant_sums *sums, struct quant_details *details,
	      struct heft_err *err)
{
	for (int k = 0; k < 2; k++) {
		if (!s->value[k])
			s->value[k] = xmalloc(TILE_ELEMENTS * sizeof(double));
		if (p->exact ? tile_read_bytes(&p->plan[k], p->model[k], p->stored, first, n, s->value[k], &s->tile, err) :
			       tile_read(&p->plan[k], p->model[k], first, n, s->value[k], &s->tile, err))
			return -1;
	}
	if (p->exact)
		compare_exact(p->exact, s->value[0], s->value[1], n, sums);
	else
		quant_compare(s->value[0], s->value[1], n, sums);
	if (details && !p->exact)
		quant_histogram(s->value[0], s->value[1], n, details);
	return 0;
}
