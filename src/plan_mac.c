/*
 * plan_mac.c - --for mac: a GGUF of types that Metal and ARM's processors are quick with, F16 where it would have BF16.
 *
 *   -t           what it stands for                                    what becomes of single tensors
 *   none         q4_k_m; a quantized GGUF keeps its types              q4_1, q5_0, q5_1 (rows that fit no K-quant)   -> q5_k or q8_0
 *   auto, bf16   f16                                                   bf16 -> f16, if no value is beyond its range; of one dimension f32
 *   q4_1 ...     the K-quants of that size                             nvfp4, tq1_0                                  refused
 *
 * What a rule of the user's names stays, and so do codes of the source. BF16 is emulated on M1 and M2, and left out of some builds of Metal's
 * kernels; ARM's processors repack Q4_0, IQ4_NL, MXFP4, Q8_0, Q4_K, Q5_K and Q6_K for their dot products, and no others; Metal multiplies
 * neither NVFP4 nor TQ1_0 (ggml d99724f2: ggml-cpu/repack.cpp, ggml-metal).
 *
 * Values are read here, while planning, of those tensors that would become F16 and are not F16 yet: they are read twice.
 */
#include "plan.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../quant/quant.h"
#include "model.h"
#include "pace.h"
#include "recipe.h"

#define F16_MOST 65504.0f

/* ---- types ---- */

static const char *const instead[][2] = { /* of a whole file */
	{ "bf16", "f16" }, { "q4_1", "q4_k_m" }, { "q5_0", "q5_k_m" }, { "q5_1", "q5_k_m" }, { "tq1_0", "tq2_0" },
};

static const char *const slow[] = { "q4_1", "q5_0", "q5_1" };           /* no kernel of ARM's for them */
static const char *const quick[] = { "q5_k", "q8_0" };                  /* the first that rows fit */
static const char *const missing[][2] = { { "nvfp4", "q4_k or q8_0" }, { "tq1_0", "tq2_0" } }; /* no kernel of Metal's, and what has one */

static bool is_quantized(const struct heft_plan *p)
{
	for (size_t i = 0; i < p->n_weights; i++)
		if (p->weight[i].weight->shape.rank > 1 && plan_is_quantized(p->weight[i].weight))
			return true;
	return false;
}

int plan_mac_type(const struct heft_plan *p, const char *given, const char **type, struct heft_err *err)
{
	bool from_gguf = model_speaks_gguf(p->model);

	if (!strcasecmp(*type, "copy"))
		return heft_fail(err, HEFT_E_OPTION, "--for mac chooses types, and copy changes none: leave one of them out");
	if (!given)
		*type = from_gguf && is_quantized(p) ? "keep" : p->family.projector ? "f16" : "q4_k_m";
	else if (!strcasecmp(given, "auto") && !(from_gguf && is_quantized(p)))
		*type = "f16";
	for (size_t i = 0; i < sizeof instead / sizeof *instead; i++)
		if (!strcasecmp(*type, instead[i][0]))
			*type = instead[i][1];
	return 0;
}

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, list[i]))
			return true;
	return false;
}

static void make_quick(struct heft_plan *p, const struct weight *w, struct recipe_item *it)
{
	uint64_t cols = it->shape.rank ? it->shape.dim[it->shape.rank - 1] : 1;
	const struct heft_encoding *e = NULL, *from = it->type;

	if (it->asked || it->type == it->stored || tile_has_bytes(w, it->type) || !is_one_of(from->name, slow, sizeof slow / sizeof *slow))
		return;
	for (size_t i = 0; i < sizeof quick / sizeof *quick && (!e || cols % e->block); i++)
		e = quant_find(quick[i]);
	it->type = e;
	it->why = arena_printf(p->arena, "%s; for mac not %s, which ARM has no quick kernel for", it->why, from->name);
}

static int check_type(const struct recipe_item *it, struct heft_err *err)
{
	for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
		if (!strcmp(it->type->name, missing[i][0]))
			return heft_fail(err, HEFT_E_TYPE, "tensor '%s' would be %s (%s), which Metal cannot multiply; %s it can: name that, or leave out --for mac",
					 it->name, it->type->name, it->why, missing[i][1]);
	return 0;
}

/* ---- the largest value of a tensor ---- */

struct scan {
	const struct heft_plan *plan;
	const struct plan_weight *weight;
	const volatile int *stop;
	struct pace *pace;
	pthread_mutex_t lock;
	uint64_t next;        /* element */
	float most;
	uint64_t failed_at;   /* the first element of the first piece that failed; UINT64_MAX: none */
	struct heft_err err;
};

/* The next piece; false where there is none. The lock is held. */
static bool take(struct scan *s, uint64_t *first, size_t *n)
{
	uint64_t left = s->weight->tile.count - s->next;

	if (s->stop && *s->stop && s->failed_at == UINT64_MAX) {
		heft_fail(&s->err, HEFT_E_KILLED, "stopped by a signal; nothing was written");
		s->failed_at = s->next;
	}
	if (!left || s->failed_at != UINT64_MAX)
		return false;
	*first = s->next;
	*n = left < TILE_ELEMENTS ? (size_t)left : TILE_ELEMENTS;
	s->next += *n;
	return true;
}

static float most_of(const float *x, size_t n)
{
	float most = 0;

	for (size_t i = 0; i < n; i++)
		if (fabsf(x[i]) > most)
			most = fabsf(x[i]);
	return most;
}

