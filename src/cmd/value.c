/*
 * value.c owns how metadata values and error sums look, in text and in JSON.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cmd.h"

enum { SHORT_ARRAY = 16 }; /* elements of an abbreviated array in JSON */

static const struct {
	const char *name;
	size_t size;
} vtypes[] = {
	[HEFT_U8] = { "u8", 1 },     [HEFT_I8] = { "i8", 1 },   [HEFT_U16] = { "u16", 2 },
	[HEFT_I16] = { "i16", 2 },   [HEFT_U32] = { "u32", 4 }, [HEFT_I32] = { "i32", 4 },
	[HEFT_F32] = { "f32", 4 },   [HEFT_BOOL] = { "bool", 1 }, [HEFT_STRING] = { "string", sizeof(struct heft_str) },
	[HEFT_U64] = { "u64", 8 },   [HEFT_I64] = { "i64", 8 }, [HEFT_F64] = { "f64", 8 },
};

const char *show_type(const struct heft_value *v)
{
	return v->type < sizeof vtypes / sizeof *vtypes && vtypes[v->type].name ? vtypes[v->type].name : "?";
}

#define LOAD(T)                                                                                                        \
	({                                                                                                             \
		T x_;                                                                                                  \
		memcpy(&x_, at, sizeof x_);                                                                            \
		x_;                                                                                                    \
	})

/* Element i of an array as a scalar of its own. */
static struct heft_value element(const struct heft_value *v, uint64_t i)
{
	struct heft_value e = { .type = v->type, .count = 1 };
	const char *at = (const char *)v->data + i * vtypes[v->type].size;

	switch (v->type) {
	case HEFT_U8:     e.u = LOAD(uint8_t); break;
	case HEFT_I8:     e.i = LOAD(int8_t); break;
	case HEFT_U16:    e.u = LOAD(uint16_t); break;
	case HEFT_I16:    e.i = LOAD(int16_t); break;
	case HEFT_U32:    e.u = LOAD(uint32_t); break;
	case HEFT_I32:    e.i = LOAD(int32_t); break;
	case HEFT_F32:    e.f = LOAD(float); break;
	case HEFT_BOOL:   e.b = LOAD(uint8_t); break;
	case HEFT_STRING: e.s = LOAD(struct heft_str); break;
	case HEFT_U64:    e.u = LOAD(uint64_t); break;
	case HEFT_I64:    e.i = LOAD(int64_t); break;
	case HEFT_F64:    e.f = LOAD(double); break;
	case HEFT_ARRAY:  break;
	}
	return e;
}

/* A string on one line, cut at about limit bytes. */
static void print_string(FILE *f, struct heft_str s, size_t limit)
{
	size_t n = 0;

	while (n < s.n && n < limit) {
		size_t len = safe_char(s.p + n, s.n - n);
		if (!len && s.p[n] == '\n')
			fputs("\\n", f);
		else
			safe_put(f, s.p + n, len ? len : 1);
		n += len ? len : 1;
	}
	if (n < s.n)
		fprintf(f, "... (%s)", human_bytes(s.n).s);
}

static void print_scalar(FILE *f, const struct heft_value *v, size_t limit)
{
	switch (v->type) {
	case HEFT_U8: case HEFT_U16: case HEFT_U32: case HEFT_U64:
		fprintf(f, "%" PRIu64, v->u);
		break;
	case HEFT_I8: case HEFT_I16: case HEFT_I32: case HEFT_I64:
		fprintf(f, "%" PRId64, v->i);
		break;
	case HEFT_F32: case HEFT_F64:
		fprintf(f, v->type == HEFT_F32 ? "%.7g" : "%.16g", v->f);
		break;
	case HEFT_BOOL:
		fputs(v->b ? "true" : "false", f);
		break;
	case HEFT_STRING:
		print_string(f, v->s, limit);
		break;
	case HEFT_ARRAY:
		break;
	}
}

