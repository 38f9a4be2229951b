/*
 * arch_back.c - a family read right to left: a GGUF's metadata gives the configuration, its tensors those of the
 * checkpoint; then left to right again, which must give the GGUF back.
 *
 *   metadata --back rows, key rows--> configuration -.
 *   tensors  --map rows-------------> weights -------+--arch_eval--> the same names, shapes, keys?
 *
 * A key row whose expression is a plain name gives that name back by itself; where a `back` row has the name, only that
 * decides. Refuses what does not come back, and names the row.
 */
#include "arch_rows.h"

#include "../base/nest.h"
#include "kv.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { LONG_ARRAY = 4096, LONG_TEXT = 4096 };

struct back {
	const struct arch *arch;
	const struct arch_input *in;
	const struct heft_kv *kv;
	size_t n_kv;
	const char *name; /* general.architecture */
	struct arch_back *out;
	struct arena *arena;
	struct heft_err *err;
};

const char *arch_no_way_back(const struct arch *a)
{
	static const char *const needed[] = { "model_type", "architectures" };
	const struct rows *back = &a->rows[ROW_BACK], *rules = &a->rows[ROW_RULE], *oneway = &a->rows[ROW_ONEWAY];
	if (oneway->n)
		return arena_printf(a->arena, "%s:%d: %s", oneway->row[0]->file, oneway->row[0]->line, oneway->row[0]->name);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		size_t k = 0;
		while (k < back->n && (strcmp(back->row[k]->name, needed[i]) || strcmp(back->row[k]->file, a->file)))
			k++; /* a base's says what the base is */
		if (k == back->n)
			return arena_printf(a->arena, "%s: no row 'back %s'", a->file, needed[i]);
	}
	for (size_t i = 0; i < rules->n; i++) {
		const struct row *r = rules->row[i];
		const char *why = r->skip ? NULL : arch_no_inverse(a, r);
		if (why)
			return arena_printf(a->arena, "%s:%d: %s, so that '%s' has no way back", r->file, r->line, why, r->right->text);
	}
	return NULL;
}

/* ---- metadata as JSON ---- */

static const char *json_of_element(const struct heft_value *v, uint64_t i, struct arena *a)
{
	switch (v->type) {
	case HEFT_I32:
		return arena_printf(a, "%" PRId32, v->array ? ((const int32_t *)v->data)[i] : (int32_t)v->i);
	case HEFT_F32:
		return json_of_f32(v->array ? ((const float *)v->data)[i] : (float)v->f, a);
	case HEFT_BOOL:
		return (v->array ? ((const uint8_t *)v->data)[i] != 0 : v->b) ? "true" : "false";
	case HEFT_STRING:
		return json_of_str(v->array ? ((const struct heft_str *)v->data)[i] : v->s, a);
	case HEFT_U32:
		return arena_printf(a, "%" PRIu32, v->array ? ((const uint32_t *)v->data)[i] : (uint32_t)v->u);
	case HEFT_F64:
		return v->array ? NULL : json_of_f64(v->f, a);
	case HEFT_I8:
	case HEFT_I16:
	case HEFT_I64:
		return v->array ? NULL : arena_printf(a, "%" PRId64, v->i);
	default:
		return v->array ? NULL : arena_printf(a, "%" PRIu64, v->u);
	}
}

/* NULL: too long for a configuration, or of a type that none has. */
static const char *json_of_value(const struct heft_value *v, struct arena *a)
{
	struct jbuf b = { 0 };
	const char *text;
	bool good = true;
	if (!v->array)
		return v->type == HEFT_STRING && v->s.n > LONG_TEXT ? NULL : json_of_element(v, 0, a);
	if (v->count > LONG_ARRAY)
		return NULL;
	jbuf_raw(&b, "[", 1);
	for (uint64_t i = 0; i < v->count && good; i++) {
		text = json_of_element(v, i, a);
		good = text != NULL;
		if (good)
			jbuf_printf(&b, "%s%s", i ? ", " : "", text);
	}
	jbuf_raw(&b, "]", 1);
	text = good ? arena_memdup(a, b.p, b.n) : NULL;
	jbuf_release(&b);
	return text;
}

