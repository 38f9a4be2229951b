/*
 * convert.c owns the tool that writes any container, several outputs from one read. How it runs is writer.c's.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "heft_coreml.h"
#include "writer.h"

struct options {
	struct writer w;
	struct list output, type, ignore, targets;
	const char *to, *machine, *group_size, *method, *candidates;
	uint64_t target_size;
	double target_bpw, sample; /* NAN: not given */
	uint64_t split_size, split_tensors;
	bool signed_scales, force, consume, vocab_only, mtp, no_mtp, mmproj, no_tensor_first_split, fp8_as_q8, fuse_qkv, fuse_gate_up_exps, big_endian;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_LIST, 'o', "output", "OUT", "file|dir",
	  "file to write; - is standard output (default: named from model and type, in the current directory). "
	  "Several -t TYPE -o OUT pairs are written from one read",
	  FIELD(output) },
	{ OPT_LIST, 't', "type", "TYPE", "type|mlx-type",
	  "type or recipe to write; auto is the 16-bit type of the source, keep leaves each tensor its own; "
	  "'heft types' lists them (default: auto). With --to mlx also 2bit to 8bit, mxfp4, mxfp8, nvfp4, mixed_2_6 and the like (default: 4bit)",
	  FIELD(type) },
	{ OPT_STRING, 0, "to", "TARGET", "target",
	  "what to write: gguf, safetensors (a GGUF becomes a checkpoint's directory again), or a directory for GPU runtimes: fp8-dynamic, fp8-block, "
	  "w4a16, w4a16-asym, w8a16, w8a8, nvfp4a16, mxfp4a16 and mxfp8a16 of compressed-tensors, fp8 as DeepSeek has it, modelopt-nvfp4, "
	  "modelopt-fp8-channel and modelopt-fp8-block, gptq and gptq-8bit, awq, bnb-nf4, bnb-fp4 and bnb-int8; for Apple's machines mlx, or coreml: a package of "
	  "Core ML from one (default: gguf)",
	  FIELD(to) },
	{ OPT_STRING, 0, "for", "MACHINE", "mac",
	  "types that a machine is quick with: mac is Metal and ARM, q4_k_m where -t says nothing, and f16 where bf16 would be (default: any machine)",
	  FIELD(machine) },
	{ OPT_STRING, 0, "method", "HOW", "search|rtn|mlx",
	  "codes and scales for GPU runtimes: searched for less error (default), or rounded to nearest as the library does: rtn, or mlx for --to mlx", FIELD(method) },
	{ OPT_FLAG, 0, "signed-scales", NULL, NULL,
	  "let the search find scales less than 0: less error, but some kernels of vLLM read them as positive", FIELD(signed_scales) },
	{ OPT_STRING, 0, "group-size", "N", "32|64|128|channel|1|2|4|8|16|tensor",
	  "columns that share a scale in packed integers (default: 128; w8a16: channel); for Core ML, also channels that share a palette", FIELD(group_size) },
	{ OPT_LIST, 0, "ignore", "PATTERN", NULL,
	  "leave the modules whose name matches as they are, for a GPU runtime; may be repeated (default: heads, routers and the like)", FIELD(ignore) },
	{ OPT_LIST, 0, "targets", "PATTERN", NULL,
	  "quantize only modules whose name matches, for a GPU runtime; may be repeated (default: all that runtimes expect)", FIELD(targets) },
	{ OPT_SIZE, 0, "target-size", "SIZE", NULL,
	  "choose each tensor's type so that the file has at most SIZE and loses least: the weights are read once to measure that (default: as TYPE has it)",
	  FIELD(target_size) },
	{ OPT_REAL, 0, "target-bpw", "BITS", NULL, "the same, for BITS per weight, as in 4.25", FIELD(target_bpw) },
	{ OPT_STRING, 0, "fit", "MACHINE", NULL,
	  "the same, for the size that leaves room for a context on a GPU, as in '24G ctx=16k kv=q8_0' or 'mac 36G ctx=16k'", FIELD(w) + offsetof(struct writer, fit) },
	{ OPT_STRING, 0, "candidates", "TYPES", NULL,
	  "types to choose from for a size, apart by commas (default: q2_k to q8_0 and iq4_xs, smaller ones with --imatrix; of the target's own)", FIELD(candidates) },
	{ OPT_REAL, 0, "sample", "PERCENT", NULL,
	  "measure only that part of the rows, and say how sure the answer is (default: 100; 10 with --effort high)", FIELD(sample) },
	WRITER_TYPE_ROWS(FIELD(w)),
	{ OPT_SIZE, 0, "split-size", "SIZE", NULL,
	  "begin a new file before this one grows past SIZE (default: one file)",
	  FIELD(split_size) },
	{ OPT_COUNT, 0, "split-tensors", "N", NULL, "begin a new file after N tensors (default: one file)",
	  FIELD(split_tensors) },
	{ OPT_FLAG, 0, "no-tensor-first-split", NULL, NULL, "the first file of a set has metadata alone", FIELD(no_tensor_first_split) },
	{ OPT_FLAG, 0, "fp8-as-q8", NULL, NULL,
	  "write matrices that are 8-bit floats in the source as q8_0 where the type is a float (default: as the type)", FIELD(fp8_as_q8) },
	{ OPT_FLAG, 0, "fuse-qkv", NULL, NULL, "write a layer's query, key and value weights as one tensor (default: as the family has them)",
	  FIELD(fuse_qkv) },
	{ OPT_FLAG, 0, "fuse-gate-up-exps", NULL, NULL, "write gate and up of a layer's experts as one tensor (default: as the family has them)",
	  FIELD(fuse_gate_up_exps) },
	{ OPT_FLAG, 0, "bigendian", NULL, NULL, "write a file for big-endian machines; TYPE is f32, f16 or bf16 (default: little-endian)", FIELD(big_endian) },
	{ OPT_FLAG, 'f', "force", NULL, NULL, "replace OUT where it exists (default: refuse)", FIELD(force) },
	{ OPT_FLAG, 0, "consume", NULL, NULL,
	  "remove the source's weight files when every output is complete and on disk (default: an input is never touched)", FIELD(consume) },
	{ OPT_FLAG, 0, "vocab-only", NULL, NULL, "write the metadata and the tokenizer, no tensors",
	  FIELD(vocab_only) },
	{ OPT_FLAG, 0, "sentence-transformers-dense-modules", NULL, NULL,
	  "convert the Dense modules of a sentence-transformers model, too (default: the model alone)",
	  FIELD(w) + offsetof(struct writer, modules) },
	{ OPT_FLAG, 0, "mistral-format", NULL, NULL,
	  "of a directory with both layouts, convert Mistral's own: params.json, consolidated.safetensors, tekken.json (default: Hugging Face's)",
	  FIELD(w) + offsetof(struct writer, mistral_format) },
	{ OPT_FLAG, 0, "mtp", NULL, NULL, "write only the layers that predict further tokens, a draft for the rest (default: all layers)",
	  FIELD(mtp) },
	{ OPT_FLAG, 0, "no-mtp", NULL, NULL, "leave out the layers that predict further tokens", FIELD(no_mtp) },
	{ OPT_FLAG, 0, "mmproj", NULL, NULL,
	  "write the projector file: the part of the model that sees (default: the part that reads and writes text)", FIELD(mmproj) },
	WRITER_MODEL_ROWS(FIELD(w)),
	WRITER_RUN_ROWS(FIELD(w)),
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

