/*
 * solve.c - the file of a size, start to end: a plan with an output for each candidate, which is measured and not written; the choice; and what
 * the choice is as rules of a job, which a plan of its own proves to have the size.
 */
#include "solve.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../quant/quant.h"
#include "heft_recipe.h"
#include "model.h"
#include "pace.h"

enum { MOST_CANDIDATES = 24, TRIES = 8 };

struct solving {
	struct heft_model *model;
	const struct heft_job *job;
	const struct heft_solve_options *options;
	const struct target *target;
	struct arena *arena;
	struct heft_err *err;
	const char *candidate[MOST_CANDIDATES];
	size_t n;                  /* of them */
	struct heft_plan *plan;    /* an output for each */
	struct solve_loss *loss;   /* [candidate][weight] */
	struct solve_unit *unit;   /* those with a choice */
	size_t *weight_of;         /* of each unit */
	uint8_t (*candidate_of)[SOLVE_OPTIONS], *pick;
	size_t n_units;
	uint64_t fixed;            /* bytes of all else */
	uint64_t layers;
	bool tied;
	struct heft_solution *out;
};

/* ---- candidates ---- */

/* Of GGUF's types those that are quick to make and that every runtime is quick with; of the ones that need an importance matrix the smallest,
 * where there is one. */
static const char *usual_candidates(const struct solving *s)
{
	if (s->target->typed)
		return "2bit,3bit,4bit,5bit,6bit,8bit";
	return s->job->imatrix ? "iq2_xxs,iq2_s,q2_k,iq3_xxs,q3_k,iq3_s,iq4_xs,q4_k,q5_k,q6_k,q8_0" : "q2_k,q3_k,iq4_xs,q4_k,q5_k,q6_k,q8_0";
}

/* More bits for each weight than the largest of these has? */
static bool beyond(const struct solving *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->model->n_tensors; i++)
		n += heft_tensor_count(&s->model->tensor[i]);
	return (s->options->size ? (double)s->options->size * 8 / (double)(n ? n : 1) : s->options->bits) > 8;
}

static int name_candidates(struct solving *s)
{
	const char *at = s->options->candidates ? s->options->candidates : usual_candidates(s);

	if (!s->options->candidates && !s->target->scheme && beyond(s))
		s->candidate[s->n++] = "auto";

	for (size_t n; *at; at += n + (at[n] == ',')) {
		n = strcspn(at, ",");
		if (!n)
			return heft_fail(s->err, HEFT_E_OPTION, "--candidates '%s': types apart by commas", s->options->candidates);
		if (s->n == MOST_CANDIDATES)
			return heft_fail(s->err, HEFT_E_OPTION, "--candidates: more than %d types", MOST_CANDIDATES);
		s->candidate[s->n++] = arena_printf(s->arena, "%.*s", (int)n, at);
	}
	return s->n ? 0 : heft_fail(s->err, HEFT_E_OPTION, "--candidates names no type");
}

/* One output for each candidate, all that is quantized in its type. */
static int plan_candidates(struct solving *s)
{
	struct heft_output_spec spec[MOST_CANDIDATES];
	struct heft_job job = *s->job;

	for (size_t k = 0; k < s->n; k++)
		spec[k] = (struct heft_output_spec){ .path = arena_printf(s->arena, "%zu.candidate", k), .type = s->candidate[k] };
	job.output = spec;
	job.n_outputs = s->n;
	job.pure = !s->target->scheme;
	job.consume = false;
	return heft_plan_new(&s->plan, s->model, &job, s->err);
}

/* ---- measuring ---- */

static double share_of(const struct solving *s)
{
	return s->options->sample > 0 ? s->options->sample : s->job->effort == HEFT_EFFORT_HIGH ? 0.1 : 1;
}

