/*
 * refine.c - what --effort high promises, for every encoding that has a refine function, scalar and as this processor
 * runs it: no block is ever worse, a second time neither; bytes that depend on nothing but the block; and less error by
 * a stated share on rows like those of models.
 *
 * To see it fail: let refine_keep() copy where the error is not less, or drop a try of quant/refine_runs.c.
 */
#include "quant/refine.h"
#include "quant/quant.h"
#include "tests/rows.h"
#include "tests/tap.h"

#include <math.h>

enum { N = ROWS_PER_KIND * ROWS_COLS };

static float rows[N], importance[ROWS_COLS], ones[ROWS_COLS];
static uint8_t before[N * 8], after[N * 8], other[N * 8];

static size_t row_bytes(const struct heft_encoding *e)
{
	return (size_t)ROWS_COLS / e->plane[0].cols * e->plane[0].bytes;
}

/* All rows, one at a time. */
static void encode(const struct heft_encoding *e, uint8_t *to, const float *w)
{
	for (int r = 0; r < ROWS_PER_KIND; r++) {
		void *plane[QUANT_MAX_PLANES] = {to + r * row_bytes(e)};
		quant_encoder(e)(rows + r * ROWS_COLS, plane, ROWS_COLS, w || !e->needs_weights ? w : ones);
	}
}

static void refine(const struct heft_encoding *e, quant_refine_fn *f, uint8_t *bytes, const float *w)
{
	for (int r = 0; r < ROWS_PER_KIND; r++) {
		void *plane[QUANT_MAX_PLANES] = {bytes + r * row_bytes(e)};
		f(rows + r * ROWS_COLS, plane, ROWS_COLS, w);
	}
}

/* Blocks that are worse in b than in a. */
static int worse(const struct heft_encoding *e, const uint8_t *a, const uint8_t *b, const float *w)
{
	int bad = 0;
	for (size_t i = 0; i < N; i += e->block) {
		size_t at = i / e->plane[0].cols * e->plane[0].bytes;
		const float *here = w ? w + i % ROWS_COLS : NULL;
		double first = refine_block_error(e, rows + i, here, a + at), then = refine_block_error(e, rows + i, here, b + at);
		bad += then > first || (isfinite(first) && !isfinite(then));
	}
	return bad;
}

static double error_of(const struct heft_encoding *e, const uint8_t *bytes, const float *w)
{
	double sum = 0;
	for (size_t i = 0; i < N; i += e->block)
		sum += refine_block_error(e, rows + i, w ? w + i % ROWS_COLS : NULL, bytes + i / e->plane[0].cols * e->plane[0].bytes);
	return sum;
}

static void measure(void)
{
	static const float x[40] = {1, 2, [38] = 3}, y[40] = {0.5f, 2, [38] = -1}, w[40] = {4, 1, [38] = 0.5f};
	ok(refine_error(x, y, NULL, 40) == 16.25, "the error is the sum of squares");
	ok(refine_error(x, y, w, 40) == 9, "weighted by importance");
	float huge[256] = {INFINITY};
	uint8_t block[256] = {0}, candidate[256] = {1, 2, 3};
	double error = refine_block_error(quant_find("q4_k"), huge, NULL, block);
	ok(!refine_keep(quant_find("q4_k"), huge, NULL, candidate, block, &error) && !block[0],
	   "a block without a finite error stays as it is");
}

static void check_rows(const struct heft_encoding *e, quant_refine_fn *f, const char *how, const float *w)
{
	int bad = 0, bad_again = 0, differ = 0;
	for (int kind = 0; kind < ROWS_N_KINDS; kind++) {
		for (int r = 0; r < ROWS_PER_KIND; r++)
			rows_fill(kind, r, rows + r * ROWS_COLS);
		encode(e, before, w);
		memcpy(after, before, sizeof after);
		refine(e, f, after, w);
		bad += worse(e, before, after, w);
		memcpy(other, before, sizeof other);
		refine(e, f, other, w);
		differ += memcmp(after, other, ROWS_PER_KIND * row_bytes(e)) != 0;
		refine(e, f, other, w);
		bad_again += worse(e, after, other, w);
	}
	is_int(bad, 0, "%s, %s%s: no block is worse", e->name, how, w ? ", weighted" : "");
	is_int(differ, 0, "%s, %s%s: the same bytes twice", e->name, how, w ? ", weighted" : "");
	is_int(bad_again, 0, "%s, %s%s: none is worse when refined again", e->name, how, w ? ", weighted" : "");
}

/* One block at a time, from its own memory. */
static void check_alone(const struct heft_encoding *e)
{
	int differ = 0;
	for (int r = 0; r < ROWS_PER_KIND; r++)
		rows_fill(ROWS_tails, r, rows + r * ROWS_COLS);
	encode(e, before, importance);
	memcpy(after, before, sizeof after);
	refine(e, quant_refiner(e), after, importance);
	for (size_t i = 0; i < N; i += e->block) {
		size_t at = i / e->plane[0].cols * e->plane[0].bytes, size = e->block / e->plane[0].cols * e->plane[0].bytes;
		void *plane[QUANT_MAX_PLANES] = {before + at};
		quant_refiner(e)(rows + i, plane, e->block, importance + i % ROWS_COLS);
		differ += memcmp(before + at, after + at, size) != 0;
	}
	is_int(differ, 0, "%s: a block's bytes do not depend on those beside it", e->name);
}

/* Percent of the encoder's squared error that is gone from normal numbers, without and with importance. */
static const struct {
	const char *name;
	double plain, weighted;
} gains[] = {
	{"q4_0", 9, 11},  {"q4_1", 17, 11}, {"q5_0", 12, 17}, {"q5_1", 20, 8},	{"q8_0", 23, 50},
	{"q2_k", 23, 19}, {"q3_k", 9, 11},  {"q4_k", 4.5, 14}, {"q5_k", 12, 25}, {"q6_k", 14, 30},
};

static void check_gain(const char *name, const float *w, double percent)
{
	const struct heft_encoding *e = quant_find(name);
	for (int r = 0; r < ROWS_PER_KIND; r++)
		rows_fill(ROWS_normal, r, rows + r * ROWS_COLS);
	encode(e, before, w);
	memcpy(after, before, sizeof after);
	refine(e, quant_refiner(e), after, w);
	double gain = 100 - 100 * error_of(e, after, w) / error_of(e, before, w);
	ok(gain >= percent, "%s%s: %.1f%% less error, at least %.0f", name, w ? ", weighted" : "", gain, percent);
}

int main(void)
{
	rows_importance(importance);
	for (int i = 0; i < ROWS_COLS; i++)
		ones[i] = 1;
	measure();
	for (size_t i = 0; quant_at(i); i++) {
		const struct heft_encoding *e = quant_at(i);
		if (!e->refine)
			continue;
		check_rows(e, quant_refiner(e), "this processor", NULL);
		check_rows(e, quant_refiner(e), "this processor", importance);
		check_alone(e);
	}
	for (size_t i = 0; i < sizeof gains / sizeof *gains; i++) {
		check_gain(gains[i].name, NULL, gains[i].plain);
		check_gain(gains[i].name, importance, gains[i].weighted);
	}
	return done();
}
