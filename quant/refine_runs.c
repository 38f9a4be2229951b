/*
 * refine_runs.c - the search of refine_runs.h. Each run is fitted alone; the encoder's halves, and halves that give the
 * largest fit some code, are tried with the codes of scales around the fits; then least squares moves the halves of the
 * best to where its codes fit, and codes are tried around again, while that helps.
 *
 * Where there are minimums, codes of which have no sign, all is done again for the numbers with their signs turned: d
 * and dmin are then negative. For numbers of one sign this is far better, for others it is a second chance.
 */
#include "refine_runs.h"
#include "bits.h"

enum { ROUNDS = 4 };

/* One choice for each block of a chunk: its halves, as floats for every run, the codes of the runs and their errors. */
struct choice {
	float d[REFINE_RUNS], dmin[REFINE_RUNS], scale[REFINE_RUNS], min[REFINE_RUNS], error[REFINE_RUNS];
};

struct chunk {
	const struct refine_shape *s;
	const struct refine_ops *ops;
	const float *x, *w;
	size_t runs;
	float scale[REFINE_RUNS], min[REFINE_RUNS]; /* the fit of each run alone */
	struct choice best;
};

static double block_error(const struct chunk *c, const struct choice *t, size_t run)
{
	double sum = 0;
	for (int j = 0; j < c->s->runs; j++)
		sum += t->error[run + j];
	return sum;
}

static void take(const struct chunk *c, size_t run, const struct choice *from, struct choice *to)
{
	size_t size = c->s->runs * sizeof(float);
	memcpy(to->d + run, from->d + run, size);
	memcpy(to->dmin + run, from->dmin + run, size);
	memcpy(to->scale + run, from->scale + run, size);
	memcpy(to->min + run, from->min + run, size);
	memcpy(to->error + run, from->error + run, size);
}

/* Tries t, all blocks at once; what is better becomes the best. True where any was. */
static bool try(struct chunk *c, struct refine_reach reach, struct choice *t)
{
	bool any = false;
	c->ops->around(c->s, reach, c->x, c->w, c->runs, t->d, t->dmin, t->scale, t->min, t->error);
	for (size_t run = 0; run < c->runs; run += c->s->runs)
		if (block_error(c, t, run) < block_error(c, &c->best, run)) {
			take(c, run, t, &c->best);
			any = true;
		}
	return any;
}

static float half(float f)
{
	return float_of_half(half_of_float(f));
}

/* Nearest integer between lo and hi, ties to even, as the lanes round. */
static float rounded(float f, int lo, int hi)
{
	f = f + 12582912.0f - 12582912.0f;
	return f > lo ? f < hi ? f : hi : lo;
}

/* ---- tries of halves ------------------------------------------------------------------------------------------- */

/* The codes nearest to the fits, for a block's halves. */
static void nearest(const struct chunk *c, size_t run, float d, float dmin, struct choice *t)
{
	for (size_t j = run; j < run + c->s->runs; j++) {
		t->d[j] = d;
		t->dmin[j] = dmin;
		t->scale[j] = rounded(d != 0 ? c->scale[j] / d : 0, c->s->scale_lo, c->s->scale_hi);
		t->min[j] = rounded(dmin != 0 ? c->min[j] / dmin : 0, c->s->min_hi == 1, c->s->min_hi);
	}
}

/* The number of the largest magnitude. */
static float extreme(const float *v, int n)
{
	float most = 0;
	for (int i = 0; i < n; i++)
		if (fabsf(v[i]) > fabsf(most))
			most = v[i];
	return most;
}

/* The largest scale of a block has the code `scale`, the largest minimum `min`. */
static void try_halves(struct chunk *c, float scale, float min)
{
	struct choice t;
	for (size_t run = 0; run < c->runs; run += c->s->runs) {
		float d = half(extreme(c->scale + run, c->s->runs) / scale);
		float dmin = half(extreme(c->min + run, c->s->runs) / min);
		nearest(c, run, d, dmin, &t);
	}
	try(c, c->s->around, &t);
}

/* What the encoder chose: the first of all tries. */
static void try_encoded(struct chunk *c, const uint8_t *block)
{
	struct choice *t = &c->best, again;
	for (size_t run = 0; run < c->runs; run += c->s->runs, block += c->s->encoding->plane[0].bytes) {
		struct refine_parts p = {0};
		c->s->unpack(block, &p);
		for (int j = 0; j < c->s->runs; j++) {
			t->d[run + j] = float_of_half(p.d);
			t->dmin[run + j] = float_of_half(p.dmin);
			t->scale[run + j] = p.scale[j];
			t->min[run + j] = p.min[j];
			t->error[run + j] = INFINITY;
		}
	}
	again = *t;
	try(c, c->s->around, &again);
}

/* ---- least squares --------------------------------------------------------------------------------------------- */

