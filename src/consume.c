/*
 * consume.c - removes the source's weight files when all that was made of them is safe on disk. Configuration, tokenizer and index stay.
 */
#include "plan.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "../base/source.h"

/* In the Hub's cache a name is a link to the bytes: both go. */
static int remove_file(const char *path, struct heft_err *err)
{
	char real[PATH_MAX];

	if (realpath(path, real) && unlink(real))
		return heft_fail_errno(err, HEFT_E_WRITE, "everything is written, but cannot remove '%s'", real);
	return unlink(path) && errno != ENOENT ? heft_fail_errno(err, HEFT_E_WRITE, "everything is written, but cannot remove '%s'", path) : 0;
}

int plan_consume(const struct heft_plan *p, struct heft_err *err)
{
	for (size_t i = 0; i < p->model->n_files; i++)
		if (!source_is_stream(p->model->file[i].source) && remove_file(p->model->file[i].path, err))
			return -1;
	return 0;
}
