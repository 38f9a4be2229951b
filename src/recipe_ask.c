/*
 * recipe_ask.c - what the rows of a recipe may ask for, and which row answers for a tensor.
 *
 * Some rows ask for a tensor's place among those of its kind (i of n). Places are counted in the reference's order, by layer and then by name, and
 * leave out tensors that a rule of the user's decided. A feed-forward tensor's i is its layer where the model has experts; `place` is always
 * counted.
 */
#include "recipe_rows.h"

#include "target/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUDGET_PER_ITEM = 1 << 16 };

/* Kinds that are counted. With experts, a feed-forward tensor's place is its layer. The first kind holds attention values. */
static const struct kind {
	const char *parts[3]; /* of the name */
	bool by_layer;
} kinds[] = { { { "attn_v.weight", "attn_qkv.weight", "attn_kv_b.weight" }, false }, { { "ffn_down" }, true }, { { "ffn_gate" }, true },
	      { { "ffn_up" }, true } };
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == RECIPE_KINDS, "");
enum { PARTS = sizeof(kinds[0].parts) / sizeof(kinds[0].parts[0]) };

/* ---- names ---- */

uint64_t recipe_width(const struct recipe_item *item)
{
	return item->shape.rank ? item->shape.dim[item->shape.rank - 1] : 1;
}

static struct value kv_value(const struct heft_value *v, struct arena *a)
{
	if (v->array && v->type == HEFT_I32) {
		struct value *item = arena_array(a, v->count, sizeof(*item));
		for (uint64_t i = 0; i < v->count; i++)
			item[i] = v_int(((const int32_t *)v->data)[i]);
		return (struct value){ .kind = V_LIST, .list = { item, v->count } };
	}
	if (v->array)
		return v_null();
	switch (v->type) {
	case HEFT_U8: case HEFT_U16: case HEFT_U32: case HEFT_U64: return v_int((int64_t)v->u);
	case HEFT_I8: case HEFT_I16: case HEFT_I32: case HEFT_I64: return v_int(v->i);
	case HEFT_F32: case HEFT_F64: return v_num(v->f);
	case HEFT_BOOL: return v_bool(v->b);
	default: return v_null();
	}
}

/* `block_count` is ARCH.block_count, `head_count` ARCH.attention.head_count. */
static bool find_kv(const struct decision *d, const char *name, struct value *out)
{
	size_t n = d->facts->arch ? strlen(d->facts->arch) : 0;
	for (size_t i = 0; n && i < d->facts->n_kv; i++) {
		const char *key = d->facts->kv[i].key;
		if (strncmp(key, d->facts->arch, n) || key[n] != '.')
			continue;
		key += n + 1;
		if (!strncmp(key, "attention.", 10))
			key += 10;
		if (!strcmp(key, name)) {
			*out = kv_value(&d->facts->kv[i].value, d->env.arena);
			return true;
		}
	}
	return false;
}

static int64_t blocks_of(const struct decision *d);

/* Of a module with a name of any family: the first number that stands alone. */
static struct value layer_value(const struct decision *d)
{
	int l = recipe_layer(d->item->name);
	for (const char *p = d->recipe->to ? d->item->name : NULL; p && l < 0; p = strchr(p, '.') ? strchr(p, '.') + 1 : NULL) {
		size_t digits = strspn(p, "0123456789");
		if (digits && digits < 10 && (p[digits] == '.' || !p[digits]))
			l = (int)strtol(p, NULL, 10);
	}
	return l < 0 ? v_null() : v_int(l);
}

#define FACT(fact, is)                                                                                                 \
	static struct value fact_##fact(const struct decision *d)                                                      \
	{                                                                                                              \
		return is;                                                                                             \
	}
FACT(i, v_int(d->i))
FACT(n, v_int(d->n))
FACT(place, v_int(d->place))
FACT(layer, layer_value(d))
FACT(width, v_int((int64_t)recipe_width(d->item)))
FACT(rank, v_int(d->item->shape.rank))
FACT(name, v_str(d->item->name))
FACT(integers, v_bool(d->item->stored->class == QUANT_INTEGER))
FACT(layers, v_int(d->recipe->to ? (int64_t)d->facts->layers : blocks_of(d)))
FACT(imatrix, v_bool(d->facts->imatrix))
FACT(tied, v_bool(d->tied))
FACT(arch, v_str(d->facts->arch ? d->facts->arch : ""))
#undef FACT

