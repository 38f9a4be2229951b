/*
 * scaled.c - codes that share a scale: the loops of each instruction set against the scalar C, number by number, at ties, edges and on all
 * patterns of bits.
 */
#include "quant/nf4.h"
#include "quant/quant.h"
#include "quant/scaled.h"
#include "tests/tap.h"

#include <math.h>
#include <string.h>

enum { N = 4096 };

static const struct kind {
	const char *name;
	struct scaled s;
} kinds[] = {
	{ "4-bit integers", { SCALED_INTEGER, SCALED_REAL, 4, false, false, false, SCALED_BF16, 0 } },
	{ "4-bit integers of F16, zero points", { SCALED_INTEGER, SCALED_REAL, 4, true, false, false, SCALED_F16, 0 } },
	{ "8-bit integers of F32", { SCALED_INTEGER, SCALED_REAL, 8, false, false, true, SCALED_F32, 0 } },
	{ "e4m3", { SCALED_E4M3, SCALED_REAL, 8, false, false, false, SCALED_BF16, 0 } },
	{ "e4m3 of F16", { SCALED_E4M3, SCALED_REAL, 8, false, false, false, SCALED_F16, 0 } },
	{ "e4m3 by a factor", { SCALED_E4M3, SCALED_INVERSE, 8, false, false, false, SCALED_F32, 0 } },
	{ "e4m3, plain scales", { SCALED_E4M3, SCALED_PLAIN, 8, false, false, false, SCALED_F32, 0 } },
	{ "e4m3, e8m0", { SCALED_E4M3, SCALED_E8M0, 8, false, false, false, SCALED_F16, 0 } },
	{ "e2m1, e8m0", { SCALED_E2M1, SCALED_E8M0, 4, false, false, false, SCALED_BF16, 0 } },
	{ "e2m1 of F16, e8m0", { SCALED_E2M1, SCALED_E8M0, 4, false, false, false, SCALED_F16, 0 } },
	{ "e2m1 with -0, e8m0", { SCALED_E2M1_MINUS, SCALED_E8M0, 4, false, false, false, SCALED_BF16, 0 } },
	{ "e2m1 under a whole", { SCALED_E2M1, SCALED_DIVIDED, 4, false, false, false, SCALED_BF16, 1000 } },
	{ "GPTQ", { SCALED_INTEGER, SCALED_GPTQ, 4, false, false, false, SCALED_BF16, 0 } },
	{ "GPTQ of F16, 8 bits", { SCALED_INTEGER, SCALED_GPTQ, 8, false, false, false, SCALED_F16, 0 } },
	{ "AWQ", { SCALED_INTEGER, SCALED_AWQ, 4, true, false, false, SCALED_F16, 0 } },
	{ "e4m3, e8m0 up", { SCALED_E4M3, SCALED_E8M0_UP, 8, false, false, false, SCALED_BF16, 0 } },
	{ "e2m1 with inner ties, e8m0 up", { SCALED_E2M1_INNER, SCALED_E8M0_UP, 4, false, false, false, SCALED_BF16, 0 } },
	{ "e2m1 with inner ties, e4m3 alone", { SCALED_E2M1_INNER, SCALED_ALONE, 4, false, false, false, SCALED_F16, 0 } },
	{ "e2m1 times a whole", { SCALED_E2M1, SCALED_MULTIPLIED, 4, false, false, false, SCALED_BF16, 0.001f } },
	{ "2-bit integers with a bias", { .scale = SCALED_AFFINE, .bits = 2, .real = SCALED_F32 } },
	{ "4-bit integers with a bias", { .scale = SCALED_AFFINE, .bits = 4, .real = SCALED_BF16 } },
	{ "8-bit integers with a bias", { .scale = SCALED_AFFINE, .bits = 8, .real = SCALED_F16 } },
};

static uint32_t state = 7;

static uint32_t random_bits(void)
{
	state = state * 1664525 + 1013904223;
	return state >> 8 ^ state << 13;
}

/* Of every kind of number: any bits; ties between codes of a step, between F16's numbers around them and its smallest; bf16; what lies around the ends. */
static float number(int i, float step)
{
	uint32_t u = random_bits();
	float f;

	if (i % 64 == 1)
		return -0.0f;
	if (i % 64 == 5)
		return (float)((int)(u % 16) - 8) * 0x1p-26f * step;
	if (i % 64 == 9) /* F16 has it as a tie between codes */
		return (1 + (float)(2 * (u % 8) + 1) / 16 + 0x1p-11f) * step;
	if (i % 4 == 1)
		return (float)((int)(u % 4096) - 2048) * 0.0625f * step;
	if (i % 4 == 2)
		u &= 0xffff0000;
	if (i % 4 == 3)
		u = (u & 0x8fffffff) | 0x38000000;
	memcpy(&f, &u, sizeof f);
	return f;
}

