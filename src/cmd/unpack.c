/*
 * unpack.c owns the tool that gives back what `heft pack` packed.
 */
#include "pack.h"

static int run(void *options, const struct list *args)
{
	return pack_files(options, args, heft_unpack, "unpack");
}

const struct tool tool_unpack = {
	.name = "unpack",
	.about = "give packed model files back, and check that they are the same",
	.usage = "FILE... [-o OUT] [OPTION]...",
	.details = "FILE is what 'heft pack' wrote. The SHA-256 of the file that was packed is compared before anything stands under the "
		   "output's name.",
	.operand = "file",
	.min_args = 1,
	.max_args = ANY_ARGS,
	.opt = pack_rows,
	.size = sizeof(struct pack_options),
	.run = run,
};
