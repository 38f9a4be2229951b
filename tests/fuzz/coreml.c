/* Any bytes as the program and the weights of an ML Program: 4 bytes that say how long the program is, the program, then weight.bin.
 * Whatever is listed can be read, all of it; what is planned to be written is a program again, with as many operations, and constants that
 * are encoded (small ones, for the time it takes) give as many bytes as planned. */
#include <stdlib.h>
#include <string.h>

#include "src/coreml/coreml_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct heft_model *m, const struct heft_tensor *t)
{
	uint64_t cols = t->dim[t->rank - 1], rows = heft_tensor_count(t) / cols;
	struct packed_scratch s = { 0 };
	float *x = malloc((size_t)cols * sizeof *x);
	struct heft_err err;

	for (uint64_t row = 0; row < rows && row < 64; row++)
		if (coreml_read(m, t, row, 1, x, &s, &err) && err.code == HEFT_E_TRUNCATED)
			abort();
	free(x);
	packed_scratch_release(&s);
}

/* Operands must come whole, in their order, and be no longer than was planned. */
struct received {
	const struct coreml_change *c;
	uint64_t at[COREML_OPERANDS];
};

static int receive(void *ctx, int operand, uint64_t at, const void *bytes, size_t n, struct heft_err *err)
{
	struct received *r = ctx;
	volatile uint8_t sum = 0;

	if (operand >= r->c->n_operands || at > r->c->operand[operand].size || n > r->c->operand[operand].size - at)
		abort();
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
	r->at[operand] += n;
	return 0;
}

static void encode_all(const struct heft_model *m, const struct coreml_plan *p)
{
	for (size_t i = 0; i < p->pub.n_items; i++) {
		const struct coreml_change *c = &p->change[i];
		struct received r = { .c = c };
		struct heft_error e = { 0 };
		struct heft_err err;

		if (!c->scheme || heft_tensor_count(c->tensor) > 1 << 14 || coreml_encode(m, c, 1, NULL, receive, &r, &e, &err))
			continue;
		for (int k = 0; k < c->n_operands; k++)
			if (r.at[k] != c->operand[k].size)
				abort();
	}
}

static void plan_all(struct heft_model *m, const char *type)
{
	struct heft_output_spec output = { .path = "x.mlpackage", .type = type };
	struct heft_job job = { .output = &output, .n_outputs = 1, .threads = 1 };
	struct heft_coreml_plan *plan;
	struct heft_err err;

	if (!heft_coreml_plan_new(&plan, m, &job, &err)) {
		const struct heft_str *text = &((const struct coreml_plan *)(const void *)plan)->program;
		struct coreml_program again;

		if (coreml_parse(&again, text->p, text->n, "model.mlmodel", m->arena, &err) || again.n_ops != m->coreml->program.n_ops)
			abort();
		encode_all(m, (const struct coreml_plan *)(const void *)plan);
		heft_coreml_plan_free(plan);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heft_file file[2] = { { .path = "model.mlmodel" }, { .path = "weight.bin" } };
	struct heft_model m = { .path = "x", .file = file, .n_files = 2, .arena = arena_new() };
	struct coreml c = { .dir = "x", .model = "Data/x/model.mlmodel", .weights = "Data/x/weights/weight.bin" };
	struct heft_err err;
	uint32_t n = 0;

	if (size >= 4)
		memcpy(&n, data, 4);
	if (size >= 4 && n <= size - 4) {
		file[0].source = source_memory(data + 4, n, "model.mlmodel");
		file[1].source = source_memory(data + 4 + n, size - 4 - n, "weight.bin");
		if (!coreml_parse(&c.program, data + 4, n, "model.mlmodel", m.arena, &err)) {
			m.coreml = &c;
			m.tensor = arena_array(m.arena, c.program.n_ops + 1, sizeof *m.tensor);
			c.op = arena_array(m.arena, c.program.n_ops + 1, sizeof *c.op);
			for (size_t i = 0; i < c.program.n_ops; i++)
				if (!coreml_tensor(&m.tensor[m.n_tensors], &m, &c.program.op[i], &err)) {
					c.op[m.n_tensors] = &c.program.op[i];
					read_all(&m, &m.tensor[m.n_tensors++]);
				}
			plan_all(&m, data[size - 1] & 1 ? "int4" : data[size - 1] & 2 ? "palette4" : "f16");
		}
		source_close(file[0].source);
		source_close(file[1].source);
	}
	arena_free(m.arena);
	return 0;
}
