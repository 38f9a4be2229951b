/*
 * arch_fn.c - the functions of expressions that ask about the model: its files, tensors and tokenizer.
 */
#include "../base/mount.h"
#include "arch_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { README_LIMIT = 256 << 10 };

static struct arch_run *run_of(struct env *e)
{
	return (struct arch_run *)e;
}

static int fn_file(struct env *e, const struct value *v, int n, struct value *out)
{
	if (v->kind != V_STR)
		return env_fail(e, "file() takes a name in quotes");
	if (arch_read_json(run_of(e), v->s.p, out))
		return -1;
	*out = v_load(*out, e->arena);
	return 0;
}

/* Does a text file of the model's directory hold these words, in any case? */
static int fn_mentions(struct env *e, const struct value *v, int n, struct value *out)
{
	const char *dir = run_of(e)->in->dir;
	if (v[0].kind != V_STR || v[1].kind != V_STR || !arch_plain_path(v[0].s.p))
		return env_fail(e, "mentions() takes a file's name and a text");
	*out = v_bool(false);
	struct source *f = dir ? source_open(arena_printf(e->arena, "%s/%s", dir, v[0].s.p), NULL) : NULL;
	if (!f)
		return 0;
	char *text = arena_alloc(e->arena, README_LIMIT + 1);
	int64_t size = source_peek(f, text, README_LIMIT, NULL);
	source_close(f);
	for (int64_t i = 0; i + (int64_t)v[1].s.n <= size && !out->b; i++)
		out->b = !strncasecmp(text + i, v[1].s.p, v[1].s.n);
	return 0;
}

static int fn_tensors_count(struct env *e, const struct value *v, int n, struct value *out)
{
	const struct arch_input *in = run_of(e)->in;
	struct symbols symbols;
	struct pattern p;
	int64_t count = 0;
	if (v->kind != V_STR)
		return env_fail(e, "tensors.count() takes a pattern in quotes");
	symbols_init(&symbols, e->arena);
	struct scan s = { .p = v->s.p,
		.file = e->at->file,
		.line = e->at->line,
		.err = e->err,
		.code = HEFT_E_ARCH_FILE,
		.arena = e->arena,
		.symbols = &symbols };
	int rc = pattern_parse(&s, &p), bound = e->n_bind, base = e->bind_base;
	symbols_release(&symbols);
	e->bind_base = bound; /* its captures are its own */
	for (size_t i = 0; i < in->n_tensors && rc >= 0; i++) {
		rc = env_charge(e, 1) ? -1 : pattern_match(e, &p, in->tensor[i].name);
		count += rc == 1;
		e->n_bind = bound;
	}
	e->bind_base = base;
	*out = v_int(count);
	return rc < 0 ? -1 : 0;
}

static int fn_tensors_shape(struct env *e, const struct value *v, int n, struct value *out)
{
	const struct arch_input *in = run_of(e)->in;
	if (v->kind != V_STR)
		return env_fail(e, "tensors.shape() takes a name in quotes");
	if (env_charge(e, in->n_tensors))
		return -1;
	for (size_t i = 0; i < in->n_tensors; i++) {
		const struct heft_tensor *t = &in->tensor[i];
		if (strcmp(t->name, v->s.p))
			continue;
		struct value *dim = arena_array(e->arena, (size_t)t->rank, sizeof(*dim));
		for (int k = 0; k < t->rank; k++)
			dim[k] = v_int((int64_t)t->dim[k]);
		*out = (struct value){ .kind = V_LIST, .list = { dim, (size_t)t->rank } };
	}
	return 0;
}

static int fn_vocab_count(struct env *e, const struct value *v, int n, struct value *out)
{
	const struct arch_input *in = run_of(e)->in;
	int64_t count = in->vocab_count ? in->vocab_count(in->vocab) : -1;
	*out = count < 0 ? v_null() : v_int(count);
	return 0;
}

static int fn_vocab_id(struct env *e, const struct value *v, int n, struct value *out)
{
	const struct arch_input *in = run_of(e)->in;
	if (v->kind != V_STR)
		return env_fail(e, "vocab.id() takes a text in quotes");
	int64_t id = in->vocab_id ? in->vocab_id(in->vocab, v->s.p) : -1;
	*out = id < 0 ? v_null() : v_int(id);
	return 0;
}

static double number_or(const struct value *object, const char *key, double otherwise, struct arena *a)
{
	const struct value *m = v_member(object, key, strlen(key));
	double d;
	if (!m)
		return otherwise;
	struct value v = v_load(*m, a);
	return v_as_num(&v, &d) ? d : otherwise;
}

/* Llama 3's factors, one per pair of rotated dimensions. All in float, in the order of operations that the reference's
 * tensors have: a division of a number by a tensor is its reciprocal, then a product. */
static int fn_llama3_factors(struct env *e, const struct value *v, int n, struct value *out)
{
	int64_t dim;
	if (v[0].kind != V_OBJECT || !v_as_int(&v[1], &dim) || dim < 1 || dim > 1 << 16)
		return env_fail(e, "llama3_factors() takes rope parameters and a number of dimensions");
	float theta = (float)number_or(v, "rope_theta", 10000, e->arena),
	      factor = (float)number_or(v, "factor", 8, e->arena);
	double low = number_or(v, "low_freq_factor", 1, e->arena), high = number_or(v, "high_freq_factor", 4, e->arena);
	double old = number_or(v, "original_max_position_embeddings", 8192, e->arena);
	float longest = (float)(old / low), shortest = (float)(old / high), span = (float)(high - low);
	size_t count = (size_t)(dim + 1) / 2;
	if (env_charge(e, count))
		return -1;
	struct value *item = arena_array(e->arena, count, sizeof(*item));
	for (size_t j = 0; j < count; j++) {
		float x = (float)(2 * j) / (float)dim;
		float frequency = 1.0f / (float)pow((double)theta, (double)x);
		float wave = (1.0f / frequency) * (float)(2 * M_PI);
		float smooth = ((1.0f / wave) * (float)old - (float)low) / span;
		float f = wave < shortest ? 1.0f : wave > longest ? factor : 1.0f / ((1.0f - smooth) / factor + smooth);
		item[j] = v_num((double)f);
	}
	*out = (struct value){ .kind = V_LIST, .list = { item, count } };
	return 0;
}

const struct expr_fn arch_functions[] = {
	{ "file", 1, 1, fn_file },
	{ "mentions", 2, 2, fn_mentions },
	{ "tensors.count", 1, 1, fn_tensors_count },
	{ "tensors.shape", 1, 1, fn_tensors_shape },
	{ "vocab.count", 0, 0, fn_vocab_count },
	{ "vocab.id", 1, 1, fn_vocab_id },
	{ "llama3_factors", 2, 2, fn_llama3_factors },
	{ NULL, 0, 0, NULL },
};
