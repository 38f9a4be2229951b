/*
 * kernels.c - every kernel against the scalar C of its encoding, in the manner of checkasm. A new kernel needs no new
 * test: the table is walked. Inputs are the rows of tests/rows.h and, beyond what the reference takes, huge numbers,
 * infinities and NaN; lengths that leave tails; pointers that are not aligned; guard bytes behind every output.
 *
 * It is shown to fail by tests/ci/mutants, which builds kernels with one mistake in each.
 *
 * usage: kernels [ISA [NAME ...]]     only this one's kernels (these of quant/kernels.h, or 'sums'), up to the first difference
 */
#include "quant/bits.h"
#include "quant/compare.h"
#include "tests/rows.h"
#include "tests/tap.h"

#include <float.h>
#include <math.h>

enum { MAX = ROWS_COLS * 17, GUARD = 64 };

enum { IMPORTANCE, EQUAL, SPARSE, WEIGHTS };
static float weights[WEIGHTS][MAX];
static float source[MAX + 16], want_floats[MAX + 16 + GUARD], got_floats[MAX + 16 + GUARD];
static uint8_t want_bytes[MAX * 8 + GUARD], got_bytes[MAX * 8 + GUARD];

static float any_bits(void)
{
	float f;
	uint32_t u = rows_bits();
	memcpy(&f, &u, sizeof f);
	return f;
}

/* Rows that only the scalar code says what to do with. */
static float wild_number(int kind, int i)
{
	static const float some[] = {NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 0x1p-149f, 0.0f, -0.0f};
	switch (kind) {
	case 0: /* huge: sums overflow */
		return rows_uniform() * FLT_MAX;
	case 1: /* squares overflow, their quotients are NaN */
		return rows_normal() * 1e25f;
	case 2: /* one NaN in some blocks */
		return rows_bits() % 97 ? rows_normal() : NAN;
	case 3:
		return rows_bits() % 97 ? rows_normal() : rows_bits() & 1 ? INFINITY : -INFINITY;
	case 4:
		return some[rows_bits() % 8];
	case 5: /* ranges beyond the largest float */
		return i & 1 ? FLT_MAX : -FLT_MAX;
	case 6: /* negative with a far minimum: the affine fit moves it */
		return -1e6f - rows_uniform();
	case 7:
		return NAN;
	case 8: /* exponents from everywhere */
		return rows_uniform() * rows_power((int)(rows_bits() % 250) - 125);
	case 9: { /* any bits, but every NaN the one of arithmetic: its payload depends on the order of operands */
		float f = any_bits();
		return isnan(f) ? NAN : f;
	}
	case 10: /* just below a half, by a scale of 1 where the largest is 127 */
		return i % 32 ? nextafterf((float)(rows_bits() % 8) - 3.5f, 0) : 127;
	default: /* for what does not calculate: signalling NaN and payloads too */
		return rows_bits() % 2 ? any_bits() : float_of(0x7f800000 | rows_bits());
	}
}
enum { WILD_KINDS = 11, ANY_BITS = ROWS_N_KINDS + WILD_KINDS };

static void fill(int kind, size_t n, float *x)
{
	if (kind < ROWS_N_KINDS) {
		for (size_t i = 0; i < n; i += ROWS_COLS)
			rows_fill(kind, (int)(i / ROWS_COLS), x + i);
		return;
	}
	rows_state = (uint64_t)kind;
	for (size_t i = 0; i < n; i++)
		x[i] = wild_number(kind - ROWS_N_KINDS, (int)i);
}

/* Decades of importance; none, so that ties stay ties; whole runs without any. */
static void fill_weights(void)
{
	for (size_t i = 0; i < MAX; i += ROWS_COLS)
		rows_importance(weights[IMPORTANCE] + i);
	for (size_t i = 0; i < MAX; i++) {
		weights[EQUAL][i] = 1;
		weights[SPARSE][i] = i / 48 % 3 ? 0 : (float)(i % 5);
	}
}

static size_t size_of(const struct heft_encoding *e, size_t n)
{
	uint64_t size = 0;
	quant_plane_size(e, 0, 1, n, &size);
	return size;
}

/* One comparison of encoders, or of refiners after the scalar encoder; `skew` misaligns both sides. */
static bool same_bytes(const struct heft_encoding *e, const struct quant_kernel *k, bool refine, size_t n, size_t skew,
		       const float *w)
{
	size_t size = size_of(e, n);
	void *want[QUANT_MAX_PLANES] = {want_bytes + skew}, *got[QUANT_MAX_PLANES] = {got_bytes + skew};
	memset(want_bytes, 0xa5, skew + size + GUARD);
	memset(got_bytes, 0xa5, skew + size + GUARD);
	e->encode(source + skew, want, n, w);
	(refine ? e->encode : k->encode)(source + skew, got, n, w);
	if (refine) {
		e->refine(source + skew, want, n, w);
		k->refine(source + skew, got, n, w);
	}
	return !memcmp(want_bytes, got_bytes, skew + size + GUARD);
}

static bool same_floats(const struct heft_encoding *e, const struct quant_kernel *k, size_t n, size_t skew)
{
	const void *plane[QUANT_MAX_PLANES] = {got_bytes + skew};
	size_t size = (skew + n) * sizeof(float) + GUARD;
	memset(want_floats, 0xa5, size);
	memset(got_floats, 0xa5, size);
	e->decode(plane, want_floats + skew, n);
	k->decode(plane, got_floats + skew, n);
	/* where a scale and a minimum are both NaN, which payload comes out is the compiler's choice */
	for (size_t i = 0; i < n && e->class == QUANT_BLOCK; i++)
		if (isnan(want_floats[skew + i]) && isnan(got_floats[skew + i]))
			want_floats[skew + i] = got_floats[skew + i] = 0;
	return !memcmp(want_floats, got_floats, size);
}

