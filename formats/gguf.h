/*
 * gguf.h - what reading and writing GGUF share: numbers of the types, sizes of the values.
 *
 * A GGUF file, versions 2 and 3, little-endian:
 *
 *   "GGUF"  version u32  n_tensors u64  n_kv u64
 *   n_kv times:       key string, type u32, value
 *   n_tensors times:  name string, n_dims u32, dims u64 x n_dims (innermost first), type u32, offset u64
 *   zeros up to a multiple of general.alignment (32)           <- offsets count from here
 *   tensor bytes, each tensor begins at a multiple of the alignment
 *
 *   string: n u64, n bytes        array: type u32, n u64, n values        bool: one byte
 */
#ifndef GGUF_H
#define GGUF_H

#include "format.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "heft reads and writes little-endian files as they lie");

enum { GGUF_VERSION = 3, GGUF_ALIGNMENT = 32, GGUF_ALIGNMENT_MAX = 1 << 20, GGUF_MAX_DIMS = 4, GGUF_MAX_NAME = 63 };

/* number in the file, name of the encoding, numbers per block, bytes per block */
#define GGUF_TYPES(X)                                                                                                  \
	X(0, "f32", 1, 4)                                                                                              \
	X(1, "f16", 1, 2)                                                                                              \
	X(2, "q4_0", 32, 18)                                                                                           \
	X(3, "q4_1", 32, 20)                                                                                           \
	X(6, "q5_0", 32, 22)                                                                                           \
	X(7, "q5_1", 32, 24)                                                                                           \
	X(8, "q8_0", 32, 34)                                                                                           \
	X(9, "q8_1", 32, 36)                                                                                           \
	X(10, "q2_k", 256, 84)                                                                                         \
	X(11, "q3_k", 256, 110)                                                                                        \
	X(12, "q4_k", 256, 144)                                                                                        \
	X(13, "q5_k", 256, 176)                                                                                        \
	X(14, "q6_k", 256, 210)                                                                                        \
	X(15, "q8_k", 256, 292)                                                                                        \
	X(16, "iq2_xxs", 256, 66)                                                                                      \
	X(17, "iq2_xs", 256, 74)                                                                                       \
	X(18, "iq3_xxs", 256, 98)                                                                                      \
	X(19, "iq1_s", 256, 50)                                                                                        \
	X(20, "iq4_nl", 32, 18)                                                                                        \
	X(21, "iq3_s", 256, 110)                                                                                       \
	X(22, "iq2_s", 256, 82)                                                                                        \
	X(23, "iq4_xs", 256, 136)                                                                                      \
	X(24, "i8", 1, 1)                                                                                              \
	X(25, "i16", 1, 2)                                                                                             \
	X(26, "i32", 1, 4)                                                                                             \
	X(27, "i64", 1, 8)                                                                                             \
	X(28, "f64", 1, 8)                                                                                             \
	X(29, "iq1_m", 256, 56)                                                                                        \
	X(30, "bf16", 1, 2)                                                                                            \
	X(34, "tq1_0", 256, 54)                                                                                        \
	X(35, "tq2_0", 256, 66)                                                                                        \
	X(39, "mxfp4", 32, 17)                                                                                         \
	X(40, "nvfp4", 64, 36)                                                                                         \
	X(41, "q1_0", 128, 18)                                                                                         \
	X(42, "q2_0", 64, 18)

struct gguf_type {
	uint32_t id;
	const char *name;
	uint32_t block, bytes;
};
extern const struct gguf_type gguf_types[]; /* ended by name NULL */

extern const char *const gguf_stores[];

/* Bytes of a value of this type; 0 for strings and arrays. */
extern const uint8_t gguf_value_size[HEFT_F64 + 1];

enum { GGUF_KEY_MAX = 65535 }; /* bytes */

int gguf_edit(struct format_edit *e, const struct format_listing *l, struct source *src, struct arena *a, struct heft_err *err);
int gguf_layout(struct format_layout *f, struct arena *a, struct heft_err *err);

#endif
