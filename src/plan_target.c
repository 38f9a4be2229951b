/*
 * plan_target.c - outputs for GPU runtimes: which weights become codes and scales, which stay and why; and the directory around them.
 *
 *   every Linear   a scheme of the target; what does not fit it stays, is said, and is in the configuration's list
 *   the rest       as in the source (decoded to 16 bits where that is quantized), or the float type that the user asks for
 *   config.json    the source's with another quantization_config (plan_config.c)
 *   other files    copies (plan_copies.c)
 */
#include "plan.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../base/map.h"
#include "../quant/quant.h"
#include "model.h"
#include "pace.h"
#include "plan_rules.h"

enum { REALS = 3 };

struct deciding {
	struct heft_plan *plan;
	struct plan_output *output;
	const struct target *target;
	const struct heft_job *job;
	const struct heft_encoding *given;      /* the user's float type, or NULL */
	struct plan_rules *rules;
	struct map misfits;                     /* sets that runtimes read as one, of which a matrix does not fit: its weight */
	struct map named;                       /* modules of output->stays, and those that are stored by a scheme */
	struct made {                           /* when they are needed */
		const struct target *target;
		uint32_t group;                     /* 0: the target's own */
		const struct scheme *scheme[REALS]; /* by enum scaled_real */
	} *made;
	size_t n_made, cap_made, cap_use;
	const struct heft_encoding *scales;     /* type of what was quantized */
	uint32_t group;
	struct target_model model;
	struct recipe_use *mixed;               /* of a type with a recipe of its own; or NULL */
	struct module_kind {
		enum linear kind;
		const char *why;
	} *kind;                                /* of each weight */
	size_t cap;                             /* of output->stays */
	struct heft_err *err;
};

/* ---- types ---- */

static bool is_plain(const struct heft_encoding *e)
{
	return !strcmp(e->name, "f32") || !strcmp(e->name, "f16") || !strcmp(e->name, "bf16");
}

static const struct heft_encoding *source_of(const struct weight *w)
{
	return w->n_sources ? w->source[0]->enc : quant_find("f32");
}

static const struct heft_encoding *real_of(const struct deciding *d, const struct weight *w)
{
	const struct heft_encoding *e = source_of(w);

	return d->given ? d->given : is_plain(e) && !plan_is_quantized(w) ? e : d->scales;
}

static struct made *made_for(struct deciding *d, const struct target *target, uint32_t group)
{
	for (size_t i = 0; i < d->n_made; i++)
		if (d->made[i].target == target && d->made[i].group == group)
			return &d->made[i];
	d->made = arena_grow(d->plan->arena, d->made, &d->cap_made, d->n_made + 1, sizeof *d->made);
	d->made[d->n_made] = (struct made){ .target = target, .group = group };
	return &d->made[d->n_made++];
}

/* Is the group that the user chooses this target's, too? */
static bool takes_group(const struct deciding *d, const struct target *target)
{
	return target == d->target || (target->typed && target->typed == d->target->typed && !target->group_fixed);
}

static void find_kinds(struct deciding *d)
{
	size_t n = d->plan->n_weights;

	d->kind = arena_array(d->plan->arena, n, sizeof *d->kind);
	for (size_t i = 0; i < n; i++) {
		const struct weight *w = d->plan->weight[i].weight;
		struct module_kind *k = &d->kind[i];

		k->kind = d->target->kind ? d->target->kind(w->name, w->shape.rank, &d->model, &k->why)
					  : linear_kind(w->name, w->shape.rank, d->model.layers, &k->why);
	}
}

/* How a module is stored that no rule of the user's speaks of; out NULL: it stays. */
static int usual(const struct deciding *d, const struct weight *w, const struct target **out)
{
	struct target_module module = { .name = linear_module(w->name, d->plan->arena), .from = source_of(w), .how = w->quant };
	struct recipe_item item = { .name = module.name, .shape = w->shape, .stored = module.from };
	struct recipe_says says;

	if (d->job->method == HEFT_METHOD_SEARCH)
		module.bits = plan_integer_bits(w, d->group, real_of(d, w));
	*out = d->target->module ? d->target->module(d->target, &module, &d->model) : d->target;
	if (!d->mixed || *out != d->target)
		return 0;
	if (recipe_ask(d->mixed, &item, &says))
		return -1;
	*out = says.row ? says.as.target : *out;
	return 0;
}

