/*
 * block_codes.c - what GGUF's blocks of 32 have inside: see block_codes.h.
 */
#include "block_codes.h"

#include <string.h>

#include "blocks.h"

/* Number i of the first half in the low nibble of byte i, number i + 16 in the high one. */
static void put_nibbles(const uint8_t *q, uint8_t *code)
{
	for (int i = 0; i < QK / 2; i++) {
		code[i] = q[i] & 15;
		code[i + QK / 2] = q[i] >> 4;
	}
}

static void put_fifth(uint32_t high, uint8_t *code)
{
	for (int i = 0; i < QK; i++)
		code[i] |= (uint8_t)((high >> i & 1) << 4);
}

static void codes_q4_0(const void *block, uint8_t *code, float *scale, float *bias)
{
	const struct block_q4_0 *b = block;

	put_nibbles(b->qs, code);
	*scale = float_of_half(b->d);
	*bias = -8 * *scale;
}

static void codes_q4_1(const void *block, uint8_t *code, float *scale, float *bias)
{
	const struct block_q4_1 *b = block;

	put_nibbles(b->qs, code);
	*scale = float_of_half(b->d);
	*bias = float_of_half(b->m);
}

static void codes_q5_0(const void *block, uint8_t *code, float *scale, float *bias)
{
	const struct block_q5_0 *b = block;

	put_nibbles(b->qs, code);
	put_fifth(b->qh, code);
	*scale = float_of_half(b->d);
	*bias = -16 * *scale;
}

static void codes_q5_1(const void *block, uint8_t *code, float *scale, float *bias)
{
	const struct block_q5_1 *b = block;

	put_nibbles(b->qs, code);
	put_fifth(b->qh, code);
	*scale = float_of_half(b->d);
	*bias = float_of_half(b->m);
}

static void codes_q8_0(const void *block, uint8_t *code, float *scale, float *bias)
{
	const struct block_q8_0 *b = block;

	for (int i = 0; i < QK; i++)
		code[i] = (uint8_t)(b->qs[i] + 128);
	*scale = float_of_half(b->d);
	*bias = -128 * *scale;
}

static void codes_mxfp4(const void *block, uint8_t *code, float *scale, float *bias)
{
	const struct block_mxfp4 *b = block;

	put_nibbles(b->qs, code);
	*scale = b->e ? float_of((uint32_t)b->e << 23) : 0x1p-127f;
	*bias = 0;
}

static const struct kind {
	const char *name;
	unsigned bits;
	void (*codes)(const void *block, uint8_t *code, float *scale, float *bias);
} kinds[] = {
	{ "q4_0", 4, codes_q4_0 }, { "q4_1", 4, codes_q4_1 }, { "q5_0", 5, codes_q5_0 },
	{ "q5_1", 5, codes_q5_1 }, { "q8_0", 8, codes_q8_0 }, { "mxfp4", 4, codes_mxfp4 },
};

static const struct kind *kind_of(const struct heft_encoding *e)
{
	for (size_t i = 0; e && i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, e->name))
			return &kinds[i];
	return NULL;
}

unsigned block_codes_bits(const struct heft_encoding *e)
{
	return kind_of(e) ? kind_of(e)->bits : 0;
}

void block_codes(const struct heft_encoding *e, const void *block, uint8_t code[BLOCK_CODES], float *scale, float *bias)
{
	kind_of(e)->codes(block, code, scale, bias);
}
