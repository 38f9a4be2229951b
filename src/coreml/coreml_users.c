/*
 * coreml_users.c - who uses a constant, and what that says of its axes: which one counts output channels, which one input channels.
 *
 *   convolution, linear, all others   [out, in, ...]
 *   conv_transpose                    [in, out, ...]
 *   matmul, as y                      [..., in, out]; with transpose_y [..., out, in]
 *   matmul, as x                      [..., out, in]; with transpose_x [..., in, out]
 *
 * Facts: coremltools 9, optimize/_utils.py, select_input_output_channel_axis().
 */
#include "coreml_write.h"

#include <stdio.h>
#include <string.h>

enum use_kind { USE_FIRST, USE_SECOND, USE_LAST, USE_LAST_BUT_ONE, USE_KINDS }; /* where output channels are */

static const char *key_of(uint32_t scope, const char *name, struct arena *a)
{
	return arena_printf(a, "%u/%s", scope, name);
}

static struct coreml_use *use_of(struct coreml_users *u, uint32_t scope, const char *name, struct arena *a)
{
	const char *key = key_of(scope, name, a);
	bool found;
	struct map_slot *slot = map_put(&u->map, key, strlen(key), &found);

	if (found)
		return &u->use[slot->value.i];
	slot->value.i = (int64_t)u->n;
	if (u->n == u->cap)
		u->use = arena_grow(a, u->use, &u->cap, u->n + 1, sizeof *u->use);
	u->use[u->n] = (struct coreml_use){ 0 };
	return &u->use[u->n++];
}

/* A truth value among an operation's parameters, said there or by a constant. */
static bool is_set(struct coreml_users *u, const struct coreml_op *op, const char *name, struct arena *a)
{
	const struct coreml_param *x = coreml_param(op, name), *val;
	const struct coreml_op *maker;

	if (!x || x->value)
		return x && x->value->integer;
	maker = x->ref ? use_of(u, op->scope, x->ref, a)->op : NULL;
	val = maker ? coreml_param(maker, "val") : NULL;
	return val && val->value && val->value->integer;
}

static enum use_kind kind_of(struct coreml_users *u, const struct coreml_op *user, const char *param, struct arena *a)
{
	bool y = !strcmp(param, "y");

	if (!strcmp(user->type, "conv_transpose"))
		return USE_SECOND;
	if (strcmp(user->type, "matmul"))
		return USE_FIRST;
	return y != is_set(u, user, y ? "transpose_y" : "transpose_x", a) ? USE_LAST : USE_LAST_BUT_ONE;
}

void coreml_users_find(struct coreml_users *u, const struct coreml_program *p, struct arena *a)
{
	for (size_t i = 0; i < p->n_ops; i++)
		use_of(u, p->op[i].scope, p->op[i].output, a)->op = &p->op[i];
	for (size_t i = 0; i < p->n_ops; i++)
		for (size_t k = 0; k < p->op[i].n_params; k++) {
			const struct coreml_param *x = &p->op[i].param[k];

			if (x->ref) {
				unsigned kind = 1u << kind_of(u, &p->op[i], x->name, a);

				use_of(u, p->op[i].scope, x->ref, a)->kinds |= kind;
			}
		}
}

bool coreml_axes(const struct coreml_users *u, const struct coreml_op *op, int rank, int *out, int *in)
{
	const int axes[USE_KINDS][2] = { { 0, 1 }, { 1, 0 }, { rank - 1, rank - 2 }, { rank - 2, rank - 1 } };
	char key[512];
	int n = snprintf(key, sizeof key, "%u/%s", op->scope, op->output);
	const struct map_slot *slot = n < (int)sizeof key ? map_find(&u->map, key, (size_t)n) : NULL;
	bool any = false;

	*out = 0;
	*in = 1;
	for (int k = 0; slot && k < USE_KINDS; k++) {
		if (!(u->use[slot->value.i].kinds >> k & 1))
			continue;
		if (any && (axes[k][0] != *out || axes[k][1] != *in))
			return false;
		any = true;
		*out = axes[k][0];
		*in = axes[k][1];
	}
	return slot != NULL;
}
