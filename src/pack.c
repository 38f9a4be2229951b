/*
 * pack.c - heft pack and unpack: base/pack.h's file from a checkpoint's file, and back.
 *
 * Tiles go round in a ring: workers take the next one, read it and pack or unpack it; the calling thread writes them in the file's order. So memory
 * is the ring, whatever the file's size, and the bytes do not depend on the threads.
 */
#include "../base/pack.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../base/sha256.h"
#include "../base/source.h"
#include "../base/zstd.h"
#include "../formats/format.h"
#include "../quant/quant.h"
#include "commit.h"
#include "pace.h"

#define SUFFIX ".zst"

struct piece {
	bool ready;             /* for the writer */
	uint64_t at;            /* in the unpacked file */
	size_t n;
	uint32_t width;
	uint8_t *bytes, *planes, *frames;
	size_t frame_size[PACK_MAX_PLANES];
	struct zstd_context *zstd;
};

struct packing {
	const struct heft_pack_options *options;
	struct source *source;  /* of the file, or of what the packed file unpacks to */
	struct arena *arena;
	struct pack_segment *segment;
	size_t n_segments, segment_cap;
	size_t current;         /* segment that is read, and how far */
	uint64_t done_of_current, read;
	struct commit *out;
	struct sha256 *sha;
	uint8_t *table;         /* the seek table's rows */
	size_t n_rows, row_cap;
	uint64_t written;
	pthread_mutex_t lock;   /* of the ring and of what cut() moves on */
	pthread_cond_t room, ready; /* a piece was put; one is ready, or something failed */
	struct piece *ring;
	uint64_t n_ring, taken, put; /* pieces that workers took and the writer put, from the beginning */
	struct pace pace;
	atomic_bool failed;
	struct heft_err *err;   /* of the first that failed */
};

static void failed(struct packing *p, const struct heft_err *err)
{
	if (!atomic_exchange(&p->failed, true))
		*p->err = *err;
}

/* ---- the stages ---- */

/* The next piece of the file; false at its end. */
static bool cut(struct packing *p, struct piece *x)
{
	const struct pack_segment *s = &p->segment[p->current];
	uint64_t left;

	if (p->current == p->n_segments)
		return false;
	left = s->size - p->done_of_current;
	x->at = p->read;
	x->width = s->width;
	x->n = left < PACK_TILE ? (size_t)left : PACK_TILE;
	p->read += x->n;
	p->done_of_current += x->n;
	if (p->done_of_current == s->size) {
		p->current++;
		p->done_of_current = 0;
	}
	return true;
}

static void read_piece(struct packing *p, struct piece *x)
{
	struct heft_err err;

	if (!atomic_load(&p->failed) && source_read(p->source, x->at, x->bytes, x->n, &err))
		failed(p, &err);
}

static void read_and_pack(struct packing *p, struct piece *x)
{
	size_t plane = pack_plane_size(x->width, x->n), at = 0;
	struct heft_err err;

	read_piece(p, x);
	pack_split(x->width, x->planes, x->bytes, x->n);
	for (int k = 0; k < pack_planes(x->width); k++, at += x->frame_size[k - 1]) {
		x->frame_size[k] = zstd_pack(x->zstd, x->width ? ZSTD_FREQUENCIES : ZSTD_REPEATS, x->frames + at, zstd_bound(plane),
					     x->planes + (size_t)k * plane, plane);
		if (!x->frame_size[k]) {
			heft_fail(&err, HEFT_E_INTERNAL, "zstd cannot pack %zu bytes", plane);
			failed(p, &err);
			return;
		}
	}
}

static int put(struct packing *p, const void *bytes, size_t n, struct heft_err *err)
{
	p->written += n;
	return commit_append(p->out, bytes, n, err);
}

static void add_row(struct packing *p, size_t packed, size_t size)
{
	uint32_t row[2] = { (uint32_t)packed, (uint32_t)size };

	p->table = arena_grow(p->arena, p->table, &p->row_cap, (p->n_rows + 1) * PACK_TABLE_ROW, 1);
	memcpy(p->table + p->n_rows++ * PACK_TABLE_ROW, row, sizeof row);
}

static void write_packed(struct packing *p, struct piece *x)
{
	size_t n = 0;
	struct heft_err err;

	for (int k = 0; k < pack_planes(x->width); k++) {
		add_row(p, x->frame_size[k], pack_plane_size(x->width, x->n));
		n += x->frame_size[k];
	}
	if (put(p, x->frames, n, &err))
		failed(p, &err);
}

static void write_unpacked(struct packing *p, struct piece *x)
{
	struct heft_err err;

	if (put(p, x->bytes, x->n, &err))
		failed(p, &err);
}

