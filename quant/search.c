/*
 * search.c - the scalar searches of search.h: the specification that faster ones are held to.
 */
#include "search.h"
#include "bits.h"

#define TOO_SMALL 1e-15f /* a run below this is all zeros */
#define DESCENT_ROUNDS 5

float search_sum_squares(const float *x, size_t n)
{
	float sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sum;
}

void search_importance(const float *x, const float *importance, float variance, size_t n, float *w)
{
	for (size_t i = 0; i < n; i++)
		w[i] = importance[i] * sqrtf(variance + x[i] * x[i]);
}

/* ---- affine ---------------------------------------------------------------------------------------------------- */

void search_affine_weights(const struct search_affine *s, const float *x, float *w)
{
	float base = s->plain_abs ? 0.0f : sqrtf(search_sum_squares(x, s->run) / s->run);
	for (int i = 0; i < s->run; i++)
		w[i] = s->plain_abs ? fabsf(x[i]) : base + fabsf(x[i]);
}

static void affine_codes(const struct search_affine *s, const float *x, float inverse, float min, uint8_t *code)
{
	for (int i = 0; i < s->run; i++)
		code[i] = clamp_int(nearest_int(inverse * (x[i] - min)), 0, s->top);
}

static float affine_error(const struct search_affine *s, const float *x, const float *w, const uint8_t *code,
			  float scale, float min)
{
	float error = 0;
	for (int i = 0; i < s->run; i++) {
		float diff = scale * code[i] + min - x[i];
		error += w[i] * (s->absolute ? fabsf(diff) : diff * diff);
	}
	return error;
}

struct affine_sums {
	float w, x; /* of weights, of weighted numbers */
};

/* The scale and minimum that fit given codes best (weighted least squares); false where there is none. */
static bool affine_fit(const struct search_affine *s, const float *x, const float *w, const uint8_t *code,
		       const struct affine_sums *sum, float *scale, float *min)
{
	float sum_l = 0, sum_l2 = 0, sum_xl = 0;
	for (int i = 0; i < s->run; i++) {
		float wl = w[i] * code[i];
		sum_l += wl;
		sum_l2 += wl * code[i];
		sum_xl += wl * x[i];
	}
	float det = sum->w * sum_l2 - sum_l * sum_l;
	if (!(det > 0))
		return false;
	*scale = (sum->w * sum_xl - sum->x * sum_l) / det;
	*min = (sum_l2 * sum->x - sum_l * sum_xl) / det;
	if (*min > 0) {
		*min = 0;
		*scale = sum_xl / sum_l2;
	}
	return true;
}

static struct affine_sums affine_range(const struct search_affine *s, const float *x, const float *w, float *min,
				       float *max)
{
	struct affine_sums sum = {w[0], w[0] * x[0]};
	*min = *max = x[0];
	for (int i = 1; i < s->run; i++) {
		if (x[i] < *min)
			*min = x[i];
		if (x[i] > *max)
			*max = x[i];
		sum.w += w[i];
		sum.x += w[i] * x[i];
	}
	if (*min > 0)
		*min = 0;
	return sum;
}

float search_affine(const struct search_affine *s, const float *x, const float *w, uint8_t *code, float *out_min)
{
	float min, max;
	struct affine_sums sum = affine_range(s, x, w, &min, &max);
	if (max == min) {
		memset(code, 0, s->run);
		*out_min = -min;
		return 0;
	}
	float inverse = s->top / (max - min), scale = 1 / inverse;
	affine_codes(s, x, inverse, min, code);
	float best = affine_error(s, x, w, code, scale, min);
	for (int i = 0; i <= s->steps; i++) {
		uint8_t try[SEARCH_MAX_RUN];
		float try_scale, try_min;
		inverse = (s->first + s->step * i + s->top) / (max - min);
		affine_codes(s, x, inverse, min, try);
		if (!affine_fit(s, x, w, try, &sum, &try_scale, &try_min))
			continue;
		float error = affine_error(s, x, w, try, try_scale, try_min);
		if (error < best) {
			memcpy(code, try, s->run);
			best = error;
			scale = try_scale;
			min = try_min;
		}
	}
	*out_min = -min;
	return scale;
}

/* ---- signed ---------------------------------------------------------------------------------------------------- */

/* The number of the largest magnitude, the first of equals; 0 where the run counts as zeros. */
static float extreme(int run, const float *x)
{
	float amax = 0, max = 0;
	for (int i = 0; i < run; i++)
		if (fabsf(x[i]) > amax) {
			amax = fabsf(x[i]);
			max = x[i];
		}
	return amax < TOO_SMALL ? 0 : max;
}

static void signed_codes(int run, int half, const float *x, float inverse, uint8_t *code)
{
	for (int i = 0; i < run; i++)
		code[i] = half + clamp_int(nearest_int(inverse * x[i]), -half, half - 1);
}

