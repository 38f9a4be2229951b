/*
 * coreml_edit.c - makes a new program of an old one: some bytes are replaced, all others stay as they are, in their order.
 *
 *   frame A | length |  . . . frame B | length |  . . . [edit] . . .          an edit changes the length of B; that number may take more or
 *                                                                             fewer bytes itself; both change the length of A
 *
 * Frames are listed from the outside in, so one walk from the last to the first settles all lengths.
 */
#include "coreml_write.h"

#include "../../base/json.h"
#include "../../base/wire.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHTS "@model_path/weights/weight.bin"

static void put_number(struct jbuf *b, uint64_t v)
{
	uint8_t bytes[WIRE_VARINT_MAX];

	jbuf_raw(b, (const char *)bytes, wire_put(bytes, v));
}

static void put_field(struct jbuf *b, uint64_t key, uint64_t v)
{
	put_number(b, key);
	put_number(b, v);
}

/* A message, which is released: messages are built from the inside out. */
static void put_message(struct jbuf *b, uint32_t number, struct jbuf *inner)
{
	put_field(b, WIRE_MESSAGE(number), inner->n);
	jbuf_raw(b, inner->p ? inner->p : "", inner->n);
	jbuf_release(inner);
}

static void put_text(struct jbuf *b, uint32_t number, const char *s, size_t n)
{
	put_field(b, WIRE_MESSAGE(number), n);
	jbuf_raw(b, s, n);
}

static struct jbuf tensor_type(uint32_t dtype, int rank, const uint64_t *dim)
{
	struct jbuf t = { 0 }, type = { 0 };

	put_field(&t, WIRE_NUMBER(1), dtype);
	if (rank)
		put_field(&t, WIRE_NUMBER(2), (uint64_t)rank);
	for (int i = 0; i < rank; i++) {
		struct jbuf size = { 0 }, constant = { 0 };

		put_field(&size, WIRE_NUMBER(1), dim[i]);
		put_message(&constant, 1, &size);
		put_message(&t, 3, &constant);
	}
	put_message(&type, 1, &t);
	return type;
}

static struct jbuf blob_value(const struct coreml_operand_out *o)
{
	struct jbuf value = { 0 }, type = tensor_type(o->dtype, o->rank, o->dim), blob = { 0 };

	put_message(&value, 2, &type);
	put_text(&blob, 1, WEIGHTS, strlen(WEIGHTS));
	put_field(&blob, WIRE_NUMBER(2), o->offset);
	put_message(&value, 5, &blob);
	return value;
}

/* numbers: a TensorValue's message of the kind `number`, whose values are these bytes */
static struct jbuf immediate(uint32_t dtype, int rank, const uint64_t *dim, uint32_t number, const void *bytes, size_t n)
{
	struct jbuf value = { 0 }, type = tensor_type(dtype, rank, dim), values = { 0 }, tensor = { 0 }, now = { 0 };

	put_message(&value, 2, &type);
	put_text(&values, 1, bytes, n);
	put_message(&tensor, number, &values);
	put_message(&now, 1, &tensor);
	put_message(&value, 3, &now);
	return value;
}

static void put_attribute(struct jbuf *b, const char *name, struct jbuf *value)
{
	struct jbuf entry = { 0 };

	put_text(&entry, 1, name, strlen(name));
	put_message(&entry, 2, value);
	put_message(b, 5, &entry);
}

static void put_input(struct jbuf *b, const char *name, struct jbuf *value)
{
	struct jbuf binding = { 0 }, argument = { 0 }, entry = { 0 };

	put_message(&binding, 2, value);
	put_message(&argument, 1, &binding);
	put_text(&entry, 1, name, strlen(name));
	put_message(&entry, 2, &argument);
	put_message(b, 2, &entry);
}

static void put_operands(struct jbuf *b, const struct coreml_change *c)
{
	for (int i = 0; i < c->n_operands; i++) {
		struct jbuf value = blob_value(&c->operand[i]);

		if (c->attributes)
			put_attribute(b, c->operand[i].param, &value);
		else
			put_input(b, c->operand[i].param, &value);
	}
}

/* What the operations before CoreML8 have besides: the axis of scales, the shape of indices. */
static void put_rest(struct jbuf *b, const struct coreml_change *c)
{
	struct jbuf value;
	uint8_t bytes[4 * COREML_RANK];
	uint64_t rank = (uint64_t)c->tensor->rank;

	if (!c->attributes || c->scheme->grid == COREML_FLOATS)
		return;
	if (c->scheme->grid == COREML_INTEGERS) {
		bytes[0] = (uint8_t)c->axis;
		value = immediate(COREML_I32, 0, NULL, 2, bytes, 1);
		put_attribute(b, "axis", &value);
		return;
	}
	for (int d = 0; d < c->tensor->rank; d++)
		for (int i = 0; i < 4; i++)
			bytes[4 * d + i] = (uint8_t)(c->tensor->dim[d] >> 8 * i);
	value = immediate(COREML_U32, 1, &rank, 7, bytes, (size_t)(4 * rank));
	put_attribute(b, "shape", &value);
}

