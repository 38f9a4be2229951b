/*
 * integer.h - integer codes with scales, as checkpoints of GPU and Apple runtimes store them (GPTQ, AWQ, compressed-tensors, MLX,
 * bitsandbytes): from words to codes, from codes to numbers. Pure functions on rows that lie in memory; who owns which tensor, and
 * whether its shape fits, is the caller's business.
 *
 * Codes of `bits` bits lie in a dense little-endian stream: code i is bits i*bits and up, whatever word or byte they cross.
 *
 *   bits 4    byte  0        1            bits 3    byte  0         1         2
 *             c1 c0    c3 c2  ...                   c2c1c0 -> 22111000 54443332 77766655
 *
 * GPTQ's streams run down a column of words; turned (source_turned), they are rows of the same kind. AWQ's eight nibbles of a word belong
 * to eight rows, in the order 0 2 4 6 1 3 5 7 from the low end.
 */
#ifndef QUANT_INTEGER_H
#define QUANT_INTEGER_H

#include <stddef.h>
#include <stdint.h>

/* n codes of 1 to 8 bits; reads (n * bits + 7) / 8 bytes. */
void integer_unpack(const void *stream, unsigned bits, size_t n, uint8_t *code);
/* The same, where a word of 32 bits holds 32 / bits codes and the rest of it nothing. Reads whole words. */
void integer_unpack_words(const void *words, unsigned bits, size_t n, uint8_t *code);
/* The codes of one of AWQ's eight rows, `row` 0 to 7, in n words. */
void integer_unpack_awq(const void *words, size_t n, unsigned row, uint8_t *code);

/* The other way round: n codes as a stream, n a multiple of 8. */
void integer_pack(const uint8_t *code, unsigned bits, size_t n, void *stream);

/* A row of n numbers in groups of `group` columns (the last one may be shorter). */
struct integer_row {
	size_t n, group;
	const float *scale;    /* of each group */
	const float *zero;     /* of each group: the code that stands for 0, or with MLX what is added; not NULL */
	const uint32_t *index; /* group of each column; NULL: column / group */
};
/* (code - zero) * scale: GPTQ, AWQ, compressed-tensors. Exact in a float until the product's rounding. */
void integer_values(const struct integer_row *r, const uint8_t *code, float *dst);
/* code * scale + zero, each of the two rounded to the scales' type, as MLX does. `round` NULL: they are floats. */
typedef float integer_round_fn(float);
void integer_values_mlx(const struct integer_row *r, const uint8_t *code, integer_round_fn *round, float *dst);
float integer_round_f16(float v);
float integer_round_bf16(float v);

/* Sixteen values of bitsandbytes' 4-bit types. The first number of a byte is in its high nibble. */
extern const float integer_nf4[16], integer_fp4[16];
/* n numbers, n even, of one table; number i is scaled by absmax[(first + i) / block]. */
void integer_values_table(const uint8_t *byte, size_t n, const float table[16], const float *absmax, uint64_t first, size_t block,
			  float *dst);

#endif
