/*
 * family_target.c - weights under the names of another runtime, by the rows that families have below `target NAME`, and back.
 *
 *   checkpoint --map rows--> weights for MLX              heft convert SRC --to mlx
 *   MLX --map rows, right to left--> checkpoint           --to safetensors
 *   MLX --right to left--> checkpoint --map rows--> GGUF  and a GGUF that goes back, then to MLX: two steps become one weight
 *
 * Refuses what two steps cannot say at once: a stack of parts that are not those of one tensor.
 */
#include "family.h"

#include <string.h>

#include "model.h"
#include "op_map.h"
#include "packed.h"

bool family_is_mlx(const struct heft_model *m, const struct json *config)
{
	const char *format = kv_string(m->kv, m->n_kv, "format");

	return m->dir && !model_speaks_gguf(m) && ((format && !strcmp(format, "mlx")) || json_kind(json_get(config, "quantization")) == JSON_OBJECT);
}

/* ---- two steps as one ---- */

static bool is_plain(const struct weight *w)
{
	return w->n_sources == 1 && !w->n_ops && !w->generated;
}

struct heft_tensor *family_as_tensors(const struct weight *w, size_t n, struct arena *a)
{
	struct heft_tensor *t = arena_array(a, n, sizeof *t);

	for (size_t i = 0; i < n; i++) {
		if (is_plain(&w[i]))
			t[i] = *w[i].source[0];
		else
			t[i] = (struct heft_tensor){ .enc = w[i].source[0]->enc, .rank = w[i].shape.rank };
		t[i].name = w[i].name;
		memcpy(t[i].dim, w[i].shape.dim, sizeof t[i].dim);
	}
	return t;
}

static bool same_op(const struct op *x, const struct op *y)
{
	return x->kind == y->kind && x->n_args == y->n_args && x->x == y->x && !x->n_sub && !y->n_sub &&
	       !memcmp(x->arg, y->arg, (size_t)x->n_args * sizeof *x->arg);
}

/* Is it element `place` of the first axis of what the other is an element of, too? */
static bool is_slice(const struct weight *w, const struct weight *like, int64_t place)
{
	const struct op *take = w->n_ops >= 2 ? &w->op[w->n_ops - 2] : NULL;

	if (!take || w->n_sources != 1 || w->source[0] != like->source[0] || w->n_ops != like->n_ops || take->kind != OP_TAKE || take[1].kind != OP_VIEW)
		return false;
	for (int i = 0; i < w->n_ops - 2; i++)
		if (!same_op(&w->op[i], &like->op[i]))
			return false;
	return take->n_args == 3 && take->arg[0] == 0 && take->arg[1] == place && take->arg[2] == 1 && same_op(&take[1], &like->op[w->n_ops - 1]);
}

/* Operations come before the weight's own. */
static void put_before(struct weight *w, const struct op *first, int n, struct arena *a)
{
	struct op *all = arena_array(a, (size_t)n + (size_t)w->n_ops, sizeof *all);

	for (int i = 0; i < n; i++)
		all[i] = first[i];
	for (int i = 0; i < w->n_ops; i++)
		all[n + i] = w->op[i];
	w->op = all;
	w->n_ops += n;
}

/* All slices of one stack in order are that stack. */
static int restack(struct weight *w, const struct weight *const *part, struct arena *a, struct heft_err *err)
{
	struct weight whole = *part[0];

	for (size_t i = 0; i < w->n_sources; i++)
		if (!is_slice(part[i], part[0], (int64_t)i))
			return heft_fail(err, HEFT_E_UNMAPPED, "'%s': the parts of this stack are no tensors of their own, and not those of one (--to safetensors first)", w->name);
	whole.n_ops -= 2;
	if (weight_shape(&whole, err))
		return -1;
	if (whole.shape.dim[0] != w->n_sources)
		return heft_fail(err, HEFT_E_TENSOR_MISSING, "'%s' has %zu of %llu parts", w->name, w->n_sources, (unsigned long long)whole.shape.dim[0]);
	w->source = whole.source;
	w->n_sources = 1;
	w->combine = COMBINE_ONE;
	put_before(w, whole.op, whole.n_ops, a);
	return 0;
}

