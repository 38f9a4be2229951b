/*
 * heap.h - the merges that wait while a word is encoded: best first, and among equals the leftmost.
 */
#ifndef TOKENIZER_HEAP_H
#define TOKENIZER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct candidate {
	double order;  /* the smallest is best: a rank, or a score negated */
	uint32_t at;   /* left symbol */
	int32_t id;    /* what the pair becomes */
	uint32_t size; /* bytes of both, to tell an outdated candidate (SentencePiece) */
};

struct heap {
	struct candidate *item;
	size_t n, cap;
};

void heap_push(struct heap *h, struct candidate c);
bool heap_pop(struct heap *h, struct candidate *out);
void heap_release(struct heap *h);

#endif
