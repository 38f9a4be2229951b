/*
 * groups.c - rows of integer codes in groups: numbers, and blocks of Q4_0 and Q8_0 where those hold the same codes and scales.
 */
#include "groups.h"

#include "../../quant/integer.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256, UNIT_MOST = 32, BLOCK = 32 };

/* How a layout's bits are found. */
struct style {
	/* `n` codes from the one `at` numbers behind the first of the plane's unit on; into buf, or where they lie */
	const uint8_t *(*codes)(const struct packed *k, const uint8_t *unit, uint64_t row, size_t at, size_t n, uint8_t *buf);
	/* the code of group g's zero point, counting from the first of the plane's unit on */
	int (*zero)(const struct packed *k, const uint8_t *unit, uint64_t row, size_t g);
};

/* ---- bits ---- */

static unsigned field(const uint8_t *p, size_t bit, unsigned bits)
{
	unsigned v = p[bit / 8], shift = bit % 8;

	if (shift + bits > 8)
		v |= (unsigned)p[bit / 8 + 1] << 8;
	return v >> shift & ((1u << bits) - 1);
}

static const uint8_t *stream_codes(const struct packed *k, const uint8_t *unit, uint64_t row, size_t at, size_t n, uint8_t *buf)
{
	const struct quant_plane *g = &k->enc.plane[GROUPS_CODES];
	size_t skip = at % g->cols;

	integer_unpack(unit + at / g->cols * g->bytes, k->bits, skip + n, buf);
	return buf + skip;
}

static const uint8_t *words_codes(const struct packed *k, const uint8_t *unit, uint64_t row, size_t at, size_t n, uint8_t *buf)
{
	const struct quant_plane *g = &k->enc.plane[GROUPS_CODES];
	size_t skip = at % g->cols;

	integer_unpack_words(unit + at / g->cols * g->bytes, k->bits, skip + n, buf);
	return buf + skip;
}

static const uint8_t *awq_codes(const struct packed *k, const uint8_t *unit, uint64_t row, size_t at, size_t n, uint8_t *buf)
{
	integer_unpack_awq(unit + at * sizeof(uint32_t), n, row % 8, buf);
	return buf;
}

static const uint8_t *int8_codes(const struct packed *k, const uint8_t *unit, uint64_t row, size_t at, size_t n, uint8_t *buf)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = unit[at + i] ^ 0x80; /* -128 .. 127 becomes 0 .. 255 */
	return buf;
}

/* A unit has the zero points of several rows, one after another in its bits. */
static int column_zero(const struct packed *k, const uint8_t *unit, uint64_t row, size_t g)
{
	const struct quant_plane *z = &k->enc.plane[k->param[GROUPS_ZEROS_AT]];
	size_t bytes = z->cols == PACKED_ALL ? z->bytes / k->param[GROUPS_COUNT] : z->bytes;

	return (int)field(unit + g * bytes, row % z->rows * k->bits, k->bits);
}

static int awq_zero(const struct packed *k, const uint8_t *unit, uint64_t row, size_t g)
{
	uint8_t zero;

	integer_unpack_awq(unit + g * sizeof(uint32_t), 1, row % 8, &zero);
	return zero;
}

static int gemv_zero(const struct packed *k, const uint8_t *unit, uint64_t row, size_t g)
{
	return (int)field(unit, g * k->bits, k->bits);
}

static int int8_zero(const struct packed *k, const uint8_t *unit, uint64_t row, size_t g)
{
	return unit[g] ^ 0x80;
}

static const struct style stream_style = { stream_codes, column_zero }, words_style = { words_codes, column_zero },
			  awq_style = { awq_codes, awq_zero }, gemv_style = { stream_codes, gemv_zero },
			  int8_style = { int8_codes, int8_zero };

/* ---- groups ---- */

static float zero_of(const struct packed *k, const struct style *s, const void *const *plane, uint64_t row, size_t g)
{
	uint32_t at = k->param[GROUPS_ZEROS_AT];

	return (float)((at ? s->zero(k, plane[at], row, g) : 0) + (int)k->param[GROUPS_ZERO]);
}

static float scale_of(const struct packed *k, const void *const *plane, size_t g)
{
	const struct quant_plane *s = &k->enc.plane[GROUPS_SCALES];
	size_t bytes = s->cols == PACKED_ALL ? s->bytes / k->param[GROUPS_COUNT] : s->bytes;
	const void *at[1] = { (const uint8_t *)plane[GROUPS_SCALES] + g * bytes };
	float v;

	k->scales(at, &v, 1);
	return v;
}

