/*
 * iq1_m.c - IQ1_M: 256 numbers in 16 runs of 16; 11 bits and a shift per 8 numbers, a 3-bit scale per run. 1.75 bits per
 * number.
 *
 *   number i of run j = d * (2 * scale[j] + 1) * (level[i] + shift[i / 8]), level -1, 0 or 1, shift +-1/8
 *
 *   byte   0  qs      32 bytes: byte 2j + g is the low part of the index of group g (8 levels) of run j
 *         32  qh      16 bytes: s hhh (group 1) s hhh (group 0) of run j: s the shift is -1/8, hhh high part of the index
 *         48  scales  4 words of 16 bits: dddd ccc ccc ccc ccc, run 4w lowest; the four dddd, the last word's highest,
 *                     are d (binary16)
 */
#include "bits.h"
#include "iq1_refine.h"

#include <float.h>

enum { RUN = 16, RUNS = QK_K / RUN, GROUPS = RUN / IQ1_GROUP, SHIFTS = 1 << GROUPS };

static uint16_t half_in(const uint16_t scales[4])
{
	return scales[0] >> 12 | (scales[1] >> 12) << 4 | (scales[2] >> 12) << 8 | (scales[3] >> 12) << 12;
}

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq1_m *b = plane[0];
	const struct grid *g = grid_get(GRID_IQ1_S);
	for (; n; n -= QK_K, b++) {
		uint16_t scales[4];
		memcpy(scales, b->scales, sizeof scales);
		float d = float_of_half(half_in(scales));
		for (int k = 0; k < RUNS * GROUPS; k++) {
			int run = k / GROUPS;
			unsigned qh = b->qh[run] >> 4 * (k % GROUPS), packed = g->point[b->qs[k] | (qh & 7) << 8];
			float scale = d * (2 * (scales[run / 4] >> 3 * (run % 4) & 7) + 1);
			for (int i = 0; i < IQ1_GROUP; i++)
				*dst++ = scale * iq1_level[qh >> 3 & 1][grid_level(g, packed, i)];
		}
	}
}

/* Sums over the sorted numbers up to each place, of either group. */
struct sums {
	float wx[GROUPS][RUN + 1], w[GROUPS][RUN + 1];
};

static void add_up(const float *x, const float *w, const uint8_t *order, struct sums *s)
{
	for (int g = 0; g < GROUPS; g++) {
		s->wx[g][0] = s->w[g][0] = 0;
		for (int i = 0; i < RUN; i++) {
			bool own = order[i] / IQ1_GROUP == g;
			s->wx[g][i + 1] = own ? s->wx[g][i] + w[order[i]] * x[order[i]] : s->wx[g][i];
			s->w[g][i + 1] = own ? s->w[g][i] + w[order[i]] : s->w[g][i];
		}
	}
}

/* Of weight * level * number and of weight * level^2 over a group, for a shift up and a shift down. Neighbouring levels
 * are 1 apart and their squares 0.75 and 1.25, so that a cut takes the sum below it off that of the highest level. */
struct fit {
	float xq[2], q2[2];
};

static struct fit group_fit(const struct sums *s, int g, int first, int second)
{
	struct fit f;
	for (int minus = 0; minus < 2; minus++) {
		float top = iq1_level[minus][2], lower = minus ? 1.25f : 0.75f, upper = minus ? -0.75f : -1.25f;
		f.xq[minus] = s->wx[g][RUN] * top - (s->wx[g][second] + s->wx[g][first]);
		f.q2[minus] = s->w[g][second] * upper + (s->w[g][first] * lower + s->w[g][RUN] * top * top);
	}
	return f;
}

/* Of equals the second group's shift down wins over the first's. */
static void try_cut(const struct sums *s, int first, int second, struct iq1_cut *best)
{
	struct fit a = group_fit(s, 0, first, second), b = group_fit(s, 1, first, second);
	for (int i = 0; i < SHIFTS; i++) {
		int one = i / 2, two = i % 2;
		float xq = a.xq[one] + b.xq[two], q2 = a.q2[one] + b.q2[two];
		if (q2 > 0 && xq * xq > best->score * q2) {
			best->scale = xq / q2;
			best->score = best->scale * xq;
			best->first = first;
			best->second = second;
			best->minus = (uint8_t)(one | two << 1);
		}
	}
}

