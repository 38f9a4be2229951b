/*
 * plan_check.c - options of a job: which do not go together, what they ask of the family and of single weights.
 */
#include "plan.h"

#include "../quant/quant.h"
#include "model.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

enum { FAMILY_CHOICES = 3 };

/* What the job asks its family for, by the names that families use. */
const char *const *plan_family_choices(const struct heft_job *j, struct arena *a)
{
	const struct {
		bool asked;
		const char *name;
	} rows[FAMILY_CHOICES] = { { j->mtp, "mtp" }, { j->no_mtp, "no_mtp" }, { j->mmproj, "mmproj" } };
	const char **list = arena_array(a, FAMILY_CHOICES + 1, sizeof *list);
	size_t n = 0;

	for (size_t i = 0; i < FAMILY_CHOICES; i++)
		if (rows[i].asked)
			list[n++] = rows[i].name;
	return list;
}

bool plan_fp8_as_q8(const struct heft_job *j, const struct weight *w)
{
	const struct heft_tensor *t = w->n_sources ? w->source[0] : NULL;

	if (!j->fp8_as_q8 || !t || !t->packed || strncmp(t->enc->name, "fp8_", 4) != 0)
		return false;
	return w->shape.rank > 1 && fnmatch("*_norm.weight", w->name, 0) && w->shape.dim[w->shape.rank - 1] % quant_find("q8_0")->block == 0;
}

/* The reference turns what it holds as numbers: BF16 it holds as bytes. */
size_t plan_turns(const struct heft_encoding *e)
{
	if (e->class == QUANT_BLOCK)
		return 0;
	return strcmp(e->name, "bf16") ? e->plane[0].bytes : 1;
}

int plan_check_together(const struct heft_job *j, const struct heft_model *m, const struct target *target, struct heft_err *err)
{
	bool keeps_names = target->keeps_names;
	bool quantizes = (j->n_tensor_types && !target->scheme) || j->output_tensor_type || j->token_embedding_type || j->pure || j->leave_output_tensor;

	if (keeps_names && (quantizes || j->vocab_only || j->n_override_kv || j->n_prune_layers || j->keep_split || (j->imatrix && !target->scheme)))
		return heft_fail(err, HEFT_E_OPTION,
				 "--imatrix, types of single tensors, --pure, --override-kv, --prune-layers, --keep-split and --vocab-only go with --to gguf");
	if (j->imatrix && target->scheme && j->method == HEFT_METHOD_RTN)
		return heft_fail(err, HEFT_E_OPTION, "--imatrix weighs what a search compares: --method rtn has nothing for it");
	if (j->effort == HEFT_EFFORT_HIGH && target->scheme)
		return heft_fail(err, HEFT_E_OPTION, "--effort is for GGUF's types; for GPU runtimes --method says how scales are found, and searches unless told otherwise");
	if (j->signed_scales && (!target->scheme || j->method == HEFT_METHOD_RTN))
		return heft_fail(err, HEFT_E_OPTION, "--signed-scales goes with the search for GPU runtimes: --to w4a16, gptq and the like, without --method rtn");
	if ((j->n_ignore || j->n_targets) && !target->scheme)
		return heft_fail(err, HEFT_E_OPTION, "--ignore and --targets go with --to for GPU runtimes; with GGUF, --tensor-type names single tensors");
	if (j->machine && strcasecmp(j->machine, "mac") != 0)
		return heft_fail(err, HEFT_E_OPTION, "--for '%s': a file can be made for 'mac'; 'heft info FILE --for \"mac 16G\"' says what fits a machine", j->machine);
	if (j->machine && (keeps_names || j->vocab_only || m->adapter))
		return heft_fail(err, HEFT_E_OPTION, "--for mac chooses the types of a GGUF model; with --to mlx, -t 4bit-f16 and the like have scales for M1 and M2");
	if (keeps_names && j->big_endian)
		return heft_fail(err, HEFT_E_OPTION, "--bigendian goes with --to gguf");
	if ((j->fuse_qkv || j->fuse_gate_up_exps) && (keeps_names || model_speaks_gguf(m) || m->adapter || (j->arch && !strcmp(j->arch, "none"))))
		return heft_fail(err, HEFT_E_OPTION, "--fuse-qkv and --fuse-gate-up-exps: only a checkpoint that becomes a GGUF by its family has a choice there");
	if (j->leave_output_tensor && j->output_tensor_type)
		return heft_fail(err, HEFT_E_OPTION, "--leave-output-tensor and --output-tensor-type do not go together");
	if (j->consume && j->vocab_only)
		return heft_fail(err, HEFT_E_OPTION, "--consume and --vocab-only do not go together");
	if (j->consume && m->archive)
		return heft_fail(err, HEFT_E_OPTION, "--consume removes files, not members of an archive");
	for (size_t i = 0; j->consume && i < j->n_outputs; i++)
		if (j->output[i].path && !strcmp(j->output[i].path, "-"))
			return heft_fail(err, HEFT_E_OPTION, "--consume needs an output that is safe on disk: name a file with -o");
	if (j->mtp && j->no_mtp)
		return heft_fail(err, HEFT_E_OPTION, "--mtp and --no-mtp do not go together");
	if (j->mmproj && j->vocab_only)
		return heft_fail(err, HEFT_E_OPTION, "--mmproj and --vocab-only do not go together: a projector file has no vocabulary");
	if (j->keep_split && (j->split_size || j->split_tensors || j->no_tensor_first_split))
		return heft_fail(err, HEFT_E_OPTION, "--keep-split goes with no other option that splits");
	return 0;
}
