/*
 * plan_target.c - outputs for GPU runtimes: which weights become codes and scales, which stay and why; and the directory around them.
 *
 *   every Linear   a scheme of the target; what does not fit it stays, is said, and is in the configuration's list
 *   the rest       as in the source (decoded to 16 bits where that is quantized), or the float type that the user asks for
 *   config.json    the source's with another quantization_config
 *   other files    copied byte for byte, but for weights of other formats and what described the source's quantization
 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "../base/json_scan.h"
#include "../base/mount.h"
#include "../quant/quant.h"
#include "model.h"

enum { REALS = 3, CONFIG_LIMIT = 64 << 20 };

struct deciding {
	struct heft_plan *plan;
	struct plan_output *output;
	const struct target *target;
	const struct heft_job *job;
	const struct heft_encoding *given;      /* the user's float type, or NULL */
	const struct scheme *scheme[REALS];     /* made when they are needed, by enum scaled_real */
	uint64_t layers;
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

static bool is_quantized(const struct weight *w)
{
	return w->n_sources && (w->source[0]->packed || w->source[0]->enc->class == QUANT_BLOCK);
}

static const struct heft_encoding *real_of(const struct deciding *d, const struct weight *w)
{
	const struct heft_encoding *e = source_of(w);

	return d->given ? d->given : is_plain(e) && !is_quantized(w) ? e : quant_find("bf16");
}

static const struct scheme *scheme_of(struct deciding *d, const struct heft_encoding *real)
{
	enum scaled_real k = scheme_real(real);
	struct scheme_options o = { real, d->job->group_size };
	struct scheme *s;

	if (d->scheme[k])
		return d->scheme[k];
	s = arena_alloc(d->plan->arena, sizeof *s);
	s->enc.about = "codes with scales";
	s->enc.block = 1;
	s->enc.class = QUANT_BLOCK;
	s->search = d->job->method == HEFT_METHOD_SEARCH;
	if (d->target->scheme(s, &o, d->plan->arena, d->err))
		return NULL;
	return d->scheme[k] = s;
}

/* ---- one weight ---- */

static void add_name(struct deciding *d, const char *name)
{
	struct scheme_names *l = &d->output->stays;

	for (size_t i = l->n; i-- > 0;)
		if (!strcmp(l->name[i], name))
			return;
	l->name = arena_grow(d->plan->arena, (void *)l->name, &d->cap, l->n + 1, sizeof *l->name);
	((const char **)l->name)[l->n++] = name;
}

