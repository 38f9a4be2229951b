/*
 * plan_recipe.c - the types that a plan decided, as the text of a recipe.
 *
 * Tensors that are called alike but for the number of their layer share rows:
 *
 *   blk.{l}.attn_v.weight -> q6_k when l in [0, 3]
 *   blk.{l}.attn_v.weight -> q4_k
 *
 * and so do a layer's experts that are modules of their own, which are alike:
 *
 *   model.layers.{l}.mlp.experts.{e}.up_proj -> w8a16
 *
 * A row without a condition comes last, of the type that most have, and only where every tensor of that name was decided: what would be the same
 * with any recipe has no row, and must not get one by its neighbours. Rows that keep decide before all others: they have a condition unless they
 * are alone.
 */
#include "plan.h"

#include "heft_recipe.h"

#include <stdlib.h>
#include <string.h>

#include "../base/map.h"
#include "recipe.h"
#include "target/target.h"

struct like { /* tensors with one name but for a number */
	const char *name;  /* with {l} for it, or the name itself in quotes */
	bool numbered;
	size_t *item;      /* in the output's order */
	int64_t *number;
	size_t n, cap, cap_number;
};

struct saving {
	const struct plan_output *output;
	struct arena *arena;
	const char *(*name)(const char *tensor, struct arena *a); /* as rows have it */
	struct like *like;
	size_t n, cap;
	struct map known;
	struct jbuf text;
};

/* ---- names ---- */

/* Where the first whole number between dots or ends stands, without leading zeros; false: there is none, or it is too large. */
static bool find_number(const char *name, size_t *at, size_t *n, int64_t *number)
{
	for (const char *p = name; p; p = strchr(p, '.') ? strchr(p, '.') + 1 : NULL) {
		size_t digits = strspn(p, "0123456789");

		if (!digits || digits > 9 || (p[digits] && p[digits] != '.') || (*p == '0' && digits > 1))
			continue;
		*at = (size_t)(p - name);
		*n = digits;
		*number = strtoll(p, NULL, 10);
		return true;
	}
	return false;
}

/* A name that is a pattern, too: the one that it means is itself alone. One that is a mere word might begin a row of another kind. */
static bool is_plain(const char *name)
{
	size_t n = strlen(name);

	return strspn(name, "abcdefghijklmnopqrstuvwxyz") < n &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n && name[n - 1] != '-';
}

static const char *quoted(const char *name, struct arena *a)
{
	struct jbuf b = { 0 };
	const char *s;

	jbuf_raw(&b, "\"", 1);
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			jbuf_raw(&b, "\\", 1);
		jbuf_raw(&b, *name == '\n' ? "\\n" : name, *name == '\n' ? 2 : 1);
	}
	jbuf_raw(&b, "\"", 1);
	s = arena_memdup(a, b.p, b.n);
	jbuf_release(&b);
	return s;
}

/* What follows the number of a layer, with {e} for that of an expert. */
static const char *any_expert(const struct saving *s, const char *rest)
{
	static const char experts[] = ".experts.";
	const char *at = s->output->scheme ? strstr(rest, experts) : NULL, *number = at ? at + sizeof experts - 1 : NULL;
	size_t digits = at ? strspn(number, "0123456789") : 0;

	return digits && number[digits] == '.' ? arena_printf(s->arena, "%.*s{e}%s", (int)(number - rest), rest, number + digits) : rest;
}

static void add(struct saving *s, size_t i)
{
	const char *name = s->name(s->output->item[i].name, s->arena), *key;
	size_t at, n;
	int64_t number = 0;
	bool known, numbered = is_plain(name) && find_number(name, &at, &n, &number);
	struct map_slot *slot;
	struct like *l;

	key = numbered ? arena_printf(s->arena, "%.*s{l}%s", (int)at, name, any_expert(s, name + at + n)) : is_plain(name) ? name : quoted(name, s->arena);
	slot = map_put(&s->known, key, strlen(key), &known);
	if (!known) {
		s->like = arena_grow(s->arena, s->like, &s->cap, s->n + 1, sizeof *s->like);
		s->like[s->n] = (struct like){ .name = key, .numbered = numbered };
		slot->value.i = (int64_t)s->n++;
	}
	l = &s->like[slot->value.i];
	l->item = arena_grow(s->arena, l->item, &l->cap, l->n + 1, sizeof *l->item);
	l->number = arena_grow(s->arena, l->number, &l->cap_number, l->n + 1, sizeof *l->number);
	l->item[l->n] = i;
	l->number[l->n++] = number;
}

/* ---- rows ---- */

static const char *decided(const struct saving *s, const struct like *l, size_t k)
{
	return s->output->decided[l->item[k]];
}

