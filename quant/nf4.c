/*
 * nf4.c - codes of NF4 and FP4: see nf4.h. The tables of values are integer.c's.
 */
#include "nf4.h"

#include "integer.h"
#include "quant.h"

#define LEAST 1e-38f

const struct nf4_table nf4_table = {
	.name = "nf4",
	.value = integer_nf4,
	.bound = { -0x1.b239bp-1f, -0x1.38a4ep-1f, -0x1.d709p-2f, -0x1.5bd4ecp-2f, -0x1.e079d8p-3f, -0x1.1a7178p-3f, -0x1.74f0e2p-5f, 0x1.45f5fep-5f,
		   0x1.ec90c4p-4f, 0x1.a0cfcp-3f, 0x1.2b05a8p-2f, 0x1.8ea7f2p-2f, 0x1.00da08p-1f, 0x1.491b5ep-1f, 0x1.b913b4p-1f },
	.code = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
};

/* Zero is there twice: what is a little above it gets the second, -0. */
const struct nf4_table fp4_table = {
	.name = "fp4",
	.value = integer_fp4,
	.bound = { -0x1.aaaaacp-1f, -0x1.2aaaacp-1f, -0x1.aaaaacp-2f, -0x1.2aaaacp-2f, -0x1.aaaaacp-3f, -0x1.6p-4f, -0x1.555556p-9f, 0,
		   0x1.555556p-9f, 0x1.6p-4f, 0x1.aaaaacp-3f, 0x1.2aaaacp-2f, 0x1.aaaaacp-2f, 0x1.2aaaacp-1f, 0x1.aaaaacp-1f },
	.code = { 11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3 },
};

static const struct nf4_ops *kernel(size_t n)
{
#if defined(__x86_64__)
	if (n != NF4_BLOCK)
		return NULL;
	if (quant_isa_allowed(QUANT_AVX512))
		return &nf4_avx512;
	if (quant_isa_allowed(QUANT_AVX2))
		return &nf4_avx2;
#endif
	return NULL;
}

float nf4_most(const float *x, size_t n)
{
	const struct nf4_ops *ops = kernel(n);
	float most = 0;

	if (ops)
		return ops->most(x);
	for (size_t i = 0; i < n; i++) {
		float v = x[i] < 0 ? -x[i] : x[i];

		most = v > most ? v : most;
	}
	return most;
}

float nf4_codes(const struct nf4_table *t, const float *x, size_t n, uint8_t *code, float *back)
{
	const struct nf4_ops *ops = kernel(n);
	float most = nf4_most(x, n), divisor = most > LEAST ? most : LEAST, factor = 1 / divisor, v[NF4_BLOCK];
	uint8_t place[NF4_BLOCK] = { 0 };

	if (ops) {
		ops->nearest(t, x, factor, most, code, back);
		return most;
	}
	for (size_t i = 0; i < n; i++) {
		v[i] = n == NF4_BLOCK ? x[i] * factor : x[i] / divisor;
		v[i] = v[i] == v[i] ? v[i] : 0;
	}
	for (int k = 0; k < 15; k++)
		for (size_t i = 0; i < n; i++)
			place[i] += v[i] > t->bound[k];
	if (n < NF4_BLOCK)
		most = divisor;
	for (size_t i = 0; i < n; i++) {
		code[i] = t->code[place[i]];
		back[i] = t->value[code[i]] * most;
	}
	return most;
}

void nf4_pack(const uint8_t *code, size_t n, uint8_t *byte)
{
	for (size_t i = 0; i < n; i += 2)
		byte[i / 2] = (uint8_t)(code[i] << 4 | code[i + 1]);
}

void nf4_values(const struct nf4_table *t, const uint8_t *byte, size_t n, float scale, float *value)
{
	for (size_t i = 0; i < n; i += 2) {
		value[i] = t->value[byte[i / 2] >> 4] * scale;
		value[i + 1] = t->value[byte[i / 2] & 15] * scale;
	}
}
