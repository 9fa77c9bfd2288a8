#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pipeline/telemetry.h"

static const struct pp_metric sent = {"otelcol_exporter_sent_profile_samples", "Samples sent.", "{samples}", NULL, 0};
static const double bounds[] = {1, 10};
static const struct pp_metric sizes = {"otelcol_sizes", "Sizes.", "By", bounds, 2};

static char *text(struct pp_telemetry *telemetry, bool suffixes)
{
    struct pp_telemetry_text_options options = {suffixes, suffixes};
    struct pp_buf buf;
    char *s;

    pp_buf_init(&buf, 1 << 20);
    assert_true(pp_telemetry_write(telemetry, &options, &buf));
    s = pp_str_dup(pp_buf_str(&buf));
    pp_buf_done(&buf);
    return s;
}

static void series_are_found_again_and_escaped(void **state)
{
    struct pp_telemetry *telemetry = pp_telemetry_new();
    struct pp_label label = {"exporter", "a\"b\\c\nd"};
    struct pp_counter *counter = pp_telemetry_counter(telemetry, &sent, &label, 1);
    char *s;

    (void)state;
    pp_counter_add(counter, 3);
    assert_ptr_equal(pp_telemetry_counter(telemetry, &sent, &label, 1), counter);
    pp_counter_add(counter, 4);
    assert_int_equal(pp_telemetry_value(telemetry, sent.name, &label, 1), 7);
    s = text(telemetry, false);
    assert_non_null(strstr(s, "# TYPE otelcol_exporter_sent_profile_samples counter\n"));
    assert_non_null(strstr(s, "otelcol_exporter_sent_profile_samples{exporter=\"a\\\"b\\\\c\\nd\"} 7\n"));
    assert_non_null(strstr(s, "\notelcol_process_uptime "));
    pp_free(s);
    s = text(telemetry, true);
    assert_non_null(strstr(s, "otelcol_exporter_sent_profile_samples_total{"));
    assert_non_null(strstr(s, "\notelcol_process_memory_rss_bytes "));
    assert_non_null(strstr(s, "\notelcol_process_cpu_seconds_total "));
    pp_free(s);
    pp_telemetry_free(telemetry);
}

static void histogram_buckets_are_cumulative(void **state)
{
    struct pp_telemetry *telemetry = pp_telemetry_new();
    struct pp_histogram *histogram = pp_telemetry_histogram(telemetry, &sizes, NULL, 0);
    char *s;

    (void)state;
    pp_histogram_record(histogram, 1);
    pp_histogram_record(histogram, 2);
    pp_histogram_record(histogram, 100);
    s = text(telemetry, false);
    assert_non_null(strstr(s, "otelcol_sizes_bucket{le=\"1\"} 1\n"));
    assert_non_null(strstr(s, "otelcol_sizes_bucket{le=\"10\"} 2\n"));
    assert_non_null(strstr(s, "otelcol_sizes_bucket{le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(s, "otelcol_sizes_sum 103\notelcol_sizes_count 3\n"));
    pp_free(s);
    pp_telemetry_free(telemetry);
}

static void a_full_registry_still_gives_series(void **state)
{
    struct pp_telemetry *telemetry = pp_telemetry_new();
    char value[32];
    struct pp_label label = {"i", value};

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        snprintf(value, sizeof(value), "%u", i);
        pp_gauge_add(pp_telemetry_gauge(telemetry, &sent, &label, 1), 1);
    }
    /* The same name as another kind is not shown, and harmless. */
    pp_counter_add(pp_telemetry_counter(telemetry, &sent, &label, 1), 5);
    assert_int_equal(pp_telemetry_value(telemetry, sent.name, &label, 1), 1);
    pp_counter_add(pp_telemetry_counter(NULL, &sent, &label, 1), 5);
    pp_histogram_record(pp_telemetry_histogram(NULL, &sizes, NULL, 0), 1);
    pp_telemetry_free(telemetry);
}

static void *add_many(void *arg)
{
    struct pp_telemetry *telemetry = arg;

    for (int i = 0; i < 1000; i++) {
        pp_counter_add(pp_telemetry_counter(telemetry, &sent, NULL, 0), 1);
        pp_histogram_record(pp_telemetry_histogram(telemetry, &sizes, NULL, 0), 1);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    struct pp_telemetry *telemetry = pp_telemetry_new();
    pthread_t threads[4];
    char *s;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, telemetry), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(pp_telemetry_value(telemetry, sent.name, NULL, 0), 4000);
    s = text(telemetry, false);
    assert_non_null(strstr(s, "otelcol_sizes_sum 4000\n"));
    pp_free(s);
    pp_telemetry_free(telemetry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_are_found_again_and_escaped),
        cmocka_unit_test(histogram_buckets_are_cumulative),
        cmocka_unit_test(a_full_registry_still_gives_series),
        cmocka_unit_test(threads_lose_no_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
