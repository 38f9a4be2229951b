/*
 * heft_solve.h - the file of a size: which type each tensor gets, so that the file is as large as it may be and loses least.
 *
 *   heft_solve()  a job and a size  ->  a recipe       reads every weight once, or a part of its rows
 *   heft_run()    the job with it   ->  the file
 *
 * What a type costs a tensor is its squared error relative to the tensor's squares, weighed by an importance matrix where there is one: that is
 * the error of what the tensor puts out. The divergence of a model from its original grows with the sum of these over tensors, each
 * times a weight of the tensor's role (src/solve_role.c); the solver finds the types with the least sum.
 */
#ifndef HEFT_SOLVE_H
#define HEFT_SOLVE_H

#include "heft.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct heft_solve_options {
	uint64_t size;          /* bytes of all parts of the output, never exceeded; 0: by bits */
	double bits;            /* bytes of all weights times 8 over their number, never exceeded */
	const char *candidates; /* types apart by commas; NULL: as the target and the importance matrix have it */
	double sample;          /* share of the rows that is looked at; 0: 1, or a tenth with HEFT_EFFORT_HIGH; never fewer than 32 rows */
	const struct heft_run_options *watch; /* progress and stop; NULL: neither */
};

struct heft_solved_type { /* a candidate */
	const char *name;
	uint64_t size;          /* bytes of the output if all tensors that have a choice were of it */
	double cost;            /* of that, as below; NAN where it was not measured, since some tensor cannot have it */
	size_t tensors;         /* that got it */
};

struct heft_solution {
	const char *recipe;     /* text of the choice: heft_recipe.h */
	bool whole;             /* it says what the job's rules say, too */
	const char *type;       /* most of it */
	uint64_t size, target;  /* bytes of the output, and that were asked for */
	double bits;            /* a weight */
	double cost, doubt;     /* sum over tensors of role times relative squared error; its standard error where only a sample was looked at */
	double sample;          /* share of the rows that was looked at */
	const struct heft_solved_type *type_list;
	size_t n_types;
	size_t n_open;          /* tensors that had a choice */
	const char *note;       /* what the user should know: the target is larger than all candidates, nothing comes nearer ...; NULL: nothing */
	struct arena *arena;
};

/* The job has one output, whose type is not looked at. What its rules say of single tensors stands. */
int heft_solve(struct heft_solution **out, struct heft_model *m, const struct heft_job *job, const struct heft_solve_options *o, struct heft_err *err);
/* Makes the job one for the choice: `spec` becomes its only output, with path as it is. Both borrow from s. */
void heft_solution_apply(const struct heft_solution *s, struct heft_output_spec *spec, struct heft_job *job);
void heft_solution_free(struct heft_solution *s); /* NULL is allowed */

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
