/*
 * integers.c - I8 to I64, U8 to U64, BOOL: carried as they are. They decode to floats for looking at, and nothing is
 * encoded.
 */
#include "quant.h"

#include <string.h>

#define INTEGER(id, ctype, text)                                                                                       \
	static void decode_##id(const void *const *plane, float *dst, size_t n)                                        \
	{                                                                                                              \
		const uint8_t *p = plane[0];                                                                           \
		for (size_t i = 0; i < n; i++) {                                                                       \
			ctype v;                                                                                       \
			memcpy(&v, p + i * sizeof v, sizeof v);                                                        \
			dst[i] = (float)v;                                                                             \
		}                                                                                                      \
	}                                                                                                              \
	const struct heft_encoding quant_##id = {                                                                      \
		.name = #id,                                                                                           \
		.about = text,                                                                                         \
		.block = 1,                                                                                            \
		.class = QUANT_INTEGER,                                                                                \
		.n_planes = 1,                                                                                         \
		.plane = {{"data", 1, 1, sizeof(ctype)}},                                                              \
		.decode = decode_##id,                                                                                 \
	};

INTEGER(i8, int8_t, "8-bit integer, carried")
INTEGER(i16, int16_t, "16-bit integer, carried")
INTEGER(i32, int32_t, "32-bit integer, carried")
INTEGER(i64, int64_t, "64-bit integer, carried")
INTEGER(u8, uint8_t, "8-bit unsigned integer, carried")
INTEGER(u16, uint16_t, "16-bit unsigned integer, carried")
INTEGER(u32, uint32_t, "32-bit unsigned integer, carried")
INTEGER(u64, uint64_t, "64-bit unsigned integer, carried")

static void decode_truth(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++)
		dst[i] = p[i] != 0;
}

const struct heft_encoding quant_bool = {
	.name = "bool",
	.about = "truth value, one byte each, carried",
	.block = 1,
	.class = QUANT_INTEGER,
	.n_planes = 1,
	.plane = {{"data", 1, 1, sizeof(uint8_t)}},
	.decode = decode_truth,
};