static const struct fact {
	const char *name;
	struct value (*get)(const struct decision *d);
	bool of_tensor; /* else it is the model's */
	bool of_module; /* there with other targets, too */
} facts[] = {
	{ "i", fact_i, true, false }, { "n", fact_n, true, false }, { "place", fact_place, true, false },
	{ "layer", fact_layer, true, true }, { "width", fact_width, true, true }, { "rank", fact_rank, true, true }, { "name", fact_name, true, true },
	{ "integers", fact_integers, true, true }, { "layers", fact_layers, false, true }, { "imatrix", fact_imatrix, false, true },
	{ "arch", fact_arch, false, true }, { "tied", fact_tied, false, false },
};

static const struct fact *fact_named(const char *name)
{
	for (size_t k = 0; k < sizeof(facts) / sizeof(facts[0]); k++)
		if (!strcmp(facts[k].name, name))
			return &facts[k];
	return NULL;
}

bool recipe_knows(const struct recipe *r, const char *name)
{
	const struct fact *f = fact_named(name);
	char key[EXPR_NAME_MAX + 16];
	if (r->to)
		return f && f->of_module;
	snprintf(key, sizeof(key), "attention.%s", name);
	return f || llamacpp_key_type(name) != KEY_UNKNOWN || llamacpp_key_type(key) != KEY_UNKNOWN;
}

bool recipe_knows_tensor(const char *name)
{
	const struct fact *f = fact_named(name);
	return f && f->of_tensor;
}

static int lookup(struct env *e, int symbol, struct value *out, bool *has)
{
	struct decision *d = (struct decision *)e;
	const char *name = d->recipe->symbols->name[symbol];
	const struct fact *fact = fact_named(name);
	for (size_t k = 0; k < d->recipe->n_let; k++) {
		if (d->recipe->let[k].symbol != symbol)
			continue;
		*has = true;
		return expr_eval_outside(e, d->recipe->let[k].expr, out); /* anew for each tensor: it may ask for i */
	}
	if (fact)
		*out = fact->get(d);
	*has = fact || find_kv(d, name, out);
	return 0;
}

/* ---- places ---- */

int recipe_layer(const char *name)
{
	int l = -1;
	return sscanf(name, "blk.%d.", &l) == 1 ? l : -1;
}

static int64_t count_of(const struct decision *d, const char *key)
{
	struct value v;
	int64_t n = 0;
	return find_kv(d, key, &v) && v_as_int(&v, &n) ? n : 0;
}

/* A model that goes through its blocks several times has so many more, as its runtime counts. */
static int64_t blocks_of(const struct decision *d)
{
	int64_t n = count_of(d, "block_count"), loops = count_of(d, "num_loops"), all;
	return loops > 1 && !__builtin_mul_overflow(n, loops, &all) ? all : n;
}

static const struct kind *kind_of(const char *name)
{
	for (size_t k = 0; k < RECIPE_KINDS; k++)
		for (size_t p = 0; p < PARTS && kinds[k].parts[p]; p++)
			if (strstr(name, kinds[k].parts[p]))
				return &kinds[k];
	return NULL;
}

bool recipe_holds_values(const char *name)
{
	return kind_of(name) == kinds;
}

void decision_place(struct decision *d)
{
	const struct kind *k = kind_of(d->item->name);
	d->i = d->place = d->n = 0;
	if (!k)
		return;
	int64_t *counted = &d->counted[k - kinds];
	d->place = *counted;
	d->i = k->by_layer && count_of(d, "expert_count") > 1 ? recipe_layer(d->item->name) : d->place;
	d->n = k->by_layer ? blocks_of(d) : d->values;
	++*counted;
}

/* ---- rows ---- */

static int row_holds(struct decision *d, const struct choice *c, bool *holds)
{
	struct env *e = &d->env;
	if (d->item->plain && c->as && c->as->target) {
		*holds = false;
		return 0;
	}
	int rc = pattern_match(e, c->pattern, d->item->name);
	*holds = rc == 1;
	if (rc == 1 && expr_eval_bool(e, c->when, holds))
		rc = -1;
	e->n_bind = 0;
	return rc < 0 ? -1 : 0;
}