/* Moves the halves of a block to where its codes fit best: the rest is then square to scale * code and to min. */
static void fit_halves(const struct chunk *c, const float (*sum)[5], size_t run, struct choice *t)
{
	double ss = 0, sm = 0, mm = 0, sr = 0, mr = 0;
	for (size_t j = run; j < run + c->s->runs; j++) {
		double s = t->scale[j], m = t->min[j];
		mm += m * m * sum[j][0];
		sm += s * m * sum[j][1];
		ss += s * s * sum[j][2];
		mr += m * sum[j][3];
		sr += s * sum[j][4];
	}
	double det = ss * mm - sm * sm;
	double more = det > 0 ? (mm * sr - sm * mr) / det : ss > 0 ? sr / ss : 0;
	double less = det > 0 ? (sm * sr - ss * mr) / det : 0;
	float d = half((float)(t->d[run] + more)), dmin = half((float)(t->dmin[run] + less));
	for (size_t j = run; j < run + c->s->runs; j++) {
		t->d[j] = d;
		t->dmin[j] = dmin;
	}
}

static bool try_least_squares(struct chunk *c)
{
	struct choice t = c->best;
	float scale[REFINE_RUNS], min[REFINE_RUNS], sum[REFINE_RUNS][5];
	for (size_t j = 0; j < c->runs; j++) {
		scale[j] = t.d[j] * t.scale[j];
		min[j] = t.dmin[j] * t.min[j];
	}
	c->ops->sums(c->s, c->x, c->w, c->runs, scale, min, sum);
	for (size_t run = 0; run < c->runs; run += c->s->runs)
		fit_halves(c, sum, run, &t);
	return try(c, c->s->around_best, &t);
}

/* ---- a chunk --------------------------------------------------------------------------------------------------- */

static float at(const struct refine_tries *t, int i)
{
	return t->first + t->step * i;
}

static void search(struct chunk *c, const uint8_t *block)
{
	const struct refine_shape *s = c->s;
	c->ops->fit(s, c->x, c->w, c->runs, c->scale, c->min);
	try_encoded(c, block);
	for (int i = 0; i < s->d.n; i++)
		for (int j = 0; j < s->dmin.n; j++)
			try_halves(c, at(&s->d, i), at(&s->dmin, j));
	for (int i = 0; i < ROUNDS && try_least_squares(c); i++)
		;
}

/* The search for the numbers with their signs turned; its best where it is better. */
static void search_turned(struct chunk *c, const uint8_t *block)
{
	struct choice first = c->best;
	float turned[REFINE_CHUNK];
	const float *x = c->x;
	for (size_t i = 0; i < c->runs * c->s->run; i++)
		turned[i] = -x[i];
	c->x = turned;
	search(c, block);
	c->x = x;
	for (size_t run = 0; run < c->runs; run += c->s->runs) {
		bool better = block_error(c, &c->best, run) < block_error(c, &first, run);
		for (size_t j = run; j < run + c->s->runs && better; j++) {
			c->best.d[j] = -c->best.d[j];
			c->best.dmin[j] = -c->best.dmin[j];
		}
		if (!better)
			take(c, run, &first, &c->best);
	}
}

/* Writes the best choice for the block that begins with a run. */
static void put(const struct chunk *c, size_t run, void *block)
{
	const struct refine_shape *s = c->s;
	const struct choice *best = &c->best;
	const float *x = c->x + run * s->run;
	struct refine_parts p = {.d = half_of_float(best->d[run]), .dmin = half_of_float(best->dmin[run])};
	for (int j = 0; j < s->runs; j++) {
		float scale = best->d[run + j] * best->scale[run + j], min = best->dmin[run + j] * best->min[run + j];
		float inverse = scale != 0 ? 1 / scale : 0;
		p.scale[j] = (int8_t)best->scale[run + j];
		p.min[j] = (uint8_t)best->min[run + j];
		for (int i = j * s->run; i < (j + 1) * s->run; i++)
			p.code[i] = (uint8_t)(rounded((x[i] + min) * inverse, s->lo, s->hi) - s->lo);
	}
	s->pack(block, &p);
}

void refine_runs(const struct refine_shape *s, const struct refine_ops *ops, const float *src, void *dst, size_t n,
		 const float *weights)
{
	struct chunk c = {.s = s, .ops = ops};
	uint8_t *block = dst;
	for (size_t done = 0, size; done < n; done += size) {
		size = n - done < REFINE_CHUNK ? n - done : REFINE_CHUNK;
		c.x = src + done;
		c.w = weights ? weights + done : NULL;
		c.runs = size / s->run;
		search(&c, block);
		if (s->min_hi > 1)
			search_turned(&c, block);
		for (size_t run = 0; run < c.runs; run += s->runs, block += s->encoding->plane[0].bytes)
			put(&c, run, block);
	}
}
