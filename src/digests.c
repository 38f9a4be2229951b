/*
 * digests.c - flows of bytes into SHA-256, one for each tensor and file: see digests.h.
 *
 *      pieces, as they are written     b4 b1 b3 b2 ...
 *      at -> b1 | b2 b3 b4             b4 waits, b1 is taken, b3 waits, b2 is taken, and behind it b3 and b4
 *
 * A thread waits itself only while another one is at work on the flow, so that it ends.
 */
#include "digests.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/sha256.h"

enum { MOST_BYTES = 32 << 20, MOST_PIECES = 4096 }; /* that wait for one flow */

struct piece {
	struct piece *next; /* of the same flow, with a higher offset */
	uint64_t at;
	size_t n, cap;
	uint8_t bytes[];
};

struct flow {
	struct sha256 *sum;
	uint64_t at, end;   /* offsets in the file: the next byte, the last one's end */
	bool apart, busy;   /* given up; some thread takes its pieces */
	struct piece *early;
	size_t n_early, bytes_early;
	char hex[65];       /* "" before the end */
};

struct extent {
	uint64_t begin, end;
	struct flow flow;
};

struct file {
	const char *name;
	struct extent *extent; /* tensors, by offset */
	size_t n_extents, next; /* next: the first one that ends behind flow.at */
	uint64_t size;
	struct flow flow;
};

struct digests {
	const struct heft_plan *plan;
	struct arena *arena;
	struct file **file; /* of each output, of each part */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct piece *spare; /* that were taken: their memory serves again */
};

/* ---- a flow ---- */

static void update(struct flow *f, const void *p, uint64_t n)
{
	if (!f->sum)
		f->sum = sha256_new();
	if (n)
		sha256_update(f->sum, p, (size_t)n);
	f->at += n;
}

/* What lies between a file's tensors, and behind them, is zeros. */
static void pad(struct file *file)
{
	static const uint8_t zeros[4096];
	struct flow *f = &file->flow;
	uint64_t to;

	while (file->next < file->n_extents && file->extent[file->next].end <= f->at)
		file->next++;
	to = file->next < file->n_extents ? file->extent[file->next].begin : file->size;
	while (f->at < to)
		update(f, zeros, to - f->at < sizeof zeros ? to - f->at : sizeof zeros);
}

/* file: whose flow it is; NULL: a tensor's. */
static void feed(struct flow *f, struct file *file, const void *p, size_t n)
{
	update(f, p, n);
	if (file)
		pad(file);
	if (f->at != f->end)
		return;
	sha256_final(f->sum, f->hex);
	f->sum = NULL;
}

static struct piece *take_early(struct flow *f)
{
	struct piece *p = f->early;

	if (!p || p->at != f->at)
		return NULL;
	f->early = p->next;
	f->n_early--;
	f->bytes_early -= p->n;
	return p;
}

static void give_up(struct flow *f)
{
	f->apart = true;
	while (f->early) {
		struct piece *p = f->early;

		f->early = p->next;
		free(p);
	}
	if (f->sum)
		sha256_final(f->sum, NULL);
	f->sum = NULL;
}

static void insert(struct flow *f, struct piece *p)
{
	struct piece **where = &f->early;

	while (*where && (*where)->at < p->at)
		where = &(*where)->next;
	p->next = *where;
	*where = p;
}

static struct piece *spare_piece(struct digests *d, size_t n)
{
	struct piece *p = d->spare;

	if (p)
		d->spare = p->next;
	if (p && p->cap >= n)
		return p;
	free(p);
	p = xmalloc(sizeof *p + n);
	p->cap = n;
	return p;
}

/* A copy waits. The lock is held, but while bytes are copied. */
static void keep(struct digests *d, struct flow *f, uint64_t at, const void *buf, size_t n)
{
	struct piece *p = spare_piece(d, n);

	f->n_early++;
	f->bytes_early += n;
	pthread_mutex_unlock(&d->lock);
	p->at = at;
	p->n = n;
	memcpy(p->bytes, buf, n);
	pthread_mutex_lock(&d->lock);
	if (f->apart)
		free(p);
	else
		insert(f, p);
}

/* From a piece that is next, or from the first that waits, as far as there are any. The lock is held, but for the work on bytes. */
static void take(struct digests *d, struct flow *f, struct file *file, const void *buf, size_t n)
{
	struct piece *p = buf ? NULL : take_early(f);

	if (!buf && !p)
		return;
	f->busy = true;
	do {
		pthread_mutex_unlock(&d->lock);
		if (p)
			feed(f, file, p->bytes, p->n);
		else
			feed(f, file, buf, n);
		pthread_mutex_lock(&d->lock);
		if (p) {
			p->next = d->spare;
			d->spare = p;
		}
		p = take_early(f);
		pthread_cond_broadcast(&d->moved);
	} while (p);
	f->busy = false;
}

static bool is_full(const struct flow *f, size_t n)
{
	return f->n_early && (f->n_early >= MOST_PIECES || f->bytes_early + n > MOST_BYTES);
}

