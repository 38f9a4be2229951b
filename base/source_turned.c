/*
 * source_turned.c - a matrix read column by column: words of GPTQ and AWQ run down columns, and a row of the weight is one of them.
 *
 *   in the file (rows x cols units)         as read: cols rows of `rows` units
 *   a0 b0 c0 | d0 e0 f0 | ...               a0 a1 a2 ...  \
 *   a1 b1 c1 | d1 e1 f1 |                   b0 b1 b2 ...   > strip 0
 *   a2 b2 c2 | d2 e2 f2 |                   c0 c1 c2 ...  /
 *    strip 0    strip 1                     d0 d1 d2 ...
 *
 * A strip of columns is read at once, in pieces of some hundred bytes, and kept, since the threads of a run want its rows one after
 * another. All such sources share one small set of strips, so that memory does not grow with the number of tensors; the strips of a
 * source go when it is closed.
 */
#include "source_class.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { SLOTS = 32, STRIP = 2 * 1024 * 1024, PIECE_LEAST = 128, PIECE_MOST = 64 * 1024 };
#define KEPT ((size_t)48 << 20) /* bytes of strips that nobody is reading */

struct turned {
	struct source base;
	struct source *from;
	uint64_t offset, rows, cols, strip_cols;
	uint32_t unit; /* bytes */
};

struct slot {
	const struct turned *of; /* NULL: free */
	uint64_t strip, used;    /* when it was last asked for */
	uint8_t *bytes;
	size_t size;
	int readers;
	bool loading;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot slot[SLOTS];
	uint64_t clock;
	size_t kept;
} strips = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- the set: these hold the lock ---- */

static void empty(struct slot *s)
{
	strips.kept -= s->size;
	free(s->bytes);
	*s = (struct slot){ 0 };
}

static struct slot *find(const struct turned *t, uint64_t strip)
{
	for (int i = 0; i < SLOTS; i++)
		if (strips.slot[i].of == t && strips.slot[i].strip == strip)
			return &strips.slot[i];
	return NULL;
}

/* The one that was not wanted for longest, a free one first unless it must be full; NULL while all are being read. */
static struct slot *oldest(bool full)
{
	struct slot *best = NULL;

	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &strips.slot[i];

		if (!s->readers && (s->of || !full) && (!best || s->used < best->used))
			best = s;
	}
	return best;
}

/* Makes room for `size` more bytes, as far as nobody reads what is there; an empty slot, or NULL. */
static struct slot *make_room(size_t size)
{
	struct slot *s;

	while (strips.kept + size > KEPT && (s = oldest(true)))
		empty(s);
	s = oldest(false);
	if (s)
		empty(s);
	return s;
}

/* ---- strips ---- */

static uint64_t strip_columns(const struct turned *t, uint64_t strip)
{
	uint64_t left = t->cols - strip * t->strip_cols;

	return left < t->strip_cols ? left : t->strip_cols;
}

static void turn_row(const uint8_t *piece, uint64_t columns, uint64_t rows, uint32_t unit, uint8_t *dst)
{
	if (unit == 4) { /* nearly always: let the compiler know the size */
		for (uint64_t c = 0; c < columns; c++)
			memcpy(dst + c * rows * 4, piece + c * 4, 4);
		return;
	}
	for (uint64_t c = 0; c < columns; c++)
		memcpy(dst + c * rows * unit, piece + c * unit, unit);
}

static int load(const struct turned *t, uint64_t strip, uint8_t *dst, struct heft_err *err)
{
	uint64_t columns = strip_columns(t, strip), at = t->offset + strip * t->strip_cols * t->unit;
	size_t bytes = (size_t)(columns * t->unit);
	uint8_t *piece = xmalloc(bytes);
	int rc = 0;

	for (uint64_t r = 0; r < t->rows && !rc; r++) {
		rc = source_read(t->from, at + r * t->cols * t->unit, piece, bytes, err);
		if (!rc)
			turn_row(piece, columns, t->rows, t->unit, dst + r * t->unit);
	}
	free(piece);
	return rc;
}

