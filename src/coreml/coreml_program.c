/*
 * coreml_program.c - takes model.mlmodel apart: the operations of an ML Program, with what their parameters are.
 *
 *   Model          1 specificationVersion   502 mlProgram
 *   Program        2 functions: map of name to Function
 *   Function       1 inputs   2 opset   3 block_specializations: map of opset to Block
 *   Block          1 inputs   2 outputs   3 operations
 *   Operation      1 type   2 inputs: map of name to Argument   3 outputs   4 blocks   5 attributes: map of name to Value
 *   Argument       1 bindings, each 1 name or 2 Value
 *   Value          2 type   3 immediateValue (1 tensor)   5 blobFileValue
 *   TensorValue    1 floats   2 ints   3 bools   5 longInts   7 bytes, each a message with 1 values
 *   BlobFileValue  1 fileName   2 offset
 *   ValueType      1 tensorType: 1 dataType   2 rank   3 dimensions, each 1 constant (1 size) or 2 unknown
 *
 * Fields that are not in this table are passed over and kept. Blocks in operations wait in a list: nothing recurses. Refuses what breaks the
 * wire's rules, other kinds of models, other files of weights, and blobs in places that are not in this table: those could not be moved.
 */
#include "coreml.h"

#include "../../base/wire.h"

#include <inttypes.h>
#include <string.h>

#define WEIGHTS "@model_path/weights/weight.bin"

struct work { /* a block that waits */
	struct wire_field field;
	uint32_t frame, scope, function;
};

struct reader {
	struct coreml_program *p;
	const char *file;
	struct arena *a;
	struct heft_err *err;
	struct work *work;
	size_t n_work, cap_work;
	/* where the walk is */
	uint32_t frame, scope, function;
	struct coreml_op *op;
	struct coreml_param *param;  /* of the current operation; kept between them */
	size_t cap_params;
	struct coreml_value *value;
	uint64_t *dim;
	size_t n_dims, cap_dims;
	const char *key;             /* of a map's entry */
	bool program, blob_name;
	bool dim_known;
};

typedef int field_fn(struct reader *r, const struct wire_field *f);

static int broken(struct reader *r, uint64_t at, const char *what)
{
	return heft_fail(r->err, HEFT_E_HEADER, "%s: byte %" PRIu64 ": %s", r->file, at, what);
}

/* Every field of the message in f is handed to fn, with r->frame being the message's own. */
static int each(struct reader *r, const struct wire_field *f, field_fn *fn)
{
	struct wire w = { r->p->bytes, f->at, f->end };
	uint32_t outer = r->frame;
	struct wire_field inner;
	int rc = 0;

	if (r->p->n_frames == r->p->cap_frames)
		r->p->frame = arena_grow(r->a, r->p->frame, &r->p->cap_frames, r->p->n_frames + 1, sizeof *r->p->frame);
	r->frame = (uint32_t)r->p->n_frames++;
	r->p->frame[r->frame] = (struct coreml_frame){ f->length_at, f->at, f->end, outer };
	while (!rc && (rc = wire_next(&w, &inner)) > 0)
		rc = fn(r, &inner);
	r->frame = outer;
	return rc < 0 && !r->err->code ? broken(r, w.at, "no field of a message begins here") : rc;
}

/* The same without a frame: nothing in it changes. */
static int each_inside(struct reader *r, const struct wire_field *f, field_fn *fn)
{
	struct wire w = { r->p->bytes, f->at, f->end };
	struct wire_field inner;
	int rc = 0;

	while (!rc && (rc = wire_next(&w, &inner)) > 0)
		rc = fn(r, &inner);
	return rc < 0 && !r->err->code ? broken(r, w.at, "no field of a message begins here") : rc;
}

static int text(struct reader *r, const struct wire_field *f, const char **out)
{
	size_t n = (size_t)(f->end - f->at);

	if (memchr(r->p->bytes + f->at, 0, n))
		return broken(r, f->at, "a name holds a zero byte");
	*out = arena_memdup(r->a, r->p->bytes + f->at, n);
	return 0;
}

