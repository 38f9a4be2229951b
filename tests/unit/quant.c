/*
 * quant.c - the table of encodings, number formats by exhaustion, and every encoder and decoder (as this processor runs
 * them, and scalar) against digests of the reference's bytes (tests/digests/encodings.txt, written by
 * tests/oracle/encodings --record).
 */
#include <float.h>
#include "quant/quant.h"
#include "heft.h"
#include "quant/bits.h"
#include "tests/rows.h"
#include "tests/tap.h"

static float rows[ROWS_PER_KIND * ROWS_COLS], back[ROWS_PER_KIND * ROWS_COLS], importance[ROWS_COLS];
static uint8_t bytes[ROWS_PER_KIND * ROWS_COLS * 8];

static void table(void)
{
	int sound = 1, unique = 1;
	for (size_t i = 0; quant_at(i); i++) {
		const struct heft_encoding *e = quant_at(i);
		sound &= e->name && e->about && e->block && e->n_planes && e->n_planes <= QUANT_MAX_PLANES && e->decode;
		for (int p = 0; p < e->n_planes; p++)
			sound &= e->plane[p].rows && e->plane[p].cols && e->plane[p].bytes;
		unique &= quant_find(e->name) == e;
	}
	ok(sound, "every row of the table is whole");
	ok(unique, "every name finds its own row");
	ok(quant_find("Q4_K") == quant_find("q4_k") && quant_find("Q4_K"), "names in any case");
	ok(!quant_find("q4_k_m") && !quant_find(""), "unknown names find nothing");
	ok(heft_encoding_bits(heft_encoding_find("q4_k")) == 4.5, "q4_k has 4.5 bits per weight");
	ok(heft_encoding_lossy(heft_encoding_find("q8_0")) && !heft_encoding_lossy(heft_encoding_find("bf16")),
	   "lossy or not");
	ok(!heft_encoding_can_encode(heft_encoding_find("i32")), "integers are only carried");
	ok(quant_limit_known(), "HEFT_CPU is unset or known");
}

static void sizes(void)
{
	const struct heft_encoding *e = quant_find("q4_k");
	uint64_t n = 0;
	ok(quant_plane_size(e, 0, 3, 512, &n) && n == 3 * 2 * 144, "plane of 3 x 512");
	ok(quant_plane_size(e, 0, 0, 512, &n) && n == 0, "plane of no rows");
	ok(!quant_plane_size(e, 0, 3, 500, &n), "a row that is no multiple of the block");
	ok(!quant_plane_size(e, 0, UINT64_MAX / 2, 512, &n), "rows that overflow");
	ok(!quant_plane_size(quant_find("f64"), 0, 1, UINT64_MAX / 4, &n), "bytes that overflow");
}

/* The nearest half to f by search among all of them. */
static uint16_t nearest_half(float f)
{
	uint16_t lo = 0,
		 hi = 0x7c00; /* positive halves are ordered like their bits; the last is infinity, 2^16 for rounding */
	double a = fabs((double)f);
	while (hi - lo > 1) {
		uint16_t mid = (lo + hi) / 2;
		if (float_of_half(mid) <= a)
			lo = mid;
		else
			hi = mid;
	}
	double below = a - float_of_half(lo), above = (hi == 0x7c00 ? 65536.0 : float_of_half(hi)) - a;
	uint16_t best = below < above || (below == above && !(lo & 1)) ? lo : hi;
	return (signbit(f) ? 0x8000 : 0) | (best > 0x7c00 ? 0x7c00 : best);
}