static void compare(const struct kind *k, const struct scaled_ops *ops, enum quant_isa isa)
{
	static float x[N], back[2][N];
	static uint8_t code[2][N];
	bool codes = true, ranges = true;

	for (int round = 0; round < 24 && quant_isa_usable(isa); round++) {
		float most = ldexpf(1 + (float)round / 24, round * 9 - 100), lo[2] = { 0, 0 }, hi[2] = { 0, 0 };
		struct scaled_unit u = scaled_unit(&k->s, round % 2 ? -most : -most / 4, most);

		if (k->s.scale >= SCALED_GPTQ && !scaled_half_once(&k->s, &u))
			continue;
		for (int i = 0; i < N; i++)
			x[i] = number(i, u.step);
		ops->codes(&k->s, &u, x, N, code[0], back[0]);
		ops->range(x, N, &lo[0], &hi[0]);
		for (int i = 0; i < N; i++) { /* single numbers are the scalar's */
			scaled_codes(&k->s, &u, &x[i], 1, &code[1][i], &back[1][i]);
			scaled_range(&x[i], 1, &lo[1], &hi[1]);
			if (back[0][i] != back[0][i])
				back[0][i] = 0;
			if (back[1][i] != back[1][i])
				back[1][i] = 0;
		}
		codes &= !memcmp(code[0], code[1], N) && !memcmp(back[0], back[1], sizeof back[0]);
		ranges &= lo[0] == lo[1] && hi[0] == hi[1];
		for (int i = 0; i < N && !codes; i++)
			if (code[0][i] != code[1][i] || memcmp(&back[0][i], &back[1][i], 4)) {
				printf("# %a / %a: %d %a, scalar %d %a\n", (double)x[i], (double)u.step, code[0][i], (double)back[0][i], code[1][i], (double)back[1][i]);
				break;
			}
	}
	ok(codes, "%s, %s: the bytes of the scalar loop", k->name, quant_isa_name(isa));
	ok(ranges, "%s, %s: its range", k->name, quant_isa_name(isa));
}

/* Zeros and what rounds to them: llm-compressor adds no zero point to 8-bit floats, so that -0 keeps its sign. */
static void signs(void)
{
	static const float x[4] = { 0, -0.0f, 0x1p-30f, -0x1p-30f };
	static const uint8_t want[4] = { 0, 0x80, 0, 0x80 };
	bool good = true;

	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		struct scaled_unit u = scaled_unit(&kinds[k].s, -448, 448);
		uint8_t code[4];
		float back[4];

		if (kinds[k].s.code != SCALED_E4M3)
			continue;
		scaled_codes(&kinds[k].s, &u, x, 4, code, back);
		good &= !memcmp(code, want, 4);
	}
	ok(good, "8-bit floats: zeros keep their sign");
}

/* By its definition: the place of each number between the bounds. */
static void blocks(const struct nf4_table *t, const struct nf4_ops *ops, enum quant_isa isa)
{
	float x[NF4_BLOCK], back[NF4_BLOCK], most, factor;
	uint8_t code[NF4_BLOCK];
	bool good = true;

	for (int round = 0; round < 256 && quant_isa_usable(isa); round++) {
		float want = 0;

		for (int i = 0; i < NF4_BLOCK; i++) {
			x[i] = i % 4 ? number(i, 1) : t->bound[random_bits() % 15];
			x[i] = round % 2 && !(fabsf(x[i]) <= 1) ? 1 : x[i];
			want = fabsf(x[i]) > want ? fabsf(x[i]) : want;
		}
		most = ops->most(x);
		factor = 1 / most;
		ops->nearest(t, x, factor, most, code, back);
		good &= most == want;
		for (int i = 0; i < NF4_BLOCK; i++) {
			float v = x[i] * factor, value;
			int place = 0;

			for (int k = 0; k < 15; k++)
				place += (v == v ? v : 0) > t->bound[k];
			value = t->value[t->code[place]] * most;
			good &= code[i] == t->code[place] && (back[i] == value || value != value);
		}
	}
	ok(good, "blocks of %s, %s: codes and values", t->name, quant_isa_name(isa));
}

int main(void)
{
	signs();
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
#if defined(__x86_64__)
		compare(&kinds[i], &scaled_avx2, QUANT_AVX2);
		compare(&kinds[i], &scaled_avx512, QUANT_AVX512);
#else
		ok(!scaled_kernel(), "%s: no loops but the scalar", kinds[i].name);
#endif
	}
#if defined(__x86_64__)
	for (int i = 0; i < 2; i++) {
		blocks(i ? &fp4_table : &nf4_table, &nf4_avx2, QUANT_AVX2);
		blocks(i ? &fp4_table : &nf4_table, &nf4_avx512, QUANT_AVX512);
	}
#endif
	return done();
}
