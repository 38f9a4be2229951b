/*
 * solve.c - the file of a size, start to end: a plan with an output for each candidate, which is measured and not written; the choice; and what
 * the choice is as rules of a job, which a plan of its own proves to have the size.
 */
#include "solve_job.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../quant/quant.h"
#include "heft_recipe.h"
#include "model.h"
#include "pace.h"

enum { TRIES = 8, WORSE = 2 };
#define NEAR 0.995 /* of the size that was asked for: less is said */

/* ---- candidates ---- */

/* Of GGUF's types those that are quick to make and that every runtime is quick with; of the ones that need an importance matrix the smallest,
 * where there is one. */
static const char *usual_candidates(const struct solving *s)
{
	if (s->target->candidates)
		return s->target->candidates;
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

/* Is it for a target whose types are other targets, and not words of its own? */
static bool is_mixed(const struct solving *s)
{
	return s->target->scheme && !s->target->typed;
}

/* keep: as in the source. */
static int read_candidate(struct solving *s, size_t k)
{
	struct module_type as = { 0 };

	if (strcmp(s->candidate[k], "keep") &&
	    plan_rules_type(&as, s->candidate[k], arena_printf(s->arena, "--candidates %s", s->candidate[k]), s->target, s->arena, s->err))
		return -1;
	s->instead[k] = (struct plan_choice){ .stays = !as.target, .type = as.type, .target = as.target, .group = as.group, .why = "a candidate" };
	return 0;
}

/* One output for each candidate, all that is quantized in its type. */
static int plan_candidates(struct solving *s)
{
	struct heft_output_spec spec[MOST_CANDIDATES];
	struct plan_instead instead[MOST_CANDIDATES];
	struct heft_job job = *s->job;

	for (size_t k = 0; k < s->n; k++) {
		spec[k] = (struct heft_output_spec){ .path = arena_printf(s->arena, "%zu.candidate", k), .type = is_mixed(s) ? NULL : s->candidate[k] };
		instead[k] = (struct plan_instead){ &s->instead[k], NULL };
		if (is_mixed(s) && read_candidate(s, k))
			return -1;
	}
	if (is_mixed(s))
		job.strict = false; /* what does not fit one candidate fits another */
	job.output = spec;
	job.n_outputs = s->n;
	job.pure = !s->target->scheme;
	job.consume = false;
	return plan_new_instead(&s->plan, s->model, &job, is_mixed(s) ? instead : NULL, s->err);
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
	pace.total = plan_measured_bytes(s->plan, false) + solve_bytes(s->plan, look.share);
	if (watch) {
		pace.progress = watch->progress;
		pace.ctx = watch->ctx;
	}
	for (size_t k = 0; k < s->n; k++)
		if (plan_measure(s->plan, &s->plan->output[k], false, &told, s->err))
			return -1;
	s->loss = arena_array(s->arena, s->n * s->plan->n_weights, sizeof *s->loss);
	return solve_measure(s->plan, &look, s->loss, s->err);
}

/* ---- the target ---- */

static uint64_t elements_of(const struct heft_plan *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < p->n_weights; i++)
		n += p->weight[i].tile.count;
	return n;
}

