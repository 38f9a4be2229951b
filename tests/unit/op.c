/* Every operation: shapes, and the way back checked against a direct calculation on a numbered tensor. */
#include "src/op_map.h"
#include "quant/quant.h"
#include "tests/tap.h"

enum { MAX = 4096 };

static const struct heft_encoding plain = { .name = "f32", .block = 1, .n_planes = 1, .plane = { { "data", 1, 1, 4 } } };

static struct heft_tensor tensor(const char *name, int rank, const uint64_t *dim)
{
	struct heft_tensor t = { .name = name, .rank = rank, .enc = &plain, .n_planes = 1 };

	memcpy(t.dim, dim, (size_t)rank * sizeof *dim);
	return t;
}

/* The element numbers that a weight's outputs come from, as "0 2 1 ..." */
static const char *trace(struct weight *w)
{
	static char text[MAX];
	struct op_map m;
	struct heft_err err;
	uint64_t n = 1;
	size_t used = 0;

	if (weight_shape(w, &err) || op_map_init(&m, w, &err))
		return "refused";
	for (int i = 0; i < w->shape.rank; i++)
		n *= w->shape.dim[i];
	text[0] = 0;
	for (uint64_t i = 0; i < n && used < MAX - 40; i++) {
		size_t s = 0;
		uint64_t e = 0;

		if (op_map_locate(&m, i, &s, &e))
			used += (size_t)snprintf(text + used, MAX - used, "%s%s%d", i ? " " : "", s ? s == 1 ? "b" : "c" : "", (int)e);
		else
			used += (size_t)snprintf(text + used, MAX - used, "%s-", i ? " " : "");
	}
	return text;
}

/* Every aligned block of `grain` elements is one run. */
static int grain_holds(const struct weight *w)
{
	struct op_map m;
	uint64_t n = 1;

	if (op_map_init(&m, w, NULL))
		return 0;
	for (int i = 0; i < w->shape.rank; i++)
		n *= w->shape.dim[i];
	if (n % m.grain)
		return 0;
	for (uint64_t i = 0; i < n; i += m.grain) {
		size_t s0 = 0, s = 0;
		uint64_t e0 = 0, e = 0;
		bool there = op_map_locate(&m, i, &s0, &e0);

		if (there && e0 % m.grain)
			return 0;
		for (uint64_t k = 1; k < m.grain; k++)
			if (op_map_locate(&m, i + k, &s, &e) != there || (there && (s != s0 || e != e0 + k)))
				return 0;
	}
	return 1;
}

static void check_op(const char *name, struct op op, int rank, const uint64_t *dim, const char *want)
{
	struct heft_tensor t = tensor("t", rank, dim);
	const struct heft_tensor *src[] = { &t };
	struct weight w = { .name = "w", .source = src, .n_sources = 1, .op = &op, .n_ops = 1 };

	is_str(trace(&w), want, "%s", name);
	ok(grain_holds(&w), "%s: its grain holds", name);
}

#define ARGS(...) .arg = (const int64_t[]){ __VA_ARGS__ }, .n_args = sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)
#define OP(k, ...) (struct op){ .kind = k, ARGS(__VA_ARGS__) }
#define DIM(...) sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), (uint64_t[]){ __VA_ARGS__ }

static void single(void)
{
	struct op sub[] = { OP(OP_ROPE, 1) };
	struct op at = OP(OP_AT, 0, 2, 4);

	check_op("view", OP(OP_VIEW, 3, -1), DIM(2, 3), "0 1 2 3 4 5");
	check_op("perm of a matrix", OP(OP_PERM, 1, 0), DIM(2, 3), "0 3 1 4 2 5");
	check_op("perm that keeps the last axis", OP(OP_PERM, 1, 0, 2), DIM(2, 2, 2), "0 1 4 5 2 3 6 7");
	check_op("take rows", OP(OP_TAKE, 0, 1, 2), DIM(4, 2), "2 3 4 5");
	check_op("take to the end", OP(OP_TAKE, 0, 2, -1), DIM(4, 2), "4 5 6 7");
	check_op("take columns", OP(OP_TAKE, 1, 1, 2), DIM(2, 4), "1 2 5 6");
	check_op("take with a step", OP(OP_TAKE, 0, 1, -1, 2), DIM(5, 2), "2 3 6 7");
	check_op("rope", OP(OP_ROPE, 2), DIM(8, 1), "0 2 1 3 4 6 5 7");
	check_op("rope of part of a head", OP(OP_ROPE, 1, 4), DIM(6, 1), "0 2 1 3 4 5");
	check_op("unrope", OP(OP_UNROPE, 1), DIM(6, 1), "0 2 4 1 3 5");
	check_op("regroup", OP(OP_REGROUP, 2, 1, 2), DIM(6, 1), "0 3 1 2 4 5");
	check_op("ungroup", OP(OP_UNGROUP, 2, 1, 2), DIM(6, 1), "0 2 3 1 4 5");
	check_op("pad", OP(OP_PAD, 0, 4), DIM(2, 2), "0 1 2 3 - - - -");
	check_op("pick", OP(OP_PICK, 0, 2, 0), DIM(3, 2), "4 5 0 1");
	at.sub = sub;
	at.n_sub = 1;
	check_op("at", at, DIM(8, 1), "0 1 2 4 3 5 6 7");
}

