/*
 * refine.c - the error measure of --effort high, and what is done alike for every encoding: the gain of the blocks that
 * the search finds is set right, and they replace the encoder's where their error is less.
 *
 * The numbers nearest to x in squared error are too small on the whole: their error is square to themselves, so a part
 * of it, as large as the error is to x, is x itself turned round. Such parts of the rows of a matrix add up in the sums
 * that a matrix product makes, where others cancel. So the scales of a block are widened to where
 *
 *   error + GAIN * (the error along x)^2,   both relative to x's own square
 *
 * is least: with X, A and B the sums of x * x, x * y and y * y, by the factor (1 + GAIN) * A / (B + GAIN * A * A / X).
 * It is kept to what leaves the block's error no larger than that of the encoder's bytes.
 */
#include "refine.h"
#include "bits.h"
#include "blocks.h"

#include <string.h>

enum { LANES = 16, CHUNK = 4096, CHUNK_BYTES = 2 * CHUNK, BLOCK_BYTES = 2 * REFINE_BLOCK, GAIN = 2 };

static double add_lanes(double *lane)
{
	for (int half = LANES / 2; half; half /= 2)
		for (int i = 0; i < half; i++)
			lane[i] += lane[i + half];
	return lane[0];
}

/* Importance where there is none; a product with it is exact. */
static const float ones[REFINE_BLOCK] = {[0 ... REFINE_BLOCK - 1] = 1};

double refine_error(const float *x, const float *y, const float *w, size_t n)
{
	double lane[LANES] = {0};
	w = w ? w : ones;
	for (size_t i = 0; i < n; i += LANES)
		for (size_t k = 0; k < LANES; k++) {
			double diff = (double)x[i + k] - y[i + k];
			lane[k] += w[i + k] * (diff * diff);
		}
	return add_lanes(lane);
}

double refine_block_error(const struct heft_encoding *e, const float *x, const float *w, const void *block)
{
	float y[REFINE_BLOCK];
	const void *plane[QUANT_MAX_PLANES] = {block};
	e->decode(plane, y, e->block);
	return refine_error(x, y, w, e->block);
}

bool refine_keep(const struct heft_encoding *e, const float *x, const float *w, const void *candidate, void *block,
		 double *error)
{
	double try = refine_block_error(e, x, w, candidate);
	if (!(try < *error))
		return false;
	memcpy(block, candidate, e->plane[0].bytes);
	*error = try;
	return true;
}

/* ---- gain ------------------------------------------------------------------------------------------------------ */

/* Where a block holds the halves that all its numbers are multiples of. IQ1_M's is in the top four bits of four words. */
static const struct place {
	const char *name;
	uint8_t at, n;
	bool nibbles;
} places[] = {
#define PLACE(type, n) {#type, offsetof(struct block_##type, d), n, false}
	PLACE(q4_0, 1),   PLACE(q4_1, 2),  PLACE(q5_0, 1),    PLACE(q5_1, 2),  PLACE(q8_0, 1),	PLACE(q2_k, 2),
	PLACE(q3_k, 1),   PLACE(q4_k, 2),  PLACE(q5_k, 2),    PLACE(q6_k, 1),  PLACE(iq1_s, 1), PLACE(iq2_xxs, 1),
	PLACE(iq2_xs, 1), PLACE(iq2_s, 1), PLACE(iq3_xxs, 1), PLACE(iq3_s, 1), PLACE(iq4_nl, 1), PLACE(iq4_xs, 1),
	PLACE(tq1_0, 1),  PLACE(tq2_0, 1), PLACE(q1_0, 1),    PLACE(q2_0, 1),
	{"iq1_m", offsetof(struct block_iq1_m, scales), 1, true},
};

static const struct place *place_of(const struct heft_encoding *e)
{
	static const struct place nowhere;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (!strcmp(places[i].name, e->name))
			return &places[i];
	return &nowhere;
}

static uint16_t scaled(uint16_t half, double factor)
{
	return half_of_float((float)(factor * float_of_half(half)));
}

static void scale_block(const struct place *p, double factor, uint8_t *block)
{
	uint16_t word[4];
	memcpy(word, block + p->at, p->nibbles ? 8 : 2 * p->n);
	if (p->nibbles) {
		uint16_t d = 0;
		for (int i = 0; i < 4; i++)
			d |= word[i] >> 12 << 4 * i;
		d = scaled(d, factor);
		for (int i = 0; i < 4; i++)
			word[i] = (uint16_t)((word[i] & 0xfff) | (d >> 4 * i & 15) << 12);
	}
	for (int i = 0; i < p->n && !p->nibbles; i++)
		word[i] = scaled(word[i], factor);
	memcpy(block + p->at, word, p->nibbles ? 8 : 2 * p->n);
}

/* The factor for n numbers y that stand for x, with an error up to `most`; 1 where there is none. */
static double gain_of(const float *x, const float *y, const float *w, size_t n, double most)
{
	double xx[LANES] = {0}, xy[LANES] = {0}, yy[LANES] = {0};
	w = w ? w : ones;
	for (size_t i = 0; i < n; i += LANES)
		for (size_t k = 0; k < LANES; k++) {
			double wx = (double)w[i + k] * x[i + k], wy = (double)w[i + k] * y[i + k];
			xx[k] += wx * x[i + k];
			xy[k] += wx * y[i + k];
			yy[k] += wy * y[i + k];
		}
	double X = add_lanes(xx), A = add_lanes(xy), B = add_lanes(yy);
	double want = (1 + GAIN) * A / (B + GAIN * A * A / X), room = A * A - B * (X - most);
	double limit = room > 0 ? (A + sqrt(room)) / B : 1;
	double gain = want < limit ? want : limit;
	return gain > 0.5 && gain < 2 ? gain : 1;
}

/* A block with its gain set right where that leaves less error than the encoder's bytes have, else as found, else those. */
static void settle(const struct heft_encoding *e, const struct place *p, const float *x, const float *w, const float *old,
		   const float *found, const uint8_t *old_block, uint8_t *block)
{
	uint8_t wider[BLOCK_BYTES];
	size_t size = e->plane[0].bytes;
	double most = refine_error(x, old, w, e->block);
	memcpy(wider, block, size);
	scale_block(p, gain_of(x, found, w, e->block, most), wider);
	if (refine_block_error(e, x, w, wider) < most)
		memcpy(block, wider, size);
	else if (!(refine_error(x, found, w, e->block) < most))
		memcpy(block, old_block, size);
}

void quant_refine(const struct heft_encoding *e, const float *src, void *const *plane, size_t n, const float *weights)
{
	quant_refine_fn *refine = quant_refiner(e);
	const struct place *p = place_of(e);
	uint8_t old_bytes[CHUNK_BYTES], *bytes = plane[0];
	float old[CHUNK], found[CHUNK];
	for (size_t at = 0, size; at < n && refine; at += size) {
		const void *now[QUANT_MAX_PLANES] = {bytes};
		const float *w = weights ? weights + at : NULL;
		size = n - at < CHUNK ? n - at : CHUNK;
		memcpy(old_bytes, bytes, size / e->block * e->plane[0].bytes);
		quant_decoder(e)(now, old, size);
		refine(src + at, (void *[QUANT_MAX_PLANES]){bytes}, size, w);
		quant_decoder(e)(now, found, size);
		for (size_t i = 0; i < size; i += e->block, bytes += e->plane[0].bytes)
			settle(e, p, src + at + i, w ? w + i : NULL, old + i, found + i, old_bytes + i / e->block * e->plane[0].bytes,
			       bytes);
	}
}