static void halves(void)
{
	int wrong = 0, wrong_bf16 = 0;
	for (uint32_t h = 0; h < 0x10000; h++) {
		float f = float_of_half(h);
		wrong += isnan(f) ? half_of_float(f) != (0x7e00 | (h & 0x8000)) : half_of_float(f) != h;
		f = float_of_bf16(h);
		wrong_bf16 += bf16_of_float(f) != (isnan(f) ? h | 0x40 : h);
	}
	is_int(wrong, 0, "every half returns from a float");
	is_int(wrong_bf16, 0, "every bfloat16 returns from a float");
	wrong = 0;
	for (uint32_t u = 0; u < 0x7f800000; u += 0x3ff1) { /* ties are met below */
		wrong += half_of_float(float_of(u)) != nearest_half(float_of(u));
		wrong += half_of_float(-float_of(u)) != nearest_half(-float_of(u));
	}
	is_int(wrong, 0, "floats of all sizes round to the nearest half");
	wrong = 0;
	for (uint32_t h = 0; h < 0x7bff; h++) {
		float mid = (float_of_half(h) + float_of_half(h + 1)) / 2;
		wrong += half_of_float(mid) != (h & 1 ? h + 1 : h);
		wrong += half_of_float(nextafterf(mid, 1e9f)) != h + 1;
		wrong += half_of_float(nextafterf(mid, 0)) != h;
	}
	is_int(wrong, 0, "ties between halves go to even");
	is_int(half_of_float(65519.996f), 0x7bff, "the largest half");
	is_int(half_of_float(65520.0f), 0x7c00, "what rounds above it is infinite");
	is_int(half_of_float(0x1p-25f), 0, "half of the least half is zero");
	is_int(bf16_of_float(float_of(0x3f808000)), 0x3f80, "a bfloat16 tie goes to even");
	is_int(bf16_of_float(float_of(0x3f818000)), 0x3f82, "a bfloat16 tie goes to even, upwards");
	is_int(bf16_of_float(float_of(0x7f7fffff)), 0x7f80, "the largest float rounds to an infinite bfloat16");
	is_int(bf16_of_float(float_of(0x7f800001)), 0x7fc0, "a signalling NaN becomes quiet");
}

static void rounding(void)
{
	is_int(nearest_int(2.5f), 2, "2.5 rounds to 2");
	is_int(nearest_int(-3.5f), -4, "-3.5 rounds to -4");
	is_int(nearest_int(INFINITY), -0x400000, "infinity has the nearest_int of its bits");
	is_int(truncate_int(-1.9f), -1, "-1.9 truncates to -1");
	is_int(truncate_int(3e9f), INT32_MIN, "3e9 does not fit");
	is_int(truncate_int(NAN), INT32_MIN, "NaN does not fit");
}

static void small_floats(void)
{
	const uint8_t in[] = {0x00, 0x01, 0x08, 0x38, 0x7e, 0x7f, 0xb8};
	const float want[] = {0, 0x1p-9f, 0x1p-6f, 1, 448, NAN, -1};
	const uint8_t in52[] = {0x01, 0x3c, 0x7b, 0x7c, 0xbc};
	const float want52[] = {0x1p-16f, 1, 57344, INFINITY, -1};
	const void *plane[1] = {in};
	int right = 1;
	quant_find("f8_e4m3")->decode(plane, back, 7);
	for (int i = 0; i < 7; i++)
		right &= isnan(want[i]) ? isnan(back[i]) : back[i] == want[i];
	ok(right, "f8_e4m3: least, one, 448, NaN");
	plane[0] = in52;
	quant_find("f8_e5m2")->decode(plane, back, 5);
	ok(!memcmp(back, want52, sizeof want52), "f8_e5m2: least, one, 57344, infinity");
	const uint8_t fnuz[] = {0x01, 0x08, 0x40, 0x7f, 0x80, 0xc0};
	const float want_fnuz[] = {0x1p-10f, 0x1p-7f, 1, 240, NAN, -1}, want_fnuz52[] = {0x1p-17f, 0x1p-14f, 1, 57344, NAN, -1};
	plane[0] = fnuz;
	quant_find("f8_e4m3fnuz")->decode(plane, back, 6);
	ok(isnan(back[4]) && !memcmp(back, want_fnuz, 16) && back[5] == -1, "f8_e4m3fnuz: least, least normal, one, 240, NaN");
	quant_find("f8_e5m2fnuz")->decode(plane, back, 6);
	ok(isnan(back[4]) && !memcmp(back, want_fnuz52, 16) && back[5] == -1, "f8_e5m2fnuz: least, least normal, one, 57344, NaN");
	const int64_t large[] = {INT64_MIN, -3, 1 << 24};
	const float want64[] = {-0x1p63f, -3, 0x1p24f};
	plane[0] = large;
	quant_find("i64")->decode(plane, back, 3);
	ok(!memcmp(back, want64, sizeof want64), "i64 decodes");
	const uint8_t truth[] = {0, 1, 255};
	plane[0] = truth;
	quant_find("bool")->decode(plane, back, 3);
	ok(back[0] == 0 && back[1] == 1 && back[2] == 1, "bool decodes");
}

