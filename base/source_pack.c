/*
 * source_pack.c - reads a file of heft pack as the file that was packed: any bytes, in any order, by unpacking the tiles that hold them.
 *
 * Owns the packed file's source and a few unpacked tiles. Refuses what breaks pack.h's rules: every size is checked against the seek table and the
 * file's own bytes before it is used, and no tile is larger than PACK_TILE.
 */
#include "source_class.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"
#include "zstd.h"

enum { KEPT = 16 }; /* tiles: two threads' worth of neighbours and what a row's end needs */
#define NONE UINT64_MAX

struct segment {
	uint64_t begin, size;   /* in the packed file's content */
	uint64_t first_tile;
	uint32_t width;
};

struct tile {
	uint64_t number;        /* NONE: free */
	uint64_t used;          /* when, for the choice of which goes */
	bool busy;              /* somebody unpacks it */
	uint8_t *bytes;
};

struct packed {
	struct source base;
	struct source *file;
	struct segment *segment;
	size_t n_segments;
	uint64_t *frame;        /* offset in the file of each data frame; one more: the end */
	uint64_t *first_frame;  /* of each segment */
	uint8_t sha256[32];
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct tile kept[KEPT];
	uint64_t clock;
	struct zstd_context *context[KEPT]; /* as many as tiles may be unpacked at once */
};

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t tiles_of(uint64_t size)
{
	return size / PACK_TILE + (size % PACK_TILE != 0);
}

static size_t tile_size(const struct segment *s, uint64_t tile)
{
	uint64_t left = s->size - tile * PACK_TILE;

	return left < PACK_TILE ? (size_t)left : PACK_TILE;
}

/* ---- reading ---- */

static struct segment *segment_at(struct packed *p, uint64_t offset)
{
	size_t lo = 0, hi = p->n_segments;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->segment[mid].begin <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return &p->segment[lo];
}

static int damaged(const struct packed *p, uint64_t offset, struct heft_err *err)
{
	return heft_fail(err, HEFT_E_CHECKSUM, "%s: the packed bytes at %" PRIu64 " are damaged; pack or download the file again", p->base.name,
			 offset);
}

/* Each frame is read and unpacked into its plane, then the planes are joined. */
static int unpack(struct packed *p, struct zstd_context *c, const struct segment *s, uint64_t tile, uint8_t *bytes, struct heft_err *err)
{
	size_t n = tile_size(s, tile), plane = pack_plane_size(s->width, n);
	int planes = pack_planes(s->width), rc = 0;
	const uint64_t *frame = p->frame + p->first_frame[s - p->segment] + tile * (uint64_t)planes;
	size_t packed = (size_t)(frame[planes] - frame[0]);
	uint8_t *work = xmalloc(packed + plane * (size_t)planes);

	rc = source_read(p->file, frame[0], work, packed, err);
	for (int k = 0; !rc && k < planes; k++)
		if (!zstd_unpack(c, work + packed + (size_t)k * plane, plane, work + (frame[k] - frame[0]),
				 (size_t)(frame[k + 1] - frame[k])))
			rc = damaged(p, frame[k], err);
	if (!rc)
		pack_join(s->width, bytes, work + packed, n);
	free(work);
	return rc;
}

static struct tile *find_kept(struct packed *p, uint64_t number)
{
	for (int i = 0; i < KEPT; i++)
		if (p->kept[i].number == number)
			return &p->kept[i];
	return NULL;
}

static struct tile *oldest(struct packed *p)
{
	struct tile *t = NULL;

	for (int i = 0; i < KEPT; i++)
		if (!p->kept[i].busy && (!t || p->kept[i].used < t->used))
			t = &p->kept[i];
	return t;
}

/* With the lock: the tile, unpacked; NULL: failed. While it is unpacked the lock is open for others. */
static struct tile *get_tile(struct packed *p, const struct segment *s, uint64_t tile, struct heft_err *err)
{
	uint64_t number = s->first_tile + tile;
	struct tile *t;
	int rc;

