/*
 * plan_columns.c - an importance matrix for weights that keep the source's own names: what GGUF calls each, by the model's family.
 *
 *   model.layers.0.mlp.experts.3.up_proj.weight [I, H]   is matrix 3 of   blk.0.ffn_up_exps.weight [E, I, H]
 *
 *   ... mlp.switch_mlp.up_proj.weight [E, I, H]          is all of it
 *
 * Both have the same inputs, so that the columns of one are those of the other. Where a family takes a tensor apart or joins several, the first
 * of its weights counts: they have their inputs in common. Refuses models whose family is not known.
 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "model.h"

struct link { /* a source tensor and a weight of the GGUF that is made of it */
	const struct heft_tensor *source;
	const struct weight *weight;
	uint64_t matrix; /* where several sources are stacked: which */
	size_t order;
};

static int by_source(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	if (x->source != y->source)
		return (uintptr_t)x->source < (uintptr_t)y->source ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static struct link *links_of(const struct family *f, size_t *n, struct arena *a)
{
	struct link *l;
	size_t k = 0;

	for (size_t i = 0; i < f->n_weights; i++)
		k += f->weight[i].n_sources;
	l = arena_array(a, k, sizeof *l);
	*n = 0;
	for (size_t i = 0; i < f->n_weights; i++)
		for (k = 0; k < f->weight[i].n_sources; k++, ++*n)
			l[*n] = (struct link){ f->weight[i].source[k], &f->weight[i], f->weight[i].combine == COMBINE_STACK ? k : 0, *n };
	qsort(l, *n, sizeof *l, by_source);
	return l;
}

static const struct link *find_link(const struct link *l, size_t n, const struct heft_tensor *source)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if ((uintptr_t)l[mid].source < (uintptr_t)source)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && l[low].source == source ? &l[low] : NULL;
}

/* Do its operations move the last axis elsewhere? Columns are inputs only where both sides do, or none. */
static bool turns(const struct weight *w)
{
	bool turned = false;

	for (int i = 0; i < w->n_ops; i++)
		if (w->op[i].kind == OP_PERM && w->op[i].n_args > 1 && w->op[i].arg[w->op[i].n_args - 1] != w->op[i].n_args - 1)
			turned = !turned;
	return turned;
}

/* Of a weight that is one of a stack: which, and of how many. */
static bool one_of(const struct weight *w, uint64_t *matrix, uint64_t *of)
{
	const struct op *first = w->n_ops ? &w->op[0] : NULL;

	if (!first || first->kind != OP_TAKE || w->source[0]->rank != 3 || first->arg[0] != 0 || first->arg[2] != 1)
		return false;
	*matrix = (uint64_t)first->arg[1];
	*of = w->source[0]->dim[0];
	return true;
}

/* rank: of the GGUF's weight. Parts of one matrix that are a stack have no columns of their own. */
static void name_weight(struct plan_weight *w, const char *gguf, int rank, const struct weight *stack, uint64_t matrix)
{
	bool all = w->weight->shape.rank > 2;

	if (all && rank < 3)
		return;
	w->old_name = gguf;
	w->matrix = matrix;
	w->matrices = all ? 0 : stack && stack->combine == COMBINE_STACK ? stack->n_sources : 1;
	if (!all)
		one_of(w->weight, &w->matrix, &w->matrices);
}

/* Does it stack what that one stacks? */
static bool same_stack(const struct weight *w, const struct weight *in_gguf)
{
	return w->combine == COMBINE_STACK && in_gguf->combine == COMBINE_STACK && w->n_sources == in_gguf->n_sources &&
	       !memcmp(w->source, in_gguf->source, w->n_sources * sizeof *w->source);
}

static int family_of(struct family *f, struct heft_plan *p, const struct heft_job *job, struct heft_err *err)
{
	struct heft_err why = { 0 };
	struct sink first = { .err = &why };
	struct family_options o = { .arch = job->arch, .names_only = true };

	if (job->arch && !strcmp(job->arch, "none"))
		return heft_fail(err, HEFT_E_OPTION, "--imatrix names tensors as GGUF does, which with --arch none is not known");
	if (!family_resolve(f, p->model, &o, p->arena, &first, &why))
		return 0;
	return heft_fail(err, HEFT_E_IMATRIX, "--imatrix names tensors as GGUF does, which is not known of this model: %s", why.text);
}

int plan_columns(struct heft_plan *p, const struct heft_job *job, struct heft_err *err)
{
	struct family f = { 0 };
	struct link *l = NULL;
	size_t n = 0;

	if (!model_speaks_gguf(p->model)) {
		if (family_of(&f, p, job, err))
			return -1;
		l = links_of(&f, &n, p->arena);
	}
	for (size_t i = 0; i < p->n_weights; i++) {
		struct plan_weight *w = &p->weight[i];
		const struct heft_tensor *source = w->weight->n_sources ? w->weight->source[0] : NULL;
		const struct link *at = source && l ? find_link(l, n, source) : NULL;
		bool alone = w->weight->n_sources == 1;

		w->old_name = "";
		if (at && turns(at->weight) == turns(w->weight) && (alone || same_stack(w->weight, at->weight)))
			name_weight(w, at->weight->name, at->weight->shape.rank, at->weight, at->matrix);
		else if (source && alone && !l)
			name_weight(w, source->name, source->rank, NULL, 0);
	}
	return 0;
}
