/*
 * groups.h - what GPTQ, AWQ and compressed-tensors share: rows of integer codes in groups of columns, each with a scale and a zero point.
 * Their layouts only differ in which bits are whose.
 *
 *   number[r, c] = (code[r, c] - zero[r, g]) * scale[r, g], g = c / group, or the group that an index names for the column
 */
#ifndef PACKED_GROUPS_H
#define PACKED_GROUPS_H

#include "../packed.h"

/* Planes: the others' numbers are in param, 0 where there is none. Scales and zero points have one unit per group, or (cols PACKED_ALL)
 * one that holds all groups of the row, or rows; an index is one unit of 32-bit numbers. */
enum { GROUPS_CODES, GROUPS_SCALES };
/* kind.param: the zero point where none is stored, else what is added to each; groups in a unit of
 * cols PACKED_ALL; planes */
enum { GROUPS_ZERO, GROUPS_COUNT, GROUPS_ZEROS_AT, GROUPS_INDEX_AT };

enum { GROUPS_INDEXED_MAX = 4096, GROUPS_COLUMNS_MAX = 1 << 24 };

/* kind.decode. Codes and zero points lie in: */
packed_decode_fn groups_decode_stream; /* a dense stream along the row; zero points along the column, a field of a unit for each row */
packed_decode_fn groups_decode_words;  /* the same, a word holding 32 / bits codes and nothing in the rest of it */
packed_decode_fn groups_decode_awq;    /* words of eight rows, AWQ's order in them; zero points too */
packed_decode_fn groups_decode_gemv;   /* a dense stream along the row; zero points too */
packed_decode_fn groups_decode_int8;   /* signed bytes; zero points too */

/* To Q4_0 and Q8_0, whose blocks are within groups then and whose scales are these halves; NULL: kind or shape does not allow it. symmetric: the
 * configuration says that the zero points that are stored are the middle of the codes. */
const struct packed_repack *groups_repack(const struct packed_module *m, bool symmetric);

/* Fills enc and group of a kind whose planes stand already: "gptq 4-bit g128". */
void groups_name(struct packed_module *m, const char *what, uint64_t group);
/* Columns of a group of `count` in a row of n: as the configuration says, else n / count; 0: neither fits. */
uint64_t groups_size(const struct json *configured, uint64_t n, uint64_t count);
/* Reads the index of part i: *plain tells that it only says column / group. Refuses groups that are not there. */
int groups_index(const struct packed_module *m, int i, uint64_t n, uint64_t group, uint64_t count, bool *plain, struct heft_err *err);

#endif
