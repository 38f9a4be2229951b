/*
 * fit_text.c - what `heft fit` tells people, in 80 columns: the model and the machine, a table from the best recipe down, the one to take.
 */
#include "fit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* In the table all numbers have one unit: MiB where the model is small. */
static bool small(const struct fit *f)
{
	return f->n_rows && f->row[0].weights < 1 << 30;
}

static struct text number(const struct fit *f, uint64_t n)
{
	double x = (double)n / (small(f) ? 1 << 20 : 1 << 30);
	struct text t;

	snprintf(t.s, sizeof t.s, "%.*f", x < 100 ? 2 : 1, x);
	return t;
}

/* "5.00 GiB", "96.0 MiB" */
static struct text size(uint64_t n)
{
	bool mib = n < 1 << 28;
	struct text t;

	snprintf(t.s, sizeof t.s, "%.*f %s", mib ? 1 : 2, (double)n / (mib ? 1 << 20 : 1 << 30), mib ? "MiB" : "GiB");
	return t;
}

/* "24 GiB", "0.5 GiB" */
static struct text round_gib(uint64_t n)
{
	struct text t;

	snprintf(t.s, sizeof t.s, "%.4g GiB", (double)n / (1 << 30));
	return t;
}

static struct text tokens(uint64_t n)
{
	struct text t;

	snprintf(t.s, sizeof t.s, n % 1024 ? "%" PRIu64 : "%" PRIu64 "k", n % 1024 ? n : n / 1024);
	return t;
}

/* ---- above the table ---- */

static void print_model(const struct fit *f)
{
	const char *name = f->facts.name ? f->facts.name : f->model->name ? f->model->name : f->model->path;

	fputs(style(stdout, BOLD), stdout);
	safe_puts(stdout, name);
	printf("%s (%s): %s weights, %zu layers", style(stdout, PLAIN), f->memory.family, human_count(f->elements).s, f->memory.n_layers);
	if (f->memory.trained)
		printf(", made for %s tokens", tokens(f->memory.trained).s);
	putchar('\n');
	if (f->memory.n_extra == 1)
		puts("the last layer predicts further tokens: it is loaded only to draft, and not counted on the GPU");
	else if (f->memory.n_extra)
		printf("the last %zu layers predict further tokens: they are loaded only to draft, and not counted on the GPU\n", f->memory.n_extra);
}

static void print_machine(const struct fit *f)
{
	const struct fit_machine *m = &f->machine;

	if (m->unified) {
		printf("%s: its GPU may hold %s of %s\n", m->mac.name, round_gib(m->vram).s, round_gib(m->ram).s);
		return;
	}
	if (m->gpus > 1)
		printf("%u GPUs with %s each", m->gpus, round_gib(m->vram).s);
	else
		printf(m->gpus ? "a GPU with %s" : "no GPU", round_gib(m->vram).s);
	if (m->reserve)
		printf(", %s kept free", round_gib(m->reserve).s);
	if (m->ram)
		printf("; %s of memory beside it", round_gib(m->ram).s);
	putchar('\n');
}

/* "32 layers, 8 of them with a window of ..." in short: how many layers keep what. */
static void print_cache(const struct fit *f)
{
	const struct heft_memory *m = &f->memory;
	size_t full = 0, window = 0, shared = 0, state = 0;

	for (size_t i = 0; i < m->n_layers; i++) {
		full += m->layer[i].kind == HEFT_CACHE_FULL;
		window += m->layer[i].kind == HEFT_CACHE_WINDOW;
		shared += m->layer[i].kind == HEFT_CACHE_SHARED;
		state += m->layer[i].state_bytes > 0;
	}
	printf("cache for %s tokens in %s: %s", tokens(m->context).s, f->options.k ? heft_encoding_name(f->options.k) : "f16", size(m->cache_bytes).s);
	if (window + shared + state || (full && m->layer[0].latent))
		printf(" (");
	if (full && (window + shared + state))
		printf("%zu whole", full);
	if (window)
		printf("%s%zu with a window", full ? ", " : "", window);
	if (shared)
		printf(", %zu shared", shared);
	if (state)
		printf("%s%zu states", full + window ? ", " : "", state);
	if (full && m->layer[0].latent)
		printf("%slatents", window + shared + state ? ", " : "");
	if (window + shared + state || (full && m->layer[0].latent))
		putchar(')');
	printf("\ncomputing: %s to %s on each device\n  (%s)\n", size(m->compute_least).s, size(m->compute_most).s, m->assumes);
	if (m->trained && m->context > (m->trained + 255) / 256 * 256)
		printf("%sthe model was made for %" PRIu64 " tokens: beyond them it needs RoPE scaling%s\n",
		       style(stdout, YELLOW), m->trained, style(stdout, PLAIN));
}

/* ---- the table ---- */

static uint64_t on_gpus(const struct fit *f, const struct fit_row *r)
{
	uint64_t n = 0;

	for (uint32_t g = 0; g < f->machine.gpus; g++)
		n += r->place.gpu[g];
	return n;
}

static struct text how(const struct fit *f, const struct fit_row *r)
{
	const struct fit_place *p = &r->place;
	struct text t;

