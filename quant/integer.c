/*
 * integer.c - codes out of words, numbers out of codes: see integer.h for the diagrams.
 *
 * Sources of the facts: the packing functions of GPTQModel, AutoAWQ, compressed-tensors and bitsandbytes, and MLX's CPU backend, all of
 * which the tests compare with.
 */
#include "integer.h"

#include "bits.h"

#include <string.h>

/* Eight codes are `bits` bytes. */
static void unpack_eight(uint64_t v, unsigned bits, uint8_t *code)
{
	unsigned mask = (1u << bits) - 1;

	for (int i = 0; i < 8; i++, v >>= bits)
		code[i] = v & mask;
}

static uint64_t load_bytes(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

void integer_unpack(const void *stream, unsigned bits, size_t n, uint8_t *code)
{
	const uint8_t *p = stream;
	size_t bytes = (n * bits + 7) / 8;
	uint8_t last[8];

	if (bits == 8) {
		memcpy(code, p, n);
		return;
	}
	for (; bytes >= 8 && n >= 8; n -= 8, code += 8, p += bits, bytes -= bits)
		unpack_eight(load64(p), bits, code);
	for (; n; p += bits, bytes -= bits) {
		size_t now = n < 8 ? n : 8;

		unpack_eight(load_bytes(p, bytes < bits ? bytes : bits), bits, last);
		memcpy(code, last, now);
		code += now;
		n -= now;
		if (now < 8)
			return;
	}
}

void integer_unpack_words(const void *words, unsigned bits, size_t n, uint8_t *code)
{
	const uint8_t *p = words;
	unsigned per_word = 32 / bits, mask = (1u << bits) - 1;

	for (size_t i = 0; i < n; p += 4) {
		uint32_t v = load32(p);

		for (unsigned k = 0; k < per_word && i < n; k++, i++, v >>= bits)
			code[i] = v & mask;
	}
}

void integer_unpack_awq(const void *words, size_t n, unsigned row, uint8_t *code)
{
	static const uint8_t nibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};
	unsigned shift = 4 * nibble[row];
	const uint8_t *p = words;

	for (size_t i = 0; i < n; i++, p += 4)
		code[i] = load32(p) >> shift & 15;
}

void integer_pack(const uint8_t *code, unsigned bits, size_t n, void *stream)
{
	uint8_t *p = stream;

	for (size_t i = 0; i < n; i += 8, p += bits) {
		uint64_t v = 0;

		for (unsigned k = 0; k < 8; k++)
			v |= (uint64_t)code[i + k] << k * bits;
		for (unsigned k = 0; k < bits; k++)
			p[k] = (uint8_t)(v >> 8 * k);
	}
}

/* ---- numbers ---- */

static void values_by_index(const struct integer_row *r, const uint8_t *code, float *dst)
{
	for (size_t i = 0; i < r->n; i++)
		dst[i] = ((float)code[i] - r->zero[r->index[i]]) * r->scale[r->index[i]];
}

static void values_of_group(const uint8_t *code, size_t n, float scale, float zero, float *dst)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = ((float)code[i] - zero) * scale;
}

void integer_values(const struct integer_row *r, const uint8_t *code, float *dst)
{
	if (r->index) {
		values_by_index(r, code, dst);
		return;
	}
	for (size_t g = 0, i = 0; i < r->n; i += r->group, g++)
		values_of_group(code + i, r->n - i < r->group ? r->n - i : r->group, r->scale[g], r->zero[g], dst + i);
}

float integer_round_f16(float v)
{
	return float_of_half(half_of_float(v));
}

float integer_round_bf16(float v)
{
	return float_of_bf16(bf16_of_float(v));
}

static void values_of_group_mlx(const uint8_t *code, size_t n, float scale, float bias, integer_round_fn *round, float *dst)
{
	for (size_t i = 0; i < n; i++) {
		float product = (float)code[i] * scale;

		dst[i] = round ? round(round(product) + bias) : product + bias;
	}
}

void integer_values_mlx(const struct integer_row *r, const uint8_t *code, integer_round_fn *round, float *dst)
{
	for (size_t g = 0, i = 0; i < r->n; i += r->group, g++)
		values_of_group_mlx(code + i, r->n - i < r->group ? r->n - i : r->group, r->scale[g], r->zero[g], round, dst + i);
}

/* Quantiles of the normal distribution (QLoRA, appendix E), and bitsandbytes' own 4-bit float. */
const float integer_nf4[16] = {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
			       -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f,
			       0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
			       0.7229568362236023f, 1.0f};
const float integer_fp4[16] = {0.0f, 0.0052083335f, 0.6666667f, 1.0f, 0.33333334f, 0.5f, 0.16666667f, 0.25f,
			       0.0f, -0.0052083335f, -0.6666667f, -1.0f, -0.33333334f, -0.5f, -0.16666667f, -0.25f};

void integer_values_table(const uint8_t *byte, size_t n, const float table[16], const float *absmax, uint64_t first, size_t block,
			  float *dst)
{
	for (size_t i = 0; i < n; i += 2, byte++) {
		dst[i] = table[*byte >> 4] * absmax[(first + i) / block];
		dst[i + 1] = table[*byte & 15] * absmax[(first + i + 1) / block];
	}
}
