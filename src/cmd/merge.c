/*
 * merge.c owns the tool that makes one file of a model's parts.
 */
#include "parts.h"

static const struct opt rows[] = {
	{ OPT_STRING, 'o', "output", "OUT", "file", "the file to write, - is standard output", offsetof(struct parts_options, output) },
	PARTS_RUN_ROWS,
};

static int run(void *options, const struct list *args)
{
	struct parts_options *o = options;

	o->w.tool = &tool_merge;
	if (!o->output)
		return misuse("-o OUT is missing");
	return parts_write(o, args->v[0]);
}

const struct tool tool_merge = {
	.name = "merge",
	.about = "make one file of a model's parts",
	.usage = "SRC -o OUT [OPTION]...",
	.details = "SRC is any part of a GGUF or safetensors set, its index, or a directory of safetensors. Tensors and metadata stay as they are, "
		   "but for split.*: a file that was split becomes again what it was.\n\n"
		   "heft merge model-00001-of-00003.gguf -o model.gguf",
	.operand = "file|dir",
	.min_args = 1,
	.max_args = 1,
	.opt = rows,
	.size = sizeof(struct parts_options),
	.run = run,
};
