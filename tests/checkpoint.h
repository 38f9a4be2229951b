/*
 * checkpoint.h - a checkpoint of a few tensors in a folder of its own, opened, and what is read of modules that are stored quantized.
 */
#ifndef TESTS_CHECKPOINT_H
#define TESTS_CHECKPOINT_H

#include "quant/quant.h"
#include "src/model.h"
#include "src/packed.h"
#include "tests/tap.h"

#include <unistd.h>

struct stored {
	const char *name, *dtype, *shape; /* "2, 3" */
	const void *bytes;
	size_t n;
};
#define ROW(name, dtype, shape, array) { name, dtype, shape, array, sizeof(array) }

static char dir[64];

static void put(const char *name, const void *p, size_t n)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f))
		printf("Bail out! cannot write %s\n", path);
}

static void put_tensors(const char *name, const struct stored *t, size_t n)
{
	struct jbuf b = { 0 };
	size_t at = 0;
	uint64_t length;

	jbuf_raw(&b, "01234567{", 9);
	for (size_t i = 0; i < n; at += t[i++].n)
		jbuf_printf(&b, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", i ? "," : "", t[i].name, t[i].dtype, t[i].shape,
			    at, at + t[i].n);
	jbuf_raw(&b, "}", 1);
	length = b.n - 8;
	memcpy(b.p, &length, 8);
	for (size_t i = 0; i < n; i++)
		jbuf_raw(&b, t[i].bytes, t[i].n);
	put(name, b.p, b.n);
	jbuf_release(&b);
}

static struct heft_err failure;

static struct heft_model *opened(const char *config, const struct stored *t, size_t n)
{
	struct heft_model *m = NULL;

	put("config.json", config, strlen(config));
	put_tensors("model.safetensors", t, n);
	failure = (struct heft_err){ 0 };
	heft_open(&m, dir, NULL, &failure);
	return m;
}
#define OPEN(config, table) opened(config, table, sizeof(table) / sizeof *(table))

static const struct heft_tensor *tensor(const struct heft_model *m, const char *name)
{
	for (size_t i = 0; m && i < m->n_tensors; i++)
		if (!strcmp(m->tensor[i].name, name))
			return &m->tensor[i];
	return NULL;
}

/* Whole, then number by number (block by block): is it `want`? */
static bool reads(const struct heft_model *m, const char *name, const char *encoding, const float *want, size_t n)
{
	const struct heft_tensor *t = tensor(m, name);
	struct packed_scratch s = { 0 };
	struct heft_err err = { 0 };
	float *got = calloc(n, sizeof *got);
	bool good = t && t->packed && heft_tensor_count(t) == n && !strcmp(t->enc->name, encoding);

	if (t && strcmp(t->enc->name, encoding))
		printf("# it is %s\n", t->enc->name);
	good = good && !packed_read(m, t, 0, n, got, &s, &err) && !memcmp(got, want, n * sizeof *got);
	for (size_t i = 0; good && i < n; i++)
		if (memcmp(&got[i], &want[i], sizeof *got))
			printf("# number %zu: %g, want %g\n", i, (double)got[i], (double)want[i]);
	for (size_t at = 0; good && at < n; at += t->enc->block) {
		memset(got, 0xff, n * sizeof *got);
		good = !packed_read(m, t, at, t->enc->block, got, &s, &err) && !memcmp(got, want + at, t->enc->block * sizeof *got);
	}
	if (err.code || failure.code)
		printf("# %s%s\n", err.text, failure.text);
	packed_scratch_release(&s);
	free(got);
	return good;
}

static void repacks(const struct heft_model *m, const char *name, const char *to, const uint8_t *want, size_t n)
{
	const struct heft_tensor *t = tensor(m, name);
	struct packed_scratch s = { 0 };
	struct heft_err err;
	uint8_t got[256];

	ok(t && packed_repacker(t, quant_find(to)) &&
		   !packed_read_bytes(m, t, quant_find(to), 0, (size_t)heft_tensor_count(t), got, &s, &err) && !memcmp(got, want, n),
	   "its codes go over to %s", to);
	packed_scratch_release(&s);
}

static void checkpoint_begin(void)
{
	snprintf(dir, sizeof dir, "/tmp/heft-packed-XXXXXX");
	if (!mkdtemp(dir))
		abort();
}

static void checkpoint_end(void)
{
	static const char *const file[] = {"config.json", "model.safetensors", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
	char path[128];

	for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, file[i]);
		unlink(path);
	}
	if (rmdir(dir))
		printf("# %s is left\n", dir);
}

#endif