static void note_name(struct reader *r, const struct wire_field *f, const char *name, bool made)
{
	struct coreml_program *p = r->p;

	if (p->n_names == p->cap_names)
		p->name = arena_grow(r->a, p->name, &p->cap_names, p->n_names + 1, sizeof *p->name);
	p->name[p->n_names++] = (struct coreml_name){ name, f->at, r->function, made };
}

/* NamedValueType: what a function or a block is given */
static int given(struct reader *r, const struct wire_field *f)
{
	const char *name;

	if (f->key != WIRE_MESSAGE(1))
		return 0;
	if (text(r, f, &name))
		return -1;
	note_name(r, f, name, true);
	return 0;
}

/* ---- types ---- */

static int dimension_size(struct reader *r, const struct wire_field *f)
{
	if (f->key == WIRE_NUMBER(1))
		r->dim[r->n_dims - 1] = f->value;
	return 0;
}

static int dimension(struct reader *r, const struct wire_field *f)
{
	if (f->key == WIRE_MESSAGE(2))
		r->dim_known = false;
	return f->key == WIRE_MESSAGE(1) ? each_inside(r, f, dimension_size) : 0;
}

static int tensor_type(struct reader *r, const struct wire_field *f)
{
	if (f->key == WIRE_NUMBER(1))
		r->value->type.dtype = f->value > UINT32_MAX ? UINT32_MAX : (uint32_t)f->value;
	if (f->key != WIRE_MESSAGE(3))
		return 0;
	if (r->n_dims == r->cap_dims)
		r->dim = arena_grow(r->a, r->dim, &r->cap_dims, r->n_dims + 1, sizeof *r->dim);
	r->dim[r->n_dims++] = 0;
	return each_inside(r, f, dimension);
}

static int value_type(struct reader *r, const struct wire_field *f)
{
	struct coreml_type *t = &r->value->type;

	if (f->key != WIRE_MESSAGE(1))
		return 0;
	r->n_dims = 0;
	r->dim_known = true;
	if (each_inside(r, f, tensor_type))
		return -1;
	t->rank = r->dim_known && r->n_dims <= HEFT_MAX_RANK ? (int)r->n_dims : -1;
	t->dim = (const uint64_t *)(const void *)arena_memdup(r->a, r->dim ? (const void *)r->dim : "", r->n_dims * sizeof *r->dim);
	return 0;
}

/* ---- values ---- */

static int occupy(struct reader *r, const struct wire_field *f, enum coreml_place place)
{
	if (r->value->place != COREML_NOWHERE)
		return broken(r, f->begin, "a value has two contents");
	r->value->place = place;
	r->value->at = f->at;
	r->value->end = f->end;
	return 0;
}

static int float_values(struct reader *r, const struct wire_field *f)
{
	return f->key == WIRE_MESSAGE(1) || f->key == WIRE_FIXED32(1) ? occupy(r, f, COREML_NUMBERS) : 0;
}

static int byte_values(struct reader *r, const struct wire_field *f)
{
	return f->key == WIRE_MESSAGE(1) ? occupy(r, f, COREML_BYTES) : 0;
}

static int integer_values(struct reader *r, const struct wire_field *f)
{
	uint64_t at = f->at, v = f->value;

	if (f->key != WIRE_MESSAGE(1) && f->key != WIRE_NUMBER(1))
		return 0;
	if (f->key == WIRE_MESSAGE(1) && f->at < f->end && !wire_varint(r->p->bytes, &at, f->end, &v))
		return broken(r, f->at, "no number begins here");
	if (r->value->place == COREML_NOWHERE)
		r->value->integer = (int64_t)v;
	r->value->place = COREML_NUMBERS;
	return 0;
}

