/*
 * plan_scheme_files.c - what lies beside the weights of a directory for GPU runtimes: config.json that says how they are stored, and copies of the
 * source's other files.
 */
#include "plan.h"

#include <string.h>

#include "../quant/quant.h"
#include "model.h"

const char *plan_torch_name(const struct heft_encoding *real)
{
	static const char *const names[][2] = { { "f32", "float32" }, { "f16", "float16" }, { "bf16", "bfloat16" } };

	for (size_t i = 0; real && i < sizeof names / sizeof *names; i++)
		if (!strcmp(real->name, names[i][0]))
			return names[i][1];
	return NULL;
}

static void add_side(struct heft_plan *p, struct plan_output *o, const struct jbuf *ours)
{
	const struct target *target = o->use->target;
	struct jbuf b = { 0 };

	if (!target->side_name)
		return;
	if (target->side)
		target->side(&b, o->use->scheme, &o->stays);
	else
		jbuf_printf(&b, "%.*s\n", (int)ours->n, ours->p);
	plan_add_side(o, path_join(p->arena, o->directory, target->side_name), (struct heft_str){ arena_memdup(p->arena, b.p, b.n), b.n }, p->arena);
	jbuf_release(&b);
}

int plan_scheme_files(struct heft_plan *p, struct plan_output *o, const struct target *target, struct heft_err *err)
{
	struct jbuf ours = { 0 };
	struct config_edit edit = { .quantization = o->n_uses ? &ours : NULL, .dtype = plan_torch_name(o->given), .too = target->config_too,
				    .member = p->family.member, .n_members = p->family.n_members };
	int rc;

	if (!o->n_uses && !target->typed && !o->instead)
		return heft_fail(err, HEFT_E_TYPE, "no tensor is a matrix that %s quantizes; --to safetensors carries them as they are", target->name);
	if (o->n_uses == 1)
		o->use->target->config(&ours, o->use->scheme, &o->stays);
	else if (o->n_uses)
		target->mix(&ours, o->use, o->n_uses, &o->stays);
	if (o->n_uses)
		add_side(p, o, &ours);
	rc = plan_config(p, o, &edit, err) || plan_copies(p, o, false, err) ? -1 : 0;
	jbuf_release(&ours);
	return rc;
}
