/* --fuse-qkv and --fuse-gate-up-exps: which weights come together, where each element of the whole comes from, what is refused. */
#include "src/op_map.h"
#include "src/plan.h"
#include "tests/tap.h"

enum { MANY = 16 };

static const struct heft_encoding plain = { .name = "f32", .block = 1, .n_planes = 1, .plane = { { "data", 1, 1, 4 } } };

struct model {
	struct heft_plan plan;
	struct heft_tensor tensor[MANY];
	const struct heft_tensor *source[MANY];
	struct weight weight[MANY];
	size_t n;
	struct heft_err err;
};

static void begin(struct model *m, const char *arch)
{
	*m = (struct model){ .plan = { .arena = arena_new() } };
	m->plan.family = (struct family){ .weight = m->weight, .kv = { .arena = m->plan.arena } };
	kv_set(&m->plan.family.kv, "general.architecture", value_string(arch));
}

/* A weight of one tensor of its own. */
static struct weight *add(struct model *m, const char *name, int rank, uint64_t a, uint64_t b, uint64_t c)
{
	struct heft_tensor *t = &m->tensor[m->n];
	struct weight *w = &m->weight[m->n];

	*t = (struct heft_tensor){ .name = name, .rank = rank, .enc = &plain, .n_planes = 1, .dim = { a, b, c } };
	m->source[m->n] = t;
	*w = (struct weight){ .name = name, .source = &m->source[m->n], .n_sources = 1 };
	weight_shape(w, NULL);
	m->plan.family.n_weights = ++m->n;
	return w;
}

static void with_op(struct weight *w, const struct op *op)
{
	w->op = op;
	w->n_ops = 1;
	weight_shape(w, NULL);
}

static int fuse(struct model *m, bool qkv, bool experts)
{
	const struct heft_job job = { .fuse_qkv = qkv, .fuse_gate_up_exps = experts };

	return plan_fuse(&m->plan, &job, &m->err);
}

