/*
 * metrics.c - figures for people from the error sums of a tensor. Elements that are NaN or infinite are in no sum, and
 * not in the mean.
 */
#include "heft.h"

#include <math.h>

static double measured(const struct heft_error *e)
{
	return e->count > e->nonfinite ? (double)(e->count - e->nonfinite) : 0;
}

/* a / b where nothing over nothing is `same`. */
static double ratio(double a, double b, double same)
{
	if (b > 0)
		return a / b;
	return a > 0 ? INFINITY : same;
}

double heft_error_rmse(const struct heft_error *e)
{
	double n = measured(e);

	return n > 0 ? sqrt(e->sum_sq_err / n) : 0;
}

double heft_error_relative(const struct heft_error *e)
{
	return sqrt(ratio(e->sum_sq_err, e->sum_sq, 0));
}

double heft_error_sqnr(const struct heft_error *e)
{
	if (e->sum_sq_err <= 0)
		return INFINITY;
	return e->sum_sq > 0 ? 10 * log10(e->sum_sq / e->sum_sq_err) : -INFINITY;
}

double heft_error_cosine(const struct heft_error *e)
{
	double length = sqrt(e->sum_sq * e->sum_sq_out);
	double c = length > 0 ? e->dot / length : e->sum_sq_err > 0 ? 0 : 1;

	return c > 1 ? 1 : c < -1 ? -1 : c; /* rounding */
}

double heft_error_weighted(const struct heft_error *e)
{
	return e->sum_weighted_sq > 0 ? sqrt(e->sum_weighted_err / e->sum_weighted_sq) : NAN;
}

double heft_error_gain(const struct heft_error *e)
{
	return e->sum_nearest > 0 ? 1 - e->sum_found / e->sum_nearest : NAN;
}

void heft_error_add(struct heft_error *sum, const struct heft_error *e)
{
	sum->count += e->count;
	sum->sum_sq += e->sum_sq;
	sum->sum_sq_out += e->sum_sq_out;
	sum->dot += e->dot;
	sum->sum_sq_err += e->sum_sq_err;
	sum->max_err = e->max_err > sum->max_err ? e->max_err : sum->max_err;
	sum->nonfinite += e->nonfinite;
	sum->sum_weighted_sq += e->sum_weighted_sq;
	sum->sum_weighted_err += e->sum_weighted_err;
	sum->sum_nearest += e->sum_nearest;
	sum->sum_found += e->sum_found;
	sum->clippable += e->clippable;
	sum->clipped += e->clipped;
	for (int i = 0; i < HEFT_ERROR_BINS; i++)
		sum->histogram[i] += e->histogram[i];
}