/* Loads a strip into an empty slot. The lock is given back meanwhile. */
static int fill(struct slot *s, const struct turned *t, uint64_t strip, size_t size, struct heft_err *err)
{
	int rc;

	*s = (struct slot){ .of = t, .strip = strip, .used = ++strips.clock, .readers = 1, .loading = true, .size = size };
	strips.kept += size;
	pthread_mutex_unlock(&strips.lock);
	s->bytes = xmalloc(size);
	rc = load(t, strip, s->bytes, err);
	pthread_mutex_lock(&strips.lock);
	s->loading = false;
	if (rc)
		empty(s);
	pthread_cond_broadcast(&strips.changed);
	return rc;
}

/* A strip that stays until let_go; NULL: it cannot be read. */
static struct slot *hold(const struct turned *t, uint64_t strip, struct heft_err *err)
{
	size_t size = (size_t)(strip_columns(t, strip) * t->rows * t->unit);
	struct slot *s;

	pthread_mutex_lock(&strips.lock);
	for (;;) {
		s = find(t, strip);
		if (s && !s->loading) {
			s->readers++;
			s->used = ++strips.clock;
			break;
		}
		if (!s && (s = make_room(size))) {
			s = fill(s, t, strip, size, err) ? NULL : s;
			break;
		}
		pthread_cond_wait(&strips.changed, &strips.lock);
	}
	pthread_mutex_unlock(&strips.lock);
	return s;
}

static void let_go(struct slot *s)
{
	pthread_mutex_lock(&strips.lock);
	if (!--s->readers)
		pthread_cond_broadcast(&strips.changed);
	pthread_mutex_unlock(&strips.lock);
}

/* ---- the source ---- */

static int64_t turned_read(struct source *base, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	const struct turned *t = (const struct turned *)base;
	uint64_t each = t->strip_cols * t->rows * t->unit;
	size_t done = 0;

	if (offset >= base->size)
		return 0;
	if (n > base->size - offset)
		n = (size_t)(base->size - offset);
	while (done < n) {
		uint64_t strip = (offset + done) / each, in = (offset + done) % each;
		size_t part = n - done < each - in ? n - done : (size_t)(each - in);
		struct slot *s = hold(t, strip, err);

		if (!s)
			return -1;
		memcpy((uint8_t *)buf + done, s->bytes + in, part);
		let_go(s);
		done += part;
	}
	return (int64_t)done;
}

static void turned_close(struct source *base)
{
	pthread_mutex_lock(&strips.lock);
	for (int i = 0; i < SLOTS; i++)
		if (strips.slot[i].of == (struct turned *)base)
			empty(&strips.slot[i]);
	pthread_mutex_unlock(&strips.lock);
}

static const struct source_class turned_class = { .read = turned_read, .close = turned_close };

/* Columns of a strip: STRIP bytes or so, but pieces that are worth a read. */
static uint64_t choose_columns(const struct turned *t)
{
	uint64_t bytes = STRIP / t->rows;

	bytes = bytes < PIECE_LEAST ? PIECE_LEAST : bytes > PIECE_MOST ? PIECE_MOST : bytes;
	bytes = bytes / t->unit ? bytes / t->unit : 1;
	return bytes < t->cols ? bytes : t->cols;
}

struct source *source_turned(struct source *from, uint64_t offset, uint64_t rows, uint64_t cols, uint32_t unit)
{
	struct turned *t = source_new(sizeof *t, &turned_class, from->name, rows * cols * unit);

	t->from = from;
	t->offset = offset;
	t->rows = rows;
	t->cols = cols;
	t->unit = unit;
	t->strip_cols = choose_columns(t);
	source_adopt(from, &t->base);
	return &t->base;
}