/* All names, in order. */
static const char *names(const struct model *m)
{
	static char text[512];

	text[0] = 0;
	for (size_t i = 0; i < m->plan.family.n_weights; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", m->weight[i].name);
	return text;
}

/* Source and element of each element of a weight: "a0 a1 b0 ...", a the first source. */
static const char *trace(const struct weight *w)
{
	static char text[512];
	struct op_map map;
	struct heft_err err;
	uint64_t n = 1;

	text[0] = 0;
	if (op_map_init(&map, w, &err))
		return "refused";
	for (int i = 0; i < w->shape.rank; i++)
		n *= w->shape.dim[i];
	for (uint64_t i = 0; i < n; i++) {
		size_t s = 0;
		uint64_t e = 0;

		op_map_locate(&map, i, &s, &e);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%c%d", i ? " " : "", (int)('a' + s), (int)e);
	}
	return text;
}

static void attention(void)
{
	static const int64_t heads[] = { 1 };
	static const struct op rope = { .kind = OP_ROPE, .n_args = 1, .arg = heads };
	struct model m;

	begin(&m, "llama");
	add(&m, "blk.0.attn_k.weight", 2, 2, 1, 0);
	add(&m, "blk.0.attn_norm.weight", 1, 1, 0, 0);
	with_op(add(&m, "blk.0.attn_q.weight", 2, 4, 1, 0), &rope);
	add(&m, "blk.0.attn_v.weight", 2, 2, 1, 0);
	add(&m, "output.weight", 2, 4, 1, 0);
	is_int(fuse(&m, true, false), 0, "a layer is joined");
	is_str(names(&m), "blk.0.attn_norm.weight blk.0.attn_qkv.weight output.weight", "where its last part was");
	is_str(trace(&m.weight[1]), "a0 a2 a1 a3 b0 b1 c0 c1", "query, key, value; each part's operation on its rows");
	arena_free(m.plan.arena);
}

static void biases(void)
{
	static const char *const name[] = { "blk.7.attn_q.weight", "blk.7.attn_k.weight", "blk.7.attn_v.weight",
					    "blk.7.attn_q.bias", "blk.7.attn_k.bias", "blk.7.attn_v.bias" };
	struct model m;

	for (int n = 4; n <= 6; n++) {
		begin(&m, "qwen2");
		for (int i = 0; i < n; i++)
			add(&m, name[i], i < 3 ? 2 : 1, 2, 3, 0);
		fuse(&m, true, false);
		is_int(m.plan.family.n_weights, n < 6 ? n : 2, "%d biases", n - 3);
		if (n == 6)
			is_str(names(&m), "blk.7.attn_qkv.weight blk.7.attn_qkv.bias", "both are joined");
		arena_free(m.plan.arena);
	}
}

static void left_apart(void)
{
	static const char *const name[] = { "blk.1.attn_q.weight", "blk.1.attn_k.weight", "blk.1.attn_v.weight" };
	struct model m;

	for (int k = 0; k < 5; k++) {
		begin(&m, k == 3 ? "deepseek2" : "llama");
		for (int i = 0; i < (k == 0 ? 2 : 3); i++)
			add(&m, name[i], 2, 2, 3, 0);
		if (k == 1)
			m.source[2] = m.source[1];
		if (k == 2)
			m.weight[1].forced = &plain;
		fuse(&m, k != 4, false);
		is_int(m.plan.family.n_weights, k == 0 ? 2 : 3, "left apart: %s", (const char *[]){ "a part is missing", "two parts of one tensor",
		       "a type of its own", "no such name in the architecture", "not asked for" }[k]);
		arena_free(m.plan.arena);
	}
	begin(&m, "llama");
	for (int i = 0; i < 3; i++)
		add(&m, name[i], 2, 2, i == 1 ? 4 : 3, 0);
	ok(fuse(&m, true, false) && m.err.code == HEFT_E_SHAPE, "parts of other widths are refused");
	arena_free(m.plan.arena);
}

static void stacked_experts(void)
{
	const struct heft_tensor *both[4];
	struct model m;

	begin(&m, "qwen3next");
	for (int i = 0; i < 4; i++)
		add(&m, "spare", 2, 1, 2, 0);
	memcpy(both, m.source, sizeof both);
	m.weight[0] = (struct weight){ .name = "blk.3.ffn_up_exps.weight", .source = both, .n_sources = 2, .combine = COMBINE_STACK };
	m.weight[1] = (struct weight){ .name = "blk.3.ffn_gate_exps.weight", .source = both + 2, .n_sources = 2, .combine = COMBINE_STACK };
	m.plan.family.n_weights = 2;
	weight_shape(&m.weight[0], NULL);
	weight_shape(&m.weight[1], NULL);
	is_int(fuse(&m, false, true), 0, "a tensor for each expert");
	is_str(names(&m), "blk.3.ffn_gate_up_exps.weight", "one tensor for all");
	is_str(m.weight[0].source[0] == both[2] && m.weight[0].source[1] == both[0] ? trace(&m.weight[0]) : "", "a0 a1 b0 b1 c0 c1 d0 d1",
	       "gate and up of the first, then of the second");
	is_int(m.weight[0].shape.rank, 3, "experts, rows, columns");
	arena_free(m.plan.arena);
}

static void whole_experts(void)
{
	static const int64_t low[] = { 1, 0, 1 }, high[] = { 1, 1, -1 };
	static const struct op take[] = { { .kind = OP_TAKE, .n_args = 3, .arg = low }, { .kind = OP_TAKE, .n_args = 3, .arg = high } };
	struct model m;

	begin(&m, "gemma4");
	add(&m, "blk.0.ffn_gate_exps.weight", 3, 2, 1, 2);
	add(&m, "blk.0.ffn_up_exps.weight", 3, 2, 1, 2);
	is_int(fuse(&m, false, true), 0, "a tensor for all gates and one for all ups");
	is_str(trace(&m.weight[0]), "a0 a1 b0 b1 a2 a3 b2 b3", "expert by expert");
	arena_free(m.plan.arena);

	for (int turned = 0; turned < 2; turned++) {
		begin(&m, "qwen35moe");
		add(&m, "blk.0.ffn_gate_exps.weight", 3, 2, 2, 2);
		add(&m, "blk.0.ffn_up_exps.weight", 3, 2, 2, 2);
		m.source[1] = m.source[0];
		with_op(&m.weight[0], &take[turned]);
		with_op(&m.weight[1], &take[!turned]);
		if (turned) {
			ok(fuse(&m, false, true) && m.err.code == HEFT_E_OPTION, "up before gate in it is refused");
		} else {
			is_int(fuse(&m, false, true), 0, "one tensor for both");
			is_str(trace(&m.weight[0]), "a0 a1 a2 a3 a4 a5 a6 a7", "as it is");
		}
		arena_free(m.plan.arena);
	}
	begin(&m, "llama");
	add(&m, "blk.0.ffn_gate_exps.weight", 3, 2, 1, 2);
	add(&m, "blk.0.ffn_up_exps.weight", 3, 2, 1, 2);
	ok(fuse(&m, false, true) && m.err.code == HEFT_E_OPTION && strstr(m.err.text, "'llama'"), "an architecture without the name is refused");
	arena_free(m.plan.arena);
}

int main(void)
{
	attention();
	biases();
	left_apart();
	stacked_experts();
	whole_experts();
	return done();
}