static bool to_stdout(const struct options *o)
{
	for (size_t i = 0; i < o->output.n; i++)
		if (!strcmp(o->output.v[i], "-"))
			return true;
	return false;
}

static int check_pairs(const struct options *o)
{
	size_t types = o->type.n, outputs = o->output.n;

	if (o->w.recipe && types)
		return misuse("--recipe stands in place of --type");
	if ((o->w.recipe || o->w.save_recipe) && o->to && !strcasecmp(o->to, "coreml"))
		return misuse("%s is not for Core ML", o->w.recipe ? "--recipe" : "--save-recipe");
	if ((o->w.recipe || o->w.save_recipe) && (outputs > 1 || types > 1))
		return misuse("%s goes with one output", o->w.recipe ? "--recipe" : "--save-recipe");
	if (o->machine && o->w.save_recipe)
		return misuse("--for looks at values, which a saved recipe does not speak of: leave out --save-recipe");
	if (o->machine && (o->target_size || !isnan(o->target_bpw) || o->w.fit))
		return misuse("--for and a size both choose types: leave one out ('--candidates q4_k,q5_k,q6_k,q8_0' is what Metal and ARM are quick with)");
	if (types <= 1 && outputs <= 1)
		return -1;
	if (outputs && types != outputs)
		return misuse("%zu times --type but %zu times --output: give each output its type, "
			      "as in -t q4_k_m -o a.gguf -t q8_0 -o b.gguf", types, outputs);
	for (size_t i = 0; i < outputs; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(o->output.v[i], o->output.v[k]))
				return misuse("two outputs are called '%s'", o->output.v[i]);
	return -1;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && !strcasecmp(s + n - k, end);
}

/* A name that promises another container than the default one is asked about, not guessed from. */
static int check_names(const struct options *o)
{
	for (size_t i = 0; i < o->output.n && !o->to; i++)
		if (ends_with(o->output.v[i], ".safetensors"))
			return misuse("'%s' would be a GGUF file: add --to safetensors or --to gguf", o->output.v[i]);
	return -1;
}

/* 0: no such groups. */
static uint32_t group_size(const struct options *o)
{
	if (!o->to || strcasecmp(o->to, "coreml") || heft_group_size(o->group_size))
		return heft_group_size(o->group_size);
	return strcasecmp(o->group_size, "tensor") ? (uint32_t)strtoul(o->group_size, NULL, 10) : HEFT_GROUP_TENSOR;
}