/* Lengths in blocks, and in numbers where a block is one. */
static const size_t lengths[] = {17, 1, 2, 3, 5};
static const size_t single_lengths[] = {MAX - 3, 1, 7, 15, 31, 33};

static void check_encoder(const struct heft_encoding *e, const struct quant_kernel *k, bool refine)
{
	for (int kind = 0; kind < ANY_BITS + (e->class == QUANT_FLOAT); kind++) {
		int bad = 0;
		fill(kind, MAX, source);
		memmove(source + 3, source, MAX * sizeof *source);
		for (size_t l = 0; l < 5; l++)
			for (size_t skew = 0; skew < 4; skew += 3) {
				size_t n = e->block == 1 ? single_lengths[l] : lengths[l] * e->block;
				bad += !e->needs_weights && !same_bytes(e, k, refine, n, skew, NULL);
				bad += !same_bytes(e, k, refine, n, skew, weights[(l + skew) % WEIGHTS]);
			}
		ok(!bad, "%s by %s %s %s", e->name, quant_isa_name(k->isa), refine ? "refines" : "encodes",
		   kind < ROWS_N_KINDS ? rows_kind[kind] : "wild numbers");
	}
}

/* Decoders meet arbitrary bytes: every code, every scale, NaN and infinite halves too. */
static void check_decoder(const struct heft_encoding *e, const struct quant_kernel *k)
{
	int bad = 0;
	for (int round = 0; round < 200; round++)
		for (size_t l = 0; l < 5; l++) {
			size_t n = e->block == 1 ? single_lengths[l] : lengths[l] * e->block, skew = (size_t)round % 4;
			rows_state = (uint64_t)round * 5 + l;
			for (size_t i = 0; i < skew + size_of(e, n); i++)
				got_bytes[i] = (uint8_t)rows_bits();
			bad += !same_floats(e, k, n, skew);
		}
	is_int(bad, 0, "%s by %s decodes any bytes", e->name, quant_isa_name(k->isa));
	for (uint32_t h = 0, base = 0; e->block == 1 && e->plane[0].bytes == 2 && base < 0x10000; base += 4096) {
		for (h = 0; h < 4096; h++) {
			uint16_t v = (uint16_t)(base + h);
			memcpy(got_bytes + 2 * h, &v, 2);
		}
		bad += !same_floats(e, k, 4096, 0);
	}
	is_int(bad, 0, "%s by %s decodes every number", e->name, quant_isa_name(k->isa));
}

/* The error sums: not an encoding's, but as much a kernel. */
static void check_compare(enum quant_isa isa)
{
	for (int kind = 0; kind <= ANY_BITS; kind++) {
		struct compare_lanes want = {0}, got = {0};
		struct compare_weighted_lanes want_weighted = {0}, got_weighted = {0};
		const struct compare_ops *k = compare_kernel(isa);
		fill(kind, MAX, source);
		fill((kind + 1) % ANY_BITS, MAX, got_floats);
		for (size_t n = 0; n < MAX - 3; n += 1 + n / 3 * COMPARE_LANES) {
			size_t whole = n - n % COMPARE_LANES;
			compare_scalar.plain(source + n % 4, got_floats, whole, &want);
			k->plain(source + n % 4, got_floats, whole, &got);
			compare_scalar.weighted(source + n % 4, got_floats, weights[n % WEIGHTS], whole, &want_weighted);
			k->weighted(source + n % 4, got_floats, weights[n % WEIGHTS], whole, &got_weighted);
		}
		ok(!memcmp(&want, &got, sizeof want), "error sums by %s of %s", quant_isa_name(isa),
		   kind < ROWS_N_KINDS ? rows_kind[kind] : "wild numbers");
		ok(!memcmp(&want_weighted, &got_weighted, sizeof want_weighted), "weighted error sums by %s of %s",
		   quant_isa_name(isa), kind < ROWS_N_KINDS ? rows_kind[kind] : "wild numbers");
	}
}

#define KERNEL(name) #name,
static const char *const names[] = {
#include "quant/kernels.h"
	NULL,
};
#undef KERNEL

static bool wanted(int argc, char **argv, enum quant_isa isa, const char *name)
{
	if (argc > 1 && (tap_failed || strcmp(argv[1], quant_isa_name(isa))))
		return false;
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 3;
}

static void check_kernel(const struct quant_kernel *k, size_t i)
{
	const struct heft_encoding *e = quant_find(k->encoding);
	if (!ok(e && (k->encode || k->decode || k->refine), "kernel %zu is for an encoding: %s", i, k->encoding))
		return;
	if (k->encode)
		check_encoder(e, k, false);
	if (k->refine)
		check_encoder(e, k, true);
	if (k->decode)
		check_decoder(e, k);
}

int main(int argc, char **argv)
{
	int met = 0;
	fill_weights();
	for (enum quant_isa isa = QUANT_SCALAR + 1; isa <= QUANT_AVX512; isa++) {
		if (compare_kernel(isa) && quant_isa_usable(isa) && wanted(argc, argv, isa, "sums"))
			check_compare(isa), met++;
		for (size_t i = 0; quant_kernel_at(i); i++) {
			const struct quant_kernel *k = quant_kernel_at(i);
			if (k->isa != isa || !wanted(argc, argv, isa, names[i]))
				continue;
			if (quant_isa_usable(isa))
				check_kernel(k, i), met++;
			else
				ok(true, "kernel %zu # SKIP this processor has no %s", i, quant_isa_name(isa));
		}
	}
	printf("# %d kernels\n", met);
	return done();
}
