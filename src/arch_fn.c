/*
 * arch_fn.c - the functions of expressions that ask about the model: its files, tensors and tokenizer.
 */
#include "../base/mount.h"
#include "arch_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { README_LIMIT = 256 << 10, VALUES_LIMIT = 1 << 16 };

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

/* The values of a small tensor as a list, null where there is no such tensor. */
static int fn_tensors_values(struct env *e, const struct value *v, int n, struct value *out)
{
	const struct arch_input *in = run_of(e)->in;
	if (v->kind != V_STR)
		return env_fail(e, "tensors.values() takes a name in quotes");
	*out = v_null();
	for (size_t i = 0; i < in->n_tensors && in->values; i++) {
		const struct heft_tensor *t = &in->tensor[i];
		uint64_t count = heft_tensor_count(t);
		if (strcmp(t->name, v->s.p))
			continue;
		if (count > VALUES_LIMIT || env_charge(e, count))
			return env_fail(e, "tensors.values() reads at most %d numbers", VALUES_LIMIT);
		float *f = arena_array(e->arena, count, sizeof(*f));
		struct value *item = arena_array(e->arena, count, sizeof(*item));
		if (in->values(in->values_ctx, t, f, e->err))
			return -1;
		for (uint64_t k = 0; k < count; k++)
			item[k] = v_num((double)f[k]);
		*out = (struct value){ .kind = V_LIST, .list = { item, count } };
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

static int fn_vocab_listed(struct env *e, const struct value *v, int n, struct value *out)
{
	const struct arch_input *in = run_of(e)->in;
	int64_t count = in->vocab_listed ? in->vocab_listed(in->vocab) : -1;
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

struct llama3 {
	float theta, factor;
	double low, high, old;
};

/* Llama 3's factor of one pair of rotated dimensions. All in float, in the order of operations that the reference's
 * tensors have: a division of a number by a tensor is its reciprocal, then a product. */
static float llama3_factor(const struct llama3 *p, size_t pair, int64_t dim)
{
	float longest = (float)(p->old / p->low), shortest = (float)(p->old / p->high), span = (float)(p->high - p->low);
	float x = (float)(2 * pair) / (float)dim;
	float frequency = 1.0f / (float)pow((double)p->theta, (double)x);
	float wave = (1.0f / frequency) * (float)(2 * M_PI);
	float smooth = ((1.0f / wave) * (float)p->old - (float)p->low) / span;
	return wave < shortest ? 1.0f : wave > longest ? p->factor : 1.0f / ((1.0f - smooth) / p->factor + smooth);
}

static int fn_llama3_factors(struct env *e, const struct value *v, int n, struct value *out)
{
	int64_t dim;
	if (v[0].kind != V_OBJECT || !v_as_int(&v[1], &dim) || dim < 1 || dim > 1 << 16)
		return env_fail(e, "llama3_factors() takes rope parameters and a number of dimensions");
	struct llama3 p = { (float)number_or(v, "rope_theta", 10000, e->arena),
			    (float)number_or(v, "factor", 8, e->arena),
			    number_or(v, "low_freq_factor", 1, e->arena),
			    number_or(v, "high_freq_factor", 4, e->arena),
			    number_or(v, "original_max_position_embeddings", 8192, e->arena) };
	size_t count = (size_t)(dim + 1) / 2;
	if (env_charge(e, count))
		return -1;
	struct value *item = arena_array(e->arena, count, sizeof(*item));
	for (size_t j = 0; j < count; j++)
		item[j] = v_num((double)llama3_factor(&p, j, dim));
	*out = (struct value){ .kind = V_LIST, .list = { item, count } };
	return 0;
}

static bool makes_factors(const struct llama3 *p, const struct value *factor, size_t n)
{
	double f;
	for (size_t i = 0; i < n; i++)
		if (!v_as_num(&factor[i], &f) || !(fabs(f - (double)llama3_factor(p, i, 2 * (int64_t)n)) <= 1e-5 * f))
			return false;
	return true;
}

static struct value rope_object(const struct llama3 *p, struct arena *a)
{
	static const char *const key[] = { "rope_type", "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings" };
	const struct value value[] = { v_str("llama3"), v_num((double)p->factor), v_num(p->low), v_num(p->high), v_int((int64_t)p->old) };
	struct member *m = arena_array(a, 5, sizeof(*m));
	for (size_t i = 0; i < 5; i++)
		m[i] = (struct member){ { key[i], strlen(key[i]) }, value[i] };
	return (struct value){ .kind = V_OBJECT, .object = { m, 5 } };
}

/* The parameters that such factors come of: the bounds of every Llama 3, the largest factor, and the first power of two that fits as the
 * context that it was trained on. */
static int fn_llama3_rope(struct env *e, const struct value *v, int n, struct value *out)
{
	enum { USUAL = 8192, LONGEST = 1 << 20 };
	struct llama3 p = { .low = 1, .high = 4, .old = USUAL };
	double theta, f;
	if (v[0].kind != V_LIST || !v_as_num(&v[1], &theta))
		return env_fail(e, "llama3_rope() takes a list of factors and the base of the frequencies");
	p.theta = (float)theta;
	for (size_t i = 0; i < v[0].list.n; i++)
		if (v_as_num(&v[0].list.item[i], &f) && (float)f > p.factor)
			p.factor = (float)f;
	bool good = makes_factors(&p, v[0].list.item, v[0].list.n);
	for (int old = 64; old <= LONGEST && !good; old *= 2) {
		p.old = old;
		good = makes_factors(&p, v[0].list.item, v[0].list.n);
	}
	if (!good)
		return env_fail(e, "the factors of the rotary frequencies are not those of a Llama 3");
	*out = rope_object(&p, e->arena);
	return 0;
}

const struct expr_fn arch_functions[] = {
	{ "file", 1, 1, fn_file },
	{ "mentions", 2, 2, fn_mentions },
	{ "tensors.count", 1, 1, fn_tensors_count },
	{ "tensors.shape", 1, 1, fn_tensors_shape },
	{ "vocab.count", 0, 0, fn_vocab_count },
	{ "vocab.id", 1, 1, fn_vocab_id },
	{ "vocab.listed", 0, 0, fn_vocab_listed },
	{ "tensors.values", 1, 1, fn_tensors_values },
	{ "llama3_factors", 2, 2, fn_llama3_factors },
	{ "llama3_rope", 2, 2, fn_llama3_rope },
	{ NULL, 0, 0, NULL },
};

/* ---- what rows cannot say ---- */

static const struct heft_arch_function c_functions[] = {
	{ "fn(negexp)", "-exp(x)" },
	{ "fn(logneg)", "log(-x)" },
	{ "fn(softplus)", "log(1 + exp(x))" },
	{ "llama3_factors", "rotary frequencies of Llama 3" },
	{ "llama3_rope", "their parameters, on the way back" },
	{ NULL, NULL },
};

const struct heft_arch_function *heft_arch_functions(void)
{
	return c_functions;
}

const char *const *arch_needs(const struct arch *a)
{
	size_t count = sizeof c_functions / sizeof *c_functions, n = 0;
	const char **name = arena_array(a->arena, count, sizeof *name);
	for (const struct heft_arch_function *f = c_functions; f->name; f++) {
		bool used = false;
		for (int kind = 0; kind < ROW_KINDS; kind++)
			for (size_t i = 0; i < a->rows[kind].n; i++)
				used |= strstr(a->rows[kind].row[i]->text, f->name) != NULL;
		if (used)
			name[n++] = f->name;
	}
	return name;
}
