/*
 * recipe.c - the encoding of each tensor: kept as it is; as the user says for the output matrix or the embeddings; by a
 * rule of the user's, or by the recipe, and then a type that its rows can have.
 *
 * Some rows of recipes ask for a tensor's place among those of its kind (i of n). Places are counted in the reference's
 * order, by layer and then by name, and leave out tensors that a rule of the user's decided. A feed-forward tensor's i
 * is its layer where the model has experts; `place` is always counted.
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
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), PARTS = sizeof(kinds[0].parts) / sizeof(kinds[0].parts[0]) };

struct decision {
	struct env env; /* first: lookup gets this pointer */
	const struct recipe *recipe;
	const struct recipe_facts *facts;
	struct rules *rules;
	const struct recipe_item *item;
	int64_t counted[KINDS], values; /* values: tensors that hold attention values */
	int64_t i, place, n;
	bool *keep_used, *choice_used; /* of the recipe's own rows: some tensor answers to it */
	bool tied, quantizes, output_used, embedding_used;
	struct misfit {
		const struct recipe_item *item;
		const struct heft_encoding *asked;
	} misfit; /* the first of them */
	size_t n_misfits;
};

/* ---- names ---- */

static uint64_t width(const struct recipe_item *item)
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

static int layer_of(const char *name);
static int64_t blocks_of(const struct decision *d);

#define FACT(fact, is)                                                                                                 \
	static struct value fact_##fact(const struct decision *d)                                                      \
	{                                                                                                              \
		return is;                                                                                             \
	}
FACT(i, v_int(d->i))
FACT(n, v_int(d->n))
FACT(place, v_int(d->place))
FACT(layer, layer_of(d->item->name) < 0 ? v_null() : v_int(layer_of(d->item->name)))
FACT(width, v_int((int64_t)width(d->item)))
FACT(rank, v_int(d->item->shape.rank))
FACT(name, v_str(d->item->name))
FACT(integers, v_bool(d->item->stored->class == QUANT_INTEGER))
FACT(layers, v_int(blocks_of(d)))
FACT(imatrix, v_bool(d->facts->imatrix))
FACT(tied, v_bool(d->tied))
FACT(arch, v_str(d->facts->arch ? d->facts->arch : ""))
#undef FACT

static const struct fact {
	const char *name;
	struct value (*get)(const struct decision *d);
	bool of_tensor; /* else it is the model's */
} facts[] = {
	{ "i", fact_i, true }, { "n", fact_n, true }, { "place", fact_place, true }, { "layer", fact_layer, true }, { "width", fact_width, true },
	{ "rank", fact_rank, true }, { "name", fact_name, true }, { "integers", fact_integers, true },
	{ "layers", fact_layers, false }, { "imatrix", fact_imatrix, false }, { "tied", fact_tied, false }, { "arch", fact_arch, false },
};

static const struct fact *fact_named(const char *name)
{
	for (size_t k = 0; k < sizeof(facts) / sizeof(facts[0]); k++)
		if (!strcmp(facts[k].name, name))
			return &facts[k];
	return NULL;
}

bool recipe_knows(const char *name)
{
	char key[EXPR_NAME_MAX + 16];
	snprintf(key, sizeof(key), "attention.%s", name);
	return fact_named(name) || llamacpp_key_type(name) != KEY_UNKNOWN || llamacpp_key_type(key) != KEY_UNKNOWN;
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

static int layer_of(const char *name)
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
	for (size_t k = 0; k < KINDS; k++)
		for (size_t p = 0; p < PARTS && kinds[k].parts[p]; p++)
			if (strstr(name, kinds[k].parts[p]))
				return &kinds[k];
	return NULL;
}

static void take_place(struct decision *d, const struct kind *k)
{
	d->i = d->place = d->n = 0;
	if (!k)
		return;
	int64_t *counted = &d->counted[k - kinds];
	d->place = *counted;
	d->i = k->by_layer && count_of(d, "expert_count") > 1 ? layer_of(d->item->name) : d->place;
	d->n = k->by_layer ? blocks_of(d) : d->values;
	++*counted;
}

static int by_layer(const void *a, const void *b)
{
	const struct recipe_item *x = *(const struct recipe_item *const *)a, *y = *(const struct recipe_item *const *)b;
	int l = layer_of(x->name), m = layer_of(y->name);
	return l != m ? (l < m ? -1 : 1) : strcmp(x->name, y->name);
}

/* ---- the decision ---- */

static bool is_embedding(const char *name)
{
	return !strcmp(name, "token_embd.weight") || !strcmp(name, "per_layer_token_embd.weight");
}

static int row_holds(struct decision *d, const struct choice *c, bool *holds)
{
	struct env *e = &d->env;
	int rc = pattern_match(e, c->pattern, d->item->name);
	*holds = rc == 1;
	if (rc == 1 && expr_eval_bool(e, c->when, holds))
		rc = -1;
	e->n_bind = 0;
	return rc < 0 ? -1 : 0;
}