static void signed_sums(int run, int half, const float *x, const float *w, const uint8_t *code, float *sum_xl,
			float *sum_l2)
{
	*sum_xl = *sum_l2 = 0;
	for (int i = 0; i < run; i++) {
		float weight = w ? w[i] : x[i] * x[i];
		int l = code[i] - half;
		*sum_xl += weight * x[i] * l;
		*sum_l2 += weight * l * l;
	}
}

float search_signed(int run, int half, const float *x, const float *w, uint8_t *code)
{
	float max = extreme(run, x), sum_xl, sum_l2;
	if (max == 0) {
		memset(code, 0, run);
		return 0;
	}
	signed_codes(run, half, x, -half / max, code);
	signed_sums(run, half, x, w, code, &sum_xl, &sum_l2);
	float scale = sum_l2 != 0 ? sum_xl / sum_l2 : 0;
	float best = scale * sum_xl;
	for (int i = -9; i <= 9; i++) {
		uint8_t try[SEARCH_MAX_RUN];
		if (i == 0)
			continue;
		signed_codes(run, half, x, -(half + 0.1f * i) / max, try);
		signed_sums(run, half, x, w, try, &sum_xl, &sum_l2);
		if (sum_l2 > 0 && sum_xl * sum_xl > best * sum_l2) {
			memcpy(code, try, run);
			scale = sum_xl / sum_l2;
			best = scale * sum_xl;
		}
	}
	return scale;
}

float search_descent(int run, int half, const float *x, uint8_t *code)
{
	float max = extreme(run, x), sum_xl, sum_l2;
	if (max == 0) {
		memset(code, 0, run);
		return 0;
	}
	signed_codes(run, half, x, -half / max, code);
	signed_sums(run, half, x, NULL, code, &sum_xl, &sum_l2);
	bool changed = true;
	for (int round = 0; round < DESCENT_ROUNDS && changed; round++) {
		changed = false;
		for (int i = 0; i < run; i++) {
			float w = x[i] * x[i];
			int l = code[i] - half;
			float xl = sum_xl - w * x[i] * l, l2 = sum_l2 - w * l * l;
			if (!(xl > 0))
				continue;
			int to = clamp_int(nearest_int(x[i] * l2 / xl), -half, half - 1);
			if (to == l)
				continue;
			xl += w * x[i] * to;
			l2 += w * to * to;
			if (l2 > 0 && xl * xl * sum_l2 > sum_xl * sum_xl * l2) {
				code[i] = to + half;
				sum_xl = xl;
				sum_l2 = l2;
				changed = true;
			}
		}
	}
	return sum_l2 > 0 ? sum_xl / sum_l2 : 0;
}

/* ---- positive -------------------------------------------------------------------------------------------------- */

/* The divisor among `top` and 8 around it with the least error. */
static float positive_inverse(int run, int top, const float *x, const float *w, float max)
{
	float inverse = top / max, best = 0;
	for (int i = 0; i < run; i++) {
		float diff = x[i] - 1 / inverse * (uint8_t)nearest_int(inverse * x[i]);
		best += w[i] * diff * diff;
	}
	for (int i = -4; i <= 4; i++) {
		float try = (0.1f * i + top) / max, error = 0;
		if (i == 0)
			continue;
		for (int j = 0; j < run; j++) {
			int l = nearest_int(try * x[j]);
			float diff = x[j] - 1 / try * (l < top ? l : top);
			error += w[j] * diff * diff;
		}
		if (error < best) {
			best = error;
			inverse = try;
		}
	}
	return inverse;
}

float search_positive(int run, int top, const float *x, const float *w, uint8_t *code)
{
	float max = 0, sum_xl = 0, sum_l2 = 0;
	for (int i = 0; i < run; i++)
		max = max > x[i] ? max : x[i];
	if (max < TOO_SMALL) {
		memset(code, 0, run);
		return 0;
	}
	float inverse = positive_inverse(run, top, x, w, max);
	for (int i = 0; i < run; i++) {
		int l = nearest_int(inverse * x[i]);
		l = l < top ? l : top;
		code[i] = l;
		sum_xl += w[i] * x[i] * l;
		sum_l2 += w[i] * l * l;
	}
	bool changed = true;
	for (int round = 0; round < DESCENT_ROUNDS && changed; round++) {
		changed = false;
		for (int i = 0; i < run; i++) {
			float xl = sum_xl - w[i] * x[i] * code[i], l2 = sum_l2 - w[i] * code[i] * code[i];
			if (!(xl > 0 && l2 > 0))
				continue;
			int to = nearest_int(x[i] * l2 / xl);
			to = to < top ? to : top;
			if (to == code[i])
				continue;
			xl += w[i] * x[i] * to;
			l2 += w[i] * to * to;
			if (xl * xl * sum_l2 > sum_xl * sum_xl * l2) {
				code[i] = to;
				sum_xl = xl;
				sum_l2 = l2;
				changed = true;
			}
		}
	}
	return sum_l2 > 0 ? sum_xl / sum_l2 : 0;
}