/* group: of a rule of the user's, or 0. */
static const struct scheme *scheme_of(struct deciding *d, const struct target *target, uint32_t group, const struct heft_encoding *real)
{
	enum scaled_real k = scheme_real(real);
	struct scheme_options o = { real, group ? group : takes_group(d, target) ? d->group : 0 };
	struct made *made = made_for(d, target, o.group);
	struct scheme *s;

	if (made->scheme[k])
		return made->scheme[k];
	s = arena_alloc(d->plan->arena, sizeof *s);
	s->enc.about = "codes with scales";
	s->enc.block = 1;
	s->enc.class = QUANT_BLOCK;
	s->search = d->job->method == HEFT_METHOD_SEARCH;
	if (target->scheme(s, &o, d->plan->arena, d->err))
		return NULL;
	s->scaled.negative = d->job->signed_scales && s->search && s->scaled.code == SCALED_INTEGER && !s->scaled.zeros;
	return made->scheme[k] = s;
}

/* ---- one weight ---- */

static void append(struct scheme_names *l, size_t *cap, const char *name, struct arena *a)
{
	l->name = arena_grow(a, (void *)l->name, cap, l->n + 1, sizeof *l->name);
	((const char **)l->name)[l->n++] = name;
}

/* To those that stay, where it is not among them, nor among the others. */
static void add_name(struct deciding *d, const char *name)
{
	bool known;

	map_put(&d->named, name, strlen(name), &known);
	if (!known)
		append(&d->output->stays, &d->cap, name, d->plan->arena);
}

/* Among the modules that are stored as this target has it. */
static void add_use(struct deciding *d, const struct target *target, const struct scheme *s, const char *module)
{
	struct plan_output *o = d->output;
	size_t k = 0;
	bool known;

	map_put(&d->named, module, strlen(module), &known);
	while (k < o->n_uses && (o->use[k].target != target || o->use[k].scheme->group != s->group))
		k++;
	if (k == o->n_uses) {
		o->use = arena_grow(d->plan->arena, o->use, &d->cap_use, ++o->n_uses, sizeof *o->use);
		o->use[k] = (struct scheme_use){ .target = target, .scheme = s };
	}
	append(&o->use[k].modules, &o->use[k].cap, module, d->plan->arena);
}

static void keep(struct deciding *d, size_t i, const char *why)
{
	const struct weight *w = d->plan->weight[i].weight;
	const struct heft_encoding *from = source_of(w);
	struct heft_item *it = &d->output->item[i];
	bool moves = d->given || plan_is_quantized(w);

	if (w->as_stored)
		moves = plan_is_quantized(w);
	it->to = moves && from->class != QUANT_INTEGER ? real_of(d, w) : from;
	it->why = why;
}

static int leave(struct deciding *d, size_t i, const char *why)
{
	struct heft_item *it = &d->output->item[i];

	if (d->job->strict)
		return heft_fail(d->err, HEFT_E_FALLBACK, "tensor '%s': %s (without --strict it stays)", it->name, why);
	keep(d, i, why);
	it->fallback = true;
	d->output->pub.n_fallbacks++;
	add_name(d, linear_module(it->name, d->plan->arena));
	return 0;
}

/* Rows of all its matrices, columns. */
static uint64_t rows_of(const struct shape *s)
{
	return s->rank > 2 ? s->dim[0] * s->dim[1] : s->dim[0];
}

/* Of a tensor whose rows are those of several matrices: how many, and how many rows each has, instead. */
static void part_rows(struct heft_stored *t, const struct heft_item *it)
{
	memmove(t->dim + 2, t->dim + 1, (size_t)(t->rank - 1) * sizeof *t->dim);
	memcpy(t->dim, it->dim, 2 * sizeof *t->dim);
	t->rank++;
}