static void search(const float *x, const float *w, size_t n, struct iq1_found *found)
{
	for (; n; n--, x += RUN, w += RUN, found++) {
		struct iq1_cut cut = {.score = -FLT_MAX, .first = -1};
		struct sums s;
		uint8_t order[RUN];
		memset(found, 0, sizeof *found);
		if (iq1_is_zero(x, RUN, IQ1_M_LIMIT))
			continue;
		iq1_sort(x, RUN, order);
		add_up(x, w, order, &s);
		for (int first = 0; first <= RUN; first++)
			for (int second = first; second <= RUN; second++)
				try_cut(&s, first, second, &cut);
		if (cut.first >= 0)
			iq1_place(x, w, RUN, order, &cut, found);
	}
}

/* The scale of a super-block that fits its final codes best. */
static float fit(const float *x, const float *w, const struct iq1_found *found, const uint8_t *scale, float d)
{
	const struct grid *g = grid_get(GRID_IQ1_S);
	float sum_xq = 0, sum_q2 = 0;
	for (int k = 0; k < RUNS * GROUPS; k++) {
		const struct iq1_found *f = found + k / GROUPS;
		const float *level = iq1_levels(f->minus, k % GROUPS);
		int odd = 2 * scale[k / GROUPS] + 1;
		for (int i = 0; i < IQ1_GROUP; i++) {
			float q = level[grid_level(g, g->point[f->index[k % GROUPS]], i)] * odd;
			float wq = w[k * IQ1_GROUP + i] * q;
			sum_xq += wq * x[k * IQ1_GROUP + i];
			sum_q2 += wq * q;
		}
	}
	return sum_q2 > 0 ? sum_xq / sum_q2 : d;
}

void iq1_m_pack(const struct iq1_parts *p, void *block)
{
	struct block_iq1_m *b = block;
	uint16_t scales[RUNS / 4];
	for (int i = 0; i < RUNS / 4; i++)
		scales[i] = (uint16_t)((p->d >> 4 * i & 15) << 12);
	for (int j = 0; j < RUNS; j++) {
		const struct iq1_found *f = &p->run[j];
		b->qs[GROUPS * j] = (uint8_t)f->index[0];
		b->qs[GROUPS * j + 1] = (uint8_t)f->index[1];
		b->qh[j] = (uint8_t)(f->index[0] >> 8 | (f->minus & 1) << 3 | f->index[1] >> 8 << 4 | f->minus >> 1 << 7);
		scales[j / 4] |= p->scale[j] << 3 * (j % 4);
	}
	memcpy(b->scales, scales, sizeof scales);
}

float iq1_m_d(const void *block)
{
	uint16_t scales[RUNS / 4];
	memcpy(scales, ((const struct block_iq1_m *)block)->scales, sizeof scales);
	return float_of_half(half_in(scales));
}

static void finish(const float *x, const float *w, const struct iq1_found *found, struct block_iq1_m *b)
{
	struct iq1_parts p = {.d = 0};
	float max = 0;
	for (int j = 0; j < RUNS; j++)
		max = max > found[j].scale ? max : found[j].scale;
	float d = max / 15, inverse = 1 / d;
	for (int j = 0; j < RUNS; j++) {
		p.run[j] = found[j];
		p.run[j].minus = max != 0 ? found[j].minus : 0;
		p.scale[j] = max != 0 ? (uint8_t)iq1_scale_code(found[j].scale, inverse) : 0;
	}
	if (max != 0) /* as IQ1_S: a little above the fit */
		p.d = half_of_float(fit(x, w, found, p.scale, d) * 1.1125f);
	iq1_m_pack(&p, b);
}

void iq1_m_encode(const struct iq1_ops *ops, const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_iq1_m *b = plane[0];
	for (size_t at = 0; at < n; at += IQ1_CHUNK) {
		float w[IQ1_CHUNK];
		struct iq1_found found[IQ1_CHUNK / RUN];
		size_t chunk = n - at < IQ1_CHUNK ? n - at : IQ1_CHUNK;
		ops->weights(src + at, weights ? weights + at : NULL, chunk, w);
		ops->search(src + at, w, chunk / RUN, found);
		for (size_t i = 0; i < chunk; i += QK_K)
			finish(src + at + i, w + i, found + i / RUN, b++);
	}
}

static const struct iq1_ops scalar = {iq1_weights, search};

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	iq1_m_encode(&scalar, src, plane, n, weights);
}

const struct heft_encoding quant_iq1_m = {
	.name = "iq1_m",
	.about = "three levels, 8 as a point of a grid of 2048 with a shift, 3-bit scale per 16, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_iq1_m)}},
	.decode = decode,
	.encode = encode,
	.refine = iq1_m_refine_scalar,
};