/* A key without its architecture's prefix; NULL: of another architecture. */
static const char *own_key(const struct back *b, const char *key)
{
	size_t n = strlen(b->name);
	if (arch_key_is_whole(key))
		return key;
	return !strncmp(key, b->name, n) && key[n] == '.' ? key + n + 1 : NULL;
}

static struct json_doc *metadata_json(const struct back *b)
{
	struct nest s = { .arena = b->arena };
	for (size_t i = 0; i < b->n_kv; i++) {
		const char *key = own_key(b, b->kv[i].key);
		const char *json = key ? json_of_value(&b->kv[i].value, b->arena) : NULL;
		if (json)
			nest_put(&s, key, json);
	}
	struct heft_str text = nest_text(&s);
	return json_parse(text.p, text.n, "metadata", false, b->err);
}

/* ---- the configuration ---- */

static const char *json_of_scalar(const struct value *v, struct arena *a)
{
	switch (v->kind) {
	case V_BOOL:
		return v->b ? "true" : "false";
	case V_INT:
		return arena_printf(a, "%" PRId64, v->i);
	case V_NUM:
		return json_of_f64(v->d, a);
	case V_STR:
		return json_of_str(v->s, a);
	default:
		return "null";
	}
}

static const char *json_of_list(const struct value *v, struct arena *a)
{
	struct jbuf b = { 0 };
	jbuf_raw(&b, "[", 1);
	for (size_t i = 0; i < v->list.n; i++) {
		struct value x = v_load(v->list.item[i], a);
		jbuf_printf(&b, "%s%s", i ? ", " : "", json_of_scalar(&x, a));
	}
	jbuf_raw(&b, "]", 1);
	const char *text = arena_memdup(a, b.p, b.n);
	jbuf_release(&b);
	return text;
}

/* Members of an object become names of their own, one level down. */
static void put_value(struct nest *s, const char *name, const struct value *v)
{
	if (v->kind == V_LIST)
		nest_put(s, name, json_of_list(v, s->arena));
	else if (v->kind != V_OBJECT)
		nest_put(s, name, json_of_scalar(v, s->arena));
	for (size_t i = 0; v->kind == V_OBJECT && i < v->object.n; i++) {
		struct value x = v_load(v->object.item[i].value, s->arena);
		const char *member = arena_printf(s->arena, "%s.%s", name, v->object.item[i].key.p);
		nest_put(s, member, x.kind == V_LIST ? json_of_list(&x, s->arena) : json_of_scalar(&x, s->arena));
	}
}

static bool has_back_row(const struct arch *a, const char *name)
{
	for (size_t i = 0; i < a->rows[ROW_BACK].n; i++)
		if (!strcmp(a->rows[ROW_BACK].row[i]->name, name))
			return true;
	return false;
}

/* The configuration key that a key row copies, or NULL. */
static const char *copied_name(const struct arch *a, const struct row *row)
{
	const struct arch_symbols *sym = &a->sym;
	if (row->expr->n != 1 || row->expr->code[0].op != X_NAME)
		return NULL;
	int s = row->expr->code[0].a;
	if (s == sym->rope || s == sym->pooling || s == sym->layers || s == sym->directory || s == sym->config ||
	    s == sym->option)
		return NULL;
	for (size_t i = 0; i < a->rows[ROW_LET].n; i++)
		if (a->rows[ROW_LET].row[i]->symbol == s)
			return NULL;
	return a->symbols.name[s];
}

static int back_rows(struct arch_run *r, struct nest *s)
{
	const struct rows *back = &r->arch->rows[ROW_BACK];
	for (size_t i = 0; i < back->n; i++) {
		const struct row *row = back->row[i];
		struct value v;
		bool holds;
		if (nest_has(s, row->name))
			continue;
		if (expr_eval_bool(&r->env, row->when, &holds) || (holds && expr_eval(&r->env, row->expr, &v)))
			return -1;
		if (holds && (v.kind != V_NULL || row->also_null))
			put_value(s, row->name, &v);
	}
	return 0;
}

