/* Importance matrices of either format: whatever is read is written in both formats, and both give the same means again. */
#include "src/imatrix.h"

#include <stdlib.h>
#include <string.h>

typedef int lay_fn(const struct heft_imatrix *im, struct arena *a, void **bytes, size_t *n, struct heft_err *err);

static void same_means(const struct heft_imatrix *x, const struct heft_imatrix *y)
{
	if (x->n_entries != y->n_entries)
		abort();
	for (size_t i = 0; i < x->n_entries; i++)
		if (strcmp(x->entry[i].name, y->entry[i].name) || imatrix_values(&x->entry[i]) != imatrix_values(&y->entry[i]) ||
		    memcmp(x->entry[i].mean, y->entry[i].mean, imatrix_values(&x->entry[i]) * sizeof(float)))
			abort();
}

static void again(const struct heft_imatrix *im, lay_fn *lay)
{
	struct arena *a = arena_new();
	struct heft_imatrix *back;
	struct source *src;
	void *bytes;
	size_t n;

	if (!lay(im, a, &bytes, &n, NULL)) {
		src = source_memory(bytes, n, "again");
		if (imatrix_open_source(&back, src, NULL))
			abort();
		same_means(im, back);
		heft_imatrix_close(back);
		source_close(src);
	}
	arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source *src = source_memory(data, size, "fuzz");
	struct heft_imatrix *im, *sum;

	if (!imatrix_open_source(&im, src, NULL)) {
		const struct heft_imatrix *twice[2] = { im, im };

		again(im, imatrix_lay_legacy);
		again(im, imatrix_lay_gguf);
		if (!heft_imatrix_merge(&sum, twice, 2, NULL))
			heft_imatrix_close(sum);
		heft_imatrix_close(im);
	}
	source_close(src);
	return 0;
}
