/* Any bytes as a safetensors file whose tensors may belong together: what is joined can be read, all of it, in pieces that begin anywhere,
 * and as bytes of every encoding that the layout repacks to. The first 8 bytes are seldom a length that fits: see safetensors.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/format.h"
#include "src/model.h"
#include "src/packed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void go_on(void *ctx, const struct heft_problem *p)
{
	*(volatile size_t *)ctx += strlen(p->text);
}

static void read_floats(const struct heft_model *m, const struct heft_tensor *t, struct packed_scratch *s)
{
	uint64_t n = heft_tensor_count(t), block = t->enc->block, step = 7 * block;
	float *whole = malloc((size_t)n * sizeof *whole), *part = malloc((size_t)step * sizeof *part);
	struct heft_err err;

	if (packed_read(m, t, 0, (size_t)n, whole, s, &err)) {
		free(whole);
		free(part);
		return;
	}
	for (uint64_t at = 0; at < n; at += step) {
		size_t k = (size_t)(n - at < step ? n - at : step);

		if (packed_read(m, t, at, k, part, s, &err) || memcmp(part, whole + at, k * sizeof *part))
			abort();
	}
	free(whole);
	free(part);
}

static void read_bytes(const struct heft_model *m, const struct heft_tensor *t, struct packed_scratch *s)
{
	uint64_t n = heft_tensor_count(t);
	struct heft_err err;

	for (const struct packed_repack *r = t->packed->repack; r && r->to; r++) {
		const struct heft_encoding *to = quant_find(r->to);
		void *bytes = malloc((size_t)(n / to->plane[0].cols * to->plane[0].bytes));

		packed_read_bytes(m, t, to, 0, (size_t)n, bytes, s, &err);
		free(bytes);
	}
}

static char dir[64], path[96];

static void leave(void)
{
	unlink(path);
	rmdir(dir);
}

/* A configuration that answers what shapes leave open. */
static const char *configured(void)
{
	FILE *f;

	if (*dir)
		return dir;
	snprintf(dir, sizeof dir, "/tmp/heft-fuzz-XXXXXX");
	if (!mkdtemp(dir) || atexit(leave))
		abort();
	snprintf(path, sizeof path, "%s/config.json", dir);
	f = fopen(path, "w");
	if (!f || fputs("{\"quantization_config\":{\"group_size\":32,\"bits\":4,\"config_groups\":{\"a\":{\"targets\":[\"re:.*3\"],\"weights\":{\"num_bits\":3}},"
			"\"b\":{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":4,\"group_size\":32}}}}}", f) < 0 || fclose(f))
		abort();
	return dir;
}

static void join(const struct format_listing *l, struct source *src, struct arena *a, bool strict)
{
	struct heft_file file = { .path = "input", .format = "safetensors", .size = source_size(src), .source = src };
	struct heft_model m = { .format = "safetensors", .file = &file, .n_files = 1, .tensor = l->tensor, .n_tensors = l->n_tensors, .arena = a };
	struct packed_scratch s = { 0 };
	struct heft_err err = { 0 };
	size_t told = 0;
	struct sink sink = { .fn = strict ? NULL : go_on, .ctx = &told, .err = &err };

	m.dir = strict ? NULL : configured();

	if (!packed_join(&m, &sink, &err))
		for (size_t i = 0; i < m.n_tensors; i++)
			if (m.tensor[i].packed) {
				read_floats(&m, &m.tensor[i], &s);
				read_bytes(&m, &m.tensor[i], &s);
			}
	packed_scratch_release(&s);
}

static void once(const uint8_t *data, size_t size, bool strict)
{
	struct arena *a = arena_new();
	struct source *src = source_memory(data, size, "input");
	struct heft_err err = { 0 };
	struct sink sink = { .err = &err };
	struct format_listing l;

	if (!format_find("safetensors")->list(&l, src, a, &sink, &err))
		join(&l, src, a, strict);
	source_close(src);
	arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	once(data, size, true);
	once(data, size, false);
	return 0;
}
