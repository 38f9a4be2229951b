/*
 * block32.h - what Q4_0, Q4_1, Q5_0 and Q5_1 share: blocks of 32 codes with a scale, and with a minimum or without.
 */
#ifndef QUANT_BLOCK32_H
#define QUANT_BLOCK32_H

#include "bits.h"
#include "blocks.h"
#include "search.h"

struct block32 {
	int lo, hi;			    /* least and largest code; a stored code is less lo */
	const struct search_affine *search; /* with importance; NULL: codes are signed */
	size_t bytes;			    /* of a block */
	void (*store)(void *block, float d, float min, const uint8_t code[QK]);
};
extern const struct block32 block32_q4_0, block32_q4_1, block32_q5_0, block32_q5_1;

static inline void store_q4_0(void *block, float d, float min, const uint8_t code[QK])
{
	struct block_q4_0 *b = block;
	b->d = half_of_float(d);
	pack_halves(b->qs, code);
}

static inline void store_q5_0(void *block, float d, float min, const uint8_t code[QK])
{
	struct block_q5_0 *b = block;
	b->d = half_of_float(d);
	b->qh = pack_halves(b->qs, code);
}

static inline void store_q4_1(void *block, float d, float min, const uint8_t code[QK])
{
	struct block_q4_1 *b = block;
	b->d = half_of_float(d);
	b->m = half_of_float(min);
	pack_halves(b->qs, code);
}

static inline void store_q5_1(void *block, float d, float min, const uint8_t code[QK])
{
	struct block_q5_1 *b = block;
	b->d = half_of_float(d);
	b->m = half_of_float(min);
	b->qh = pack_halves(b->qs, code);
}

#endif
