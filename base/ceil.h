/*
 * ceil.h - how many pieces hold a number of things: groups of a row, words of codes. For any numbers, from files too: nothing overflows.
 */
#ifndef CEIL_H
#define CEIL_H

#include <stdint.h>

/* 0 where a piece holds nothing. */
static inline uint64_t ceil_of(uint64_t n, uint64_t each)
{
	return each ? n / each + (n % each != 0) : 0;
}

#endif
