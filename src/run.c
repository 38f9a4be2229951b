/*
 * run.c - carries a plan out: the only loop over weights.
 *
 * Threads take tiles in the plan's order, under one lock. A tile is read, decoded, rounded, encoded and written by the thread that took it; to a
 * pipe each thread waits for its turn to write. A stream is read under the lock, since its bytes come in one order.
 */
#include "commit.h"
#include "digests.h"
#include "gather.h"
#include "model.h"
#include "pace.h"
#include "tally.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct tile {
	const struct plan_segment *segment;
	const struct plan_weight *weight;
	uint64_t first;
	size_t n;
	uint64_t ticket; /* place in the order */
};

struct run {
	struct heft_plan *plan;
	const struct heft_run_options *options;
	struct commit *commit;
	struct gather *gather;
	struct tally *tally;
	struct source *stream;  /* the model's stream, or NULL */

	pthread_mutex_t lock;
	pthread_cond_t turn;
	size_t segment;         /* next tile */
	uint64_t first;
	uint64_t taken, written; /* tickets */
	struct heft_err err;
	uint64_t failed;        /* ticket of the first failure; UINT64_MAX: none */
	struct pace pace;       /* of bytes: those that are measured are read twice */
	uint64_t elements;
	double synced;
};

enum { BUFFERS = 256 << 20 }; /* of all threads */

struct worker { /* buffers of one thread */
	struct tile_scratch scratch;
	float *values, *rounded, *decoded;
	uint8_t *bytes;      /* encoded for an output */
	size_t n_bytes;
	uint8_t *turned;     /* the same with each value's bytes the other way round */
	size_t n_turned;
	struct raw {         /* taken from the source as they are, in the output's encoding */
		uint8_t *bytes;
		size_t n;
	} *raw;              /* of each output; one that has an earlier output's encoding uses that */
	struct quant_sums *sums; /* of each output */
	struct quant_details *details;
};

/* ---- one tile ---- */

static uint64_t columns(const struct heft_item *it)
{
	return it->rank ? it->dim[it->rank - 1] : 1;
}

/* The importance of each column of a tile's rows, which are all of one expert's matrix; NULL where there is none. */
static const float *tile_weights(const struct plan_output *o, const struct tile *t)
{
	size_t i = t->segment->weight;
	const struct heft_item *it = &o->item[i];
	uint64_t rows = it->rank > 1 ? it->dim[it->rank - 2] : 1, matrices = it->rank > 2 ? it->dim[it->rank - 3] : 1;

	if (!o->importance || !o->importance[i])
		return NULL;
	return o->importance[i] + t->first / columns(it) / rows % matrices * columns(it);
}

/* Where columns have weights, a call takes one row and them: some encodings look at the whole row then. */
static void encode_tile(const struct run *r, const struct heft_item *it, const float *src, uint8_t *dst, size_t n, const float *weights)
{
	quant_encode_fn *encode = quant_encoder(it->to);
	size_t step = weights ? (size_t)columns(it) : n;

	for (size_t done = 0; done < n; done += step) {
		void *plane[1] = { dst + tile_bytes(it->to, done) };

		encode(src + done, plane, step, weights);
		if (r->plan->effort == HEFT_EFFORT_HIGH)
			quant_refine(it->to, src + done, plane, step, weights);
	}
}

static uint8_t *buffer(uint8_t **p, size_t *cap, size_t n)
{
	if (*cap < n) {
		*p = xrealloc(*p, n);
		*cap = n;
	}
	return *p;
}

/* The values as they are encoded: through the intermediate type where there is one. */
static const float *through(const struct heft_encoding *via, struct worker *w, size_t n)
{
	uint8_t *buf;

	if (!via)
		return w->values;
	buf = buffer(&w->bytes, &w->n_bytes, tile_bytes(via, n));
	quant_encoder(via)(w->values, (void *[]){ buf }, n, NULL);
	tile_decode(via, buf, w->rounded, n);
	return w->rounded;
}

/* Bytes that are copied though scales are rounded: codes of a packed source. */
static bool measures_copy(const struct run *r, size_t output, size_t i)
{
	return r->tally && r->plan->output[output].copy[i] && !r->plan->output[output].item[i].lossless;
}

static bool needs_values(const struct run *r, const struct tile *t)
{
	for (size_t i = 0; i < r->plan->n_outputs; i++)
		if (!r->plan->output[i].copy[t->segment->weight] || measures_copy(r, i, t->segment->weight))
			return true;
	return false;
}

