/*
 * nf4.h - numbers as 4-bit codes of a table with one scale for 64, as bitsandbytes makes them: NF4, and its own FP4.
 *
 *   scale = max|x|     code: of the table's value that is nearest to x / scale; what lies in the middle of two goes to the lower one
 *
 * Order of operations as in bitsandbytes 0.50 on a processor (quantize_4bit): x * (1 / scale), and for a last block that is shorter x / scale.
 * A scale below 1e-38 counts as 1e-38, and in a shorter block is stored so. A number that is NaN has the code of zero.
 *
 * Scales may be quantized in turn ("double quantization", nf4_nested.c), 256 with a scale of their own, less the mean of a whole matrix's:
 *
 *   scale = map[code] * most + offset     offset = mean(scales)     most = max|scale - offset| of 256
 */
#ifndef QUANT_NF4_H
#define QUANT_NF4_H

#include <stddef.h>
#include <stdint.h>

enum { NF4_BLOCK = 64, NF4_NESTED = 256, NF4_MAP = 256 };

struct nf4_table {
	const char *name;
	const float *value;  /* of each code */
	float bound[15];     /* between the values in order, the middle of two each */
	uint8_t code[16];    /* of each value in order */
};
extern const struct nf4_table nf4_table, fp4_table;

/* The scale of up to NF4_BLOCK numbers, their codes and what they stand for. */
float nf4_codes(const struct nf4_table *t, const float *x, size_t n, uint8_t *code, float *back);
float nf4_most(const float *x, size_t n); /* the largest magnitude: the scale of a whole block */
/* A whole block, as each instruction set has it: its largest magnitude; codes and what they stand for, by the factor. NULL: nf4.c's own. */
struct nf4_ops {
	float (*most)(const float *x);
	void (*nearest)(const struct nf4_table *t, const float *x, float factor, float most, uint8_t *code, float *back);
};
extern const struct nf4_ops nf4_avx2, nf4_avx512;

/* Two codes to a byte, the first in the high nibble; n is even. */
void nf4_pack(const uint8_t *code, size_t n, uint8_t *byte);
/* What they stand for with this scale. */
void nf4_values(const struct nf4_table *t, const uint8_t *byte, size_t n, float scale, float *value);

/* Values of the codes of scales, in order: halves, quarters, ... 64ths of decades, of both signs; 0 and 1. */
void nf4_map(float map[NF4_MAP]);
/* The mean of all n > 0 scales, added up in the order of PyTorch's sum on one thread. */
float nf4_mean(const float *x, size_t n);
/* Codes of up to NF4_NESTED scales, which become what these stand for; gives their scale. */
float nf4_nest(float *scale, size_t n, float offset, uint8_t *code);

#endif
