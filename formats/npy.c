/*
 * npy.c - lists a NumPy array: a file, or a member of an .npz archive.
 *
 *   0               6       8               8+K+N                 K: 2 bytes in version 1, 4 in 2 and 3
 *   +---------------+-------+-----+-----------+---------------+
 *   | 93 "NUMPY"    | major | N   | text      | numbers       |
 *   |               | minor |     | N bytes   |               |
 *   +---------------+-------+-----+-----------+---------------+
 *
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }        spaces and a newline behind it
 *
 * The text is a Python literal; it is read as these three keys and nothing else. Arrays whose first dimension runs fastest and numbers of
 * the other byte order are turned while they are read. Refuses objects (they are pickles), structures, texts and dates.
 * Layout: numpy/lib/format.py of NumPy 2; bfloat16 is stored as two bytes without a type ('V2'), as ml_dtypes has it written.
 */
#include "format.h"

#include <inttypes.h>
#include <string.h>

#include "../quant/quant.h"

enum { HEAD = 8, TEXT_MAX = 64 << 10 };

static const struct dtype {
	const char *name, *encoding;
	uint32_t bytes;
} dtypes[] = {
	{ "b1", "bool", 1 }, { "i1", "i8", 1 },  { "u1", "u8", 1 },  { "i2", "i16", 2 }, { "u2", "u16", 2 }, { "i4", "i32", 4 },
	{ "u4", "u32", 4 },  { "i8", "i64", 8 }, { "u8", "u64", 8 }, { "f2", "f16", 2 }, { "f4", "f32", 4 }, { "f8", "f64", 8 },
	{ "V2", "bf16", 2 }, { NULL, NULL, 0 },
};

static int probe(const uint8_t *head, size_t n)
{
	return n >= HEAD && !memcmp(head, "\x93NUMPY", 6) ? 100 : 0;
}

/* ---- the text ---- */

struct text {
	const char *at, *end;
	const char *file;
	struct heft_err *err;
};

struct header {
	const struct dtype *dtype;
	bool turned, fortran;
	int rank;
	uint64_t dim[HEFT_MAX_RANK];
	unsigned seen; /* of the keys */
};

static int malformed(const struct text *t, const char *what)
{
	return heft_fail(t->err, HEFT_E_HEADER, "%s: the array's header %s", t->file, what);
}

static void pass_blanks(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\n'))
		t->at++;
}

/* Is this what comes? Then it is passed over. */
static bool take(struct text *t, const char *what)
{
	size_t n = strlen(what);

	pass_blanks(t);
	if ((size_t)(t->end - t->at) < n || memcmp(t->at, what, n))
		return false;
	t->at += n;
	return true;
}

/* A text in quotes, without escapes */
static bool take_string(struct text *t, const char **s, size_t *n)
{
	char quote = take(t, "'") ? '\'' : take(t, "\"") ? '"' : 0;
	const char *close = quote ? memchr(t->at, quote, (size_t)(t->end - t->at)) : NULL;

	if (!close || memchr(t->at, '\\', (size_t)(close - t->at)))
		return false;
	*s = t->at;
	*n = (size_t)(close - t->at);
	t->at = close + 1;
	return true;
}

static bool take_number(struct text *t, uint64_t *v)
{
	const char *from;

	pass_blanks(t);
	from = t->at;
	for (*v = 0; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
		if (__builtin_mul_overflow(*v, (uint64_t)10, v) || __builtin_add_overflow(*v, (uint64_t)(*t->at - '0'), v))
			return false;
	if (t->at > from && t->at < t->end && *t->at == 'L') /* Python 2's long */
		t->at++;
	return t->at > from;
}

static int read_descr(struct text *t, struct header *h)
{
	const char *s;
	size_t n;

	if (take(t, "["))
		return heft_fail(t->err, HEFT_E_DTYPE, "%s: holds structures, not numbers", t->file);
	if (!take_string(t, &s, &n) || n < 2)
		return malformed(t, "has no type");
	if (memchr(s, 'O', n))
		return heft_fail(t->err, HEFT_E_DTYPE, "%s: holds Python objects (a pickle), which heft does not read", t->file);
	h->turned = *s == '>';
	if (memchr("<>|=", *s, 4)) {
		s++;
		n--;
	}
	for (h->dtype = dtypes; h->dtype->name; h->dtype++)
		if (strlen(h->dtype->name) == n && !memcmp(h->dtype->name, s, n))
			return 0;
	return heft_fail(t->err, HEFT_E_DTYPE, "%s: numbers of type '%.*s' are not known", t->file, n < 32 ? (int)n : 32, s);
}

static int read_order(struct text *t, struct header *h)
{
	h->fortran = take(t, "True");
	return h->fortran || take(t, "False") ? 0 : malformed(t, "says fortran_order, but neither True nor False");
}

static int read_shape(struct text *t, struct header *h)
{
	if (!take(t, "("))
		return malformed(t, "has no shape");
	while (!take(t, ")")) {
		if (h->rank == HEFT_MAX_RANK)
			return heft_fail(t->err, HEFT_E_SHAPE, "%s: more than %d dimensions", t->file, HEFT_MAX_RANK);
		if (!take_number(t, &h->dim[h->rank]))
			return malformed(t, "has a shape that is none");
		h->rank++;
		if (!take(t, ",") && !(t->at < t->end && *t->at == ')'))
			return malformed(t, "has a shape that is none");
	}
	return 0;
}

static int read_pair(struct text *t, struct header *h)
{
	static const struct {
		const char *key;
		int (*read)(struct text *t, struct header *h);
	} keys[] = { { "descr", read_descr }, { "fortran_order", read_order }, { "shape", read_shape } };
	const char *s;
	size_t n;

	if (!take_string(t, &s, &n) || !take(t, ":"))
		return malformed(t, "is not a table of keys");
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strlen(keys[i].key) != n || memcmp(keys[i].key, s, n))
			continue;
		if (h->seen & 1u << i)
			return malformed(t, "has one key twice");
		h->seen |= 1u << i;
		return keys[i].read(t, h);
	}
	return malformed(t, "has a key that is not known");
}