static void error_sums(void)
{
	enum { N = 1003 };
	struct quant_sums all = {0}, want = {0};
	rows_state = 7;
	for (int i = 0; i < N; i++) {
		rows[i] = rows_normal();
		back[i] = rows[i] + 0.01f * rows_normal();
	}
	rows[3] = NAN;
	back[20] = INFINITY;
	back[1002] = -INFINITY;
	for (int i = 0; i < N; i++) {
		double a = rows[i], b = back[i];
		if (!isfinite(a) || !isfinite(b)) {
			want.nonfinite++;
			continue;
		}
		want.sum_sq += a * a;
		want.sum_sq_out += b * b;
		want.dot += a * b;
		want.sum_sq_err += (a - b) * (a - b);
		want.max_err = fmax(want.max_err, fabs(a - b));
	}
	quant_compare(rows, back, N, &all);
	is_int(all.nonfinite, want.nonfinite, "NaN and infinity are counted and left out");
	ok(fabs(all.sum_sq - want.sum_sq) < 1e-9 && fabs(all.dot - want.dot) < 1e-9, "sums of squares and products");
	ok(fabs(all.sum_sq_out - want.sum_sq_out) < 1e-9 && fabs(all.sum_sq_err - want.sum_sq_err) < 1e-12,
	   "sums of errors");
	ok(all.max_err == want.max_err, "the largest error");
	uint64_t h = rows_digest(ROWS_DIGEST, &all.sum_sq, 4 * sizeof(double));
	ok(h == 0x75353c7566a72189, "the order of the sums is the same everywhere (%016llx)", (unsigned long long)h);
}

static void weighted_sums(void)
{
	float x[20] = {[0] = 3, [17] = -2, [19] = NAN}, y[20] = {[0] = 1, [17] = -2}, w[20] = {[0] = 0.5f, [17] = 4, [19] = 9};
	struct quant_sums s = {0};
	quant_compare_weighted(x, y, w, 20, &s);
	ok(s.weighted_sq == 0.5 * 9 + 4 * 4 && s.weighted_err == 0.5 * 4, "weighted sums, without NaN");
}

static void histogram(void)
{
	static const struct {
		float err;
		int bin;
	} is[] = {{0, 0}, {1, 41}, {1.999f, 41}, {2, 42}, {0.5f, 40}, {0x1p-39f, 2}, {0x1p-41f, 1}, {0x1p-149f, 1}, {64, 47}, {FLT_MAX, 47}};
	struct quant_details d = {0};
	float nan[2] = {NAN, INFINITY}, zero[2] = {0};
	for (size_t i = 0; i < sizeof is / sizeof is[0]; i++) {
		float y = -is[i].err, x = 0;
		uint64_t before = d.histogram[is[i].bin];
		quant_histogram(&x, &y, 1, &d);
		ok(d.histogram[is[i].bin] == before + 1, "an error of %g is in bin %d", (double)is[i].err, is[i].bin);
	}
	struct quant_details none = {0};
	quant_histogram(nan, zero, 2, &none);
	struct quant_details empty = {0};
	ok(!memcmp(&none, &empty, sizeof none), "errors that are no numbers are in no bin");
}

