/*
 * coreml.h - `heft convert --to coreml`, which has a plan and a report of its own: nothing in a package is a tensor of a family.
 */
#ifndef CMD_COREML_H
#define CMD_COREML_H

#include "writer.h"

/* The job says what to write; returns the exit status. */
int coreml_convert(const struct writer *w, struct heft_model *m, const struct heft_job *job);

#endif
