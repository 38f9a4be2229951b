/*
 * plan_experts.c - takes experts apart that a checkpoint stores as one tensor: a weight for each expert's matrices, under the names that GPU
 * runtimes and llm-compressor read.
 *
 *   mlp.experts.gate_up_proj       [E, 2I, H]  ->  mlp.experts.0.gate_proj.weight [I, H]   the first I rows, or
 *                                                  mlp.experts.0.up_proj.weight   [I, H]   every other one (gpt-oss)
 *   mlp.experts.down_proj          [E, H, I]   ->  mlp.experts.0.down_proj.weight [H, I]
 *   mlp.experts.gate_up_proj_bias  [E, 2I]     ->  mlp.experts.0.gate_proj.bias   [I] ...
 *
 * Llama 4, gpt-oss and Qwen3-VL have each matrix the other way round, [E, H, 2I]: the shapes tell, against hidden_size, and where they do not
 * the class does. Names are those of transformers (5.12, conversion_mapping) before its classes join the experts. Weights are views of their
 * source: nothing is read here. Tensors of other shapes stay whole.
 */
#include "plan.h"

#include <string.h>

#include "../base/json.h"
#include "../quant/quant.h"
#include "model.h"

enum { MATRIX_OPS = 5 }; /* that taking apart adds at most */

/* What is special of a class. */
static const struct maker {
	const char *type;  /* model_type */
	bool turned;       /* [in, out], where shapes leave it open */
	bool alternate;    /* rows of gate and up take turns */
	bool numbered;     /* w1, w3 and w2 instead of gate_proj, up_proj and down_proj */
	const char *moe;   /* its checkpoints have this instead of "mlp" */
} makers[] = {
	{ "gpt_oss", true, true, false, NULL },
	{ "llama4", true, false, false, NULL },
	{ "llama4_text", true, false, false, NULL },
	{ "qwen3_vl_moe", true, false, false, NULL },
	{ "qwen3_vl_moe_text", true, false, false, NULL },
	{ "mixtral", false, false, true, "block_sparse_moe" },
	{ "phimoe", false, false, true, "block_sparse_moe" },
	{ "minimax", false, false, true, "block_sparse_moe" },
	{ "minimax_m2", false, false, true, "block_sparse_moe" },
	{ "lfm2_moe", false, false, true, NULL },
	{ "granitemoe", false, false, true, NULL },
	{ "granitemoeshared", false, false, true, NULL },
	{ "granitemoehybrid", false, false, true, NULL },
	{ NULL, false, false, false, NULL },
};

enum matrix { GATE, UP, DOWN };

static const struct fused {
	const char *module, *rest; /* what its name ends with: the module that has the experts, and the tensor in it */
	enum matrix first;
	int n;                     /* matrices of an expert in it */
	bool bias;
} fuseds[] = {
	{ ".experts", ".gate_up_proj", GATE, 2, false },
	{ ".experts", ".gate_up_proj.weight", GATE, 2, false },
	{ ".experts", ".up_proj", UP, 1, false },
	{ ".experts", ".down_proj", DOWN, 1, false },
	{ ".experts", ".down_proj.weight", DOWN, 1, false },
	{ ".experts", ".gate_up_proj_bias", GATE, 2, true },
	{ ".experts", ".down_proj_bias", DOWN, 1, true },
	{ ".block_sparse_moe", ".input_linear.weight", GATE, 2, false },
	{ ".block_sparse_moe", ".output_linear.weight", DOWN, 1, false },
};

struct splitting {
	struct arena *arena;
	const struct maker *maker;
	uint64_t hidden;
	struct weight *weight; /* the new list */
	size_t n, cap;
	bool any, whole; /* whole: they stay one tensor, each matrix straight */
	struct heft_err *err;
};

/* ---- what it is ---- */

static bool ends_with(const char *name, size_t n, const char *end)
{
	size_t e = strlen(end);

	return n > e && !memcmp(name + n - e, end, e);
}

