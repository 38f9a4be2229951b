/*
 * lora.c owns `heft lora`: an adapter as the GGUF adapter that a runtime loads beside a model, adapters merged into a model. How it runs is
 * writer.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "writer.h"

struct options {
	struct writer w;
	const char *output, *type, *base, *to;
	uint64_t split_size, split_tensors;
	bool force;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_STRING, 'o', "output", "OUT", "file|dir", "file to write; - is standard output (default: named from model and type, in the current directory)",
	  FIELD(output) },
	{ OPT_STRING, 't', "type", "TYPE", "type",
	  "merge: type or recipe to write; convert: f32, f16, bf16, q8_0 or auto (default: merge auto, the 16-bit type of BASE; convert f32)", FIELD(type) },
	{ OPT_STRING, 0, "base", "DIR", "dir",
	  "convert: the base model, of which config.json is read (default: beside the adapter, or where the adapter says it is)", FIELD(base) },
	{ OPT_STRING, 0, "to", "FORMAT", "format", "merge: container to write, gguf or safetensors (default: gguf)", FIELD(to) },
	WRITER_TYPE_ROWS(FIELD(w)),
	{ OPT_SIZE, 0, "split-size", "SIZE", NULL, "begin a new file before this one grows past SIZE (default: one file)", FIELD(split_size) },
	{ OPT_COUNT, 0, "split-tensors", "N", NULL, "begin a new file after N tensors (default: one file)", FIELD(split_tensors) },
	{ OPT_FLAG, 'f', "force", NULL, NULL, "replace OUT where it exists (default: refuse)", FIELD(force) },
	WRITER_MODEL_ROWS(FIELD(w)),
	WRITER_RUN_ROWS(FIELD(w)),
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

static int run_on(const struct options *o, struct heft_model *m, const char *type, const char *via)
{
	struct heft_output_spec out = { .path = o->output, .type = o->type ? o->type : type };
	struct heft_job job = {
		.output = &out, .n_outputs = 1, .to = o->to, .force = o->force, .split_size = o->split_size, .split_tensors = o->split_tensors,
	};
	struct writer w = o->w;

	w.tool = &tool_lora;
	w.options = o;
	if (!w.via)
		w.via = via;
	return writer_run_on(&w, m, &job);
}

static int convert(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_model *m;
	struct heft_err err = { 0 };
	int status;

	if (heft_lora_open(&m, args->v[1], o->base, &err))
		return fail(&err);
	status = run_on(o, m, "f32", NULL);
	heft_close(m);
	return status;
}

/* "adapter/=0.5": path and weight. A path that has such an end itself is written with =1 behind it. */
static int parse_adapter(const char *s, struct heft_adapter *out, char **path)
{
	const char *equals = strrchr(s, '=');
	char *end;

	*out = (struct heft_adapter){ .path = s, .weight = 1 };
	*path = NULL;
	if (!equals || equals == s)
		return -1;
	out->weight = strtod(equals + 1, &end);
	if (end == equals + 1 || *end)
		return misuse("'%s': behind the = stands the adapter's weight, as in ADAPTER=0.5", s);
	*path = need(strdup(s));
	(*path)[equals - s] = 0;
	out->path = *path;
	return -1;
}

static int merge_into(const struct options *o, const char *base, const struct heft_adapter *adapter, size_t n)
{
	struct heft_open_options open = { .config_dir = o->w.config, .key = o->w.key, .spool = o->w.spool };
	struct heft_model *m;
	struct heft_err err = { 0 };
	int status;

	if (heft_open(&m, base, &open, &err))
		return fail(&err);
	if (heft_lora_merge(m, adapter, n, &err))
		status = fail(&err);
	else
		status = run_on(o, m, NULL, "f32"); /* sums have not been in a 16-bit file */
	heft_close(m);
	return status;
}

static int merge(void *options, const struct list *args)
{
	const struct options *o = options;
	size_t n = args->n - 2, parsed = 0;
	struct heft_adapter *adapter = need(calloc(n, sizeof *adapter));
	char **path = need(calloc(n, sizeof *path));
	int status = -1;

	while (status < 0 && parsed < n) {
		status = parse_adapter(args->v[2 + parsed], &adapter[parsed], &path[parsed]);
		parsed++;
	}
	if (status < 0)
		status = merge_into(o, args->v[1], adapter, n);
	while (parsed)
		free(path[--parsed]);
	free(path);
	free(adapter);
	return status;
}

static const struct command commands[] = {
	{ "convert", 1, 1, "one ADAPTER", "base", convert },
	{ "merge", 2, ANY_ARGS, "BASE and at least one ADAPTER", "to via recipe save-recipe", merge },
	{ NULL, 0, 0, NULL, NULL, NULL },
};

static int run(void *options, const struct list *args)
{
	const struct options *o = options;
	int status = o->w.recipe && o->type ? misuse("--recipe stands in place of --type") : writer_check(&o->w);

	return status < 0 ? command_run(&tool_lora, options, args) : status;
}

const struct tool tool_lora = {
	.name = "lora",
	.about = "turn LoRA adapters into GGUF, merge them into a model",
	.usage = "convert ADAPTER [--base DIR] | merge BASE ADAPTER[=WEIGHT]... [-t TYPE] [-o OUT] [-n] [-f] [OPTION]...",
	.details = "ADAPTER is a directory or file of PEFT (adapter_model.safetensors, adapter_config.json) or MLX (adapters.safetensors). convert "
		   "writes the GGUF adapter that a runtime takes beside the model (llama.cpp: --lora). merge writes BASE with the adapters "
		   "in its weights, quantized, in one pass; BASE is what heft convert takes.\n\n"
		   "heft lora convert my-adapter/ --base ~/models/Llama-3.1-8B -o my-adapter.gguf\n"
		   "heft lora merge ~/models/Llama-3.1-8B my-adapter/ other/=0.5 -t q4_k_m -o merged.gguf",
	.operand = "convert|merge|file|dir",
	.min_args = 2,
	.max_args = ANY_ARGS,
	.opt = rows,
	.size = sizeof(struct options),
	.command = commands,
	.run = run,
};
