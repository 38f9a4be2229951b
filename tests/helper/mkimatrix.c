/*
 * mkimatrix.c - writes an importance matrix for a model that nobody has run: made-up weights for every matrix.
 *
 * usage: mkimatrix MODEL.gguf OUT.dat
 *
 * The layout is that of src/imatrix_legacy.c. A tensor of experts has an entry with the columns of each.
 */
#include "heft.h"
#include "tests/rows.h"

#include <stdio.h>
#include <stdlib.h>

static void put_i32(FILE *f, uint64_t v)
{
	int32_t i = (int32_t)v;

	fwrite(&i, sizeof i, 1, f);
}

static bool has_entry(const struct heft_tensor *t)
{
	return t->rank >= 2;
}

static void put_entry(FILE *f, const struct heft_tensor *t)
{
	uint64_t n = t->dim[t->rank - 1] * (t->rank > 2 ? t->dim[0] : 1);
	float w[ROWS_COLS];

	put_i32(f, strlen(t->name));
	fwrite(t->name, 1, strlen(t->name), f);
	put_i32(f, 1);
	put_i32(f, n);
	for (uint64_t done = 0; done < n; done += ROWS_COLS) {
		rows_importance(w);
		fwrite(w, sizeof *w, n - done < ROWS_COLS ? n - done : ROWS_COLS, f);
	}
}

static int write_all(const struct heft_model *m, const char *path)
{
	FILE *f = fopen(path, "wb");
	uint64_t n = 0;

	if (!f)
		return -1;
	for (size_t i = 0; i < m->n_tensors; i++)
		n += has_entry(&m->tensor[i]);
	put_i32(f, n);
	for (size_t i = 0; i < m->n_tensors; i++)
		if (has_entry(&m->tensor[i]))
			put_entry(f, &m->tensor[i]);
	return fclose(f);
}

int main(int argc, char **argv)
{
	struct heft_model *m = NULL;
	struct heft_err err;
	int rc;

	if (argc != 3)
		return fputs("usage: mkimatrix MODEL.gguf OUT.dat\n", stderr), 2;
	if (heft_open(&m, argv[1], NULL, &err))
		return fprintf(stderr, "mkimatrix: %s\n", err.text), 1;
	rc = write_all(m, argv[2]);
	if (rc)
		perror(argv[2]);
	heft_close(m);
	return rc ? 1 : 0;
}
