/*
 * reader.c - the values of one tensor in order, as they are stored or in a type of 16 or 32 bits, a piece at a time.
 *
 * Values come in blocks, so that a range that begins or ends inside one is read a little wider and cut. Refuses a range that is not in the
 * tensor, and stored bytes that would be parts of blocks.
 */
#include "../base/arena.h"
#include "../base/err.h"
#include "../base/source.h"
#include "../quant/quant.h"
#include "model.h"
#include "tile.h"

#include <inttypes.h>
#include <stdlib.h>

struct heft_reader {
	struct heft_model *model;
	const struct heft_tensor *tensor;
	const struct heft_encoding *as; /* NULL: stored bytes */
	uint64_t at, end;               /* elements */
	uint64_t piece;                 /* elements, a multiple of the block */
	float *values;
	uint8_t *bytes;
	struct tile_scratch scratch;
};

/* Bytes before a tensor will not be read any more. */
static void let_go(const struct heft_model *m, const struct heft_extent *x)
{
	uint64_t begin;
	struct source *stream = source_stream_of(m->file[x->file].source, &begin);

	if (stream)
		source_release(stream, begin + x->offset);
}

static uint64_t good_piece(const struct heft_tensor *t)
{
	if (!t->packed || !t->packed->strip)
		return TILE_ELEMENTS;
	return t->packed->strip_rows * packed_shape(t->rank, t->dim).cols;
}

static int check(const struct heft_tensor *t, const struct heft_encoding *as, uint64_t first, uint64_t count, struct heft_err *err)
{
	uint64_t n = heft_tensor_count(t), block = t->enc->plane[0].cols;

	if (first > n || count > n - first)
		return heft_fail(err, HEFT_E_SHAPE, "tensor '%s' has %" PRIu64 " elements, %" PRIu64 " from number %" PRIu64 " on are not there", t->name, n,
				 count, first);
	if (!as && t->packed)
		return heft_fail(err, HEFT_E_SHAPE, "tensor '%s' is stored as several; name those, or a type for its values", t->name);
	if (!as && (first % block || (count % block && first + count != n)))
		return heft_fail(err, HEFT_E_SHAPE, "tensor '%s' is stored in blocks of %" PRIu64 " elements; ask for whole ones, or for a type", t->name,
				 block);
	if (as && !t->packed && !quant_decoder(t->enc))
		return heft_fail(err, HEFT_E_DTYPE, "tensor '%s': heft does not decode %s", t->name, t->enc->name);
	return 0;
}

int heft_reader_new(struct heft_reader **out, struct heft_model *m, const struct heft_tensor *t, const char *as, uint64_t first,
		    uint64_t count, struct heft_err *err)
{
	const struct heft_encoding *e = as ? quant_find(as) : NULL;
	struct heft_reader *r;

	if (as && (!e || e->class != QUANT_FLOAT || e->n_planes != 1 || !quant_encoder(e)))
		return heft_fail(err, HEFT_E_TYPE, "values are not read as '%s', only as f32, f16 or bf16", as);
	if (check(t, e, first, count, err))
		return -1;
	r = xmalloc(sizeof *r);
	*r = (struct heft_reader){ .model = m, .tensor = t, .as = e, .at = first, .end = first + count, .piece = good_piece(t) };
	r->values = e ? xmalloc((r->piece + 2 * t->enc->block) * sizeof *r->values) : NULL;
	r->bytes = xmalloc(e ? tile_bytes(e, r->piece) : tile_bytes(t->enc, r->piece));
	let_go(m, &t->plane[0]);
	*out = r;
	return 0;
}

static int next_stored(struct heft_reader *r, size_t n, struct heft_err *err)
{
	uint64_t begin;
	struct source *src = model_extent(r->model, &r->tensor->plane[0], &begin);

	return source_read(src, begin + tile_bytes(r->tensor->enc, r->at), r->bytes, tile_bytes(r->tensor->enc, n), err);
}

/* From the block that the range begins in to the one that it ends in; n elements of that, in the type. */
static int next_values(struct heft_reader *r, size_t n, struct heft_err *err)
{
	uint64_t block = r->tensor->enc->block, skip = r->at % block, all = (skip + n + block - 1) / block * block;
	void *plane[1] = { r->bytes };

	if (tile_read_tensor(r->model, r->tensor, r->at - skip, (size_t)all, r->values, &r->scratch, err))
		return -1;
	quant_encoder(r->as)(r->values + skip, plane, n, NULL);
	return 0;
}

int64_t heft_reader_next(struct heft_reader *r, const void **bytes, struct heft_err *err)
{
	uint64_t n = r->end - r->at < r->piece ? r->end - r->at : r->piece;

	*bytes = r->bytes;
	if (!n)
		return 0;
	if (r->as ? next_values(r, (size_t)n, err) : next_stored(r, (size_t)n, err))
		return -1;
	r->at += n;
	return (int64_t)tile_bytes(r->as ? r->as : r->tensor->enc, n);
}

void heft_reader_free(struct heft_reader *r)
{
	if (!r)
		return;
	tile_scratch_release(&r->scratch);
	free(r->values);
	free(r->bytes);
	free(r);
}