static void combined(void)
{
	struct heft_tensor a = tensor("a", DIM(2, 2)), b = tensor("b", DIM(2, 2)), c = tensor("c", DIM(1, 2));
	const struct heft_tensor *ab[] = { &a, &b }, *abc[] = { &a, &b, &c };
	struct op take = OP(OP_TAKE, 1, 1, 1), back[] = { OP(OP_ROPE, 1), OP(OP_UNROPE, 1) };
	struct weight w = { .name = "w", .source = ab, .n_sources = 2, .combine = COMBINE_STACK };

	is_str(trace(&w), "0 1 2 3 b0 b1 b2 b3", "stack");
	ok(w.shape.rank == 3 && w.shape.dim[0] == 2, "stack makes an axis");
	w.op = &take;
	w.n_ops = 1;
	is_str(trace(&w), "2 3 b2 b3", "stack, then take");
	w = (struct weight){ .name = "w", .source = abc, .n_sources = 3, .combine = COMBINE_JOIN };
	is_str(trace(&w), "0 1 2 3 b0 b1 b2 b3 c0 c1", "join rows");
	ok(grain_holds(&w), "join rows: its grain holds");
	w = (struct weight){ .name = "w", .source = ab, .n_sources = 2, .combine = COMBINE_JOIN, .join_axis = 1 };
	is_str(trace(&w), "0 1 b0 b1 2 3 b2 b3", "join columns");
	w = (struct weight){ .name = "w", .source = ab, .n_sources = 1, .op = back, .n_ops = 2 };
	is_str(trace(&w), "0 1 2 3", "rope and back");
}

/* What is calculated on a slice is calculated last, on that slice of the result. */
static void arithmetic_in_at(void)
{
	struct heft_tensor a = tensor("a", DIM(4, 2));
	const struct heft_tensor *source[] = { &a };
	struct op sub[] = { OP(OP_ROPE, 1), { .kind = OP_MUL, .x = 2 } }, op[] = { OP(OP_AT, 0, 2, -1), OP(OP_PERM, 1, 0) };
	struct weight w = { .name = "w", .source = source, .n_sources = 1, .op = op, .n_ops = 1 };
	struct heft_err err;

	op[0].sub = sub + 1;
	op[0].n_sub = 1;
	ok(!weight_shape(&w, &err) && !weight_moves_only(&w), "arithmetic on a slice");
	w.n_ops = 2;
	ok(weight_shape(&w, &err) && err.code == HEFT_E_SHAPE, "rows that move behind it");
	w.n_ops = 1;
	op[0].sub = sub;
	op[0].n_sub = 2;
	ok(weight_shape(&w, &err) && err.code == HEFT_E_SHAPE, "rows that move beside it");
}

static void refusals(void)
{
	const struct op bad[] = { OP(OP_VIEW, 4, -1), OP(OP_VIEW, 7), OP(OP_PERM, 0), OP(OP_PERM, 0, 0), OP(OP_PERM, 0, 2),
					 OP(OP_TAKE, 0, 0, 7), OP(OP_TAKE, 0, -1, 1), OP(OP_TAKE, 2, 0, 1), OP(OP_TAKE, 0, 3, 9223372036854775807),
					 OP(OP_ROPE, 0), OP(OP_ROPE, 4), OP(OP_ROPE, -1), OP(OP_REGROUP, 2, 2), OP(OP_REGROUP, 2, -1),
					 OP(OP_PAD, 0, 2), OP(OP_PICK, 0, 6), OP(OP_PICK, 0, -1), OP(OP_AT, 0, 5, 3) };
	struct shape in = { 2, { 6, 5 } }, out;
	struct heft_err err;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(op_shape(&bad[i], &in, &out, &err) < 0, "refusal %zu: %s", i, err.text);
}

int main(void)
{
	single();
	combined();
	arithmetic_in_at();
	refusals();
	return done();
}
