/*
 * torch_tensor.c - from the record of a call that would build a tensor to its type, shape and bytes.
 *
 *	_rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, hooks)
 *	storage: persistent id ('storage', torch.FloatStorage, key, location, elements)
 *
 * Element (i, j, ...) lies at storage_offset + i * stride[0] + j * stride[1] + ... elements into the storage. Refuses tensors that reach
 * beyond their storage, storages shorter than their id says, strides that are negative, tensors that stand for more bytes than the file
 * has (an expanded number can stand for any amount), and views that together stand for much more.
 */
#include "torch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/utf8.h"
#include "../quant/quant.h"

enum { WRAPS_MAX = 16, NAME_MAX_BYTES = 1024, VIEWS_MAX = 64 };

struct view {
	struct torch_storage storage;
	const struct torch_dtype *dtype;
	uint64_t offset;
	int rank;
	uint64_t dim[HEFT_MAX_RANK], stride[HEFT_MAX_RANK];
};

const char *torch_key(const struct torch *t, const struct pickle_value *v)
{
	if (v && v->kind == PICKLE_INT)
		return arena_printf(t->arena, "%" PRId64, v->i);
	return v && (v->kind == PICKLE_STR || v->kind == PICKLE_BYTES) && !memchr(v->s.p, 0, v->s.n) ? v->s.p : NULL;
}

void torch_add_storage(struct torch *t, const char *key, const struct torch_storage *s)
{
	struct torch_storage *copy = arena_alloc(t->arena, sizeof *copy);
	bool found;

	*copy = *s;
	map_put(&t->storage, key, strlen(key), &found)->value.p = copy;
}

static const struct torch_dtype *dtype_of(const struct pickle_value *v, enum torch_role role, bool *known)
{
	const struct torch_dtype *dtype = NULL;

	*known = v && v->kind == PICKLE_GLOBAL && torch_role(v->global, &dtype) == role;
	return *known ? dtype : NULL;
}

bool torch_storage_id(const struct torch *t, const struct pickle_value *v, struct torch_id *out)
{
	const struct pickle_value *id = v && v->kind == PICKLE_PERSISTENT ? v->id : NULL, *view = pickle_at(id, 5);
	bool known;

	*out = (struct torch_id){ 0 };
	if (!pickle_is(pickle_at(id, 0), "storage"))
		return false;
	out->dtype = dtype_of(pickle_at(id, 1), TORCH_STORAGE, &known);
	out->key = torch_key(t, pickle_at(id, 2));
	if (!known || !out->key || !pickle_uint(pickle_at(id, 4), &out->count))
		return false;
	out->view = view && view->kind != PICKLE_NONE;
	return !out->view || (pickle_uint(pickle_at(view, 1), &out->offset) && pickle_uint(pickle_at(view, 2), &out->length));
}

/* ---- which values are tensors ---- */

const struct pickle_value *torch_unwrap(const struct pickle_value *v)
{
	for (int i = 0; i < WRAPS_MAX && v && v->kind == PICKLE_OBJECT && torch_role_of(v->object->callee) == TORCH_WRAP; i++) {
		const struct pickle_value *inner = pickle_at(v->object->args, 0);

		if (!inner)
			break;
		v = inner;
	}
	return v;
}

/* What would be called, and with what; _rebuild_from_type_v2 calls another. */
static enum torch_role call_of(const struct pickle_value *v, const struct pickle_value **args)
{
	enum torch_role role;

	if (!v || v->kind != PICKLE_OBJECT)
		return TORCH_HARMLESS;
	role = torch_role_of(v->object->callee);
	*args = v->object->args;
	if (role == TORCH_CALL) {
		role = torch_role_of(pickle_at(*args, 0));
		*args = pickle_at(*args, 2);
	}
	return role;
}

static const struct torch_record *record_of(const struct torch *t, const struct pickle_value *v)
{
	const char *key = v && v->kind == PICKLE_PERSISTENT ? torch_key(t, v->id) : NULL;
	const struct map_slot *slot = key ? map_find(&t->record, key, strlen(key)) : NULL;

	return slot ? slot->value.p : NULL;
}

bool torch_is_tensor(const struct torch *t, const struct pickle_value *v)
{
	const struct pickle_value *args;
	enum torch_role role;

	v = torch_unwrap(v);
	role = call_of(v, &args);
	return role == TORCH_PLAIN || role == TORCH_TYPED || role == TORCH_UNSUPPORTED || (t->record.count && record_of(t, v));
}

/* A number beside the weights, as a training script keeps its best loss */
bool torch_is_scalar(const struct torch *t, const struct pickle_value *v)
{
	const struct torch_record *r;
	const struct pickle_value *args = NULL, *size;
	enum torch_role role;

	v = torch_unwrap(v);
	role = call_of(v, &args);
	size = role == TORCH_PLAIN || role == TORCH_TYPED ? pickle_at(args, 2) : NULL;
	r = t->record.count ? record_of(t, v) : NULL;
	return r ? !r->rank : size && size->kind == PICKLE_TUPLE && !size->list->n;
}