/* *before: the bytes in front of the module's own name. */
static const struct fused *fused_of(const struct weight *w, size_t *before)
{
	size_t n = strlen(w->name);

	for (const struct fused *f = fuseds; f < fuseds + sizeof fuseds / sizeof *fuseds; f++) {
		size_t rest = strlen(f->rest);

		if (w->shape.rank != (f->bias ? 2 : 3) || !ends_with(w->name, n, f->rest) || !ends_with(w->name, n - rest, f->module))
			continue;
		*before = n - rest - strlen(f->module);
		return f;
	}
	return NULL;
}

static bool is_packed(const struct weight *w)
{
	return w->n_sources == 1 && w->source[0]->packed;
}

/* Is each matrix [in, out]? Codes of a packed tensor are as they are stored, whatever its library makes of them. */
static bool is_turned(const struct splitting *s, const struct weight *w, const struct fused *f)
{
	bool straight, turned;

	if (is_packed(w) && w->source[0]->packed->turns)
		return false;
	straight = w->shape.dim[f->first == DOWN ? 1 : 2] == s->hidden;
	turned = w->shape.dim[f->first == DOWN ? 2 : 1] == s->hidden;
	return straight == turned ? s->maker->turned : turned;
}

static bool can_split(const struct splitting *s, const struct weight *w, const struct fused *f)
{
	uint64_t rows = w->shape.dim[!f->bias && is_turned(s, w, f) ? 2 : 1];

	if (w->generated || w->n_ops > 4 || rows % (uint64_t)f->n || w->shape.dim[0] > UINT32_MAX)
		return false;
	return w->n_sources == 1 && !w->source[0]->lora;
}

/* ---- views ---- */

static void add_op(struct weight *w, struct op *op, enum op_kind kind, int n, const int64_t *arg, struct arena *a)
{
	op[w->n_ops++] = (struct op){ .kind = kind, .n_args = n, .arg = (const int64_t *)arena_memdup(a, arg, (size_t)n * sizeof *arg) };
}

static void add(struct splitting *s, const struct weight *w)
{
	s->weight = arena_grow(s->arena, s->weight, &s->cap, s->n + 1, sizeof *s->weight);
	s->weight[s->n++] = *w;
}

/* Its matrices stand [out, in] behind this. */
static int straighten(struct splitting *s, struct weight *w)
{
	static const int64_t axes[] = { 0, 2, 1 };
	const struct heft_tensor **source;
	struct op *op;

	if (w->n_ops) {
		op = arena_array(s->arena, (size_t)w->n_ops + 1, sizeof *op);
		memcpy(op, w->op, (size_t)w->n_ops * sizeof *op);
		add_op(w, op, OP_PERM, 3, axes, s->arena);
		w->op = op;
	} else {
		source = arena_alloc(s->arena, sizeof *source);
		*source = packed_turned(w->source[0], s->arena);
		if (!*source)
			return heft_fail(s->err, HEFT_E_SHAPE, "tensor '%s': its experts cannot be turned; --ignore '%s' leaves them", w->name, w->name);
		w->source = source;
	}
	return weight_shape(w, s->err);
}

/* Matrix (or bias) k of expert e; the whole stands straight. */
static int add_view(struct splitting *s, const struct weight *whole, const struct fused *f, const char *name, uint64_t e, int k)
{
	struct weight w = *whole;
	struct op *op = arena_array(s->arena, (size_t)w.n_ops + MATRIX_OPS, sizeof *op);
	const struct shape *is = &whole->shape;
	int64_t rows = (int64_t)is->dim[1] / f->n;
	const int64_t expert[] = { 0, (int64_t)e, 1 }, matrix[] = { (int64_t)is->dim[1], (int64_t)is->dim[2] };
	const int64_t half[] = { 0, k * rows, rows }, other[] = { 0, k, rows, 2 };

	for (int i = 0; i < w.n_ops; i++)
		op[i] = w.op[i];
	add_op(&w, op, OP_TAKE, 3, expert, s->arena);
	add_op(&w, op, OP_VIEW, f->bias ? 1 : 2, matrix, s->arena);
	if (f->n > 1 && s->maker->alternate)
		add_op(&w, op, OP_TAKE, 4, other, s->arena);
	else if (f->n > 1)
		add_op(&w, op, OP_TAKE, 3, half, s->arena);
	w.op = op;
	w.name = name;
	if (weight_shape(&w, s->err))
		return -1;
	add(s, &w);
	return 0;
}