static int check_size(const struct options *o)
{
	bool bits = !isnan(o->target_bpw), asked = o->target_size || bits || o->w.fit;

	if ((o->target_size != 0) + bits + (o->w.fit != NULL) > 1)
		return misuse("--target-size, --target-bpw and --fit say the same thing: give one of them");
	if (!asked && (o->candidates || !isnan(o->sample)))
		return misuse("%s goes with --target-size, --target-bpw and --fit", o->candidates ? "--candidates" : "--sample");
	if (asked && (o->type.n || o->w.recipe))
		return misuse("a size and --type or --recipe do not go together: --candidates says which types may be chosen");
	if (asked && o->output.n > 1)
		return misuse("a size is asked of one output");
	if (bits && !(o->target_bpw > 0 && o->target_bpw <= 32))
		return misuse("--target-bpw takes bits per weight, as in 4.25");
	if (!isnan(o->sample) && !(o->sample > 0 && o->sample <= 100))
		return misuse("--sample takes a part of the rows in percent, as in 10");
	if (asked && o->to && !strcasecmp(o->to, "coreml"))
		return misuse("a size does not go with --to coreml");
	return -1;
}

static void set_size(struct options *o)
{
	o->w.size = (struct heft_solve_options){ .size = o->target_size, .bits = isnan(o->target_bpw) ? 0 : o->target_bpw,
						.candidates = o->candidates, .sample = isnan(o->sample) ? 0 : o->sample / 100 };
}

static int check_options(const struct options *o)
{
	int status = o->mtp && o->no_mtp ? misuse("--mtp and --no-mtp do not go together") : check_pairs(o);

	if (status < 0)
		status = check_names(o);
	if (status < 0 && o->method && !strcasecmp(o->method, "mlx") && !(o->to && !strcasecmp(o->to, "mlx")))
		status = misuse("--method mlx goes with --to mlx");
	if (status < 0 && o->group_size && !group_size(o))
		status = misuse("--group-size does not know '%s', only: 32, 64, 128, channel", o->group_size);
	if (status < 0)
		status = check_size(o);
	if (status < 0)
		status = writer_check(&o->w);
	if (status < 0 && o->w.json && !o->w.dry_run && to_stdout(o))
		status = misuse("--json and -o - both want standard output");
	return status;
}

/* The pairs: outputs and types by order, one missing side is the default. The array is the caller's to free. */
static struct heft_output_spec *pairs(const struct options *o, size_t *n)
{
	struct heft_output_spec *s;

	*n = o->type.n > o->output.n ? o->type.n : o->output.n;
	*n += *n == 0;
	s = need(calloc(*n, sizeof *s));
	for (size_t i = 0; i < *n; i++) {
		s[i].type = i < o->type.n ? o->type.v[i] : NULL;
		s[i].path = i < o->output.n ? o->output.v[i] : NULL;
	}
	return s;
}

static int run(void *options, const struct list *args)
{
	struct options *o = options;
	struct heft_output_spec *spec;
	struct heft_job job = {
		.to = o->to,
		.machine = o->machine,
		.group_size = o->group_size ? group_size(o) : 0,
		.signed_scales = o->signed_scales,
		.method = o->method && strcasecmp(o->method, "search") != 0 ? HEFT_METHOD_RTN : HEFT_METHOD_SEARCH,
		.ignore = o->ignore.v,
		.n_ignore = o->ignore.n,
		.targets = o->targets.v,
		.n_targets = o->targets.n,
		.split_size = o->split_size,
		.split_tensors = o->split_tensors,
		.force = o->force,
		.consume = o->consume,
		.vocab_only = o->vocab_only,
		.mtp = o->mtp,
		.no_mtp = o->no_mtp,
		.mmproj = o->mmproj,
		.no_tensor_first_split = o->no_tensor_first_split,
		.fp8_as_q8 = o->fp8_as_q8,
		.big_endian = o->big_endian,
		.fuse_qkv = o->fuse_qkv,
		.fuse_gate_up_exps = o->fuse_gate_up_exps,
	};
	int status = check_options(o);

	if (status >= 0)
		return status;
	set_size(o);
	o->w.tool = &tool_convert;
	o->w.options = o;
	job.output = spec = pairs(o, &job.n_outputs);
	status = writer_run(&o->w, args->v[0], &job);
	free(spec);
	return status;
}

const struct tool tool_convert = {
	.name = "convert",
	.about = "write a checkpoint as the file that a runtime loads, quantized, in one pass",
	.usage = "SRC [-o OUT] [-t TYPE] [--to TARGET] [--tensor-type PATTERN=TYPE]... [--split-size SIZE] "
		 "[--split-tensors N] [-j N] [-n] [-f] [OPTION]...",
	.details = "SRC is a Hugging Face directory, a Hub cache snapshot, a safetensors, PyTorch or GGUF file, one part of a "
		   "split set, or - for a stream. It is read once and never changed. OUT appears under its name only "
		   "when it is complete: a failed or killed run leaves nothing there.\n\n"
		   "SIZE is a number with K, M, G or T (powers of 1000) or Ki, Mi, Gi, Ti (powers of 1024), as in 4G, "
		   "1.5G, 2GiB.\n\n"
		   "heft convert ~/models/Llama-3.1-8B -t q4_k_m -o llama.gguf",
	.operand = "file|dir",
	.min_args = 1,
	.max_args = 1,
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