struct stages {
	void (*work)(struct packing *p, struct piece *x);  /* on all threads */
	void (*write)(struct packing *p, struct piece *x); /* in order */
};

static void check_stop(struct packing *p)
{
	struct heft_err err;

	if (p->options->stop && *p->options->stop) {
		heft_fail(&err, HEFT_E_KILLED, "stopped by a signal");
		failed(p, &err);
	}
}

struct worker {
	struct packing *packing;
	const struct stages *stages;
};

/* The next piece to work on, where the ring has room for it; NULL at the end. */
static struct piece *take(struct packing *p)
{
	struct piece *x = NULL;

	pthread_mutex_lock(&p->lock);
	while (p->taken - p->put == p->n_ring && !atomic_load(&p->failed))
		pthread_cond_wait(&p->room, &p->lock);
	if (!atomic_load(&p->failed) && cut(p, &p->ring[p->taken % p->n_ring]))
		x = &p->ring[p->taken++ % p->n_ring];
	pthread_mutex_unlock(&p->lock);
	return x;
}

static void set_ready(struct packing *p, struct piece *x)
{
	pthread_mutex_lock(&p->lock);
	x->ready = true;
	pthread_mutex_unlock(&p->lock);
	pthread_cond_signal(&p->ready);
}

static void give_back(struct packing *p, struct piece *x)
{
	pthread_mutex_lock(&p->lock);
	x->ready = false;
	p->put++;
	pthread_mutex_unlock(&p->lock);
	pthread_cond_signal(&p->room);
}

/* Whoever waits for room sees that something failed. */
static void wake_all(struct packing *p)
{
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->room);
	pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
	const struct worker *w = arg;
	struct piece *x;

	while ((x = take(w->packing))) {
		w->stages->work(w->packing, x);
		set_ready(w->packing, x);
	}
	return NULL;
}

/* The oldest piece, ready; NULL at the end. */
static struct piece *next_ready(struct packing *p)
{
	struct piece *x = &p->ring[p->put % p->n_ring];

	pthread_mutex_lock(&p->lock);
	while (!x->ready && !atomic_load(&p->failed) && (p->taken > p->put || p->current < p->n_segments))
		pthread_cond_wait(&p->ready, &p->lock);
	if (!x->ready || atomic_load(&p->failed))
		x = NULL;
	pthread_mutex_unlock(&p->lock);
	return x;
}

static void write_all(struct packing *p, const struct stages *s)
{
	struct piece *x;

	while ((x = next_ready(p))) {
		sha256_update(p->sha, x->bytes, x->n);
		s->write(p, x);
		check_stop(p);
		p->pace.done = p->read;
		pace_tell(&p->pace, NULL);
		give_back(p, x);
	}
	check_stop(p);
	p->pace.done = p->read;
	pace_last(&p->pace, NULL);
}

static int run(struct packing *p, const struct stages *s, int threads)
{
	pthread_t *thread = xmalloc((size_t)threads * sizeof *thread);
	struct worker w = { p, s };
	struct heft_err err;
	int n = 0;

	while (n < threads && !pthread_create(&thread[n], NULL, work, &w))
		n++;
	if (!n) {
		heft_fail(&err, HEFT_E_INTERNAL, "no thread can be started");
		failed(p, &err);
	}
	write_all(p, s);
	wake_all(p);
	while (n > 0)
		pthread_join(thread[--n], NULL);
	free(thread);
	return atomic_load(&p->failed) ? -1 : 0;
}

/* ---- what both begin and end with ---- */

static void make_ring(struct packing *p, int threads)
{
	p->n_ring = (uint64_t)threads * 2 + 24;
	p->ring = xmalloc(p->n_ring * sizeof *p->ring);
	for (uint64_t i = 0; i < p->n_ring; i++)
		p->ring[i] = (struct piece){
			.bytes = xmalloc(PACK_TILE),
			.planes = xmalloc(PACK_TILE + PACK_MAX_PLANES),
			.frames = xmalloc(PACK_MAX_PLANES * zstd_bound(PACK_TILE / PACK_MAX_PLANES + 1) + zstd_bound(PACK_TILE)),
			.zstd = zstd_context_new(),
		};
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->room, NULL);
	pthread_cond_init(&p->ready, NULL);
}

static void free_ring(struct packing *p)
{
	if (!p->ring)
		return;
	for (uint64_t i = 0; i < p->n_ring; i++) {
		free(p->ring[i].bytes);
		free(p->ring[i].planes);
		free(p->ring[i].frames);
		zstd_context_free(p->ring[i].zstd);
	}
	free(p->ring);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->room);
	pthread_cond_destroy(&p->ready);
}