static int tensor_value(struct reader *r, const struct wire_field *f)
{
	static const struct {
		uint64_t key;
		field_fn *fn;
	} rows[] = { { WIRE_MESSAGE(1), float_values }, { WIRE_MESSAGE(2), integer_values }, { WIRE_MESSAGE(3), integer_values },
		     { WIRE_MESSAGE(5), integer_values }, { WIRE_MESSAGE(7), byte_values } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].key == f->key)
			return each_inside(r, f, rows[i].fn);
	return 0;
}

static int immediate_value(struct reader *r, const struct wire_field *f)
{
	return f->key == WIRE_MESSAGE(1) ? each_inside(r, f, tensor_value) : 0;
}

static int blob_value(struct reader *r, const struct wire_field *f)
{
	if (f->key == WIRE_MESSAGE(1)) {
		if (f->end - f->at != strlen(WEIGHTS) || memcmp(r->p->bytes + f->at, WEIGHTS, strlen(WEIGHTS)))
			return heft_fail(r->err, HEFT_E_HEADER, "%s: a value lies in '%.*s': only '" WEIGHTS "' is known", r->file,
					 (int)(f->end - f->at < 200 ? f->end - f->at : 200), (const char *)r->p->bytes + f->at);
		r->blob_name = true;
	}
	if (f->key == WIRE_NUMBER(2)) {
		r->value->blob = f->value;
		r->value->blob_at = f->begin;
		r->value->blob_end = f->end;
	}
	return 0;
}

static int value(struct reader *r, const struct wire_field *f)
{
	switch (f->key) {
	case WIRE_MESSAGE(2):
		return each_inside(r, f, value_type);
	case WIRE_MESSAGE(3):
		return each_inside(r, f, immediate_value);
	case WIRE_MESSAGE(5):
		r->blob_name = false;
		if (occupy(r, f, COREML_BLOB))
			return -1;
		r->value->blob_at = r->value->blob_end = f->end;
		r->value->blob_frame = (uint32_t)r->p->n_frames;
		r->p->n_blobs++;
		if (each(r, f, blob_value))
			return -1;
		return r->blob_name ? 0 : broken(r, f->begin, "a value lies in a file without a name");
	}
	return 0;
}

static int new_value(struct reader *r, const struct wire_field *f, struct coreml_value **out)
{
	*out = r->value = arena_alloc(r->a, sizeof **out);
	return each(r, f, value);
}

/* ---- operations ---- */

static struct coreml_param *add_param(struct reader *r)
{
	if (r->op->n_params == r->cap_params)
		r->param = arena_grow(r->a, r->param, &r->cap_params, r->op->n_params + 1, sizeof *r->param);
	r->param[r->op->n_params] = (struct coreml_param){ .name = "" };
	return &r->param[r->op->n_params++];
}

static int binding(struct reader *r, const struct wire_field *f)
{
	struct coreml_param *last = &r->param[r->op->n_params - 1];

	if (f->key == WIRE_MESSAGE(1)) {
		if (text(r, f, &last->ref))
			return -1;
		note_name(r, f, last->ref, false);
		return 0;
	}
	if (f->key != WIRE_MESSAGE(2))
		return 0;
	if (last->value)
		return broken(r, f->begin, "an argument has two values");
	return new_value(r, f, &last->value);
}

static int argument(struct reader *r, const struct wire_field *f)
{
	if (f->key != WIRE_MESSAGE(1))
		return 0;
	add_param(r);
	return each(r, f, binding);
}

static int input(struct reader *r, const struct wire_field *f)
{
	if (f->key == WIRE_MESSAGE(1))
		return text(r, f, &r->key);
	return f->key == WIRE_MESSAGE(2) ? each(r, f, argument) : 0;
}

static int attribute(struct reader *r, const struct wire_field *f)
{
	struct coreml_param *p;

	if (f->key == WIRE_MESSAGE(1))
		return text(r, f, &r->key);
	if (f->key != WIRE_MESSAGE(2))
		return 0;
	p = add_param(r);
	p->attribute = true;
	return new_value(r, f, &p->value);
}