static void keep(struct deciding *d, size_t i, const char *why)
{
	const struct weight *w = d->plan->weight[i].weight;
	const struct heft_encoding *from = source_of(w);
	struct heft_item *it = &d->output->item[i];
	bool moves = d->given || is_quantized(w);

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

static void store(struct deciding *d, size_t i, const struct scheme *s, const struct heft_encoding *real)
{
	struct heft_item *it = &d->output->item[i];
	const struct weight *w = d->plan->weight[i].weight;
	const char *module = linear_module(it->name, d->plan->arena);

	it->to = &s->enc;
	it->why = d->target->name;
	it->n_stored = s->enc.n_planes;
	it->stored = arena_array(d->plan->arena, it->n_stored, sizeof *it->stored);
	it->size = 0;
	for (int p = 0; p < s->enc.n_planes; p++) {
		struct heft_stored *t = &it->stored[p];

		t->name = arena_printf(d->plan->arena, "%s%s", module, s->suffix[p]);
		t->enc = s->type[p];
		t->size = scheme_tensor(s, p, it->dim[0], it->dim[1], &t->rank, t->dim);
		it->size += t->size;
	}
	d->output->scheme[i] = s;
	d->output->via[i] = source_of(w) == real && weight_moves_only(w) ? NULL : real;
}

static int quantize(struct deciding *d, size_t i)
{
	const struct weight *w = d->plan->weight[i].weight;
	const struct heft_encoding *real = real_of(d, w);
	const struct scheme *s = scheme_of(d, real);
	struct arena *a = d->plan->arena;
	uint64_t rows = w->shape.dim[0], cols = w->shape.dim[1], bytes;

	if (!s)
		return -1;
	if (!rows || !cols || __builtin_mul_overflow(rows, cols, &bytes) || bytes > UINT64_MAX / 64)
		return leave(d, i, "it has no numbers");
	if (cols % s->even_cols)
		return leave(d, i, arena_printf(a, "%llu columns are no multiple of %u", (unsigned long long)cols, (unsigned)s->even_cols));
	if (rows % s->even_rows)
		return leave(d, i, arena_printf(a, "%llu rows are no multiple of %u", (unsigned long long)rows, (unsigned)s->even_rows));
	if (is_quantized(w) && !w->source[0]->packed && !d->job->allow_requantize)
		return heft_fail(d->err, HEFT_E_REQUANTIZE, "tensor '%s' is quantized already (%s); quantizing it again loses quality: --allow-requantize does it all the same",
				 w->source[0]->name, w->source[0]->enc->name);
	store(d, i, s, real);
	return 0;
}

static int decide(struct deciding *d, size_t i)
{
	const struct weight *w = d->plan->weight[i].weight;
	const char *why;
	enum linear kind = linear_kind(w->name, w->shape.rank, d->layers, &why);

	if (source_of(w)->class == QUANT_INTEGER)
		kind = LINEAR_NO;
	if (kind == LINEAR_YES)
		return quantize(d, i);
	if (kind == LINEAR_FUSED)
		return leave(d, i, why);
	keep(d, i, why);
	if (kind == LINEAR_STAYS)
		add_name(d, linear_module(w->name, d->plan->arena));
	return 0;
}

/* ---- all ---- */

static uint64_t count_layers(const struct heft_model *m, struct arena *a)
{
	struct heft_err none;
	struct json_doc *doc = model_config_read(m, a, &none);
	const struct json *root = json_root(doc), *text = json_get(root, "text_config");
	uint64_t n = 0;

	if (!doc)
		return 0;
	if (!json_uint(json_get(root, "num_hidden_layers"), &n))
		json_uint(json_get(text, "num_hidden_layers"), &n);
	json_free(doc);
	return n;
}

static bool to_stdout(const struct heft_job *j)
{
	for (size_t i = 0; i < j->n_outputs; i++)
		if (j->output[i].path && !strcmp(j->output[i].path, "-"))
			return true;
	return false;
}

int plan_schemes(struct heft_plan *p, struct plan_output *o, const struct target *target, const struct heft_job *job, const char *type,
		 struct heft_err *err)
{
	struct deciding d = { .plan = p, .output = o, .target = target, .job = job, .err = err };

	d.given = strcasecmp(type, "keep") ? quant_find(type) : NULL;
	if (!job->n_outputs || !job->output[0].type || !strcasecmp(job->output[0].type, "auto"))
		d.given = NULL;
	if (to_stdout(job))
		return heft_fail(err, HEFT_E_OPTION, "--to %s writes a directory: name it with -o", target->name);
	d.layers = count_layers(p->model, p->arena);
	o->scheme = arena_array(p->arena, p->n_weights, sizeof *o->scheme);
	for (size_t i = 0; i < p->n_weights; i++)
		if (decide(&d, i))
			return -1;
	add_name(&d, "lm_head"); /* also where it shares the embeddings' weight: it is a Linear */
	return plan_measure(p, o, true, NULL, err);
}

uint64_t plan_strip(const struct heft_plan *p, size_t weight)
{
	uint64_t most = 0;

	for (size_t k = 0; k < p->n_outputs; k++) {
		const struct scheme *s = p->output[k].scheme ? p->output[k].scheme[weight] : NULL;

		if (s && s->strip > most) /* powers of two: the largest is a multiple of the others */
			most = s->strip;
	}
	return most;
}

/* ---- config.json ---- */

/* The members of the object in `text` but for what is said about quantization, and ours behind them. */
static int put_config(struct jbuf *b, const char *text, size_t n, const char *name, const struct jbuf *ours, struct heft_err *err)
{
	struct json_scan s;
	struct heft_str key;
	const char *from;
	int more, rc = -1;

	if (jscan_init(&s, text, n, name, err))
		return -1;
	jbuf_raw(b, "{", 1);
	more = jscan_begin(&s, '{') ? -1 : 1;
	while (more > 0 && (from = s.at, more = jscan_member(&s, &key)) > 0) {
		bool drop = key.n == 19 && !memcmp(key.p, "quantization_config", 19);

		if (jscan_skip(&s)) {
			more = -1;
			break;
		}
		if (from[strspn(from, " \t\r\n")] == ',')
			from += strspn(from, " \t\r\n") + 1;
		if (!drop) {
			jbuf_raw(b, ",", b->n > 1 ? 1 : 0);
			jbuf_raw(b, from, (size_t)(s.at - from));
		}
	}
	if (!more) {
		jbuf_printf(b, "%s\n  \"quantization_config\": ", b->n > 1 ? "," : "");
		jbuf_raw(b, ours->p, ours->n);
		jbuf_printf(b, "\n}\n");
		rc = 0;
	}
	jscan_release(&s);
	return rc;
}

/* The configuration as it is written: the source's own file where it has one. NUL behind it. */
static char *config_text(const struct heft_plan *p, size_t *n, struct heft_err *err)
{
	const struct heft_model *m = p->model;
	const char *path = m->dir ? path_join(p->arena, m->dir, "config.json") : NULL;
	struct source *s;
	char *text = NULL;

	if (m->config || !path || path_kind(path) != PATH_FILE) {
		text = arena_strdup(p->arena, m->config ? m->config : "{}");
		*n = strlen(text);
		return text;
	}
	s = source_open(path, err);
	if (!s)
		return NULL;
	if (source_size(s) > CONFIG_LIMIT)
		heft_fail(err, HEFT_E_CONFIG, "%s: larger than a configuration may be", path);
	else {
		*n = (size_t)source_size(s);
		text = arena_alloc(p->arena, *n + 1);
		if (source_read(s, 0, text, *n, err))
			text = NULL;
	}
	source_close(s);
	return text;
}

static struct plan_side *side_named(struct plan_output *o, const char *path)
{
	for (size_t i = 0; i < o->n_sides; i++)
		if (!strcmp(o->side[i].path, path))
			return &o->side[i];
	return NULL;
}

static int add_config(struct heft_plan *p, struct plan_output *o, const struct target *target, const struct scheme *any, struct heft_err *err)
{
	const char *path = path_join(p->arena, o->directory, "config.json");
	struct plan_side *side = side_named(o, path); /* of a GGUF that goes back */
	struct jbuf ours = { 0 }, all = { 0 };
	size_t n = side ? side->text.n : 0;
	const char *text = side ? side->text.p : config_text(p, &n, err);
	int rc = text ? 0 : -1;

	if (!rc) {
		target->config(&ours, any, &o->stays);
		rc = put_config(&all, text, n, path, &ours, err);
	}
	if (!rc && !side) {
		plan_add_side(o, path, (struct heft_str){ 0 }, p->arena);
		side = &o->side[o->n_sides - 1];
	}
	if (!rc)
		side->text = (struct heft_str){ arena_memdup(p->arena, all.p, all.n), all.n };
	jbuf_release(&ours);
	jbuf_release(&all);
	return rc;
}

/* ---- the other files ---- */

struct copying {
	struct heft_plan *plan;
	struct plan_output *output;
	struct heft_err *err;
	int rc;
};

static bool is_replaced(const char *name)
{
	static const char *const endings[] = { ".safetensors", ".safetensors.zst", ".index.json", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx" };
	static const char *const names[] = { "config.json", "quantize_config.json", "hf_quant_config.json" };
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(name, names[i]))
			return true;
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (n > strlen(endings[i]) && !strcmp(name + n - strlen(endings[i]), endings[i]))
			return true;
	return false;
}

static void copy_one(void *ctx, const char *name)
{
	struct copying *c = ctx;
	struct arena *a = c->plan->arena;
	const char *from = path_join(a, c->plan->model->dir, name), *to = path_join(a, c->output->directory, name);
	struct source *s;

	if (c->rc || is_replaced(name) || path_kind(from) != PATH_FILE || side_named(c->output, to))
		return;
	s = source_open(from, c->err);
	c->rc = s ? 0 : -1;
	if (c->rc)
		return;
	plan_add_side(c->output, to, (struct heft_str){ 0 }, a);
	c->output->side[c->output->n_sides - 1].from = arena_strdup(a, from);
	c->output->side[c->output->n_sides - 1].size = source_size(s);
	source_close(s);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct plan_side *)a)->path, ((const struct plan_side *)b)->path);
}

static bool same_place(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int plan_scheme_files(struct heft_plan *p, struct plan_output *o, const struct target *target, struct heft_err *err)
{
	struct copying c = { p, o, err, 0 };
	const struct scheme *any = NULL;
	size_t first;

	for (size_t i = 0; i < p->n_weights && !any; i++)
		any = o->scheme[i];
	if (!any)
		return heft_fail(err, HEFT_E_TYPE, "no tensor is a matrix that %s quantizes; --to safetensors carries them as they are", target->name);
	if (p->model->dir && same_place(p->model->dir, o->directory))
		return heft_fail(err, HEFT_E_SAME_FILE, "'%s' is also the input; name another output", o->directory);
	if (add_config(p, o, target, any, err))
		return -1;
	first = o->n_sides;
	if (p->model->dir && !model_speaks_gguf(p->model) && path_names(p->model->dir, copy_one, &c, err))
		return -1;
	qsort(o->side + first, o->n_sides - first, sizeof *o->side, by_path);
	return c.rc;
}