static void release(struct packing *p)
{
	free_ring(p);
	if (p->sha)
		sha256_final(p->sha, NULL);
	commit_abort(p->out);
	source_close(p->source);
	arena_free(p->arena);
}

static int begin(struct packing *p, const char *path, const char *output, uint64_t size, struct heft_err *err)
{
	struct commit_rules rules = { .force = p->options->force, .input = &path, .n_inputs = 1 };

	p->pace = (struct pace){ .progress = p->options->progress, .ctx = p->options->ctx, .total = source_size(p->source), .begun = pace_clock() };
	p->sha = sha256_new();
	return commit_begin(&p->out, output, size, &rules, err);
}

static int stream(struct packing *p, const struct stages *s)
{
	int threads = p->options->threads ? p->options->threads : heft_default_threads();

	make_ring(p, threads);
	return run(p, s, threads);
}

static int finish(struct packing *p, const char *output, uint64_t packed, struct heft_pack_summary *out, struct heft_err *err)
{
	struct commit *c = p->out;

	p->out = NULL;
	if (commit_close(c, NULL, err))
		return -1;
	*out = (struct heft_pack_summary){ .output = strcpy(xmalloc(strlen(output) + 1), output), .bytes = source_size(p->source),
					   .packed_bytes = packed, .seconds = pace_clock() - p->pace.begun };
	return 0;
}

