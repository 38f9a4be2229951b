/*
 * plan_build.h - a plan while it is made. Inside of plan.c and plan_types.c only.
 */
#ifndef PLAN_BUILD_H
#define PLAN_BUILD_H

#include "plan.h"

#include "../quant/quant.h"

#include <strings.h>

struct build {
	struct heft_plan *plan;
	const struct heft_job *job;
	struct heft_err *err;
	const struct plan_instead *instead; /* of each output, or NULL */
	const struct format *format;
	const struct target *target;
	bool keeps_names;          /* it has the source's own names */
	bool from_gguf;
	const char *auto_type;     /* what -t auto stands for */
	const struct heft_encoding *output_type, *embedding_type; /* or NULL */
	uint32_t *part;            /* of each weight, with keep_split; else NULL */
	struct kv_list facts;      /* metadata as the recipes see it */
	const char *via;           /* what --via says; NULL where it is not given: auto, but a float type goes there directly */
};

static inline bool is_word(const char *given, const char *word)
{
	return given && !strcasecmp(given, word);
}

static inline bool is_plain_float(const char *type)
{
	return is_word(type, "f32") || is_word(type, "f16") || is_word(type, "bf16");
}

static inline const struct heft_encoding *source_encoding(const struct weight *w)
{
	return w->n_sources ? w->source[0]->enc : quant_find("f32");
}

/* plan_types.c: of a container that keeps the source's names, all float tensors become one type; of a GGUF, as its recipe and the user's rules
 * have it; does the container know this word for a type. */
void plan_cast_all(struct build *b, struct plan_output *o, const char *type);
int plan_decide_types(struct build *b, struct plan_output *o, const char *given, const char *type);
int plan_known_type(const struct build *b, const char *type);

#endif