/* The group of a column, counted from where the planes stand. */
static size_t group_of(const struct packed *k, uint64_t col, uint64_t standing)
{
	bool whole = k->enc.plane[GROUPS_SCALES].cols == PACKED_ALL;

	return (size_t)(col / k->group - (whole ? 0 : standing / k->group));
}

static void decode_plain(const struct packed *k, const struct style *s, const void *const *plane, uint64_t row, uint64_t col, float *dst,
			 size_t n)
{
	uint64_t unit = k->enc.plane[GROUPS_CODES].cols;
	uint8_t buf[CHUNK + UNIT_MOST];

	for (size_t done = 0, run; done < n; done += run) {
		uint64_t left = k->group - (col + done) % k->group;
		size_t g = group_of(k, col + done, col);
		float scale = scale_of(k, plane, g), zero = zero_of(k, s, plane, row, g);
		struct integer_row r = { .group = k->group, .scale = &scale, .zero = &zero };

		run = n - done < CHUNK ? n - done : CHUNK;
		run = left < run ? (size_t)left : run;
		r.n = run;
		integer_values(&r, s->codes(k, plane[GROUPS_CODES], row, (size_t)(col % unit) + done, run, buf), dst + done);
	}
}

static void decode_indexed(const struct packed *k, const struct style *s, const void *const *plane, uint64_t row, uint64_t col, float *dst,
			   size_t n)
{
	uint64_t unit = k->enc.plane[GROUPS_CODES].cols;
	float scale[GROUPS_INDEXED_MAX], zero[GROUPS_INDEXED_MAX];
	uint8_t buf[CHUNK + UNIT_MOST];
	uint32_t index[CHUNK];
	struct integer_row r = { .group = k->group, .scale = scale, .zero = zero, .index = index };

	for (size_t g = 0; g < k->param[GROUPS_COUNT]; g++) {
		scale[g] = scale_of(k, plane, g);
		zero[g] = zero_of(k, s, plane, row, g);
	}
	for (size_t done = 0; done < n; done += r.n) {
		r.n = n - done < CHUNK ? n - done : CHUNK;
		memcpy(index, (const uint8_t *)plane[k->param[GROUPS_INDEX_AT]] + (col + done) * sizeof *index, r.n * sizeof *index);
		for (size_t i = 0; i < r.n; i++) /* the file may have changed since it was looked at */
			index[i] = index[i] < k->param[GROUPS_COUNT] ? index[i] : 0;
		integer_values(&r, s->codes(k, plane[GROUPS_CODES], row, (size_t)(col % unit) + done, r.n, buf), dst + done);
	}
}

static void decode(const struct packed *k, const struct style *s, const void *const *plane, uint64_t row, uint64_t col, float *dst, size_t n)
{
	(k->param[GROUPS_INDEX_AT] ? decode_indexed : decode_plain)(k, s, plane, row, col, dst, n);
}

