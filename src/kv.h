/*
 * kv.h - lists of metadata in an arena.
 */
#ifndef KV_H
#define KV_H

#include "../base/arena.h"
#include "heft.h"

struct kv_list {
	struct heft_kv *v;
	size_t n, cap;
	struct arena *arena;
};

void kv_set(struct kv_list *l, const char *key, struct heft_value value); /* replaces an equal key, else appends */
void kv_set_last(struct kv_list *l, const char *key, struct heft_value value); /* the key becomes the last one */
void kv_set_all(struct kv_list *l, const struct heft_kv *v, size_t n);
void kv_remove_prefix(struct kv_list *l, const char *prefix);
const struct heft_value *kv_find(const struct heft_kv *v, size_t n, const char *key);
uint64_t kv_uint(const struct heft_kv *v, size_t n, const char *key, uint64_t otherwise); /* any integer scalar, not negative */
const char *kv_string(const struct heft_kv *v, size_t n, const char *key);                /* NULL where there is none */

struct heft_value value_u16(uint16_t v);
struct heft_value value_u32(uint32_t v);
struct heft_value value_i32(int32_t v);
struct heft_value value_bool(bool v);
struct heft_value value_string(const char *s); /* borrows s */

#endif
