/*
 * report_coreml.h - what is said of a package of Core ML that was written: constants in place of tensors.
 */
#ifndef REPORT_COREML_H
#define REPORT_COREML_H

#include "heft_coreml.h"
#include "heft_manifest.h"
#include "survey.h"

struct report_coreml {
	const struct heft_coreml_plan *plan;
	const struct heft_model *source;
	const struct tool *tool;
	const void *options;
	const struct heft_manifest *manifest; /* NULL: none */
	struct heft_model *written; /* the package as it is now, whose types the survey has */
	struct survey survey;
};

/* Opens the package that was written, and sums up its constants. report_coreml_release() also where it fails. */
int report_coreml_take(struct report_coreml *r, struct heft_err *err);
void report_coreml_release(struct report_coreml *r);

void report_coreml_html(const struct report_coreml *r, FILE *f);

#endif
