/*
 * fit_choose.c - which row to take, and the options that llama.cpp needs for it.
 *
 * From the best down: the first that is on GPUs wholly. 16 bits are passed over, since nobody has seen what they gain over Q8_0, and so is
 * what is no smaller than a better one. Below 4 bits a mixture's experts had better be on the CPU, and below 3 bits layers: a few tokens a
 * second are less of a loss. What is partly on the CPU is read from its memory for each token, so no more than 5 bits are taken then.
 */
#include "fit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3)))
static void append(char out[FIT_OPTIONS], const char *fmt, ...)
{
	size_t used = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + used, FIT_OPTIONS - used, fmt, ap);
	va_end(ap);
}

void fit_options(char out[FIT_OPTIONS], const struct fit *f, const struct fit_row *r)
{
	const struct fit_place *p = &r->place;
	const char *k = f->options.k ? heft_encoding_name(f->options.k) : "f16", *v = f->options.v ? heft_encoding_name(f->options.v) : "f16";

	*out = '\0';
	append(out, "-c %llu", (unsigned long long)f->memory.context * (f->options.sequences ? f->options.sequences : 1));
	if (f->options.sequences > 1)
		append(out, " -np %u", f->options.sequences);
	append(out, " -ngl %u", p->gpu_layers);
	if (p->cpu_experts)
		append(out, " --n-cpu-moe %u", p->cpu_experts);
	append(out, f->options.no_flash ? " -fa off" : " -fa on");
	if (strcmp(k, "f16") && f->memory.k_bytes)
		append(out, " -ctk %s", k);
	if (strcmp(v, "f16") && f->memory.v_bytes)
		append(out, " -ctv %s", v);
	for (uint32_t g = 0; g < f->machine.gpus && f->machine.gpus > 1 && p->gpu_layers; g++)
		append(out, g ? ",%u" : " --tensor-split %u", p->split[g]);
}

static const struct fit_row *best(const struct fit *f, enum fit_way way, double least_bits, double most_bits)
{
	uint64_t smallest = UINT64_MAX;

	for (size_t i = 0; i < f->n_rows; i++) {
		const struct fit_row *r = &f->row[i];

		if (r->target || !r->usual || r->failed || (r->bits > 9 && !f->quantized) || r->weights >= smallest)
			continue;
		smallest = r->weights;
		if (r->place.way == way && r->bits >= least_bits && r->bits < most_bits)
			return r;
	}
	return NULL;
}

/* A model that comes in 16 bits and nothing else fits, or a small one. */
static const struct fit_row *any(const struct fit *f)
{
	for (size_t i = 0; i < f->n_rows; i++)
		if (f->row[i].usual && !f->row[i].target && !f->row[i].failed && f->row[i].place.way != FIT_NOT)
			return &f->row[i];
	return NULL;
}

void fit_choose(struct fit *f)
{
	static const struct {
		enum fit_way way;
		double least, most;
		const char *why;
	} steps[] = {
		{ FIT_WHOLE, 4.2, 99, "the best that is wholly on the GPU" },
		{ FIT_EXPERTS, 4.2, 5, "4 bits with experts on the CPU lose less than fewer bits would" },
		{ FIT_WHOLE, 3.0, 99, "the best that is wholly on the GPU; layers on the CPU are slow" },
		{ FIT_LAYERS, 4.2, 5, "nothing of 3 bits is wholly on the GPU: some layers stay behind" },
		{ FIT_WHOLE, 0, 99, "the best wholly on the GPU; a smaller model in 4 bits may be better" },
		{ FIT_EXPERTS, 0, 99, "the best that memory holds, with experts on the CPU" },
		{ FIT_LAYERS, 0, 99, "the best that memory holds, with layers on the CPU, which is slow" },
		{ FIT_CPU, 4.2, 5, "the best that memory holds; nothing is on a GPU" },
		{ FIT_CPU, 0, 99, "the best that memory holds; nothing is on a GPU" },
	};

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if ((f->take = best(f, steps[i].way, steps[i].least, steps[i].most))) {
			f->why = steps[i].why;
			return;
		}
	f->take = any(f);
	f->why = f->take ? "nothing else can be made of it" : NULL;
}
