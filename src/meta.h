/*
 * meta.h - changes of a file's metadata: what the caller asks for, as values.
 */
#ifndef META_H
#define META_H

#include "kv.h"

/* "KEY=TYPE:VALUE" into the list. TYPE int, float and json take the type that the key has in `now` where the value fits. */
int meta_take(struct kv_list *l, const char *text, const struct heft_kv *now, size_t n_now, struct heft_err *err);
/* The members of a JSON object, the same way. */
int meta_take_json(struct kv_list *l, const char *path, const struct heft_kv *now, size_t n_now, struct heft_err *err);
bool meta_same(const struct heft_value *a, const struct heft_value *b);

#endif
