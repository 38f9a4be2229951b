/*
 * size.c owns what --fit means: the bytes of weights that a machine has room for, beside the cache of a context and what computing takes. Both
 * are llama.cpp's, for MLX and the directories of other runtimes too.
 */
#include <inttypes.h>

#include "heft_memory.h"
#include "report.h"
#include "writer.h"

enum { RESERVE = 1 << 30 }; /* what llama.cpp leaves free of a GPU unless told otherwise */

/* Of what is needed beside the weights; -1 with err. */
static int beside(struct heft_model *m, const struct heft_job *job, const struct heft_memory_options *o, uint64_t *bytes, struct heft_err *err)
{
	struct heft_memory memory = { 0 };
	struct heft_facts facts;
	int rc = heft_model_facts(m, job->arch, &facts, err);

	if (!rc) {
		rc = heft_memory_of(&memory, facts.kv, facts.n_kv, o, err);
		*bytes = memory.cache_bytes + memory.compute_most + RESERVE;
		heft_memory_release(&memory);
	}
	return rc;
}

int size_of_fit(const char *fit, struct heft_model *m, const struct heft_job *job, uint64_t *size, struct heft_err *err)
{
	struct heft_memory_options o = { 0 };
	uint64_t all = 0, other = 0;

	if (heft_memory_parse(fit, &all, &o, err) || beside(m, job, &o, &other, err))
		return -1;
	if (all <= other) {
		err->code = HEFT_E_OPTION;
		snprintf(err->text, sizeof err->text,
			 "--fit '%s': cache, computing and 1 GiB that stays free take %s, so that nothing is left for weights: "
			 "take a shorter context (ctx=8k) or a smaller cache (kv=q8_0)",
			 fit, human_bytes(other).s);
		return -1;
	}
	*size = all - other;
	return 0;
}
