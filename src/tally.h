/*
 * tally.h - error sums of a run. Tiles are measured by any thread in any order; sums are added up in the order of the tensor, so that
 * the figures are the same for every thread count. Memory is held for the tensors in work only.
 */
#ifndef TALLY_H
#define TALLY_H

#include "../quant/quant.h"
#include "plan.h"

struct tally;

struct tally *tally_new(struct heft_plan *p);
void tally_free(struct tally *t);
/* A tile is done: its sums for every output. The caller holds the run's lock. */
void tally_add(struct tally *t, size_t weight, uint64_t first, size_t n, const struct quant_sums *sums);
/* Counts, unlike sums, are the same in any order. One for every output; the caller holds the run's lock. */
void tally_details(struct tally *t, size_t weight, const struct quant_details *details);

#endif