/* Of a user's own rows, those behind the one that decides are looked at, too, until a tensor was found that answers to them. */
static int first_row(struct decision *d, const struct choice *rows, size_t n, bool *used, size_t n_own, const struct choice **out)
{
	*out = NULL;
	for (size_t k = 0; k < n && (!*out || k < n_own); k++) {
		bool holds;
		if (*out && used[k])
			continue;
		if (row_holds(d, &rows[k], &holds))
			return -1;
		if (holds && k < n_own)
			used[k] = true;
		if (holds && !*out)
			*out = &rows[k];
	}
	return 0;
}

/* A tensor that something else decides: what place it would have, conditions cannot ask; the name alone counts. */
static int note_names(struct decision *d)
{
	struct env *e = &d->env;
	for (size_t k = 0; k < d->recipe->n_own; k++) {
		int rc = d->choice_used[k] ? 0 : pattern_match(e, d->recipe->choice[k].pattern, d->item->name);
		e->n_bind = 0;
		if (rc < 0)
			return -1;
		d->choice_used[k] |= rc == 1;
	}
	return 0;
}

/* With --strict. */
static int refuse_misfits(const struct decision *d, struct heft_err *err)
{
	const struct recipe_item *item = d->misfit.item;
	char more[64] = "";
	if (!d->n_misfits)
		return 0;
	if (d->n_misfits > 1)
		snprintf(more, sizeof(more), "; so would %zu other tensor%s", d->n_misfits - 1, d->n_misfits > 2 ? "s" : "");
	return heft_fail(err, HEFT_E_FALLBACK, "tensor '%s': %s needs rows of a multiple of %u, they have %llu: it would fall back to %s%s",
			 item->name, d->misfit.asked->name, d->misfit.asked->block, (unsigned long long)width(item), item->type->name, more);
}

/* A type that this row length can have: the recipe's fallback, else F16. */
static int fall_back(struct decision *d, struct recipe_item *item, struct arena *a)
{
	const struct heft_encoding *asked = item->type;
	uint64_t w = width(item);
	if (w % asked->block == 0)
		return 0;
	for (size_t k = 0; k < d->recipe->n_fallback && item->type == asked; k++)
		if (d->recipe->fallback[k].from == asked)
			item->type = d->recipe->fallback[k].to;
	if (item->type == asked || w % item->type->block)
		item->type = quant_find("f16");
	if (!d->n_misfits++)
		d->misfit = (struct misfit){ item, asked };
	item->fallback = true;
	item->why = arena_printf(a, "fallback: row %llu is no multiple of %u", (unsigned long long)w, asked->block);
	return 0;
}

/* What the user says of the output matrix and the embeddings. A tied embedding is the output matrix too, but only to a recipe's rows,
 * which --pure and the float types do not ask. */
enum precedence { BEFORE_RULES, BEHIND_RULES, LIKE_A_RULE }; /* only a rule's type may fall back */

static const struct heft_encoding *named_type(struct decision *d, const struct recipe_item *item, const char **why, enum precedence *p)
{
	const struct recipe_facts *f = d->facts;
	bool output = !strcmp(item->name, "output.weight"), embedding = is_embedding(item->name);
	bool rows = d->quantizes && !f->pure && d->recipe->type && d->recipe->type->class == QUANT_BLOCK;

	d->embedding_used |= embedding;
	d->output_used |= output || (embedding && d->tied);
	*p = BEFORE_RULES;
	if (f->embedding_type && embedding) {
		if (strcmp(item->name, "token_embd.weight"))
			*p = BEHIND_RULES;
		*why = "--token-embedding-type";
		return f->embedding_type;
	}
	if (!f->output_type || !(output || (embedding && d->tied && rows)))
		return NULL;
	if (!output)
		*p = LIKE_A_RULE;
	*why = "--output-tensor-type";
	return f->output_type;
}

static bool is_own(const struct choice *row, const struct choice *rows, size_t n_own)
{
	return row && row < rows + n_own;
}

static void blame_row(const struct decision *d, struct recipe_item *item, const struct choice *row, struct arena *a)
{
	item->line = row->line;
	item->why = row->why ? row->why : arena_printf(a, "%s:%d", d->recipe->file, row->line);
}

/* What the runtime wants otherwise, a row of the user's may decide; the recipe's type is not for it. */
static int by_recipe(struct decision *d, struct recipe_item *item, struct arena *a)
{
	const struct recipe *r = d->recipe;
	const struct choice *row = NULL;
	take_place(d, kind_of(item->name));
	if (!d->facts->pure && d->quantizes && first_row(d, r->choice, r->n_choice, d->choice_used, r->n_own, &row))
		return -1;
	if (is_own(row, r->choice, r->n_own))
		blame_row(d, item, row, a);
	else if (item->fixed || !d->quantizes || (!row && !r->type)) {
		item->by = RECIPE_STAYS;
		item->why = item->fixed ? "the runtime wants it so" : "kept";
		return 0;
	}
	item->type = row ? row->type : r->type;
	return 0;
}