	while ((t = find_kept(p, number)) ? t->busy : !(t = oldest(p)))
		pthread_cond_wait(&p->done, &p->lock);
	t->used = ++p->clock;
	if (t->number == number)
		return t;
	t->number = number;
	t->busy = true;
	pthread_mutex_unlock(&p->lock);
	if (!t->bytes)
		t->bytes = xmalloc(PACK_TILE);
	if (!p->context[t - p->kept])
		p->context[t - p->kept] = zstd_context_new();
	rc = unpack(p, p->context[t - p->kept], s, tile, t->bytes, err);
	pthread_mutex_lock(&p->lock);
	t->busy = false;
	if (rc)
		t->number = NONE;
	pthread_cond_broadcast(&p->done);
	return rc ? NULL : t;
}

static int64_t packed_read(struct source *source, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	struct packed *p = (struct packed *)source;
	size_t done = 0;

	if (offset >= source->size)
		return 0;
	if (n > source->size - offset)
		n = (size_t)(source->size - offset);
	pthread_mutex_lock(&p->lock);
	while (done < n) {
		const struct segment *s = segment_at(p, offset + done);
		uint64_t at = offset + done - s->begin, tile = at / PACK_TILE;
		size_t from = (size_t)(at % PACK_TILE), some = tile_size(s, tile) - from;
		const struct tile *t = get_tile(p, s, tile, err);

		if (!t)
			break;
		some = some < n - done ? some : n - done;
		memcpy((uint8_t *)buf + done, t->bytes + from, some);
		done += some;
	}
	pthread_mutex_unlock(&p->lock);
	return done < n ? -1 : (int64_t)n;
}

static void packed_close(struct source *source)
{
	struct packed *p = (struct packed *)source;

	for (int i = 0; i < KEPT; i++) {
		free(p->kept[i].bytes);
		zstd_context_free(p->context[i]);
	}
	free(p->segment);
	free(p->frame);
	free(p->first_frame);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->done);
	source_close(p->file);
}

static const struct source_class packed_class = { .read = packed_read, .close = packed_close };

/* ---- opening ---- */

static int broken(const struct packed *p, const char *what, struct heft_err *err)
{
	return heft_fail(err, HEFT_E_HEADER, "%s: not a whole file of heft pack: %s; pack or download it again", source_name(p->file), what);
}

/* Segments fill the file's size; there is none of no bytes. Counts data frames. */
static int add_segments(struct packed *p, const uint8_t *row, uint64_t size, uint64_t *frames, struct heft_err *err)
{
	uint64_t begin = 0, tiles = 0;

	*frames = 0;
	for (size_t i = 0; i < p->n_segments; i++, row += PACK_SEGMENT) {
		struct segment s = { .begin = begin, .size = get64(row), .width = get32(row + 8), .first_tile = tiles };

		if (!pack_planes(s.width) || !s.size || s.size > size - begin || (s.width > 1 && s.size % s.width))
			return broken(p, "a segment breaks the rules", err);
		p->segment[i] = s;
		p->first_frame[i] = *frames;
		begin += s.size;
		tiles += tiles_of(s.size);
		*frames += tiles_of(s.size) * (uint64_t)pack_planes(s.width);
	}
	return begin == size ? 0 : broken(p, "the segments do not fill it", err);
}

static int read_head(struct packed *p, uint64_t *content, uint64_t *frames, struct heft_err *err)
{
	uint8_t head[PACK_FRAME_HEAD + PACK_HEAD], *rows;
	uint64_t size;
	int rc;

	if (source_read(p->file, 0, head, sizeof head, err))
		return -1;
	if (get32(head + 16) != PACK_VERSION)
		return heft_fail(err, HEFT_E_VERSION, "%s: version %" PRIu32 " of heft pack, this heft reads %d", source_name(p->file),
				 get32(head + 16), PACK_VERSION);
	*content = get32(head + 4);
	p->n_segments = get32(head + 20);
	size = get64(head + 24);
	if (*content != PACK_HEAD + (uint64_t)p->n_segments * PACK_SEGMENT || *content > source_size(p->file) - PACK_FRAME_HEAD)
		return broken(p, "its head is cut off", err);
	rows = xmalloc((size_t)*content + 1);
	p->segment = xmalloc((p->n_segments + 1) * sizeof *p->segment);
	p->first_frame = xmalloc((p->n_segments + 1) * sizeof *p->first_frame);
	p->base.size = size;
	rc = source_read(p->file, sizeof head, rows, (size_t)*content - PACK_HEAD, err) || add_segments(p, rows, size, frames, err);
	free(rows);
	return rc ? -1 : 0;
}