/* ---- its parts ---- */

/* Nothing is done with the tensor, but its name is known. */
static int refuse(struct torch *t, enum heft_code code, const char *name, const char *text)
{
	t->out->tensor[t->out->n_tensors++] = (struct heft_tensor){ .name = name };
	return sink_tellf(t->sink, code, t->file, name, NULL, "%s", text);
}

/* NULL: well */
static const char *take_dims(struct view *v, const struct pickle_value *size, const struct pickle_value *stride)
{
	if (!size || !stride || size->kind != PICKLE_TUPLE || stride->kind != PICKLE_TUPLE || size->list->n != stride->list->n)
		return "has no shape and strides that fit together";
	if (size->list->n > HEFT_MAX_RANK)
		return "has more than 8 dimensions";
	v->rank = (int)size->list->n;
	for (int i = 0; i < v->rank; i++)
		if (!pickle_uint(pickle_at(size, (size_t)i), &v->dim[i]) || !pickle_uint(pickle_at(stride, (size_t)i), &v->stride[i]))
			return "has a dimension or a stride that is negative or no number";
	return NULL;
}

static const char *take_storage(struct torch *t, struct view *v, const struct pickle_value *persistent)
{
	struct torch_id id;
	const struct map_slot *slot;
	uint64_t size, skip;

	if (!torch_storage_id(t, persistent, &id))
		return "is a view of no storage that heft knows";
	slot = map_find(&t->storage, id.key, strlen(id.key));
	if (!slot)
		return "is a view of a storage that is not in the file";
	v->storage = *(const struct torch_storage *)slot->value.p;
	v->dtype = id.dtype;
	if (__builtin_mul_overflow(id.count, id.dtype ? id.dtype->size : 1, &size) || size > v->storage.size)
		return "is a view of a storage that has fewer bytes than the pickle says";
	v->storage.size = size;
	if (!id.view)
		return NULL;
	if (!id.dtype || __builtin_mul_overflow(id.offset, id.dtype->size, &skip) ||
	    __builtin_mul_overflow(id.length, id.dtype->size, &size) || skip > v->storage.size || size > v->storage.size - skip)
		return "is a view of a part that its storage does not have";
	v->storage.offset += skip;
	v->storage.size = size;
	return NULL;
}

/* Bits that say that the numbers are other than those that are stored: conjugated, negated */
static bool says_otherwise(const struct pickle_value *metadata)
{
	for (size_t i = 0; metadata && metadata->kind == PICKLE_DICT && i + 1 < metadata->list->n; i += 2) {
		const struct pickle_value *v = metadata->list->v[i + 1];

		if (v->kind != PICKLE_BOOL || v->b)
			return true;
	}
	return false;
}

static const char *take_call(struct torch *t, struct view *v, enum torch_role role, const struct pickle_value *args)
{
	bool known = true;
	const char *wrong;

	if (role == TORCH_UNSUPPORTED)
		return "is sparse, nested or without bytes of its own: heft reads tensors that are one array of numbers";
	wrong = take_storage(t, v, pickle_at(args, 0));
	if (!wrong && !pickle_uint(pickle_at(args, 1), &v->offset))
		wrong = "begins at no number";
	if (!wrong)
		wrong = take_dims(v, pickle_at(args, 2), pickle_at(args, 3));
	if (!wrong && role == TORCH_TYPED)
		v->dtype = dtype_of(pickle_at(args, 6), TORCH_DTYPE, &known);
	if (!wrong && (!known || !v->dtype))
		wrong = "has no type that heft knows";
	if (!wrong && says_otherwise(pickle_at(args, role == TORCH_TYPED ? 7 : 6)))
		wrong = "is conjugated or negated when it is read";
	return wrong;
}

static void take_record(struct view *v, const struct torch_record *r)
{
	*v = (struct view){ .storage = *r->storage, .dtype = r->storage->dtype, .offset = r->offset, .rank = r->rank };
	memcpy(v->dim, r->dim, sizeof v->dim);
	memcpy(v->stride, r->stride, sizeof v->stride);
}

/* ---- its bytes ---- */

/* Elements from the first to the last one, both counted; false where it overflows */
static bool span_of(const struct view *v, uint64_t *out)
{
	uint64_t last = 0, step;

	for (int i = 0; i < v->rank; i++)
		if (__builtin_mul_overflow(v->dim[i] - 1, v->stride[i], &step) || __builtin_add_overflow(last, step, &last))
			return false;
	return !__builtin_add_overflow(last, 1, out);
}