	switch (p->way) {
	case FIT_WHOLE: snprintf(t.s, sizeof t.s, "whole"); break;
	case FIT_EXPERTS: snprintf(t.s, sizeof t.s, "experts of %u on CPU", p->cpu_experts); break;
	case FIT_LAYERS: snprintf(t.s, sizeof t.s, "%u of %zu layers", p->gpu_layers, f->memory.n_layers + 1); break;
	case FIT_CPU: snprintf(t.s, sizeof t.s, "on the CPU alone"); break;
	default: snprintf(t.s, sizeof t.s, "no"); break;
	}
	return t;
}

static bool any_row(const struct fit *f, bool targets)
{
	for (size_t i = 0; i < f->n_rows; i++)
		if (f->row[i].target == targets && f->row[i].usual)
			return true;
	return false;
}

static void print_rows(const struct fit *f, bool targets, const char *title)
{
	const char *const head[] = { "", title, "bits", "weights", "on GPU", "on CPU", "fits" };
	struct table t;

	if (!any_row(f, targets))
		return;
	putchar('\n');
	table_init(&t, "llrrrrl", head);
	for (size_t i = 0; i < f->n_rows; i++) {
		const struct fit_row *r = &f->row[i];

		if (r->target != targets || !r->usual)
			continue;
		table_add(&t, r == f->take ? ">" : "");
		table_add(&t, "%s%s", r->name, r->needs_imatrix ? " *" : "");
		table_add(&t, "%.2f", r->bits);
		table_add(&t, "%s", number(f, r->weights).s);
		table_add(&t, "%s", r->place.way == FIT_NOT ? "" : number(f, on_gpus(f, r)).s);
		table_add(&t, "%s", r->place.way == FIT_NOT || targets || f->machine.unified ? "" : number(f, r->place.cpu).s);
		table_add(&t, "%s", how(f, r).s);
	}
	table_print(&t, stdout, 0);
}

/* ---- below ---- */

static void print_notes(const struct fit *f)
{
	bool imatrix = false;

	for (size_t i = 0; i < f->n_rows; i++)
		imatrix |= f->row[i].usual && f->row[i].needs_imatrix;
	printf("\nin %s; GPU: with cache and computing", small(f) ? "MiB (2^20 bytes)" : "GiB (2^30 bytes)");
	puts(f->machine.ram || f->machine.unified || !f->machine.gpus ? "" : "; CPU: at least");
	if (imatrix)
		puts("* needs an importance matrix (--imatrix)");
	if (f->headers_only)
		puts("the tokenizer lacks: a file is larger than its weights by the vocabulary");
}

static void print_take(const struct fit *f)
{
	const struct fit_row *r = f->take;
	char options[FIT_OPTIONS];

	printf("\n%stake %s%s: %s\n", style(stdout, BOLD), r->name, style(stdout, PLAIN), f->why);
	if (r->target || !strcmp(f->model->format, "gguf") ? strcmp(r->name, "keep") != 0 : true) {
		fputs("  heft convert ", stdout);
		safe_puts(stdout, f->model->path);
		printf(" -t %s%s -o model.gguf\n", r->name, r->needs_imatrix ? " --imatrix imatrix.gguf" : "");
	}
	fit_options(options, f, r);
	printf("  llama-server -m ");
	if (strcmp(r->name, "keep"))
		printf("model.gguf");
	else
		safe_puts(stdout, f->model->path);
	printf(" %s\n", options);
}

/* Nothing fits: what would. */
static void print_nothing(const struct fit *f)
{
	const struct fit_row *least = NULL;

	for (size_t i = 0; i < f->n_rows; i++)
		if (!f->row[i].target && f->row[i].usual && (!least || f->row[i].place.whole < least->place.whole))
			least = &f->row[i];
	printf("\n%snothing fits%s", style(stdout, RED), style(stdout, PLAIN));
	if (!least)
		return;
	printf(": the smallest, %s, needs %s on one GPU,\nor %s of memory in all.\n", least->name, size(least->place.whole).s,
	       size(least->weights + f->memory.cache_bytes + f->memory.compute_most).s);
	if (f->memory.cache_bytes > least->weights / 8)
		printf("Of that the cache is %s: a smaller --ctx, or --kv q8_0, makes it less.\n", size(f->memory.cache_bytes).s);
	else
		puts("More --ram holds what does not fit the GPU; else take a smaller model.");
}

void fit_text(const struct fit *f)
{
	print_model(f);
	print_machine(f);
	print_cache(f);
	print_rows(f, false, "recipe");
	print_rows(f, true, f->machine.unified ? "for MLX" : "for vLLM etc.");
	print_notes(f);
	if (f->take)
		print_take(f);
	else
		print_nothing(f);
	for (int i = 0; f->machine.unified && i < HEFT_MAC_ASSUMPTIONS && f->machine.mac.assumption[i]; i++)
		printf("%s%s\n", i ? "" : "\n", f->machine.mac.assumption[i]);
	if (f->machine.unified && *f->machine.mac.advice)
		puts(f->machine.mac.advice);
}
