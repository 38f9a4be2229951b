/*
 * linear.h - which weights of a checkpoint are matrices of a Linear that runtimes expect to be quantized, and which stay.
 */
#ifndef TARGET_LINEAR_H
#define TARGET_LINEAR_H

#include "../../base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum linear {
	LINEAR_YES,    /* a matrix to quantize */
	LINEAR_STAYS,  /* a Linear that stays: the configuration must say so */
	LINEAR_NO,     /* no Linear: vectors, norms, embeddings, convolutions */
	LINEAR_FUSED,  /* experts in one tensor, which are not taken apart: they stay, and are said */
};

/* By name and rank; layers: how many the configuration counts, those behind them predict further tokens. *why: for people. */
enum linear linear_kind(const char *name, int rank, uint64_t layers, const char **why);
/* Of a weight that runtimes put together with others of its layer into one matrix with one scale of scales (query, key and value; gate and
 * up): a name that those alone have in common. NULL where it stands alone. */
const char *linear_set(const char *name, struct arena *a);
/* What it must be stored alike with: those, and the experts of a layer. NULL: nothing. */
const char *linear_joined(const char *name, struct arena *a);
/* A regular expression of the names by which runtimes may ask how this module is stored: its own; that of what they put it together into; of an
 * expert those of all of its layer, which are alike, and of these together. */
const char *linear_pattern(const char *module, struct arena *a);
/* The same of an expert, without that of all together; NULL: it is none. */
const char *linear_expert(const char *module, struct arena *a);
/* The module's name: without ".weight", or for a tensor of another name what stands before its last point. */
const char *linear_module(const char *name, struct arena *a);

#endif
