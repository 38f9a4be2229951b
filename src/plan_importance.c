/*
 * plan_importance.c - which entry of an importance matrix weighs which tensor.
 *
 * Refuses a matrix that names nothing of the model, and an entry that does not fit its tensor (the token embeddings' apart, as
 * llama-quantize does: few matrices have them right). That a type cannot do without one is noted here and refused by the run, so that a
 * plan can still be looked at.
 */
#include "plan.h"

#include "../quant/quant.h"
#include "model.h"

#include <inttypes.h>
#include <string.h>

/* ---- which entries are used ---- */

static bool has_part(const char *name, const char *const *part, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(name, part[i]))
			return true;
	return false;
}

static int check_parts(const struct heft_imatrix *im, const char *option, const char *const *part, size_t n, struct heft_err *err)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < im->n_entries && !strstr(im->entry[k].name, part[i]))
			k++;
		if (k == im->n_entries)
			return heft_fail(err, HEFT_E_PATTERN, "%s '%s' is part of no entry's name in '%s'", option, part[i], im->path[0]);
	}
	return 0;
}

static int select_entries(struct heft_imatrix *im, const struct heft_job *job, struct heft_err *err)
{
	struct heft_imatrix_entry *kept = arena_array(im->arena, im->n_entries, sizeof *kept);
	size_t n = 0;

	if (check_parts(im, "--include-weights", job->include_weights, job->n_include_weights, err) ||
	    check_parts(im, "--exclude-weights", job->exclude_weights, job->n_exclude_weights, err))
		return -1;
	for (size_t i = 0; i < im->n_entries; i++)
		if (!has_part(im->entry[i].name, job->exclude_weights, job->n_exclude_weights) &&
		    (!job->n_include_weights || has_part(im->entry[i].name, job->include_weights, job->n_include_weights)))
			kept[n++] = im->entry[i];
	im->entry = kept;
	im->n_entries = n;
	return n ? 0 : heft_fail(err, HEFT_E_PATTERN, "no entry of '%s' is left to be used", im->path[0]);
}

static bool names_any(const struct heft_imatrix *im, const struct heft_plan *p)
{
	for (size_t i = 0; i < p->n_weights; i++)
		if (heft_imatrix_find(im, p->weight[i].old_name))
			return true;
	return false;
}

int plan_open_importance(struct heft_plan *p, const struct heft_job *job, struct heft_err *err)
{
	if (!job->imatrix)
		return job->n_include_weights || job->n_exclude_weights
			       ? heft_fail(err, HEFT_E_OPTION, "--include-weights and --exclude-weights go with --imatrix")
			       : 0;
	if (heft_imatrix_open(&p->imatrix, job->imatrix, err) || select_entries(p->imatrix, job, err))
		return -1;
	if (p->n_weights && !names_any(p->imatrix, p))
		return heft_fail(err, HEFT_E_IMATRIX, "'%s' has no entry for any tensor of this model (its first is '%s'): it is another model's",
				 job->imatrix, p->imatrix->entry[0].name);
	return 0;
}

/* ---- what a type needs ---- */

static bool is_embedding(const char *name)
{
	return !strcmp(name, "token_embd.weight") || !strcmp(name, "per_layer_token_embd.weight");
}

/* The reference makes these of the embeddings and the output without one. */
static bool reference_needs(const struct plan_output *o, const struct heft_item *it)
{
	if (is_embedding(it->name) || !strcmp(it->name, "output.weight"))
		return false;
	return heft_encoding_needs_imatrix(it->to) || (!strcmp(it->to->name, "q2_k") && !strcmp(o->pub.type, "q2_k_s"));
}

int plan_check_needs(const struct heft_plan *p, struct heft_err *err)
{
	if (p->sizes_only)
		return heft_fail(err, HEFT_E_OPTION, "this plan has no vocabulary: it tells sizes and cannot be run");
	for (size_t k = 0; k < p->n_outputs; k++)
		for (size_t i = 0; i < p->n_weights; i++) {
			const struct heft_item *it = &p->output[k].item[i];

			if (!it->needs_imatrix)
				continue;
			if (p->imatrix)
				return heft_fail(err, HEFT_E_NEEDS_IMATRIX,
						 "tensor '%s': %s needs an importance matrix, and '%s' has no entry for it; name another type with "
						 "--tensor-type '%s=TYPE'", it->name, it->to->name, p->imatrix->path[0], it->name);
			return heft_fail(err, HEFT_E_NEEDS_IMATRIX,
					 "tensor '%s': %s needs an importance matrix; give one with --imatrix (llama-imatrix makes it)",
					 it->name, it->to->name);
		}
	return 0;
}