static void set_sizes(struct deciding *d, size_t i)
{
	const struct plan_output *o = d->output;
	struct heft_item *it = &d->output->item[i];
	uint64_t rows = rows_of(&d->plan->weight[i].weight->shape);

	it->size = 0;
	for (int p = 0; p < o->scheme[i]->enc.n_planes; p++) {
		struct heft_stored *t = &it->stored[p];

		t->size = scheme_tensor(o->scheme[i], p, rows, it->dim[it->rank - 1], o->number ? o->number[i] : NULL, &t->rank, t->dim);
		if (it->rank > 2)
			part_rows(t, it);
		it->size += t->size;
	}
}

static void store(struct deciding *d, size_t i, const struct target *target, const struct scheme *s, const struct heft_encoding *real)
{
	struct heft_item *it = &d->output->item[i];
	const struct weight *w = d->plan->weight[i].weight;
	const char *module = linear_module(it->name, d->plan->arena), *stem = it->rank > 2 && !target->stacks ? it->name : module;

	it->to = &s->enc;
	it->why = target->name;
	it->n_stored = s->enc.n_planes;
	it->stored = arena_array(d->plan->arena, it->n_stored, sizeof *it->stored);
	for (int p = 0; p < s->enc.n_planes; p++) {
		struct heft_stored *t = &it->stored[p];

		t->name = d->plan->sizes_only ? it->name : arena_printf(d->plan->arena, "%s%s", stem, s->suffix[p]);
		t->enc = s->type[p];
	}
	add_use(d, target, s, module);
	d->output->scheme[i] = s;
	set_sizes(d, i);
	real = s->through ? s->through : real;
	d->output->via[i] = (source_of(w) == real && weight_moves_only(w)) || plan_looks_for_codes(w, s) ? NULL : real;
}

/* Why a matrix cannot be stored so, or NULL. */
static const char *misfit(const struct deciding *d, const struct weight *w, const struct scheme *s)
{
	uint64_t rows = rows_of(&w->shape), cols = w->shape.dim[w->shape.rank - 1], bytes;
	struct arena *a = d->plan->arena;
	bool expert = strstr(w->name, ".experts.") != NULL;
	uint32_t least = s->kernel_cols / (expert ? 2 : 1);

	if (!rows || !cols || __builtin_mul_overflow(rows, cols, &bytes) || bytes > UINT64_MAX / 64)
		return "it has no numbers";
	if (cols % s->even_cols)
		return arena_printf(a, "%llu columns are no multiple of %u", (unsigned long long)cols, (unsigned)s->even_cols);
	if (rows % s->even_rows)
		return arena_printf(a, "%llu rows are no multiple of %u", (unsigned long long)rows, (unsigned)s->even_rows);
	if (least && cols % least)
		return arena_printf(a, "no kernel serves %llu columns, no multiple of %u", (unsigned long long)cols, (unsigned)least);
	if (s->kernel_rows && rows % s->kernel_rows && !linear_joined(w->name, a)) /* those count together */
		return arena_printf(a, "no kernel serves %llu rows, no multiple of %u", (unsigned long long)rows, (unsigned)s->kernel_rows);
	return NULL;
}

static int quantize(struct deciding *d, size_t i, const struct target *target, uint32_t group)
{
	const struct weight *w = d->plan->weight[i].weight, *other;
	const struct heft_encoding *real = real_of(d, w);
	const struct scheme *s = scheme_of(d, target, group, real);
	const char *why, *set = d->target->kind ? NULL : linear_joined(w->name, d->plan->arena);
	struct map_slot *bad = set ? map_find(&d->misfits, set, strlen(set)) : NULL;

	if (!s)
		return -1;
	why = misfit(d, w, s);
	other = bad ? d->plan->weight[bad->value.i].weight : NULL;
	if (!why && other)
		why = arena_printf(d->plan->arena, "runtimes read it with %s, which does not fit", other->name);
	if (why)
		return leave(d, i, why);
	if (plan_is_quantized(w) && !w->source[0]->packed && !plan_keeps_codes(w, s) && !d->job->allow_requantize)
		return heft_fail(d->err, HEFT_E_REQUANTIZE,
				 "tensor '%s' is quantized already (%s); quantizing it again loses quality: --allow-requantize does it all the same%s",
				 w->source[0]->name, w->source[0]->enc->name, d->target->typed ? ", -t keep stores it in 16 bits" : "");
	store(d, i, target, s, real);
	d->output->same[i] = plan_same_planes(w, s) || plan_taken(w, s);
	d->output->item[i].lossless = d->output->same[i];
	if (d->output->same[i] || plan_keeps_codes(w, s))
		d->output->item[i].why = "lossless: codes stay";
	else if (plan_keeps_integers(w, s))
		d->output->item[i].why = "codes stay, biases are rounded";
	return 0;
}

