/*
 * fit.c owns the tool that says which file of a model a machine can hold. It makes the plan of every recipe, from headers alone, and asks
 * heft_memory.h what running it needs.
 */
#include "fit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
	const char *vram, *ram, *ctx, *kv, *machine, *reserve, *arch, *config;
	uint64_t gpus, sequences;
	bool all, json;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_STRING, 0, "vram", "SIZE", NULL, "memory of the GPU, of each where there are several; 24G is 24 * 2^30 bytes, 0 is no GPU", FIELD(vram) },
	{ OPT_STRING, 0, "ram", "SIZE", NULL, "memory beside the GPU's for what stays on the CPU (default: as much as it takes, and it says how much)",
	  FIELD(ram) },
	{ OPT_STRING, 0, "ctx", "TOKENS", NULL, "length of the context, as in 32k or 8192 (default: the model's, at most 32k)", FIELD(ctx) },
	{ OPT_STRING, 0, "kv", "TYPE", "f16|bf16|f32|q8_0|q5_1|q5_0|q4_1|q4_0|iq4_nl", "type of the cache of keys and values (default: f16)", FIELD(kv) },
	{ OPT_COUNT, 0, "gpus", "N", NULL, "how many GPUs there are, all alike (default: 1)", FIELD(gpus) },
	{ OPT_STRING, 0, "for", "MACHINE", NULL, "a machine of Apple's instead of --vram, as in 'mac 36G': what its GPU may hold", FIELD(machine) },
	{ OPT_STRING, 0, "reserve", "SIZE", NULL, "what is to stay free of each GPU (default: 1G, as llama.cpp's --fit-target; 0 with --for)", FIELD(reserve) },
	{ OPT_COUNT, 0, "seqs", "N", NULL, "conversations at once, each with its own context (default: 1)", FIELD(sequences) },
	{ OPT_FLAG, 0, "all", NULL, NULL, "list every recipe and target (default: the usual ones)", FIELD(all) },
	{ OPT_STRING, 0, "arch", "FILE", "file", "family file for this model (default: by config.json)", FIELD(arch) },
	{ OPT_STRING, 0, "config", "DIR", "dir", "where config.json is, for a lone file (default: beside SRC)", FIELD(config) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print everything as JSON, the cache layer by layer", FIELD(json) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

/* The best first. Those that are not here are shown with --all. */
static const char *const usual[] = {
	"keep", "auto", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q4_k_m", "q4_k_s", "iq4_xs", "q3_k_l", "q3_k_m", "iq3_m", "q3_k_s", "iq3_xxs", "q2_k", "iq2_m",
	"iq2_xs", "iq2_xxs", "iq1_m", "iq1_s",
};
static const char *const usual_targets[] = { "fp8-dynamic", "w8a8", "w4a16", "awq", "gptq", "nvfp4a16", "bnb-nf4" };

static bool among(const char *const *list, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], s))
			return true;
	return false;
}

#define AMONG(list, s) among(list, sizeof(list) / sizeof *(list), s)

/* ---- options ---- */

static int read_machine(struct fit *f, const struct options *o, struct heft_err *err)
{
	struct fit_machine *m = &f->machine;

	m->gpus = o->gpus ? (uint32_t)(o->gpus < UINT32_MAX ? o->gpus : UINT32_MAX) : 1;
	m->reserve = o->machine ? 0 : 1ull << 30;
	if (o->machine) {
		if (heft_mac_parse(&m->mac, o->machine, err))
			return -1;
		m->unified = true;
		m->vram = m->mac.working_set;
		m->ram = m->mac.memory;
	} else if (strcmp(o->vram, "0") && heft_memory_size(o->vram, &m->vram, err)) {
		return -1;
	}
	if ((o->ram && heft_memory_size(o->ram, &m->ram, err)) || (o->reserve && strcmp(o->reserve, "0") && heft_memory_size(o->reserve, &m->reserve, err)))
		return -1;
	if (o->reserve && !strcmp(o->reserve, "0"))
		m->reserve = 0;
	if (!m->vram) {
		m->gpus = 0;
		m->reserve = 0;
	}
	return 0;
}

static int check(const struct options *o)
{
	if (!o->vram && !o->machine)
		return misuse("how much memory is there? Say --vram SIZE, as in --vram 24G, or --for 'mac 36G'");
	if (o->machine && (o->vram || o->gpus > 1 || o->ram))
		return misuse("--for says the machine: no --vram, --ram or --gpus beside it");
	if (o->gpus > FIT_GPUS_MAX)
		return misuse("--gpus: at most %d", FIT_GPUS_MAX);
	return -1;
}

static int read_options(struct fit *f, const struct options *o, struct heft_err *err)
{
	if (read_machine(f, o, err) || (o->ctx && heft_memory_tokens(o->ctx, &f->options.context, err)))
		return -1;
	f->options.k = f->options.v = o->kv ? heft_memory_type(o->kv) : NULL;
	f->options.sequences = o->sequences > 256 ? 257 : (uint32_t)o->sequences; /* the library says that it is too many */
	return 0;
}