/* The first output that takes the source's bytes in the same encoding: those are read once. */
static size_t first_copy(const struct run *r, const struct tile *t, size_t output)
{
	const struct plan_output *o = r->plan->output;
	size_t i = t->segment->weight, k = 0;

	while (k < output && !(o[k].copy[i] && o[k].item[i].to == o[output].item[i].to))
		k++;
	return k;
}

static int await_turn(struct run *r, uint64_t ticket)
{
	int failed;

	pthread_mutex_lock(&r->lock);
	while (r->written != ticket && r->failed > ticket)
		pthread_cond_wait(&r->turn, &r->lock);
	failed = r->failed <= ticket;
	pthread_mutex_unlock(&r->lock);
	return failed ? -1 : 0;
}

/* The bytes of one output's part of a tile, measured on the way. */
static const uint8_t *fill_bytes(struct run *r, struct worker *w, const struct tile *t, size_t output)
{
	const struct plan_output *o = &r->plan->output[output];
	size_t i = t->segment->weight;
	const struct heft_encoding *to = o->item[i].to;
	const float *values, *weights = tile_weights(o, t); /* of one row, the same for each */
	uint8_t *buf;

	if (o->copy[i]) {
		const uint8_t *bytes = w->raw[first_copy(r, t, output)].bytes;

		if (measures_copy(r, output, i)) {
			tile_decode(to, bytes, w->decoded, t->n);
			quant_compare(w->values, w->decoded, t->n, &w->sums[output]);
		}
		return bytes;
	}
	values = through(o->via[i], w, t->n);
	buf = buffer(&w->bytes, &w->n_bytes, tile_bytes(to, t->n));
	encode_tile(r, &o->item[i], values, buf, t->n, weights);
	if (r->tally) {
		tile_decode(to, buf, w->decoded, t->n);
		quant_compare(w->values, w->decoded, t->n, &w->sums[output]);
		for (size_t done = 0; weights && done < t->n; done += columns(&o->item[i]))
			quant_compare_weighted(w->values + done, w->decoded + done, weights, columns(&o->item[i]), &w->sums[output]);
		if (r->options->details) {
			quant_histogram(w->values, w->decoded, t->n, &w->details[output]);
			quant_clipping(to, buf, values, t->n, &w->details[output]);
		}
	}
	return buf;
}

static const uint8_t *turned(struct worker *w, const struct heft_encoding *e, const uint8_t *src, size_t n)
{
	size_t size = plan_turns(e), bytes = tile_bytes(e, n);
	uint8_t *dst;

	if (size < 2)
		return src;
	dst = buffer(&w->turned, &w->n_turned, bytes);
	for (size_t i = 0; i < bytes; i++)
		dst[i] = src[i / size * size + size - 1 - i % size];
	return dst;
}

static uint64_t plane_bytes(const struct scheme *s, int p, const struct scheme_strip *t, uint64_t rows)
{
	return scheme_is_once(s, p) ? scheme_once(s, p, rows, t->cols, t->number, NULL) : scheme_offset(s, p, t->rows, t->cols);
}

static void measure_strip(struct run *r, struct worker *w, const struct tile *t, const struct scheme_strip *strip, size_t output)
{
	struct quant_sums *sums = &w->sums[output];

	if (!r->tally)
		return;
	quant_compare(w->values, w->decoded, t->n, sums);
	for (uint64_t k = 0; strip->importance && k < t->n; k += strip->cols)
		quant_compare_weighted(w->values + k, w->decoded + k, strip->importance, strip->cols, sums);
	sums->nearest += strip->gain->nearest;
	sums->found += strip->gain->found;
	if (r->options->details)
		quant_histogram(w->values, w->decoded, t->n, &w->details[output]);
}

