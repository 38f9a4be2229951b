/*
 * plan_adapter.c - types of a GGUF adapter: one for all, but for vectors and what the runtime wants as F32. Rows that Q8_0 does not hold are
 * F16, as the reference's converter has it. Refuses what that converter does not write.
 */
#include "plan.h"

#include "../quant/quant.h"

#include <strings.h>

static bool is_written(const char *type)
{
	static const char *const types[] = { "f32", "f16", "bf16", "q8_0" };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcasecmp(type, types[i]))
			return true;
	return false;
}

int plan_adapter(const struct heft_plan *p, struct plan_output *o, const char *type, struct heft_err *err)
{
	const struct heft_encoding *to = quant_find(type);

	if (!is_written(type))
		return heft_fail(err, HEFT_E_TYPE, "type '%s' is none of an adapter's: f32, f16, bf16, q8_0 or auto", type);
	for (size_t i = 0; i < p->n_weights; i++) {
		const struct plan_weight *w = &p->weight[i];
		const struct shape *s = &w->weight->shape;
		bool fits = s->rank && s->dim[s->rank - 1] % to->block == 0;

		o->item[i].to = quant_find(w->keeps_f32 ? "f32" : fits ? to->name : "f16");
		o->item[i].why = w->keeps_f32 ? "vectors stay f32" : fits ? "as asked" : "fallback: rows do not fit q8_0";
		o->item[i].fallback = !w->keeps_f32 && !fits;
		o->pub.n_fallbacks += o->item[i].fallback;
	}
	for (size_t i = 0; i < p->override.n; i++)
		kv_set_last(&o->kv, p->override.v[i].key, p->override.v[i].value);
	return 0;
}