/* One part: its sources and operations, then the weight's own. */
static int chain(struct weight *w, const struct weight *part, struct arena *a, struct heft_err *err)
{
	put_before(w, part->op, part->n_ops, a);
	w->source = part->source;
	w->n_sources = part->n_sources;
	w->combine = part->combine;
	w->join_axis = part->join_axis;
	w->generated = part->generated;
	return w->n_ops <= OP_MAP_MAX ? 0 : heft_fail(err, HEFT_E_LIMIT, "'%s' takes more than %d operations (--to safetensors first)", w->name, OP_MAP_MAX);
}

static int compose(struct weight *w, const struct heft_tensor *tensor, const struct weight *from, struct arena *a, struct heft_err *err)
{
	const struct weight **part = arena_array(a, w->n_sources, sizeof *part);
	const struct heft_tensor **source = arena_array(a, w->n_sources, sizeof *source);
	bool plain = true;

	for (size_t i = 0; i < w->n_sources; i++) {
		part[i] = &from[w->source[i] - tensor];
		plain &= is_plain(part[i]);
		source[i] = part[i]->n_sources ? part[i]->source[0] : NULL;
	}
	if (!plain)
		return w->n_sources == 1 && w->combine == COMBINE_ONE ? chain(w, part[0], a, err) : restack(w, part, a, err);
	w->source = source;
	return 0;
}

int family_compose(struct weight *w, size_t n, const struct heft_tensor *tensor, const struct weight *from, struct arena *a, struct heft_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (w[i].n_sources && compose(&w[i], tensor, from, a, err))
			return -1;
	return 0;
}

/* ---- sections ---- */

/* The configuration: of a GGUF, the one that it goes back to. */
static struct json_doc *read_config(const struct family *f, struct heft_model *m, struct arena *a)
{
	struct heft_err none;

	for (size_t i = 0; i < f->n_files; i++)
		if (!strcmp(f->file[i].name, "config.json"))
			return json_parse(f->file[i].text.p, f->file[i].text.n, "config.json", false, &none);
	return m->dir && !model_speaks_gguf(m) ? model_config_read(m, a, &none) : NULL;
}

static void add_drops(struct family *f, const struct arch_result *r, struct arena *a)
{
	struct heft_drop *all = arena_array(a, f->n_drops + r->n_drops, sizeof *all);

	if (f->n_drops)
		memcpy(all, f->drop, f->n_drops * sizeof *all);
	for (size_t i = 0; i < r->n_drops; i++)
		all[f->n_drops + i] = (struct heft_drop){ r->drop[i].name, r->drop[i].why };
	f->drop = all;
	f->n_drops += r->n_drops;
}

int family_to_section(struct family *f, struct heft_model *m, const struct family_options *o, struct arena *a, struct sink *sink, struct heft_err *err)
{
	struct arch_set *set = arch_set_open_target(o->arch, o->section, err);
	struct json_doc *doc = read_config(f, m, a);
	struct json_doc *none = doc ? NULL : json_parse("{}", 2, "config.json", false, err);
	struct heft_tensor *tensor = family_as_tensors(f->weight, f->n_weights, a);
	struct arch_input in = { .config = json_root(doc ? doc : none), .dir = m->dir, .tensor = tensor, .n_tensors = f->n_weights };
	const struct arch *arch = set ? arch_find_target(set, in.config, err) : NULL;
	struct arch_result r;
	int rc = arch ? arch_eval(arch, &in, &r, a, sink, err) : -1;

	if (!rc)
		rc = family_compose(r.weight, r.n_weights, tensor, f->weight, a, err);
	if (!rc) {
		f->weight = r.weight;
		f->n_weights = r.n_weights;
		f->member = r.member;
		f->n_members = r.n_members;
		add_drops(f, &r, a);
		kv_set(&f->kv, "format", value_string(o->section));
	}
	arch_set_close(set);
	json_free(doc);
	json_free(none);
	return rc;
}

int family_from_section(struct family *f, const struct heft_model *m, const struct json *config, const struct family_options *o, struct arena *a,
			struct heft_err *err)
{
	struct arch_set *set = arch_set_open_target(o->arch, "mlx", err);
	const struct arch *arch = set ? arch_find_target(set, config, err) : NULL;
	struct arch_input in = { .config = config, .dir = m->dir, .tensor = m->tensor, .n_tensors = m->n_tensors };
	struct arch_result r;
	int rc = arch ? arch_eval_inverse(arch, &in, &r, a, err) : -1;

	if (!rc) {
		f->weight = r.weight;
		f->n_weights = r.n_weights;
	}
	arch_set_close(set);
	return rc;
}
