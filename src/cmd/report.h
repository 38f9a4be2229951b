/*
 * report.h - what `heft convert` says: the plan before, the summary after. Both borrow the plan.
 */
#ifndef REPORT_H
#define REPORT_H

#include "cmd.h"
#include "heft_solve.h"

/* Both return EXIT_DONE; the JSON is that of a plan where s is NULL. */
int report_plan(const struct heft_plan *p, FILE *f);
int report_json(const struct heft_plan *p, const struct heft_summary *s, const char *source, const struct heft_solution *solved, FILE *f);
void report_summary(const struct heft_plan *p, const struct heft_summary *s, FILE *f);
void report_histograms(const struct heft_plan *p, const struct heft_summary *s, FILE *f); /* of a run with details */

/* histogram.c: the errors of one type; nothing where all are exact or none were counted. */
void histogram_print(const char *type, const struct heft_error *e, FILE *f);

/* report_solve.c: of a size that was asked for; the recipe as well, or without. NULL: nothing */
void report_solution(const struct heft_solution *s, bool recipe, FILE *f);
struct emitter;
void report_solution_json(const struct heft_solution *s, struct emitter *w);
void report_importance(const struct heft_plan *p, bool all, FILE *f); /* report_importance.c; nothing where no matrix is given or needed */

#endif
