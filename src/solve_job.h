/*
 * solve_job.h - the search for a file of a size while it goes on. Inside of solve.c and solve_units.c.
 */
#ifndef SOLVE_JOB_H
#define SOLVE_JOB_H

#include "plan_rules.h"
#include "solve.h"

enum { MOST_CANDIDATES = 24 };

struct solving_unit { /* what is decided at once */
	size_t *member, n, cap; /* weights */
	size_t *candidate;      /* of each option */
};

struct solving {
	struct heft_model *model;
	const struct heft_job *job;
	const struct heft_solve_options *options;
	const struct target *target;
	struct arena *arena;
	struct heft_err *err;
	const char *candidate[MOST_CANDIDATES];
	struct plan_choice instead[MOST_CANDIDATES]; /* of a directory for GPU runtimes: what each candidate is */
	size_t n;                  /* of them */
	struct heft_plan *plan;    /* an output for each */
	struct solve_loss *loss;   /* [candidate][weight] */
	struct solve_unit *unit;   /* those with a choice */
	struct solving_unit *of;   /* the same ones' members */
	uint8_t *pick;
	size_t n_units, n_open;    /* n_open: tensors in them */
	uint64_t fixed;            /* bytes of all else */
	uint64_t layers, experts;
	bool tied;
	struct heft_solution *out;
};

int solve_units(struct solving *s);
size_t solve_chosen(const struct solving *s, size_t unit); /* candidate */
double solve_unit_doubt(const struct solving *s, size_t unit); /* squared */
double solve_cost_of(const struct solving *s, size_t k); /* of all units in that candidate; NAN where one cannot be */

#endif
