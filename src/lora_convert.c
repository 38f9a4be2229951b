/*
 * lora_convert.c - an adapter as a GGUF adapter: the base model's family is asked what becomes of the weights that B * A is of, and each
 * operation is carried over to the factor that it acts on.
 *
 *   W = B * A      rows of W are rows of B: rope, take, pick ... go to B
 *                  columns of W are columns of A; a transposed W exchanges the two
 *
 * Refuses what acts on both at once (a view that cuts rows, a sum with a number), weights joined of several, and what a GGUF adapter has
 * no place for: DoRA's magnitudes and whole weights.
 */
#include "lora.h"

#include "../quant/quant.h"
#include "arch.h"
#include "model.h"
#include "target/target.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct factor {
	struct weight w;
	struct shape shape;
	struct op *op;
	int cap;
};

struct split { /* one weight of the family, taken apart */
	struct factor a, b;
	struct shape shape; /* of the product */
	struct arena *arena;
	struct heft_err *err;
	const char *name;
};

/* ---- operations ---- */

static int add_op(struct split *x, struct factor *f, const struct op *op)
{
	struct shape in = f->shape;

	f->op[f->w.n_ops++] = *op;
	return op_shape(op, &in, &f->shape, x->err);
}

static int refuse(const struct split *x, const char *what)
{
	return heft_fail(x->err, HEFT_E_SHAPE, "'%s': %s, which has no form as an adapter; heft lora merge puts it into the base model", x->name, what);
}

static int add_arguments(struct split *x, struct factor *f, enum op_kind kind, const int64_t *arg, int n)
{
	struct op op = { .kind = kind, .n_args = n };

	op.arg = (const int64_t *)(void *)arena_memdup(x->arena, arg, (size_t)n * sizeof *arg);
	return add_op(x, f, &op);
}

/* The rows get another shape. A has the same rank: ones in front. */
static int split_view(struct split *x, const struct shape *out)
{
	int64_t a[HEFT_MAX_RANK], b[HEFT_MAX_RANK];
	int last = out->rank - 1, was = x->shape.rank - 1;

	if (out->rank < 2 || out->dim[last] != x->shape.dim[was])
		return refuse(x, "its rows change their length");
	for (int i = 0; i + 1 < was; i++)
		if (x->a.shape.dim[i] != 1)
			return refuse(x, "its experts change places");
	for (int i = 0; i <= last; i++) {
		a[i] = 1;
		b[i] = (int64_t)out->dim[i];
	}
	a[last - 1] = (int64_t)x->a.shape.dim[was - 1];
	a[last] = (int64_t)x->a.shape.dim[was];
	b[last] = (int64_t)x->b.shape.dim[was];
	return add_arguments(x, &x->a, OP_VIEW, a, out->rank) || add_arguments(x, &x->b, OP_VIEW, b, out->rank) ? -1 : 0;
}

static void exchange(struct split *x)
{
	struct factor was = x->a;

	x->a = x->b;
	x->b = was;
}

static int split_perm(struct split *x, const struct op *op)
{
	int last = x->shape.rank - 1;

	if (last == 1 && op->arg[0] == 1) { /* (B * A)' is A' * B' */
		if (add_op(x, &x->a, op) || add_op(x, &x->b, op))
			return -1;
		exchange(x);
		return 0;
	}
	if (op->arg[last] != last)
		return refuse(x, "its axes are exchanged");
	for (int i = 0; i < last - 1; i++)
		if (x->a.shape.dim[i] != 1)
			return refuse(x, "its experts change places");
	return add_op(x, &x->b, op);
}

/* An operation along one axis. */
static int split_axis(struct split *x, const struct op *op, int64_t axis)
{
	int last = x->shape.rank - 1;

	if (axis == last)
		return add_op(x, &x->a, op);
	if (axis < last - 1 && x->a.shape.dim[axis] != 1 && add_op(x, &x->a, op))
		return -1;
	return add_op(x, &x->b, op);
}