static int split(struct splitting *s, const struct weight *from, const struct fused *f, size_t before)
{
	static const char *const names[][3] = { { "gate_proj", "up_proj", "down_proj" }, { "w1", "w3", "w2" } };
	const char *between = strcmp(f->module, ".experts") ? f->module : "";
	struct weight whole = *from;

	if (!f->bias && is_turned(s, from, f) && straighten(s, &whole))
		return -1;
	if (s->whole) {
		add(s, &whole);
		return 0;
	}
	for (uint64_t e = 0; e < whole.shape.dim[0]; e++)
		for (int k = 0; k < f->n; k++) {
			const char *name = arena_printf(s->arena, "%.*s%s.experts.%llu.%s.%s", (int)before, from->name, between, (unsigned long long)e,
							names[s->maker->numbered][(int)f->first + k], f->bias ? "bias" : "weight");

			if (add_view(s, &whole, f, name, e, k))
				return -1;
		}
	s->any = true;
	return 0;
}

/* A weight that is not taken apart, as its library has it. */
static void take_over(struct splitting *s, const struct weight *from)
{
	struct weight w = *from;
	const struct heft_tensor *t = is_packed(&w) && w.source[0]->packed->turns && !w.n_ops ? packed_turned(w.source[0], s->arena) : NULL;

	if (t) {
		const struct heft_tensor **source = arena_alloc(s->arena, sizeof *source);

		*source = t;
		w.source = source;
		w.shape.rank = t->rank;
		memcpy(w.shape.dim, t->dim, sizeof w.shape.dim);
	}
	add(s, &w);
}

/* ---- names ---- */

static const char *with(const char *name, const char *part, const char *instead, struct arena *a)
{
	const char *at = strstr(name, part);

	return at ? arena_printf(a, "%.*s%s%s", (int)(at - name), name, instead, at + strlen(part)) : name;
}

/* As the class's own checkpoints have them, where this one has its modules' names. */
static void rename_all(struct splitting *s)
{
	const char *moe = s->maker->moe ? arena_printf(s->arena, ".%s.", s->maker->moe) : NULL;

	for (size_t i = 0; i < s->n && s->any && moe; i++) {
		const char *name = with(s->weight[i].name, ".mlp.", moe, s->arena);

		s->weight[i].name = with(name, arena_printf(s->arena, "%srouter.", moe), arena_printf(s->arena, "%sgate.", moe), s->arena);
	}
}

/* ---- all ---- */

static const struct maker *maker_of(const char *type)
{
	const struct maker *m = makers;

	while (m->type && (!type || strcmp(type, m->type)))
		m++;
	return m;
}

int plan_experts(struct heft_plan *p, const struct target *target, struct heft_err *err)
{
	struct family *f = &p->family;
	struct splitting s = { .arena = p->arena, .whole = target->experts, .err = err };
	struct json_doc *doc = plan_config_doc(p);
	const struct json *root = json_root(doc), *text = json_get(root, "text_config");

	s.maker = maker_of(json_cstr(json_get(text ? text : root, "model_type")));
	if (!json_uint(json_get(text, "hidden_size"), &s.hidden))
		json_uint(json_get(root, "hidden_size"), &s.hidden);
	json_free(doc);
	if (target->stacks)
		return plan_stack(p, err);
	if (s.whole && !s.maker->alternate)
		return heft_fail(err, HEFT_E_TYPE, "--to %s is gpt-oss's own layout, which this model has not; --to mxfp4a16 is for any", target->name);
	for (size_t i = 0; i < f->n_weights; i++) {
		size_t before;
		const struct fused *is = fused_of(&f->weight[i], &before);

		if (!is || !can_split(&s, &f->weight[i], is))
			take_over(&s, &f->weight[i]);
		else if (split(&s, &f->weight[i], is, before))
			return -1;
	}
	rename_all(&s);
	f->weight = s.weight;
	f->n_weights = s.n;
	return 0;
}
