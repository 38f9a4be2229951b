/*
 * iq1_s.c - IQ1_S: 256 numbers in 8 runs of 32; 11 bits per 8 numbers, a 3-bit scale and a shift per run. 1.5625 bits per
 * number.
 *
 *   number i of run j = d * (2 * scale[j] + 1) * (level[i] + shift[j]), level -1, 0 or 1, shift +-1/8
 *
 *   byte   0  d   binary16
 *          2  qs  32 bytes: byte 4j + g is the low part of the index of group g (8 levels) of run j
 *         34  qh  8 words of 16 bits: s ccc hhh hhh hhh hhh, for run j
 *                   s the shift is -1/8, ccc scale, hhh high parts of the indices, group 0's lowest
 */
#include "bits.h"
#include "iq1_refine.h"

#include <float.h>

enum { RUN = 32, RUNS = QK_K / RUN, GROUPS = RUN / IQ1_GROUP, MINUS = (1 << GROUPS) - 1 };

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq1_s *b = plane[0];
	const struct grid *g = grid_get(GRID_IQ1_S);
	for (; n; n -= QK_K, b++) {
		float d = float_of_half(b->d);
		for (int j = 0; j < RUNS; j++) {
			unsigned qh = b->qh[j];
			float scale = d * (2 * (qh >> 12 & 7) + 1);
			const float *level = iq1_level[qh >> 15];
			for (int k = 0; k < GROUPS; k++) {
				unsigned packed = g->point[b->qs[GROUPS * j + k] | (qh >> 3 * k & 7) << 8];
				for (int i = 0; i < IQ1_GROUP; i++)
					*dst++ = scale * level[grid_level(g, packed, i)];
			}
		}
	}
}

/* Sums over the sorted numbers up to each place. */
struct sums {
	float wx[RUN + 1], w[RUN + 1];
};

static void add_up(const float *x, const float *w, const uint8_t *order, struct sums *s)
{
	s->wx[0] = s->w[0] = 0;
	for (int i = 0; i < RUN; i++) {
		s->wx[i + 1] = s->wx[i] + w[order[i]] * x[order[i]];
		s->w[i + 1] = s->w[i] + w[order[i]];
	}
}

static void try_cut(const struct sums *s, int first, int second, int minus, struct iq1_cut *best)
{
	const float *v = iq1_level[minus];
	float sum_xq = (s->wx[first] - s->wx[0]) * v[0] + (s->wx[second] - s->wx[first]) * v[1] +
		       (s->wx[RUN] - s->wx[second]) * v[2];
	float sum_q2 = (s->w[first] - s->w[0]) * v[0] * v[0] + (s->w[second] - s->w[first]) * v[1] * v[1] +
		       (s->w[RUN] - s->w[second]) * v[2] * v[2];
	if (sum_q2 > 0 && sum_xq * sum_xq > best->score * sum_q2) {
		best->scale = sum_xq / sum_q2;
		best->score = best->scale * sum_xq;
		best->first = first;
		best->second = second;
		best->minus = minus ? MINUS : 0;
	}
}

static void search(const float *x, const float *w, size_t n, struct iq1_found *found)
{
	for (; n; n--, x += RUN, w += RUN, found++) {
		struct iq1_cut cut = {.score = -FLT_MAX, .first = -1};
		struct sums s;
		uint8_t order[RUN];
		memset(found, 0, sizeof *found);
		if (iq1_is_zero(x, RUN, IQ1_S_LIMIT))
			continue;
		iq1_sort(x, RUN, order);
		add_up(x, w, order, &s);
		for (int first = 0; first <= RUN; first++)
			for (int second = first; second <= RUN; second++)
				for (int minus = 0; minus < 2; minus++)
					try_cut(&s, first, second, minus, &cut);
		if (cut.first >= 0)
			iq1_place(x, w, RUN, order, &cut, found);
	}
}

void iq1_s_pack(const struct iq1_parts *p, void *block)
{
	struct block_iq1_s *b = block;
	b->d = p->d;
	for (int j = 0; j < RUNS; j++) {
		unsigned qh = (unsigned)p->scale[j] << 12 | (p->run[j].minus ? 0x8000 : 0);
		for (int k = 0; k < GROUPS; k++) {
			b->qs[GROUPS * j + k] = (uint8_t)p->run[j].index[k];
			qh |= (unsigned)p->run[j].index[k] >> 8 << 3 * k;
		}
		b->qh[j] = (uint16_t)qh;
	}
}

float iq1_s_d(const void *block)
{
	return float_of_half(((const struct block_iq1_s *)block)->d);
}

/* A super-block from what was found for its runs. Its scale is a little above the largest run's: the fit of single runs
 * is short on the average. */
static void finish(const struct iq1_found *found, struct block_iq1_s *b)
{
	struct iq1_parts p = {.d = 0};
	float max = 0;
	for (int j = 0; j < RUNS; j++)
		max = max > found[j].scale ? max : found[j].scale;
	float d = max / 15, inverse = 1 / d;
	p.d = half_of_float(d * 1.125f);
	for (int j = 0; j < RUNS; j++) {
		p.run[j] = found[j];
		p.run[j].minus = max != 0 ? found[j].minus : 0;
		p.scale[j] = max != 0 ? (uint8_t)iq1_scale_code(found[j].scale, inverse) : 0;
	}
	iq1_s_pack(&p, b);
}

/* Without importance, which the reference does not accept, it is 1 for each column. */
static const float ones[IQ1_CHUNK] = {[0 ... IQ1_CHUNK - 1] = 1};

void iq1_s_encode(const struct iq1_ops *ops, const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_iq1_s *b = plane[0];
	for (size_t at = 0; at < n; at += IQ1_CHUNK) {
		float w[IQ1_CHUNK];
		struct iq1_found found[IQ1_CHUNK / RUN];
		size_t chunk = n - at < IQ1_CHUNK ? n - at : IQ1_CHUNK;
		ops->weights(src + at, weights ? weights + at : ones, chunk, w);
		ops->search(src + at, w, chunk / RUN, found);
		for (size_t i = 0; i < chunk; i += QK_K)
			finish(found + i / RUN, b++);
	}
}

static const struct iq1_ops scalar = {iq1_weights, search};

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq1_s_encode(&scalar, src, plane, n, weights);
}

const struct heft_encoding quant_iq1_s = {
	.name = "iq1_s",
	.about = "three levels, 8 as a point of a grid of 2048, 3-bit scale and shift per 32, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_iq1_s)}},
	.decode = decode,
	.encode = encode,
	.refine = iq1_s_refine_scalar,
	.needs_weights = true,
};