/* ---- the user's choice, and what is said of it in a recipe ---- */

static int ask_rules(const struct deciding *d, size_t i, enum linear kind, struct plan_choice *out)
{
	const struct weight *w = d->plan->weight[i].weight;
	const struct plan_instead *instead = d->output->instead;
	size_t k = instead && instead->which ? instead->which[i] : 0;
	struct recipe_item module = { .name = linear_module(w->name, d->plan->arena), .shape = w->shape, .stored = source_of(w), .plain = kind == LINEAR_NO };

	if (plan_rules_find(d->rules, &module, kind, out))
		return -1;
	if (instead && k != PLAN_AS_EVER && kind == LINEAR_YES && !out->stays && !out->target)
		*out = instead->choice[k];
	return 0;
}

/* As a row names it; NULL where no row can. */
static const char *decided_as(const struct deciding *d, const struct plan_choice *c)
{
	struct arena *a = d->plan->arena;
	const struct heft_encoding *none;
	const char *word;

	if (!c->target)
		return c->type ? c->type->name : "keep";
	word = c->target->name;
	if (d->target->typed) {
		word += strlen("mlx-");
		if (c->target->typed(word, &none) != c->target)
			return NULL;
	}
	if (c->group == UINT32_MAX)
		return arena_printf(a, "%s:channel", word);
	return c->group ? arena_printf(a, "%s:%u", word, (unsigned)c->group) : word;
}

/* For a recipe that is saved; a target that has experts of its own keeps no note. */
static void note(struct deciding *d, size_t i, const char *word)
{
	if (d->output->decided)
		d->output->decided[i] = word;
}

/* The user has it so. */
static int keep_as(struct deciding *d, size_t i, enum linear kind, const struct plan_choice *c)
{
	struct heft_item *it = &d->output->item[i];

	note(d, i, decided_as(d, c));
	keep(d, i, c->why);
	if (c->type && it->to->class != QUANT_INTEGER)
		it->to = c->type;
	if (kind != LINEAR_NO)
		add_name(d, linear_module(it->name, d->plan->arena));
	return 0;
}

static int quantize_as(struct deciding *d, size_t i, const struct plan_choice *c)
{
	if (quantize(d, i, c->target, c->group))
		return -1;
	if (d->output->scheme[i])
		note(d, i, decided_as(d, c));
	return 0;
}

static int decide(struct deciding *d, size_t i)
{
	const struct weight *w = d->plan->weight[i].weight;
	const char *why = d->kind[i].why;
	enum linear kind = d->kind[i].kind;
	struct plan_choice choice;

	if (w->quant && !strcmp(w->quant, "no") && kind == LINEAR_YES) {
		why = "no Linear in this model";
		kind = LINEAR_NO;
	}
	if (source_of(w)->class == QUANT_INTEGER)
		kind = LINEAR_NO;
	if (ask_rules(d, i, kind, &choice))
		return -1;
	if (kind == LINEAR_NO)
		note(d, i, choice.stays ? decided_as(d, &choice) : "");
	if (choice.stays)
		return keep_as(d, i, kind, &choice);
	if (d->target->experts && kind == LINEAR_FUSED)
		return quantize(d, i, d->target, 0);
	if (d->target->experts && kind == LINEAR_YES) {
		keep(d, i, "only experts are quantized");
		return 0;
	}
	if (kind == LINEAR_YES && !choice.target && usual(d, w, &choice.target))
		return -1;
	if (kind == LINEAR_YES && !choice.target) {
		keep(d, i, plan_is_quantized(w) ? "the runtime has no such codes" : "as in the source");
		return 0;
	}
	if (kind == LINEAR_YES || (kind == LINEAR_STAYS && choice.target))
		return quantize_as(d, i, &choice);
	if (kind == LINEAR_FUSED)
		return leave(d, i, why);
	keep(d, i, why);
	if (kind == LINEAR_STAYS)
		add_name(d, linear_module(w->name, d->plan->arena));
	return 0;
}

