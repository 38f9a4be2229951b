/*
 * fit_json.c - what `heft fit --json` prints: sizes in bytes, the cache layer by layer, and every recipe and target.
 */
#include "fit.h"

#include <string.h>

static const char *const ways[] = { "gpu", "experts", "layers", "cpu", "no" };
static const char *const kinds[] = { "none", "full", "window", "shared" };

static void emit_machine(struct emitter *w, const struct fit_machine *m)
{
	emit_open(w, "machine", '{');
	if (m->unified)
		emit_text(w, "name", m->mac.name);
	emit_number(w, "gpus", m->gpus);
	emit_number(w, "vram", m->vram);
	emit_number(w, "reserve", m->reserve);
	if (m->ram)
		emit_number(w, "ram", m->ram);
	else
		emit_text(w, "ram", NULL);
	emit_close(w, '}');
}

static void emit_layer(struct emitter *w, size_t i, const struct heft_cache_layer *l)
{
	emit_open(w, NULL, '{');
	emit_number(w, "layer", i);
	emit_text(w, "kind", kinds[l->kind]);
	if (l->kind == HEFT_CACHE_SHARED)
		emit_number(w, "of", l->of);
	emit_flag(w, "latent", l->latent);
	emit_number(w, "cells", l->cells);
	emit_number(w, "k_width", l->k_width);
	emit_number(w, "v_width", l->v_width);
	emit_number(w, "k_bytes", l->k_bytes);
	emit_number(w, "v_bytes", l->v_bytes);
	emit_number(w, "index_bytes", l->index_bytes);
	emit_number(w, "state_bytes", l->state_bytes);
	emit_close(w, '}');
}

static void emit_cache(struct emitter *w, const struct fit *f)
{
	const struct heft_memory *m = &f->memory;

	emit_open(w, "cache", '{');
	emit_text(w, "type", f->options.k ? heft_encoding_name(f->options.k) : "f16");
	emit_number(w, "bytes", m->cache_bytes);
	emit_number(w, "k_bytes", m->k_bytes);
	emit_number(w, "v_bytes", m->v_bytes);
	emit_number(w, "index_bytes", m->index_bytes);
	emit_number(w, "state_bytes", m->state_bytes);
	emit_open(w, "layers", '[');
	for (size_t i = 0; i < m->n_layers; i++)
		emit_layer(w, i, &m->layer[i]);
	emit_close(w, ']');
	emit_close(w, '}');
	emit_open(w, "compute", '{');
	emit_number(w, "least", m->compute_least);
	emit_number(w, "most", m->compute_most);
	emit_text(w, "assumes", m->assumes);
	emit_close(w, '}');
}

static void emit_place(struct emitter *w, const struct fit *f, const struct fit_row *r)
{
	const struct fit_place *p = &r->place;
	char options[FIT_OPTIONS];

	emit_text(w, "fits", ways[p->way]);
	emit_open(w, "gpu_bytes", '[');
	for (uint32_t g = 0; g < f->machine.gpus; g++)
		emit_number(w, NULL, p->gpu[g]);
	emit_close(w, ']');
	emit_number(w, "one_gpu_bytes", p->whole);
	if (r->target)
		return;
	emit_number(w, "unloaded_bytes", r->unloaded);
	emit_number(w, "cpu_bytes", p->cpu);
	emit_number(w, "gpu_layers", p->gpu_layers);
	emit_number(w, "cpu_expert_layers", p->cpu_experts);
	fit_options(options, f, r);
	emit_text(w, "options", p->way == FIT_NOT ? NULL : options);
}

static void emit_row(struct emitter *w, const struct fit *f, const struct fit_row *r)
{
	emit_open(w, NULL, '{');
	emit_text(w, "name", r->name);
	emit_number(w, "weight_bytes", r->weights);
	if (r->file)
		emit_number(w, "file_bytes", r->file);
	else
		emit_text(w, "file_bytes", NULL);
	emit_real(w, "bits_per_weight", r->bits);
	emit_flag(w, "needs_imatrix", r->needs_imatrix);
	emit_place(w, f, r);
	emit_close(w, '}');
}

static void emit_rows(struct emitter *w, const struct fit *f, const char *key, bool targets)
{
	emit_open(w, key, '[');
	for (size_t i = 0; i < f->n_rows; i++)
		if (f->row[i].target == targets)
			emit_row(w, f, &f->row[i]);
	emit_close(w, ']');
}

void fit_json(const struct fit *f)
{
	struct emitter w;

	emit_report(&w, "fit");
	emit_text(&w, "path", f->model->path);
	emit_text(&w, "name", f->facts.name ? f->facts.name : f->model->name);
	emit_text(&w, "family", f->memory.family);
	emit_number(&w, "weights", f->elements);
	emit_machine(&w, &f->machine);
	emit_number(&w, "context", f->memory.context);
	emit_number(&w, "trained_context", f->memory.trained);
	emit_cache(&w, f);
	emit_rows(&w, f, "recipes", false);
	emit_rows(&w, f, "targets", true);
	emit_text(&w, "take", f->take ? f->take->name : NULL);
	emit_text(&w, "why", f->why);
	emit_report_end(&w);
}
