/*
 * plan_codes.c - sources whose numbers are codes already: what a target must have so that they stay what they are.
 *
 *   number = code * scale, a scale per group    in the target: the same group or one that it holds whole, room for the code, the scale's type
 *
 * That they do stay is seen number by number when they are encoded (quant/fit.h, fit_exact); here is what a plan can know before.
 */
#include "plan.h"

#include <string.h>

#include "../quant/quant.h"
#include "packed.h"

/* Blocks of 32 of GGUF with a half as scale. */
static const struct kept {
	const char *name;
	unsigned bits;
	bool either; /* scales of either sign, whose largest code is that of the negative end */
} kepts[] = {
	{ "q4_0", 4, true },
	{ "q5_0", 5, true },
	{ "q8_0", 8, false },
};

static const struct kept *kept_of(const struct weight *w)
{
	const struct heft_encoding *e = w->n_sources ? w->source[0]->enc : NULL;

	for (size_t i = 0; e && i < sizeof kepts / sizeof *kepts; i++)
		if (!strcmp(kepts[i].name, e->name))
			return &kepts[i];
	return NULL;
}

bool plan_is_quantized(const struct weight *w)
{
	return w->n_sources && w->source[0]->enc->class == QUANT_BLOCK;
}

/* The first matrix whose codes could be kept speaks for all: a checkpoint has one type and one size. */
static const struct weight *speaker(const struct heft_plan *p)
{
	for (size_t i = 0; i < p->n_weights; i++) {
		const struct weight *w = p->weight[i].weight;

		if (w->n_sources && (kept_of(w) || (w->source[0]->packed && packed_scale_type(w->source[0]->packed))))
			return w;
	}
	return NULL;
}

const struct heft_encoding *plan_scale_type(const struct heft_plan *p)
{
	const struct weight *w = speaker(p);

	if (!w)
		return quant_find("bf16");
	return kept_of(w) ? quant_find("f16") : packed_scale_type(w->source[0]->packed);
}

uint32_t plan_group(const struct heft_plan *p)
{
	const struct weight *w = speaker(p);
	uint32_t group = !w ? 0 : kept_of(w) ? w->source[0]->enc->block : w->source[0]->packed->group;

	return group == 32 || group == 64 || group == 128 ? group : 0;
}

bool plan_keeps_codes(const struct weight *w, const struct scheme *s)
{
	const struct kept *k = kept_of(w);
	const struct scaled *c = &s->scaled;

	if (w->n_sources && !strcmp(w->source[0]->enc->name, "mxfp4"))
		return c->code >= SCALED_E2M1 && c->scale == SCALED_E8M0;
	if (!k || !s->search || c->code != SCALED_INTEGER || c->bits < k->bits || s->enc.plane[SCHEME_SCALES].cols > 32 || s->enc.plane[SCHEME_SCALES].rows > 1)
		return false;
	return scaled_stored(c) != SCALED_BF16 && (!k->either || c->bits > k->bits || c->zeros || c->negative);
}
