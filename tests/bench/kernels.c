/*
 * kernels.c - how fast each encoding is, by the scalar C and by each kernel of the table that this processor has: MB/s
 * of F32 on one core, and how many times the scalar speed that is. Prints a table of Markdown; a kernel that is added
 * to quant/kernels.h appears by itself. Weights are made up.
 *
 * usage: kernels [TYPE ...]
 *        kernels --isas                        the instruction sets that this processor has kernels for
 *        kernels --encode TYPE weights|"" ISA  only how fast one kernel encodes, and how many times the scalar speed that is
 */
#include "quant/quant.h"
#include "tests/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	N = 64 * 1024, /* numbers: 256 KiB, so that memory is not what is measured */
	ROW = 4096,    /* with weights a call is one row */
};
enum { TURNS = 3 };	/* the best of these is told */
#define AT_LEAST 0.03 /* seconds of each */

static float source[N], back[N], weights[ROW];
static _Alignas(64) uint8_t bytes[N * 8];

/* One way to do the work: the scalar C, or one kernel. NULL: not by this one. */
struct way {
	quant_encode_fn *encode;
	quant_decode_fn *decode;
	quant_refine_fn *refine;
};

/* This thread's own time: what else runs on the machine does not count, as far as it leaves the caches alone. */
static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t row_bytes(const struct heft_encoding *e)
{
	uint64_t size = 0;
	quant_plane_size(e, 0, 1, ROW, &size);
	return size;
}

/* All rows once, by an encoder or a refiner. */
static void each_row(const struct heft_encoding *e, quant_encode_fn *fn, const float *w)
{
	for (size_t i = 0; i < N / ROW; i++)
		fn(source + i * ROW, (void *[]){bytes + i * row_bytes(e)}, ROW, w);
}

enum job { ENCODE, ENCODE_WEIGHTED, DECODE, REFINE, N_JOBS };

static bool has(const struct heft_encoding *e, const struct way *w, enum job job)
{
	switch (job) {
	case ENCODE:
		return w->encode && !e->needs_weights;
	case ENCODE_WEIGHTED: /* what knows no weights is no slower with them */
		return w->encode && e->class == QUANT_BLOCK;
	case DECODE:
		return w->decode;
	default:
		return w->refine;
	}
}

static void once(const struct heft_encoding *e, const struct way *w, enum job job)
{
	switch (job) {
	case ENCODE:
		each_row(e, w->encode, NULL);
		break;
	case ENCODE_WEIGHTED:
		each_row(e, w->encode, weights);
		break;
	case DECODE:
		w->decode((const void *[]){bytes}, back, N);
		break;
	default:
		each_row(e, w->refine, weights);
	}
}

static double speed(const struct heft_encoding *e, const struct way *w, enum job job)
{
	double best = 0;
	for (int turn = 0; turn < TURNS; turn++) {
		double start = now(), spent;
		size_t rounds = 0;
		do {
			once(e, w, job);
			rounds++;
		} while ((spent = now() - start) < AT_LEAST);
		best = fmax(best, (double)rounds * sizeof source / spent / 1e6);
	}
	return best;
}

/* A line of the table; base holds the scalar speeds, taken from the first line. */
static void line(const struct heft_encoding *e, const char *isa, const struct way *w, double base[N_JOBS])
{
	printf("| %s | %s |", e->name, isa);
	for (enum job job = 0; job < N_JOBS; job++) {
		double v = has(e, w, job) ? speed(e, w, job) : 0;
		base[job] = base[job] > 0 ? base[job] : v;
		v > 0 ? printf(" %.0f | %.1f |", v, v / base[job]) : printf(" | |");
	}
	printf("\n");
	fflush(stdout);
}

/* An instruction set's kernels of one encoding, which may stand in several rows of the table. */
static bool gather(const struct heft_encoding *e, enum quant_isa isa, struct way *w)
{
	*w = (struct way){0};
	for (size_t i = 0; quant_isa_usable(isa) && quant_kernel_at(i); i++) {
		const struct quant_kernel *k = quant_kernel_at(i);
		if (strcmp(k->encoding, e->name) || k->isa != isa)
			continue;
		w->encode = k->encode ? k->encode : w->encode;
		w->decode = k->decode ? k->decode : w->decode;
		w->refine = k->refine ? k->refine : w->refine;
	}
	return w->encode || w->decode || w->refine;
}

static void measure(const struct heft_encoding *e)
{
	double base[N_JOBS] = {0};
	struct way w = {e->encode, e->decode, e->refine};
	if (e->encode)
		each_row(e, e->encode, weights);
	line(e, "scalar", &w, base);
	for (enum quant_isa isa = QUANT_SCALAR + 1; isa <= QUANT_AVX512; isa++)
		if (gather(e, isa, &w))
			line(e, quant_isa_name(isa), &w, base);
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
	printf("\nError sums: %.0f MB/s of F32 on each side.\n", (double)rounds * sizeof source / spent / 1e6);
}

static void list_isas(void)
{
	for (enum quant_isa isa = QUANT_AVX512; isa > QUANT_SCALAR; isa--)
		if (quant_isa_usable(isa))
			puts(quant_isa_name(isa));
}

/* Nothing where the instruction set has no kernel for it. */
static int encode_speed(const char *type, bool weighted, const char *isa_name)
{
	const struct heft_encoding *e = quant_find(type);
	enum job job = weighted || (e && e->needs_weights) ? ENCODE_WEIGHTED : ENCODE;
	enum quant_isa isa = QUANT_AVX512;
	struct way w, scalar;
	while (isa > QUANT_SCALAR && strcmp(quant_isa_name(isa), isa_name))
		isa--;
	if (!e)
		return 1;
	scalar = (struct way){.encode = e->encode};
	if (gather(e, isa, &w) && w.encode) {
		double mb = speed(e, &w, job);
		printf("%.0f %.1f\n", mb, mb / speed(e, &scalar, job));
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--isas"))
		return list_isas(), 0;
	for (int i = 0; i < N; i += ROWS_COLS)
		rows_fill(ROWS_weights, i / ROWS_COLS, source + i);
	for (int i = 0; i < ROW; i += ROWS_COLS)
		rows_importance(weights + i);
	if (argc == 5 && !strcmp(argv[1], "--encode"))
		return encode_speed(argv[2], argv[3][0], argv[4]);
	printf("| type | by | encode, MB/s | x | with weights | x | decode | x | refine | x |\n"
	       "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
	for (size_t i = 0; quant_at(i); i++) {
		bool wanted = argc == 1 && quant_at(i)->encode && quant_at(i)->n_planes == 1;
		for (int a = 1; a < argc; a++)
			wanted |= !strcmp(argv[a], quant_at(i)->name);
		if (wanted)
			measure(quant_at(i));
	}
	compare();
	return 0;
}
