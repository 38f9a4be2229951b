/*
 * solve_units.c - what is decided at once, what it may become, and what each of that costs.
 *
 *   GGUF, MLX           a tensor
 *   other directories   what runtimes put together into one matrix or layer: query, key and value; gate and up; the experts of a layer
 *
 * A unit has the options that all its members can have: of sizes and costs the sums. An expert weighs as its part of the layer's.
 */
#include "solve_job.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/map.h"

static const struct solve_loss *loss_of(const struct solving *s, size_t k, size_t i)
{
	return &s->loss[k * s->plan->n_weights + i];
}

/* What the header of a safetensors file says of a tensor beside its names; numbers in it are longer or shorter by a few digits. */
static uint64_t header_of(const struct heft_item *it)
{
	enum { ENTRY = 70 };
	uint64_t bytes = 0;

	for (size_t p = 0; p < it->n_stored; p++)
		bytes += ENTRY + strlen(it->stored[p].name);
	return it->n_stored ? bytes : ENTRY + strlen(it->name);
}

/* Bytes that a tensor takes in the file: GGUF's begin at multiples. Bits are counted of the weights alone. */
static uint64_t bytes_of(const struct solving *s, size_t k, size_t i)
{
	enum { ALIGN = 32 };
	const struct heft_item *it = &s->plan->output[k].item[i];

	if (s->target->scheme)
		return it->size + (s->options->size ? header_of(it) : 0);
	return (it->size + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- roles ---- */

/* Which of a layer's experts a name is of, from 0; UINT64_MAX: of none. */
static uint64_t expert_of(const char *name)
{
	static const char experts[] = ".experts.";
	const char *at = strstr(name, experts);

	if (!at || at[sizeof experts - 1] < '0' || at[sizeof experts - 1] > '9')
		return UINT64_MAX;
	return strtoull(at + sizeof experts - 1, NULL, 10);
}

static void survey(struct solving *s)
{
	s->tied = true;
	for (size_t i = 0; i < s->plan->n_weights; i++) {
		const char *name = s->plan->weight[i].weight->name, *at = strpbrk(name, "0123456789");
		uint64_t l = at ? strtoull(at, NULL, 10) + 1 : 0, expert = expert_of(name);

		s->layers = l > s->layers && l < 100000 ? l : s->layers;
		s->experts = expert < 100000 && expert >= s->experts ? expert + 1 : s->experts;
		s->tied = s->tied && strcmp(name, "output.weight") && !strstr(name, "lm_head");
	}
}

static double role_of(const struct solving *s, size_t i)
{
	const char *name = s->plan->weight[i].weight->name;
	double role = solve_role(name, s->layers, s->tied);

	return expert_of(name) == UINT64_MAX || !s->experts ? role : role / (double)s->experts;
}

/* ---- members ---- */

/* Has the target modules that must be stored alike? */
static const char *joined(const struct solving *s, size_t i)
{
	return s->target->scheme && !s->target->kind ? linear_joined(s->plan->weight[i].weight->name, s->arena) : NULL;
}

static struct solving_unit *new_unit(struct solving *s)
{
	struct solving_unit *u = &s->of[s->n_units++];

	u->candidate = arena_array(s->arena, s->n, sizeof *u->candidate);
	return u;
}

static void add_members(struct solving *s)
{
	struct map sets;

	map_init(&sets);
	for (size_t i = 0; i < s->plan->n_weights; i++) {
		const char *set = solve_is_open(s->plan, i) ? joined(s, i) : NULL;
		struct map_slot *slot = NULL;
		struct solving_unit *u;
		bool known = false;

		if (!solve_is_open(s->plan, i)) {
			s->fixed += bytes_of(s, 0, i);
			continue;
		}
		if (set)
			slot = map_put(&sets, set, strlen(set), &known);
		u = known ? &s->of[slot->value.i] : new_unit(s);
		if (slot && !known)
			slot->value.i = u - s->of;
		u->member = arena_grow(s->arena, u->member, &u->cap, u->n + 1, sizeof *u->member);
		u->member[u->n++] = i;
		s->n_open++;
	}
	map_release(&sets);
}

/* ---- options ---- */

/* Can all members have it, and is it for one of them another type than those that stand there? */
static bool is_option(const struct solving *s, const struct solving_unit *u, size_t n, size_t k)
{
	for (size_t m = 0; m < u->n; m++)
		if (!loss_of(s, k, u->member[m])->open)
			return false;
	for (size_t o = 0; o < n; o++) {
		size_t m = 0;

		while (m < u->n && solve_is_like(s->plan, u->candidate[o], k, u->member[m]))
			m++;
		if (m == u->n)
			return false;
	}
	return true;
}

static void add_options(struct solving *s, size_t unit)
{
	struct solving_unit *u = &s->of[unit];
	struct solve_unit *options = &s->unit[unit];

	options->option = arena_array(s->arena, s->n, sizeof *options->option);
	for (size_t k = 0; k < s->n; k++) {
		struct solve_option o = { 0 };

		if (!is_option(s, u, options->n, k))
			continue;
		for (size_t m = 0; m < u->n; m++) {
			o.size += bytes_of(s, k, u->member[m]);
			o.cost += role_of(s, u->member[m]) * loss_of(s, k, u->member[m])->relative;
		}
		u->candidate[options->n] = k;
		options->option[options->n++] = o;
	}
}

int solve_units(struct solving *s)
{
	struct heft_plan *p = s->plan;

	survey(s);
	s->unit = arena_array(s->arena, p->n_weights, sizeof *s->unit);
	s->of = arena_array(s->arena, p->n_weights, sizeof *s->of);
	s->pick = arena_array(s->arena, p->n_weights, sizeof *s->pick);
	add_members(s);
	for (size_t i = 0; i < s->n_units; i++) {
		add_options(s, i);
		if (!s->unit[i].n)
			return heft_fail(s->err, HEFT_E_NEEDS_IMATRIX,
					 "tensor '%s': every candidate needs an importance matrix; give one with --imatrix, or other types with --candidates",
					 p->weight[s->of[i].member[0]].weight->name);
	}
	s->fixed += p->output[0].pub.size;
	for (size_t i = 0; i < p->n_weights; i++)
		s->fixed -= bytes_of(s, 0, i); /* what is left is the header's: less than was thought is possible, the sum of all is right */
	return s->n_units ? 0 : heft_fail(s->err, HEFT_E_OPTION, "there is nothing to choose: every tensor has one type in all candidates");
}

/* ---- sums ---- */

size_t solve_chosen(const struct solving *s, size_t unit)
{
	return s->of[unit].candidate[s->pick[unit]];
}

double solve_unit_doubt(const struct solving *s, size_t unit)
{
	const struct solving_unit *u = &s->of[unit];
	double sum = 0;

	for (size_t m = 0; m < u->n; m++) {
		double one = role_of(s, u->member[m]) * loss_of(s, solve_chosen(s, unit), u->member[m])->doubt;

		sum += one * one;
	}
	return sum;
}

double solve_cost_of(const struct solving *s, size_t k)
{
	double sum = 0;

	for (size_t i = 0; i < s->n_units; i++)
		for (size_t m = 0; m < s->of[i].n; m++) {
			const struct solve_loss *l = loss_of(s, k, s->of[i].member[m]);

			sum += l->open ? role_of(s, s->of[i].member[m]) * l->relative : NAN;
		}
	return sum;
}
