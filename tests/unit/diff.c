/*
 * diff.c - two checkpoints against each other: figures by hand, what has no counterpart, integers and doubles as they are stored, and the
 * same figures for every number of threads.
 */
#include "heft.h"
#include "tests/tap.h"

#include <math.h>
#include <unistd.h>

static char root[] = "/tmp/heft-diff-XXXXXX";

/* A safetensors file of one header and its data. */
static void write_model(const char *name, const char *header, const void *data, size_t n)
{
	char path[256];
	uint64_t length = strlen(header);
	snprintf(path, sizeof(path), "%s/%s", root, name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(&length, 8, 1, f) != 1 || fwrite(header, length, 1, f) != 1 || (n && fwrite(data, n, 1, f) != 1) || fclose(f))
		abort();
}

static struct heft_model *open_model(const char *name)
{
	char path[256];
	struct heft_model *m;
	struct heft_err err;
	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (heft_open(&m, path, NULL, &err)) {
		printf("# %s\n", err.text);
		exit(1);
	}
	return m;
}

static struct heft_diff *compare(const char *a, const char *b, int threads)
{
	struct heft_diff_options o = { .arch = "none", .threads = threads };
	struct heft_model *ma = open_model(a), *mb = open_model(b);
	struct heft_diff *d = NULL;
	struct heft_err err;
	int rc = heft_diff(&d, ma, mb, &o, &err);
	ok(!rc, "%s against %s%s%s", a, b, rc ? ": " : "", rc ? err.text : "");
	heft_close(ma);
	heft_close(mb);
	return d;
}

static const struct heft_diff_item *find(const struct heft_diff *d, const char *name)
{
	for (size_t i = 0; d && i < d->n_items; i++)
		if (!strcmp(d->item[i].name, name))
			return &d->item[i];
	static const struct heft_diff_item none;
	return &none;
}

static void test_figures(void)
{
	const float a[] = { 3, 4, 0, 0, 1, 2, 9, 9, 7 }, b[] = { 3, 3, 0, 1, 1, NAN, 9, 9, 9, 9, 5 };
	write_model("a.safetensors",
		    "{\"f\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
		    "\"nan\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]},"
		    "\"shape\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]},"
		    "\"only_a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[32,36]}}", a, sizeof(a));
	write_model("b.safetensors",
		    "{\"f\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
		    "\"nan\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]},"
		    "\"shape\":{\"dtype\":\"F32\",\"shape\":[4,1],\"data_offsets\":[24,40]},"
		    "\"only_b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[40,44]}}", b, sizeof(b));
	struct heft_diff *d = compare("a.safetensors", "b.safetensors", 1);
	const struct heft_diff_item *f = find(d, "f"), *nan = find(d, "nan"), *shape = find(d, "shape");
	is_int(d->n_items, 5, "every tensor of both is listed");
	is_int(d->n_unmatched, 2, "two have no counterpart");
	is_int(d->n_shapes_differ, 1, "one has another shape");
	ok(f->error.count == 4 && f->error.sum_sq == 25 && f->error.sum_sq_out == 19 && f->error.dot == 21, "sums");
	ok(f->error.sum_sq_err == 2 && f->error.max_err == 1, "errors");
	ok(nan->error.nonfinite == 1 && nan->error.sum_sq_err == 0, "a value that is no number is counted, not summed");
	ok(shape->shapes_differ && !shape->error.count, "tensors of two shapes are not compared");
	is_str(find(d, "only_a")->name_b, NULL, "no counterpart in the second");
	is_str(find(d, "only_b")->name_a, NULL, "no counterpart in the first");
	is_int(d->total.count, 6, "the total is of what was compared");
	heft_diff_free(d);
}

static void test_exact(void)
{
	struct { int64_t i; double f; uint8_t b; } a = { (1LL << 60) + 1, 1.0000000000000002, 1 }, b = { 1LL << 60, 1, 1 };
	static const char header[] = "{\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
				     "\"f\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[8,16]},"
				     "\"b\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[16,17]}}";
	write_model("a.safetensors", header, &a, 17);
	write_model("b.safetensors", header, &b, 17);
	struct heft_diff *d = compare("a.safetensors", "b.safetensors", 1);
	ok(find(d, "i")->error.max_err == 1, "integers that are one double differ");
	ok(find(d, "f")->error.max_err > 0, "doubles that are one float differ");
	ok(find(d, "b")->error.count == 1 && find(d, "b")->error.max_err == 0, "equal truth values");
	heft_diff_free(d);
}

static void test_threads(void)
{
	enum { N = 1000 * 1000 };
	float *a = malloc(N * sizeof(*a)), *b = malloc(N * sizeof(*b));
	uint32_t x = 1;
	for (int i = 0; i < N; i++) {
		x = x * 1664525 + 1013904223;
		a[i] = (float)(int32_t)x / 1e9f;
		b[i] = a[i] * 1.001f;
	}
	static const char header[] = "{\"t\":{\"dtype\":\"F32\",\"shape\":[1000,1000],\"data_offsets\":[0,4000000]}}";
	write_model("a.safetensors", header, a, N * sizeof(*a));
	write_model("b.safetensors", header, b, N * sizeof(*b));
	struct heft_diff *one = compare("a.safetensors", "b.safetensors", 1);
	for (int threads = 2; threads <= 7; threads += 5) {
		struct heft_diff *d = compare("a.safetensors", "b.safetensors", threads);
		ok(!memcmp(&d->total, &one->total, sizeof(d->total)), "%d threads give the sums of one", threads);
		heft_diff_free(d);
	}
	ok(fabs(heft_error_relative(&one->total) - 0.001) < 1e-6, "the error that was made");
	heft_diff_free(one);
	free(a);
	free(b);
}

int main(void)
{
	char command[64];
	if (!mkdtemp(root))
		return 1;
	test_figures();
	test_exact();
	test_threads();
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command) ? 1 : done();
}
