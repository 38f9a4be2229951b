/*
 * block_codes.h - GGUF's blocks of 32 numbers as codes with a scale and a bias of their own: nothing is calculated but the bias, which is exact.
 *
 *           number               code          scale      bias
 *   q4_0    d (q - 8)            q             d          -8 d
 *   q4_1    d q + m              q             d          m
 *   q5_0    d (q - 16)           q             d          -16 d
 *   q5_1    d q + m              q             d          m
 *   q8_0    d q                  q + 128       d          -128 d
 *   mxfp4   2^(e - 127) e2m1     as it is      2^(e-127)  none
 */
#ifndef QUANT_BLOCK_CODES_H
#define QUANT_BLOCK_CODES_H

#include "quant.h"

enum { BLOCK_CODES = 32 };

/* Bits of a code; 0: no such block. */
unsigned block_codes_bits(const struct heft_encoding *e);
void block_codes(const struct heft_encoding *e, const void *block, uint8_t code[BLOCK_CODES], float *scale, float *bias);

#endif
