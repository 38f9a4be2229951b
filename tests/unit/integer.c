/* Codes and numbers of integer-quantized rows: the worked examples of each layout, and streams of every width read two ways. */
#include "../../quant/integer.h"
#include "tests/tap.h"

static void check_codes(const char *what, const uint8_t *code, size_t n, unsigned first, unsigned mask)
{
	size_t bad = n;

	for (size_t i = n; i--;)
		if (code[i] != ((first + i) & mask))
			bad = i;
	is_int(bad, n, "%s", what);
}

static void streams(void)
{
	const uint32_t ct4 = 0x76543210, gptq4 = 0x87654321, three[3] = {0x88fac688, 0xc688fac6, 0xfac688fa}, eight = 0x03020100;
	uint8_t code[32];

	integer_unpack(&ct4, 4, 8, code);
	check_codes("4 bits: 0x76543210 is 0 to 7", code, 8, 0, 15);
	integer_unpack(&gptq4, 4, 8, code);
	check_codes("4 bits: 0x87654321 is 1 to 8", code, 8, 1, 15);
	integer_unpack(three, 3, 32, code);
	check_codes("3 bits: three words, codes that cross them", code, 32, 0, 7);
	integer_unpack(&eight, 8, 4, code);
	check_codes("8 bits", code, 4, 0, 255);
}

/* Bit by bit, as the header defines the stream. */
static uint8_t slow_code(const uint8_t *stream, unsigned bits, size_t i)
{
	uint8_t v = 0;

	for (unsigned b = 0; b < bits; b++) {
		size_t at = i * bits + b;

		v |= (uint8_t)((stream[at / 8] >> at % 8 & 1) << b);
	}
	return v;
}

static void widths(void)
{
	uint8_t bytes[64], code[64];
	uint32_t seed = 1;

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
	for (unsigned bits = 1; bits <= 8; bits++) {
		int wrong = 0;

		for (size_t n = 0; n <= 64; n++) {
			uint8_t *exact = malloc((n * bits + 7) / 8 + 1); /* so that a sanitizer sees a byte too many */

			memcpy(exact, bytes, (n * bits + 7) / 8);
			exact = realloc(exact, (n * bits + 7) / 8 + !n);
			integer_unpack(exact, bits, n, code);
			for (size_t i = 0; i < n; i++)
				wrong += code[i] != slow_code(bytes, bits, i);
			free(exact);
		}
		is_int(wrong, 0, "%u bits: rows of 0 to 64 codes, bit by bit", bits);
	}
	integer_unpack_words((const uint32_t[]){0x3f << 24 | 0x5a5a5a, 7}, 3, 11, code);
	is_int(code[0], 2, "3 bits, ten in a word: the first");
	is_int(code[9], 7, "3 bits, ten in a word: the tenth");
	is_int(code[10], 7, "3 bits, ten in a word: the first of the next");
}

static void awq(void)
{
	const uint32_t word[2] = {0x86427531, 0x75310000};
	uint8_t column[2];
	int wrong = 0;

	for (unsigned o = 0; o < 8; o++) {
		integer_unpack_awq(word, 2, o, column);
		wrong += column[0] != o + 1 || column[1] != (o % 2 ? o : 0);
	}
	is_int(wrong, 0, "AWQ: 0x86427531 is 1 to 8, for eight rows");
}

static void values(void)
{
	const uint8_t code[5] = {0, 15, 8, 7, 9};
	const float scale[3] = {0.5f, -2, 4}, zero[3] = {8, 0, 8};
	const uint32_t index[5] = {2, 1, 0, 0, 2};
	struct integer_row r = {.n = 5, .group = 2, .scale = scale, .zero = zero};
	float v[5];

	integer_values(&r, code, v);
	ok(v[0] == -4 && v[1] == 3.5f && v[2] == -16 && v[3] == -14 && v[4] == 4, "groups of two, the last one shorter");
	r.index = index;
	integer_values(&r, code, v);
	ok(v[0] == -32 && v[1] == -30 && v[2] == 0 && v[3] == -0.5f && v[4] == 4, "act-order: each column names its group");
}

/* 3 * 0x1.008p0 is no brain float, nor is its sum with the bias: two roundings. */
static void mlx(void)
{
	const uint8_t code[2] = {3, 255};
	const float scale = 0x1.02p0f, bias = 0x1p-7f;
	struct integer_row r = {.n = 2, .group = 64, .scale = &scale, .zero = &bias};
	float v[2];

	integer_values_mlx(&r, code, NULL, v);
	ok(v[0] == 3 * scale + bias && v[1] == 255 * scale + bias, "MLX with floats as scales");
	integer_values_mlx(&r, code, integer_round_bf16, v);
	ok(v[0] == 0x1.84p1f && v[1] == 0x1p8f, "MLX with brain floats rounds the product, then the sum");
	integer_values_mlx(&r, code, integer_round_f16, v);
	ok(v[0] == 0x1.84p1f && v[1] == 0x1.01p8f, "MLX with halves");
}

static void tables(void)
{
	const uint8_t nf4[2] = {0xc0, 0xa8}, fp4[2] = {0x5b, 0x76};
	const float absmax[2] = {1, 2};
	float v[4];

	integer_values_table(nf4, 4, integer_nf4, absmax, 0, 64, v);
	ok(v[0] == 0.44070982933044434f && v[1] == -1 && v[2] == 0.24611230194568634f && v[3] == 0.07958029955625534f, "NF4: C0 A8");
	integer_values_table(fp4, 4, integer_fp4, absmax, 62, 64, v);
	ok(v[0] == 0.5f && v[1] == -1 && v[2] == 0.5f && v[3] == 0.33333334f, "FP4: 5B 76, across the border of two blocks");
}

int main(void)
{
	streams();
	widths();
	awq();
	values();
	mlx();
	tables();
	return done();
}