#define DECODE(name)                                                                                                                        \
	void groups_decode_##name(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, float *dst, size_t n)       \
	{                                                                                                                                   \
		decode(k, &name##_style, plane, row, col, dst, n);                                                                          \
	}
DECODE(stream)
DECODE(words)
DECODE(awq)
DECODE(gemv)
DECODE(int8)

/* ---- blocks ---- */

/* Codes and the scale's bits go over as they are: n is a multiple of 32, and no block crosses a group. Q4_0 has the first sixteen codes of
 * a block in the low nibbles. */
static void put_q4_0(const uint8_t *code, uint8_t *dst)
{
	for (int i = 0; i < 16; i++)
		dst[i] = (uint8_t)(code[i] | code[i + 16] << 4);
}

static void put_q8_0(const uint8_t *code, uint8_t *dst)
{
	for (int i = 0; i < BLOCK; i++)
		dst[i] = code[i] ^ 0x80;
}

static bool repack(const struct packed *k, const struct style *s, const void *const *plane, uint64_t row, uint64_t col, uint8_t *dst, size_t n)
{
	size_t bytes = k->enc.plane[GROUPS_SCALES].bytes, unit = k->enc.plane[GROUPS_CODES].cols;
	uint8_t buf[BLOCK + UNIT_MOST];

	for (size_t done = 0; done < n; done += BLOCK, dst += 2 + BLOCK * k->bits / 8) {
		const uint8_t *code = s->codes(k, plane[GROUPS_CODES], row, (size_t)(col % unit) + done, BLOCK, buf);
		size_t g = group_of(k, col + done, col);

		if (zero_of(k, s, plane, row, g) != (float)(1 << (k->bits - 1)))
			return false;
		memcpy(dst, (const uint8_t *)plane[GROUPS_SCALES] + g * bytes, 2);
		(k->bits == 4 ? put_q4_0 : put_q8_0)(code, dst + 2);
	}
	return true;
}

static bool repack_stream(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, void *dst, size_t n)
{
	return repack(k, &stream_style, plane, row, col, dst, n);
}

static bool repack_int8(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, void *dst, size_t n)
{
	return repack(k, &int8_style, plane, row, col, dst, n);
}

#define NOT_SYM "its zero points are not what the configuration's \"sym\" says: correct that, and its codes are decoded instead of repacked"
static const struct packed_repack to_q4_0[] = { { .to = "q4_0", .fn = repack_stream, .refusal = NOT_SYM }, { .to = NULL } };
static const struct packed_repack to_q8_0[] = { { .to = "q8_0", .fn = repack_stream, .refusal = NOT_SYM }, { .to = NULL } };
static const struct packed_repack int8_to_q8_0[] = { { .to = "q8_0", .fn = repack_int8, .refusal = NOT_SYM }, { .to = NULL } };

const struct packed_repack *groups_repack(const struct packed_module *m, bool symmetric)
{
	const struct packed *k = &m->kind;
	bool halves = k->scales == quant_decoder(quant_find("f16")) && k->enc.plane[GROUPS_SCALES].bytes == 2;
	bool middle = k->param[GROUPS_ZEROS_AT] ? symmetric : k->param[GROUPS_ZERO] == 1u << (k->bits - 1);

	if (!halves || !middle || k->param[GROUPS_INDEX_AT] || m->dim[m->rank - 1] % BLOCK || (k->group % BLOCK && k->group != PACKED_ALL))
		return NULL;
	if (k->decode == groups_decode_int8)
		return int8_to_q8_0;
	if (k->decode != groups_decode_stream)
		return NULL;
	return k->bits == 4 ? to_q4_0 : k->bits == 8 ? to_q8_0 : NULL;
}

/* ---- for the layouts ---- */

void groups_name(struct packed_module *m, const char *what, uint64_t group)
{
	struct packed *k = &m->kind;
	bool all = group >= m->dim[m->rank - 1];

	k->enc.block = 1;
	k->enc.class = QUANT_BLOCK;
	k->enc.about = "integer codes with scales";
	k->enc.name = all ? arena_printf(m->arena, "%s channel", what) : arena_printf(m->arena, "%s g%u", what, (unsigned)group);
	k->enc.name = arena_printf(m->arena, "%s%s%s", k->enc.name, k->param[GROUPS_ZEROS_AT] ? " zeros" : "", k->param[GROUPS_INDEX_AT] ? " ordered" : "");
	k->group = all ? PACKED_ALL : (uint32_t)group;
	k->multiples = !k->param[GROUPS_INDEX_AT];
}

uint64_t groups_size(const struct json *configured, uint64_t n, uint64_t count)
{
	uint64_t each;

	if (count == 1)
		return n;
	if (json_uint(configured, &each) && each && n / each + (n % each != 0) == count)
		return each;
	return count && n % count == 0 ? n / count : 0;
}

int groups_index(const struct packed_module *m, int i, uint64_t n, uint64_t group, uint64_t count, bool *plain, struct heft_err *err)
{
	const struct heft_tensor *t = m->part[i];
	uint32_t *index;
	int rc = -1;

	if (!packed_is(t, "i32 u32") || t->rank != 1 || t->dim[0] != n)
		return heft_fail(err, HEFT_E_SHAPE, "'%s': %s, but %llu columns each need a group", t->name, packed_dims(t, m->arena),
				 (unsigned long long)n);
	index = xmalloc(n * sizeof *index);
	if (packed_bytes(m, t, index, err))
		goto out;
	*plain = true;
	for (uint64_t c = 0; c < n; c++) {
		if (index[c] >= count) {
			heft_fail(err, HEFT_E_SHAPE, "'%s': column %llu is in group %u, but there are %llu", t->name, (unsigned long long)c,
				  (unsigned)index[c], (unsigned long long)count);
			goto out;
		}
		*plain = *plain && group && index[c] == c / group;
	}
	rc = 0;
out:
	free(index);
	return rc;
}
