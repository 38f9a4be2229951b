/*
 * wire.c - walks a protobuf message in memory, field by field, without a schema and without recursion.
 *
 * Why no library: what is rewritten here are a few numbers of messages whose other fields, known or not, must come out byte for byte
 * in their order. A generated parser takes a message apart and prints it anew: map entries in another order, fields that a newer schema
 * added behind the rest, and it recurses as deep as the bytes say.
 */
#include "wire.h"

bool wire_varint(const uint8_t *file, uint64_t *at, uint64_t end, uint64_t *out)
{
	uint64_t v = 0;

	for (int shift = 0; shift < 70 && *at < end; shift += 7) {
		uint8_t byte = file[(*at)++];

		if (shift == 63 && byte > 1)
			return false;
		v |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) {
			*out = v;
			return true;
		}
	}
	return false;
}

size_t wire_put(uint8_t *out, uint64_t v)
{
	size_t n = 0;

	for (; v >= 128; v >>= 7, n++)
		if (out)
			out[n] = (uint8_t)(v | 128);
	if (out)
		out[n] = (uint8_t)v;
	return n + 1;
}

/* The content of a field whose key was read. */
static bool read_content(struct wire *w, struct wire_field *f)
{
	uint64_t n = 0;

	f->length_at = f->at = w->at;
	switch (f->key & 7) {
	case 0:
		if (!wire_varint(w->file, &w->at, w->end, &f->value))
			return false;
		f->end = w->at;
		return true;
	case 1:
		n = 8;
		break;
	case 2:
		if (!wire_varint(w->file, &w->at, w->end, &n))
			return false;
		break;
	case 5:
		n = 4;
		break;
	default:
		return false;
	}
	if (n > w->end - w->at)
		return false;
	f->at = w->at;
	f->end = w->at += n;
	return true;
}

int wire_next(struct wire *w, struct wire_field *f)
{
	if (w->at == w->end)
		return 0;
	*f = (struct wire_field){ .begin = w->at };
	if (!wire_varint(w->file, &w->at, w->end, &f->key) || !(f->key >> 3) || f->key >> 32)
		return -1;
	return read_content(w, f) ? 1 : -1;
}