/* A strip of rows as codes and scales, measured on the way; each plane goes to its own tensor. */
static int write_strip(struct run *r, struct worker *w, const struct tile *t, size_t output, struct heft_err *err)
{
	const struct plan_output *o = &r->plan->output[output];
	size_t i = t->segment->weight;
	const struct heft_item *it = &o->item[i];
	const struct scheme *s = o->scheme[i];
	struct scaled_gain gain = { 0 };
	struct scheme_strip strip = { .src = through(o->via[i], w, t->n), .cols = columns(it), .of = it->dim[0],
				      .importance = tile_weights(o, t),
				      .gain = &gain,
				      .decoded = plan_looks_for_codes(t->weight->weight, s),
				      .number = o->number ? o->number[i] : NULL };
	uint64_t row = t->first / strip.cols, bytes = 0;
	void *plane[QUANT_MAX_PLANES];
	uint8_t *buf;

	strip.rows = t->n / strip.cols;
	for (int p = 0; p < s->enc.n_planes; p++)
		bytes += plane_bytes(s, p, &strip, it->dim[0]);
	buf = buffer(&w->bytes, &w->n_bytes, (size_t)(bytes + strip.cols + PLAN_BLOCKS(t->n)));
	for (int p = 0; p < s->enc.n_planes; p++) {
		plane[p] = buf;
		buf += plane_bytes(s, p, &strip, it->dim[0]);
	}
	if (o->same[i]) {
		memcpy(w->decoded, w->values, t->n * sizeof *w->decoded);
		if (plan_copy_planes(r->plan->model, t->weight, s, &strip, row, plane, &(struct plan_room){ buf, buf + strip.cols, &w->scratch }, err))
			return -1;
	} else
		scheme_encode(s, &strip, plane, w->decoded, buf);
	measure_strip(r, w, t, &strip, output);
	for (int p = 0; p < s->enc.n_planes; p++) {
		bool once = s->enc.plane[p].rows == SCHEME_ALL; /* the first strip has it */

		if (s->dims[p] == SCHEME_TURNED || (once && row))
			continue;
		if (scheme_is_once(s, p))
			scheme_once(s, p, it->dim[0], strip.cols, strip.number, plane[p]);
		if (commit_write_plane(r->commit, output, i, p, once ? 0 : scheme_offset(s, p, row, strip.cols), plane[p],
				       (size_t)plane_bytes(s, p, &strip, it->dim[0]), err))
			return -1;
	}
	return gather_put(r->gather, output, i, row, strip.rows, plane, err);
}

static int write_tile(struct run *r, struct worker *w, const struct tile *t, struct heft_err *err)
{
	size_t i = t->segment->weight;

	memset(w->sums, 0, r->plan->n_outputs * sizeof *w->sums);
	memset(w->details, 0, r->plan->n_outputs * sizeof *w->details);
	for (size_t k = 0; k < r->plan->n_outputs; k++) {
		const struct plan_output *o = &r->plan->output[k];
		const struct heft_encoding *to = o->item[i].to;
		const uint8_t *buf;

		if (o->scheme && o->scheme[i]) {
			if (write_strip(r, w, t, k, err))
				return -1;
			continue;
		}
		buf = fill_bytes(r, w, t, k);
		if (o->to_stdout && await_turn(r, t->ticket))
			return heft_fail(err, HEFT_E_WRITE, "stopped"); /* an earlier tile failed: its error stands */
		if (o->big_endian)
			buf = turned(w, to, buf, t->n);
		if (commit_write(r->commit, k, i, tile_bytes(to, t->first), buf, tile_bytes(to, t->n), err))
			return -1;
	}
	return 0;
}

/* What the outputs need of a tile: values, the source's own bytes, or both. */
static int read_tile(struct run *r, struct worker *w, const struct tile *t, struct heft_err *err)
{
	const struct tile_plan *p = &t->weight->tile;

	for (size_t k = 0; k < r->plan->n_outputs; k++) {
		const struct plan_output *o = &r->plan->output[k];
		const struct heft_encoding *to = o->item[t->segment->weight].to;
		struct raw *raw = &w->raw[k];

		if (o->copy[t->segment->weight] && first_copy(r, t, k) == k &&
		    tile_read_bytes(p, r->plan->model, to, t->first, t->n, buffer(&raw->bytes, &raw->n, tile_bytes(to, t->n)), &w->scratch, err))
			return -1;
	}
	return needs_values(r, t) ? tile_read(p, r->plan->model, t->first, t->n, w->values, &w->scratch, err) : 0;
}

/* ---- the order ---- */

static void fail(struct run *r, uint64_t ticket, const struct heft_err *err)
{
	if (ticket < r->failed) {
		r->failed = ticket;
		r->err = *err;
	}
	pthread_cond_broadcast(&r->turn);
}

static bool stopped(struct run *r)
{
	struct heft_err err;

	if (r->failed == UINT64_MAX && r->options->stop && *r->options->stop) {
		heft_fail(&err, HEFT_E_KILLED, "stopped by a signal; nothing was written");
		fail(r, r->taken, &err);
	}
	return r->failed != UINT64_MAX;
}

