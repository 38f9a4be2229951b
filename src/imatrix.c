/*
 * imatrix.c - importance matrices: legacy .dat and GGUF.
 */
#include "../base/err.h"

int heft_imatrix_open(struct heft_imatrix **out, const char *path, struct heft_err *err)
{
	*out = NULL;
	return heft_fail(err, HEFT_E_IMATRIX, "'%s': importance matrices are not read yet", path);
}

void heft_imatrix_close(struct heft_imatrix *im)
{
}
