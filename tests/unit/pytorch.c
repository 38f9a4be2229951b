/* Pickles as data, zip directories, numbers that lie apart: what the samples of testdata/pytorch do not say. */
#include "base/source.h"
#include "formats/pickle.h"
#include "formats/zip.h"
#include "heft.h"
#include "tests/tap.h"

#include <inttypes.h>

/* ---- pickles ---- */

static struct arena *arena;
static struct heft_err err;

static const struct pickle_value *read_pickle(struct pickle *p, const char *bytes, size_t n)
{
	struct source *src = source_memory(bytes, n, "memory");
	int rc = pickle_read(p, src, 0, n, "pickle", arena, &err);

	source_close(src);
	return rc ? NULL : p->root;
}
#define READ(p, bytes) read_pickle(p, bytes, sizeof(bytes) - 1)

static void reads_constants(void)
{
	struct pickle p;
	static const char all[] = "\x80\x02(K\x07M\x01\x02J\xfe\xff\xff\xff\x8a\x01\xff\x8a\x00I-5\nL12L\nI01\nNG\x3f\xf8\0\0\0\0\0\0t.and more";
	const struct pickle_value *v = READ(&p, all);
	static const int64_t want[] = { 7, 513, -2, -1, 0, -5, 12 };
	bool same = v && v->list->n == 10;

	for (size_t i = 0; same && i < 7; i++)
		same = v->list->v[i]->kind == PICKLE_INT && v->list->v[i]->i == want[i];
	ok(same, "integers of every opcode");
	ok(same && v->list->v[7]->kind == PICKLE_BOOL && v->list->v[7]->b && v->list->v[8]->kind == PICKLE_NONE && v->list->v[9]->f == 1.5,
	   "a truth, none, a float");
	ok(p.size == sizeof all - 1 - strlen("and more"), "the pickle ends with its STOP");
	v = READ(&p, "\x8a\x09\1\0\0\0\0\0\0\0\1.");
	ok(v && v->kind == PICKLE_BYTES && v->s.n == 9, "an integer of 72 bits stays bytes");
	v = READ(&p, "S'a\\x41\\'\\\\n'\n.");
	ok(v && pickle_is(v, "aA'\\n"), "escapes of protocol 0");
}

static void records_calls(void)
{
	struct pickle p;
	const struct pickle_value *v = READ(&p, "\x80\x02" "cmod\nfn\nq\x01(K\x01K\x02tRq\x02}U\x01xK\x05sbh\x01.");

	ok(v && v->kind == PICKLE_GLOBAL && p.n_globals == 1 && v->global == p.global[0], "a global is one, however often it is fetched");
	ok(p.global[0]->called && p.global[0]->offset == 2 && !strcmp(p.global[0]->opcode, "GLOBAL"), "where it stands, and that it is called");
	v = READ(&p, "\x80\x02" "cmod\nfn\n(K\x01tR}U\x01xK\x05sb(U\x01yK\x06u.");
	ok(v && v->kind == PICKLE_OBJECT && v->object->state && pickle_get(v->object->state, "x")->i == 5 && pickle_get(v, "y")->i == 6,
	   "arguments, state and items of what a call would give");
	v = READ(&p, "\x80\x02" "cmod\nfn\n(K\x01");
	ok(!v && p.n_globals == 1, "what a broken pickle names is known");
}

/* A pickle of n bytes that makes as many values as it can: the arena's blocks are counted by the time it takes. */
static void stays_small(void)
{
	enum { N = 1 << 20 };
	static const char openers[] = "(]})2N";
	char *bytes = malloc(N);
	struct pickle p;

	for (size_t k = 0; k < sizeof openers - 1; k++) {
		memset(bytes, openers[k], N);
		bytes[0] = 'N';
		bytes[N - 1] = '.';
		read_pickle(&p, bytes, N);
		arena_free(arena);
		arena = arena_new();
	}
	memset(bytes, '(', N);
	ok(!read_pickle(&p, bytes, N), "a million marks and no end");
	free(bytes);
}

/* ---- numbers that lie apart ---- */

static uint64_t seed = 1;
static uint64_t any(uint64_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % below;
}

static void expect(const struct source_grid *g, const uint8_t *from, uint8_t *to, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = g->offset, rest = i;

		for (int k = g->rank - 1; k >= 0; rest /= g->dim[k--])
			at += rest % g->dim[k] * g->step[k];
		for (uint32_t b = 0; b < g->item; b++)
			*to++ = from[at + (g->turned ? g->item - 1 - b : b)];
	}
}

static bool grid_is_right(struct source *from, const uint8_t *bytes, size_t size)
{
	static uint8_t want[1 << 16], have[1 << 16];
	struct source_grid g = { .offset = any(64), .item = 1u << any(4), .turned = any(2), .rank = (int)any(5) };
	struct source *s;
	uint64_t count = 1, last = g.offset + g.item, at, n;
	bool right;

	for (int i = 0; i < g.rank; i++) {
		g.dim[i] = 1 + any(7);
		g.step[i] = any(4) ? any(300) : 0;
		count *= g.dim[i];
		last += (g.dim[i] - 1) * g.step[i];
	}
	if (last > size || count * g.item > sizeof want)
		return true;
	expect(&g, bytes, want, count);
	s = source_strided(from, &g);
	at = any(count * g.item);
	n = any(count * g.item - at + 1);
	right = source_size(s) == count * g.item && !source_read(s, 0, have, count * g.item, &err) && !memcmp(have, want, count * g.item) &&
		!source_read(s, at, have, n, &err) && !memcmp(have, want + at, n);
	source_close(s);
	return right;
}

