/*
 * report_importance.c owns what `heft convert` says of an importance matrix: how many tensors it weighs, which ones have no
 * entry, which types cannot do without one.
 */
#include <string.h>

#include "report.h"

enum { LISTED = 10 };

static bool unweighted(const struct heft_item *it)
{
	return !it->weighted && !it->lossless && heft_encoding_lossy(it->to);
}

static bool needs(const struct heft_item *it)
{
	return it->needs_imatrix;
}

static void list(const struct heft_output *o, bool (*wanted)(const struct heft_item *), size_t n, size_t limit, FILE *f)
{
	size_t shown = 0;

	for (size_t i = 0; i < o->n_items && shown < limit; i++) {
		if (!wanted(&o->item[i]))
			continue;
		fputs("    ", f);
		safe_puts(f, o->item[i].name);
		fprintf(f, "  %s\n", heft_encoding_name(o->item[i].to));
		shown++;
	}
	if (n > shown)
		fprintf(f, "    and %zu more: --dry-run lists all\n", n - shown);
}

static void report_output(const struct heft_output *o, size_t limit, FILE *f)
{
	size_t all = o->n_weighted + o->n_unweighted;

	if (all)
		fprintf(f, "  importance matrix: weighs %zu of %zu quantized tensors%s\n", o->n_weighted, all,
			o->n_unweighted ? "; no entry for" : "");
	if (o->n_unweighted)
		list(o, unweighted, o->n_unweighted, limit, f);
	if (!o->n_needs_imatrix)
		return;
	fprintf(f, "  %s%zu tensor%s of a type that needs an importance matrix %s no entry, so that a run will refuse:%s\n",
		style(f, YELLOW), o->n_needs_imatrix, o->n_needs_imatrix == 1 ? "" : "s", o->n_needs_imatrix == 1 ? "has" : "have",
		style(f, PLAIN));
	list(o, needs, o->n_needs_imatrix, limit, f);
}

void report_importance(const struct heft_plan *p, bool all, FILE *f)
{
	for (size_t i = 0; i < heft_plan_outputs(p); i++) {
		const struct heft_output *o = heft_plan_output(p, i);

		if (!o->n_weighted && !o->n_unweighted && !o->n_needs_imatrix)
			continue;
		if (heft_plan_outputs(p) > 1) {
			safe_puts(f, o->path);
			fputs(":\n", f);
		}
		report_output(o, all ? SIZE_MAX : LISTED, f);
	}
}