void show_value(FILE *f, const struct heft_value *v, size_t limit)
{
	if (!v->array) {
		print_scalar(f, v, limit > SIZE_MAX / 10 ? limit : limit * 10);
		return;
	}
	putc('[', f);
	for (uint64_t i = 0; i < v->count && i < limit; i++) {
		struct heft_value e = element(v, i);
		fputs(i ? ", " : "", f);
		print_scalar(f, &e, limit > SIZE_MAX / 10 ? limit : limit * 10);
	}
	if (v->count > limit)
		fprintf(f, ", ... (%" PRIu64 ")", v->count);
	putc(']', f);
}

static void json_scalar(struct emitter *w, const char *key, const struct heft_value *v)
{
	switch (v->type) {
	case HEFT_U8: case HEFT_U16: case HEFT_U32: case HEFT_U64:
		emit_number(w, key, v->u);
		break;
	case HEFT_I8: case HEFT_I16: case HEFT_I32: case HEFT_I64:
		emit_integer(w, key, v->i);
		break;
	case HEFT_F32: case HEFT_F64:
		emit_real(w, key, v->f);
		break;
	case HEFT_BOOL:
		emit_flag(w, key, v->b);
		break;
	case HEFT_STRING:
		emit_bytes(w, key, v->s);
		break;
	case HEFT_ARRAY:
		break;
	}
}

static void json_value(struct emitter *w, const struct heft_value *v, bool full)
{
	if (!v->array) {
		json_scalar(w, "value", v);
		return;
	}
	emit_number(w, "count", v->count);
	emit_open(w, "value", '[');
	for (uint64_t i = 0; i < v->count && (full || i < SHORT_ARRAY); i++) {
		struct heft_value e = element(v, i);
		json_scalar(w, NULL, &e);
	}
	emit_close(w, ']');
}

void emit_metadata(struct emitter *w, const struct heft_kv *kv, size_t n, bool full)
{
	emit_open(w, "metadata", '[');
	for (size_t i = 0; i < n; i++) {
		emit_open(w, NULL, '{');
		emit_text(w, "key", kv[i].key);
		emit_text(w, "type", show_type(&kv[i].value));
		emit_flag(w, "array", kv[i].value.array);
		json_value(w, &kv[i].value, full);
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

/* Pairs of a bin's upper bound and its count, empty ones left out; the bound of the last bin is null. */
static void emit_histogram(struct emitter *w, const struct heft_error *e)
{
	uint64_t all = 0;

	for (int i = 0; i < HEFT_ERROR_BINS; i++)
		all += e->histogram[i];
	if (!all)
		return;
	emit_open(w, "histogram", '[');
	for (int i = 0; i < HEFT_ERROR_BINS; i++) {
		if (!e->histogram[i])
			continue;
		emit_open(w, NULL, '[');
		emit_real(w, NULL, i == 0 ? 0 : i < HEFT_ERROR_BINS - 1 ? ldexp(1, i - 40) : INFINITY);
		emit_number(w, NULL, e->histogram[i]);
		emit_close(w, ']');
	}
	emit_close(w, ']');
}

void emit_error(struct emitter *w, const char *key, const struct heft_error *e)
{
	emit_open(w, key, '{');
	emit_number(w, "count", e->count);
	emit_real(w, "rmse", heft_error_rmse(e));
	emit_real(w, "relative", heft_error_relative(e));
	emit_real(w, "max", e->max_err);
	emit_real(w, "sqnr_db", heft_error_sqnr(e));
	emit_real(w, "cosine", heft_error_cosine(e));
	emit_number(w, "nonfinite", e->nonfinite);
	emit_real(w, "weighted_relative", heft_error_weighted(e));
	emit_real(w, "search_gain", heft_error_gain(e));
	if (e->clippable)
		emit_number(w, "clipped", e->clipped);
	emit_histogram(w, e);
	emit_close(w, '}');
}

struct text show_relative(const struct heft_error *e)
{
	struct text t;
	double x = heft_error_relative(e);

	if (x > 0 && x < 0.00001)
		snprintf(t.s, sizeof t.s, "<0.001%%");
	else
		snprintf(t.s, sizeof t.s, "%.3f%%", x * 100);
	return t;
}

struct text show_sqnr(const struct heft_error *e)
{
	struct text t;
	double x = heft_error_sqnr(e);

	snprintf(t.s, sizeof t.s, isinf(x) && x > 0 ? "exact" : "%.2f dB", x);
	return t;
}
