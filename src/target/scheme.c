/*
 * scheme.c - a matrix as codes and scales, strip by strip.
 *
 *            cols of the scales' plane
 *          +-----------+-----------+----
 *   rows   |  scale    |  scale    |        a block is measured, then coded row by row;
 *          +-----------+-----------+----    codes of b bits fill words from the low end
 *
 * A strip holds whole blocks, and whole words of zero points, which run down the column.
 */
#include "scheme.h"

#include <math.h>
#include <string.h>

#include "../../base/ceil.h"
#include "../../base/map.h"
#include "../../quant/block_codes.h"
#include "../../quant/fit.h"
#include "../../quant/fit_affine.h"
#include "../../quant/integer.h"

void scheme_add(struct scheme *s, const char *suffix, const struct heft_encoding *type, struct quant_plane unit)
{
	s->suffix[s->enc.n_planes] = suffix;
	s->type[s->enc.n_planes] = type;
	s->enc.plane[s->enc.n_planes++] = unit;
}

void scheme_tiles(struct scheme *s)
{
	s->kernel_rows = 64;
	s->kernel_cols = 128;
}

enum scaled_real scheme_real(const struct heft_encoding *real)
{
	return !strcmp(real->name, "bf16") ? SCALED_BF16 : !strcmp(real->name, "f16") ? SCALED_F16 : SCALED_F32;
}

int scheme_group(struct scheme *s, const struct scheme_options *o, uint32_t group, const char *name, struct arena *a, struct heft_err *err)
{
	group = o->group ? o->group : group;
	if (group != 32 && group != 64 && group != 128 && group != SCHEME_ALL)
		return heft_fail(err, HEFT_E_OPTION, "--group-size %u: kernels for packed integers serve 32, 64, 128 and channel", (unsigned)group);
	s->group = group;
	s->even_cols = group == SCHEME_ALL ? 32 : group;
	scheme_tiles(s);
	s->enc.name = group == SCHEME_ALL ? arena_printf(a, "%s channel", name) : arena_printf(a, "%s g%u", name, (unsigned)group);
	return 0;
}

bool scheme_is_once(const struct scheme *s, int p)
{
	return s->once && s->enc.plane[p].rows == SCHEME_ALL;
}

uint64_t scheme_once(const struct scheme *s, int p, uint64_t rows, uint64_t cols, const float *number, void *dst)
{
	return s->once(s, p, rows, cols, number, dst);
}

bool scheme_turns(const struct scheme *s)
{
	for (int p = 0; p < s->enc.n_planes; p++)
		if (s->dims[p] == SCHEME_TURNED)
			return true;
	return false;
}

uint64_t scheme_tensor(const struct scheme *s, int p, uint64_t rows, uint64_t cols, const float *number, int *rank, uint64_t *dim)
{
	const struct quant_plane *g = &s->enc.plane[p];
	uint32_t size = s->type[p]->plane[0].bytes;
	uint64_t all = rows * cols, down = ceil_of(s->table ? all : rows, g->rows), across = ceil_of(s->table ? 1 : cols, g->cols), bytes = down * across * g->bytes;
	const uint64_t matrix[2] = { g->bytes == size ? down : g->bytes / size, across }, blocks[4] = { down, 1, across, 1 }, turned[2] = { across, down };
	const uint64_t rowwise[2] = { down, across * (g->bytes / size) };
	const uint64_t groups[3] = { down, across, g->bytes / size };
	const struct {
		int rank;
		const uint64_t *dim;
	} shape[] = {
		[SCHEME_MATRIX] = { g->bytes == size ? 2 : 1, matrix }, [SCHEME_VECTOR] = { 1, matrix }, [SCHEME_SCALAR] = { 0, matrix },
		[SCHEME_BLOCKS] = { 4, blocks }, [SCHEME_TURNED] = { 2, turned }, [SCHEME_GROUPS] = { 3, groups }, [SCHEME_ROWS] = { 2, rowwise },
	};
	enum scheme_dims dims = s->dims[p];

	if (scheme_is_once(s, p)) {
		bytes = scheme_once(s, p, rows, cols, number, NULL);
		dim[0] = bytes / size;
		*rank = dims != SCHEME_SCALAR;
		return bytes;
	}
	*rank = shape[dims].rank;
	memcpy(dim, shape[dims].dim, (size_t)*rank * sizeof *dim);
	return bytes;
}

uint64_t scheme_offset(const struct scheme *s, int p, uint64_t row, uint64_t cols)
{
	const struct quant_plane *g = &s->enc.plane[p];

	if (s->table)
		return ceil_of(row * cols, g->rows) * g->bytes;
	return ceil_of(row, g->rows) * ceil_of(cols, g->cols) * g->bytes;
}

