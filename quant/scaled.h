/*
 * scaled.h - numbers as short codes that share a scale, as the libraries of GPU runtimes make them from weights: small floats and integers,
 * rounded to nearest. Pure functions on numbers that lie in memory; where codes and scales go is the caller's business.
 *
 * What a code is, and the largest number that it can be (`most`):
 *
 *   integer    (2^bits - 1) / 2                    code = round(x / step)
 *   e4m3       s eeee mmm, 448                     code = e4m3(x / step)
 *   e2m1       s ee m, 6: 0 .5 1 1.5 2 3 4 6       code = e2m1(x / step)
 *
 * What a scale is, and the step that it gives; E is the largest exponent of such a code:
 *
 *   real        scale = max|x| / most                           step = scale
 *     zeros     scale = (hi - lo) / (2^bits - 1)                step = scale; code = round(x / step + zero), zero = round(-2^(bits-1) - lo / scale)
 *   plain       scale = max|x| / most                           step = scale
 *   inverse     factor = 1 / max|x| * most, scale = 1 / factor  code = e4m3(x * factor)
 *   e8m0        scale = 2^(exponent of max|x| - E), where max|x| counts as the next power of two from 1.75 on; step = scale
 *   divided     scale = e4m3(max|x| / most * whole)             step = scale / whole, whole = 448 * most / max|x| of the tensor
 *   multiplied  scale = e4m3(max|x| / (most * whole))           step = scale * whole, whole = max|x| of the tensor / (448 * most)
 *   e8m0 up     scale = the least power of two that is not less than max|x| / most; step = scale
 *   alone       scale = e4m3(max|x| / most)                     step = scale; where that is 0 all codes are
 *
 * real, e8m0 and divided are compressed-tensors' 0.20 (calculate_qparams, generate_mx_scales, generate_gparam, _quantize): each operation is
 * rounded to the type that the weights have, as torch does it, but for what has met a `whole`. inverse is transformers' 5.12 (Fp8Quantize),
 * plain and multiplied are ModelOpt's 0.47 (get_scaling_factor, NVFP4QTensor): all in F32. e8m0 up and alone are MLX's 0.32.4 (quantize() on a
 * processor), in the type of the weights. Rounding is to even, but MLX's e2m1 takes of two codes that are as near the one nearer to 0. Numbers
 * that are all zero have for a scale: epsilon of their type (real), 0.125 (divided), 1 (plain, inverse, multiplied, e8m0 up), the least (e8m0;
 * F16: 1), 0 (alone). A number that is NaN counts for no range; its code is that of zero, or e4m3's NaN.
 */
#ifndef QUANT_SCALED_H
#define QUANT_SCALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scaled_real { SCALED_F32, SCALED_F16, SCALED_BF16 };
/* minus: -0 keeps its sign; inner: ties go to the code nearer to 0, and what is 0 has no sign */
enum scaled_code { SCALED_INTEGER, SCALED_E4M3, SCALED_E2M1, SCALED_E2M1_MINUS, SCALED_E2M1_INNER };
enum scaled_scale { SCALED_REAL, SCALED_PLAIN, SCALED_INVERSE, SCALED_E8M0, SCALED_DIVIDED, SCALED_MULTIPLIED, SCALED_E8M0_UP, SCALED_ALONE,
	SCALED_GPTQ, SCALED_AWQ, SCALED_INT8, /* scaled_half.c */
	SCALED_AFFINE }; /* scaled_affine.c */

struct scaled {
	enum scaled_code code;
	enum scaled_scale scale;
	unsigned bits;         /* of a code, 2 to 8 */
	bool zeros;            /* integers: 0 has a code of its own in each unit */
	bool negative;         /* integers: a scale may be less than 0, where that is found to be better */
	bool twos;             /* integers: codes are two's complement; else they begin at 0 */
	enum scaled_real real; /* type that everything is rounded to */
	float whole;           /* divided, multiplied: the number of the tensor, by scaled_whole() */
};

/* What the numbers that share a scale have in common. */
struct scaled_unit {
	float scale;           /* as it is stored */
	float step;            /* what a code of 1 stands for */
	float factor;          /* inverse: what numbers are multiplied with instead of being divided by it */
	int zero;              /* the code that stands for zero, -2^(bits-1) and up */
	float bias;            /* affine: what a code of 0 stands for */
};

struct scaled_gain {
	double nearest, found; /* squared errors before a search for scales and after it, where there was one */
};

/* To nearest as a number of that type; the step between numbers of the type around 1. */
float scaled_round(enum scaled_real real, float v);
float scaled_step(enum scaled_real real);
enum scaled_real scaled_stored(const struct scaled *s); /* type of a scale that is real */

/* What a range is before it is widened: empty for AWQ and affine, which do not want 0 in it; else 0 alone. */
void scaled_empty(const struct scaled *s, float *lo, float *hi);
/* Widens *lo and *hi to n numbers. */
void scaled_range(const float *x, size_t n, float *lo, float *hi);
/* The number that scales are relative to, of a tensor (or of some that must share it) whose largest magnitude is `most`. */
float scaled_whole(const struct scaled *s, float most);
struct scaled_unit scaled_unit(const struct scaled *s, float lo, float hi);
/* A byte per number, of integers the code plus 2^(bits-1) or, with `twos`, as it is; `back`: the numbers that the codes stand for, in F32. */
void scaled_codes(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back);
/* The byte of a scale that is e8m0 or e4m3, and the unit of such a byte; false: it is no scale's. */
uint8_t scaled_byte(const struct scaled *s, float scale);
bool scaled_unit_of(const struct scaled *s, int byte, struct scaled_unit *u);

/* Its scales are bytes of powers of two; quotients are rounded to its type. */
static inline bool scaled_is_power(const struct scaled *s)
{
	return s->scale == SCALED_E8M0 || s->scale == SCALED_E8M0_UP;
}

static inline bool scaled_rounds(const struct scaled *s)
{
	return s->scale == SCALED_REAL || s->scale == SCALED_ALONE || scaled_is_power(s);
}

/* The loops that take the time, as each instruction set has them, for multiples of `width` numbers; NULL: scaled.c's own. */
struct scaled_ops {
	void (*range)(const float *x, size_t n, float *lo, float *hi);
	void (*codes)(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back);
	size_t width;
};
const struct scaled_ops *scaled_kernel(void);
extern const struct scaled_ops scaled_avx2, scaled_avx512;

/* scaled_affine.c: the same two for its scales. Codes are as they are stored, from 0 on. */
struct scaled_unit scaled_affine_unit(const struct scaled *s, float lo, float hi);
void scaled_affine_codes(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back);

/* scaled_half.c: the same two for its scales. */
struct scaled_unit scaled_half_unit(const struct scaled *s, float lo, float hi);
bool scaled_half_once(const struct scaled *s, const struct scaled_unit *u); /* codes are integers that are rounded but once: kernels have them */
void scaled_half_codes(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back);

#endif
