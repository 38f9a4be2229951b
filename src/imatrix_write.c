/*
 * imatrix_write.c - puts an importance matrix into a new file of either format.
 */
#include "commit.h"
#include "imatrix.h"

int heft_imatrix_write(const struct heft_imatrix *im, const char *path, bool legacy, bool force, struct heft_err *err)
{
	struct arena *a = arena_new();
	void *bytes = NULL;
	size_t n = 0;
	int rc = legacy ? imatrix_lay_legacy(im, a, &bytes, &n, err) : imatrix_lay_gguf(im, a, &bytes, &n, err);

	if (!rc)
		rc = commit_bytes(path, bytes, n, &(struct commit_rules){ .force = force, .input = im->path, .n_inputs = im->n_paths }, err);
	arena_free(a);
	return rc;
}
