/* metrics.c - figures of error sums, at their edges too. */
#include "heft.h"
#include "tests/tap.h"

#include <math.h>

static int near(double a, double b)
{
	return fabs(a - b) <= 1e-12 * fabs(b);
}

int main(void)
{
	/* x = 3 4 0 0, y = 3 3 0 1 */
	struct heft_error e = {.count = 4, .sum_sq = 25, .sum_sq_out = 19, .dot = 21, .sum_sq_err = 2, .max_err = 1},
			  sum = {0};
	struct heft_error same = { .count = 2, .sum_sq = 5, .sum_sq_out = 5, .dot = 5 }, zero = { .count = 3 };
	struct heft_error lost = { .count = 3, .sum_sq = 9, .sum_sq_err = 9, .max_err = 3 };
	struct heft_error made = { .count = 3, .sum_sq_out = 9, .sum_sq_err = 9, .max_err = 3 };

	ok(near(heft_error_rmse(&e), sqrt(0.5)), "rmse");
	ok(near(heft_error_relative(&e), sqrt(2 / 25.0)), "relative");
	ok(near(heft_error_sqnr(&e), 10 * log10(12.5)), "sqnr");
	ok(near(heft_error_cosine(&e), 21 / sqrt(25 * 19)), "cosine");
	ok(heft_error_rmse(&same) == 0 && heft_error_sqnr(&same) == INFINITY, "equal tensors");
	ok(heft_error_cosine(&same) == 1, "have cosine 1");
	ok(heft_error_relative(&zero) == 0 && heft_error_cosine(&zero) == 1 && heft_error_rmse(&zero) == 0,
	   "equal zeros");
	ok(near(heft_error_relative(&lost), 1) && heft_error_cosine(&lost) == 0 && heft_error_sqnr(&lost) == 0,
	   "all lost");
	ok(heft_error_relative(&made) == INFINITY && heft_error_sqnr(&made) == -INFINITY, "all made up");
	e.nonfinite = 2;
	ok(near(heft_error_rmse(&e), 1), "values that are no numbers are not in the mean");
	e.nonfinite = 4;
	ok(heft_error_rmse(&e) == 0, "nor is a mean taken of nothing");
	heft_error_add(&sum, &e);
	heft_error_add(&sum, &lost);
	is_int(sum.count, 7, "counts add up");
	is_int(sum.nonfinite, 4, "so do values that are no numbers");
	ok(sum.sum_sq == 34 && sum.sum_sq_out == 19 && sum.dot == 21 && sum.sum_sq_err == 11, "sums add up");
	ok(sum.max_err == 3, "the largest error is kept");
	ok(isnan(heft_error_weighted(&sum)), "no importance, no weighted error");
	e.sum_weighted_sq = 8, e.sum_weighted_err = 2, e.clipped = 3, e.clippable = 32, e.histogram[5] = 7;
	ok(near(heft_error_weighted(&e), 0.5), "weighted error");
	heft_error_add(&sum, &e);
	heft_error_add(&sum, &e);
	ok(sum.sum_weighted_sq == 16 && sum.clipped == 6 && sum.clippable == 64 && sum.histogram[5] == 14, "details add up");
	return done();
}