static void hash_bytes(const char hex[65], uint8_t out[32])
{
	for (int i = 0; i < 32; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

static void final_hash(struct packing *p, uint8_t out[32])
{
	char hex[65];

	sha256_final(p->sha, hex);
	p->sha = NULL;
	hash_bytes(hex, out);
}

/* ---- packing ---- */

/* Floats have exponents to sort out; codes and integers are packed as they are. */
static uint32_t width_of(const struct heft_tensor *t)
{
	const struct heft_encoding *e = t->enc;

	return e && e->class == QUANT_FLOAT && e->n_planes == 1 && e->block == 1 && e->plane[0].cols == 1 && !t->plane[0].made &&
		       t->plane[0].size % e->plane[0].bytes == 0
	       ? e->plane[0].bytes
	       : 0;
}

static void add_segment(struct packing *p, uint64_t size, uint32_t width)
{
	struct pack_segment *last = p->n_segments ? &p->segment[p->n_segments - 1] : NULL;

	if (!size)
		return;
	if (last && last->width == width) {
		last->size += size;
		return;
	}
	p->segment = arena_grow(p->arena, p->segment, &p->segment_cap, p->n_segments + 1, sizeof *p->segment);
	p->segment[p->n_segments++] = (struct pack_segment){ size, width };
}

static int by_offset(const void *a, const void *b)
{
	const struct heft_extent *x = &((const struct heft_tensor *)a)->plane[0], *y = &((const struct heft_tensor *)b)->plane[0];

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* What lies between tensors is bytes. */
static int find_segments(struct packing *p, struct heft_err *err)
{
	uint8_t head[4096 + 16] = { 0 };
	int64_t n = source_peek(p->source, head, 4096, err);
	const struct format *f = n < 0 ? NULL : format_probe(head, (size_t)n);
	struct format_listing l = { 0 };
	struct sink sink = { .err = err };
	uint64_t at = 0;

	if (n < 0)
		return -1;
	if (!f)
		return heft_fail(err, HEFT_E_MAGIC, "%s: no known container begins with these bytes; heft packs model files", source_name(p->source));
	if (f->list(&l, p->source, p->arena, &sink, err))
		return -1;
	if (l.n_tensors)
		qsort(l.tensor, l.n_tensors, sizeof *l.tensor, by_offset);
	for (size_t i = 0; i < l.n_tensors; i++) {
		const struct heft_extent *x = &l.tensor[i].plane[0];

		if (x->offset < at)
			continue; /* shared bytes stand already */
		add_segment(p, x->offset - at, 0);
		add_segment(p, x->size, width_of(&l.tensor[i]));
		at = x->offset + x->size;
	}
	add_segment(p, source_size(p->source) - at, 0);
	return 0;
}

static void put_frame_head(uint8_t *at, uint32_t magic, uint64_t size)
{
	uint32_t head[2] = { magic, (uint32_t)size };

	memcpy(at, head, sizeof head);
}

static int write_head(struct packing *p, struct heft_err *err)
{
	size_t n = PACK_FRAME_HEAD + PACK_HEAD + p->n_segments * PACK_SEGMENT;
	uint8_t *head = arena_alloc(p->arena, n), *row = head + PACK_FRAME_HEAD + PACK_HEAD;
	uint32_t numbers[2] = { PACK_VERSION, (uint32_t)p->n_segments };
	uint64_t size = source_size(p->source);

	put_frame_head(head, PACK_DATA_FRAME, n - PACK_FRAME_HEAD);
	memcpy(head + 8, PACK_MAGIC, 8);
	memcpy(head + 16, numbers, sizeof numbers);
	memcpy(head + 24, &size, sizeof size);
	for (size_t i = 0; i < p->n_segments; i++, row += PACK_SEGMENT) {
		memcpy(row, &p->segment[i].size, 8);
		memcpy(row + 8, &p->segment[i].width, 4);
	}
	add_row(p, n, 0);
	return put(p, head, n, err);
}

static int write_end(struct packing *p, struct heft_err *err)
{
	uint8_t end[PACK_FRAME_HEAD + PACK_END], head[PACK_FRAME_HEAD], tail[PACK_TABLE_END] = { 0 };
	uint32_t rows, magic = PACK_TABLE_MAGIC;

	put_frame_head(end, PACK_DATA_FRAME, PACK_END);
	memcpy(end + 8, PACK_DONE, 8);
	final_hash(p, end + 16);
	add_row(p, sizeof end, 0);
	rows = (uint32_t)p->n_rows;
	put_frame_head(head, PACK_TABLE_FRAME, p->n_rows * PACK_TABLE_ROW + sizeof tail);
	memcpy(tail, &rows, 4);
	memcpy(tail + 5, &magic, 4);
	return put(p, end, sizeof end, err) || put(p, head, sizeof head, err) || put(p, p->table, p->n_rows * PACK_TABLE_ROW, err) ||
		       put(p, tail, sizeof tail, err)
	       ? -1
	       : 0;
}

static int pack_to(struct packing *p, const char *path, const char *output, struct heft_pack_summary *out, struct heft_err *err)
{
	static const struct stages stages = { .work = read_and_pack, .write = write_packed };

	if (find_segments(p, err) || begin(p, path, output, 0, err) || write_head(p, err) || stream(p, &stages) || write_end(p, err))
		return -1;
	return finish(p, output, p->written, out, err);
}

int heft_pack(const char *path, const struct heft_pack_options *o, struct heft_pack_summary *out, struct heft_err *err)
{
	struct packing p = { .options = o, .arena = arena_new(), .err = err };
	int rc = -1;

	p.source = source_unpacked(source_open(path, err), err);
	if (p.source && source_is_packed(p.source))
		heft_fail(err, HEFT_E_OPTION, "%s: is packed already", path);
	else if (p.source)
		rc = pack_to(&p, path, o->output ? o->output : arena_printf(p.arena, "%s" SUFFIX, path), out, err);
	release(&p);
	return rc;
}

/* ---- unpacking ---- */

static const char *unpacked_name(struct packing *p, const char *path, struct heft_err *err)
{
	size_t n = strlen(path), end = strlen(SUFFIX);

	if (n > end && !strcmp(path + n - end, SUFFIX))
		return arena_memdup(p->arena, path, n - end);
	heft_fail(err, HEFT_E_OPTION, "%s: its name does not end with " SUFFIX "; name the output with -o", path);
	return NULL;
}

static int compare_hash(struct packing *p, struct heft_err *err)
{
	uint8_t want[32], have[32];

	source_packed_sha256(p->source, want);
	final_hash(p, have);
	return memcmp(want, have, 32) ? heft_fail(err, HEFT_E_CHECKSUM, "%s: does not unpack to the file that was packed; pack or download it again",
						  source_name(p->source))
				      : 0;
}

static int unpack_to(struct packing *p, const char *path, const char *output, struct heft_pack_summary *out, struct heft_err *err)
{
	static const struct stages stages = { .work = read_piece, .write = write_unpacked };
	struct source *file;
	uint64_t packed;

	add_segment(p, source_size(p->source), 0);
	if (!(file = source_open(path, err)))
		return -1;
	packed = source_size(file);
	source_close(file);
	if (begin(p, path, output, source_size(p->source), err) || stream(p, &stages) || compare_hash(p, err))
		return -1;
	return finish(p, output, packed, out, err);
}

int heft_unpack(const char *path, const struct heft_pack_options *o, struct heft_pack_summary *out, struct heft_err *err)
{
	struct packing p = { .options = o, .arena = arena_new(), .err = err };
	const char *output = o->output;
	int rc = -1;

	p.source = source_unpacked(source_open(path, err), err);
	if (p.source && !source_is_packed(p.source))
		heft_fail(err, HEFT_E_MAGIC, "%s: is no file of heft pack", path);
	else if (p.source && (output || (output = unpacked_name(&p, path, err))))
		rc = unpack_to(&p, path, output, out, err);
	release(&p);
	return rc;
}