bool scheme_finds(const struct scheme *s)
{
	return s->search && !s->table && s->enc.plane[SCHEME_SCALES].rows == 1 && s->scaled.code == SCALED_INTEGER && s->scaled.scale != SCALED_INT8;
}

bool scheme_searches(const struct scheme *s)
{
	return s->search && s->enc.plane[SCHEME_SCALES].rows == 1 && fit_searches(&s->scaled);
}

struct block {
	const struct scheme *s;
	struct scaled scaled; /* the scheme's, with the number of the matrix */
	const struct scheme_strip *t;
	quant_encode_fn *scale; /* of the scales' type; NULL: bytes that scaled_byte() makes */
	uint64_t row, rows, col, cols;
};

static struct scaled_unit measure(const struct block *b)
{
	float lo, hi;

	scaled_empty(&b->s->scaled, &lo, &hi);
	for (uint64_t r = b->row; r < b->row + b->rows; r++)
		scaled_range(b->t->src + r * b->t->cols + b->col, (size_t)b->cols, &lo, &hi);
	return scaled_unit(&b->scaled, lo, hi);
}

/* A scale, or what is of its type and one for each of its blocks. */
static void put_scale(const struct block *b, float scale, uint8_t *plane)
{
	const struct quant_plane *g = &b->s->enc.plane[SCHEME_SCALES];
	uint64_t at = b->row / g->rows * ceil_of(b->t->cols, g->cols) + b->col / g->cols;

	if (b->scale)
		b->scale(&scale, (void *[]){ plane + at * g->bytes }, 1, NULL);
	else
		plane[at] = scaled_byte(&b->s->scaled, scale);
}

/* Nibbles of AWQ's words, by row. */
static const uint8_t awq_nibble[8] = { 0, 4, 1, 5, 2, 6, 3, 7 };

/* Into the word of its column of groups; words are zero before. */
static void put_zero(const struct block *b, int zero, uint8_t *plane)
{
	const struct quant_plane *g = &b->s->enc.plane[b->s->zeros];
	unsigned bits = b->s->scaled.bits, field = (unsigned)(b->row % g->rows), at = (b->s->shuffled ? awq_nibble[field] : field) * bits;
	unsigned code = (unsigned)(zero + (1 << (bits - 1))) - b->s->zero_less;
	uint8_t *word = plane + (b->row / g->rows * ceil_of(b->t->cols, g->cols) + b->col / g->cols) * g->bytes;

	word[at / 8] |= (uint8_t)((code & ((1u << bits) - 1)) << at % 8);
}

/* A row's codes; what is left of the last word stays zero. */
static void put_codes(const struct scheme *s, const uint8_t *code, uint64_t cols, uint8_t *dst)
{
	if (s->scaled.bits == 8) {
		memcpy(dst, code, (size_t)cols);
		return;
	}
	if (s->scaled.bits != 4) {
		integer_pack(code, s->scaled.bits, (size_t)cols, dst);
		return;
	}
	for (uint64_t i = 0; i < cols / 2; i++)
		dst[i] = (uint8_t)(code[2 * i] | code[2 * i + 1] << 4);
	if (cols % 2)
		dst[cols / 2] = code[cols - 1];
}

/* A row's nibbles, each in the word of its column. */
static void put_shuffled(const uint8_t *code, uint64_t cols, unsigned row, uint8_t *dst)
{
	unsigned at = awq_nibble[row];

	for (uint64_t i = 0; i < cols; i++)
		dst[i * 4 + at / 2] |= (uint8_t)(code[i] << at % 2 * 4);
}

static void put_row(const struct block *b, uint64_t row, const uint8_t *code, uint8_t *plane)
{
	const struct scheme *s = b->s;
	const struct quant_plane *g = &s->enc.plane[SCHEME_CODES];
	uint8_t *line = plane + row / g->rows * ceil_of(b->t->cols, g->cols) * g->bytes;

	if (s->shuffled)
		put_shuffled(code, b->cols, (unsigned)(row % g->rows), line + b->col * g->bytes);
	else
		put_codes(s, code, b->cols, line + b->col * s->scaled.bits / 8);
}

static void encode_block(const struct block *b, void *const *plane, float *back, uint8_t *codes)
{
	const struct scheme *s = b->s;
	struct scaled_unit u = measure(b);
	struct scaled_gain none = { 0 };

	for (uint64_t r = b->row; r < b->row + b->rows; r++) {
		uint64_t at = r * b->t->cols + b->col;

		if (b->t->decoded && fit_exact(&b->scaled, &u, b->t->src + at, (size_t)b->cols, codes, back + at)) {
			put_row(b, r, codes, plane[SCHEME_CODES]);
			continue;
		}
		scaled_codes(&b->scaled, &u, b->t->src + at, (size_t)b->cols, codes, back + at);
		if (s->search && b->rows == 1)
			fit_codes(&b->scaled, &u, b->t->src + at, b->t->importance ? b->t->importance + b->col : NULL, (size_t)b->cols, codes, back + at,
				  b->t->gain ? b->t->gain : &none);
		put_row(b, r, codes, plane[SCHEME_CODES]);
	}
	put_scale(b, u.scale, plane[SCHEME_SCALES]);
	if (s->biases)
		put_scale(b, u.bias, plane[s->biases]);
	if (s->zeros)
		put_zero(b, u.zero, plane[s->zeros]);
}

