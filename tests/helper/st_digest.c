/*
 * st_digest.c - what a directory's model*.safetensors hold, one line for each tensor: name, dtype, shape, digest of its bytes; sorted by name.
 * Two directories with the same tensors print the same, whatever the order of the data and the number of files.
 *
 * usage: st_digest DIR
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/sha256.h"

static char *line[1 << 16];
static size_t lines;

static void *read_all(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = NULL;
	size_t cap = 0, got = 1;

	for (*n = 0; f && got; *n += got) {
		if (cap - *n < 65536)
			p = xrealloc(p, cap = 2 * cap + (1 << 20));
		got = fread(p + *n, 1, cap - *n, f);
	}
	if (f)
		fclose(f);
	return p;
}

static void add(const struct json *t, const uint8_t *data)
{
	const struct json *at = json_get(t, "data_offsets");
	struct heft_str name = json_key(t);
	char text[4096], hex[65], shape[256] = "";
	uint64_t from = 0, to = 0, d;

	if (!strcmp(name.p, "__metadata__") || lines == sizeof line / sizeof *line)
		return;
	json_uint(json_first(at), &from);
	json_uint(json_next(json_first(at)), &to);
	for (const struct json *j = json_first(json_get(t, "shape")); j; j = json_next(j))
		if (json_uint(j, &d))
			snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%llu,", (unsigned long long)d);
	sha256_hex(data + from, (size_t)(to - from), hex);
	snprintf(text, sizeof text, "%s %s [%s] %.16s", name.p, json_cstr(json_get(t, "dtype")), shape, hex);
	line[lines++] = strdup(text);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
	char pattern[4096];
	glob_t g;
	struct heft_err err;

	snprintf(pattern, sizeof pattern, "%s/model*.safetensors", argc == 2 ? argv[1] : "");
	if (argc != 2 || glob(pattern, 0, NULL, &g)) {
		fprintf(stderr, "usage: st_digest DIR: no model*.safetensors there\n");
		return 1;
	}
	for (size_t i = 0; i < g.gl_pathc; i++) {
		size_t n;
		uint8_t *p = read_all(g.gl_pathv[i], &n);
		uint64_t head = 0;

		memcpy(&head, p, 8);
		struct json_doc *d = json_parse((char *)p + 8, (size_t)head, g.gl_pathv[i], true, &err);

		for (const struct json *t = json_first(json_root(d)); t; t = json_next(t))
			add(t, p + 8 + head);
		json_free(d);
		free(p);
	}
	qsort(line, lines, sizeof *line, by_text);
	for (size_t i = 0; i < lines; i++)
		printf("%s\n", line[i]);
	globfree(&g);
	return 0;
}
