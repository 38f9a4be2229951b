/*
 * block32.h - what Q4_0, Q4_1, Q5_0 and Q5_1 share: blocks of 32 codes with a scale, and with a minimum or without.
 */
#ifndef QUANT_BLOCK32_H
#define QUANT_BLOCK32_H

#include "blocks.h"
#include "search.h"

struct block32 {
	int lo, hi;			    /* least and largest code; a stored code is less lo */
	const struct search_affine *search; /* with importance; NULL: codes are signed */
	size_t bytes;			    /* of a block */
	void (*store)(void *block, float d, float min, const uint8_t code[QK]);
};
extern const struct block32 block32_q4_0, block32_q4_1, block32_q5_0, block32_q5_1;

#endif