static int measure(struct solving *s)
{
	const struct heft_run_options *watch = s->options->watch;
	struct pace pace = { .begun = pace_clock() };
	struct plan_watch told = { watch ? watch->stop : NULL, &pace };
	struct solve_look look = { share_of(s), &told };

	if (model_stream(s->model))
		return heft_fail(s->err, HEFT_E_OPTION, "weights are read twice, first for what each type loses, and a stream is read once: give a file");
	pace.total = solve_bytes(s->plan, look.share);
	if (watch) {
		pace.progress = watch->progress;
		pace.ctx = watch->ctx;
	}
	s->loss = arena_array(s->arena, s->n * s->plan->n_weights, sizeof *s->loss);
	return solve_measure(s->plan, &look, s->loss, s->err);
}

/* ---- units ---- */

static const struct solve_loss *loss_of(const struct solving *s, size_t k, size_t i)
{
	return &s->loss[k * s->plan->n_weights + i];
}

/* Bytes that a tensor takes in the file: GGUF's begin at multiples. */
static uint64_t bytes_of(const struct solving *s, size_t k, size_t i)
{
	enum { ALIGN = 32 };
	uint64_t size = s->plan->output[k].item[i].size;

	return s->target->scheme ? size : (size + ALIGN - 1) / ALIGN * ALIGN;
}

static void survey(struct solving *s)
{
	s->tied = true;
	for (size_t i = 0; i < s->plan->n_weights; i++) {
		const char *name = s->plan->weight[i].weight->name, *at = strpbrk(name, "0123456789");
		uint64_t l = at ? strtoull(at, NULL, 10) + 1 : 0;

		s->layers = l > s->layers && l < 100000 ? l : s->layers;
		s->tied = s->tied && strcmp(name, "output.weight") && !strstr(name, "lm_head");
	}
}

static double role_of(const struct solving *s, size_t i)
{
	return solve_role(s->plan->weight[i].weight->name, s->layers, s->tied);
}

static void add_options(struct solving *s, size_t i)
{
	struct solve_unit *u = &s->unit[s->n_units];
	double role = role_of(s, i);

	u->option = arena_array(s->arena, s->n, sizeof *u->option);
	for (size_t k = 0; k < s->n; k++) {
		if (!loss_of(s, k, i)->open)
			continue;
		s->candidate_of[s->n_units][u->n] = (uint8_t)k;
		u->option[u->n++] = (struct solve_option){ bytes_of(s, k, i), role * loss_of(s, k, i)->relative };
	}
	s->weight_of[s->n_units++] = i;
}

static int make_units(struct solving *s)
{
	struct heft_plan *p = s->plan;
	uint64_t items = 0;

	survey(s);
	s->unit = arena_array(s->arena, p->n_weights, sizeof *s->unit);
	s->weight_of = arena_array(s->arena, p->n_weights, sizeof *s->weight_of);
	s->candidate_of = arena_array(s->arena, p->n_weights, sizeof *s->candidate_of);
	s->pick = arena_array(s->arena, p->n_weights, sizeof *s->pick);
	for (size_t i = 0; i < p->n_weights; i++) {
		items += bytes_of(s, 0, i);
		if (solve_is_open(p, i))
			add_options(s, i);
		else
			s->fixed += bytes_of(s, 0, i);
	}
	for (size_t i = 0; i < s->n_units; i++)
		if (!s->unit[i].n)
			return heft_fail(s->err, HEFT_E_NEEDS_IMATRIX, "tensor '%s': every candidate needs an importance matrix; give one with --imatrix, or other types with --candidates",
					 p->weight[s->weight_of[i]].weight->name);
	s->fixed += p->output[0].pub.size - items;
	return s->n_units ? 0 : heft_fail(s->err, HEFT_E_OPTION, "there is nothing to choose: every tensor has one type in all candidates");
}

/* ---- the target ---- */

static uint64_t elements_of(const struct heft_plan *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < p->n_weights; i++)
		n += p->weight[i].tile.count;
	return n;
}