/* One entry of inputs or attributes: what it adds gets its key, which may stand behind the value. */
static int entry(struct reader *r, const struct wire_field *f, field_fn *fn)
{
	size_t first = r->op->n_params;

	r->key = "";
	if (each(r, f, fn))
		return -1;
	for (size_t i = first; i < r->op->n_params; i++)
		r->param[i].name = r->key;
	return 0;
}

static int output(struct reader *r, const struct wire_field *f)
{
	const char *name;

	if (f->key == WIRE_MESSAGE(1)) {
		if (text(r, f, &name))
			return -1;
		note_name(r, f, name, true);
		if (r->op->n_outputs == 1)
			r->op->output = name;
	}
	return f->key == WIRE_MESSAGE(2) && r->op->n_outputs == 1 ? each_inside(r, f, value_type) : 0;
}

static void wait_for(struct reader *r, const struct wire_field *f)
{
	if (r->n_work == r->cap_work)
		r->work = arena_grow(r->a, r->work, &r->cap_work, r->n_work + 1, sizeof *r->work);
	r->work[r->n_work++] = (struct work){ *f, r->frame, r->scope, r->function };
}

static int operation_field(struct reader *r, const struct wire_field *f)
{
	struct coreml_value out = { 0 };
	int rc;

	switch (f->key) {
	case WIRE_MESSAGE(1):
		return text(r, f, &r->op->type);
	case WIRE_MESSAGE(2):
		return entry(r, f, input);
	case WIRE_MESSAGE(3):
		r->value = &out; /* for as long as its fields are read */
		r->op->n_outputs++;
		rc = each_inside(r, f, output);
		r->value = NULL;
		if (!rc && r->op->n_outputs == 1)
			r->op->out = out.type;
		return rc;
	case WIRE_MESSAGE(4):
		wait_for(r, f);
		return 0;
	case WIRE_MESSAGE(5):
		return entry(r, f, attribute);
	}
	return 0;
}

static int operation(struct reader *r, const struct wire_field *f)
{
	struct coreml_op op = { .begin = f->begin, .end = f->end, .frame = (uint32_t)r->p->n_frames, .scope = r->scope, .output = "" };
	int rc;

	r->op = &op; /* for as long as its fields are read */
	rc = each(r, f, operation_field);
	r->op = NULL;
	if (rc)
		return -1;
	if (!op.type)
		return broken(r, f->begin, "an operation has no type");
	op.param = (const struct coreml_param *)(const void *)arena_memdup(r->a, r->param ? (const void *)r->param : "",
									  op.n_params * sizeof *r->param);
	if (r->p->n_ops == r->p->cap_ops)
		r->p->op = arena_grow(r->a, r->p->op, &r->p->cap_ops, r->p->n_ops + 1, sizeof *r->p->op);
	r->p->op[r->p->n_ops++] = op;
	return 0;
}

static int block_field(struct reader *r, const struct wire_field *f)
{
	const char *name;

	if (f->key == WIRE_MESSAGE(1))
		return each_inside(r, f, given);
	if (f->key == WIRE_MESSAGE(2)) {
		if (text(r, f, &name))
			return -1;
		note_name(r, f, name, false);
	}
	return f->key == WIRE_MESSAGE(3) ? operation(r, f) : 0;
}

/* ---- functions ---- */

static int specialization(struct reader *r, const struct wire_field *f)
{
	if (f->key == WIRE_MESSAGE(1))
		return text(r, f, &r->p->scope[r->scope].opset);
	if (f->key == WIRE_MESSAGE(2))
		wait_for(r, f);
	return 0;
}

static int function(struct reader *r, const struct wire_field *f)
{
	struct coreml_program *p = r->p;

	if (f->key == WIRE_MESSAGE(1))
		return each_inside(r, f, given);
	if (f->key != WIRE_MESSAGE(3))
		return 0;
	if (p->n_scopes == p->cap_scopes)
		p->scope = arena_grow(r->a, p->scope, &p->cap_scopes, p->n_scopes + 1, sizeof *p->scope);
	r->scope = (uint32_t)p->n_scopes++;
	p->scope[r->scope] = (struct coreml_scope){ "", "" };
	return each(r, f, specialization);
}