/* A block's own values are never clipped; what stands two steps beyond its ends is. */
static void clipping(const struct heft_encoding *e)
{
	enum { N = 512 };
	uint8_t low[N * 2], high[N * 2], block[N * 2];
	void *plane[1] = {block};
	const void *own[1] = {block}, *lows[1] = {low}, *highs[1] = {high};
	float a[N], b[N], x[N];
	struct quant_details d = {0};
	size_t size = (size_t)N / e->block * e->plane[0].bytes;
	rows_state = 3;
	for (int i = 0; i < N; i++)
		x[i] = rows_normal() + 0.1f;
	e->encode(x, plane, N, NULL);
	e->decode(own, x, N);
	quant_clipping(e, block, x, N, &d);
	ok(d.clippable == N && d.clipped == 0, "%s does not clip its own values", e->name);
	memcpy(low, block, size);
	memcpy(high, block, size);
	for (size_t at = e->codes.at; at < size; at += e->plane[0].bytes) {
		memset(low + at, e->codes.low, e->codes.bytes);
		memset(high + at, e->codes.high, e->codes.bytes);
	}
	e->decode(lows, a, N);
	e->decode(highs, b, N);
	for (int i = 0; i < N; i++) { /* every third far outside, on its own side */
		float end = i % 2 ? a[i] : b[i], other = i % 2 ? b[i] : a[i];
		x[i] = i % 3 ? end : end + (end - other);
	}
	uint64_t wide = 0;
	for (int i = 0; i < N; i += 3)
		wide += a[i] != b[i];
	d = (struct quant_details){0};
	quant_clipping(e, block, x, N, &d);
	is_int(d.clipped, wide, "%s: numbers beyond its ends are clipped", e->name);
}

static void details(void)
{
	const struct heft_encoding *e;
	weighted_sums();
	histogram();
	for (size_t i = 0; (e = quant_at(i)); i++)
		if (e->codes.levels)
			clipping(e);
}

/* Digests of one kind of rows: plain bytes, weighted bytes, the plain bytes decoded. */
static void digest(const struct heft_encoding *e, quant_encode_fn *encode, quant_decode_fn *decode, uint64_t out[3])
{
	size_t row = (size_t)ROWS_COLS / e->plane[0].cols * e->plane[0].bytes;
	out[0] = out[1] = out[2] = ROWS_DIGEST;
	for (int weighted = 1; weighted >= 0; weighted--) {
		for (int r = 0; r < ROWS_PER_KIND; r++) {
			void *plane[QUANT_MAX_PLANES] = {bytes + r * row};
			encode(rows + r * ROWS_COLS, plane, ROWS_COLS, weighted ? importance : NULL);
		}
		out[weighted] = rows_digest(out[weighted], bytes, ROWS_PER_KIND * row);
	}
	const void *plane[QUANT_MAX_PLANES] = {bytes};
	decode(plane, back, ROWS_PER_KIND * ROWS_COLS);
	out[2] = rows_digest(out[2], back, sizeof back);
}

static void digest_line(const char *line)
{
	char type[16], kind[32];
	unsigned long long want[3];
	uint64_t plain[3], fast[3];
	int k = 0;
	if (sscanf(line, "%15s %31s %llx %llx %llx", type, kind, &want[0], &want[1], &want[2]) != 5)
		return;
	const struct heft_encoding *e = quant_find(type);
	while (k < ROWS_N_KINDS && strcmp(rows_kind[k], kind))
		k++;
	if (!e || k == ROWS_N_KINDS) {
		ok(0, "%s of %s is known", type, kind);
		return;
	}
	for (int r = 0; r < ROWS_PER_KIND; r++)
		rows_fill(k, r, rows + r * ROWS_COLS);
	digest(e, e->encode, e->decode, plain);
	digest(e, quant_encoder(e), quant_decoder(e), fast);
	const char *const what[3] = {"bytes", "bytes with importance", "decoded floats"};
	int same = 1;
	for (int i = 0; i < 3; i++)
		same &= plain[i] == want[i] && fast[i] == want[i];
	ok(same, "%s of %s: the reference's bytes", type, kind);
	for (int i = 0; i < 3 && !same; i++)
		printf("# %s: scalar %s, by kernel %s\n", what[i], plain[i] == want[i] ? "right" : "wrong",
		       fast[i] == want[i] ? "right" : "wrong");
}

static void digests(void)
{
	char line[256];
	FILE *f = fopen("tests/digests/encodings.txt", "r");
	if (!ok(f != NULL, "tests/digests/encodings.txt is there"))
		return;
	rows_importance(importance);
	while (fgets(line, sizeof line, f))
		if (line[0] != '#')
			digest_line(line);
	fclose(f);
}

int main(void)
{
	table();
	sizes();
	halves();
	rounding();
	small_floats();
	error_sums();
	details();
	digests();
	return done();
}
