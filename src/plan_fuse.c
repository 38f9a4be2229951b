/*
 * plan_fuse.c - joins what a family writes apart where the job asks for it: --fuse-qkv, --fuse-gate-up-exps.
 *
 *   blk.N.attn_q, attn_k, attn_v        ->  blk.N.attn_qkv            rows one after another; biases alike
 *   blk.N.ffn_gate_exps, ffn_up_exps    ->  blk.N.ffn_gate_up_exps    in each expert the gate's rows, then the others
 *
 * Which layers are joined is the reference's rule: the three weights come from tensors of their own, and there are three biases or none.
 * Codes that its converter leaves as they are (MXFP4, NVFP4) stay apart. What is done to a part is done to its rows of the whole.
 * Refuses experts of an architecture that has no name for both together.
 */
#include "plan.h"

#include "target/target.h"

#include <string.h>

/* The layer ("blk.N.") of a name that ends so; NULL: another name. */
static const char *layer_of(const char *name, const char *rest, struct arena *a)
{
	size_t n = strncmp(name, "blk.", 4) ? 0 : strspn(name + 4, "0123456789");

	if (!n || name[4 + n] != '.' || strcmp(name + 5 + n, rest))
		return NULL;
	return arena_memdup(a, name, 5 + n);
}

static struct weight *find(const struct family *f, const char *layer, const char *part, const char *suffix, struct arena *a)
{
	const char *name = arena_printf(a, "%s%s%s", layer, part, suffix);

	for (size_t i = 0; i < f->n_weights; i++)
		if (f->weight[i].name && !strcmp(f->weight[i].name, name))
			return &f->weight[i];
	return NULL;
}

/* The whole takes the last part's place, as in the reference; the others lose their names. */
static int replace(struct weight *const *part, size_t n, struct weight whole, struct heft_err *err)
{
	struct weight *last = part[0];

	if (weight_shape(&whole, err))
		return -1;
	for (size_t i = 0; i < n; i++) {
		last = part[i] > last ? part[i] : last;
		part[i]->name = NULL;
	}
	*last = whole;
	return 0;
}

static void close_gaps(struct family *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n_weights; i++)
		if (f->weight[i].name)
			f->weight[kept++] = f->weight[i];
	f->n_weights = kept;
}

/* One tensor as it is, or with its elements moved. */
static bool is_plain(const struct weight *w)
{
	return w->n_sources == 1 && w->combine == COMBINE_ONE && !w->forced && !tile_stays_as(w);
}

/* ---- attention ---- */

enum { PARTS = 3 };

/* Those of a layer that are there; returns how many. */
static int find_parts(const struct family *f, const char *layer, const char *suffix, struct weight **part, struct arena *a)
{
	static const char *const names[PARTS] = { "attn_q", "attn_k", "attn_v" };
	int n = 0;

	for (int i = 0; i < PARTS; i++) {
		part[n] = find(f, layer, names[i], suffix, a);
		n += part[n] != NULL;
	}
	return n;
}

static bool can_join(struct weight *const *part, int n)
{
	for (int i = 0; i < n; i++) {
		if (!is_plain(part[i]))
			return false;
		for (int k = 0; k < i; k++)
			if (part[k]->source[0] == part[i]->source[0])
				return false;
	}
	return n == PARTS;
}

/* A part's operations, on its rows of the whole. */
static struct op at_rows(const struct weight *w, uint64_t first, struct arena *a)
{
	const int64_t arg[] = { 0, (int64_t)first, (int64_t)w->shape.dim[0] };

	return (struct op){ .kind = OP_AT, .n_args = 3, .arg = (const int64_t *)arena_memdup(a, arg, sizeof arg),
			    .sub = w->op, .n_sub = w->n_ops };
}

static int join_rows(struct weight *const *part, const char *name, struct arena *a, struct heft_err *err)
{
	const struct heft_tensor **source = arena_array(a, PARTS, sizeof(*source));
	struct op *op = arena_array(a, PARTS, sizeof *op);
	struct weight whole = { .name = name, .source = source, .n_sources = PARTS, .combine = COMBINE_JOIN, .op = op };
	uint64_t first = 0;

	for (int i = 0; i < PARTS; i++) {
		source[i] = part[i]->source[0];
		if (part[i]->n_ops)
			op[whole.n_ops++] = at_rows(part[i], first, a);
		first += part[i]->shape.dim[0];
	}
	return replace(part, PARTS, whole, err);
}

