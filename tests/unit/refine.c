/*
 * refine.c - what --effort high promises, for every encoding that has a refine function: no block is ever worse, a second
 * time neither; bytes that depend on nothing but the block; less error by a stated share on rows like those of models;
 * and numbers that are not too small on the whole.
 *
 * To see it fail: let settle() in quant/refine.c keep any block, or drop a try of quant/refine_runs.c.
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

static void refine(const struct heft_encoding *e, uint8_t *bytes, const float *w)
{
	for (int r = 0; r < ROWS_PER_KIND; r++) {
		void *plane[QUANT_MAX_PLANES] = {bytes + r * row_bytes(e)};
		quant_refine(e, rows + r * ROWS_COLS, plane, ROWS_COLS, w);
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

/* Of all rows; of nothing but zeros where there are no bytes. */
static double error_of(const struct heft_encoding *e, const uint8_t *bytes, const float *w)
{
	static const float zeros[REFINE_BLOCK];
	double sum = 0;
	for (size_t i = 0; i < N && !bytes; i += REFINE_BLOCK)
		sum += refine_error(rows + i, zeros, w ? w + i % ROWS_COLS : NULL, REFINE_BLOCK);
	for (size_t i = 0; i < N && bytes; i += e->block)
		sum += refine_block_error(e, rows + i, w ? w + i % ROWS_COLS : NULL, bytes + i / e->plane[0].cols * e->plane[0].bytes);
	return sum;
}

static void measure(void)
{
	static const float x[48] = {1, 2, [38] = 3}, y[48] = {0.5f, 2, [38] = -1}, w[48] = {4, 1, [38] = 0.5f};
	ok(refine_error(x, y, NULL, 48) == 16.25, "the error is the sum of squares");
	ok(refine_error(x, y, w, 48) == 9, "weighted by importance");
	float huge[256] = {INFINITY};
	uint8_t block[256] = {0}, candidate[256] = {1, 2, 3};
	double error = refine_block_error(quant_find("q4_k"), huge, NULL, block);
	ok(!refine_keep(quant_find("q4_k"), huge, NULL, candidate, block, &error) && !block[0],
	   "a block without a finite error stays as it is");
}

static void check_rows(const struct heft_encoding *e, const float *w)
{
	int bad = 0, bad_again = 0, differ = 0;
	for (int kind = 0; kind < ROWS_N_KINDS; kind++) {
		for (int r = 0; r < ROWS_PER_KIND; r++)
			rows_fill(kind, r, rows + r * ROWS_COLS);
		encode(e, before, w);
		memcpy(after, before, sizeof after);
		refine(e, after, w);
		bad += worse(e, before, after, w);
		memcpy(other, before, sizeof other);
		refine(e, other, w);
		differ += memcmp(after, other, ROWS_PER_KIND * row_bytes(e)) != 0;
		refine(e, other, w);
		bad_again += worse(e, after, other, w);
	}
	is_int(bad, 0, "%s%s: no block is worse", e->name, w ? ", weighted" : "");
	is_int(differ, 0, "%s%s: the same bytes twice", e->name, w ? ", weighted" : "");
	is_int(bad_again, 0, "%s%s: none is worse when refined again", e->name, w ? ", weighted" : "");
}

/* One block at a time, from its own memory. */
static void check_alone(const struct heft_encoding *e)
{
	int differ = 0;
	for (int r = 0; r < ROWS_PER_KIND; r++)
		rows_fill(ROWS_tails, r, rows + r * ROWS_COLS);
	encode(e, before, importance);
	memcpy(after, before, sizeof after);
	refine(e, after, importance);
	for (size_t i = 0; i < N; i += e->block) {
		size_t at = i / e->plane[0].cols * e->plane[0].bytes, size = e->block / e->plane[0].cols * e->plane[0].bytes;
		void *plane[QUANT_MAX_PLANES] = {before + at};
		quant_refine(e, rows + i, plane, e->block, importance + i % ROWS_COLS);
		differ += memcmp(before + at, after + at, size) != 0;
	}
	is_int(differ, 0, "%s: a block's bytes do not depend on those beside it", e->name);
}

/* Percent of the encoder's squared error that is gone from normal numbers, without and with importance (or less than none: not
 * without); whether the blocks' scales have the room to be widened. */
static const struct {
	const char *name;
	double plain, weighted;
	bool wide;
} gains[] = {
	{"q4_0", 9, 13, true},	  {"q4_1", 17, 24, true},  {"q5_0", 12, 21, true},   {"q5_1", 20, 16, true},	{"q8_0", 23, 60, false},
	{"q2_k", 22, 19, true},	  {"q3_k", 9, 12, true},   {"q4_k", 4.5, 25, true},  {"q5_k", 12, 28, true},	{"q6_k", 15, 33, true},
	{"iq1_s", -1, 17, true},  {"iq1_m", -1, 18, true}, {"iq2_xxs", -1, 70, true}, {"iq2_xs", -1, 29, true}, {"iq2_s", -1, 26, true},
	{"iq3_xxs", -1, 28, true}, {"iq3_s", 39, 30, true}, {"iq4_nl", 5, 19, true},  {"iq4_xs", 5.5, 19, true}, {"mxfp4", 6, 5, false},
	{"nvfp4", 27, 67, false}, {"q1_0", -1, 1, false},  {"q2_0", 73, 82, true},   {"tq1_0", 67, 71, true},	{"tq2_0", 67, 71, true},
};

/* How much of the numbers themselves is missing: 1 - sum of w x y / sum of w x x. */
static double missing(const struct heft_encoding *e, const uint8_t *bytes, const float *w)
{
	static float y[N];
	double xx = 0, xy = 0;
	const void *plane[QUANT_MAX_PLANES] = {bytes};
	e->decode(plane, y, N);
	for (int i = 0; i < N; i++) {
		double wx = (w ? w[i % ROWS_COLS] : 1) * rows[i];
		xx += wx * rows[i];
		xy += wx * y[i];
	}
	return fabs(1 - xy / xx);
}

static void check_gain(size_t i, const float *w, double percent)
{
	const struct heft_encoding *e = quant_find(gains[i].name);
	const char *how = w ? ", weighted" : "";
	for (int r = 0; r < ROWS_PER_KIND; r++)
		rows_fill(ROWS_normal, r, rows + r * ROWS_COLS);
	encode(e, before, w);
	memcpy(after, before, sizeof after);
	refine(e, after, w);
	double error = error_of(e, after, w), part = error / error_of(e, NULL, w), gone = missing(e, after, w);
	double gain = 100 - 100 * error / error_of(e, before, w);
	ok(gain >= percent, "%s%s: %.1f%% less error, at least %.0f", e->name, how, gain, percent);
	if (gains[i].wide)
		ok(gone < 0.5 * part, "%s%s: %.2f%% of the numbers are missing, where %.2f%% are error", e->name, how, 100 * gone,
		   100 * part);
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
		check_rows(e, NULL);
		check_rows(e, importance);
		check_alone(e);
	}
	for (size_t i = 0; i < sizeof gains / sizeof *gains; i++) {
		if (gains[i].plain >= 0)
			check_gain(i, NULL, gains[i].plain);
		check_gain(i, importance, gains[i].weighted);
	}
	return done();
}
