/*
 * tile.h - reads a piece of a weight: from the sources' encoded bytes to floats (decoded, moved, calculated), or as encoded bytes where
 * nothing but their place changes. Memory is a few times the piece, whatever the tensor's size.
 */
#ifndef TILE_H
#define TILE_H

#include "lora.h"
#include "op_map.h"
#include "packed.h"

/* Buffers of one thread. Zero-initialise; tile_scratch_release when done. */
struct tile_scratch {
	uint8_t *bytes;
	size_t n_bytes;
	float *floats;
	size_t n_floats;
	float *wide; /* whole blocks, where only a part of them is wanted */
	size_t n_wide;
	struct packed_scratch packed;
	struct lora_scratch lora;
};
void tile_scratch_release(struct tile_scratch *s);

/* A weight ready for reading. */
struct tile_plan {
	struct op_map map;
	uint64_t count;      /* elements */
	uint64_t grain;      /* runs in elements */
	bool round_f16;      /* an F16 source stays F16 through each calculation, as in the reference */
};
/* Borrows w and the model. Blocks of an encoded source that a rearrangement cuts are decoded whole each time. */
int tile_plan_init(struct tile_plan *p, const struct weight *w, struct heft_err *err);

/* Elements first .. first+n of the weight, row-major, as floats. */
int tile_read(const struct tile_plan *p, const struct heft_model *m, uint64_t first, size_t n, float *dst,
	      struct tile_scratch *s, struct heft_err *err);
/* Elements of a source tensor, with what its adapters add. */
int tile_read_tensor(const struct heft_model *m, const struct heft_tensor *t, uint64_t element, size_t n, float *dst, struct tile_scratch *s,
		     struct heft_err *err);
/* All of a small source tensor, for what families ask of values. */
int tile_read_values(void *model, const struct heft_tensor *t, float *out, struct heft_err *err);
/* Can its sources' bytes be had in an encoding without a number being calculated: because they are, or are repacked, and none of their blocks is cut? */
bool tile_has_bytes(const struct weight *w, const struct heft_encoding *e);
/* Are scales rounded where its bytes are had so? */
bool tile_rounds(const struct weight *w, const struct heft_encoding *e);
/* The encoding that the reference's converter leaves a packed source's codes in, whatever type is asked for; or NULL. */
const struct heft_encoding *tile_stays_as(const struct weight *w);
/* The same as bytes of an encoding that tile_has_bytes; first and n are multiples of its block. */
int tile_read_bytes(const struct tile_plan *p, const struct heft_model *m, const struct heft_encoding *e, uint64_t first, size_t n, void *dst,
		    struct tile_scratch *s, struct heft_err *err);

/* Of an encoding with one plane: the bytes of so many elements (a multiple of its block), and their values. */
size_t tile_bytes(const struct heft_encoding *e, uint64_t elements);
void tile_decode(const struct heft_encoding *e, const void *src, float *dst, size_t n);

/* Elements of a good piece: a strip of a source that is read in strips. */
uint64_t tile_good_size(const struct tile_plan *p);

enum { TILE_ELEMENTS = 64 * 1024 }; /* a good piece: fits the second-level cache with its codes */

#endif
