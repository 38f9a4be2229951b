/*
 * machine.h - machines of Apple: their words, and `heft info --for`: does a model fit what the GPU of a machine may hold.
 */
#ifndef CMD_MACHINE_H
#define CMD_MACHINE_H

#include "cmd.h"
#include "heft_mac.h"
#include "heft_memory.h"

enum { MACHINE_ASSUMPTIONS = 6 };

struct machine_fit {
	struct heft_mac mac;
	uint64_t weights, cache, compute, needed; /* bytes */
	uint64_t context;      /* tokens that the cache is for; 0: the cache is not known */
	uint64_t most_context; /* the most that fit, as far as the model was trained; 0: none, or not known */
	bool fits;
	char assumption[MACHINE_ASSUMPTIONS][200];
	size_t n_assumptions;
};

/* words: "mac 16G", then those of heft_memory_parse(), as in "mac 16G ctx=32k kv=q8_0". */
int machine_parse(struct heft_mac *mac, struct heft_memory_options *o, const char *words, struct heft_err *err);
/* weights: bytes of them all. */
int machine_fit(struct machine_fit *out, const char *words, uint64_t weights, const struct heft_facts *facts, struct heft_err *err);
void machine_print(const struct machine_fit *f);
void machine_json(struct emitter *w, const struct machine_fit *f);

#endif