static int function_entry(struct reader *r, const struct wire_field *f)
{
	if (f->key == WIRE_MESSAGE(1))
		return text(r, f, &r->key);
	return f->key == WIRE_MESSAGE(2) ? each(r, f, function) : 0;
}

static int program_field(struct reader *r, const struct wire_field *f)
{
	size_t first = r->p->n_scopes;

	if (f->key != WIRE_MESSAGE(2))
		return 0;
	r->key = "";
	r->function++;
	if (each(r, f, function_entry))
		return -1;
	for (size_t i = first; i < r->p->n_scopes; i++)
		r->p->scope[i].function = r->key;
	return 0;
}

static int model_field(struct reader *r, const struct wire_field *f)
{
	if (f->key == WIRE_NUMBER(1))
		r->p->version = f->value;
	if (f->key == WIRE_MESSAGE(502)) {
		if (r->program)
			return broken(r, f->begin, "it holds two programs");
		r->program = true;
		return each(r, f, program_field);
	}
	if (f->key >> 3 >= 200 && f->key >> 3 < 3000)
		return heft_fail(r->err, HEFT_E_HEADER, "%s: holds another kind of model (field %" PRIu64 ") than an ML Program; "
				 "convert the model to one with coremltools first", r->file, f->key >> 3);
	return 0;
}

/* Is the name of the weight file said as often as values lie in it? Else some lie where this file does not look. */
static int count_blobs(struct reader *r)
{
	const uint8_t *at = r->p->bytes, *end = at + r->p->size;
	size_t n = 0;

	while ((at = memmem(at, (size_t)(end - at), WEIGHTS, strlen(WEIGHTS)))) {
		n++;
		at += strlen(WEIGHTS);
	}
	if (n == r->p->n_blobs)
		return 0;
	return heft_fail(r->err, HEFT_E_HEADER, "%s: names weight.bin %zu times, but %zu values of operations lie in it: heft does not know the others",
			 r->file, n, r->p->n_blobs);
}

int coreml_parse(struct coreml_program *out, const void *bytes, uint64_t size, const char *file, struct arena *a, struct heft_err *err)
{
	struct wire_field all = { .end = size };
	struct heft_err ignored = { 0 };
	struct reader r = { .p = out, .file = file, .a = a, .err = err ? err : &ignored, .frame = COREML_NONE };

	*r.err = (struct heft_err){ 0 };
	*out = (struct coreml_program){ .bytes = bytes, .size = size };
	if (size >= COREML_NONE)
		return heft_fail(err, HEFT_E_HEADER, "%s: has %" PRIu64 " bytes, protobuf allows 2147483647", file, size);
	if (each(&r, &all, model_field))
		return -1;
	if (!r.program)
		return heft_fail(err, HEFT_E_HEADER, "%s: holds no ML Program", file);
	for (size_t i = 0; i < r.n_work; i++) { /* which grows */
		struct work w = r.work[i];

		r.frame = w.frame;
		r.scope = w.scope;
		r.function = w.function;
		if (each(&r, &w.field, block_field))
			return -1;
	}
	return count_blobs(&r) ? -1 : coreml_check_names(out, file, err);
}

/* ---- looking ---- */

const struct coreml_param *coreml_param(const struct coreml_op *op, const char *name)
{
	for (size_t i = 0; i < op->n_params; i++)
		if (!strcmp(op->param[i].name, name))
			return &op->param[i];
	return NULL;
}

bool coreml_count(const struct coreml_type *t, uint64_t *out)
{
	*out = 1;
	if (!t->dtype || t->rank < 0)
		return false;
	for (int i = 0; i < t->rank; i++)
		if (!t->dim[i] || __builtin_mul_overflow(*out, t->dim[i], out))
			return false;
	return *out <= INT64_MAX / 8;
}
