/*
 * coreml_blob.c - weight.bin, "blob storage version 2": finds the bytes of a value, and refuses what cannot be them.
 *
 *   0        4         8                              64
 *   +--------+---------+------------------------------+
 *   | count  | 2       | 0                            |                     then each blob, at a multiple of 64:
 *   +--------+---------+------------------------------+
 *   +------------+-------+---------------+-------------+---------------+------+------------------ - -
 *   | 0xDEADBEEF | type  | size in bytes | data offset | unused bits   | 0    | size bytes
 *   +------------+-------+---------------+-------------+---------------+------+------------------ - -
 *   0            4       8               16            24              32     64
 *
 * Numbers of less than 8 bits are one stream, lowest bits first; "unused bits" are those behind it in its last byte. The program's values
 * point at the metadata; what they point at must be of their type and have the bytes of their shape, all of them inside the file.
 * Facts: mlmodel/src/MILBlob/Blob/StorageFormat.hpp, BlobDataType.hpp.
 */
#include "coreml.h"

#include <inttypes.h>
#include <string.h>

enum { HEAD = 64, VERSION = 2 };
static const uint32_t sentinel = 0xDEADBEEF;

static const struct coreml_dtype_info dtypes[] = {
	{ COREML_F16, 1, 16, "f16", "f16" },  { COREML_F32, 2, 32, "f32", "f32" },  { COREML_BF16, 5, 16, "bf16", "bf16" },
	{ COREML_U8, 3, 8, "uint8", "u8" },   { COREML_I8, 4, 8, "int8", "i8" },    { COREML_I16, 6, 16, "int16", "i16" },
	{ COREML_U16, 7, 16, "uint16", "u16" }, { COREML_I32, 14, 32, "int32", "i32" }, { COREML_U32, 15, 32, "uint32", "u32" },
	{ COREML_I4, 8, 4, "int4", NULL },    { COREML_U4, 11, 4, "uint4", NULL },  { COREML_U1, 9, 1, "uint1", NULL },
	{ COREML_U2, 10, 2, "uint2", NULL },  { COREML_U3, 12, 3, "uint3", NULL },  { COREML_U6, 13, 6, "uint6", NULL },
};

const struct coreml_dtype_info *coreml_dtype(uint32_t dtype)
{
	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
		if (dtypes[i].dtype == dtype)
			return &dtypes[i];
	return NULL;
}

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t u64(const uint8_t *p)
{
	return u32(p) | (uint64_t)u32(p + 4) << 32;
}

int coreml_blob_header(struct source *weights, uint32_t *count, struct heft_err *err)
{
	uint8_t head[HEAD];

	if (source_read(weights, 0, head, HEAD, err))
		return -1;
	*count = u32(head);
	if (u32(head + 4) != VERSION)
		return heft_fail(err, HEFT_E_VERSION, "%s: version %" PRIu32 " of blob storage, only %d is known", source_name(weights), u32(head + 4),
				 VERSION);
	return 0;
}

static int bad_blob(struct source *weights, const struct coreml_value *v, struct heft_err *err, enum heft_code code, const char *what)
{
	return heft_fail(err, code, "%s: byte %" PRIu64 ": %s; make or download the package again", source_name(weights), v->blob, what);
}

int coreml_blob_find(struct source *weights, const struct coreml_value *v, struct coreml_extent *out, struct heft_err *err)
{
	const struct coreml_dtype_info *d = coreml_dtype(v->type.dtype);
	uint64_t size = source_size(weights), count, bytes;
	uint8_t head[HEAD];

	if (!d || !coreml_count(&v->type, &count) || __builtin_mul_overflow(count, d->bits, &bytes))
		return bad_blob(weights, v, err, HEFT_E_DTYPE, "a value whose type or shape is not known lies here");
	bytes = bytes / 8 + (bytes % 8 != 0);
	if (v->blob % HEAD || v->blob < HEAD || v->blob > size || size - v->blob < HEAD)
		return bad_blob(weights, v, err, HEFT_E_TRUNCATED, "a value cannot begin here: offsets are multiples of 64 inside the file");
	if (source_read(weights, v->blob, head, HEAD, err))
		return -1;
	if (u32(head) != sentinel)
		return bad_blob(weights, v, err, HEFT_E_HEADER, "no value begins here: the mark DEADBEEF is missing");
	if (u32(head + 4) != d->blob)
		return bad_blob(weights, v, err, HEFT_E_DTYPE, "the type of the numbers is not the one that the program says");
	if (u64(head + 8) != bytes)
		return bad_blob(weights, v, err, HEFT_E_SHAPE, "the size is not that of the shape that the program says");
	*out = (struct coreml_extent){ u64(head + 16), bytes };
	if (out->offset % HEAD || out->offset < v->blob + HEAD || out->offset > size || size - out->offset < bytes)
		return bad_blob(weights, v, err, HEFT_E_TRUNCATED, "the numbers are not inside the file");
	return 0;
}
