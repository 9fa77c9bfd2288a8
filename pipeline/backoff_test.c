#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/backoff.h"

#define MS 1000000ll

static const struct pp_retry_config plain = {
    .enabled = true, .initial_interval = 100 * MS, .multiplier = 2, .max_interval = 300 * MS, .max_elapsed_time = 1000 * MS};

static uint64_t next(struct pp_backoff *b, int64_t asked, double unit, uint64_t now)
{
    uint64_t wait = UINT64_MAX;

    return pp_backoff_next(b, asked, unit, now, &wait) ? wait : UINT64_MAX;
}

static void grows_to_the_maximum(void **state)
{
    struct pp_backoff b;

    (void)state;
    pp_backoff_start(&b, &plain, 0);
    assert_int_equal(next(&b, -1, 0.5, 0), 100);
    assert_int_equal(next(&b, -1, 0.5, 0), 200);
    assert_int_equal(next(&b, -1, 0.5, 0), 300);
    assert_int_equal(next(&b, -1, 0.5, 0), 300);
}

static void jitter_spreads_both_ways(void **state)
{
    struct pp_retry_config config = plain;
    struct pp_backoff b;

    (void)state;
    config.randomization_factor = 0.5;
    pp_backoff_start(&b, &config, 0);
    assert_int_equal(next(&b, -1, 0, 0), 50);
    assert_int_equal(next(&b, -1, 0.999999, 0), 299);
}

static void server_delay_is_a_minimum(void **state)
{
    struct pp_backoff b;

    (void)state;
    pp_backoff_start(&b, &plain, 0);
    assert_int_equal(next(&b, 450, 0.5, 0), 450);
    assert_int_equal(next(&b, 10, 0.5, 0), 200);
}

static void ends_when_the_wait_would_pass_max_elapsed_time(void **state)
{
    struct pp_retry_config config = plain;
    struct pp_backoff b;

    (void)state;
    pp_backoff_start(&b, &plain, 5000);
    assert_int_equal(next(&b, -1, 0.5, 5900), 100);
    assert_int_equal(next(&b, -1, 0.5, 5900), UINT64_MAX);
    config.max_elapsed_time = 0;
    pp_backoff_start(&b, &config, 0);
    assert_int_equal(next(&b, -1, 0.5, 1ull << 40), 100);
    config.enabled = false;
    assert_int_equal(next(&b, -1, 0.5, 0), UINT64_MAX);
    pp_backoff_start(&b, NULL, 0);
    assert_int_equal(next(&b, -1, 0.5, 0), UINT64_MAX);
}

static void hurry_only_shortens(void **state)
{
    struct pp_backoff b;

    (void)state;
    pp_backoff_start(&b, &plain, 0);
    pp_backoff_hurry(&b, 500);
    assert_int_equal(next(&b, -1, 0.5, 0), 100);
    pp_backoff_hurry(&b, 20);
    assert_int_equal(next(&b, -1, 0.5, 0), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_the_maximum),
        cmocka_unit_test(jitter_spreads_both_ways),
        cmocka_unit_test(server_delay_is_a_minimum),
        cmocka_unit_test(ends_when_the_wait_would_pass_max_elapsed_time),
        cmocka_unit_test(hurry_only_shortens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
