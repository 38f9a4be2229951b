/*
 * arch_eval.c - a family evaluated for one model: what it needs, metadata, tensors, vocabulary; in this order, because
 * later parts use earlier ones.
 */
#include "arch_rows.h"

#include "target/target.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static int first_row(struct arch_run *r, enum row_kind kind, const struct row **out)
{
	const struct rows *rows = &r->arch->rows[kind];
	*out = NULL;
	for (size_t i = 0; i < rows->n && !*out; i++) {
		bool holds;
		if (expr_eval_bool(&r->env, rows->row[i]->when, &holds))
			return -1;
		if (holds)
			*out = rows->row[i];
	}
	return 0;
}

static int choose_name(struct arch_run *r)
{
	const struct row *row;
	if (first_row(r, ROW_ARCH, &row))
		return -1;
	if (!row)
		return heft_fail(r->err, HEFT_E_NEED, "no 'arch' row of '%s' holds for this model", r->arch->file);
	r->out->name = arena_strdup(r->arena, row->name);
	return 0;
}

static int check_needs(struct arch_run *r)
{
	const struct rows *require = &r->arch->rows[ROW_REQUIRE], *need = &r->arch->rows[ROW_NEED];
	struct value v;
	bool holds;
	for (size_t i = 0; i < require->n; i++) {
		const struct row *row = require->row[i];
		if (expr_eval_bool(&r->env, row->when, &holds) || (holds && expr_eval(&r->env, row->expr, &v)))
			return -1;
		if (holds && v.kind == V_NULL)
			return heft_fail(r->err, HEFT_E_CONFIG, "%s: no key '%s', which family %s needs", arch_config_name(r), row->expr->text,
					 r->out->name);
	}
	for (size_t i = 0; i < need->n; i++) {
		if (expr_eval_bool(&r->env, need->row[i]->expr, &holds))
			return -1;
		if (!holds)
			return heft_fail(r->err, HEFT_E_NEED, "family %s refuses this model: %s", r->out->name,
				need->row[i]->name);
	}
	return 0;
}

static int find_layers(struct arch_run *r)
{
	const struct rows *rows = &r->arch->rows[ROW_LAYERS];
	if (!rows->n)
		return 0;
	if (expr_eval_int(&r->env, rows->row[0]->expr, &r->layers))
		return -1;
	return r->layers >= 0 && r->layers <= UINT32_MAX ? 0 : heft_fail(r->err, HEFT_E_CONFIG, "%s: the number of layers is %" PRId64,
									arch_config_name(r), r->layers);
}

/* ---- metadata ---- */

static const struct {
	const char *name;           /* for messages */
	enum heft_vtype element;    /* of a list */
	bool list, scalar;          /* which it may be */
} key_types[] = {
	[KEY_U32] = { "an unsigned 32-bit integer", HEFT_U32, false, true },
	[KEY_F32] = { "a number", HEFT_F32, false, true },
	[KEY_BOOL] = { "a boolean", HEFT_BOOL, false, true },
	[KEY_STRING] = { "a string", HEFT_STRING, false, true },
	[KEY_I32_ARRAY] = { "a list of integers", HEFT_I32, true, false },
	[KEY_F32_ARRAY] = { "a list of numbers", HEFT_F32, true, false },
	[KEY_BOOL_ARRAY] = { "a list of booleans", HEFT_BOOL, true, false },
	[KEY_STRING_ARRAY] = { "a list of strings", HEFT_STRING, true, false },
	[KEY_U32_OR_ARRAY] = { "an integer or a list of integers", HEFT_I32, true, true },
	[KEY_U32_OR_BOOLS] = { "an integer or a list of booleans", HEFT_BOOL, true, true },
	[KEY_UNKNOWN] = { "a value that metadata can hold", HEFT_U32, false, false },
};

static bool fits_u32(const struct value *v, struct heft_value *out)
{
	*out = (struct heft_value){ .type = HEFT_U32, .count = 1, .u = (uint64_t)v->i };
	return v->kind == V_INT && v->i >= 0 && v->i <= UINT32_MAX;
}

static bool make_scalar(struct arch_run *r, enum key_type type, const struct value *v, struct heft_value *out)
{
	double d;
	switch (type) {
	case KEY_F32:
		if (!v_as_num(v, &d) || v->kind == V_BOOL)
			return false;
		*out = (struct heft_value){ .type = HEFT_F32, .count = 1, .f = (double)(float)d };
		return true;
	case KEY_BOOL:
		*out = (struct heft_value){ .type = HEFT_BOOL, .count = 1, .b = v->b };
		return v->kind == V_BOOL;
	case KEY_STRING:
		*out = (struct heft_value){ .type = HEFT_STRING, .count = 1 };
		if (v->kind != V_STR)
			return false;
		out->s = (struct heft_str){ arena_memdup(r->arena, v->s.p, v->s.n), v->s.n };
		return true;
	default:
		return fits_u32(v, out);
	}
}

