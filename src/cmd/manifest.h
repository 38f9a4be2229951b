/* manifest.h - --manifest of the tools that write a model. */
#ifndef CMD_MANIFEST_H
#define CMD_MANIFEST_H

#include "heft_manifest.h"
#include "report.h"

/* After a run, beside each output: OUT.manifest.json, or heft-manifest.json in a directory. */
int manifest_write(const struct report_of *r, const struct heft_manifest_options *how, struct heft_err *err);

#endif
