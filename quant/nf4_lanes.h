/*
 * nf4_lanes.h - a whole block of nf4.h with vectors, number by number what nf4.c says; to be included after what vectors.h wants.
 */
#ifndef QUANT_NF4_LANES_H
#define QUANT_NF4_LANES_H

#include "nf4.h"
#include "vectors.h"

VECTOR_TARGET static float lanes_most(const float *x)
{
	vec_f most = { 0 };
	float each[VECTOR_WIDTH];

	for (int i = 0; i < NF4_BLOCK; i += VECTOR_WIDTH) {
		vec_f v = (vec_f)((vec_i)v_read(x + i) & 0x7fffffff);

		most = v_pick(v > most, v, most);
	}
	memcpy(each, &most, sizeof each);
	for (int half = VECTOR_WIDTH / 2; half; half /= 2)
		for (int i = 0; i < half; i++)
			each[i] = each[i + half] > each[i] ? each[i + half] : each[i];
	return each[0];
}

/* The table's value from the last bound that is less, and its code. */
VECTOR_FN void put_nearest(const struct nf4_table *t, vec_f v, float most, uint8_t *code, float *back)
{
	vec_f value = v_all(t->value[t->code[0]]);
	vec_i c = i_all(t->code[0]);
	vec_b b;

	v = v_pick(v == v, v, (vec_f){ 0 });
	for (int k = 0; k < 15; k++) {
		vec_i above = v > t->bound[k];

		value = v_pick(above, v_all(t->value[t->code[k + 1]]), value);
		c = i_pick(above, i_all(t->code[k + 1]), c);
	}
	value *= most;
	b = __builtin_convertvector(c, vec_b);
	memcpy(code, &b, sizeof b);
	memcpy(back, &value, sizeof value);
}

VECTOR_TARGET static void lanes_nearest(const struct nf4_table *t, const float *x, float factor, float most, uint8_t *code, float *back)
{
	for (int i = 0; i < NF4_BLOCK; i += VECTOR_WIDTH)
		put_nearest(t, v_read(x + i) * factor, most, code + i, back + i);
}

#endif