static bool calculates(const struct op *op)
{
	return (op_calculates(op->kind) && op->kind != OP_MUL) || (op->kind == OP_PAD && op->x != 0);
}

static int split_op(struct split *x, const struct op *op, const struct shape *out)
{
	for (int i = 0; i < op->n_sub; i++)
		if (calculates(&op->sub[i]) || op->sub[i].kind == OP_MUL)
			return refuse(x, "a part of it is calculated");
	switch (op->kind) {
	case OP_VIEW:
		return split_view(x, out);
	case OP_PERM:
		return split_perm(x, op);
	case OP_TAKE:
	case OP_AT:
	case OP_PICK:
	case OP_PAD:
		return calculates(op) ? refuse(x, "it is padded with a number") : split_axis(x, op, op->arg[0]);
	case OP_REGROUP:
	case OP_UNGROUP:
	case OP_ROPE:
	case OP_UNROPE:
		return split_axis(x, op, 0);
	case OP_MUL:
		return add_op(x, &x->b, op);
	default:
		return refuse(x, "it is calculated");
	}
}

/* ---- weights ---- */

struct convert {
	const struct lora_adapter *adapter;
	struct heft_tensor *product;  /* the family's sources: pairs, then whole tensors */
	struct family *family;
	struct arena *arena;
	struct heft_err *err;
	struct weight *counted;       /* weights as the reference counts their parameters */
};

static const struct lora_pair *pair_of(const struct convert *c, const struct heft_tensor *product)
{
	size_t i = (size_t)(product - c->product);

	return i < c->adapter->n_pairs ? &c->adapter->pair[i] : NULL;
}

static void add_weight(struct convert *c, const struct weight *w)
{
	c->family->weight[c->family->n_weights++] = *w;
}

/* Tensors that go over as they are: their sources have the names that the family knows. */
static int add_plain(struct convert *c, const struct weight *w)
{
	struct weight x = *w;
	const struct heft_tensor **source = arena_array(c->arena, w->n_sources, sizeof *source);

	if (w->shape.rank != 1)
		return heft_fail(c->err, HEFT_E_SHAPE, "'%s' is no vector: a GGUF adapter has no place for whole weights", w->source[0]->name);
	for (size_t i = 0; i < w->n_sources; i++)
		source[i] = c->adapter->whole[(size_t)(w->source[i] - c->product) - c->adapter->n_pairs].tensor;
	x.source = source;
	add_weight(c, &x);
	return 0;
}

/* One factor of all sources; those that are stored turned are turned first. */
static int begin_factor(struct split *x, struct factor *f, const struct weight *w, const struct convert *c, bool is_a)
{
	const struct heft_tensor **source = arena_array(c->arena, w->n_sources, sizeof *source);
	const struct lora_pair *p = pair_of(c, w->source[0]);
	static const int64_t flat[] = { 1, 0 }, stacked[] = { 0, 2, 1 };

	for (size_t i = 0; i < w->n_sources; i++)
		source[i] = is_a ? pair_of(c, w->source[i])->a : pair_of(c, w->source[i])->b;
	f->w = (struct weight){ .source = source, .n_sources = w->n_sources, .combine = w->combine };
	f->w.name = arena_printf(c->arena, "%s.lora_%c", w->name, is_a ? 'a' : 'b');
	f->op = arena_array(c->arena, (size_t)w->n_ops + 4, sizeof *f->op);
	if (weight_shape(&f->w, c->err))
		return -1;
	f->shape = f->w.shape;
	if (!(is_a ? p->a_turned : p->b_turned))
		return 0;
	return f->shape.rank == 2 ? add_arguments(x, f, OP_PERM, flat, 2) : add_arguments(x, f, OP_PERM, stacked, 3);
}

/* The runtime scales by alpha / rank, with one alpha for all: what a pair has besides goes into B. */
static int add_scale(struct split *x, const struct lora_adapter *adapter, const struct lora_pair *p)
{
	double wanted = p->scale * (double)p->rank;
	struct op op = { .kind = OP_MUL, .x = wanted / adapter->alpha };

	return fabs(op.x - 1) < 1e-12 ? 0 : add_op(x, &x->b, &op);
}