/* ---- all ---- */

/* What all floats become for a runtime that counts in one type, where the user names none: of a GGUF, its first matrix has the word. */
static const struct heft_encoding *usual_float(const struct deciding *d)
{
	const struct heft_plan *p = d->plan;
	const struct heft_encoding *real;
	bool search = d->job->method == HEFT_METHOD_SEARCH;
	struct json_doc *doc;

	for (size_t i = 0; model_speaks_gguf(p->model) && i < p->n_weights; i++)
		if (p->weight[i].weight->shape.rank > 1)
			return real_of(d, p->weight[i].weight);
	doc = plan_config_doc(p);
	real = plan_said_float(json_root(doc), search);
	json_free(doc);
	return search && plan_integers(p) && d->scales->plane[0].bytes == 2 ? d->scales : real; /* integers' scales stay what they are */
}

static struct target_model read_model(const struct heft_plan *p)
{
	struct json_doc *doc = plan_config_doc(p);
	const struct json *root = json_root(doc), *text = json_get(root, "text_config");
	struct target_model m = { 0 };
	const char *type;

	if (!doc)
		return m;
	if (!json_uint(json_get(root, "num_hidden_layers"), &m.layers))
		json_uint(json_get(text, "num_hidden_layers"), &m.layers);
	type = json_cstr(json_get(root, "model_type"));
	m.type = type ? arena_strdup(p->arena, type) : NULL;
	json_free(doc);
	return m;
}

static bool to_stdout(const struct heft_job *j)
{
	for (size_t i = 0; i < j->n_outputs; i++)
		if (j->output[i].path && !strcmp(j->output[i].path, "-"))
			return true;
	return false;
}

static const struct target *target_of(const struct deciding *d, const struct scheme *s)
{
	for (size_t i = 0; i < d->n_made; i++)
		for (int k = 0; k < REALS; k++)
			if (s && d->made[i].scheme[k] == s)
				return d->made[i].target;
	return NULL;
}

static bool stored_alike(const struct deciding *d, const struct scheme *a, const struct scheme *b)
{
	return target_of(d, a) == target_of(d, b) && (!a || a->group == b->group);
}

/* What runtimes read as one must be stored alike, whatever the user's rules say of each. */
static int check_sets(const struct deciding *d)
{
	const struct plan_output *o = d->output;
	struct map sets;
	int rc = 0;

	map_init(&sets);
	for (size_t i = 0; i < d->plan->n_weights && !rc; i++) {
		const struct heft_item *it = &o->item[i];
		const char *set = d->kind[i].kind == LINEAR_YES ? linear_joined(it->name, d->plan->arena) : NULL;
		struct map_slot *slot;
		bool known;

		if (!set || it->fallback)
			continue;
		slot = map_put(&sets, set, strlen(set), &known);
		if (!known)
			slot->value.i = (int64_t)i;
		else if (!stored_alike(d, o->scheme[i], o->scheme[slot->value.i]))
			rc = heft_fail(d->err, HEFT_E_OPTION, "'%s' and '%s' are one matrix or layer to runtimes: patterns must take both or neither",
				       o->item[slot->value.i].name, it->name);
	}
	map_release(&sets);
	return rc;
}

/* Matrices that do not fit, so that what is read with them stays, too. */
static int find_misfits(struct deciding *d)
{
	for (size_t i = 0; i < d->plan->n_weights; i++) {
		const struct weight *w = d->plan->weight[i].weight;
		struct plan_choice choice;
		const struct scheme *s;
		const char *set;

		if (d->kind[i].kind != LINEAR_YES || source_of(w)->class == QUANT_INTEGER || !(set = linear_joined(w->name, d->plan->arena)))
			continue;
		if (ask_rules(d, i, LINEAR_YES, &choice))
			return -1;
		s = choice.stays ? NULL : scheme_of(d, choice.target ? choice.target : d->target, choice.group, real_of(d, w));
		if (!choice.stays && !s)
			return -1;
		if (s && misfit(d, w, s) && !map_find(&d->misfits, set, strlen(set)))
			map_put(&d->misfits, set, strlen(set), &(bool){ 0 })->value.i = (int64_t)i;
	}
	return 0;
}

