/*
 * nf4_nested.c - scales of NF4 and FP4 as 8-bit codes: see nf4.h. All as bitsandbytes 0.50 and PyTorch have it on a processor.
 *
 *   map      -1 < .. 64 values .. < -0.1 < .. 32 .. < -0.01 < ..       ..  -0.0000055, 0, 0.0000055  ..         1
 *            a decade's are the middles of equal parts
 *   code     of the value that is nearest to the middle of the scale's 65536th of -1 .. 1
 *
 *   sum      | 8 lanes | 8 lanes | 8 lanes | 8 lanes |     rows of four vectors are added up to the first level; that to the second
 *            | 8 lanes | ...                               after so many rows, and so on; then the vectors and numbers that are left
 */
#include "nf4.h"

#include <string.h>

enum { DECADES = 7, LANES = 8, ROW = 4, LEVELS = 4, LEAST_BITS = 4, STEPS = 65535 };

/* Of the numbers that part 0.1f .. 1 into n, the k-th: counted from the end that is nearer, and rounded once. */
static float bound(int k, int n)
{
	double step = (double)((1 - 0.1f) / (float)n);

	return k < (n + 1) / 2 ? (float)((double)0.1f + step * k) : (float)(1 - step * (n - k));
}

void nf4_map(float map[NF4_MAP])
{
	static const float decade[DECADES] = { 1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1 };
	const int zero = NF4_MAP / 2 - 1;

	for (int i = 0; i < DECADES; i++)
		for (int n = 1 << i, k = 0; k < n; k++) {
			float v = (bound(k, n) + bound(k + 1, n)) / 2 * decade[i];

			map[zero + n + k] = v;
			map[zero - n - k] = -v;
		}
	map[zero] = 0;
	map[NF4_MAP - 1] = 1;
}

/* ---- the mean ---- */

/* Rows between levels, as a power of two. */
static unsigned level_bits(size_t rows)
{
	unsigned bits = 0;

	while ((size_t)1 << bits < rows)
		bits++;
	return bits / LEVELS > LEAST_BITS ? bits / LEVELS : LEAST_BITS;
}

static void add(float *sum, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += x[i];
}

static void add_rows(const float *x, size_t rows, size_t width, float *sum)
{
	float level[LEVELS][ROW * LANES] = { { 0 } };
	unsigned bits = level_bits(rows);
	size_t mask = ((size_t)1 << bits) - 1;

	for (size_t i = 1; i <= rows; i++) {
		add(level[0], x + (i - 1) * width, width);
		for (unsigned k = 1; k < LEVELS && !(i & mask << (k - 1) * bits); k++) {
			add(level[k], level[k - 1], width);
			memset(level[k - 1], 0, sizeof *level);
		}
	}
	for (int k = 1; k < LEVELS; k++)
		add(level[0], level[k], width);
	memcpy(sum, level[0], sizeof *level);
}

float nf4_mean(const float *x, size_t n)
{
	size_t lanes = n < LANES ? 1 : LANES, rows = n / lanes / ROW, at = rows * ROW * lanes;
	float sum[ROW * LANES], all = 0;

	add_rows(x, rows, ROW * lanes, sum);
	for (; n - at >= lanes; at += lanes)
		add(sum, x + at, lanes);
	for (size_t k = 1; k < ROW; k++)
		add(sum, sum + k * lanes, lanes);
	for (; at < n; at++)
		all += x[at];
	for (size_t k = 0; k < lanes; k++)
		all += sum[k];
	return all / (float)n;
}

/* ---- codes ---- */

/* What is NaN, because all scales are alike, has the first. */
static uint8_t code_of(const float *map, float v)
{
	float step = (v + 1) * 0.5f * STEPS + 0.5f;
	unsigned index = step > 0 ? step < STEPS ? (unsigned)step : STEPS : 0;
	float x = (float)index * 2 / STEPS - 1;
	int lo = 0, hi = NF4_MAP - 1;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (x > (map[mid] + map[mid + 1]) * 0.5f)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (uint8_t)lo;
}

float nf4_nest(float *scale, size_t n, float offset, uint8_t *code)
{
	float map[NF4_MAP], most, factor;

	nf4_map(map);
	for (size_t i = 0; i < n; i++)
		scale[i] -= offset;
	most = nf4_most(scale, n);
	factor = 1 / most;
	for (size_t i = 0; i < n; i++) {
		code[i] = code_of(map, scale[i] * factor);
		scale[i] = map[code[i]] * most + offset;
	}
	return most;
}
