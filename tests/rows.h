/*
 * rows.h - the same rows of numbers on every machine, chosen to be hard on encoders: half of them lie where random ones
 * never do. Shared by the unit tests and by the program that writes them out for the reference tools. No libm.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ROWS_COLS = 512, ROWS_PER_KIND = 8 };

static uint64_t rows_state;

static inline uint32_t rows_bits(void) /* splitmix64 */
{
	uint64_t z = rows_state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(z >> 32);
}

static inline float rows_uniform(void) /* [-1, 1) */
{
	return (float)((int32_t)rows_bits() >> 8) * 0x1p-23f;
}

static inline float rows_normal(void)
{
	float sum = 0;
	for (int i = 0; i < 12; i++)
		sum += rows_uniform();
	return sum * 0.5f;
}

static inline float rows_power(int e) /* 2^e */
{
	uint32_t u = (uint32_t)(e + 127) << 23;
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

static inline float rows_to_bf16(float f)
{
	uint32_t u;
	memcpy(&u, &f, sizeof u);
	u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000;
	memcpy(&f, &u, sizeof f);
	return f;
}

/* One number of each kind: i its column, r its row. */
#define ROWS_KINDS(X)                                                                                                  \
	X(normal, rows_normal())                                                                                       \
	X(weights, rows_normal() * 0.02f)                                                                              \
	X(bfloats, rows_to_bf16(rows_normal() * 0.02f))                                                                \
	X(uniform, rows_uniform())                                                                                     \
	X(tails, rows_normal() * rows_normal() * rows_normal())                                                        \
	X(zeros, 0.0f)                                                                                                 \
	X(signed_zeros, rows_bits() & 1 ? 0.0f : -0.0f)                                                                \
	X(constant, 0.37f * (float)(r + 1))                                                                            \
	X(negative_constant, -1.25f)                                                                                   \
	X(run_constants, (float)((i / 16 * 7 + r) % 11) - 5)                                                           \
	X(two_values, i & 1 ? 0.75f : -0.75f)                                                                          \
	X(one_outlier, i == 37 * (r + 1) ? 100.0f : rows_normal() * 0.01f)                                             \
	X(one_number, i == 61 * (r + 1) ? -3.0f : 0.0f)                                                                \
	X(sparse, rows_bits() % 9 ? 0.0f : rows_normal())                                                              \
	X(positive, rows_normal() * rows_normal() + 2.0f)                                                              \
	X(negative, -1.0f - rows_uniform() * 0.5f)                                                                     \
	X(far_from_zero, 1000.0f + rows_uniform())                                                                     \
	X(nearly_equal, 1.0f + (float)(rows_bits() % 4) * 0x1p-23f)                                                    \
	X(halves, (float)((int)(rows_bits() % 33) - 16) * 0.5f)                                                        \
	X(quarters, (float)((int)(rows_bits() % 65) - 32) * 0.25f)                                                     \
	X(bytes, (float)((int)(rows_bits() % 255) - 127) * 0.5f)                                                       \
	X(ramp, (float)(i % 64) * 0.125f - 4.0f)                                                                       \
	X(run_scales, rows_normal() * rows_power(-(int)((i / 16 * 5 + r) % 17)))                                       \
	X(some_zero_runs, (i / 32 + r) % 3 ? rows_normal() : 0.0f)                                                     \
	X(large, rows_uniform() * 60000.0f)                                                                            \
	X(half_subnormal, rows_normal() * 0x1p-20f)                                                                    \
	X(small, rows_normal() * 1e-12f)                                                                               \
	X(smaller, rows_normal() * 3e-15f)                                                                             \
	X(tiny, rows_normal() * 0x1p-100f)                                                                             \
	X(least_normal, rows_normal() * 0x1p-125f)                                                                     \
	X(subnormal, rows_normal() * 0x1p-100f * 0x1p-38f)                                                             \
	X(least, (float)((int)(rows_bits() % 9) - 4) * 0x1p-100f * 0x1p-49f)

static const char *const rows_kind[] = {
#define X(name, expr) #name,
	ROWS_KINDS(X)
#undef X
};
enum {
#define X(name, expr) ROWS_##name,
	ROWS_KINDS(X)
#undef X
	ROWS_N_KINDS
};

static inline float rows_number(int kind, int r, int i)
{
	switch (kind) {
#define X(name, expr)                                                                                                  \
	case ROWS_##name:                                                                                              \
		return (expr);
		ROWS_KINDS(X)
#undef X
	}
	return 0;
}

/* Row r of a kind: ROWS_COLS numbers. */
static inline void rows_fill(int kind, int r, float *x)
{
	rows_state = (uint64_t)(kind * 1000 + r) * 0x2545f4914f6cdd1d;
	for (int i = 0; i < ROWS_COLS; i++)
		x[i] = rows_number(kind, r, i);
}

/* Importance of the columns: positive, over three decades, a few zero. */
static inline void rows_importance(float *w)
{
	rows_state = 42;
	for (int i = 0; i < ROWS_COLS; i++) {
		float v = rows_normal();
		w[i] = i % 101 == 100 ? 0 : v * v * v * v + 0.001f;
	}
}

/* FNV-1a, 64 bits; h is the digest so far. */
#define ROWS_DIGEST 0xcbf29ce484222325u
static inline uint64_t rows_digest(uint64_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3;
	return h;
}

#endif
