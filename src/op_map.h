/*
 * op_map.h - a weight made ready for running: where each of its elements comes from.
 */
#ifndef OP_MAP_H
#define OP_MAP_H

#include "op.h"

enum { OP_MAP_MAX = 12 };

struct op_map {
	const struct weight *weight;
	struct shape stage[OP_MAP_MAX + 1]; /* of the combined sources, then after each operation */
	uint64_t grain; /* an aligned block of so many elements is one run of one source */
};

/* What shapes and runs both ask: elements behind an axis (-1: all), the shape of a tensor, of a weight before its operations; every how many
 * rows take() takes; the rows of a head. */
uint64_t shape_inner(const struct shape *s, int axis);
void shape_of_tensor(const struct heft_tensor *t, struct shape *s);
int weight_combined_shape(const struct weight *w, struct shape *out, struct heft_err *err);
uint64_t op_take_step(const struct op *op);
uint64_t op_rope_dim(const struct op *op, uint64_t rows);

/* Borrows w, which has sources. */
int op_map_init(struct op_map *m, const struct weight *w, struct heft_err *err);
/* The source and the element in it that output element `flat` comes from. False: it is a padding value. */
bool op_map_locate(const struct op_map *m, uint64_t flat, size_t *source, uint64_t *element);

#endif