/* Is it left as it is, whatever is said of types? */
static int is_kept(struct decision *d, struct recipe_item *item, bool *kept, struct arena *a)
{
	const struct recipe *r = d->recipe;
	const struct choice *row;
	if (first_row(d, r->keep, r->n_keep, d->keep_used, r->n_own_keep, &row))
		return -1;
	*kept = row || (d->facts->leave_output && !strcmp(item->name, "output.weight"));
	item->by = row && !is_own(row, r->keep, r->n_own_keep) ? RECIPE_STAYS : RECIPE_KEPT;
	item->why = row ? row->why : "the output matrix is left as it is";
	if (is_own(row, r->keep, r->n_own_keep))
		blame_row(d, item, row, a);
	return 0;
}

static int decide(struct decision *d, struct recipe_item *item, const char *recipe_why, struct arena *a)
{
	const char *text = NULL;
	enum precedence p;
	bool kept;
	d->item = item;
	d->i = d->place = d->n = 0;
	item->fallback = false;
	item->line = 0;
	item->type = item->stored;
	if (is_kept(d, item, &kept, a))
		return -1;
	if (kept)
		return 0;
	item->by = RECIPE_DECIDED;
	const struct heft_encoding *ruled = rules_find(d->rules, item->name, &text);
	const struct heft_encoding *named = named_type(d, item, &item->why, &p);
	if ((ruled || named) && note_names(d))
		return -1;
	if (ruled && (!named || p != BEFORE_RULES)) {
		item->type = ruled;
		item->why = arena_printf(a, "rule '%s'", text);
	} else if (named) {
		item->type = named;
		if (p != LIKE_A_RULE)
			return 0;
	} else {
		item->why = recipe_why;
		if (by_recipe(d, item, a))
			return -1;
		if (item->by == RECIPE_STAYS)
			return 0;
	}
	return fall_back(d, item, a);
}

/* ---- what the user asked for and no tensor took ---- */

/* A condition on the model alone that is not true of this one excuses its row. */
static int check_rows(struct decision *d, const struct choice *row, size_t n, const bool *used, struct heft_err *err)
{
	for (size_t k = 0; k < n; k++) {
		bool holds = true;
		if (used[k] || (row[k].of_model && expr_eval_bool(&d->env, row[k].when, &holds)))
			continue;
		if (holds)
			return heft_fail(err, HEFT_E_PATTERN, "%s:%d: '%s' matches no tensor that can be stored in another type%s", d->recipe->file, row[k].line,
					 row[k].pattern->text, row[k].when ? ", or its condition holds for none" : "");
	}
	return 0;
}

static int check_asked(struct decision *d, struct heft_err *err)
{
	const struct recipe_facts *f = d->facts;
	if (f->output_type && !d->output_used)
		return heft_fail(err, HEFT_E_PATTERN, "--output-tensor-type %s: there is no output matrix that it decides", f->output_type->name);
	if (f->embedding_type && !d->embedding_used)
		return heft_fail(err, HEFT_E_PATTERN, "--token-embedding-type %s: there are no token embeddings that it decides", f->embedding_type->name);
	if (check_rows(d, d->recipe->keep, d->recipe->n_own_keep, d->keep_used, err) || check_rows(d, d->recipe->choice, d->recipe->n_own, d->choice_used, err))
		return -1;
	return rules_check_used(d->rules, err);
}

static void survey(struct decision *d, const struct recipe_item *item, size_t n)
{
	d->tied = true;
	for (size_t i = 0; i < n; i++) {
		d->tied = d->tied && strcmp(item[i].name, "output.weight");
		d->values += kind_of(item[i].name) == kinds;
	}
}

int recipe_decide(const struct recipe *r, struct recipe_item *item, size_t n, const struct recipe_facts *f,
	struct arena *a, struct heft_err *err)
{
	struct decision *d = arena_alloc(a, sizeof(*d));
	struct recipe_item **order = arena_array(a, n, sizeof(*order));
	d->quantizes = r != NULL;
	d->recipe = r ? r : recipe_find("f16"); /* no recipe: each keeps its own, but for the user's rules */
	if (!d->recipe)
		return heft_fail(err, HEFT_E_RECIPE, "the recipes cannot be read");
	d->env = (struct env){ .arena = a, .symbols = d->recipe->symbols, .err = err, .lookup = lookup };
	d->env.budget = ((uint64_t)n + 1) * BUDGET_PER_ITEM;
	d->facts = f;
	d->keep_used = arena_array(a, d->recipe->n_own_keep, sizeof(bool));
	d->choice_used = arena_array(a, d->recipe->n_own, sizeof(bool));
	survey(d, item, n);
	for (size_t i = 0; i < n; i++)
		order[i] = &item[i];
	if (!f->in_order)
		qsort(order, n, sizeof(*order), by_layer);
	if (!(d->rules = rules_open(f->rule, f->n_rules, err)))
		return -1;
	const char *why = r ? arena_printf(a, "recipe %s", r->name) : "kept";
	int rc = 0;
	for (size_t i = 0; i < n && !rc; i++)
		rc = decide(d, order[i], why, a);
	if (!rc)
		rc = check_asked(d, err);
	if (!rc && f->strict)
		rc = refuse_misfits(d, err);
	rules_close(d->rules);
	return rc;
}