/* ---- items ---- */

static uint64_t dim_from_end(const struct heft_item *it, int i)
{
	return it->rank > i ? it->dim[it->rank - 1 - i] : 1;
}

/* Of an entry's matrices, the one that is this weight's; NULL: it has others. */
static const float *part_of(const struct heft_imatrix_entry *e, const struct plan_weight *w, uint64_t columns)
{
	return e->columns * e->matrices == columns * w->matrices ? e->mean + w->matrix * columns : NULL;
}

static int find_entry(const struct heft_plan *p, const struct plan_output *o, size_t i, const float **importance, struct heft_err *err)
{
	const struct heft_item *it = &o->item[i];
	const struct heft_imatrix_entry *e = p->imatrix ? heft_imatrix_find(p->imatrix, p->weight[i].old_name) : NULL;
	uint64_t columns = dim_from_end(it, 0), matrices = dim_from_end(it, 2);

	*importance = NULL;
	if (!e)
		return 0;
	if (p->weight[i].matrices && p->weight[i].matrix < p->weight[i].matrices)
		*importance = part_of(e, &p->weight[i], columns);
	else if (e->columns * e->matrices == columns * matrices)
		*importance = e->mean;
	if (*importance)
		return 0;
	if (!is_embedding(e->name))
		return heft_fail(err, HEFT_E_IMATRIX,
				 "'%s' has %" PRIu64 " values for tensor '%s', which has %" PRIu64 " columns in %" PRIu64
				 " matri%s: it is another model's", p->imatrix->path[0], e->columns * e->matrices, it->name, columns, matrices,
				 matrices == 1 ? "x" : "ces");
	return 0;
}

/* ---- metadata ---- */

/* A path says who made the file and where: only its last part is anybody's business. */
static struct heft_value last_part(const char *path, struct arena *a)
{
	const char *back = strrchr(path, '\\');

	return value_string(arena_strdup(a, path_base(back ? back + 1 : path)));
}

/* As llama-quantize does, behind all other keys. */
static void set_keys(struct plan_output *o, const struct heft_imatrix *im, struct arena *a)
{
	kv_remove_prefix(&o->kv, "quantize.imatrix.");
	kv_set_last(&o->kv, "quantize.imatrix.file", last_part(im->path[0], a));
	if (im->n_datasets)
		kv_set_last(&o->kv, "quantize.imatrix.dataset", last_part(im->dataset[0], a));
	kv_set_last(&o->kv, "quantize.imatrix.entries_count", value_u32((uint32_t)im->n_entries));
	if (im->chunks)
		kv_set_last(&o->kv, "quantize.imatrix.chunks_count", value_u32((uint32_t)im->chunks));
}

int plan_importance(struct heft_plan *p, struct plan_output *o, const struct heft_job *job, struct heft_err *err)
{
	if (p->imatrix)
		o->importance = arena_array(p->arena, p->n_weights, sizeof *o->importance);
	for (size_t i = 0; i < p->n_weights; i++) {
		struct heft_item *it = &o->item[i];
		const float *importance;

		if (o->copy[i] || it->to->class != QUANT_BLOCK || (o->scheme && !(o->scheme[i] && scheme_searches(o->scheme[i]))))
			continue;
		if (find_entry(p, o, i, &importance, err))
			return -1;
		if (importance)
			o->importance[i] = importance;
		it->weighted = importance != NULL;
		it->needs_imatrix = !importance && (it->to->needs_weights || reference_needs(o, it));
		o->pub.n_weighted += it->weighted;
		o->pub.n_unweighted += p->imatrix && !importance;
		o->pub.n_needs_imatrix += it->needs_imatrix;
	}
	if (p->imatrix && o->scheme && !o->pub.n_weighted && !o->instead && !o->recipe) /* those may have been chosen by it */
		return heft_fail(err, HEFT_E_OPTION, "--imatrix: nothing is searched for that it could weigh; --to w4a16 and the other layouts of 4 bits do");
	if (p->imatrix && !o->scheme)
		set_keys(o, p->imatrix, p->arena);
	return 0;
}
