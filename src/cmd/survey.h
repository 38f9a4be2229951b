/*
 * survey.h - what a report says of many tensors at once: sums by type, by kind (the tensors that have one name in every layer), by part of
 * the model, and by layer. The page, the summary and the JSON read their numbers here. A survey borrows names and errors from a plan or a diff.
 */
#ifndef SURVEY_H
#define SURVEY_H

#include "cmd.h"

struct survey_row { /* one tensor */
	const char *name;
	const struct heft_encoding *from, *to;
	uint64_t weights, bytes;
	const uint64_t *dim;            /* NULL: not known */
	int rank;                       /* with dim */
	const struct heft_error *error; /* NULL: not measured */
	const char *why;                /* why this type; NULL: not said */
	bool fallback;

	int layer;                      /* -1: of no layer; this and what follows is found by survey_add() */
	size_t kind;
};

struct survey_type {
	const struct heft_encoding *enc;
	uint64_t tensors, weights, bytes;
	struct heft_error error;
	size_t rank; /* by bits per weight, the fewest first */
};

struct survey_kind {
	char *name;  /* "blk.#.attn_q": the layer's number is #, an expert's is * */
	const char *label; /* what of it is shown: "attn_q", where all layers are named alike */
	size_t part; /* of survey_part_name() */
	bool layered;
	uint64_t tensors, bytes;
	struct heft_error error;
};

struct survey_cell { /* the tensors of one kind in one layer */
	uint64_t tensors, bytes, weights;
	const struct survey_row *largest; /* its type stands for all */
	struct heft_error error;
	bool mixed; /* not all have one type */
};

struct survey {
	struct survey_row *row;
	struct survey_type *type;
	struct survey_kind *kind;
	size_t n_rows, n_types, n_kinds, room_rows, room_kinds;
	int layers; /* highest number + 1 */
	bool measured, weighted;
	uint64_t bytes, weights;
	struct heft_error error;
};

void survey_add(struct survey *s, const struct survey_row *row); /* fills layer and kind; zero-initialise s at first */
void survey_finish(struct survey *s);                            /* after the last row: the sums */
void survey_output(struct survey *s, const struct heft_output *o, const struct heft_error *e); /* all of a plan's output; e may be NULL */
void survey_release(struct survey *s);

void survey_cells(const struct survey *s, size_t kind, struct survey_cell *cell); /* one cell for each of s->layers */
const struct survey_type *survey_type_of(const struct survey *s, const struct heft_encoding *enc);

const char *survey_part_name(size_t part); /* "attention"; NULL past the last */
struct survey_part { uint64_t tensors, bytes, weights; struct heft_error error; };
struct survey_part survey_part_at(const struct survey *s, size_t part);

double survey_relative(const struct heft_error *e); /* 0 where nothing was measured or it cannot be said */
/* Rows with the lowest SQNR, worst first, at most n; those that lost nothing are not among them. Returns how many. */
size_t survey_worst(const struct survey *s, const struct survey_row **worst, size_t n);

#endif
