/*
 * ternary.h - TQ1_0's bytes, five digits of base 3 each, first digit first, read by multiplication.
 *
 * A byte holds ceil(v * 256 / 243) for the value v of its digits; three times the byte, its low 8 bits cut off, is the
 * first digit, and three times those low bits the next.
 */
#ifndef QUANT_TERNARY_H
#define QUANT_TERNARY_H

#include "blocks.h"

/* n bytes of `digits` codes each, which lie n apart; the digits that are missing are zeros. Codes count modulo 256. */
static inline void tq1_pack(const uint8_t *code, int n, int digits, uint8_t *to)
{
	for (int j = 0; j < n; j++) {
		uint8_t value = 0;
		for (int k = 0; k < 5; k++)
			value = (uint8_t)(value * 3 + (k < digits ? code[j + k * n] : 0));
		to[j] = (uint8_t)((value * 256u + 242) / 243);
	}
}

static inline void tq1_pack_block(const uint8_t code[QK_K], struct block_tq1_0 *b)
{
	tq1_pack(code, 32, 5, b->qs);
	tq1_pack(code + 160, 16, 5, b->qs + 32);
	tq1_pack(code + 240, 4, 4, b->qh);
}

static inline int tq1_digit(uint8_t byte, int k)
{
	static const uint8_t power[5] = {1, 3, 9, 27, 81};
	return (uint8_t)(byte * power[k]) * 3 >> 8;
}

#endif
