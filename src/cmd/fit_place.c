/*
 * fit_place.c - where the layers of a model go: all on the GPUs; else experts on the CPU, as few layers' as will do (--n-cpu-moe N: of the
 * first N); else as many layers as fit on the GPUs (-ngl N: the last N, of which the head is one). Each GPU gets layers that follow one
 * another and a computing buffer of its own.
 */
#include "fit.h"

#include <stdlib.h>
#include <string.h>

struct load { /* bytes of one layer, on a GPU and on the CPU */
	uint64_t gpu, cpu;
};

struct placing {
	const struct fit_parts *parts;
	const struct fit_machine *machine;
	uint64_t room, compute; /* of each GPU, for layers; and beside them */
	struct load *load;      /* n_layers + 1 */
};

/* What is left of a GPU beside the reserve and a computing buffer. */
static uint64_t room_of(const struct fit_machine *m, uint64_t compute)
{
	uint64_t taken = m->reserve + compute;

	return m->vram > taken ? m->vram - taken : 0;
}

/* Loads first .. n, in turn, to GPUs that hold `room` each. */
static bool pack(const struct placing *p, uint32_t first, uint64_t room, struct fit_place *out)
{
	uint32_t g = 0;

	memset(out->split, 0, sizeof out->split);
	memset(out->gpu, 0, sizeof out->gpu);
	for (uint32_t i = first; i <= p->parts->n_layers; i++) {
		while (g < p->machine->gpus && p->load[i].gpu > room - out->gpu[g])
			g++;
		if (g == p->machine->gpus)
			return false;
		out->gpu[g] += p->load[i].gpu;
		out->split[g]++;
	}
	return true;
}

/* The same with the fullest GPU as empty as can be. */
static bool spread(const struct placing *p, uint32_t first, struct fit_place *out)
{
	uint64_t low = 0, high = p->room;

	if (!pack(p, first, high, out))
		return false;
	while (p->machine->gpus > 1 && high - low > 1 << 20) {
		uint64_t middle = low + (high - low) / 2;

		if (pack(p, first, middle, out))
			high = middle;
		else
			low = middle;
	}
	return pack(p, first, high, out);
}

static void set_loads(struct placing *p, uint32_t cpu_experts)
{
	for (uint32_t i = 0; i < p->parts->n_layers; i++) {
		const struct fit_layer *l = &p->parts->layer[i];
		uint64_t moved = i < cpu_experts ? l->experts : 0;

		p->load[i] = (struct load){ l->dense + l->experts - moved + l->cache, moved };
	}
	p->load[p->parts->n_layers] = (struct load){ p->parts->output, 0 };
}

/* What stays on the CPU when the loads from `first` on are on GPUs. */
static uint64_t on_cpu(const struct placing *p, uint32_t first)
{
	uint64_t n = p->parts->input;

	for (uint32_t i = 0; i <= p->parts->n_layers; i++)
		n += p->load[i].cpu + (i < first ? p->load[i].gpu : 0);
	if (first > p->parts->n_layers && p->parts->tied) /* no copy of the embeddings is needed */
		n = n > p->parts->output ? n - p->parts->output : 0;
	return n;
}

static bool cpu_holds(const struct placing *p, uint64_t bytes)
{
	return !p->machine->ram || bytes <= p->machine->ram;
}

static void settle(const struct placing *p, struct fit_place *out, enum fit_way way, uint32_t first)
{
	out->way = way;
	out->gpu_layers = p->parts->n_layers + 1 - first;
	out->cpu = on_cpu(p, first) + (first ? p->compute : 0);
	for (uint32_t g = 0; g < p->machine->gpus; g++)
		out->gpu[g] += out->split[g] ? p->compute : 0;
	if (!cpu_holds(p, out->cpu))
		out->way = FIT_NOT;
}

static bool has_experts(const struct fit_parts *p)
{
	for (uint32_t i = 0; i < p->n_layers; i++)
		if (p->layer[i].experts)
			return true;
	return false;
}

/* True where it is settled. */
static bool try_experts(struct placing *p, struct fit_place *out)
{
	for (uint32_t n = 1; n <= p->parts->n_layers; n++) {
		if (!p->parts->layer[n - 1].experts)
			continue;
		set_loads(p, n);
		if (!spread(p, 0, out))
			continue;
		out->cpu_experts = n;
		settle(p, out, FIT_EXPERTS, 0);
		return true;
	}
	return false;
}

static void try_layers(struct placing *p, struct fit_place *out)
{
	uint32_t first = 1;

	set_loads(p, 0);
	while (first <= p->parts->n_layers && !spread(p, first, out))
		first++;
	if (first > p->parts->n_layers) {
		memset(out->gpu, 0, sizeof out->gpu);
		memset(out->split, 0, sizeof out->split);
	}
	settle(p, out, first > p->parts->n_layers ? FIT_CPU : FIT_LAYERS, first);
}

static uint64_t total(const struct placing *p)
{
	uint64_t n = p->machine->reserve + p->compute;

	for (uint32_t i = 0; i <= p->parts->n_layers; i++)
		n += p->load[i].gpu;
	return n;
}

void fit_place(struct fit_place *out, const struct fit_parts *parts, const struct heft_memory *mem, const struct fit_machine *m)
{
	struct fit_parts own = *parts;
	struct placing p = { .parts = &own, .machine = m, .compute = mem->compute_most };

	*out = (struct fit_place){ 0 };
	if (m->unified) { /* the file is mapped for both: nothing lies twice, and the embeddings count */
		own.output = parts->tied ? parts->output : parts->output + parts->input;
		own.input = 0;
	}
	p.room = room_of(m, p.compute);
	p.load = need(calloc(own.n_layers + 1, sizeof *p.load));
	set_loads(&p, 0);
	out->whole = total(&p);
	if (spread(&p, 0, out))
		settle(&p, out, FIT_WHOLE, 0);
	else if (m->unified)
		out->way = FIT_NOT;
	else if (!has_experts(&own) || !try_experts(&p, out))
		try_layers(&p, out);
	free(p.load);
}

/* Other runtimes cut every layer into as many parts as there are GPUs, and leave nothing to the CPU. */
void fit_place_target(struct fit_place *out, uint64_t weights, const struct heft_memory *mem, const struct fit_machine *m)
{
	uint64_t each = (weights + mem->cache_bytes) / (m->gpus ? m->gpus : 1) + mem->compute_most;

	*out = (struct fit_place){ .way = FIT_NOT, .whole = weights + mem->cache_bytes + mem->compute_most + m->reserve };
	if (m->gpus && each + m->reserve <= m->vram)
		out->way = FIT_WHOLE;
	for (uint32_t g = 0; g < m->gpus; g++)
		out->gpu[g] = each;
}