/* Codes of one run; is there nothing to search for, since the numbers had codes already? */
static bool code_run(const struct block *b, const float *x, struct scaled_unit *u, float *back, uint8_t *code)
{
	size_t n = b->s->group;
	bool found = b->t->decoded && fit_exact_line(&b->scaled, u, x, n);
	float lo, hi;

	if (!found) {
		scaled_empty(&b->scaled, &lo, &hi);
		scaled_range(x, n, &lo, &hi);
		*u = scaled_unit(&b->scaled, lo, hi);
	}
	scaled_codes(&b->scaled, u, x, n, code, back);
	return found;
}

/* Runs of a row that have scales and biases, as many as are searched at a time. */
static void encode_runs(struct block *b, void *const *plane, float *back, uint8_t *codes)
{
	const struct scheme *s = b->s;
	const float *x = b->t->src + b->row * b->t->cols + b->col, *w = b->t->importance ? b->t->importance + b->col : NULL;
	size_t run = s->group, n = (size_t)b->cols / run, first = 0;
	struct scaled_unit u[FIT_AFFINE_RUNS];
	struct scaled_gain none = { 0 };

	for (size_t k = 0; k <= n; k++) { /* those between two that are found are searched together */
		size_t at = first * run;

		if (k < n && !code_run(b, x + k * run, &u[k], back + k * run, codes + k * run))
			continue;
		if (s->search && first < k)
			fit_affine(&(struct fit_affine_runs){ &b->scaled, x + at, w ? w + at : NULL, run, k - first }, u + first, codes + at, back + at,
				   b->t->gain ? b->t->gain : &none);
		first = k + 1;
	}
	put_row(b, b->row, codes, plane[SCHEME_CODES]);
	for (size_t k = 0; k < n; k++, b->col += run) {
		put_scale(b, u[k].scale, plane[SCHEME_SCALES]);
		put_scale(b, u[k].bias, plane[s->biases]);
	}
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void encode_blocks(const struct nf4_table *t, const float *x, uint64_t n, uint8_t *byte, float *scale, float *back)
{
	uint8_t code[NF4_BLOCK];

	for (uint64_t i = 0, now; i < n; i += now) {
		now = least(NF4_BLOCK, n - i);
		scale[i / NF4_BLOCK] = nf4_codes(t, x + i, (size_t)now, code, back + i);
		nf4_pack(code, (size_t)now, byte + i / 2);
	}
}

/* Of n numbers in whole blocks, which are coded already. */
static void nest(const struct scheme *s, float *scale, uint64_t n, float offset, const uint8_t *byte, uint8_t *code, uint8_t *nested, float *back)
{
	float most = nf4_nest(scale, (size_t)(n / NF4_BLOCK), offset, code);

	memcpy(nested, &most, sizeof most);
	for (uint64_t i = 0; i < n; i += NF4_BLOCK)
		nf4_values(s->table, byte + i / 2, NF4_BLOCK, scale[i / NF4_BLOCK], back + i);
}

/* Blocks run through the rows. */
static void encode_table(const struct scheme *s, const struct scheme_strip *t, void *const *plane, float *back)
{
	uint64_t n = t->rows * t->cols;
	uint8_t *byte = plane[SCHEME_CODES], *scales = plane[SCHEME_SCALES], *nested = s->nested ? plane[s->nested] : NULL;

	for (uint64_t i = 0, block = 0, now; i < n; i += now, block += NF4_NESTED) {
		float scale[NF4_NESTED];

		now = least(NF4_NESTED * NF4_BLOCK, n - i);
		encode_blocks(s->table, t->src + i, now, byte + i / 2, scale, back + i);
		if (nested)
			nest(s, scale, now, t->number[0], byte + i / 2, scales + block, nested + block / NF4_NESTED * sizeof *scale, back + i);
		else
			memcpy(scales + block * sizeof *scale, scale, (size_t)ceil_of(now, NF4_BLOCK) * sizeof *scale);
	}
}

void scheme_encode(const struct scheme *s, const struct scheme_strip *t, void *const *plane, float *back, uint8_t *code)
{
	const struct quant_plane *g = &s->enc.plane[SCHEME_SCALES];
	struct block b = { .s = s, .scaled = s->scaled, .t = t, .scale = quant_encoder(s->type[SCHEME_SCALES]) };

	if (s->table) {
		encode_table(s, t, plane, back);
		return;
	}
	for (int p = 0; p < s->enc.n_planes; p++)
		if (!scheme_is_once(s, p))
			memset(plane[p], 0, (size_t)scheme_offset(s, p, t->rows, t->cols));
	if (s->whole) {
		struct scaled set = s->scaled; /* in the type that all of a set have in common */

		set.real = (enum scaled_real)t->number[1];
		b.scaled.whole = scaled_whole(&set, t->number[0]);
		memcpy(plane[s->whole], &b.scaled.whole, sizeof b.scaled.whole);
	}
	for (b.row = 0; b.row < t->rows && s->biases; b.row++)
		for (b.col = 0; b.col < t->cols;) {
			b.cols = least(FIT_AFFINE_RUNS * s->group, t->cols - b.col);
			encode_runs(&b, plane, back + b.row * t->cols + b.col, code);
		}
	for (; b.row < t->rows; b.row += b.rows) {
		b.rows = least(g->rows, t->rows - b.row);
		for (b.col = 0; b.col < t->cols; b.col += b.cols) {
			b.cols = least(g->cols, t->cols - b.col);
			encode_block(&b, plane, back, code);
		}
	}
	if (s->shape)
		memcpy(plane[s->shape], (uint64_t[2]){ t->of, t->cols }, 2 * sizeof(uint64_t));
}

/* ---- blocks ---- */

bool scheme_holds(const struct scheme *s, const struct heft_encoding *e)
{
	unsigned bits = block_codes_bits(e);

	if (!bits || s->group != BLOCK_CODES)
		return false;
	if (!strcmp(e->name, "mxfp4"))
		return s->scaled.scale == SCALED_E8M0_UP && s->scaled.bits == bits;
	return s->scaled.scale == SCALED_AFFINE && s->scaled.bits >= bits && s->scaled.real != SCALED_BF16;
}

bool scheme_take(const struct scheme *s, const struct scheme_strip *t, const struct heft_encoding *e, const void *blocks, void *const *plane, uint8_t *code)
{
	struct block b = { .s = s, .t = t, .scale = s->biases ? quant_encoder(s->type[SCHEME_SCALES]) : NULL, .rows = 1, .cols = BLOCK_CODES };
	const uint8_t *from = blocks;

	for (b.row = 0; b.row < t->rows; b.row++)
		for (b.col = 0; b.col < t->cols; b.col += b.cols, from += e->plane[0].bytes) {
			float scale, bias;

			block_codes(e, from, code, &scale, &bias);
			if (s->scaled.real == SCALED_F16 && !isfinite(scaled_round(SCALED_F16, bias)))
				return false;
			put_row(&b, b.row, code, plane[SCHEME_CODES]);
			put_scale(&b, scale, plane[SCHEME_SCALES]);
			if (s->biases)
				put_scale(&b, bias, plane[s->biases]);
		}
	return true;
}

/* ---- measures ---- */

static uint64_t each_row(const struct scheme *s, uint64_t rows, uint64_t cols)
{
	return rows;
}

static void most_of_rows(const struct scheme *s, const struct scheme_strip *t, float *out)
{
	for (uint64_t r = 0; r < t->rows; r++) {
		float lo = 0, hi = 0;

		scaled_range(t->src + r * t->cols, (size_t)t->cols, &lo, &hi);
		out[r] = -lo > hi ? -lo : hi;
	}
}

static void most_of_all(const struct scheme *s, const float *all, size_t n, float *number)
{
	for (size_t i = 0; i < n; i++)
		number[0] = all[i] > number[0] ? all[i] : number[0];
	number[1] = (float)s->scaled.real;
}

const struct scheme_measure scheme_most = { each_row, most_of_rows, most_of_all, .shared = true };

struct scheme_names scheme_each(const struct scheme_names *names, const char *(*write)(const char *module, struct arena *a), struct arena *a)
{
	const char **out = arena_array(a, names->n, sizeof *out);
	struct map seen;
	size_t n = 0;
	bool known;

	map_init(&seen);
	for (size_t i = 0; i < names->n; i++) {
		const char *one = write(names->name[i], a);

		map_put(&seen, one, strlen(one), &known);
		if (!known)
			out[n++] = one;
	}
	map_release(&seen);
	return (struct scheme_names){ out, n };
}

void scheme_list(struct jbuf *b, const struct scheme_names *names)
{
	jbuf_raw(b, "[", 1);
	for (size_t i = 0; i < names->n; i++) {
		jbuf_raw(b, i ? ", " : "", i ? 2 : 0);
		jbuf_string(b, names->name[i], strlen(names->name[i]));
	}
	jbuf_raw(b, "]", 1);
}
