/* Digests of a plan's files and tensors, from pieces in any order: those of the same bytes in their order, or none. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/sha256.h"
#include "src/digests.h"
#include "tests/tap.h"

enum { HEADER = 48, PIECE = 1000, A = 200 * PIECE + 7, B = 90 * PIECE, PAD = 57, SIZE = HEADER + A + PAD + B };

static uint8_t bytes[SIZE];
static struct format_tensor tensor[3] = { { .name = "a", .offset = HEADER, .size = A }, { .name = "none", .offset = HEADER + A + PAD, .size = 0 },
					  { .name = "b", .offset = HEADER + A + PAD, .size = B } };
static struct heft_item item[3] = { { .offset = HEADER, .size = A }, { .offset = HEADER + A + PAD }, { .offset = HEADER + A + PAD, .size = B } };
static struct plan_segment segment[4] = { { .weight = 0, .count = A }, { .weight = 1 }, { .weight = 2, .count = B } };
static struct plan_part part = { .path = "folder/x.gguf", .layout = { .tensor = tensor, .n_tensors = 3, .header = (const void *)bytes, .header_size = HEADER, .file_size = SIZE } };
static struct plan_output output = { .item = item, .part = &part, .n_parts = 1 };
static struct heft_plan plan = { .output = &output, .n_outputs = 1, .n_weights = 3, .segment = segment, .n_segments = 3 };

static bool is(const char *hex, const uint8_t *p, size_t n)
{
	char want[65];

	sha256_hex(p, n, want);
	return hex && !strcmp(hex, want);
}

static const char *digest_of(const struct digests *d, size_t i)
{
	return digests_tensor(d, 0, "x.gguf", tensor[i].offset, tensor[i].size);
}

static bool all_right(const struct digests *d)
{
	return is(digest_of(d, 0), bytes + HEADER, A) && is(digest_of(d, 2), bytes + HEADER + A + PAD, B) && is(digests_file(d, 0, "x.gguf"), bytes, SIZE);
}

static void put(struct digests *d, size_t i, uint64_t at, size_t n)
{
	digests_add(d, 0, 0, tensor[i].offset + at, bytes + tensor[i].offset + at, n);
}

static void in_order(void)
{
	struct digests *d = digests_new(&plan);

	put(d, 0, 0, A);
	ok(is(digest_of(d, 0), bytes + HEADER, A) && !digests_file(d, 0, "x.gguf"), "a tensor that is whole has a digest, its file not yet");
	put(d, 2, 0, B);
	ok(all_right(d), "padding is part of the file and of no tensor");
	ok(!digests_file(d, 0, "y.gguf") && !digests_tensor(d, 0, "x.gguf", HEADER, A - 1) && !digests_tensor(d, 0, "x.gguf", HEADER + 1, A - 1), "none for what there is not");
	digests_free(d);
}

static void backwards(void)
{
	struct digests *d = digests_new(&plan);

	for (uint64_t at = B; at; at -= PIECE)
		put(d, 2, at - PIECE, PIECE);
	for (uint64_t at = A - 7; at; at -= PIECE)
		put(d, 0, at - PIECE, PIECE);
	put(d, 0, A - 7, 7);
	ok(all_right(d), "pieces from the last to the first");
	digests_free(d);
}

static void not_whole(void)
{
	struct digests *d = digests_new(&plan);

	put(d, 0, PIECE, A - PIECE);
	put(d, 2, 0, B);
	ok(!digest_of(d, 0) && is(digest_of(d, 2), bytes + HEADER + A + PAD, B) && !digests_file(d, 0, "x.gguf"), "what lacks a piece has no digest");
	digests_free(d); /* what waits is freed */
	digests_free(NULL);
}

/* More pieces than may wait. */
static void too_many(void)
{
	struct digests *d = digests_new(&plan);

	for (uint64_t at = 1; at < 5001; at++)
		put(d, 0, at, 1);
	put(d, 0, 0, 1);
	put(d, 0, 5001, A - 5001);
	put(d, 2, 0, B);
	ok(!digest_of(d, 0) && !digests_file(d, 0, "x.gguf") && is(digest_of(d, 2), bytes + HEADER + A + PAD, B), "too much that waits: given up, and other tensors not");
	digests_free(d);
}

static void order_of_plan(void)
{
	struct digests *d;

	segment[0] = (struct plan_segment){ .weight = 2, .count = B }; /* a file in another order, */
	segment[2] = (struct plan_segment){ .weight = 0, .first = PIECE, .count = A - PIECE }; /* and a tensor */
	segment[3] = (struct plan_segment){ .weight = 0, .count = PIECE };
	plan.n_segments = 4;
	d = digests_new(&plan);
	put(d, 2, 0, B);
	put(d, 0, 0, A);
	ok(!digest_of(d, 0) && !digests_file(d, 0, "x.gguf") && is(digest_of(d, 2), bytes + HEADER + A + PAD, B), "what the plan has in another order is not begun");
	digests_free(d);
	segment[0] = (struct plan_segment){ .weight = 0, .count = A };
	segment[2] = (struct plan_segment){ .weight = 2, .count = B };
	plan.n_segments = 3;
}

struct crew {
	struct digests *d;
	pthread_mutex_t lock;
	uint64_t next;
};

static void *work(void *p)
{
	struct crew *c = p;

	for (;;) {
		uint64_t at;

		pthread_mutex_lock(&c->lock);
		at = c->next;
		c->next += PIECE;
		pthread_mutex_unlock(&c->lock);
		if (at < A)
			put(c->d, 0, at, A - at < PIECE ? (size_t)(A - at) : PIECE);
		else if ((at -= (A + PIECE - 1) / PIECE * PIECE) < B)
			put(c->d, 2, at, PIECE);
		else
			return NULL;
	}
}

static void threads(void)
{
	bool right = true;

	for (int round = 0; round < 20; round++) {
		struct crew c = { .d = digests_new(&plan), .lock = PTHREAD_MUTEX_INITIALIZER };
		pthread_t t[7];

		for (int i = 0; i < 7; i++)
			pthread_create(&t[i], NULL, work, &c);
		for (int i = 0; i < 7; i++)
			pthread_join(t[i], NULL);
		right &= all_right(c.d);
		digests_free(c.d);
	}
	ok(right, "seven threads");
}

int main(void)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	memset(bytes + HEADER + A, 0, PAD);
	in_order();
	backwards();
	not_whole();
	too_many();
	order_of_plan();
	threads();
	return done();
}