/* Does a row before this one always decide? */
static bool is_hidden(const struct rows *keys, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!keys->row[k]->when && !strcmp(keys->row[k]->name, keys->row[i]->name))
			return true;
	return false;
}

static void key_rows(const struct back *b, struct nest *s)
{
	const struct rows *keys = &b->arch->rows[ROW_KEY];
	for (size_t i = 0; i < keys->n; i++) {
		const char *name = is_hidden(keys, i) ? NULL : copied_name(b->arch, keys->row[i]);
		const struct heft_value *v = kv_find(b->kv, b->n_kv, arena_printf(b->arena, "%s.%s", b->name, keys->row[i]->name));
		const char *json = name && v && !has_back_row(b->arch, name) ? json_of_value(v, b->arena) : NULL;
		if (json)
			nest_put(s, name, json);
	}
}

static int make_config(struct back *b)
{
	struct json_doc *doc = metadata_json(b);
	struct arch_input in = *b->in;
	struct arch_result unused;
	struct arch_run *r = arena_alloc(b->arena, sizeof(*r));
	struct nest s = { .arena = b->arena };
	if (!doc)
		return -1;
	in.config = json_root(doc);
	in.backwards = true;
	in.config_name = "metadata";
	in.dir = NULL;
	int rc = arch_run_init(r, b->arch, &in, &unused, b->arena, NULL, b->err) || back_rows(r, &s);
	arch_run_release(r);
	if (!rc)
		key_rows(b, &s);
	b->out->config = nest_text(&s);
	json_free(doc);
	return rc ? -1 : 0;
}

/* ---- tensors ---- */

int arch_eval_inverse(const struct arch *a, const struct arch_input *in, struct arch_result *out, struct arena *arena, struct heft_err *err)
{
	struct arch_run *r = arena_alloc(arena, sizeof(*r));
	int rc = arch_run_init(r, a, in, out, arena, NULL, err) || arch_invert(r);
	arch_run_release(r);
	return rc ? -1 : 0;
}

static int invert_tensors(struct back *b, const struct arch_input *in)
{
	struct arch_result result;
	int rc = arch_eval_inverse(b->arch, in, &result, b->arena, b->err);
	b->out->weight = result.weight;
	b->out->n_weights = result.n_weights;
	b->out->drop = result.drop;
	b->out->n_drops = result.n_drops;
	return rc ? -1 : 0;
}

/* ---- forward again ---- */

static bool same_shape(const struct heft_tensor *t, const struct shape *s)
{
	int rank = t->rank;
	const uint64_t *dim = t->dim, *other = s->dim;
	int n = s->rank;
	for (; rank > 1 && dim[0] == 1; rank--) /* GGUF does not keep outermost dimensions of one */
		dim++;
	for (; n > 1 && other[0] == 1; n--)
		other++;
	return rank == n && !memcmp(dim, other, (size_t)n * sizeof(*dim));
}

static int same_values(const struct back *b, const struct heft_tensor *t, const struct weight *w)
{
	uint64_t n = heft_tensor_count(t);
	float *v = arena_array(b->arena, n, sizeof(*v));
	if (!b->in->values || b->in->values(b->in->values_ctx, t, v, b->err))
		return b->in->values ? -1 : 0;
	for (uint64_t i = 0; i < n; i++)
		if (!(fabsf(v[i] - w->generated[i]) <= 1e-5f * fabsf(v[i])))
			return heft_fail(b->err, HEFT_E_UNMAPPED, "'%s' holds other values than family %s makes", t->name, b->name);
	return 0;
}

