/*
 * heft_manifest.h - digests of what was written, tensor by tensor and file by file, and their proof. Beside heft.h, whose rules of ownership,
 * errors and threads it has.
 *
 * A tensor's digest is the SHA-256 of its bytes as its file stores them, without padding: the file's range from the tensor's offset on, of the
 * tensor's size; of a constant of Core ML that is stored as codes, scales and the like, of these one after another. It does not depend on where
 * they lie, so that a set of parts, one file, and the files of `heft split` and `heft merge` have the same. Name, type and shape are beside it
 * and not in it. A file's digest is the SHA-256 of all its bytes, as sha256sum prints it.
 */
#ifndef HEFT_MANIFEST_H
#define HEFT_MANIFEST_H

#include "heft.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct heft_manifest_file {
	const char *name; /* below the folder of the manifest, with '/' */
	uint64_t size;
	char sha256[65];
};

struct heft_manifest_tensor {
	const char *name, *type; /* "q4_k" */
	int rank;
	uint64_t dim[HEFT_MAX_RANK]; /* outermost first */
	uint64_t size;               /* bytes */
	char sha256[65];
};

struct heft_manifest {
	struct heft_manifest_file *file;
	size_t n_files;
	struct heft_manifest_tensor *tensor; /* in file order */
	size_t n_tensors;
	uint64_t bytes_read; /* of files and tensors whose digests were not made on the way */
	struct arena *arena; /* owns all of it */
};

struct heft_manifest_options {
	int threads; /* 0: the processors that this process may use */
	void (*progress)(void *ctx, const struct heft_progress *p); /* bytes that were read; files and tensors are counted apart */
	void *ctx;
	const volatile int *stop;
};

/* Reads an output back and takes its digests: path is its first part, `beside` what else was written with it. Names in the manifest begin
 * behind the folder of path. */
int heft_manifest_take(struct heft_manifest **out, const char *path, const char *const *beside, size_t n_beside,
		       const struct heft_manifest_options *o, struct heft_err *err);
/* The same of one output of a plan that heft_run() carried out. With heft_job.digests, the run made the digests of tensors on the way, and of
 * files whose tensors it wrote in their order; only what has none is read: small files, those of the planes of a GPU's types, tensors that
 * were put together in another order than their own. */
int heft_manifest_made(struct heft_manifest **out, const struct heft_plan *p, size_t output, const struct heft_manifest_options *o, struct heft_err *err);
void heft_manifest_free(struct heft_manifest *m); /* NULL is allowed */

int heft_manifest_read(struct heft_manifest **out, const char *path, struct heft_err *err);
/* The JSON of a manifest file; members that are not those above are not looked at. HEFT_E_JSON where it is none. */
int heft_manifest_parse(struct heft_manifest **out, const char *text, size_t n, const char *name, struct heft_err *err);

/* Compares what a manifest file says with the files beside it; model: with another place or layout of them, NULL: none. Reports all that
 * differs, each tensor by its name; returns 0 also when there is some (counted in *n_errors), -1 where it could not look. */
int heft_manifest_check(const char *manifest, const char *model, const struct heft_manifest_options *o, heft_problem_fn *problem, void *ctx,
			size_t *n_errors, struct heft_err *err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