static int end_factor(struct convert *c, struct factor *f, const char *name, char which)
{
	f->w.op = f->op;
	f->w.name = arena_printf(c->arena, "%s.lora_%c", name, which);
	if (weight_shape(&f->w, c->err))
		return -1;
	add_weight(c, &f->w);
	return 0;
}

static int check_sources(const struct convert *c, const struct weight *w)
{
	const struct lora_pair *first = pair_of(c, w->source[0]);

	if (w->combine == COMBINE_JOIN)
		return heft_fail(c->err, HEFT_E_SHAPE, "'%s' is made of several weights, whose adapters cannot become one; heft lora merge puts them into the base model",
				 w->name);
	for (size_t i = 1; i < w->n_sources; i++) {
		const struct lora_pair *p = pair_of(c, w->source[i]);

		if (!p || p->scale != first->scale)
			return heft_fail(c->err, HEFT_E_SHAPE, "'%s': the adapters of '%s' and '%s' have different scales", w->name, w->source[0]->name,
					 w->source[i]->name);
	}
	return 0;
}

/* The reference counts the rows of B by the columns of A as they are written. */
static void count(struct convert *c, size_t i, const struct weight *w, const struct split *x)
{
	c->counted[i] = (struct weight){ .name = w->name, .shape = x->b.shape };
	c->counted[i].shape.dim[x->b.shape.rank - 1] = x->a.shape.dim[x->a.shape.rank - 1];
}

static int add_pair(struct convert *c, size_t i, const struct weight *w)
{
	struct split x = { .shape = { w->source[0]->rank, { 0 } }, .arena = c->arena, .err = c->err, .name = w->name };
	static const int64_t turn[] = { 1, 0 };
	struct weight product = *w;

	product.n_ops = 0;
	if (check_sources(c, w) || weight_shape(&product, c->err) || begin_factor(&x, &x.a, w, c, true) || begin_factor(&x, &x.b, w, c, false) ||
	    add_scale(&x, c->adapter, pair_of(c, w->source[0])))
		return -1;
	x.shape = product.shape;
	for (int k = 0; k < w->n_ops; k++) {
		struct shape out;

		if (op_shape(&w->op[k], &x.shape, &out, c->err) || split_op(&x, &w->op[k], &out))
			return -1;
		x.shape = out;
	}
	if (!strcmp(w->name, "token_embd.weight") && add_arguments(&x, &x.a, OP_PERM, turn, 2)) /* the runtime takes rows of it */
		return -1;
	count(c, i, w, &x);
	return end_factor(c, &x.a, w->name, 'a') || end_factor(c, &x.b, w->name, 'b') ? -1 : 0;
}

static int add_weights(struct convert *c, const struct arch_result *r)
{
	c->family->weight = arena_array(c->arena, 2 * r->n_weights, sizeof *c->family->weight);
	c->counted = arena_array(c->arena, r->n_weights, sizeof *c->counted);
	for (size_t i = 0; i < r->n_weights; i++) {
		const struct weight *w = &r->weight[i];

		c->counted[i] = *w;
		if (pair_of(c, w->source[0]) ? add_pair(c, i, w) : add_plain(c, w))
			return -1;
	}
	return 0;
}

/* ---- what the family is asked about ---- */

static bool is_norm(const char *name)
{
	return strstr(name, "_layernorm") || strstr(name, ".norm");
}