/* Headers are no weights, and as long as the choice makes them: the size of its own plan is what bits come to. */
static uint64_t target_of(const struct solving *s, const struct heft_plan *p)
{
	uint64_t items = 0;

	if (s->options->size)
		return s->options->size;
	for (size_t i = 0; i < p->n_weights; i++)
		items += p->output[0].item[i].size;
	return p->output[0].pub.size - items + (uint64_t)(s->options->bits * (double)elements_of(p) / 8);
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

/* The name of this weight or module alone. */
static const char *pattern_of(const struct solving *s, size_t weight)
{
	const char *name = s->plan->weight[weight].weight->name;
	char *out, *to;

	if (s->target->scheme)
		name = linear_module(name, s->arena);
	to = out = arena_alloc(s->arena, 2 * strlen(name) + 1);
	for (; *name; name++) {
		if (strchr("\\.[]()*+?{}|^$", *name))
			*to++ = '\\';
		*to++ = *name;
	}
	*to = 0;
	return arena_printf(s->arena, "^%s$", out);
}

/* Patterns of --tensor-type: the user's, and behind them the choice. */
static const char *const *write_rules(const struct solving *s, size_t *n)
{
	const struct heft_job *j = s->job;
	const char **rule = arena_array(s->arena, j->n_tensor_types + s->n_open, sizeof *rule);

	for (*n = 0; *n < j->n_tensor_types; ++*n)
		rule[*n] = j->tensor_type[*n];
	for (size_t i = 0; i < s->n_units; i++)
		for (size_t m = 0; m < s->of[i].n; m++) {
			size_t k = solve_chosen(s, i), weight = s->of[i].member[m];

			rule[(*n)++] = arena_printf(s->arena, "%s=%s", pattern_of(s, weight),
						    s->target->typed ? s->candidate[k] : s->plan->output[k].item[weight].to->name);
		}
	return rule;
}

/* Of each weight its candidate. */
static const uint8_t *write_choice(const struct solving *s)
{
	uint8_t *which = arena_array(s->arena, s->plan->n_weights, sizeof *which);

	memset(which, PLAN_AS_EVER, s->plan->n_weights);
	for (size_t i = 0; i < s->n_units; i++)
		for (size_t m = 0; m < s->of[i].n; m++)
			which[s->of[i].member[m]] = (uint8_t)solve_chosen(s, i);
	return which;
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
			bytes += solve_chosen(s, i) == k ? s->unit[i].option[s->pick[i]].size : 0;
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
	struct plan_instead instead = { s->instead, write_choice(s) };
	struct heft_plan *p;
	char *text = NULL;

	s->out->type = main_type(s);
	spec.type = is_mixed(s) ? NULL : s->out->type;
	job.output = &spec;
	if (!is_mixed(s))
		job.tensor_type = write_rules(s, &job.n_tensor_types);
	if (plan_new_instead(&p, s->model, &job, is_mixed(s) ? &instead : NULL, s->err))
		return -1;
	s->out->target = target_of(s, p);
	*size = p->output[0].pub.size;
	*bits = p->output[0].pub.bits_per_weight;
	text = heft_plan_recipe(p, 0, s->err);
	s->out->recipe = text ? arena_strdup(s->arena, text) : NULL;
	free(text);
	heft_plan_free(p);
	return text ? 0 : -1;
}

/* Is there no matrix in the target's layouts at all? */
static bool all_stay(const struct solving *s)
{
	for (size_t k = 0; k < s->n_units; k++)
		if (s->plan->output[solve_chosen(s, k)].scheme[s->of[k].member[0]])
			return false;
	for (size_t i = 0; i < s->plan->n_weights; i++)
		if (!solve_is_open(s->plan, i) && s->plan->output[0].scheme[i])
			return false;
	return true;
}

static double cost_of(const struct solving *s, const uint8_t *pick, uint64_t *size)
{
	double cost = 0;

	*size = s->fixed;
	for (size_t i = 0; i < s->n_units; i++) {
		*size += s->unit[i].option[pick[i]].size;
		cost += s->unit[i].option[pick[i]].cost;
	}
	return cost;
}

/* Where the best leaves room, as that of a few large units may: the best of those that fill it, if it is not much worse. */
static void fill(struct solving *s, uint64_t budget)
{
	uint8_t *pick = arena_array(s->arena, s->n_units, sizeof *pick);
	uint64_t size, least = (uint64_t)(NEAR * (double)budget);
	double cost = cost_of(s, s->pick, &size);

	if (size >= least || least <= s->fixed || !solve_choose(s->unit, s->n_units, least - s->fixed, budget - s->fixed, pick))
		return;
	if (cost_of(s, pick, &size) <= WORSE * cost)
		memcpy(s->pick, pick, s->n_units);
}

static int choose(struct solving *s)
{
	struct heft_solution *out = s->out;
	uint64_t budget = out->target;

	for (int try = 0; try < TRIES; try++) {
		if (budget < s->fixed || !solve_choose(s->unit, s->n_units, 0, budget - s->fixed, s->pick))
			return heft_fail(s->err, HEFT_E_OPTION, "the smallest file that can be made of the candidates has %" PRIu64 " bytes, %" PRIu64
					 " of them what no candidate changes; %" PRIu64 " were asked for%s", extreme(s, false), s->fixed, out->target,
					 s->job->imatrix || s->options->candidates || s->target->scheme ? "" : " (with --imatrix there are smaller types)");
		fill(s, budget);
		if (is_mixed(s) && all_stay(s))
			return heft_fail(s->err, HEFT_E_OPTION, "%" PRIu64 " bytes have room for all weights as they are: --to safetensors carries them so", out->target);
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
		t[k] = (struct heft_solved_type){
			.name = arena_strdup(s->arena, strcmp(s->candidate[k], "auto") ? s->candidate[k] : s->plan->output[k].pub.type),
			.size = s->plan->output[k].pub.size,
		};
	for (size_t i = 0; i < s->n_units; i++) {
		t[solve_chosen(s, i)].tensors += s->of[i].n;
		out->cost += s->unit[i].option[s->pick[i]].cost;
		doubt += solve_unit_doubt(s, i);
	}
	for (size_t k = 0; k < s->n; k++)
		t[k].cost = solve_cost_of(s, k);
	out->doubt = sqrt(doubt);
	out->type_list = t;
	out->n_types = s->n;
	out->n_open = s->n_open;
	out->sample = share_of(s);
	if (extreme(s, true) < out->target)
		out->note = arena_printf(s->arena, "the largest candidates fill %" PRIu64 " bytes: this is the best there is of them", extreme(s, true));
	else if ((double)out->size < NEAR * (double)out->target)
		out->note = arena_printf(s->arena, "what is decided at once is large in this model: no choice comes nearer to %" PRIu64
					 " bytes that loses less than twice as much%s", out->target,
					 s->options->candidates ? "" : "; --candidates with more sizes may");
}

static int solve(struct solving *s)
{
	s->target = target_find(s->job->to);
	if (!s->target || (s->target->keeps_names && !s->target->candidates))
		return heft_fail(s->err, HEFT_E_OPTION, "--to %s: a size can be asked of what may hold types of many sizes: gguf, mlx, gptq, and compressed-tensors' "
				 "w4a16, fp8-dynamic, nvfp4a16 and their like", s->job->to);
	if (s->job->pure || s->job->n_outputs != 1)
		return heft_fail(s->err, HEFT_E_OPTION, s->job->pure ? "--pure is one type for all; a size is reached by several" : "a size is asked of one output");
	if (name_candidates(s) || plan_candidates(s) || measure(s) || solve_units(s))
		return -1;
	s->out->target = target_of(s, s->plan);
	s->out->whole = s->target->scheme != NULL;
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
	spec->type = NULL;
	spec->recipe = s->recipe;
	job->output = spec;
	job->n_outputs = 1;
	if (s->whole)
		job->n_tensor_types = job->n_ignore = job->n_targets = 0;
}

void heft_solution_free(struct heft_solution *s)
{
	if (s)
		arena_free(s->arena);
}
