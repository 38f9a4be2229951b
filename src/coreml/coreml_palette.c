/*
 * coreml_palette.c - k-means in one dimension, exactly.
 *
 * In a best grouping of sorted points each group is a run. best[j] of k groups is the least best[i - 1] of k - 1 plus the cost of one group
 * i..j, and the i that is best grows with j: so the middle j is solved first, and each half needs only its side of that i. Levels of halves
 * are a loop, not a recursion. O(k n log n) for the at most 63487 numbers of f16.
 *
 *   cost of a run with weights w: sum w x^2 - (sum w x)^2 / sum w, from running sums
 */
#include "coreml_write.h"

#include <stdlib.h>

struct sums { /* of the points before one */
	double w, x, xx;
};

static double cost(const struct sums *s, uint32_t i, uint32_t j)
{
	double w = s[j + 1].w - s[i].w, x = s[j + 1].x - s[i].x, c = s[j + 1].xx - s[i].xx - x * x / w;

	return c > 0 ? c : 0;
}

/* The best first point of the last run that ends with j, from lo to hi. */
static void solve(const struct sums *s, const double *before, double *now, uint16_t *first, uint32_t j, uint32_t lo, uint32_t hi)
{
	now[j] = before[lo] + cost(s, lo, j);
	first[j] = (uint16_t)lo;
	for (uint32_t i = lo + 1; i <= hi; i++) {
		double c = before[i] + cost(s, i, j);

		if (c < now[j]) {
			now[j] = c;
			first[j] = (uint16_t)i;
		}
	}
}

/* before[i]: the cost of the points before i in one run less. */
static void next_layer(const struct sums *s, uint32_t n, const double *before, double *now, uint16_t *first)
{
	uint32_t step = 1;

	while (step < n)
		step *= 2;
	for (; step; step /= 2)
		for (uint32_t j = step - 1; j < n; j += 2 * step) {
			uint32_t lo = j >= step ? first[j - step] : 0, hi = j + step < n ? first[j + step] : j;

			solve(s, before, now, first, j, lo, hi < j ? hi : j);
		}
}

static struct sums *running_sums(const float *point, const uint32_t *weight, uint32_t n)
{
	struct sums *s = xmalloc((n + 1) * sizeof *s);

	s[0] = (struct sums){ 0 };
	for (uint32_t i = 0; i < n; i++) {
		double x = point[i], w = weight[i];

		s[i + 1] = (struct sums){ s[i].w + w, s[i].x + w * x, s[i].xx + w * x * x };
	}
	return s;
}

void coreml_kmeans(const float *point, const uint32_t *weight, uint32_t n, uint32_t k, float *out)
{
	struct sums *s = running_sums(point, weight, n);
	double *before = xmalloc((n + 1) * sizeof *before), *now = xmalloc((n + 1) * sizeof *now), *swap;
	uint32_t runs = k < n ? k : n;
	uint16_t *first = xmalloc(((size_t)runs * n + 1) * sizeof *first);

	for (uint32_t i = 0; i <= n; i++)
		before[i] = i ? 1e300 : 0;
	for (uint32_t r = 0; r < runs; r++) {
		next_layer(s, n, before, now, first + (size_t)r * n);
		swap = before; /* of the points before i: those that end with i - 1 */
		for (uint32_t i = n; i > 0; i--)
			swap[i] = now[i - 1];
		swap[0] = 1e300;
	}
	for (uint32_t r = runs, end = n; r-- > 0;) {
		uint32_t i = first[(size_t)r * n + end - 1];

		out[r] = (float)((s[end].x - s[i].x) / (s[end].w - s[i].w));
		end = i;
	}
	for (uint32_t r = runs; r < k; r++)
		out[r] = out[runs - 1];
	free(s);
	free(before);
	free(now);
	free(first);
}