/* Of a user's own rows, those behind the one that decides are looked at, too, until a tensor was found that answers to them. */
int decision_row(struct decision *d, struct rows *rows, const struct choice **out)
{
	*out = NULL;
	for (size_t k = 0; k < rows->n && (!*out || k < rows->n_own); k++) {
		const struct choice *row = &rows->row[k];
		bool holds;
		if (*out && rows->used[k])
			continue;
		if (row_holds(d, row, &holds))
			return -1;
		if (holds && k < rows->n_own)
			rows->used[k] = true;
		if (!holds || *out)
			continue;
		rows->decided[k]++;
		*out = row;
	}
	return 0;
}

/* A tensor that something else decides: what place it would have, conditions cannot ask; the name alone counts. */
int decision_note(struct decision *d)
{
	struct env *e = &d->env;
	for (size_t k = 0; k < d->choices.n_own; k++) {
		int rc = d->choices.used[k] ? 0 : pattern_match(e, d->choices.row[k].pattern, d->item->name);
		e->n_bind = 0;
		if (rc < 0)
			return -1;
		d->choices.used[k] |= rc == 1;
	}
	return 0;
}

bool decision_owns(const struct rows *rows, const struct choice *row)
{
	return row && row < rows->row + rows->n_own;
}

const char *decision_why(const struct choice *row, struct arena *a)
{
	return row->why ? row->why : arena_printf(a, "%s:%d", row->file, row->line);
}

/* A condition on the model alone that is not true of this one excuses its row. */
static int check_rows(struct decision *d, const struct rows *rows, struct heft_err *err)
{
	for (size_t k = 0; k < rows->n_must; k++) {
		const struct choice *row = &rows->row[k];
		bool holds = true;
		if (rows->used[k])
			continue;
		if (row->of_model && expr_eval_bool(&d->env, row->when, &holds))
			return -1;
		if (holds)
			return heft_fail(err, HEFT_E_PATTERN, "%s:%d: '%s' matches no %s that can be stored in another type%s", row->file, row->line, row->pattern->text,
					 d->recipe->to ? "module" : "tensor", row->when ? ", or its condition holds for none" : "");
	}
	return 0;
}

int decision_check(struct decision *d, struct heft_err *err)
{
	return check_rows(d, &d->keeps, err) || check_rows(d, &d->choices, err) ? -1 : 0;
}

static const char *written(const struct choice *c, struct arena *a)
{
	const char *row = c->word ? arena_printf(a, "%s -> %s", c->pattern->text, c->word) : arena_printf(a, "keep %s \"%s\"", c->pattern->text, c->why);
	return c->when ? arena_printf(a, "%s when %s", row, c->when->text) : row;
}

void decision_tell(const struct decision *d, struct recipe_told *out)
{
	const struct rows *all[] = { &d->keeps, &d->choices };
	struct arena *a = d->env.arena;
	struct heft_recipe_row *row = arena_array(a, d->keeps.n + d->choices.n + 1, sizeof(*row));
	*out = (struct recipe_told){ row, 0 };
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < all[i]->n; k++) {
			const struct choice *c = &all[i]->row[k];
			bool own = k < all[i]->n_own;
			if (own || all[i]->decided[k])
				row[out->n++] = (struct heft_recipe_row){ c->file, c->line, written(c, a), all[i]->decided[k], own };
		}
	if (d->recipe->type)
		row[out->n++] = (struct heft_recipe_row){ d->recipe->file, 0, arena_printf(a, "type %s", d->recipe->type->name), d->by_type, true };
}

static struct rows rows_of(const struct choice *row, size_t n, size_t n_own, size_t n_must, struct arena *a)
{
	return (struct rows){ row, n, n_own, n_must, arena_array(a, n_own, sizeof(bool)), arena_array(a, n, sizeof(size_t)) };
}

struct decision *decision_new(const struct recipe *r, const struct recipe_facts *f, size_t n, struct arena *a, struct heft_err *err)
{
	struct decision *d = arena_alloc(a, sizeof(*d));
	d->recipe = r;
	d->facts = f;
	d->env = (struct env){ .arena = a, .symbols = r->symbols, .err = err, .lookup = lookup };
	d->env.budget = ((uint64_t)n + 1) * BUDGET_PER_ITEM;
	d->keeps = rows_of(r->keep, r->n_keep, r->n_own_keep, r->n_must_keep, a);
	d->choices = rows_of(r->choice, r->n_choice, r->n_own, r->n_must, a);
	return d;
}