/* ---- plans ---- */

static size_t recipe_names(const struct heft_recipe_info **recipes, const char **name)
{
	size_t n = 0, count = heft_recipes(recipes);

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		name[n++] = usual[i];
	for (size_t i = 0; i < count; i++)
		if (!AMONG(usual, (*recipes)[i].name) && n < 60)
			name[n++] = (*recipes)[i].name;
	return n;
}

static struct fit_row *add_row(struct fit *f, const char *name)
{
	f->row = need(realloc(f->row, (f->n_rows + 1) * sizeof *f->row));
	f->row[f->n_rows] = (struct fit_row){ .name = name };
	return &f->row[f->n_rows++];
}

static uint64_t weights_of(const struct heft_output *o)
{
	uint64_t n = 0;

	for (size_t i = 0; i < o->n_items; i++)
		n += o->item[i].size;
	return n;
}

static uint64_t elements_of(const struct heft_output *o)
{
	uint64_t sum = 0, n;

	for (size_t i = 0; i < o->n_items; i++) {
		n = 1;
		for (int d = 0; d < o->item[i].rank; d++)
			n *= o->item[i].dim[d];
		sum += n;
	}
	return sum;
}

static void fill(struct fit *f, struct fit_row *r, const struct heft_output *o)
{
	r->weights = weights_of(o);
	r->file = f->headers_only ? 0 : o->size;
	r->bits = o->bits_per_weight;
	r->needs_imatrix = o->n_needs_imatrix > 0;
}

static int make_plan(struct heft_plan **plan, struct fit *f, const struct options *o, struct heft_job *job, struct heft_err *err)
{
	job->arch = o->arch;
	job->force = job->allow_requantize = true;
	job->no_vocabulary |= f->headers_only;
	return heft_plan_new(plan, f->model, job, err);
}

/* All recipes in one plan, so that names are mapped once. Without a tokenizer the sizes of the weights are the same. */
static int plan_recipes(struct heft_plan **plan, struct fit *f, const struct options *o, const char *const *name, size_t n, struct heft_err *err)
{
	struct heft_output_spec *spec = need(calloc(n, sizeof *spec));
	struct heft_job job = { .output = spec, .n_outputs = n };
	struct heft_err first;
	int rc;

	for (size_t i = 0; i < n; i++)
		spec[i] = (struct heft_output_spec){ .path = name[i], .type = name[i] };
	rc = make_plan(plan, f, o, &job, &first);
	if (rc && strcmp(f->model->format, "gguf")) {
		f->headers_only = true;
		rc = make_plan(plan, f, o, &job, err);
		if (rc && first.code != HEFT_E_TOKENIZER && first.code != HEFT_E_OPEN)
			*err = first;
	} else if (rc) {
		*err = first;
	}
	free(spec);
	return rc;
}

/* Rows of the embeddings: words. */
static uint32_t vocabulary_of(const struct heft_output *o)
{
	for (size_t i = 0; i < o->n_items; i++)
		if (!strcmp(o->item[i].name, "token_embd.weight") && o->item[i].rank == 2 && o->item[i].dim[0] <= UINT32_MAX)
			return (uint32_t)o->item[i].dim[0];
	return 0;
}

/* A context as long as the model's is more than most want: 32k then, and the text says so. */
static int read_memory(struct fit *f, const struct heft_output *o, struct heft_err *err)
{
	struct heft_memory whole;
	int rc;

	f->options.vocabulary = vocabulary_of(o);
	if (!f->options.context) {
		if ((rc = heft_memory_of(&whole, o->kv, o->n_kv, &f->options, err)) == 0)
			f->options.context = whole.context < 32768 ? whole.context : 32768;
		heft_memory_release(&whole);
		if (rc)
			return -1;
	}
	return heft_memory_of(&f->memory, o->kv, o->n_kv, &f->options, err);
}

static int look_at_recipes(struct fit *f, const struct options *o, struct heft_err *err)
{
	const struct heft_recipe_info *recipes;
	const char *name[64], *const *first = name;
	size_t n = recipe_names(&recipes, name);
	struct heft_plan *plan = NULL;
	struct fit_parts parts;
	bool gguf = !strcmp(f->model->format, "gguf");

	if (f->quantized)
		n = 1; /* keep */
	else if (!gguf)
		first++, n--; /* auto is what a checkpoint has */
	if (plan_recipes(&plan, f, o, first, n, err))
		return -1;
	if (read_memory(f, heft_plan_output(plan, 0), err)) {
		heft_plan_free(plan);
		return -1;
	}
	f->elements = elements_of(heft_plan_output(plan, 0));
	for (size_t i = 0; i < n; i++) {
		const struct heft_output *out = heft_plan_output(plan, i);
		struct fit_row *r = add_row(f, first[i]);

		if (gguf && !strcmp(first[i], "auto")) {
			f->n_rows--;
			continue;
		}
		fill(f, r, out);
		r->usual = o->all || AMONG(usual, r->name);
		fit_parts_init(&parts, out, &f->memory);
		r->unloaded = parts.unloaded;
		fit_place(&r->place, &parts, &f->memory, &f->machine);
		fit_parts_release(&parts);
	}
	heft_plan_free(plan);
	return 0;
}