/* The lock is held. */
static void account(struct scan *s, uint64_t bytes, float most)
{
	if (most > s->most)
		s->most = most;
	s->pace->done += bytes;
	pace_tell(s->pace, s->weight->weight->name);
}

static void work(struct scan *s)
{
	struct tile_scratch scratch = { 0 };
	float *x = xmalloc(TILE_ELEMENTS * sizeof *x), most;
	struct heft_err err;
	uint64_t first;
	size_t n;

	pthread_mutex_lock(&s->lock);
	while (take(s, &first, &n)) {
		int rc;

		pthread_mutex_unlock(&s->lock);
		rc = tile_read(&s->weight->tile, s->plan->model, first, n, x, &scratch, &err);
		most = rc ? 0 : most_of(x, n);
		pthread_mutex_lock(&s->lock);
		if (rc && first < s->failed_at) {
			s->failed_at = first;
			s->err = err;
		}
		account(s, n * sizeof *x, most);
	}
	pthread_mutex_unlock(&s->lock);
	free(x);
	tile_scratch_release(&scratch);
}

static int find_most(const struct heft_plan *p, const struct plan_weight *w, const struct heft_run_options *watch, struct pace *pace, float *most,
		     struct heft_err *err)
{
	struct scan s = { .plan = p, .weight = w, .stop = watch ? watch->stop : NULL, .pace = pace, .failed_at = UINT64_MAX };

	pthread_mutex_init(&s.lock, NULL);
#pragma omp parallel num_threads(p->threads)
	work(&s);
	pthread_mutex_destroy(&s.lock);
	*most = s.most;
	if (s.failed_at == UINT64_MAX)
		return 0;
	*err = s.err;
	return -1;
}

/* ---- F16 ---- */

static bool is_word(const struct heft_encoding *e, const char *name)
{
	return !strcmp(e->name, name);
}

static bool is_f16(const struct weight *w)
{
	for (size_t i = 0; i < w->n_sources; i++)
		if (!is_word(w->source[i]->enc, "f16"))
			return false;
	return weight_moves_only(w);
}

/* Would it become F16 here, of numbers that may be larger? */
static bool is_guarded(const struct weight *w, const struct recipe_item *it)
{
	return w->n_sources && it->shape.rank > 1 && (is_word(it->type, "f16") || (is_word(it->type, "bf16") && !it->asked)) && !is_f16(w);
}

static const struct heft_encoding *wide_of(const struct weight *w)
{
	return quant_find(is_word(w->source[0]->enc, "f32") || is_word(w->source[0]->enc, "f64") ? "f32" : "bf16");
}

static void settle(struct heft_plan *p, const struct weight *w, struct recipe_item *it, float most)
{
	const struct heft_encoding *wide = wide_of(w);

	if (most > F16_MOST) {
		it->type = it->stored = wide;
		it->why = arena_printf(p->arena, "%s, not f16: a value of %.6g is beyond its 65504", wide->name, (double)most);
		it->fallback = true;
		return;
	}
	if (is_word(it->type, "bf16"))
		it->why = arena_printf(p->arena, "%s; for mac not bf16, which M1 and M2 are slow with", it->why);
	it->type = quant_find("f16");
	if (!is_word(it->stored, "f32"))
		it->stored = is_word(w->source[0]->enc, "bf16") ? w->source[0]->enc : it->stored;
}

static int guard(struct heft_plan *p, struct recipe_item *item, const struct heft_job *job, struct heft_err *err)
{
	const struct heft_run_options *watch = job->watch;
	struct pace pace = { .begun = pace_clock() };
	float most;

	for (size_t i = 0; i < p->n_weights; i++)
		pace.total += is_guarded(p->weight[i].weight, &item[i]) ? p->weight[i].tile.count * sizeof(float) : 0;
	if (watch) {
		pace.progress = watch->progress;
		pace.ctx = watch->ctx;
	}
	for (size_t i = 0; i < p->n_weights; i++) {
		const struct weight *w = p->weight[i].weight;

		if (!is_guarded(w, &item[i]))
			continue;
		if (model_stream(p->model))
			return heft_fail(err, HEFT_E_OPTION, "--for mac looks for values beyond F16 first, and a stream is read once: give a file");
		if (find_most(p, &p->weight[i], watch, &pace, &most, err))
			return -1;
		settle(p, w, &item[i], most);
		if (item[i].fallback && job->strict && most > F16_MOST)
			return heft_fail(err, HEFT_E_FALLBACK, "tensor '%s': %s (without --strict it is written so)", item[i].name, item[i].why);
	}
	return 0;
}

int plan_mac(struct heft_plan *p, struct recipe_item *item, const struct heft_job *job, const char *given, const char *type, struct heft_err *err)
{
	const char *but = given && strcasecmp(given, type) != 0 ? arena_printf(p->arena, "for mac in place of %s", given) : given ? NULL : "for mac";

	for (size_t i = 0; i < p->n_weights; i++) {
		const struct weight *w = p->weight[i].weight;
		struct recipe_item *it = &item[i];

		if (but && it->by == RECIPE_DECIDED && !it->asked && !it->fallback)
			it->why = arena_printf(p->arena, "%s, %s", it->why, but);
		make_quick(p, w, it);
		if (it->shape.rank < 2 && is_word(it->type, "bf16") && !it->asked)
			it->type = quant_find("f32");
		if (it->type->class == QUANT_BLOCK && is_word(it->stored, "f16") && !is_f16(w) && !job->via && w->n_sources)
			it->stored = quant_find("f32"); /* no step between that has a smaller range */
		if (check_type(it, err))
			return -1;
	}
	return guard(p, item, job, err);
}
