/*
 * kv.c - lists of metadata. They hold tens of keys, so they are searched in order.
 */
#include "kv.h"

#include <string.h>

static struct heft_kv *find(struct heft_kv *v, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].key, key))
			return &v[i];
	return NULL;
}

void kv_set(struct kv_list *l, const char *key, struct heft_value value)
{
	struct heft_kv *old = find(l->v, l->n, key);

	if (!old) {
		l->v = arena_grow(l->arena, l->v, &l->cap, l->n + 1, sizeof *l->v);
		old = &l->v[l->n++];
		old->key = arena_strdup(l->arena, key);
	}
	old->value = value;
}

void kv_set_last(struct kv_list *l, const char *key, struct heft_value value)
{
	struct heft_kv *old = find(l->v, l->n, key);

	if (old)
		memmove(old, old + 1, (size_t)(l->v + --l->n - old) * sizeof *old);
	kv_set(l, key, value);
}

void kv_set_all(struct kv_list *l, const struct heft_kv *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		kv_set(l, v[i].key, v[i].value);
}

void kv_remove_prefix(struct kv_list *l, const char *prefix)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (strncmp(l->v[i].key, prefix, strlen(prefix)))
			l->v[kept++] = l->v[i];
	l->n = kept;
}

const struct heft_value *kv_find(const struct heft_kv *v, size_t n, const char *key)
{
	struct heft_kv *kv = find((struct heft_kv *)v, n, key);

	return kv ? &kv->value : NULL;
}

uint64_t kv_uint(const struct heft_kv *v, size_t n, const char *key, uint64_t otherwise)
{
	const struct heft_value *x = kv_find(v, n, key);

	if (!x || x->array)
		return otherwise;
	switch (x->type) {
	case HEFT_U8:
	case HEFT_U16:
	case HEFT_U32:
	case HEFT_U64:
		return x->u;
	case HEFT_I8:
	case HEFT_I16:
	case HEFT_I32:
	case HEFT_I64:
		return x->i < 0 ? otherwise : (uint64_t)x->i;
	default:
		return otherwise;
	}
}

const char *kv_string(const struct heft_kv *v, size_t n, const char *key)
{
	const struct heft_value *x = kv_find(v, n, key);

	return x && !x->array && x->type == HEFT_STRING ? x->s.p : NULL;
}

struct heft_value value_u16(uint16_t v)
{
	return (struct heft_value){ .type = HEFT_U16, .count = 1, .u = v };
}

struct heft_value value_u32(uint32_t v)
{
	return (struct heft_value){ .type = HEFT_U32, .count = 1, .u = v };
}

struct heft_value value_i32(int32_t v)
{
	return (struct heft_value){ .type = HEFT_I32, .count = 1, .i = v };
}

struct heft_value value_bool(bool v)
{
	return (struct heft_value){ .type = HEFT_BOOL, .count = 1, .b = v };
}

struct heft_value value_string(const char *s)
{
	return (struct heft_value){ .type = HEFT_STRING, .count = 1, .s = { s, strlen(s) } };
}