/* Does an entry of inputs or attributes hold what the constant was made of? */
static bool is_operand(const struct coreml_program *p, const struct wire_field *f)
{
	static const char *const names[] = { "val", "data", "scale", "offset", "quantized_data", "zero_point", "axis", "indices", "lut", "shape" };
	struct wire w = { p->bytes, f->at, f->end };
	struct wire_field key;

	while (wire_next(&w, &key) > 0)
		for (size_t i = 0; key.key == WIRE_MESSAGE(1) && i < sizeof names / sizeof *names; i++)
			if (strlen(names[i]) == key.end - key.at && !memcmp(names[i], p->bytes + key.at, strlen(names[i])))
				return true;
	return false;
}

struct coreml_edit coreml_edit_op(const struct coreml_program *p, const struct coreml_change *c, struct arena *a)
{
	const struct coreml_frame *frame = &p->frame[c->op->frame];
	struct coreml_edit e = { .begin = c->op->begin, .end = c->op->end, .frame = frame->parent };
	struct wire w = { p->bytes, frame->begin, frame->end };
	struct jbuf op = { 0 }, whole = { 0 };
	struct wire_field f;

	while (wire_next(&w, &f) > 0) {
		if (f.key == WIRE_MESSAGE(1)) {
			put_text(&op, 1, c->type, strlen(c->type));
			if (!c->attributes)
				put_operands(&op, c);
		} else if ((f.key != WIRE_MESSAGE(2) && f.key != WIRE_MESSAGE(5)) || !is_operand(p, &f)) {
			jbuf_raw(&op, (const char *)p->bytes + f.begin, (size_t)(f.end - f.begin));
		}
	}
	if (c->attributes)
		put_operands(&op, c);
	put_rest(&op, c);
	put_message(&whole, 3, &op);
	e.text = arena_memdup(a, whole.p, whole.n);
	e.n = whole.n;
	jbuf_release(&whole);
	return e;
}

struct coreml_edit coreml_edit_offset(const struct coreml_value *v, uint64_t offset, struct arena *a)
{
	uint8_t bytes[1 + WIRE_VARINT_MAX] = { (uint8_t)WIRE_NUMBER(2) };
	size_t n = 1 + wire_put(bytes + 1, offset);

	return (struct coreml_edit){ v->blob_at, v->blob_end, arena_memdup(a, bytes, n), n, v->blob_frame };
}

static int by_begin(const void *a, const void *b)
{
	const struct coreml_edit *x = a, *y = b;

	return (x->begin > y->begin) - (x->begin < y->begin);
}

/* New lengths of the messages around the edits, as edits. */
static size_t edit_lengths(const struct coreml_program *p, struct coreml_edit *edit, size_t n, struct arena *a)
{
	int64_t *grown = arena_array(a, p->n_frames + 1, sizeof *grown);

	for (size_t i = 0; i < n; i++)
		grown[edit[i].frame] += (int64_t)edit[i].n - (int64_t)(edit[i].end - edit[i].begin);
	for (size_t i = p->n_frames; i-- > 1;) { /* frame 0 is the whole file */
		const struct coreml_frame *f = &p->frame[i];
		uint8_t bytes[WIRE_VARINT_MAX];
		size_t k;

		if (!grown[i])
			continue;
		k = wire_put(bytes, (uint64_t)((int64_t)(f->end - f->begin) + grown[i]));
		grown[f->parent] += grown[i] + (int64_t)k - (int64_t)(f->begin - f->length_at);
		edit[n++] = (struct coreml_edit){ f->length_at, f->begin, arena_memdup(a, bytes, k), k, f->parent };
	}
	return n;
}

struct heft_str coreml_edit_all(const struct coreml_program *p, struct coreml_edit *edit, size_t n, struct arena *a)
{
	struct jbuf b = { 0 };
	struct heft_str out;
	uint64_t at = 0;

	n = edit_lengths(p, edit, n, a);
	qsort(edit, n, sizeof *edit, by_begin);
	for (size_t i = 0; i < n; i++) {
		jbuf_raw(&b, (const char *)p->bytes + at, (size_t)(edit[i].begin - at));
		jbuf_raw(&b, edit[i].text, edit[i].n);
		at = edit[i].end;
	}
	jbuf_raw(&b, (const char *)p->bytes + at, (size_t)(p->size - at));
	out = (struct heft_str){ arena_memdup(a, b.p ? b.p : "", b.n), b.n };
	jbuf_release(&b);
	return out;
}
