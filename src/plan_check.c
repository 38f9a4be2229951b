/*
 * plan_check.c - options of a job that do not go together.
 */
#include "plan.h"

#include <string.h>

int plan_check_together(const struct heft_job *j, const struct heft_model *m, bool keeps_names, struct heft_err *err)
{
	bool quantizes = j->n_tensor_types || j->output_tensor_type || j->token_embedding_type || j->pure || j->leave_output_tensor;

	if (keeps_names && (quantizes || j->vocab_only || j->n_override_kv || j->n_prune_layers || j->keep_split || j->imatrix))
		return heft_fail(err, HEFT_E_OPTION,
				 "--imatrix, types of single tensors, --pure, --override-kv, --prune-layers, --keep-split and --vocab-only go with --to gguf");
	if (j->leave_output_tensor && j->output_tensor_type)
		return heft_fail(err, HEFT_E_OPTION, "--leave-output-tensor and --output-tensor-type do not go together");
	if (j->consume && j->vocab_only)
		return heft_fail(err, HEFT_E_OPTION, "--consume and --vocab-only do not go together");
	if (j->consume && m->archive)
		return heft_fail(err, HEFT_E_OPTION, "--consume removes files, not members of an archive");
	for (size_t i = 0; j->consume && i < j->n_outputs; i++)
		if (j->output[i].path && !strcmp(j->output[i].path, "-"))
			return heft_fail(err, HEFT_E_OPTION, "--consume needs an output that is safe on disk: name a file with -o");
	if (j->keep_split && (j->split_size || j->split_tensors || j->no_tensor_first_split))
		return heft_fail(err, HEFT_E_OPTION, "--keep-split goes with no other option that splits");
	return 0;
}
