/*
 * vectors.h - vectors of numbers as the compiler has them, cut to what an instruction set holds: words for loops that are written once. To be
 * included after
 *
 *   #define VECTOR_TARGET    attributes of each function
 *   #define VECTOR_WIDTH     numbers in a vector: 4, 8 or 16
 */
#ifndef QUANT_VECTORS_H
#define QUANT_VECTORS_H

#include <stdint.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wpsabi" /* how vectors are passed: all is inlined */

typedef float vec_f __attribute__((vector_size(4 * VECTOR_WIDTH)));
typedef int32_t vec_i __attribute__((vector_size(4 * VECTOR_WIDTH)));
typedef uint32_t vec_u __attribute__((vector_size(4 * VECTOR_WIDTH)));
typedef double vec_d __attribute__((vector_size(4 * VECTOR_WIDTH))); /* half as many: wider than the registers they would lie in memory */
typedef float vec_h __attribute__((vector_size(2 * VECTOR_WIDTH)));
typedef uint8_t vec_b __attribute__((vector_size(VECTOR_WIDTH)));

#define VECTOR_FN static inline __attribute__((always_inline, unused)) VECTOR_TARGET

VECTOR_FN vec_f v_all(float f)
{
	return f - (vec_f){ 0 };
}

VECTOR_FN vec_i i_all(int32_t i)
{
	return i - (vec_i){ 0 };
}

VECTOR_FN vec_f v_read(const float *x)
{
	vec_f v;

	memcpy(&v, x, sizeof v);
	return v;
}

VECTOR_FN vec_i i_pick(vec_i mask, vec_i yes, vec_i no)
{
	return (mask & yes) | (~mask & no);
}

VECTOR_FN vec_f v_pick(vec_i mask, vec_f yes, vec_f no)
{
	return (vec_f)i_pick(mask, (vec_i)yes, (vec_i)no);
}

/* Ties to even; less than 2^22. */
VECTOR_FN vec_f v_near(vec_f v)
{
	return v + 12582912.0f - 12582912.0f;
}

/* NaN becomes lo. */
VECTOR_FN vec_f v_within(vec_f v, float lo, float hi)
{
	v = v_pick(v > lo, v, v_all(lo));
	return v_pick(v < hi, v, v_all(hi));
}

#endif