/* One element into the C array of its type. */
static bool put_element(struct arch_run *r, enum heft_vtype type, const struct value *v, void *data, size_t i)
{
	double d;
	switch (type) {
	case HEFT_I32:
		((int32_t *)data)[i] = (int32_t)v->i;
		return v->kind == V_INT && v->i >= INT32_MIN && v->i <= INT32_MAX;
	case HEFT_F32:
		if (!v_as_num(v, &d) || v->kind == V_BOOL)
			return false;
		((float *)data)[i] = (float)d;
		return true;
	case HEFT_BOOL:
		((uint8_t *)data)[i] = v->b;
		return v->kind == V_BOOL;
	default:
		if (v->kind != V_STR)
			return false;
		((struct heft_str *)data)[i] = (struct heft_str){ arena_memdup(r->arena, v->s.p, v->s.n), v->s.n };
		return true;
	}
}

static bool make_array(struct arch_run *r, enum heft_vtype type, const struct value *v, struct heft_value *out)
{
	size_t size = type == HEFT_BOOL ? 1 : type == HEFT_STRING ? sizeof(struct heft_str) : 4;
	void *data = arena_array(r->arena, v->list.n, size);
	*out = (struct heft_value){ .type = type, .array = true, .count = v->list.n, .data = data };
	for (size_t i = 0; i < v->list.n; i++) {
		struct value x = v_load(v->list.item[i], r->arena);
		if (!put_element(r, type, &x, data, i))
			return false;
	}
	return true;
}

/* A key that the table does not know takes the type of its value, so that a family can be ahead of it. */
static enum key_type guess_type(struct arch_run *r, const struct value *v)
{
	static const struct {
		enum key_type scalar, list;
	} by_kind[] = {
		[V_NULL] = { KEY_UNKNOWN, KEY_I32_ARRAY },
		[V_BOOL] = { KEY_BOOL, KEY_BOOL_ARRAY },
		[V_INT] = { KEY_U32, KEY_I32_ARRAY },
		[V_NUM] = { KEY_F32, KEY_F32_ARRAY },
		[V_STR] = { KEY_STRING, KEY_STRING_ARRAY },
		[V_LIST] = { KEY_UNKNOWN, KEY_UNKNOWN },
		[V_OBJECT] = { KEY_UNKNOWN, KEY_UNKNOWN },
	};
	struct value first = v_null();
	if (v->kind != V_LIST)
		return by_kind[v->kind].scalar;
	if (v->list.n)
		first = v_load(v->list.item[0], r->arena);
	return by_kind[first.kind].list;
}

/* By the name without the architecture's, else with it: those of projectors have "clip." in all files. */
static enum key_type type_of_key(const struct row *row, const char *key)
{
	enum key_type type = llamacpp_key_type(row->name);
	return type == KEY_UNKNOWN ? llamacpp_key_type(key) : type;
}

static bool make_value(struct arch_run *r, enum key_type type, const struct value *v, struct heft_value *out, const char **want)
{
	if (type == KEY_UNKNOWN)
		type = guess_type(r, v);
	*want = key_types[type].name;
	if (v->kind == V_LIST && key_types[type].list)
		return make_array(r, key_types[type].element, v, out);
	return key_types[type].scalar && make_scalar(r, type, v, out);
}

bool arch_key_is_whole(const char *key)
{
	static const char *const begins[] = { "general.", "tokenizer.", "diffusion.", "xielu." };

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (!strncmp(key, begins[i], strlen(begins[i])))
			return true;
	return false;
}

static int add_key(struct arch_run *r, const struct row *row, struct map *seen)
{
	struct arch_result *out = r->out;
	struct value v;
	bool holds, found;
	const char *want;
	if (map_find(seen, row->name, strlen(row->name)))
		return 0;
	if (expr_eval_bool(&r->env, row->when, &holds))
		return -1;
	if (!holds)
		return 0;
	map_put(seen, row->name, strlen(row->name), &found);
	if (expr_eval(&r->env, row->expr, &v))
		return -1;
	if (v.kind == V_NULL) {
		out->no_file_type |= !strcmp(row->name, "general.file_type");
		return 0;
	}
	struct heft_kv *kv = &out->kv[out->n_kv];
	kv->key = arch_key_is_whole(row->name) ? arena_strdup(r->arena, row->name) :
					   arena_printf(r->arena, "%s.%s", out->name, row->name);
	if (!make_value(r, type_of_key(row, kv->key), &v, &kv->value, &want))
		return heft_fail(r->err, HEFT_E_CONFIG, "%s: '%s' gives %s ('%.60s') for '%s', which is %s", arch_config_name(r), row->expr->text,
				 v_kind_name(v.kind), v_show(&v, r->arena), kv->key, want);
	out->n_kv++;
	return 0;
}

static int add_keys(struct arch_run *r)
{
	const struct rows *rows = &r->arch->rows[ROW_KEY];
	struct map seen;
	int rc = 0;
	r->out->kv = arena_array(r->arena, rows->n, sizeof(*r->out->kv));
	map_init(&seen);
	for (size_t i = 0; i < rows->n && !rc; i++)
		rc = add_key(r, rows->row[i], &seen) && !r->in->metadata_only ? -1 : 0;
	map_release(&seen);
	return rc;
}

/* ---- vocabulary ---- */