static uint64_t target_of(const struct solving *s)
{
	uint64_t items = 0;

	if (s->options->size)
		return s->options->size;
	for (size_t i = 0; i < s->plan->n_weights; i++)
		items += s->plan->output[0].item[i].size;
	return s->plan->output[0].pub.size - items + (uint64_t)(s->options->bits * (double)elements_of(s->plan) / 8);
}

static uint64_t extreme(const struct solving *s, bool largest)
{
	uint64_t sum = s->fixed;

	for (size_t i = 0; i < s->n_units; i++) {
		const struct solve_unit *u = &s->unit[i];
		uint64_t best = u->option[0].size;

		for (size_t k = 1; k < u->n; k++)
			if (largest ? u->option[k].size > best : u->option[k].size < best)
				best = u->option[k].size;
		sum += best;
	}
	return sum;
}

/* ---- the choice as rules ---- */

static const char *escape(struct arena *a, const char *name)
{
	char *out = arena_alloc(a, 2 * strlen(name) + 3), *to = out;

	*to++ = '^';
	for (; *name; name++) {
		if (strchr("\\.[]()*+?{}|^$", *name))
			*to++ = '\\';
		*to++ = *name;
	}
	*to++ = '$';
	*to = 0;
	return out;
}

static const char *name_of(const struct solving *s, size_t unit)
{
	const char *name = s->plan->weight[s->weight_of[unit]].weight->name;

	return s->target->scheme ? linear_module(name, s->arena) : name;
}

static size_t chosen(const struct solving *s, size_t unit)
{
	return s->candidate_of[unit][s->pick[unit]];
}

/* The user's rules stand before them. */
static void write_rules(struct solving *s)
{
	const struct heft_job *j = s->job;
	const char **rule = arena_array(s->arena, j->n_tensor_types + s->n_units, sizeof *rule);
	size_t n = 0;

	for (; n < j->n_tensor_types; n++)
		rule[n] = arena_strdup(s->arena, j->tensor_type[n]);
	for (size_t i = 0; i < s->n_units; i++)
		rule[n++] = arena_printf(s->arena, "%s=%s", escape(s->arena, name_of(s, i)),
					 s->target->scheme ? s->candidate[chosen(s, i)] : s->plan->output[chosen(s, i)].item[s->weight_of[i]].to->name);
	s->out->rule = rule;
	s->out->n_rules = n;
}

/* ---- all ---- */

/* The candidate that most bytes are in names the file. */
static const char *main_type(const struct solving *s)
{
	size_t best = 0;
	uint64_t most = 0;

	for (size_t k = 0; k < s->n; k++) {
		uint64_t bytes = 0;

		for (size_t i = 0; i < s->n_units; i++)
			bytes += chosen(s, i) == k ? s->unit[i].option[s->pick[i]].size : 0;
		if (bytes > most) {
			most = bytes;
			best = k;
		}
	}
	return s->candidate[best];
}

static int prove(struct solving *s, uint64_t *size, double *bits)
{
	struct heft_output_spec spec = *s->job->output;
	struct heft_job job = *s->job;
	struct heft_plan *p;
	char *text = NULL;

	write_rules(s);
	s->out->type = spec.type = main_type(s);
	job.output = &spec;
	job.tensor_type = s->out->rule;
	job.n_tensor_types = s->out->n_rules;
	if (heft_plan_new(&p, s->model, &job, s->err))
		return -1;
	*size = p->output[0].pub.size;
	*bits = p->output[0].pub.bits_per_weight;
	if (*size <= s->out->target && (text = heft_plan_recipe(p, 0, s->err)))
		s->out->recipe = arena_strdup(s->arena, text);
	free(text);
	heft_plan_free(p);
	return 0;
}

