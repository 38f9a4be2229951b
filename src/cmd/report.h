/*
 * report.h - what `heft convert` says: the plan before, the summary after. Both borrow the plan.
 */
#ifndef REPORT_H
#define REPORT_H

#include "cmd.h"
#include "heft_manifest.h"
#include "heft_solve.h"

struct report_of { /* what a report is about */
	const struct heft_plan *plan;
	const struct heft_model *model;
	const char *to;          /* heft_job.to; NULL: GGUF */
	const struct tool *tool; /* whose options were given; NULL: none are told */
	const void *options;
	const struct heft_solution *solved; /* NULL: no size was asked for */
	struct heft_manifest **manifest; /* of each output; NULL: none is asked for */
};

/* Both return EXIT_DONE; the JSON is that of a plan where s is NULL. */
int report_plan(const struct heft_plan *p, FILE *f);
int report_json(const struct heft_plan *p, const struct heft_summary *s, const char *source, const struct heft_solution *solved, FILE *f);
void report_summary(const struct heft_plan *p, const struct heft_summary *s, bool drawn, FILE *f); /* drawn: with plots */
void report_html(const struct report_of *r, const struct heft_summary *s, FILE *f); /* report_page.c */
void report_histograms(const struct heft_plan *p, const struct heft_summary *s, FILE *f); /* of a run with details */

struct survey;
void draw_survey(const struct survey *s, FILE *f); /* draw.c: size by part, error by layer */
void draw_bar(FILE *f, double share, int columns); /* share: 0 to 1 of them */

/* histogram.c: the errors of one type; nothing where all are exact or none were counted. */
void histogram_print(const char *type, const struct heft_error *e, FILE *f);

/* report_solve.c: of a size that was asked for; the recipe as well, or without. NULL: nothing */
void report_solution(const struct heft_solution *s, bool recipe, FILE *f);
struct emitter;
void report_solution_json(const struct heft_solution *s, struct emitter *w);
void report_importance(const struct heft_plan *p, bool all, FILE *f); /* report_importance.c; nothing where no matrix is given or needed */

#endif