static int make_products(struct convert *c, size_t *n)
{
	const struct lora_adapter *x = c->adapter;

	c->product = arena_array(c->arena, x->n_pairs + x->n_wholes, sizeof *c->product);
	for (size_t i = 0; i < x->n_pairs; i++) {
		const struct lora_pair *p = &x->pair[i];
		struct heft_tensor t = { .name = p->target, .enc = p->a->enc, .rank = 2, .dim = { p->out, p->in }, .n_planes = 1 };

		if (p->magnitude)
			return heft_fail(c->err, HEFT_E_CONFIG, "'%s': a GGUF adapter has no place for DoRA's magnitudes; heft lora merge puts them into the base model",
					 p->magnitude->name);
		if (p->a->rank == 3) {
			t.rank = 3;
			memcpy(t.dim, (uint64_t[]){ p->matrices, p->out, p->in }, 3 * sizeof *t.dim);
		}
		c->product[i] = t;
	}
	*n = x->n_pairs;
	for (size_t i = 0; i < x->n_wholes; i++) {
		struct heft_tensor *t = &c->product[x->n_pairs + i];

		*t = *x->whole[i].tensor;
		t->name = x->whole[i].target;
		if (!x->whole[i].base && !is_norm(t->name))
			return heft_fail(c->err, HEFT_E_CONFIG,
					 "'%s' is neither lora_A nor lora_B: a GGUF adapter has no place for whole weights; heft lora merge puts it into the base model",
					 x->whole[i].tensor->name);
		*n = x->n_pairs + i + 1;
	}
	return 0;
}

/* Weights of the base model that are stored beside their adapters are not asked about: they are moved to the end of the list. */
static void leave_bases(struct lora_adapter *x, struct family *f, struct arena *a)
{
	size_t n = 0;

	f->drop = arena_array(a, x->n_wholes + x->n_pairs, sizeof *f->drop);
	for (size_t i = 0; i < x->n_wholes; i++) {
		if (x->whole[i].base)
			f->drop[f->n_drops++] = (struct heft_drop){ x->whole[i].tensor->name, "a weight of the base model" };
		else
			x->whole[n++] = x->whole[i];
	}
	x->n_wholes = n;
}

/* ---- metadata ---- */

static struct heft_value f32_value(double v)
{
	return (struct heft_value){ .type = HEFT_F32, .count = 1, .f = (float)v };
}

/* Tokens that switch an activated adapter on. */
static int invocation_tokens(struct kv_list *kv, const struct json *config, struct arena *a, struct heft_err *err)
{
	const struct json *list = json_get(config, "alora_invocation_tokens");
	size_t n = list && json_kind(list) == JSON_ARRAY ? json_count(list) : 0, i = 0;
	uint32_t *id = arena_array(a, n, sizeof *id);

	for (const struct json *j = n ? json_first(list) : NULL; j; j = json_next(j)) {
		uint64_t v;

		if (!json_uint(j, &v) || v > UINT32_MAX)
			return heft_fail(err, HEFT_E_CONFIG, "adapter_config.json: alora_invocation_tokens is no list of token ids");
		id[i++] = (uint32_t)v;
	}
	if (n)
		kv_set(kv, "adapter.alora.invocation_tokens", (struct heft_value){ .type = HEFT_U32, .array = true, .count = n, .data = id });
	return 0;
}

static int metadata(struct convert *c, const struct heft_model *m, const struct family_options *o, size_t n_counted)
{
	const struct lora_adapter *x = c->adapter;
	struct heft_err unheard;
	struct json_doc *own = json_read_file(path_join(c->arena, x->dir, "config.json"), 64 << 20, &unheard);
	struct general_input in = {
		.dir = x->dir, .model_path = m->path, .metadata_file = o->metadata_file, .model_name = o->model_name, .config = json_root(own),
		.arch = c->family->arch, .weight = c->counted, .n_weights = n_counted, .adapter = true,
	};
	struct heft_kv *kv;
	size_t n;
	int rc = llamacpp_general(&in, &kv, &n, c->arena, c->err);

	json_free(own);
	if (rc)
		return -1;
	kv_set_all(&c->family->kv, kv, n);
	kv_set(&c->family->kv, "adapter.type", value_string("lora"));
	kv_set(&c->family->kv, "adapter.lora.alpha", f32_value(x->alpha));
	return invocation_tokens(&c->family->kv, json_root(x->config), c->arena, c->err);
}

/* ---- all ---- */

