/*
 * solve_measure.c - one pass over the weights that says what each candidate loses of each tensor. A strip of rows is read once and encoded and
 * decoded in every candidate's type; nothing is written.
 *
 *   strip   ->  a sum for each candidate, in its own place among those of the tensor      any order of strips gives the same
 *   tensor  ->  relative squared error, of all its strips in order; of a sample also the standard error
 *
 * A sample takes rows at even distances, the same ones in every run. A tensor's sums live from its first strip to its last.
 */
#include "solve.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "pace.h"

enum { LEAST_GRAINS = 32, SLOW_STEP = 8 }; /* of a sample; of what is slow, one in so many */

struct strip {
	size_t weight;
	uint64_t row, rows; /* of all rows, or of those that are looked at */
	uint64_t ticket;
};

struct sums { /* of one strip in one type */
	double norm, error;   /* of squares, weighed where there is importance */
	double error2, norm2, both; /* of squares and products of the grains' */
	uint64_t grains;
};

struct of_weight {
	struct sums *sums;    /* strip by strip, in each of `outputs` */
	uint64_t left, strip, grain; /* rows that are not measured yet, of a strip, that are looked at together */
};

struct measuring {
	struct heft_plan *plan;
	const struct solve_look *look;
	struct solve_loss *loss;
	pthread_mutex_t lock;
	struct of_weight *of;
	size_t weight;        /* next strip */
	uint64_t row, taken, failed; /* failed: ticket of the first failure; UINT64_MAX: none */
	struct heft_err err;
};

/* ---- which rows ---- */

static uint64_t columns(const struct heft_item *it)
{
	return it->rank ? it->dim[it->rank - 1] : 1;
}

static uint64_t rows_of(const struct heft_item *it)
{
	uint64_t rows = 1;

	for (int i = 0; i + 1 < it->rank; i++)
		rows *= it->dim[i];
	return rows;
}

/* Rows that are encoded together, so that a sample takes all of them. */
static uint64_t grain_of(const struct heft_plan *p, size_t i)
{
	uint64_t strip = plan_strip(p, i);

	return strip ? strip : 1;
}

/* Of so many grains, how many a sample takes: never too few. */
static uint64_t sampled(uint64_t grains, double share)
{
	double n = ceil((double)grains * share);

	n = n < LEAST_GRAINS ? LEAST_GRAINS : n;
	return share >= 1 || n >= (double)grains ? grains : (uint64_t)n;
}

/* Of so many grains that are looked at, each how manieth is enough for a type: those whose codes are points of a grid take ten times as long to find. */
static uint64_t step_of(const struct heft_encoding *e, uint64_t taken)
{
	bool slow = !strncmp(e->name, "iq1", 3) || !strncmp(e->name, "iq2", 3) || !strncmp(e->name, "iq3", 3);

	return !slow || taken < 2 * LEAST_GRAINS ? 1 : taken / LEAST_GRAINS < SLOW_STEP ? taken / LEAST_GRAINS : SLOW_STEP;
}

static uint64_t grains_of(uint64_t rows, uint64_t grain)
{
	return rows / grain + (rows % grain != 0);
}

/* The place of the k-th of n out of all: even distances. */
static uint64_t place(uint64_t k, uint64_t n, uint64_t all)
{
	return n == all ? k : (uint64_t)(((unsigned __int128)(2 * k + 1) * all) / (2 * (unsigned __int128)n));
}

static bool same_type(const struct plan_output *a, const struct plan_output *b, size_t i)
{
	const struct scheme *x = a->scheme ? a->scheme[i] : NULL, *y = b->scheme ? b->scheme[i] : NULL;

	return x || y ? x && y && !strcmp(x->enc.name, y->enc.name) && x->group == y->group && x->ct_format == y->ct_format : a->item[i].to == b->item[i].to;
}

/* The first output that has this one's type. */
static size_t first_like(const struct heft_plan *p, size_t k, size_t i)
{
	size_t first = 0;

	while (first < k && !same_type(&p->output[first], &p->output[k], i))
		first++;
	return first;
}

bool solve_is_like(const struct heft_plan *p, size_t a, size_t b, size_t i)
{
	return same_type(&p->output[a], &p->output[b], i);
}

bool solve_is_open(const struct heft_plan *p, size_t i)
{
	for (size_t k = 1; k < p->n_outputs; k++)
		if (!same_type(&p->output[0], &p->output[k], i))
			return p->weight[i].tile.count > 0;
	return false;
}

static bool can_measure(const struct heft_plan *p, size_t k, size_t i)
{
	return first_like(p, k, i) == k && !p->output[k].item[i].needs_imatrix && !p->output[k].copy[i] &&
	       !(p->output[k].same && p->output[k].same[i]);
}

