/*
 * solve.h - which type each tensor gets, so that the file has the size that was asked for and loses least. Inside of solve*.c.
 *
 *   solve.c           candidates: a plan with one output for each, none of which is written; the choice as rules of a job, which a plan proves
 *   solve_measure.c   one pass over the weights: what each candidate loses of each tensor
 *   solve_role.c      how much a loss in a tensor weighs, by its role
 *   solve_units.c     what is decided at once, and what it may become
 *   solve_choose.c    the choice
 */
#ifndef SOLVE_H
#define SOLVE_H

#include "heft_solve.h"
#include "plan.h"

/* ---- the choice ---- */

struct solve_option {
	uint64_t size; /* bytes */
	double cost;
};

struct solve_unit { /* what is decided at once: a tensor, or several that a runtime reads as one */
	struct solve_option *option;
	size_t n; /* 1 to SOLVE_OPTIONS */
};

enum { SOLVE_OPTIONS = 64 };

/* For each unit the option so that all together have at most `budget` bytes, and least_sum at least, and cost least. Exact where there are at most SOLVE_SIZES different
 * sums of sizes over the number of units; else nearly so. A larger budget never costs more. false: there is no such choice. */
bool solve_choose(const struct solve_unit *unit, size_t n, uint64_t least_sum, uint64_t budget, uint8_t *pick);

/* ---- what is lost ---- */

struct solve_loss { /* of one tensor in one candidate's type */
	double relative; /* squared error by squared values, weighed by importance where there is one */
	double doubt;    /* its standard error, of a sample; 0 where every row was looked at */
	bool open;       /* it was measured: else the tensor has this type whatever is chosen, or the type cannot be had */
};

struct solve_look {
	double share;    /* of the rows; 1: all */
	const struct plan_watch *watch;
};

/* loss[output * n_weights + weight]. */
int solve_measure(struct heft_plan *p, const struct solve_look *look, struct solve_loss *loss, struct heft_err *err);
/* Weight bytes that it reads. */
uint64_t solve_bytes(const struct heft_plan *p, double share);
/* Is there a choice for this weight: are its types in the outputs not all the same? */
bool solve_is_open(const struct heft_plan *p, size_t weight);
/* Has it the same type in these two outputs? */
bool solve_is_like(const struct heft_plan *p, size_t a, size_t b, size_t weight);

/* ---- roles ---- */

/* What the model's divergence grows by for each unit of relative squared error in a tensor, up to a factor that all share. layers: of the model; tied: its embeddings are the output matrix, too. */
double solve_role(const char *name, uint64_t layers, bool tied);

#endif
