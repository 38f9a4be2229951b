/*
 * scaled.h - numbers as short codes that share a scale, as the libraries of GPU runtimes make them from weights: 8-bit floats and integers,
 * rounded to nearest. Pure functions on numbers that lie in memory; where codes and scales go is the caller's business.
 *
 *   e4m3            scale = max|x| / 448                      code = e4m3(x / scale)
 *   e4m3, inverse   factor = 1 / max|x| * 448, scale = 1 / factor   code = e4m3(x * factor)
 *   integer         scale = max|x| / ((2^bits - 1) / 2)       code = round(x / scale)
 *   integer, zeros  scale = (hi - lo) / (2^bits - 1)          code = round(x / scale + zero), zero = round(-2^(bits-1) - lo / scale)
 *
 * Each operation is rounded to the type that the weights have, as torch does it: compressed-tensors 0.20 (calculate_qparams, _quantize),
 * and for the inverse transformers 5.12 (Fp8Quantize), which computes in F32. Rounding is to even, a range of nothing but zeros has that
 * type's epsilon for a scale (inverse: 1). A number that is NaN counts for no range; its code is that of zero, or e4m3's NaN.
 */
#ifndef QUANT_SCALED_H
#define QUANT_SCALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scaled_real { SCALED_F32, SCALED_F16, SCALED_BF16 };

struct scaled {
	unsigned bits;         /* of integers, 2 to 8; 0: e4m3 */
	bool zeros, inverse;
	enum scaled_real real; /* type that everything is rounded to */
};

/* What the numbers that share a scale have in common. */
struct scaled_unit {
	float scale;           /* as it is stored */
	float factor;          /* inverse: what numbers are multiplied with */
	int zero;              /* the code that stands for zero, -2^(bits-1) and up */
};

/* Widens *lo <= 0 and *hi >= 0 to n numbers. */
void scaled_range(const float *x, size_t n, float *lo, float *hi);
struct scaled_unit scaled_unit(const struct scaled *s, float lo, float hi);
/* A byte per number, of integers the code plus 2^(bits-1); `back`: the numbers that the codes stand for, in F32. */
void scaled_codes(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back);

#endif
