/*
 * gather.h - planes that lie turned in the file, on their way there: strips of rows give a few units of each line, which are gathered until
 * they are worth a write.
 *
 *      units of a strip, row by row           a block: lines of the file, as wide as the block has rows
 *      r0: a b c ...                          a d . .
 *      r1: d e f ...                          b e . .     . are those of other strips, by whatever thread
 *                                             c f . .
 *
 * Blocks are begun in the order of the tiles, and only as many as fit a budget: memory does not grow with the tensors, the model or the
 * number of threads. All tiles of a block that was begun are taken before the next one is, so that waiting for room ends.
 */
#ifndef GATHER_H
#define GATHER_H

#include "commit.h"

struct gather;
struct gather *gather_new(const struct heft_plan *p, struct commit *c);
void gather_free(struct gather *g); /* also what was not completed */

/* Room for the block that the tile at `row` begins, if it begins one. false: there is none until another block was written. By one thread at
 * a time. Tiles have `tile` rows each, but for a weight's last. */
bool gather_begin(struct gather *g, size_t weight, uint64_t row, uint64_t tile);
/* The turned planes of a tile at `row`, for one output. The last tile of a block writes it. By any thread. */
int gather_put(struct gather *g, size_t output, size_t weight, uint64_t row, uint64_t rows, void *const *plane, struct heft_err *err);

#endif