static void look_at_target(struct fit *f, const struct options *o, const char *to, const char *type, const char *name)
{
	struct heft_output_spec spec = { .path = name, .type = type };
	struct heft_job job = { .output = &spec, .n_outputs = 1, .to = to, .no_vocabulary = true };
	struct heft_plan *plan = NULL;
	struct heft_err err;
	struct fit_row *r;

	if (make_plan(&plan, f, o, &job, &err))
		return; /* this layout has no place for the model; convert --to says why */
	r = add_row(f, name);
	fill(f, r, heft_plan_output(plan, 0));
	r->file = 0;
	r->target = true;
	r->usual = o->all || f->machine.unified || AMONG(usual_targets, name);
	fit_place_target(&r->place, r->weights, &f->memory, &f->machine);
	heft_plan_free(plan);
}

/* Directories for other runtimes are made of checkpoints; what reads weights to plan is passed over. */
static void look_at_targets(struct fit *f, const struct options *o)
{
	static const char *const mlx[][2] = { { "8bit", "mlx 8bit" }, { "6bit", "mlx 6bit" }, { "5bit", "mlx 5bit" }, { "4bit", "mlx 4bit" },
					      { "3bit", "mlx 3bit" }, { "2bit", "mlx 2bit" } };
	const char *to;

	if (!strcmp(f->model->format, "gguf"))
		return;
	for (size_t i = 0; f->machine.unified && i < sizeof mlx / sizeof *mlx; i++)
		look_at_target(f, o, "mlx", mlx[i][0], mlx[i][1]);
	for (size_t i = 0; !f->machine.unified && (to = heft_target_at(i)); i++)
		if ((o->all || o->json || AMONG(usual_targets, to)) && strcmp(to, "gguf") && strcmp(to, "safetensors") && strcmp(to, "mlx") && !strstr(to, "-double"))
			look_at_target(f, o, to, NULL, to);
}

/* ---- the run ---- */

static bool is_quantized(const struct heft_model *m)
{
	if (strcmp(m->format, "gguf"))
		return false;
	for (size_t i = 0; i < m->n_tensors; i++)
		if (heft_encoding_lossy(m->tensor[i].enc))
			return true;
	return false;
}

static int look(struct fit *f, const struct options *o, const char *path, struct heft_err *err)
{
	struct heft_open_options open = { .config_dir = o->config, .headers = true };

	if (heft_open(&f->model, path, &open, err))
		return -1;
	f->quantized = is_quantized(f->model);
	if (heft_model_facts(f->model, o->arch, &f->facts, err)) /* the plan says it better where the family is not known */
		f->facts = (struct heft_facts){ 0 };
	if (look_at_recipes(f, o, err))
		return -1;
	look_at_targets(f, o);
	fit_choose(f);
	return 0;
}

static int run(void *options, const struct list *args)
{
	const struct options *o = options;
	struct fit f = { 0 };
	struct heft_err err = { 0 };
	int status = check(o);

	if (status >= 0)
		return status;
	if (read_options(&f, o, &err))
		return misuse("%s", err.text);
	if (look(&f, o, args->v[0], &err)) {
		size_t used = strlen(err.text);

		if (err.code == HEFT_E_SHARD_MISSING)
			snprintf(err.text + used, sizeof err.text - used, "; its header is enough: 'curl -r 0-16777215' of each file fetches that");
		status = fail(&err);
	} else {
		(o->json ? fit_json : fit_text)(&f);
		status = f.take ? EXIT_DONE : EXIT_FAILED;
	}
	heft_memory_release(&f.memory);
	heft_close(f.model);
	free(f.row);
	return status;
}

const struct tool tool_fit = {
	.name = "fit",
	.about = "say which file of a model a machine can hold, from headers alone",
	.usage = "SRC --vram SIZE [--ram SIZE] [--ctx TOKENS] [--kv TYPE] [--gpus N] [--json] [OPTION]...",
	.details = "SRC is what heft convert takes. Of a checkpoint config.json, the index and the headers are enough: weight files may be cut off behind "
		   "their headers, and the tokenizer may lack. Weights are counted to the byte, the cache as llama.cpp makes it, computing as a "
		   "range. The exit status is 1 where nothing fits.\n\n"
		   "heft fit ~/models/Llama-3.1-8B --vram 8G --ctx 16k --kv q8_0",
	.operand = "file|dir",
	.min_args = 1,
	.max_args = 1,
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