/* Bytes of a stream that no tile from this one on will ask for. */
static void release_stream(struct run *r, const struct tile *t)
{
	const struct weight *w = t->weight->weight;
	uint64_t low = t->segment->later;

	if (w->n_sources) {
		uint64_t at = t->segment->offset;

		if (t->segment->straight)
			at += tile_bytes(w->source[0]->enc, t->first - t->segment->first);
		low = at < low ? at : low;
	}
	if (low != UINT64_MAX)
		source_release(r->stream, low);
}

static bool has_importance(const struct heft_plan *p, size_t weight)
{
	for (size_t k = 0; k < p->n_outputs; k++)
		if (p->output[k].importance && p->output[k].importance[weight])
			return true;
	return false;
}

/* Elements of the tile at `first` of a weight that has some. Rows with importance stay whole and their tile inside one matrix. */
static uint64_t tile_size(const struct heft_plan *p, size_t weight, uint64_t first)
{
	const struct heft_item *it = &p->output[0].item[weight]; /* shapes are those of every output */
	uint64_t row = columns(it), matrix = it->rank > 1 ? it->dim[it->rank - 2] * row : row;
	uint64_t size, left = matrix - first % matrix, strip = plan_strip(p, weight), good = tile_good_size(&p->weight[weight].tile);

	if (strip) {
		size = (row * strip > good ? strip : good / row / strip * strip) * row;
		return it->rank > 2 && left < size && has_importance(p, weight) ? left : size;
	}
	if (!has_importance(p, weight))
		return good;
	size = row > TILE_ELEMENTS ? row : TILE_ELEMENTS / row * row;
	return left < size ? left : size;
}

/* Is there room for the next tile of this size where its bytes are gathered? */
static bool has_room(struct run *r, size_t weight, uint64_t size)
{
	uint64_t row = columns(&r->plan->output[0].item[weight]);

	return !plan_strip(r->plan, weight) || gather_begin(r->gather, weight, r->first / row, size / row);
}

/* Waits until there is a next tile with room for it; false where there is none. */
static bool find_next(struct run *r)
{
	const struct heft_plan *p = r->plan;

	for (;;) {
		while (r->segment < p->n_segments && r->first >= p->segment[r->segment].count) {
			r->segment++;
			r->first = 0;
		}
		if (stopped(r) || r->segment >= p->n_segments)
			return false;
		if (has_room(r, p->segment[r->segment].weight, tile_size(p, p->segment[r->segment].weight, r->first)))
			return true;
		pthread_cond_wait(&r->turn, &r->lock);
	}
}

/* Takes the next tile; false where there is none. The lock is held. */
static bool take(struct run *r, struct tile *t)
{
	struct heft_plan *p = r->plan;
	uint64_t left, size;

	if (!find_next(r))
		return false;
	t->segment = &p->segment[r->segment];
	t->weight = &p->weight[t->segment->weight];
	t->first = t->segment->first + r->first;
	left = t->segment->count - r->first;
	size = tile_size(p, t->segment->weight, t->first);
	t->n = (size_t)(left < size ? left : size);
	t->ticket = r->taken++;
	r->first += t->n;
	return true;
}

static void account(struct run *r, struct worker *w, const struct tile *t)
{
	const struct weight *wt = t->weight->weight;

	r->written++; /* never for a tile that failed: those behind it must not take its turn */
	r->elements += t->n;
	if (wt->n_sources)
		r->pace.done += tile_bytes(wt->source[0]->enc, t->n);
	if (r->tally && r->failed == UINT64_MAX)
		tally_add(r->tally, t->segment->weight, t->first, t->n, w->sums);
	if (r->tally && r->options->details)
		tally_details(r->tally, t->segment->weight, w->details);
	pace_tell(&r->pace, wt->name);
}

static void work(struct run *r, struct worker *w)
{
	struct heft_err err;
	struct tile t;

	pthread_mutex_lock(&r->lock);
	while (take(r, &t)) {
		int rc = 0;

		if (r->stream) {
			release_stream(r, &t);
			rc = read_tile(r, w, &t, &err);
		}
		pthread_mutex_unlock(&r->lock);
		if (!rc && !r->stream)
			rc = read_tile(r, w, &t, &err);
		if (!rc)
			rc = write_tile(r, w, &t, &err);
		pthread_mutex_lock(&r->lock);
		if (rc)
			fail(r, t.ticket, &err);
		else
			account(r, w, &t);
		pthread_cond_broadcast(&r->turn);
	}
	pthread_mutex_unlock(&r->lock);
}