static void offer(struct digests *d, struct flow *f, struct file *file, uint64_t at, const void *buf, size_t n)
{
	pthread_mutex_lock(&d->lock);
	while (!f->apart && f->busy && is_full(f, n))
		pthread_cond_wait(&d->moved, &d->lock);
	if (!f->apart && !f->busy && f->at == at) {
		take(d, f, file, buf, n);
	} else if (!f->apart && !is_full(f, n)) {
		keep(d, f, at, buf, n);
		if (!f->busy) /* those before it may have gone meanwhile */
			take(d, f, file, NULL, 0);
	} else if (!f->apart) {
		give_up(f);
	}
	pthread_mutex_unlock(&d->lock);
}

/* ---- layouts ---- */

static int by_offset(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

/* The tensor that the byte at this offset belongs to. */
static struct extent *find(const struct file *file, uint64_t offset)
{
	size_t low = 0, high = file->n_extents;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (file->extent[mid].begin <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &file->extent[low - 1] : NULL;
}

static void open_file(struct digests *d, struct file *file, const struct plan_part *part)
{
	const struct format_layout *l = &part->layout;
	const char *slash = strrchr(part->path, '/');

	*file = (struct file){ .name = slash ? slash + 1 : part->path, .size = l->file_size, .n_extents = l->n_tensors };
	file->extent = arena_array(d->arena, l->n_tensors + 1, sizeof *file->extent);
	for (size_t i = 0; i < l->n_tensors; i++) {
		struct extent *x = &file->extent[i];

		*x = (struct extent){ .begin = l->tensor[i].offset, .end = l->tensor[i].offset + l->tensor[i].size };
		x->flow = (struct flow){ .at = x->begin, .end = x->end };
		if (x->begin == x->end)
			feed(&x->flow, NULL, "", 0);
	}
	if (l->n_tensors)
		qsort(file->extent, l->n_tensors, sizeof *file->extent, by_offset);
	file->flow.end = file->size;
	feed(&file->flow, file, l->header, l->header_size);
}

/* ---- the order ---- */

/* Files whose tensors do not come in their order, and tensors whose own segments do not, are not begun. */
static void check_order(struct digests *d, size_t output)
{
	const struct heft_plan *p = d->plan;
	uint64_t *last = arena_array(d->arena, p->output[output].n_parts + 1, sizeof *last); /* of each part: where the segment before began */
	uint64_t *next = arena_array(d->arena, p->n_weights + 1, sizeof *next);             /* of each weight: elements so far */

	for (size_t i = 0; i < p->n_segments; i++) {
		const struct plan_segment *s = &p->segment[i];
		const struct heft_item *it = &p->output[output].item[s->weight];
		struct file *file = &d->file[output][it->part];

		if (it->n_stored || it->offset < last[it->part] || s->first != next[s->weight])
			give_up(&file->flow);
		if (!it->n_stored && s->count && s->first != next[s->weight])
			give_up(&find(file, it->offset)->flow);
		last[it->part] = it->offset;
		next[s->weight] += s->count;
	}
}

struct digests *digests_new(const struct heft_plan *p)
{
	struct digests *d = xmalloc(sizeof *d);

	*d = (struct digests){ .plan = p, .arena = arena_new() };
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->moved, NULL);
	d->file = arena_array(d->arena, p->n_outputs + 1, sizeof *d->file);
	for (size_t i = 0; i < p->n_outputs; i++) {
		d->file[i] = arena_array(d->arena, p->output[i].n_parts + 1, sizeof **d->file);
		for (size_t k = 0; k < p->output[i].n_parts; k++)
			open_file(d, &d->file[i][k], &p->output[i].part[k]);
		check_order(d, i);
	}
	return d;
}

void digests_free(struct digests *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->plan->n_outputs; i++)
		for (size_t k = 0; k < d->plan->output[i].n_parts; k++) {
			struct file *file = &d->file[i][k];

			give_up(&file->flow);
			for (size_t t = 0; t < file->n_extents; t++)
				give_up(&file->extent[t].flow);
		}
	while (d->spare) {
		struct piece *p = d->spare;

		d->spare = p->next;
		free(p);
	}
	pthread_cond_destroy(&d->moved);
	pthread_mutex_destroy(&d->lock);
	arena_free(d->arena);
	free(d);
}

/* ---- adding and asking ---- */

void digests_add(struct digests *d, size_t output, uint64_t part, uint64_t offset, const void *buf, size_t n)
{
	struct extent *x;
	struct file *file;

	if (!d || !n)
		return;
	file = &d->file[output][part];
	x = find(file, offset);
	if (x)
		offer(d, &x->flow, NULL, offset, buf, n);
	offer(d, &file->flow, file, offset, buf, n);
}

static const struct file *named(const struct digests *d, size_t output, const char *name)
{
	for (size_t k = 0; d && k < d->plan->output[output].n_parts; k++)
		if (!strcmp(d->file[output][k].name, name))
			return &d->file[output][k];
	return NULL;
}

const char *digests_tensor(const struct digests *d, size_t output, const char *name, uint64_t offset, uint64_t size)
{
	const struct file *file = named(d, output, name);
	const struct extent *x = file ? find(file, offset) : NULL;

	return x && x->begin == offset && x->end - offset == size && *x->flow.hex ? x->flow.hex : NULL;
}

const char *digests_file(const struct digests *d, size_t output, const char *name)
{
	const struct file *file = named(d, output, name);

	return file && *file->flow.hex ? file->flow.hex : NULL;
}
