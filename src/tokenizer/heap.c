/* heap.c - a binary heap of merge candidates. */
#include "heap.h"
#include "../../base/arena.h"

#include <stdlib.h>

static bool before(const struct candidate *a, const struct candidate *b)
{
	return a->order != b->order ? a->order < b->order : a->at < b->at;
}

void heap_push(struct heap *h, struct candidate c)
{
	size_t i = h->n++;

	if (h->n > h->cap) {
		h->cap = h->cap ? 2 * h->cap : 64;
		h->item = xrealloc(h->item, h->cap * sizeof(*h->item));
	}
	for (; i && before(&c, &h->item[(i - 1) / 2]); i = (i - 1) / 2)
		h->item[i] = h->item[(i - 1) / 2];
	h->item[i] = c;
}

bool heap_pop(struct heap *h, struct candidate *out)
{
	struct candidate last;
	size_t i = 0, child;

	if (!h->n)
		return false;
	*out = h->item[0];
	last = h->item[--h->n];
	for (; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n && before(&h->item[child + 1], &h->item[child]))
			child++;
		if (!before(&h->item[child], &last))
			break;
		h->item[i] = h->item[child];
	}
	if (h->n)
		h->item[i] = last;
	return true;
}

void heap_release(struct heap *h)
{
	free(h->item);
	*h = (struct heap){ 0 };
}
