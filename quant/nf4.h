/*
 * nf4.h - numbers as 4-bit codes of a table with one scale for 64, as bitsandbytes makes them: NF4, and its own FP4.
 *
 *   scale = max|x|     code: of the table's value that is nearest to x / scale; what lies in the middle of two goes to the lower one
 *
 * Order of operations as in bitsandbytes 0.50 on a processor (quantize_4bit): x * (1 / scale), and for a last block that is shorter x / scale.
 * A scale below 1e-38 counts as 1e-38, and in a shorter block is stored so. A number that is NaN has the code of zero.
 */
#ifndef QUANT_NF4_H
#define QUANT_NF4_H

#include <stddef.h>
#include <stdint.h>

enum { NF4_BLOCK = 64 };

struct nf4_table {
	const char *name;
	const float *value;  /* of each code */
	float bound[15];     /* between the values in order, the middle of two each */
	uint8_t code[16];    /* of each value in order */
};
extern const struct nf4_table nf4_table, fp4_table;

/* The scale of up to NF4_BLOCK numbers, their codes and what they stand for. */
float nf4_codes(const struct nf4_table *t, const float *x, size_t n, uint8_t *code, float *back);
/* Two codes to a byte, the first in the high nibble; n is even. */
void nf4_pack(const uint8_t *code, size_t n, uint8_t *byte);

#endif
