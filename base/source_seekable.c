/*
 * source_seekable.c - reads a .zst file with a seek table (Zstandard's seekable format) as what is in it: any bytes, in any order.
 *
 *   frame | frame | ... | skippable frame 0x184D2A5E: per frame u32 packed size, u32 size, with a flag u32 checksum;
 *                         u32 number of frames, u8 flags (0x80: checksums), u32 0x8F92EAB1
 *
 * Layout: contrib/seekable_format of github.com/facebook/zstd. The table's sizes must add up to the file. Files whose frames are larger than
 * FRAME_MAX are left to be read as streams: a frame can only be unpacked whole.
 */
#include "source_class.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "pack.h"
#include "zstd.h"

enum { KEPT = 8, FRAME_MAX = 16 << 20, RATIO_MAX = 1000 }; /* RATIO_MAX: as in unpack.h */
#define TABLE_HEAD 8
#define NONE SIZE_MAX

struct seekable {
	struct source base;
	struct source *file;
	uint64_t *packed, *plain; /* where each frame begins, in the file and in its content; one more: the ends */
	size_t n;
	pthread_mutex_t lock;
	struct zstd_context *context;
	struct {
		size_t frame;
		uint64_t used;
		uint8_t *bytes;
	} kept[KEPT];
	uint64_t clock;
};

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static size_t frame_of(const struct seekable *s, uint64_t offset)
{
	size_t low = 0, high = s->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		*(s->plain[mid] <= offset ? &low : &high) = mid;
	}
	return low;
}

static int unpack_frame(struct seekable *s, size_t frame, uint8_t *to, struct heft_err *err)
{
	size_t packed = (size_t)(s->packed[frame + 1] - s->packed[frame]), n = (size_t)(s->plain[frame + 1] - s->plain[frame]);
	uint8_t *from = xmalloc(packed);
	int rc = source_read(s->file, s->packed[frame], from, packed, err);

	if (!rc && !zstd_unpack(s->context, to, n, from, packed))
		rc = heft_fail(err, HEFT_E_CHECKSUM, "%s: frame %zu does not unpack to what the seek table says: download the file again", s->base.name,
			       frame);
	free(from);
	return rc;
}

/* The frame's bytes, unpacked now or a little while ago. */
static const uint8_t *frame_bytes(struct seekable *s, size_t frame, struct heft_err *err)
{
	size_t oldest = 0;

	for (size_t i = 0; i < KEPT; i++) {
		if (s->kept[i].bytes && s->kept[i].frame == frame) {
			s->kept[i].used = ++s->clock;
			return s->kept[i].bytes;
		}
		if (s->kept[i].used < s->kept[oldest].used)
			oldest = i;
	}
	s->kept[oldest].bytes = xrealloc(s->kept[oldest].bytes, (size_t)(s->plain[frame + 1] - s->plain[frame]) + 1);
	s->kept[oldest].frame = NONE;
	if (unpack_frame(s, frame, s->kept[oldest].bytes, err))
		return NULL;
	s->kept[oldest].frame = frame;
	s->kept[oldest].used = ++s->clock;
	return s->kept[oldest].bytes;
}

static int64_t seekable_read(struct source *base, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	struct seekable *s = (struct seekable *)base;
	size_t done = 0;

	if (offset >= base->size)
		return 0;
	n = n < base->size - offset ? n : (size_t)(base->size - offset);
	pthread_mutex_lock(&s->lock);
	while (done < n) {
		size_t frame = frame_of(s, offset + done), k = (size_t)(s->plain[frame + 1] - offset - done);
		const uint8_t *bytes = frame_bytes(s, frame, err);

		if (!bytes)
			break;
		k = k < n - done ? k : n - done;
		memcpy((uint8_t *)buf + done, bytes + (offset + done - s->plain[frame]), k);
		done += k;
	}
	pthread_mutex_unlock(&s->lock);
	return done < n ? -1 : (int64_t)n;
}

static void seekable_close(struct source *base)
{
	struct seekable *s = (struct seekable *)base;

	for (size_t i = 0; i < KEPT; i++)
		free(s->kept[i].bytes);
	free(s->packed);
	free(s->plain);
	zstd_context_free(s->context);
	pthread_mutex_destroy(&s->lock);
	source_close(s->file);
}

static const struct source_class seekable_class = { .read = seekable_read, .close = seekable_close };

/* ---- the table ---- */

/* Sums of the sizes; false where they do not fit the file, or a frame is too large to be kept. */
static bool add_up(struct seekable *s, const uint8_t *row, size_t row_size, uint64_t end)
{
	for (size_t i = 0; i < s->n; i++, row += row_size) {
		uint32_t packed = get32(row), plain = get32(row + 4);

		if (plain > FRAME_MAX || plain / RATIO_MAX > packed || !plain)
			return false;
		s->packed[i + 1] = s->packed[i] + packed; /* at most 2^32 frames of 2^32 bytes */
		s->plain[i + 1] = s->plain[i] + plain;
	}
	return s->packed[s->n] == end;
}

/* Where the table begins, and its rows; false where the file does not end in one. */
static bool find_table(struct source *file, uint64_t *at, size_t *n, size_t *row_size)
{
	uint64_t size = source_size(file), table;
	uint8_t tail[PACK_TABLE_END], head[TABLE_HEAD];

	if (size == UINT64_MAX || size < TABLE_HEAD + PACK_TABLE_END || source_read(file, size - sizeof tail, tail, sizeof tail, NULL) ||
	    get32(tail + 5) != PACK_TABLE_MAGIC || tail[4] & 0x7f)
		return false;
	*n = get32(tail);
	*row_size = tail[4] & 0x80 ? 12 : 8;
	table = TABLE_HEAD + *n * (uint64_t)*row_size + PACK_TABLE_END;
	if (!*n || table > size)
		return false;
	*at = size - table;
	return !source_read(file, *at, head, sizeof head, NULL) && get32(head) == PACK_TABLE_FRAME && get32(head + 4) == table - TABLE_HEAD;
}

static bool read_table(struct seekable *s, uint64_t at, size_t row_size)
{
	uint8_t *rows = xmalloc(s->n * row_size); /* the file has as many */
	bool good;

	s->packed = xmalloc((s->n + 1) * sizeof *s->packed);
	s->plain = xmalloc((s->n + 1) * sizeof *s->plain);
	s->packed[0] = s->plain[0] = 0;
	good = !source_read(s->file, at + TABLE_HEAD, rows, s->n * row_size, NULL) && add_up(s, rows, row_size, at);
	free(rows);
	s->base.size = good ? s->plain[s->n] : 0;
	return good;
}

struct source *source_seekable(struct source *file)
{
	struct seekable *s;
	size_t n, row_size;
	uint64_t at;

	if (!file || source_is_stream(file) || !find_table(file, &at, &n, &row_size))
		return file;
	s = source_new(sizeof *s, &seekable_class, source_name(file), 0);
	s->file = file;
	s->n = n;
	s->context = zstd_context_new();
	pthread_mutex_init(&s->lock, NULL);
	if (read_table(s, at, row_size))
		return &s->base;
	s->file = NULL; /* stays open: it is given back */
	source_close(&s->base);
	return file;
}
