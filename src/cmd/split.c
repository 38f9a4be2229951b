/*
 * split.c owns the tool that cuts a model into parts, and what it shares with the one that joins them: a conversion in which nothing changes
 * but the files that tensors are in.
 */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

enum { USUAL_TENSORS = 128 }; /* llama-gguf-split's */

#define FIELD(name) offsetof(struct parts_options, name)

static const struct opt rows[] = {
	{ OPT_STRING, 'o', "output", "OUT", "file", "OUT-00001-of-0000N.gguf and so on, or a directory (default: SRC)", FIELD(output) },
	{ OPT_SIZE, 0, "split-size", "SIZE", NULL, "bytes of tensors per part, as in 4G", FIELD(split_size) },
	{ OPT_COUNT, 0, "split-tensors", "N", NULL, "tensors per part (default: 128, where --split-size is not given)", FIELD(split_tensors) },
	{ OPT_FLAG, 0, "no-tensor-first-split", NULL, NULL, "the first part has metadata alone; GGUF only", FIELD(no_tensor_first_split) },
	PARTS_RUN_ROWS,
};

/* GGUF stays GGUF; what else is read becomes safetensors, as it is one. */
static int write_open(const struct parts_options *o, struct heft_model *m)
{
	bool gguf = !strcmp(m->format, "gguf");
	struct heft_output_spec spec = { .path = o->output, .type = "keep" };
	struct heft_job job = { .output = &spec, .n_outputs = 1, .to = gguf ? "gguf" : "safetensors", .split_size = o->split_size,
				.split_tensors = o->split_tensors, .no_tensor_first_split = o->no_tensor_first_split, .force = o->force,
				.splitter_order = true };
	struct writer w = o->w;

	if (!gguf && strcmp(m->format, "safetensors"))
		return misuse("'%s' is neither GGUF nor safetensors; 'heft convert' writes it as one of them", m->path);
	w.options = o;
	w.arch = gguf ? NULL : "none";
	return writer_run_on(&w, m, &job);
}

int parts_write(const struct parts_options *o, const char *source)
{
	struct heft_open_options open = { .as_stored = true };
	struct heft_err err = { 0 };
	struct heft_model *m;
	int status;

	if (o->w.json && !o->w.dry_run && o->output && !strcmp(o->output, "-"))
		return misuse("--json and the output both want standard output");
	quit_on_signals();
	if (heft_open(&m, source, &open, &err))
		return fail(&err);
	status = write_open(o, m);
	heft_close(m);
	return status;
}

static int run(void *options, const struct list *args)
{
	struct parts_options *o = options;

	o->w.tool = &tool_split;
	if (!o->output && !strcmp(args->v[0], "-"))
		return misuse("a stream has no name, give -o");
	if (o->output && !strcmp(o->output, "-"))
		return misuse("parts are files, standard output is one");
	if (!o->split_size && !o->split_tensors)
		o->split_tensors = USUAL_TENSORS;
	if (!o->output)
		o->output = args->v[0];
	return parts_write(o, args->v[0]);
}

const struct tool tool_split = {
	.name = "split",
	.about = "cut a model file into parts, as llama-gguf-split does",
	.usage = "SRC [-o OUT] [--split-size SIZE] [--split-tensors N] [OPTION]...",
	.details = "SRC is a GGUF or safetensors file, or a directory of safetensors. Tensors and metadata stay as they are; the parts of a GGUF "
		   "are those of llama-gguf-split, byte for byte, and safetensors get their index.\n\n"
		   "heft split model.gguf --split-size 4G",
	.operand = "file|dir",
	.min_args = 1,
	.max_args = 1,
	.opt = rows,
	.size = sizeof(struct parts_options),
	.run = run,
};