static int fuse_qkv(struct family *f, struct arena *a, struct heft_err *err)
{
	struct weight *part[PARTS], *bias[PARTS];

	for (size_t i = 0; i < f->n_weights; i++) {
		const char *layer = f->weight[i].name ? layer_of(f->weight[i].name, "attn_q.weight", a) : NULL;
		int biases = layer ? find_parts(f, layer, ".bias", bias, a) : 0;

		if (!layer || !can_join(part, find_parts(f, layer, ".weight", part, a)) || (biases && !can_join(bias, biases)))
			continue;
		if (join_rows(part, arena_printf(a, "%sattn_qkv.weight", layer), a, err) ||
		    (biases && join_rows(bias, arena_printf(a, "%sattn_qkv.bias", layer), a, err)))
			return -1;
	}
	return 0;
}

/* ---- experts ---- */

/* A tensor for each expert, or one for them all, as they are. */
static bool are_whole(const struct weight *gate, const struct weight *up)
{
	return !gate->n_ops && !up->n_ops && gate->combine == up->combine && gate->combine != COMBINE_JOIN &&
	       gate->n_sources == up->n_sources && gate->shape.rank == 3 && up->shape.rank == 3;
}

static bool is_half(const struct weight *w, uint64_t first, uint64_t rows)
{
	const struct op *op = w->op;

	return is_plain(w) && w->n_ops == 1 && op->kind == OP_TAKE && op->n_args == 3 && op->arg[0] == 1 && (uint64_t)op->arg[1] == first &&
	       w->shape.rank == 3 && w->shape.dim[1] == rows;
}

/* One tensor that has both already, in the order that is wanted. */
static bool are_halves(const struct weight *gate, const struct weight *up)
{
	uint64_t rows = gate->shape.dim[1];

	return is_half(gate, 0, rows) && is_half(up, rows, rows) && gate->source[0] == up->source[0] && gate->source[0]->dim[1] == 2 * rows;
}

static int join_experts(struct weight *gate, struct weight *up, const char *name, struct arena *a, struct heft_err *err)
{
	struct weight *const part[] = { gate, up };
	size_t n = gate->n_sources;
	const struct heft_tensor **source = arena_array(a, 2 * n, sizeof(*source));
	const int64_t dim[] = { (int64_t)n, -1, (int64_t)gate->shape.dim[2] };
	const struct op view = { .kind = OP_VIEW, .n_args = 3, .arg = (const int64_t *)arena_memdup(a, dim, sizeof dim) };
	struct weight whole = { .name = name, .source = source, .n_sources = 2 * n, .combine = COMBINE_JOIN, .join_axis = 1 };

	for (size_t i = 0; i < n; i++) {
		source[2 * i] = gate->source[i];
		source[2 * i + 1] = up->source[i];
	}
	if (are_halves(gate, up)) {
		whole.n_sources = 1;
		whole.combine = COMBINE_ONE;
	} else if (gate->combine == COMBINE_STACK) {
		whole.join_axis = 0;
		whole.op = (const struct op *)arena_memdup(a, &view, sizeof view);
		whole.n_ops = 1;
	}
	return replace(part, 2, whole, err);
}

static int fuse_experts(struct family *f, const char *arch, struct arena *a, struct heft_err *err)
{
	for (size_t i = 0; i < f->n_weights; i++) {
		const char *layer = f->weight[i].name ? layer_of(f->weight[i].name, "ffn_gate_exps.weight", a) : NULL;
		struct weight *gate = &f->weight[i], *up = layer ? find(f, layer, "ffn_up_exps", ".weight", a) : NULL;

		if (!up || tile_stays_as(gate) || tile_stays_as(up))
			continue;
		if (!llamacpp_has_gate_up(arch))
			return heft_fail(err, HEFT_E_OPTION, "--fuse-gate-up-exps: '%s' has no tensor for both; convert without it", arch);
		if (!are_whole(gate, up) && !are_halves(gate, up))
			return heft_fail(err, HEFT_E_OPTION, "--fuse-gate-up-exps: '%s' and '%s' are not joined by rows; convert without it", gate->name, up->name);
		if (join_experts(gate, up, arena_printf(a, "%sffn_gate_up_exps.weight", layer), a, err))
			return -1;
	}
	return 0;
}

int plan_fuse(struct heft_plan *p, const struct heft_job *job, struct heft_err *err)
{
	const char *arch = kv_string(p->family.kv.v, p->family.kv.n, "general.architecture");

	arch = arch ? arch : "";
	if (job->fuse_qkv && llamacpp_has_qkv(arch) && fuse_qkv(&p->family, p->arena, err))
		return -1;
	if (job->fuse_gate_up_exps && fuse_experts(&p->family, arch, p->arena, err))
		return -1;
	close_gaps(&p->family);
	return 0;
}
