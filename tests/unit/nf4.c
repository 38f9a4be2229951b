/*
 * nf4.c - scales that are quantized in turn: the order in which their mean is added up, the map, the codes. Wanted are the numbers of
 * PyTorch (one thread) and bitsandbytes 0.50.2.
 */
#include "quant/nf4.h"
#include "tests/tap.h"

#include <stdlib.h>

/* 1 to 1013 in no order, by three: sums are rounded. */
static void fill(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(i * 7919 % 1013 + 1) / 3;
}

static void test_mean(void)
{
	static const struct { size_t n; float want; } rows[] = {
		{ 1, 0x1.555556p-2f }, { 7, 0x1.32p+7f }, { 8, 0x1.48cp+7f }, { 31, 0x1.5ef23cp+7f }, { 100, 0x1.5258bep+7f }, { 513, 0x1.532318p+7f },
		{ 1000, 0x1.529736p+7f }, { 20011, 0x1.5209e8p+7f }, { 70001, 0x1.51ffc8p+7f },
	};
	float *x = malloc(70001 * sizeof *x);

	fill(x, 70001);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ok(nf4_mean(x, rows[i].n) == rows[i].want, "mean of %d scales", (int)rows[i].n);
	free(x);
}

static void test_map(void)
{
	static const struct { int code; float want; } rows[] = {
		{ 0, -0x1.fc6666p-1f }, { 1, -0x1.f53334p-1f }, { 18, -0x1.7accccp-1f }, { 126, -0x1.27476ep-21f }, { 127, 0 }, { 128, 0x1.27476ep-21f },
		{ 200, 0x1.de6666p-3f }, { 254, 0x1.fc6666p-1f }, { 255, 1 },
	};
	float map[NF4_MAP];
	double sum = 0;

	nf4_map(map);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ok(map[rows[i].code] == rows[i].want, "code %d", rows[i].code);
	for (int i = 0; i < NF4_MAP; i++)
		sum += (double)map[i] * i;
	ok(sum == 0x1.e63a07a2c6735p+12, "all codes");
}

static void test_nest(void)
{
	static const uint8_t want[16] = { 0, 228, 202, 63, 38, 12, 240, 214, 179, 50, 24, 252, 226, 201, 62, 36 };
	float scale[NF4_NESTED], map[NF4_MAP], offset, most;
	uint8_t code[NF4_NESTED];
	int sum = 0;

	nf4_map(map);
	fill(scale, NF4_NESTED);
	offset = nf4_mean(scale, NF4_NESTED);
	most = nf4_nest(scale, NF4_NESTED, offset, code);
	for (int i = 0; i < NF4_NESTED; i++)
		sum += i * code[i];
	ok(offset == 0x1.5536aap+7f && most == 0x1.548cp+7f, "what 256 scales are relative to");
	ok(!memcmp(code, want, sizeof want) && sum == 4149955, "their codes");
	ok(scale[1] == map[228] * most + offset, "what these stand for");
	scale[0] = scale[1] = 3;
	ok(nf4_nest(scale, 2, 3, code) == 0 && !code[0] && !code[1] && scale[0] == 3, "scales that are alike have the first code, and stay");
}

int main(void)
{
	test_mean();
	test_map();
	test_nest();
	return done();
}