static const char *check_bounds(const struct torch *t, const struct view *v, uint64_t count, uint64_t bytes)
{
	uint64_t span, end;

	if (!count)
		return v->offset > v->storage.size / v->dtype->size ? "begins behind the end of its storage" : NULL;
	if (!span_of(v, &span) || __builtin_add_overflow(v->offset, span, &end) || end > v->storage.size / v->dtype->size)
		return "reaches beyond the end of its storage";
	if (bytes > source_size(t->src))
		return "stands for more bytes than the file has";
	return NULL;
}

static bool is_contiguous(const struct view *v)
{
	uint64_t expected = 1;

	for (int i = v->rank - 1; i >= 0; i--) {
		if (v->dim[i] != 1 && v->stride[i] != expected)
			return false;
		expected *= v->dim[i];
	}
	return true;
}

static struct source *made(struct torch *t, const struct view *v, uint64_t offset, uint64_t count)
{
	struct source_grid g = { .offset = offset, .item = v->dtype->size, .turned = t->turned && v->dtype->size > 1 };
	bool plain = is_contiguous(v);
	struct source *s;

	if (!count || (plain && !g.turned))
		return NULL;
	g.rank = plain ? 1 : v->rank;
	g.dim[0] = count;
	g.step[0] = g.item;
	for (int i = 0; !plain && i < v->rank; i++) {
		g.dim[i] = v->dim[i];
		g.step[i] = v->stride[i] * g.item;
	}
	s = source_strided(t->src, &g);
	source_adopt(t->src, s);
	return s;
}

static int place(struct torch *t, const char *name, const struct view *v)
{
	struct heft_tensor *out = &t->out->tensor[t->out->n_tensors];
	const struct heft_encoding *enc = v->dtype->encoding ? quant_find(v->dtype->encoding) : NULL;
	uint64_t count, bytes, offset;
	const char *wrong;

	if (!format_count(v->rank, v->dim, &count) || __builtin_mul_overflow(count, v->dtype->size, &bytes))
		return refuse(t, HEFT_E_SHAPE, name, "has a shape whose size overflows 64 bits");
	wrong = check_bounds(t, v, count, bytes);
	if (wrong)
		return refuse(t, HEFT_E_SHAPE, name, wrong);
	if (!enc)
		return refuse(t, HEFT_E_DTYPE, name,
			      arena_printf(t->arena, "has dtype torch.%s, which heft does not read", v->dtype->name));
	if (__builtin_add_overflow(t->bytes, bytes, &t->bytes) || t->bytes / VIEWS_MAX > source_size(t->src))
		return heft_fail(t->err, HEFT_E_SHAPE, "%s: its tensors are views that together stand for more than %d times the file's bytes",
				 t->file, VIEWS_MAX);
	offset = v->storage.offset + v->offset * v->dtype->size;
	*out = (struct heft_tensor){ .name = name, .enc = enc, .rank = v->rank, .n_planes = 1 };
	memcpy(out->dim, v->dim, sizeof out->dim);
	out->plane[0] = (struct heft_extent){ .offset = offset, .size = bytes, .made = made(t, v, offset, count) };
	t->out->n_tensors++;
	return 0;
}

static int check_name(struct torch *t, const char *name)
{
	size_t n = strlen(name);
	bool found;

	if (!n || n > NAME_MAX_BYTES)
		return heft_fail(t->err, HEFT_E_HEADER, "%s: a tensor has a name of %zu bytes", t->file, n);
	if (!utf8_valid(name, n))
		return heft_fail(t->err, HEFT_E_UTF8, "%s: the name '%s' is not UTF-8", t->file, name);
	map_put(&t->names, name, n, &found);
	return found ? heft_fail(t->err, HEFT_E_DUPLICATE, "%s: the name '%s' stands twice", t->file, name) : 0;
}

int torch_add_tensor(struct torch *t, const char *name, const struct pickle_value *v)
{
	const struct torch_record *record = NULL;
	const struct pickle_value *args = NULL;
	struct view view = { 0 };
	enum torch_role role;
	const char *wrong;

	if (check_name(t, name))
		return -1;
	t->out->tensor = arena_grow(t->arena, t->out->tensor, &t->cap, t->out->n_tensors + 1, sizeof *t->out->tensor);
	v = torch_unwrap(v);
	role = call_of(v, &args);
	if (t->record.count)
		record = record_of(t, v);
	if (record) {
		take_record(&view, record);
		return place(t, name, &view);
	}
	if (v->object->items.n || v->object->appended.n)
		return refuse(t, HEFT_E_HEADER, name, "has items set in it, as in a dict");
	wrong = take_call(t, &view, role, args);
	return wrong ? refuse(t, role == TORCH_UNSUPPORTED ? HEFT_E_DTYPE : HEFT_E_SHAPE, name, wrong) : place(t, name, &view);
}
