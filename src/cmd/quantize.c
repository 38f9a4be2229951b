/*
 * quantize.c owns the tool with llama-quantize's operands: `heft quantize` in place of `llama-quantize` is the only word that a script
 * changes. Outputs that exist are replaced, types have its words and numbers, tensors and keys its order.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "writer.h"

struct options {
	struct writer w;
};

static const struct opt rows[] = {
	WRITER_TYPE_ROWS(0),
	WRITER_MODEL_ROWS(0),
	WRITER_RUN_ROWS(0),
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

struct operands {
	const char *source, *output, *type;
	char word[40]; /* of the type, as the name of a file has it */
};

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* The short name comes first where there are two, as in llama-quantize's table: 15 is Q4_K, and its file is called so. */
static const char *find_type(const char *word)
{
	const struct heft_recipe_info *r;
	size_t n = heft_recipes(&r);

	if (!strcasecmp(word, "copy"))
		return "copy";
	for (size_t i = 0; i < n; i++) {
		if (is_number(word) && strtoul(word, NULL, 10) == r[i].file_type)
			return r[i].alias ? r[i].alias : r[i].name;
		if (r[i].alias && !strcasecmp(word, r[i].alias))
			return r[i].alias;
		if (!strcasecmp(word, r[i].name))
			return r[i].name;
	}
	return NULL;
}

static int unknown_type(const char *word)
{
	struct word w;

	if (strpbrk(word, "./"))
		return misuse("TYPE is missing behind '%s', 'heft types' lists the types", word);
	if (word_nearest("type", word, &w) && find_type(w.s))
		return misuse("there is no type '%s', did you mean '%s'?", word, w.s);
	return misuse("there is no type '%s', 'heft types' lists the types", word);
}

static int take_threads(const char *s, uint64_t *threads)
{
	if (!is_number(s) || strlen(s) > 4)
		return misuse("'%s' is not a number of threads", s);
	*threads = strtoul(s, NULL, 10);
	return -1;
}

/* IN OUT [NTHREADS], with a recipe. */
static int take_two(const struct list *args, struct operands *o, uint64_t *threads)
{
	*o = (struct operands){ .source = args->v[0], .output = args->n > 1 ? args->v[1] : NULL };
	if (!o->output)
		return misuse("--recipe stands in place of TYPE: IN and OUT are wanted");
	if (args->n > 3)
		return misuse("'%s' is one operand too many", args->v[3]);
	return args->n > 2 ? take_threads(args->v[2], threads) : -1;
}

/* IN [OUT] TYPE [NTHREADS]: where the second is a type, there is no OUT. */
static int take_operands(const struct list *args, struct operands *o, uint64_t *threads)
{
	size_t at = 1;

	*o = (struct operands){ .source = args->v[0] };
	if (args->n < 2)
		return misuse("TYPE is missing");
	if (!find_type(args->v[at]))
		o->output = args->v[at++];
	if (args->n == at)
		return unknown_type(o->output);
	o->type = find_type(args->v[at]);
	if (!o->type)
		return unknown_type(args->v[at]);
	if (args->n > at + 2)
		return misuse("'%s' is one operand too many", args->v[at + 2]);
	if (args->n > at + 1 && take_threads(args->v[at + 1], threads) >= 0)
		return EXIT_USAGE;
	for (size_t i = 0; o->type[i] && i + 1 < sizeof o->word; i++)
		o->word[i] = (char)toupper((unsigned char)o->type[i]);
	return -1;
}

/* "ggml-model-Q4_K_M.gguf" beside the source. */
static char *default_output(const struct operands *o)
{
	size_t n = strlen(o->source), size = n + sizeof o->word + sizeof "ggml-model-.gguf";
	char *path = need(malloc(size));

	while (n > 1 && o->source[n - 1] == '/') /* of a folder */
		n--;
	while (n && o->source[n - 1] != '/')
		n--;
	snprintf(path, size, "%.*sggml-model-%s.gguf", (int)n, o->source, o->word);
	return path;
}

static int run(void *options, const struct list *args)
{
	struct writer *w = &((struct options *)options)->w;
	struct operands o;
	struct heft_output_spec spec = { 0 };
	struct heft_job job = { .output = &spec, .n_outputs = 1, .force = true, .quantizer_order = true };
	char *path;
	int status = w->recipe ? take_two(args, &o, &w->threads) : take_operands(args, &o, &w->threads);

	if (status < 0)
		status = writer_check(w);
	if (status < 0 && w->json && !w->dry_run && o.output && !strcmp(o.output, "-"))
		status = misuse("--json and OUT - both want standard output");
	if (status >= 0)
		return status;
	w->tool = &tool_quantize;
	w->options = options;
	path = default_output(&o);
	spec.path = o.output ? o.output : path;
	spec.type = o.type;
	status = writer_run(w, o.source, &job);
	free(path);
	return status;
}

const struct tool tool_quantize = {
	.name = "quantize",
	.about = "what llama-quantize does, with its options, words and operands",
	.usage = "IN.gguf [OUT.gguf] TYPE [NTHREADS] [OPTION]... | IN.gguf OUT.gguf --recipe FILE [NTHREADS] [OPTION]...",
	.details = "IN.gguf is all that 'heft convert' reads, also a Hugging Face directory. Without OUT.gguf the output is called "
		   "ggml-model-TYPE.gguf, beside the input. An output that exists is replaced. TYPE is a word of any case or a number, "
		   "as in Q4_K_M or 15; COPY leaves all tensors as they are; 'heft types' lists them. The file is that of llama-quantize, "
		   "byte for byte, for a GGUF input.\n\n"
		   "heft quantize model-bf16.gguf model-q4.gguf Q4_K_M",
	.operand = "file|dir|recipe",
	.min_args = 1,
	.max_args = 4,
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