static int decide_all(struct deciding *d)
{
	const struct heft_job *j = d->job;

	find_kinds(d);
	if (!d->target->experts && !d->target->kind && find_misfits(d))
		return -1;
	for (size_t i = 0; i < d->plan->n_weights; i++)
		if (decide(d, i))
			return -1;
	add_name(d, "lm_head"); /* also where it shares the embeddings' weight: it is a Linear */
	if (plan_rules_check_used(d->rules, d->err))
		return -1;
	return !d->target->kind && (d->output->recipe || j->n_ignore || j->n_targets || j->n_tensor_types) ? check_sets(d) : 0;
}

/* What sizes depend on, and these again. */
static int measure_early(struct deciding *d)
{
	const struct plan_output *o = d->output;
	const struct heft_run_options *asked = d->job->watch;
	struct pace pace = { .begun = pace_clock() };

	if (asked) {
		pace.progress = asked->progress;
		pace.ctx = asked->ctx;
		pace.total = plan_measured_bytes(d->plan, true);
	}
	if (plan_measure(d->plan, d->output, true, &(struct plan_watch){ asked ? asked->stop : NULL, &pace }, d->err))
		return -1;
	for (size_t i = 0; i < d->plan->n_weights; i++)
		if (o->scheme[i] && o->scheme[i]->measure && o->scheme[i]->measure->early)
			set_sizes(d, i);
	return 0;
}

/* The user's, and that of a mixed type. */
static int open_recipes(struct deciding *d)
{
	struct plan_output *o = d->output;
	struct recipe_facts facts = { .arch = d->model.type, .layers = d->model.layers, .imatrix = d->plan->imatrix && d->plan->imatrix->n_entries };

	if (d->target->recipe && !(d->mixed = recipe_begin(recipe_of_modules(d->target->recipe), &facts, d->plan->arena, d->err)))
		return -1;
	if (o->recipe && d->target->experts)
		return heft_fail(d->err, HEFT_E_OPTION, "--to %s is one layout for all experts: a recipe goes with --to mxfp4a16", d->target->name);
	facts.told = &o->rows;
	return o->recipe ? plan_rules_recipe(d->rules, o->recipe, &facts, d->err) : 0;
}

int plan_schemes(struct heft_plan *p, struct plan_output *o, const struct target *target, const struct heft_job *job, struct heft_err *err)
{
	struct deciding d = { .plan = p, .output = o, .target = target, .job = job, .err = err };
	bool like_source; /* groups and the type of their scales are those of codes that could stay */
	int rc;

	d.given = o->given;
	like_source = target->groups && (job->method == HEFT_METHOD_SEARCH || (target->typed && model_speaks_gguf(p->model)));
	d.scales = like_source ? plan_scale_type(p) : quant_find("bf16");
	d.group = job->group_size || !like_source ? job->group_size : plan_group(p);
	if (to_stdout(job))
		return heft_fail(err, HEFT_E_OPTION, "--to %s writes a directory: name it with -o", target->name);
	if (target->typed && !o->given)
		d.given = o->given = usual_float(&d);
	d.model = read_model(p);
	if (plan_rules_open(&d.rules, job, target, p->arena, err) || open_recipes(&d))
		return -1;
	o->decided = target->experts ? NULL : arena_array(p->arena, p->n_weights, sizeof *o->decided);
	o->scheme = arena_array(p->arena, p->n_weights, sizeof *o->scheme);
	o->same = arena_array(p->arena, p->n_weights, sizeof *o->same);
	map_init(&d.named);
	map_init(&d.misfits);
	rc = decide_all(&d);
	map_release(&d.named);
	map_release(&d.misfits);
	return rc ? -1 : measure_early(&d);
}
