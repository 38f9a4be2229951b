/*
 * wire.h - protobuf messages at the level of the wire: fields one after another, none of them understood.
 *
 *   field:  varint (number << 3 | type)   then by type   0: a varint   1: 8 bytes   2: a varint n and n bytes   5: 4 bytes
 *
 * Groups (types 3 and 4) are refused: no message of proto3 has them. Facts: the encoding chapter of protobuf.dev.
 */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire { /* what is left of a message: bytes at .. end of the file's */
	const uint8_t *file;
	uint64_t at, end;
};

struct wire_field {
	uint64_t key;              /* number << 3 | type: WIRE_MESSAGE(3) and so on */
	uint64_t begin;            /* of the key, from the beginning of the file */
	uint64_t length_at;        /* of n, where the type has one */
	uint64_t at, end;          /* of the content: n bytes, or those of the number */
	uint64_t value;            /* a varint's number */
};

#define WIRE_NUMBER(n) ((uint64_t)(n) << 3)
#define WIRE_MESSAGE(n) ((uint64_t)(n) << 3 | 2) /* also texts, bytes, packed numbers */
#define WIRE_FIXED32(n) ((uint64_t)(n) << 3 | 5)

/* 1: a field; 0: the message ends here; -1: these bytes are no field. Everything in *f lies inside the message. */
int wire_next(struct wire *w, struct wire_field *f);
/* The number at *at, which moves behind it; false where there is none before `end`. */
bool wire_varint(const uint8_t *file, uint64_t *at, uint64_t end, uint64_t *out);

enum { WIRE_VARINT_MAX = 10 };
/* Writes a varint; how many bytes it takes. out may be NULL. */
size_t wire_put(uint8_t *out, uint64_t v);

#endif
