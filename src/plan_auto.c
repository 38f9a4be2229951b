/*
 * plan_auto.c - what -t auto stands for: the 16-bit float type of the source.
 */
#include "plan.h"

#include "../quant/quant.h"

#include <string.h>

static bool is_16_bit_matrix(const struct heft_tensor *t)
{
	return t->rank >= 2 && (!strcmp(t->enc->name, "bf16") || !strcmp(t->enc->name, "f16"));
}

/* The reference's rule: the first tensor of two or more dimensions that is BF16 or F16 decides, file by file, by name within a file;
 * where there is none, F16. */
static bool is_first(const struct heft_tensor *t, const struct heft_tensor *best)
{
	uint32_t file = t->plane[0].file, best_file = best ? best->plane[0].file : 0;

	return is_16_bit_matrix(t) && (!best || file < best_file || (file == best_file && strcmp(t->name, best->name) < 0));
}

const char *plan_auto_type(const struct heft_model *m)
{
	const struct heft_tensor *best = NULL;

	for (size_t i = 0; i < m->n_tensors; i++)
		if (is_first(&m->tensor[i], best))
			best = &m->tensor[i];
	return best ? best->enc->name : "f16";
}

const char *plan_auto_type_of(const struct family *f)
{
	const struct heft_tensor *best = NULL;

	for (size_t i = 0; i < f->n_weights; i++)
		for (size_t k = 0; k < f->weight[i].n_sources; k++)
			if (is_first(f->weight[i].source[k], best))
				best = f->weight[i].source[k];
	return best ? best->enc->name : "f16";
}
