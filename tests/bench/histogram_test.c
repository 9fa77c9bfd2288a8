#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "histogram.h"

static void quantiles_are_within_a_bucket_of_the_truth(void **state)
{
    static struct histogram h;

    (void)state;
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&h, i * 1000);
    for (double share = 0.01; share < 1; share += 0.01) {
        double truth = share * 1e8, got = (double)histogram_quantile(&h, share);
        assert_true(got >= truth * 0.999 && got <= truth * 1.02);
    }
    assert_int_equal(h.n, 100000);
}

static void small_values_are_exact_and_huge_ones_are_kept(void **state)
{
    static struct histogram h;

    (void)state;
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    histogram_add(&h, 7);
    assert_int_equal(histogram_quantile(&h, 0.5), 7);
    histogram_add(&h, UINT64_MAX);
    histogram_add(&h, UINT64_MAX);
    assert_true(histogram_quantile(&h, 0.99) > 1000000000000ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_a_bucket_of_the_truth),
        cmocka_unit_test(small_values_are_exact_and_huge_ones_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
