/* Importance matrices: the samples by their names, means, merging, both formats there and back. */
#include "heft.h"
#include "tests/tap.h"

#include <glob.h>
#include <math.h>
#include <unistd.h>

#define DIR "testdata/imatrix/"

static char folder[] = "/tmp/heft-imatrix-XXXXXX";

static const char *in_folder(const char *name)
{
	static char path[4][256];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof path[i], "%s/%s", folder, name);
	return path[i];
}

static struct heft_imatrix *open_or_die(const char *path)
{
	struct heft_imatrix *im = NULL;
	struct heft_err err = { 0 };

	ok(!heft_imatrix_open(&im, path, &err), "%s opens", path);
	if (!im) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return im;
}

static void samples(void)
{
	glob_t g = { 0 };

	glob(DIR "*-*", 0, NULL, &g);
	ok(g.gl_pathc > 40, "there are samples");
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *name = strrchr(g.gl_pathv[i], '/') + 1, *e = strstr(name, "-E");
		int code = strncmp(name, "good-", 5) && e ? atoi(e + 2) : 0;
		struct heft_imatrix *im = NULL;
		struct heft_err err = { 0 };
		int rc = heft_imatrix_open(&im, g.gl_pathv[i], &err);

		ok(!rc == !code && (int)err.code == code && !im == !!rc && (!rc || (err.text[0] && !strchr(err.text, '\n'))), "%s", name);
		if ((int)err.code != code)
			printf("# E%d %s\n", err.code, err.text);
		heft_imatrix_close(im);
	}
	globfree(&g);
}

static void legacy(void)
{
	struct heft_imatrix *im = open_or_die(DIR "good-two.dat");
	const struct heft_imatrix_entry *a = heft_imatrix_find(im, "a"), *b = heft_imatrix_find(im, "b.weight");

	ok(im->legacy && im->chunks == 10 && !im->chunk_size && im->n_entries == 2, "what the trailer says");
	is_str(im->dataset[0], "a.txt", "dataset");
	ok(a && b && !heft_imatrix_find(im, "b"), "entries are found by their whole names");
	ok(a->mean[0] == 0.25f && a->mean[1] == 0.5f && b->mean[0] == 0 && b->mean[1] == 4, "sums are divided by the calls");
	heft_imatrix_close(im);
	im = open_or_die(DIR "good-no-calls.dat");
	ok(im->entry[0].mean[1] == 2, "without calls the values are means");
	heft_imatrix_close(im);
}

static void experts(void)
{
	struct heft_imatrix *im = open_or_die(DIR "good-experts.gguf");
	struct heft_imatrix_stats s;

	ok(!im->legacy && im->chunks == 10 && im->chunk_size == 512, "what the keys say");
	ok(im->entry[0].columns == 2 && im->entry[0].matrices == 2, "two matrices of two columns");
	ok(im->entry[0].mean[0] == 1 && im->entry[0].mean[1] == 2, "a called expert's means");
	ok(im->entry[0].mean[2] == 1 && im->entry[0].mean[3] == 1, "an expert that was never called has ones");
	heft_imatrix_stats(&im->entry[0], &s);
	ok(s.called == 1 && s.sum == 3 && s.min == 1 && s.max == 2 && s.mean == 1.5 && s.zeros == 0 && s.least == 2 && s.most == 2,
	   "statistics leave it out");
	heft_imatrix_close(im);
}

static void same(const struct heft_imatrix *x, const char *path, bool as_legacy)
{
	struct heft_imatrix *y;
	struct heft_err err = { 0 };
	bool equal;

	ok(!heft_imatrix_write(x, path, as_legacy, true, &err), "written: %s", err.text);
	y = open_or_die(path);
	equal = x->n_entries == y->n_entries && x->chunks == y->chunks && y->legacy == as_legacy && y->n_datasets == x->n_datasets &&
		!strcmp(x->dataset[0], y->dataset[0]);
	for (size_t i = 0; equal && i < x->n_entries; i++)
		equal = !strcmp(x->entry[i].name, y->entry[i].name) &&
			!memcmp(x->entry[i].mean, y->entry[i].mean, x->entry[i].columns * x->entry[i].matrices * sizeof(float));
	ok(equal, "the same means, to the bit");
	heft_imatrix_close(y);
}

