/*
 * encode.c - the encodings as filters on files of plain numbers, for comparison with the reference tools.
 *
 *   encode rows OUT                   writes the rows of tests/rows.h as F32, kind by kind
 *   encode noise OUT                  writes NOISE_ROWS rows of random numbers as F32, each run with its own spread
 *   encode importance OUT             writes the importance of their columns as F32
 *   encode TYPE IN OUT [IMPORTANCE]   F32 -> TYPE, rows of ROWS_COLS numbers
 *   encode -r TYPE IN OUT [IMPORTANCE]  the same, refined as --effort high does
 *   encode -d TYPE IN OUT             TYPE -> F32
 *   encode kinds                      lists the kinds
 */
#include "quant/quant.h"
#include "tests/rows.h"

#include <stdio.h>
#include <stdlib.h>

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct bytes slurp(const char *path)
{
	struct bytes b = {NULL, 0};
	FILE *f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END))
		exit((perror(path), 1));
	b.n = (size_t)ftell(f);
	b.p = malloc(b.n + 1);
	rewind(f);
	if (!b.p || fread(b.p, 1, b.n, f) != b.n)
		exit((perror(path), 1));
	fclose(f);
	return b;
}

static void spill(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f))
		exit((perror(path), 1));
}

static int write_rows(const char *path)
{
	static float x[ROWS_N_KINDS * ROWS_PER_KIND * ROWS_COLS];
	for (int i = 0; i < ROWS_N_KINDS * ROWS_PER_KIND; i++)
		rows_fill(i / ROWS_PER_KIND, i % ROWS_PER_KIND, x + i * ROWS_COLS);
	spill(path, x, sizeof x);
	return 0;
}

enum { NOISE_ROWS = 4096 };

static int write_noise(const char *path)
{
	static float x[NOISE_ROWS * ROWS_COLS];
	float row = 1, run = 1;
	rows_state = 1;
	for (size_t i = 0; i < NOISE_ROWS * ROWS_COLS; i++) {
		if (i % ROWS_COLS == 0)
			row = rows_power((int)(rows_bits() % 24) - 20);
		if (i % 16 == 0)
			run = rows_power(-(int)(rows_bits() % 4));
		x[i] = row * run * rows_normal();
	}
	spill(path, x, sizeof x);
	return 0;
}

static int write_importance(const char *path)
{
	float w[ROWS_COLS];
	rows_importance(w);
	spill(path, w, sizeof w);
	return 0;
}

static int encode(const struct heft_encoding *e, const char *in, const char *out, const char *importance, bool refine)
{
	struct bytes src = slurp(in), w = {NULL, 0};
	uint64_t size;
	size_t rows = src.n / (ROWS_COLS * sizeof(float));
	if (!quant_plane_size(e, 0, rows, ROWS_COLS, &size))
		return 1;
	uint8_t *dst = malloc(size);
	if (importance)
		w = slurp(importance);
	for (size_t r = 0; r < rows; r++) {
		void *plane[1] = {dst + size / rows * r};
		quant_encoder(e)((const float *)src.p + r * ROWS_COLS, plane, ROWS_COLS, (const float *)w.p);
		if (refine)
			quant_refine(e, (const float *)src.p + r * ROWS_COLS, plane, ROWS_COLS, (const float *)w.p);
	}
	spill(out, dst, size);
	free(src.p);
	free(w.p);
	free(dst);
	return 0;
}

static int decode(const struct heft_encoding *e, const char *in, const char *out)
{
	struct bytes src = slurp(in);
	size_t n = src.n / e->plane[0].bytes * e->plane[0].cols;
	float *dst = malloc(n * sizeof *dst);
	const void *plane[1] = {src.p};
	quant_decoder(e)(plane, dst, n);
	spill(out, dst, n * sizeof *dst);
	free(src.p);
	free(dst);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "rows"))
		return write_rows(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "noise"))
		return write_noise(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "importance"))
		return write_importance(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "kinds")) {
		for (int i = 0; i < ROWS_N_KINDS; i++)
			printf("%s\n", rows_kind[i]);
		return 0;
	}
	bool back = argc > 1 && !strcmp(argv[1], "-d"), refine = argc > 1 && !strcmp(argv[1], "-r");
	char **arg = argv + back + refine;
	const struct heft_encoding *e = arg + 3 < argv + argc ? quant_find(arg[1]) : NULL;
	if (!e) {
		fprintf(stderr, "usage: encode [-d|-r] TYPE IN OUT [IMPORTANCE]\n");
		return 2;
	}
	return back ? decode(e, arg[2], arg[3]) : encode(e, arg[2], arg[3], arg[4], refine);
}