static void reads_grids(void)
{
	enum { N = 16384 };
	uint8_t *bytes = malloc(N);
	struct source *from;
	int wrong = 0;

	for (size_t i = 0; i < N; i++)
		bytes[i] = (uint8_t)any(256);
	from = source_memory(bytes, N, "memory");
	for (int i = 0; i < 5000; i++)
		wrong += !grid_is_right(from, bytes, N);
	is_int(wrong, 0, "5000 grids of any shape, read from any byte on");
	source_close(from);
	free(bytes);
}

/* A matrix larger than the window, transposed: whole, and by rows from within. */
static void reads_a_transposed_matrix(void)
{
	enum { R = 700, C = 900 };
	uint32_t *m = malloc(R * C * sizeof *m), *t = malloc(R * C * sizeof *t);
	struct source_grid g = { .item = 4, .rank = 2, .dim = { C, R }, .step = { 4, 4 * C } };
	struct source *from, *s;
	bool right = true;

	for (uint32_t i = 0; i < R * C; i++)
		m[i] = i;
	from = source_memory(m, R * C * sizeof *m, "memory");
	s = source_strided(from, &g);
	right = !source_read(s, 0, t, R * C * sizeof *t, &err);
	for (size_t i = 0; i < R * C; i++)
		right &= t[i] == i % R * C + i / R;
	ok(right, "a transposed matrix");
	right = !source_read(s, 4 * (R + 3), t, 4 * 3 * R, &err);
	for (size_t i = 0; i < 3 * R; i++)
		right &= t[i] == (i + R + 3) % R * C + (i + R + 3) / R;
	ok(right, "rows of it, from within one");
	source_close(s);
	source_close(from);
	free(m);
	free(t);
}

/* Three parts of 2, 1 and 4 bytes a row */
static void reads_joined_parts(void)
{
	static const char a[] = "xabcdef", b[] = "ABC", c[] = "..012345678901";
	struct source *src[] = { source_memory(a, 7, "a"), source_memory(b, 3, "b"), source_memory(c, 14, "c") };
	const struct source_part part[] = { { src[0], 1, 2 }, { src[1], 0, 1 }, { src[2], 2, 4 } };
	struct source *s = source_joined(part, 3, 3);
	char have[32] = "";

	ok(source_size(s) == 21 && !source_read(s, 0, have, 21, &err), "parts are joined");
	is_str(have, "abA0123cdB4567efC8901", "row by row");
	memset(have, 0, sizeof have);
	ok(!source_read(s, 5, have, 9, &err), "from any byte on");
	is_str(have, "23cdB4567", "over the end of a row");
	ok(source_read_some(s, 20, have, 9, &err) == 1 && source_read_some(s, 21, have, 9, &err) == 0, "and to the end");
	source_close(s);
	for (int i = 0; i < 3; i++)
		source_close(src[i]);
}

/* ---- files ---- */

static struct heft_model *open_sample(const char *name, const char *key)
{
	struct heft_open_options o = { .key = key };
	struct heft_model *m = NULL;
	char path[256];

	snprintf(path, sizeof path, "testdata/pytorch/%s", name);
	return heft_open(&m, path, &o, &err) ? NULL : m;
}

static bool holds(const struct heft_tensor *t, const struct heft_model *m, const float *want, size_t n)
{
	const struct heft_extent *x = &t->plane[0];
	float have[8];

	return x->size == n * sizeof *have && !source_read(x->made ? x->made : m->file[0].source, x->made ? 0 : x->offset, have, x->size, &err) &&
	       !memcmp(have, want, x->size);
}

static void reads_samples(void)
{
	static const float plain[] = { 1, 2, 3, 4 }, turned[] = { 1, 3, 2, 4 };
	static const char *const same[] = { "good-zip.pt", "good-legacy.pt", "good-tar.pt", "good-protocol-0.pt", "good-protocol-4.pt", "good-python-2.pt",
					    "good-nested.pt", "good-namespace.pt" };
	struct heft_model *m;

	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		m = open_sample(same[i], NULL);
		ok(m && m->n_tensors == 1 && !strcmp(m->tensor[0].name, "a") && holds(&m->tensor[0], m, plain, 4), "%s: its values", same[i]);
		heft_close(m);
	}
	m = open_sample("good-shared.pt", NULL);
	ok(m && m->n_tensors == 2 && holds(&m->tensor[0], m, plain, 4) && holds(&m->tensor[1], m, turned, 4), "a storage and its transposed view");
	heft_close(m);
	m = open_sample("good-nested.pt", "optimizer");
	ok(m && m->n_tensors == 1 && holds(&m->tensor[0], m, plain, 4), "--key takes another dict");
	heft_close(m);
	ok(!open_sample("good-nested.pt", "nothing") && err.code == HEFT_E_OPTION, "a key that is not there");
}

int main(void)
{
	arena = arena_new();
	reads_constants();
	records_calls();
	stays_small();
	reads_grids();
	reads_a_transposed_matrix();
	reads_joined_parts();
	reads_samples();
	arena_free(arena);
	return done();
}