static void there_and_back(const char *path)
{
	struct heft_imatrix *im = open_or_die(path), *other;

	same(im, in_folder("x.dat"), true);
	same(im, in_folder("x.gguf"), false);
	other = open_or_die(in_folder("x.gguf"));
	same(other, in_folder("y.dat"), true);
	heft_imatrix_close(other);
	heft_imatrix_close(im);
}

static void merging(void)
{
	struct heft_imatrix *one = open_or_die(DIR "good-one.dat"), *two = open_or_die(DIR "good-two.dat"), *sum = NULL;
	struct heft_imatrix *gguf = open_or_die(DIR "good-one.gguf"), *wide = open_or_die(DIR "good-experts.gguf");
	struct heft_err err = { 0 };

	ok(!heft_imatrix_merge(&sum, (const struct heft_imatrix *const[]){ one, two }, 2, &err), "two legacy files");
	ok(sum->legacy && sum->n_entries == 2 && sum->chunks == 8 && sum->n_datasets == 2 && sum->n_paths == 2, "all that they counted");
	ok(sum->entry[0].sums[0] == 2 && sum->entry[0].counts[0] == 8 && sum->entry[0].mean[0] == 0.25f, "sums and counts are added");
	ok(sum->entry[1].mean[1] == 4, "what one alone has is kept");
	heft_imatrix_close(sum);
	ok(!heft_imatrix_merge(&sum, (const struct heft_imatrix *const[]){ one, gguf }, 2, &err), "a legacy file and a newer one");
	ok(!sum->legacy && sum->chunk_size == 512 && sum->entry[0].counts[0] == 4 * 512 + 2 && sum->entry[0].sums[1] == 2 * 512 + 4,
	   "chunks are counted in tokens");
	heft_imatrix_close(sum);
	sum = NULL;
	ok(heft_imatrix_merge(&sum, (const struct heft_imatrix *const[]){ gguf, wide }, 2, &err) && err.code == HEFT_E_IMATRIX && !sum,
	   "sizes that differ: %s", err.text);
	heft_imatrix_close(one);
	heft_imatrix_close(two);
	heft_imatrix_close(gguf);
	heft_imatrix_close(wide);
}

static void outputs(void)
{
	struct heft_imatrix *im = open_or_die(DIR "good-one.dat");
	struct heft_err err = { 0 };

	ok(!heft_imatrix_write(im, in_folder("z.dat"), true, false, &err), "a new file");
	ok(heft_imatrix_write(im, in_folder("z.dat"), true, false, &err) && err.code == HEFT_E_EXISTS, "is not replaced: %s", err.text);
	ok(!heft_imatrix_write(im, in_folder("z.dat"), true, true, &err), "but where that is asked for");
	heft_imatrix_close(im);
	im = open_or_die(in_folder("z.dat"));
	ok(heft_imatrix_write(im, in_folder("z.dat"), true, true, &err) && err.code == HEFT_E_SAME_FILE, "an input never: %s", err.text);
	heft_imatrix_close(im);
}

int main(void)
{
	static const char *const left[] = { "x.dat", "x.gguf", "y.dat", "z.dat" };

	if (!mkdtemp(folder))
		return 1;
	samples();
	legacy();
	experts();
	there_and_back(DIR "good-two.dat");
	there_and_back(DIR "good-experts.gguf");
	there_and_back("testdata/kjv-llama/imatrix.dat");
	merging();
	outputs();
	for (size_t i = 0; i < sizeof left / sizeof *left; i++)
		ok(!unlink(in_folder(left[i])), "%s is there, and no temporary beside it", left[i]);
	ok(!rmdir(folder), "nothing is left");
	return done();
}