static size_t largest_tile(const struct heft_plan *p)
{
	uint64_t most = TILE_ELEMENTS;

	for (size_t i = 0; i < p->n_weights; i++)
		if (p->weight[i].tile.count && tile_size(p, i, 0) > most)
			most = tile_size(p, i, 0);
	return (size_t)most;
}

static void worker_init(struct worker *w, const struct heft_plan *p)
{
	size_t n = largest_tile(p) * sizeof(float);

	*w = (struct worker){ .sums = xmalloc(p->n_outputs * sizeof *w->sums), .details = xmalloc(p->n_outputs * sizeof *w->details) };
	w->raw = xmalloc(p->n_outputs * sizeof *w->raw);
	memset(w->raw, 0, p->n_outputs * sizeof *w->raw);
	w->values = xmalloc(n);
	w->rounded = xmalloc(n);
	w->decoded = xmalloc(n);
}

static void worker_release(struct worker *w, size_t n_outputs)
{
	tile_scratch_release(&w->scratch);
	free(w->values);
	free(w->rounded);
	free(w->decoded);
	free(w->bytes);
	free(w->turned);
	for (size_t i = 0; i < n_outputs; i++)
		free(w->raw[i].bytes);
	free(w->raw);
	free(w->sums);
	free(w->details);
}

/* Tiles of whole strips of wide rows are large: so many threads as BUFFERS bytes suffice for, values three times and their codes. */
static int threads_for(const struct heft_plan *p)
{
	uint64_t most = largest_tile(p) * (3 * sizeof(float) + 1), fit = BUFFERS / most;

	return fit >= (uint64_t)p->threads ? p->threads : fit ? (int)fit : 1;
}

static void run_threads(struct run *r)
{
#pragma omp parallel num_threads(threads_for(r->plan))
	{
		struct worker w;

		worker_init(&w, r->plan);
		work(r, &w);
		worker_release(&w, r->plan->n_outputs);
	}
}

static void summarize(const struct run *r, struct heft_summary *out)
{
	*out = (struct heft_summary){ .bytes_in = r->plan->bytes_in, .elements = r->elements, .seconds = pace_clock() - r->pace.begun,
				       .sync_seconds = r->synced };
	for (size_t i = 0; i < r->plan->n_outputs; i++)
		out->bytes_out += r->plan->output[i].pub.size;
	out->error = r->tally ? (const struct heft_error *const *)r->plan->error : NULL;
}

static int measure(struct run *r, struct heft_err *err)
{
	struct plan_watch watch = { r->options->stop, &r->pace };

	r->pace.total = r->plan->bytes_in + plan_measured_bytes(r->plan, false);
	for (size_t i = 0; i < r->plan->n_outputs; i++)
		if (plan_measure(r->plan, &r->plan->output[i], false, &watch, err))
			return -1;
	return 0;
}

int heft_run(struct heft_plan *p, const struct heft_run_options *o, struct heft_summary *out, struct heft_err *err)
{
	static const struct heft_run_options none;
	struct run r = { .plan = p, .options = o ? o : &none, .failed = UINT64_MAX };
	int rc;

	r.pace = (struct pace){ .progress = r.options->progress, .ctx = r.options->ctx, .begun = pace_clock() };
	r.stream = model_stream(p->model);
	if (plan_check_needs(p, err) || measure(&r, err) || commit_open(&r.commit, p, err))
		return -1;
	if (p->digested) {
		digests_free(p->digests);
		p->digests = digests_new(p);
	}
	if (!r.options->no_errors)
		r.tally = tally_new(p);
	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.turn, NULL);
	r.gather = gather_new(p, r.commit);
	run_threads(&r);
	gather_free(r.gather);
	pthread_cond_destroy(&r.turn);
	pthread_mutex_destroy(&r.lock);
	if (r.failed != UINT64_MAX) {
		*err = r.err;
		commit_abort(r.commit);
		rc = -1;
	} else {
		rc = commit_close(r.commit, &r.synced, err);
		if (!rc)
			rc = heft_drain(p->model, err);
	}
	if (!rc && p->consume)
		rc = plan_consume(p, err);
	if (!rc && out)
		summarize(&r, out);
	tally_free(r.tally);
	return rc;
}