static int choose(struct solving *s)
{
	struct heft_solution *out = s->out;
	uint64_t budget = out->target;

	for (int try = 0; try < TRIES; try++) {
		if (budget < s->fixed || !solve_choose(s->unit, s->n_units, budget - s->fixed, s->pick))
			return heft_fail(s->err, HEFT_E_OPTION, "the smallest file that can be made of the candidates has %" PRIu64 " bytes, %" PRIu64
					 " of them what no candidate changes; %" PRIu64 " were asked for%s", extreme(s, false), s->fixed, out->target,
					 s->job->imatrix || s->options->candidates || s->target->typed ? "" : " (with --imatrix there are smaller types)");
		if (prove(s, &out->size, &out->bits))
			return -1;
		if (out->size <= out->target)
			return 0;
		budget -= out->size - out->target; /* headers have grown */
	}
	return heft_fail(s->err, HEFT_E_OPTION, "no choice of types has at most %" PRIu64 " bytes", out->target);
}

static void describe(struct solving *s)
{
	struct heft_solution *out = s->out;
	struct heft_solved_type *t = arena_array(s->arena, s->n, sizeof *t);
	double doubt = 0;

	for (size_t k = 0; k < s->n; k++)
		t[k] = (struct heft_solved_type){ .name = arena_strdup(s->arena, strcmp(s->candidate[k], "auto") ? s->candidate[k] : s->plan->output[k].pub.type), .size = s->plan->output[k].pub.size };
	for (size_t i = 0; i < s->n_units; i++) {
		double role = role_of(s, s->weight_of[i]), one = role * loss_of(s, chosen(s, i), s->weight_of[i])->doubt;

		t[chosen(s, i)].tensors++;
		out->cost += s->unit[i].option[s->pick[i]].cost;
		doubt += one * one;
		for (size_t k = 0; k < s->n; k++) {
			const struct solve_loss *l = loss_of(s, k, s->weight_of[i]);

			t[k].cost += l->open ? role * l->relative : NAN;
		}
	}
	out->doubt = sqrt(doubt);
	out->type_list = t;
	out->n_types = s->n;
	out->n_open = s->n_units;
	out->sample = share_of(s);
	if (extreme(s, true) < out->target && !out->note)
		out->note = arena_printf(s->arena, "the largest candidates fill %" PRIu64 " bytes: this is the best there is of them", extreme(s, true));
	else if ((double)out->size < 0.995 * (double)out->target)
		out->note = arena_printf(s->arena, "no choice of types comes nearer to %" PRIu64 " bytes", out->target);
}

static int solve(struct solving *s)
{
	s->target = target_find(s->job->to);
	if (!s->target || (s->target->keeps_names && !s->target->typed))
		return heft_fail(s->err, HEFT_E_OPTION, "--to %s: a size can be asked of gguf and mlx, which have types of many sizes", s->job->to);
	if (s->job->pure || s->job->n_outputs != 1)
		return heft_fail(s->err, HEFT_E_OPTION, s->job->pure ? "--pure is one type for all; a size is reached by several" : "a size is asked of one output");
	if (name_candidates(s) || plan_candidates(s) || measure(s) || make_units(s))
		return -1;
	s->out->target = target_of(s);
	if (choose(s))
		return -1;
	describe(s);
	return 0;
}

int heft_solve(struct heft_solution **out, struct heft_model *m, const struct heft_job *job, const struct heft_solve_options *o, struct heft_err *err)
{
	struct arena *a = arena_new();
	struct solving s = { .model = m, .job = job, .options = o, .arena = a, .err = err };
	int rc;

	s.out = arena_alloc(a, sizeof *s.out);
	s.out->arena = a;
	rc = solve(&s);
	heft_plan_free(s.plan);
	*out = rc ? NULL : s.out;
	if (rc)
		arena_free(a);
	return rc;
}

void heft_solution_apply(const struct heft_solution *s, struct heft_output_spec *spec, struct heft_job *job)
{
	spec->type = s->recipe ? NULL : s->type;
	spec->recipe = s->recipe;
	job->output = spec;
	job->n_outputs = 1;
	if (s->recipe)
		return;
	job->tensor_type = s->rule;
	job->n_tensor_types = s->n_rules;
}

void heft_solution_free(struct heft_solution *s)
{
	if (s)
		arena_free(s->arena);
}