static int read_text(struct text *t, struct header *h)
{
	if (!take(t, "{"))
		return malformed(t, "is not a table");
	while (!take(t, "}"))
		if (read_pair(t, h) || (!take(t, ",") && !(t->at < t->end && *t->at == '}') && malformed(t, "is not a table")))
			return -1;
	pass_blanks(t);
	if (t->at != t->end)
		return malformed(t, "goes on behind its table");
	return h->seen == 7 ? 0 : malformed(t, "lacks type, order or shape");
}

static int read_header(struct header *h, uint64_t *data_offset, struct source *src, struct arena *a, struct heft_err *err)
{
	uint8_t head[HEAD + 4] = { 0 };
	struct text t = { .file = source_name(src), .err = err };
	uint32_t n;
	size_t k;
	char *text;

	if (source_read(src, 0, head, HEAD, err))
		return -1;
	k = head[6] == 1 ? 2 : 4;
	if (head[6] < 1 || head[6] > 3)
		return heft_fail(err, HEFT_E_VERSION, "%s: version %d of the array format, versions 1 to 3 are known", t.file, head[6]);
	if (source_read(src, HEAD, head + HEAD, k, err))
		return -1;
	memcpy(&n, head + HEAD, sizeof n);
	if (n > TEXT_MAX)
		return heft_fail(err, HEFT_E_HEADER, "%s: a header of %u bytes, at most %d are allowed", t.file, n, TEXT_MAX);
	text = arena_alloc(a, n + 1);
	if (source_read(src, HEAD + k, text, n, err))
		return -1;
	*data_offset = HEAD + k + n;
	t.at = text;
	t.end = text + n;
	return read_text(&t, h);
}

/* ---- the tensor ---- */

/* "dir/blk.0.weight.npy" -> "blk.0.weight" */
static const char *name_of(const char *path, struct arena *a)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');

	return arena_memdup(a, base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

/* Where the numbers are not in their order, a source that puts them there. */
static void put_in_order(struct heft_tensor *t, const struct header *h, uint64_t data_offset, struct source *src)
{
	struct source_grid g = { .offset = data_offset, .item = h->dtype->bytes, .turned = h->turned && h->dtype->bytes > 1, .rank = h->rank };
	uint64_t step = g.item;

	if (!g.turned && (!h->fortran || h->rank < 2))
		return;
	memcpy(g.dim, h->dim, sizeof g.dim);
	for (int i = 0; i < h->rank; i++) {
		int d = h->fortran ? i : h->rank - 1 - i;

		g.step[d] = step;
		step *= h->dim[d];
	}
	t->plane[0].made = source_strided(src, &g);
	source_adopt(src, t->plane[0].made);
}

static int list(struct format_listing *out, struct source *src, struct arena *a, struct sink *sink, struct heft_err *err)
{
	struct header h = { 0 };
	struct heft_tensor *t = arena_alloc(a, sizeof *t);
	uint64_t count, size, data_offset;

	if (read_header(&h, &data_offset, src, a, err))
		return -1;
	if (!format_count(h.rank, h.dim, &count) || __builtin_mul_overflow(count, h.dtype->bytes, &size) ||
	    !format_place(t, data_offset, 0, size))
		return heft_fail(err, HEFT_E_SHAPE, "%s: its shape has more numbers than 64 bits count", source_name(src));
	t->name = name_of(source_name(src), a);
	t->enc = quant_find(h.dtype->encoding);
	t->rank = h.rank;
	memcpy(t->dim, h.dim, sizeof t->dim);
	*out = (struct format_listing){ .tensor = t, .n_tensors = 1, .data_offset = data_offset };
	if (format_check_extents(out, 1, src, sink))
		return -1;
	put_in_order(t, &h, data_offset, src);
	return 0;
}

const struct format format_npy = {
	.name = "npy",
	.about = "NumPy arrays, also many in an .npz archive",
	.extension = ".npy",
	.probe = probe,
	.list = list,
};
