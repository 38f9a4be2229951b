/* arena.h: what is zeroed, copied, given back early, and what stays. */
#include "base/arena.h"
#include "tests/tap.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { LARGE = 100000, SMALL = 100, MIDDLE = 20000 /* a block of its own, though less than a block */ };

static bool is_all(const unsigned char *p, size_t n, unsigned char v)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != v)
			return false;
	return true;
}

static void allocation(void)
{
	struct arena *a = arena_new();
	unsigned char *p[50];
	size_t size[50], cap = 0;
	int bad = 0;
	int *grown = NULL;

	for (size_t i = 0; i < 50; i++) {
		size[i] = i % 7 == 3 ? LARGE + i : i * 31;
		p[i] = arena_alloc(a, size[i]);
		bad += !is_all(p[i], size[i], 0) || (uintptr_t)p[i] % _Alignof(max_align_t);
		memset(p[i], (int)i + 1, size[i]);
	}
	for (size_t i = 0; i < 50; i++)
		bad += !is_all(p[i], size[i], (unsigned char)(i + 1));
	is_int(bad, 0, "zeroed, aligned, apart");
	for (int i = 0; i < 1000; i++) {
		grown = arena_grow(a, grown, &cap, (size_t)i + 1, sizeof *grown);
		grown[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		bad += grown[i] != i;
	is_int(bad, 0, "grown arrays keep what is in them");
	arena_free(a);
}

/* Memory that was given back may be handed out again: under the sanitizer, a wrong block would show here. */
static void dropping(void)
{
	struct arena *a = arena_new();
	unsigned char *first = arena_alloc(a, LARGE), *small = arena_alloc(a, SMALL), *one, *two, *middle;
	int bad = 0;

	memset(first, 1, LARGE); /* the first block is shared by what comes behind it */
	memset(small, 2, SMALL);
	one = memset(arena_alloc(a, LARGE), 3, LARGE);
	two = memset(arena_alloc(a, LARGE), 4, LARGE);
	middle = memset(arena_alloc(a, MIDDLE), 5, MIDDLE);
	arena_drop(a, NULL);
	arena_drop(a, small);
	arena_drop(a, first);
	arena_drop(a, one);
	arena_drop(a, middle);
	for (int i = 0; i < 20; i++) {
		size_t n = i % 2 ? LARGE : MIDDLE;
		unsigned char *p = arena_alloc(a, n);

		bad += !is_all(p, n, 0);
		memset(p, 9, n);
		if (i % 3)
			arena_drop(a, p);
	}
	is_int(bad, 0, "zeroed again");
	ok(is_all(first, LARGE, 1) && is_all(small, SMALL, 2) && is_all(two, LARGE, 4), "the others stay");
	arena_free(a);
	arena_free(NULL);
}

int main(void)
{
	allocation();
	dropping();
	return done();
}
