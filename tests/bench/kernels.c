/*
 * kernels.c - how fast each encoding is, scalar and by each kernel that this processor has: MB/s of F32, one thread.
 *
 * usage: kernels [TYPE ...]
 */
#include "quant/quant.h"
#include "tests/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N = 64 * 1024 }; /* numbers: 256 KiB, so that memory is not what is measured */
#define AT_LEAST 0.1	/* seconds per measurement */

static float source[N], back[N];
static _Alignas(64) uint8_t bytes[N * 8];

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double encode_speed(quant_encode_fn *encode)
{
	void *plane[QUANT_MAX_PLANES] = {bytes};
	double start = now(), spent;
	size_t rounds = 0;
	do {
		encode(source, plane, N, NULL);
		rounds++;
	} while ((spent = now() - start) < AT_LEAST);
	return (double)rounds * sizeof source / spent / 1e6;
}

static double decode_speed(quant_decode_fn *decode)
{
	const void *plane[QUANT_MAX_PLANES] = {bytes};
	double start = now(), spent;
	size_t rounds = 0;
	do {
		decode(plane, back, N);
		rounds++;
	} while ((spent = now() - start) < AT_LEAST);
	return (double)rounds * sizeof back / spent / 1e6;
}

static void line(const char *name, const char *isa, quant_encode_fn *encode, quant_decode_fn *decode, double base[2])
{
	double e = encode ? encode_speed(encode) : 0, d = decode ? decode_speed(decode) : 0;
	base[0] = base[0] > 0 ? base[0] : e;
	base[1] = base[1] > 0 ? base[1] : d;
	printf("%-8s %-7s", name, isa);
	encode ? printf(" %9.0f %6.1f", e, e / base[0]) : printf(" %16s", "");
	decode ? printf(" %9.0f %6.1f\n", d, d / base[1]) : printf("\n");
}

static void measure(const struct heft_encoding *e)
{
	double base[2] = {0, 0};
	void *plane[QUANT_MAX_PLANES] = {bytes};
	if (e->encode)
		e->encode(source, plane, N, NULL);
	line(e->name, "scalar", e->encode, e->decode, base);
	for (size_t i = 0; quant_kernel_at(i); i++) {
		const struct quant_kernel *k = quant_kernel_at(i);
		if (!strcmp(k->encoding, e->name) && quant_isa_usable(k->isa))
			line(e->name, quant_isa_name(k->isa), k->encode, k->decode, base);
	}
}

static void processor(void)
{
	char text[256];
	FILE *f = fopen("/proc/cpuinfo", "r");
	while (f && fgets(text, sizeof text, f))
		if (!strncmp(text, "model name", 10)) {
			fputs(text, stdout);
			break;
		}
	if (f)
		fclose(f);
}

static void compare(void)
{
	struct quant_sums s = {0};
	double start = now(), spent;
	size_t rounds = 0;
	do {
		quant_compare(source, back, N, &s);
		rounds++;
	} while ((spent = now() - start) < AT_LEAST);
	printf("error sums       %9.0f (both sides)\n", (double)rounds * 2 * sizeof source / spent / 1e6);
}

int main(int argc, char **argv)
{
	processor();
	for (int i = 0; i < N; i += ROWS_COLS)
		rows_fill(ROWS_weights, i / ROWS_COLS, source + i);
	printf("%-8s %-7s %16s %16s\n%-16s %9s %6s %9s %6s\n", "type", "by", "encode", "decode", "", "MB/s", "x",
	       "MB/s", "x");
	for (size_t i = 0; quant_at(i); i++) {
		bool wanted = argc == 1 && quant_at(i)->encode;
		for (int a = 1; a < argc; a++)
			wanted |= !strcmp(argv[a], quant_at(i)->name);
		if (wanted)
			measure(quant_at(i));
	}
	compare();
	return 0;
}