static int note_drops(struct convert *c, const struct arch_result *r)
{
	for (size_t i = 0; i < r->n_drops; i++) {
		if (!strcmp(r->drop[i].name, "lm_head.weight"))
			return heft_fail(c->err, HEFT_E_UNMAPPED, "the adapter changes lm_head, which the base model has not: its output is its embeddings");
		c->family->drop[c->family->n_drops++] = (struct heft_drop){ r->drop[i].name, r->drop[i].why };
	}
	return 0;
}

static int evaluate(struct convert *c, const struct heft_model *m, const struct family_options *o, const struct json *config, struct sink *sink)
{
	struct arch_set *set = arch_set_open(o->arch, c->err);
	const char *class = arch_class_of(config);
	const struct arch *arch = set ? arch_find(set, class ? class : "", c->err) : NULL;
	struct arch_input in = { .config = config, .dir = m->dir, .tensor = c->product, .partial = true };
	struct arch_result r;
	int rc = arch && !make_products(c, &in.n_tensors) ? 0 : -1;

	in.tensor = c->product;
	if (!rc)
		rc = arch_eval(arch, &in, &r, c->arena, sink, c->err);
	arch_set_close(set);
	if (rc || note_drops(c, &r))
		return -1;
	c->family->arch = r.name;
	return add_weights(c, &r) || metadata(c, m, o, r.n_weights) ? -1 : 0;
}

int lora_family(struct family *out, struct heft_model *m, const struct family_options *o, struct arena *a, struct sink *sink, struct heft_err *err)
{
	struct convert c = { .adapter = m->adapter, .family = out, .arena = a, .err = err };
	struct json_doc *config = model_config_read(m, a, err);
	int rc;

	if (!config)
		return -1;
	out->kv = (struct kv_list){ .arena = a };
	leave_bases(m->adapter, out, a);
	rc = evaluate(&c, m, o, json_root(config), sink);
	json_free(config);
	return rc;
}

/* ---- opening ---- */

/* The base model's directory: as given, or beside the adapter, or where the adapter says it was. */
static const char *base_dir(const struct lora_adapter *x, const char *base, struct arena *a, struct heft_err *err)
{
	const char *said = json_cstr(json_get(json_root(x->config), "base_model_name_or_path"));
	const char *const at[] = { base ? base : x->dir, base ? NULL : said };
	struct heft_err unheard;

	for (int i = 0; i < 2; i++) {
		struct json_doc *d = at[i] ? json_read_file(path_join(a, at[i], "config.json"), 64 << 20, i || !base ? &unheard : err) : NULL;
		bool usable = d && (base || arch_class_of(json_root(d)));

		json_free(d);
		if (usable)
			return arena_strdup(a, at[i]);
		if (base)
			return NULL;
	}
	heft_fail(err, HEFT_E_CONFIG, "%s: the adapter does not say what its weights are in the base model%s%s: give that model's directory with --base",
		  x->dir, said ? ", " : "", said ? said : "");
	return NULL;
}

int heft_lora_open(struct heft_model **out, const char *adapter, const char *base, struct heft_err *err)
{
	struct heft_open_options as_stored = { .as_stored = true };
	struct arena *a = arena_new();
	const char *file = lora_file(adapter, a, err);
	struct heft_model *m = NULL;
	int rc = file ? heft_open(&m, file, &as_stored, err) : -1;

	if (!rc) {
		m->adapter = arena_alloc(m->arena, sizeof *m->adapter);
		rc = lora_read(m->adapter, m, m->arena, err);
	}
	if (!rc && m->adapter->kind == LORA_GGUF)
		rc = heft_fail(err, HEFT_E_OPTION, "%s: is a GGUF adapter already", adapter);
	if (!rc) {
		m->dir = base_dir(m->adapter, base, m->arena, err);
		rc = m->dir ? 0 : -1;
	}
	arena_free(a);
	if (rc) {
		heft_close(m);
		m = NULL;
	}
	*out = m;
	return rc;
}
