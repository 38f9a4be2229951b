/* coreml_write.c - the tables of palettes are the best that there are. */
#include <time.h>

#include "src/coreml/coreml_write.h"
#include "tests/tap.h"

static uint32_t state = 1;

static uint32_t next(void)
{
	state = state * 1664525u + 1013904223u;
	return state >> 8;
}

static double cost_of(const float *x, const uint32_t *w, uint32_t n, const float *table, uint32_t k)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		double least = 1e300;

		for (uint32_t c = 0; c < k; c++) {
			double d = (double)x[i] - table[c];

			least = d * d < least ? d * d : least;
		}
		sum += least * w[i];
	}
	return sum;
}

/* The least cost of all ways to cut n points into k runs: bit i of `cuts`: a run begins at i. */
static double best_cost(const float *x, const uint32_t *w, uint32_t n, uint32_t k)
{
	double best = 1e300;

	for (uint32_t cuts = 1; cuts < 1u << n; cuts += 2) {
		double sum = 0;

		if ((uint32_t)__builtin_popcount(cuts) != k)
			continue;
		for (uint32_t i = 0, j; i < n; i = j) {
			double ws = 0, xs = 0;

			for (j = i; j < n && (j == i || !(cuts >> j & 1)); j++) {
				ws += w[j];
				xs += (double)w[j] * x[j];
			}
			for (uint32_t p = i; p < j; p++)
				sum += w[p] * (x[p] - xs / ws) * (x[p] - xs / ws);
		}
		best = sum < best ? sum : best;
	}
	return best;
}

static void test_kmeans(void)
{
	int bad = 0, unsorted = 0;

	for (int round = 0; round < 300; round++) {
		float x[12], table[16];
		uint32_t w[12], n = 1 + next() % 12, k = 1u << next() % 4;

		x[0] = (float)(next() % 100) - 50;
		for (uint32_t i = 0; i < n; i++) {
			x[i] = i ? x[i - 1] + 1 + (float)(next() % 40) : x[i];
			w[i] = 1 + next() % 5;
		}
		coreml_kmeans(x, w, n, k, table);
		bad += cost_of(x, w, n, table, k) > (k < n ? best_cost(x, w, n, k) : 0) * (1 + 1e-5) + 1e-6;
		for (uint32_t c = 1; c < k; c++)
			unsorted += table[c] < table[c - 1];
	}
	is_int(bad, 0, "300 tables cost what the best of all cuts costs");
	is_int(unsorted, 0, "they ascend");
}

/* As many points as half precision has: the table is made in about n log n steps per entry, not n squared. */
static void test_many(void)
{
	static float x[63487], table[256];
	static uint32_t w[63487];
	clock_t begin = clock();

	for (uint32_t i = 0; i < 63487; i++) {
		x[i] = (float)i - 31743;
		w[i] = 1 + i % 3;
	}
	coreml_kmeans(x, w, 63487, 256, table);
	ok(table[255] > table[0], "256 entries for 63487 points");
	ok((double)(clock() - begin) / CLOCKS_PER_SEC < 60, "in less than a minute");
}

int main(void)
{
	test_kmeans();
	test_many();
	return done();
}