static uint64_t bytes_of(const struct weight *w, uint64_t elements)
{
	return w->n_sources ? tile_bytes(w->source[0]->enc, elements) : 0;
}

uint64_t solve_bytes(const struct heft_plan *p, double share)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < p->n_weights; i++) {
		const struct heft_item *it = &p->output[0].item[i];
		uint64_t grain = grain_of(p, i), rows = sampled(grains_of(rows_of(it), grain), share) * grain;

		if (solve_is_open(p, i))
			bytes += bytes_of(p->weight[i].weight, (rows < rows_of(it) ? rows : rows_of(it)) * columns(it));
	}
	return bytes;
}

/* ---- the order ---- */

static uint64_t looked_at(const struct measuring *m, size_t i)
{
	return sampled(grains_of(rows_of(&m->plan->output[0].item[i]), m->of[i].grain), m->look->share);
}

/* Strips are counted in grains. */
static void begin(struct measuring *m, size_t i)
{
	const struct heft_plan *p = m->plan;
	struct of_weight *w = &m->of[i];
	uint64_t good = tile_good_size(&p->weight[i].tile), strips;
	size_t n;

	w->grain = grain_of(p, i);
	w->strip = good / (columns(&p->output[0].item[i]) * w->grain);
	w->strip += !w->strip;
	w->left = looked_at(m, i);
	strips = grains_of(w->left, w->strip);
	n = (size_t)strips * p->n_outputs;
	w->sums = xmalloc(n * sizeof *w->sums);
	memset(w->sums, 0, n * sizeof *w->sums);
}

static bool ended(struct measuring *m)
{
	if (m->failed == UINT64_MAX && m->look->watch->stop && *m->look->watch->stop) {
		heft_fail(&m->err, HEFT_E_KILLED, "stopped by a signal; nothing was written");
		m->failed = m->taken;
	}
	return m->failed != UINT64_MAX;
}

/* The next strip; false where there is none. The lock is held. */
static bool take(struct measuring *m, struct strip *t)
{
	uint64_t all;

	for (;; m->weight++, m->row = 0) {
		if (ended(m) || m->weight >= m->plan->n_weights)
			return false;
		if (!solve_is_open(m->plan, m->weight))
			continue;
		if (!m->row)
			begin(m, m->weight);
		all = looked_at(m, m->weight);
		if (m->row < all)
			break;
	}
	*t = (struct strip){ m->weight, m->row, m->of[m->weight].strip, m->taken++ };
	if (t->rows > all - t->row)
		t->rows = all - t->row;
	m->row += t->rows;
	return true;
}

/* ---- one strip ---- */

struct buffers {
	struct tile_scratch scratch;
	float *values, *rounded, *decoded;
	uint8_t *bytes;
	size_t n, n_bytes;
};

static uint8_t *room(struct buffers *b, size_t n)
{
	if (n > b->n_bytes) {
		b->bytes = xrealloc(b->bytes, n);
		b->n_bytes = n;
	}
	return b->bytes;
}

static void buffers_grow(struct buffers *b, size_t n)
{
	if (n <= b->n)
		return;
	b->values = xrealloc(b->values, n * sizeof(float));
	b->rounded = xrealloc(b->rounded, n * sizeof(float));
	b->decoded = xrealloc(b->decoded, n * sizeof(float));
	b->n = n;
}

static void buffers_release(struct buffers *b)
{
	tile_scratch_release(&b->scratch);
	free(b->values);
	free(b->rounded);
	free(b->decoded);
	free(b->bytes);
}

/* Rows of a grain, which lie one after another in the weight. */
struct piece {
	size_t output, weight;
	uint64_t row, rows;
	const float *values; /* as they are in the source */
};

static const float *importance(const struct plan_output *o, const struct piece *c)
{
	const struct heft_item *it = &o->item[c->weight];
	uint64_t rows = it->rank > 1 ? it->dim[it->rank - 2] : 1, matrices = it->rank > 2 ? it->dim[it->rank - 3] : 1;

	return o->importance && o->importance[c->weight] ? o->importance[c->weight] + c->row / rows % matrices * columns(it) : NULL;
}

/* Errors are weighed alike in all candidates, also of those that search for nothing. */
static const float *importance_of_any(const struct heft_plan *p, struct piece c)
{
	const float *weights = NULL;

	for (size_t k = 0; k < p->n_outputs && !weights; k++)
		weights = importance(&p->output[k], &c);
	return weights;
}

static const float *through(const struct heft_encoding *via, struct buffers *b, const float *values, size_t n)
{
	uint8_t *bytes;

	if (!via)
		return values;
	bytes = room(b, tile_bytes(via, n));
	quant_encoder(via)(values, (void *[]){ bytes }, n, NULL);
	tile_decode(via, bytes, b->rounded, n);
	return b->rounded;
}

