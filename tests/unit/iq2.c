/*
 * iq2.c - IQ2_XXS, IQ2_XS, IQ2_S: the bits of blocks made by hand, what the encoder makes of signs, and that refining
 * makes no block worse and most better. The bytes of encoders are held by tests/unit/quant.c, kernels by
 * tests/unit/kernels.c.
 */
#include "quant/blocks.h"
#include "quant/grid.h"
#include "quant/quant.h"
#include "quant/refine.h"
#include "tests/rows.h"
#include "tests/tap.h"

static const char *const names[] = {"iq2_xxs", "iq2_xs", "iq2_s"};
static float x[ROWS_COLS], y[QK_K], weights[ROWS_COLS];

/* d = 4, scale 3: a number is 3.5 times 8, 25 or 43. */
static void by_hand(const char *name, const void *block, int at, unsigned point, unsigned signs)
{
	static const float magnitude[3] = {8, 25, 43};
	const void *plane[1] = {block};
	int right = 1;
	quant_find(name)->decode(plane, y, QK_K);
	for (int i = 0; i < 8; i++)
		right &= y[at + i] == 3.5f * magnitude[point >> 2 * i & 3] * (signs >> i & 1 ? -1.0f : 1.0f);
	ok(right, "%s: a group made by hand", name);
}

static void layouts(void)
{
	struct block_iq2_xxs xxs = {.d = 0x4400};
	struct block_iq2_xs xs = {.d = 0x4400};
	struct block_iq2_s s = {.d = 0x4400};
	xxs.qs[2][0] = 200u << 16;
	xxs.qs[2][1] = 3u << 28 | 0x13u << 14;
	by_hand("iq2_xxs", &xxs, 2 * 32 + 2 * 8, grid_get(GRID_IQ2_XXS)->point[200], 0x93);
	xs.qs[7] = 300 | 0x15 << 9;
	xs.scales[1] = 3 << 4;
	by_hand("iq2_xs", &xs, 7 * 8, grid_get(GRID_IQ2_XS)->point[300], 0x95);
	s.qs[6] = 777 & 255;
	s.qh[1] = 777 >> 8 << 4;
	s.signs[6] = 0x80;
	s.scales[1] = 3 << 4;
	by_hand("iq2_s", &s, 6 * 8, grid_get(GRID_IQ2_S)->point[777], 0x80);
}

/* Of a group with an odd number of minus signs that sign is wrong whose loss costs least. */
static void parity(void)
{
	struct block_iq2_xs block;
	void *plane[1] = {&block};
	for (int i = 0; i < QK_K; i++)
		x[i] = i % 8 == 3 ? -1.0f : i % 8 == 5 ? 0.25f : 1.0f;
	for (int i = 0; i < QK_K; i++)
		weights[i] = 1;
	quant_find("iq2_xs")->encode(x, plane, QK_K, weights);
	is_int(block.qs[0] >> 9, 1 << 3 | 1 << 5, "iq2_xs: the smallest number gives its sign up");
}

static void refined(const struct heft_encoding *e, const float *w)
{
	int worse = 0;
	double before = 0, after = 0;
	for (int r = 0; r < ROWS_N_KINDS * ROWS_PER_KIND; r++) {
		int kind = r / ROWS_PER_KIND;
		uint8_t block[QK_K];
		void *plane[1] = {block};
		rows_fill(kind, r % ROWS_PER_KIND, x);
		e->encode(x, plane, QK_K, w);
		double was = refine_block_error(e, x, w, block);
		e->refine(x, plane, QK_K, w);
		double is = refine_block_error(e, x, w, block);
		worse += is > was;
		before += kind == ROWS_normal ? was : 0;
		after += kind == ROWS_normal ? is : 0;
	}
	is_int(worse, 0, "%s: refining makes no block worse%s", e->name, w ? ", weighted" : "");
	ok(after < 0.95 * before, "%s: it lowers the error of normal rows by a twentieth%s", e->name,
	   w ? ", weighted" : "");
	printf("# %.4f\n", after / before);
}

int main(void)
{
	layouts();
	parity();
	rows_importance(weights);
	for (int i = 0; i < 3; i++) {
		refined(quant_find(names[i]), NULL);
		refined(quant_find(names[i]), weights);
	}
	return done();
}