static int check_weights(const struct back *b, const struct arch_result *r)
{
	struct map made;
	int rc = 0;
	bool found;
	map_init(&made);
	for (size_t i = 0; i < r->n_weights; i++)
		map_put(&made, r->weight[i].name, strlen(r->weight[i].name), &found)->value.i = (int64_t)i;
	for (size_t i = 0; i < b->in->n_tensors && !rc; i++) {
		const struct heft_tensor *t = &b->in->tensor[i];
		const struct map_slot *slot = map_find(&made, t->name, strlen(t->name));
		const struct weight *w = slot ? &r->weight[slot->value.i] : NULL;
		if (!w || !same_shape(t, &w->shape))
			rc = heft_fail(b->err, HEFT_E_UNMAPPED, "'%s' does not come back: family %s makes %s of what it becomes", t->name, b->name,
				       w ? "another shape" : "something else");
		else if (w->generated)
			rc = same_values(b, t, w);
	}
	map_release(&made);
	if (!rc && r->n_weights != b->in->n_tensors)
		return heft_fail(b->err, HEFT_E_TENSOR_MISSING, "family %s makes %zu tensors, the file has %zu", b->name, r->n_weights,
				 b->in->n_tensors);
	return rc;
}

static const struct row *key_row(const struct arch *a, const char *name)
{
	for (size_t i = 0; i < a->rows[ROW_KEY].n; i++)
		if (!strcmp(a->rows[ROW_KEY].row[i]->name, name))
			return a->rows[ROW_KEY].row[i];
	return NULL;
}

/* Keys that a row of the family writes must come back; those that no row knows are not the family's. */
static int check_keys(const struct back *b, const struct arch_result *r)
{
	size_t n = strlen(b->name);
	for (size_t i = 0; i < b->n_kv; i++) {
		const struct heft_kv *kv = &b->kv[i];
		bool own = !strncmp(kv->key, b->name, n) && kv->key[n] == '.';
		const struct row *row = own ? key_row(b->arch, kv->key + n + 1) : NULL;
		const struct heft_value *v = row ? kv_find(r->kv, r->n_kv, kv->key) : NULL;
		if (!row)
			continue;
		const char *was = json_of_value(&kv->value, b->arena), *is = v ? json_of_value(v, b->arena) : "nothing";
		if (!was || !is || strcmp(was, is))
			return heft_fail(b->err, HEFT_E_UNMAPPED, "'%s' does not come back: %s:%d gives %.40s for %.40s, and no 'back' row says otherwise",
					 kv->key, row->file, row->line, is ? is : "more", was ? was : "more");
	}
	return 0;
}

static int check_forward(struct back *b, const struct json *config)
{
	struct heft_tensor *t = arena_array(b->arena, b->out->n_weights, sizeof(*t));
	struct arch_input in = { .config = config, .tensor = t, .n_tensors = b->out->n_weights, .vocab_count = b->in->vocab_count,
				 .vocab_id = b->in->vocab_id, .vocab = b->in->vocab, .config_name = "the configuration that goes back" };
	struct arch_result r;
	for (size_t i = 0; i < b->out->n_weights; i++) {
		const struct weight *w = &b->out->weight[i];
		t[i] = (struct heft_tensor){ .name = w->name, .enc = w->source[0]->enc, .rank = w->shape.rank };
		memcpy(t[i].dim, w->shape.dim, sizeof(t[i].dim));
	}
	if (arch_eval(b->arch, &in, &r, b->arena, NULL, b->err))
		return -1;
	return check_weights(b, &r) || check_keys(b, &r) ? -1 : 0;
}

int arch_eval_back(const struct arch *a, const struct arch_input *in, const struct heft_kv *kv, size_t n_kv, struct arch_back *out,
		   struct arena *arena, struct heft_err *err)
{
	struct back b = { .arch = a, .in = in, .kv = kv, .n_kv = n_kv, .out = out, .arena = arena, .err = err };
	struct arch_input of_config = *in;
	*out = (struct arch_back){ 0 };
	b.name = kv_string(kv, n_kv, "general.architecture");
	if (!b.name)
		return heft_fail(err, HEFT_E_FAMILY, "no key general.architecture: the family is not known");
	if (make_config(&b))
		return -1;
	struct json_doc *doc = json_parse(out->config.p, out->config.n, "configuration", false, err);
	if (!doc)
		return -1;
	of_config.config = json_root(doc);
	of_config.dir = NULL;
	of_config.config_name = "the configuration that goes back";
	int rc = invert_tensors(&b, &of_config) || check_forward(&b, json_root(doc));
	json_free(doc);
	return rc ? -1 : 0;
}
