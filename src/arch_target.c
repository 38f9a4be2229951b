/*
 * arch_target.c - what the section of a target such as MLX says of config.json: set and unset rows become members, each with its value as JSON.
 * The first row for a key that holds counts. Objects have scalars and lists in them, no objects.
 */
#include "arch_rows.h"

#include "../base/nest.h"

#include <inttypes.h>
#include <string.h>

static void put_scalar(struct jbuf *b, const struct value *v, struct arena *a)
{
	switch (v->kind) {
	case V_BOOL:
		jbuf_printf(b, "%s", v->b ? "true" : "false");
		break;
	case V_INT:
		jbuf_printf(b, "%" PRId64, v->i);
		break;
	case V_NUM:
		jbuf_printf(b, "%s", json_of_f64(v->d, a));
		break;
	case V_STR:
		jbuf_string(b, v->s.p, v->s.n);
		break;
	default:
		jbuf_printf(b, "null");
	}
}

static void put_list(struct jbuf *b, const struct value *v, struct arena *a)
{
	jbuf_raw(b, "[", 1);
	for (size_t i = 0; i < v->list.n; i++) {
		struct value x = v_load(v->list.item[i], a);
		jbuf_printf(b, "%s", i ? ", " : "");
		put_scalar(b, &x, a);
	}
	jbuf_raw(b, "]", 1);
}

static void put_flat(struct jbuf *b, const struct value *v, struct arena *a)
{
	if (v->kind == V_LIST)
		put_list(b, v, a);
	else
		put_scalar(b, v, a);
}

static const char *json_of(const struct value *v, struct arena *a)
{
	struct jbuf b = { 0 };
	if (v->kind != V_OBJECT)
		put_flat(&b, v, a);
	else
		jbuf_raw(&b, "{", 1);
	for (size_t i = 0; v->kind == V_OBJECT && i < v->object.n; i++) {
		struct value x = v_load(v->object.item[i].value, a);
		jbuf_printf(&b, "%s", i ? ", " : "");
		jbuf_string(&b, v->object.item[i].key.p, v->object.item[i].key.n);
		jbuf_printf(&b, ": ");
		put_flat(&b, &x, a);
	}
	jbuf_printf(&b, "%s", v->kind == V_OBJECT ? "}" : "");
	const char *text = arena_memdup(a, b.p, b.n);
	jbuf_release(&b);
	return text;
}

static int add_member(struct arch_run *r, const struct row *row)
{
	struct arch_result *out = r->out;
	struct value v = v_null();
	bool holds;
	for (size_t i = 0; i < out->n_members; i++)
		if (!strcmp(out->member[i].key, row->name))
			return 0;
	if (expr_eval_bool(&r->env, row->when, &holds) || (holds && !row->unset && expr_eval(&r->env, row->expr, &v)))
		return -1;
	if (!holds)
		return 0;
	out->member[out->n_members++] = (struct arch_member){ arena_strdup(r->arena, row->name), row->unset ? NULL : json_of(&v, r->arena),
							      row->also_null };
	return 0;
}

int arch_members(struct arch_run *r)
{
	const struct rows *rows = &r->arch->rows[ROW_SET];
	r->out->member = arena_array(r->arena, rows->n, sizeof(*r->out->member));
	for (size_t i = 0; i < rows->n; i++)
		if (add_member(r, rows->row[i]))
			return -1;
	return 0;
}