static int add_choice(struct arch_run *r, const struct vocab_choice *c, struct arch_vocab *out)
{
	const char **option = arena_array(r->arena, 2 * (size_t)c->n_options + 1, sizeof(*option));
	for (int i = 0; i < c->n_options; i++) {
		struct value v;
		if (expr_eval(&r->env, c->value[i], &v))
			return -1;
		option[2 * i] = arena_strdup(r->arena, c->option[i]);
		option[2 * i + 1] = arena_strdup(r->arena, v_show(&v, r->arena));
	}
	*out = (struct arch_vocab){ arena_strdup(r->arena, c->strategy), c->n_options ? option : NULL };
	return 0;
}

static int add_vocab(struct arch_run *r)
{
	const struct rows *rows = &r->arch->rows[ROW_VOCAB];
	const struct row *row = NULL;
	bool holds = false;
	for (size_t i = 0; i < rows->n && !holds; i++) {
		row = rows->row[i];
		if (expr_eval_bool(&r->env, row->when, &holds))
			return -1;
	}
	if (!holds)
		return 0;
	r->out->vocab = arena_array(r->arena, (size_t)row->n_vocab, sizeof(*r->out->vocab));
	for (int i = 0; i < row->n_vocab; i++)
		if (add_choice(r, &row->vocab[i], &r->out->vocab[r->out->n_vocab++]))
			return -1;
	return 0;
}

/* By its own row, else what the configuration says. */
static int vocab_size(struct arch_run *r)
{
	const struct rows *rows = &r->arch->rows[ROW_VOCAB_SIZE];
	struct value v;
	bool has;
	if (rows->n)
		return expr_eval_int(&r->env, rows->row[0]->expr, &r->out->vocab_size);
	if (r->env.lookup(&r->env, r->arch->sym.vocab_size, &v, &has))
		return -1;
	if (!v_as_int(&v, &r->out->vocab_size) || r->out->vocab_size < 0)
		r->out->vocab_size = -1;
	return 0;
}

static int add_token(struct arch_run *r, const struct row *row)
{
	struct arch_result *out = r->out;
	struct value v;
	bool holds;
	for (size_t i = 0; i < out->n_tokens; i++)
		if (!strcmp(out->token[i].role, row->name))
			return 0;
	if (expr_eval_bool(&r->env, row->when, &holds) || (holds && expr_eval(&r->env, row->expr, &v)))
		return -1;
	if (!holds || v.kind == V_NULL)
		return 0;
	int64_t id = v.kind == V_INT			? v.i :
		     v.kind == V_STR && r->in->vocab_id ? r->in->vocab_id(r->in->vocab, v.s.p) :
							  -1;
	if (id < 0)
		return heft_fail(r->err, HEFT_E_TOKENIZER, "token '%s' for role %s is not in the vocabulary",
			v_show(&v, r->arena), row->name);
	out->token[out->n_tokens++] = (struct arch_token){ arena_strdup(r->arena, row->name), id, row->also_null };
	return 0;
}

static int add_tokens(struct arch_run *r)
{
	const struct rows *rows = &r->arch->rows[ROW_TOKEN];
	r->out->token = arena_array(r->arena, rows->n, sizeof(*r->out->token));
	for (size_t i = 0; i < rows->n; i++)
		if (add_token(r, rows->row[i]))
			return -1;
	return 0;
}

/* ---- all ---- */

/* Keys and strategies only, and what cannot be said is left out. */
static int evaluate_metadata(struct arch_run *r)
{
	struct heft_err unheard, *heard = r->err;
	if (choose_name(r))
		return -1;
	r->env.err = r->err = &unheard;
	add_keys(r);
	vocab_size(r);
	r->env.err = r->err = heard;
	return add_vocab(r);
}

/* Names, and what config.json says. */
static int evaluate_target(struct arch_run *r)
{
	r->out->name = r->arch->target;
	return check_needs(r) || find_layers(r) || arch_members(r) || arch_map(r) ? -1 : 0;
}

static int evaluate(struct arch_run *r)
{
	if (r->arch->target)
		return evaluate_target(r);
	if (r->in->partial)
		return choose_name(r) || find_layers(r) || arch_map(r) ? -1 : 0;
	if (choose_name(r) || check_needs(r) || find_layers(r) || add_keys(r))
		return -1;
	return vocab_size(r) || add_vocab(r) || add_tokens(r) || arch_map(r) ? -1 : 0;
}

int arch_eval(const struct arch *a, const struct arch_input *in, struct arch_result *out, struct arena *arena,
	struct sink *sink, struct heft_err *err)
{
	struct heft_err own = { 0 };
	struct arch_run *r = arena_alloc(arena, sizeof(*r));
	int rc = arch_run_init(r, a, in, out, arena, sink, err ? err : &own);
	if (!rc)
		rc = in->metadata_only ? evaluate_metadata(r) : evaluate(r);
	arch_run_release(r);
	if (!r->told)
		return rc;
	if (rc || r->told == 1)
		return heft_fail(err, r->first.code, "%s", r->first.text);
	return heft_fail(err, r->first.code, "%.800s (and %zu more)", r->first.text, r->told - 1);
}