/* One call takes one row where columns have weights. */
static void encode_blocks(const struct heft_plan *p, const struct piece *c, struct buffers *b, const float *src, const float *weights)
{
	const struct heft_item *it = &p->output[c->output].item[c->weight];
	size_t n = (size_t)(c->rows * columns(it)), step = weights ? (size_t)columns(it) : n;
	uint8_t *bytes = room(b, tile_bytes(it->to, n));

	for (size_t done = 0; done < n; done += step) {
		void *plane[1] = { bytes + tile_bytes(it->to, done) };

		quant_encoder(it->to)(src + done, plane, step, weights);
		if (p->effort == HEFT_EFFORT_HIGH)
			quant_refine(it->to, src + done, plane, step, weights);
	}
	tile_decode(it->to, bytes, b->decoded, n);
}

/* Of a strip; units of any size may stand behind them. */
static uint64_t plane_bytes(const struct scheme *s, const struct scheme_strip *t, int p)
{
	enum { ALIGN = 8 };
	uint64_t bytes = scheme_is_once(s, p) ? 0 : scheme_offset(s, p, t->rows, t->cols);

	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static void encode_scheme(const struct heft_plan *p, const struct piece *c, struct buffers *b, const float *src, const float *weights)
{
	const struct plan_output *o = &p->output[c->output];
	const struct heft_item *it = &o->item[c->weight];
	const struct scheme *s = o->scheme[c->weight];
	struct scaled_gain gain = { 0 };
	struct scheme_strip strip = { .src = src, .rows = c->rows, .cols = columns(it), .of = rows_of(it), .importance = weights, .gain = &gain,
				      .decoded = plan_looks_for_codes(p->weight[c->weight].weight, s), .number = o->number ? o->number[c->weight] : NULL };
	uint64_t bytes = strip.cols;
	void *plane[QUANT_MAX_PLANES];
	uint8_t *buf;

	for (int k = 0; k < s->enc.n_planes; k++)
		bytes += plane_bytes(s, &strip, k);
	buf = room(b, (size_t)bytes);
	for (int k = 0; k < s->enc.n_planes; k++) {
		plane[k] = buf;
		buf += plane_bytes(s, &strip, k);
	}
	scheme_encode(s, &strip, plane, b->decoded, buf);
}

static void compare(const struct piece *c, uint64_t cols, const float *decoded, const float *weights, struct sums *sums)
{
	struct quant_sums q = { 0 };
	size_t n = (size_t)(c->rows * cols);
	double norm, error;

	if (weights)
		for (size_t done = 0; done < n; done += cols)
			quant_compare_weighted(c->values + done, decoded + done, weights, (size_t)cols, &q);
	else
		quant_compare(c->values, decoded, n, &q);
	norm = weights ? q.weighted_sq : q.sum_sq;
	error = weights ? q.weighted_err : q.sum_sq_err;
	sums->norm += norm;
	sums->error += error;
	sums->norm2 += norm * norm;
	sums->error2 += error * error;
	sums->both += norm * error;
	sums->grains++;
}

static void try_piece(const struct measuring *m, const struct piece *c, struct buffers *b, struct sums *sums)
{
	const struct heft_plan *p = m->plan;
	const struct plan_output *o = &p->output[c->output];
	uint64_t cols = columns(&o->item[c->weight]);
	const float *weights = importance(o, c), *src = through(o->via[c->weight], b, c->values, (size_t)(c->rows * cols));

	if (o->scheme && o->scheme[c->weight])
		encode_scheme(p, c, b, src, weights);
	else
		encode_blocks(p, c, b, src, weights);
	compare(c, cols, b->decoded, importance_of_any(p, *c), sums);
}

static int read_rows(const struct measuring *m, size_t i, uint64_t row, uint64_t rows, struct buffers *b, struct heft_err *err)
{
	uint64_t cols = columns(&m->plan->output[0].item[i]);

	return tile_read(&m->plan->weight[i].tile, m->plan->model, row * cols, (size_t)(rows * cols), b->values, &b->scratch, err);
}

/* Where every row is looked at, a strip is read at once; of a sample, each of its grains. */
static int measure_strip(struct measuring *m, const struct strip *t, struct buffers *b, struct heft_err *err)
{
	const struct heft_plan *p = m->plan;
	const struct of_weight *w = &m->of[t->weight];
	uint64_t cols = columns(&p->output[0].item[t->weight]), rows = rows_of(&p->output[0].item[t->weight]);
	uint64_t grains = grains_of(rows, w->grain), taken = looked_at(m, t->weight), first = t->row * w->grain, all = t->rows * w->grain;
	struct sums *sums = w->sums + t->row / w->strip * p->n_outputs;

	buffers_grow(b, (size_t)(all * cols));
	if (taken == grains && read_rows(m, t->weight, first, all < rows - first ? all : rows - first, b, err))
		return -1;
	for (uint64_t k = t->row; k < t->row + t->rows; k++) {
		struct piece c = { .weight = t->weight, .row = place(k, taken, grains) * w->grain, .rows = w->grain, .values = b->values };

		if (c.rows > rows - c.row)
			c.rows = rows - c.row;
		if (taken == grains)
			c.values += (c.row - first) * cols;
		else if (read_rows(m, t->weight, c.row, c.rows, b, err))
			return -1;
		for (c.output = 0; c.output < p->n_outputs; c.output++)
			if (can_measure(p, c.output, t->weight) && (k + 1) % step_of(p->output[c.output].item[t->weight].to, taken) == 0)
				try_piece(m, &c, b, &sums[c.output]);
	}
	return 0;
}

/* ---- when the last strip of a tensor is there ---- */

static void add(struct sums *sum, const struct sums *s)
{
	sum->norm += s->norm;
	sum->error += s->error;
	sum->norm2 += s->norm2;
	sum->error2 += s->error2;
	sum->both += s->both;
	sum->grains += s->grains;
}

/* Of a ratio of sums over a sample: from how far the grains' errors lie off that ratio of their squares. */
static struct solve_loss loss_of(const struct sums *s, uint64_t all)
{
	double r = s->norm > 0 ? s->error / s->norm : 0, n = (double)s->grains, off;

	if (s->grains < 2 || s->grains >= all || s->norm <= 0)
		return (struct solve_loss){ .relative = r, .doubt = s->grains < all ? r : 0, .open = true };
	off = s->error2 - 2 * r * s->both + r * r * s->norm2;
	off = off > 0 ? off * n / (n - 1) * (1 - n / (double)all) : 0;
	return (struct solve_loss){ .relative = r, .doubt = sqrt(off) / s->norm, .open = true };
}

static void sum_up(struct measuring *m, size_t i)
{
	const struct heft_plan *p = m->plan;
	struct of_weight *w = &m->of[i];
	uint64_t strips = grains_of(looked_at(m, i), w->strip);

	for (size_t k = 0; k < p->n_outputs; k++) {
		struct solve_loss *loss = m->loss + k * p->n_weights + i;
		struct sums sum = { 0 };

		*loss = (struct solve_loss){ .open = !p->output[k].item[i].needs_imatrix };
		for (uint64_t s = 0; s < strips; s++)
			add(&sum, &w->sums[s * p->n_outputs + k]);
		if (first_like(p, k, i) != k)
			*loss = m->loss[first_like(p, k, i) * p->n_weights + i];
		else if (can_measure(p, k, i))
			*loss = loss_of(&sum, grains_of(rows_of(&p->output[k].item[i]), w->grain));
	}
	free(w->sums);
	w->sums = NULL;
}

/* The lock is held. */
static void account(struct measuring *m, const struct strip *t)
{
	const struct weight *w = m->plan->weight[t->weight].weight;
	const struct heft_item *it = &m->plan->output[0].item[t->weight];
	struct of_weight *of = &m->of[t->weight];

	if (!(of->left -= t->rows))
		sum_up(m, t->weight);
	m->look->watch->pace->done += bytes_of(w, t->rows * of->grain * columns(it));
	if (m->failed == UINT64_MAX)
		pace_tell(m->look->watch->pace, w->name);
}

static void work(struct measuring *m, struct buffers *b)
{
	struct heft_err err;
	struct strip t;

	pthread_mutex_lock(&m->lock);
	while (take(m, &t)) {
		int rc;

		pthread_mutex_unlock(&m->lock);
		rc = measure_strip(m, &t, b, &err);
		pthread_mutex_lock(&m->lock);
		if (rc && t.ticket < m->failed) {
			m->failed = t.ticket;
			m->err = err;
		} else if (!rc)
			account(m, &t);
	}
	pthread_mutex_unlock(&m->lock);
}

int solve_measure(struct heft_plan *p, const struct solve_look *look, struct solve_loss *loss, struct heft_err *err)
{
	struct measuring m = { .plan = p, .look = look, .loss = loss, .failed = UINT64_MAX };

	m.of = arena_array(p->arena, p->n_weights, sizeof *m.of);
	for (size_t i = 0; i < p->n_weights; i++)
		m.of[i].grain = grain_of(p, i);
	pthread_mutex_init(&m.lock, NULL);
#pragma omp parallel num_threads(p->threads)
	{
		struct buffers b = { 0 };

		work(&m, &b);
		buffers_release(&b);
	}
	pthread_mutex_destroy(&m.lock);
	for (size_t i = 0; i < p->n_weights; i++)
		free(m.of[i].sums);
	if (m.failed == UINT64_MAX)
		return 0;
	*err = m.err;
	return -1;
}
