/* coreml.c - packages as models: constants of the vectors of coremltools have its numbers; the wire's varints and their limits. */
#include <string.h>
#include <unistd.h>

#include "base/wire.h"
#include "src/coreml/coreml.h"
#include "tests/tap.h"

#define VECTORS "../shared/data/vectors/coreml"

static void test_wire(void)
{
	static const uint8_t message[] = { 0x08, 0x96, 0x01, 0x12, 0x02, 'h', 'i', 0x1d, 1, 2, 3, 4 };
	static const uint8_t group[] = { 0x0b, 0x0c }, zero[] = { 0x00, 0x01 }, late[] = { 0x12, 0x05, 'h' };
	static const uint8_t wide[] = { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 };
	struct wire w = { message, 0, sizeof message };
	struct wire_field f;
	uint8_t out[WIRE_VARINT_MAX];

	ok(wire_next(&w, &f) == 1 && f.key == WIRE_NUMBER(1) && f.value == 150, "a varint");
	ok(wire_next(&w, &f) == 1 && f.key == WIRE_MESSAGE(2) && f.at == 5 && f.end == 7 && f.length_at == 4, "a text");
	ok(wire_next(&w, &f) == 1 && f.key == WIRE_FIXED32(3) && f.end - f.at == 4 && wire_next(&w, &f) == 0, "4 bytes, and the end");
	ok(wire_next(&(struct wire){ group, 0, 2 }, &f) < 0, "groups are refused");
	ok(wire_next(&(struct wire){ zero, 0, 2 }, &f) < 0, "field 0 is refused");
	ok(wire_next(&(struct wire){ late, 0, 3 }, &f) < 0, "a length behind the end is refused");
	ok(wire_next(&(struct wire){ wide, 0, sizeof wide }, &f) < 0, "a varint of more than 64 bits is refused");
	ok(wire_put(out, 300) == 2 && out[0] == 0xac && out[1] == 2 && wire_put(NULL, UINT64_MAX) == 10, "varints are written");
}

/* Is every tensor that `npz` has the same in the package, whose names lack an ending? Then how many, else -1. */
static int same_numbers(const char *package, const char *npz)
{
	struct heft_model *a = NULL, *b = NULL;
	struct heft_err err;
	int n = 0;

	if (heft_open(&a, package, NULL, &err) || heft_open(&b, npz, NULL, &err)) {
		printf("# %s\n", err.text);
		n = -1;
	}
	for (size_t i = 0; n >= 0 && i < a->n_tensors; i++)
		for (size_t k = 0; n >= 0 && k < b->n_tensors; k++) {
			const struct heft_tensor *x = &a->tensor[i], *y = &b->tensor[k];
			uint64_t count = heft_tensor_count(x);
			struct packed_scratch s = { 0 };
			float *p, *q;

			if (strncmp(x->name, y->name, strlen(x->name)) || !strchr("_", y->name[strlen(x->name)]))
				continue;
			p = malloc(count * sizeof *p);
			q = malloc(count * sizeof *q);
			n = heft_tensor_count(y) == count && !coreml_read(a, x, 0, count / x->dim[x->rank - 1], p, &s, &err) &&
			    !coreml_read(b, y, 0, count / y->dim[y->rank - 1], q, &s, &err) && !memcmp(p, q, count * sizeof *p) ? n + 1 : -1;
			packed_scratch_release(&s);
			free(p);
			free(q);
		}
	heft_close(a);
	heft_close(b);
	return n;
}

static void test_vectors(void)
{
	static const char *const names[] = { "iOS16_fp16", "iOS16_int8_sym_pc", "iOS16_int8_sym_pt", "iOS16_pal2_uniform_pt", "iOS16_pal4_kmeans_pt",
					     "iOS16_pal8_kmeans_pt", "iOS18_fp16", "iOS18_int4_sym_b32", "iOS18_int8_sym_pc", "iOS18_int8_sym_pt",
					     "iOS18_pal2_uniform_pt", "iOS18_pal4_kmeans_g16", "iOS18_pal4_kmeans_pt", "iOS18_pal6_kmeans_pt",
					     "iOS18_pal8_kmeans_pt", "iOS18_uint4_lin_b32" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char package[256], npz[256];

		snprintf(package, sizeof package, VECTORS "/%s.mlpackage", names[i]);
		snprintf(npz, sizeof npz, VECTORS "/%s_dequant.npz", names[i]);
		if (access(package, R_OK))
			ok(1, "%s # SKIP " VECTORS " is missing", names[i]);
		else
			is_int(same_numbers(package, npz), 3, "%s: the numbers of coremltools", names[i]);
	}
}

int main(void)
{
	test_wire();
	test_vectors();
	return done();
}