static bool alike(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static size_t count(const struct saving *s, const struct like *l, const char *type)
{
	size_t n = 0;

	for (size_t k = 0; k < l->n; k++)
		n += alike(decided(s, l, k), type);
	return n;
}

static void put_numbers(struct saving *s, const struct like *l, const char *type)
{
	const char *comma = "";

	jbuf_printf(&s->text, " when l in [");
	for (size_t k = 0; k < l->n; k++) {
		if (!alike(decided(s, l, k), type) || (k && l->number[k] == l->number[k - 1] && alike(decided(s, l, k - 1), type)))
			continue; /* a module's bias beside its weight */
		jbuf_printf(&s->text, "%s%lld", comma, (long long)l->number[k]);
		comma = ", ";
	}
	jbuf_printf(&s->text, "]");
}

static void put_row(struct saving *s, const struct like *l, const char *type, bool all)
{
	bool keeps = !strcmp(type, "keep");

	if (keeps)
		jbuf_printf(&s->text, "keep %s \"as it is\"", l->name);
	else
		jbuf_printf(&s->text, "%s -> %s", l->name, type);
	if (!all)
		put_numbers(s, l, type);
	jbuf_printf(&s->text, "\n");
}

static bool seen_before(const struct saving *s, const struct like *l, size_t k)
{
	for (size_t i = 0; i < k; i++)
		if (alike(decided(s, l, i), decided(s, l, k)))
			return true;
	return false;
}

/* The type that most have, the first of such. */
static const char *most(const struct saving *s, const struct like *l)
{
	const char *best = decided(s, l, 0);
	size_t n = count(s, l, best);

	for (size_t k = 1; k < l->n; k++) {
		const char *type = decided(s, l, k);

		if (seen_before(s, l, k) || count(s, l, type) <= n)
			continue;
		best = type;
		n = count(s, l, type);
	}
	return best;
}

static void put_like(struct saving *s, const struct like *l)
{
	const char *last = count(s, l, NULL) ? NULL : most(s, l);

	for (size_t k = 0; k < l->n; k++) {
		const char *type = decided(s, l, k);

		if (type && !alike(type, last) && !seen_before(s, l, k))
			put_row(s, l, type, false);
	}
	if (last)
		put_row(s, l, last, count(s, l, last) == l->n || strcmp(last, "keep") != 0);
}

/* ---- what it is about ---- */

static const char *same(const char *tensor, struct arena *a)
{
	return tensor;
}

static void put_type(struct saving *s)
{
	const struct plan_output *o = s->output;
	const struct recipe *r = o->recipe;

	jbuf_printf(&s->text, "recipe %s\n", o->pub.type);
	if (r && recipe_type(r))
		jbuf_printf(&s->text, "file_type %u\n", (unsigned)recipe_file_type(r));
	jbuf_printf(&s->text, "type %s\n\n", r && recipe_type(r) ? recipe_type(r)->name : "keep");
}

/* The word for -t: floats alone, or one of the target's types with them. */
static void put_target(struct saving *s)
{
	const struct plan_output *o = s->output;
	const char *word = o->target->typed ? o->pub.type + strlen("mlx-") : "", *real = o->given ? o->given->name : "";
	bool plain = !strcmp(word, real) || !strcmp(word, "keep");

	jbuf_printf(&s->text, "to %s\n", o->target->typed ? "mlx" : o->target->name);
	if (*word || *real)
		jbuf_printf(&s->text, "type %s%s%s\n", word, *word && *real && !plain ? "-" : "", plain && *word ? "" : real);
	jbuf_printf(&s->text, "\n");
}

static void put_head(struct saving *s, const struct heft_plan *p)
{
	jbuf_printf(&s->text, "# Decided by heft " HEFT_VERSION);
	if (p->imatrix)
		jbuf_printf(&s->text, " with an importance matrix of %zu entries", p->imatrix->n_entries);
	jbuf_printf(&s->text, ".\n");
	if (s->output->said)
		jbuf_printf(&s->text, "# The same bytes come with these options, too:%s\n", s->output->said);
	if (s->output->scheme)
		put_target(s);
	else
		put_type(s);
}

const char *plan_said(const struct heft_job *j, struct arena *a)
{
	const char *group = !j->group_size ? "" : j->group_size == UINT32_MAX ? " --group-size channel" : arena_printf(a, " --group-size %u", (unsigned)j->group_size);
	const char *via = j->via ? arena_printf(a, " --via %s", j->via) : "";
	const char *said = arena_printf(a, "%s%s%s%s%s%s", j->effort == HEFT_EFFORT_HIGH ? " --effort high" : "", via, group,
					j->method == HEFT_METHOD_RTN ? " --method rtn" : "", j->signed_scales ? " --signed-scales" : "",
					j->fp8_as_q8 ? " --fp8-as-q8" : "");

	return *said ? said : NULL;
}

size_t heft_plan_recipe_rows(const struct heft_plan *p, size_t i, const struct heft_recipe_row **out)
{
	const struct plan_output *o = i < p->n_outputs ? &p->output[i] : NULL;

	*out = o ? o->rows.row : NULL;
	return o ? o->rows.n : 0;
}

char *heft_plan_recipe(const struct heft_plan *p, size_t i, struct heft_err *err)
{
	const struct plan_output *o = i < p->n_outputs ? &p->output[i] : NULL;
	struct saving s = { .output = o };

	if (!o || !o->decided) {
		heft_fail(err, HEFT_E_OPTION, "this output has no types to choose, and so no recipe");
		return NULL;
	}
	s.arena = arena_new();
	map_init(&s.known);
	put_head(&s, p);
	s.name = o->scheme ? linear_module : same;
	for (size_t k = 0; k < o->pub.n_items; k++)
		if (!o->decided[k] || *o->decided[k])
			add(&s, k);
	for (size_t k = 0; k < s.n; k++)
		put_like(&s, &s.like[k]);
	jbuf_raw(&s.text, "", 1);
	map_release(&s.known);
	arena_free(s.arena);
	return s.text.p;
}
