/*
 * size.c owns what --fit means: the bytes of weights that a machine has room for, beside the cache of a context and what computing takes. Both
 * are llama.cpp's, for MLX and the directories of other runtimes too.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "machine.h"
#include "report.h"
#include "writer.h"

enum { RESERVE = 1 << 30 }; /* what llama.cpp leaves free of a GPU unless told otherwise; of a Mac the system keeps its part */

/* Of what is needed beside the weights; -1 with err. */
static int beside(struct heft_model *m, const struct heft_job *job, const struct heft_memory_options *o, uint64_t *bytes, struct heft_err *err)
{
	struct heft_memory memory = { 0 };
	struct heft_facts facts;
	int rc = heft_model_facts(m, job->arch, &facts, err);

	if (!rc) {
		rc = heft_memory_of(&memory, facts.kv, facts.n_kv, o, err);
		*bytes = memory.cache_bytes + memory.compute_most;
		heft_memory_release(&memory);
	}
	return rc;
}

/* Its words may come in any order; a machine has a name before its memory. */
static bool names_machine(const char *fit)
{
	return isalpha((unsigned char)*fit) && fit[strcspn(fit, "=, ")] != '=';
}

/* What a GPU may hold, and what is to stay free of that. */
static int parse(const char *fit, uint64_t *all, uint64_t *reserve, struct heft_memory_options *o, struct heft_err *err)
{
	struct heft_mac mac;
	int rc;

	*reserve = names_machine(fit) ? 0 : RESERVE;
	if (*reserve)
		return heft_memory_parse(fit, all, o, err);
	rc = machine_parse(&mac, o, fit, err);
	*all = rc ? 0 : mac.working_set;
	return rc;
}

int size_of_fit(const char *fit, struct heft_model *m, const struct heft_job *job, uint64_t *size, struct heft_err *err)
{
	struct heft_memory_options o = { 0 };
	uint64_t all = 0, reserve = 0, other = 0;

	if (parse(fit, &all, &reserve, &o, err) || beside(m, job, &o, &other, err))
		return -1;
	other += reserve;
	if (all <= other) {
		err->code = HEFT_E_OPTION;
		snprintf(err->text, sizeof err->text,
			 "--fit '%s': cache%s take %s, so that nothing is left for weights: take a shorter context (ctx=8k) or a smaller cache (kv=q8_0)",
			 fit, reserve ? ", computing and 1 GiB that stays free" : " and computing", human_bytes(other).s);
		return -1;
	}
	*size = all - other;
	return 0;
}