/* The seek table's rows for the data frames say where each lies. Their sizes follow from the segments. */
static int place_frames(struct packed *p, const uint8_t *row, uint64_t at, uint64_t end, struct heft_err *err)
{
	uint64_t f = 0;

	for (size_t i = 0; i < p->n_segments; i++) {
		const struct segment *s = &p->segment[i];

		for (uint64_t t = 0; t < tiles_of(s->size); t++)
			for (int k = 0; k < pack_planes(s->width); k++, f++, row += PACK_TABLE_ROW) {
				size_t plane = pack_plane_size(s->width, tile_size(s, t));
				uint32_t packed = get32(row);

				if (get32(row + 4) != plane || packed > zstd_bound(plane) || packed > end - at)
					return broken(p, "its seek table does not fit", err);
				p->frame[f] = at;
				at += packed;
			}
	}
	p->frame[f] = at;
	return at == end ? 0 : broken(p, "its seek table does not fit", err);
}

static int read_end(struct packed *p, uint64_t head, uint64_t frames, struct heft_err *err)
{
	uint64_t size = source_size(p->file), table, begin;
	uint8_t end[PACK_FRAME_HEAD + PACK_END], tail[PACK_TABLE_END], *rows;
	int rc;

	/* a row for each data frame, and for the skippable ones before and behind them */
	if (frames > size / PACK_TABLE_ROW)
		return broken(p, "its end is missing", err);
	table = PACK_FRAME_HEAD + (frames + 2) * PACK_TABLE_ROW + PACK_TABLE_END;
	if (size < head + sizeof end + table)
		return broken(p, "its end is missing", err);
	begin = size - table - sizeof end;
	if (source_read(p->file, begin, end, sizeof end, err) || source_read(p->file, size - sizeof tail, tail, sizeof tail, err))
		return -1;
	if (get32(end) != PACK_DATA_FRAME || get32(end + 4) != PACK_END || memcmp(end + 8, PACK_DONE, 8) || get32(tail) != frames + 2 ||
	    tail[4] || get32(tail + 5) != PACK_TABLE_MAGIC)
		return broken(p, "its end is missing", err);
	memcpy(p->sha256, end + 16, sizeof p->sha256);
	rows = xmalloc((size_t)(frames + 2) * PACK_TABLE_ROW);
	p->frame = xmalloc((size_t)(frames + 1) * sizeof *p->frame);
	rc = source_read(p->file, begin + sizeof end + PACK_FRAME_HEAD, rows, (size_t)(frames + 2) * PACK_TABLE_ROW, err);
	rc = rc || place_frames(p, rows + PACK_TABLE_ROW, head, begin, err);
	free(rows);
	return rc ? -1 : 0;
}

bool source_is_packed(const struct source *s)
{
	return s->class == &packed_class;
}

void source_packed_sha256(const struct source *s, uint8_t out[32])
{
	memcpy(out, ((const struct packed *)s)->sha256, 32);
}

struct source *source_unpacked(struct source *file, struct heft_err *err)
{
	uint8_t head[PACK_FRAME_HEAD + sizeof PACK_MAGIC - 1];
	struct packed *p;
	uint64_t content, frames;
	int64_t n = file ? source_peek(file, head, sizeof head, err) : -1;

	if (n < 0) {
		source_close(file);
		return NULL;
	}
	if (n < (int64_t)sizeof head || get32(head) != PACK_DATA_FRAME || memcmp(head + PACK_FRAME_HEAD, PACK_MAGIC, 8))
		return file;
	p = source_new(sizeof *p, &packed_class, source_name(file), 0);
	p->file = file;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->done, NULL);
	for (int i = 0; i < KEPT; i++)
		p->kept[i].number = NONE;
	if (!read_head(p, &content, &frames, err) && !read_end(p, PACK_FRAME_HEAD + content, frames, err))
		return &p->base;
	source_close(&p->base);
	return NULL;
}
