#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"
#include "profiles/batch.h"
#include "profiles/testing/batch_testing.h"
#include "proto/otlp/testing/wire_text.h"

static const struct pp_encode_options inline_keys = {0};
static const struct pp_test_shape rich = {
    .resources = 2, .scopes = 2, .profiles = 2, .samples = 20, .functions = 40, .stacks = 30, .depth = 20, .rich = true};

#define PARTS_MAX 512

struct parts {
    struct pp_batch *v[PARTS_MAX];
    size_t n, stop_at;
};

static bool take_part(void *arg, struct pp_batch *part)
{
    struct parts *parts = arg;

    assert_true(parts->n < PARTS_MAX);
    parts->v[parts->n++] = part;
    return parts->n != parts->stop_at;
}

static void drop(struct parts *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        pp_batch_unref(parts->v[i]);
    parts->n = 0;
}

static size_t encoded_bytes(struct pp_batch *batch)
{
    struct pp_bytes *bytes = NULL;
    struct pp_batch_source source = {0};
    struct pp_batch *back;
    struct pp_error err = {0};
    size_t n;

    assert_true(pp_batch_encode(batch, &inline_keys, &bytes, NULL));
    source.wire = bytes;
    if (!pp_batch_from_otlp(&source, &back, &err))
        fail_msg("%s", err.message);
    assert_int_equal(pp_batch_samples(back), pp_batch_samples(batch));
    pp_batch_unref(back);
    n = bytes->len;
    pp_bytes_unref(bytes);
    return n;
}

/* Every entry but the first of each table is used by something. */
static void assert_no_orphans(struct pp_batch *batch)
{
    const struct pp_tables *t = pp_batch_tables(batch, NULL);
    uint8_t *used = calloc(t->stacks.n + t->locations.n + t->functions.n, 1);
    uint8_t *locations = used + t->stacks.n, *functions = locations + t->locations.n;

    for (uint32_t i = 0; i < t->samples.n; i++)
        used[t->samples.stack[i]] = 1;
    for (uint32_t i = 0; i < t->location_indices.n; i++)
        locations[t->location_indices.v[i]] = 1;
    for (uint32_t i = 0; i < t->lines.n; i++)
        functions[t->lines.v[i].function] = 1;
    for (uint32_t i = 1; i < t->stacks.n; i++)
        assert_int_equal(used[i], 1);
    for (uint32_t i = 1; i < t->locations.n; i++)
        assert_int_equal(locations[i], 1);
    for (uint32_t i = 1; i < t->functions.n; i++)
        assert_int_equal(functions[i], 1);
    free(used);
}

static void assert_same_samples(struct pp_batch *const *a, size_t a_n, struct pp_batch *const *b, size_t b_n)
{
    char *x = pp_test_dump_sorted(a, a_n), *y = pp_test_dump_sorted(b, b_n);

    assert_string_equal(x, y);
    free(x);
    free(y);
}

static void test_split_then_merge(void **state)
{
    static const struct pp_batch_limits limits[] = {{7, 0}, {1, 0}, {0, 4000}, {0, 1}, {33, 9000}, {0, 12000}};

    (void)state;
    for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
        struct pp_batch *batch = pp_test_batch(&rich, 11 + l), *merged = NULL;
        struct parts parts = {0};

        assert_true(pp_batch_split(batch, &limits[l], take_part, &parts, NULL));
        assert_true(parts.n > 1);
        for (size_t i = 0; i < parts.n; i++) {
            size_t bytes = encoded_bytes(parts.v[i]);

            assert_true(!limits[l].samples_max || pp_batch_samples(parts.v[i]) <= limits[l].samples_max);
            assert_true(!limits[l].bytes_max || bytes <= limits[l].bytes_max || pp_batch_samples(parts.v[i]) == 1);
            assert_no_orphans(parts.v[i]);
        }
        assert_same_samples(&batch, 1, parts.v, parts.n);
        assert_true(pp_batch_merge(parts.v, parts.n, &merged, NULL));
        assert_same_samples(&batch, 1, &merged, 1);
        assert_int_equal(pp_batch_resources(merged), pp_batch_resources(batch));
        assert_int_equal(pp_batch_tables(merged, NULL)->scopes.n, pp_batch_tables(batch, NULL)->scopes.n);
        assert_true(pp_batch_tables(merged, NULL)->strings.n <= pp_batch_tables(batch, NULL)->strings.n);
        assert_true(pp_batch_tables(merged, NULL)->locations.n <= pp_batch_tables(batch, NULL)->locations.n);
        encoded_bytes(merged);
        assert_no_orphans(merged);
        pp_batch_unref(merged);
        drop(&parts);
        pp_batch_unref(batch);
    }
}

/* How full parts are: a bound that is far from the truth would cut messages into crumbs. */
static void test_split_bytes_is_tight(void **state)
{
    static const struct pp_test_shape plain = {.resources = 1, .scopes = 1, .profiles = 1, .samples = 3000, .functions = 500, .stacks = 900, .depth = 30};
    struct pp_batch *batch = pp_test_batch(&plain, 1);
    struct parts parts = {0};
    size_t total = 0;

    (void)state;
    assert_true(pp_batch_split(batch, &(struct pp_batch_limits){.bytes_max = 20000}, take_part, &parts, NULL));
    for (size_t i = 0; i + 1 < parts.n; i++)
        total += encoded_bytes(parts.v[i]);
    assert_true(total > (parts.n - 1) * 18500);
    drop(&parts);
    pp_batch_unref(batch);
}

static void test_split_within_limits(void **state)
{
    struct pp_batch *batch = pp_test_batch(&rich, 2);
    struct parts parts = {0};

    (void)state;
    assert_true(pp_batch_split(batch, &(struct pp_batch_limits){0}, take_part, &parts, NULL));
    assert_int_equal(parts.n, 1);
    assert_ptr_equal(parts.v[0], batch);
    drop(&parts);
    parts.stop_at = 2;
    assert_true(pp_batch_split(batch, &(struct pp_batch_limits){.samples_max = 5}, take_part, &parts, NULL));
    assert_int_equal(parts.n, 2);
    drop(&parts);
    pp_batch_unref(batch);
}

static void test_merge_shares_dictionary(void **state)
{
    struct pp_batch *batches[5], *merged;
    const struct pp_tables *one, *all;

    (void)state;
    for (size_t i = 0; i < 5; i++)
        batches[i] = pp_test_batch(&rich, 4);
    assert_true(pp_batch_merge(batches, 5, &merged, NULL));
    assert_same_samples(batches, 5, &merged, 1);
    one = pp_batch_tables(batches[0], NULL);
    all = pp_batch_tables(merged, NULL);
    assert_int_equal(all->resources.n, one->resources.n);
    assert_int_equal(all->scopes.n, one->scopes.n);
    assert_int_equal(all->profiles.n, 5 * one->profiles.n);
    assert_true(all->stacks.n <= one->stacks.n && all->strings.n <= one->strings.n);
    for (size_t i = 0; i < 5; i++)
        pp_batch_unref(batches[i]);
    pp_batch_unref(merged);
}

static struct pp_batch *from_text(const char *text)
{
    struct pp_batch_source source = {0};
    struct pp_batch *batch;
    struct pp_buf buf;

    pp_wire_text(&buf, text);
    source.wire = pp_bytes_take(&buf);
    assert_true(pp_batch_from_otlp(&source, &batch, NULL));
    pp_bytes_unref(source.wire);
    return batch;
}

/* What is unknown makes its owner different from all others, and goes where the owner goes. */
static void test_unknown_fields_travel(void **state)
{
    static const char text[] = "1{1{1{1\"k\" 2{1\"v\"}}} 2{1{1\"s\"} 2{1{} 2{1:1 4[5] 13:1} 5{}}}}"
                               " 2{1{} 2{} 2{2:5 3{1:1 15:2}} 3{} 3{1:1 15:4} 4{} 5\"\" 5\"f\" 6{} 7{} 7{1[1]}}";
    static const char resource[] = "1{1{1{1\"k\" 2{1\"v\"}} 15:9} 2{1{1\"s\"} 2{1{} 2{4[5]} 5{}}}} 2{1{} 2{} 3{} 4{} 5\"\" 6{} 7{}}";
    struct pp_batch *batches[3] = {from_text(text), from_text(text), from_text(resource)}, *merged;
    struct pp_bytes *bytes;

    (void)state;
    assert_true(pp_batch_merge(batches, 3, &merged, NULL));
    assert_int_equal(pp_batch_tables(merged, NULL)->functions.n, 3);
    assert_int_equal(pp_batch_resources(merged), 2);
    assert_true(pp_batch_encode(merged, &inline_keys, &bytes, NULL));
    assert_non_null(memmem(bytes->data, bytes->len, "\x22\x01\x05\x68\x01", 5)); /* values, then field 13 */
    assert_non_null(memmem(bytes->data, bytes->len, "\x08\x01\x78\x02", 4));     /* line */
    assert_non_null(memmem(bytes->data, bytes->len, "\x08\x01\x78\x04", 4));     /* function */
    assert_non_null(memmem(bytes->data, bytes->len, "\x78\x09", 2));             /* resource */
    pp_bytes_unref(bytes);
    pp_batch_unref(merged);
    for (size_t i = 0; i < 3; i++)
        pp_batch_unref(batches[i]);
}

static bool keep_bit(void *arg, const struct pp_tables *tables, uint32_t resource)
{
    assert_true(resource < tables->resources.n);
    return *(unsigned *)arg >> resource & 1;
}

static void test_filter(void **state)
{
    struct pp_batch *batch = pp_test_batch(&rich, 6), *a, *b, *both[2];
    unsigned first = 1, second = 2, all = 3, none = 0;

    (void)state;
    assert_true(pp_batch_filter_resources(batch, keep_bit, &all, &a, NULL));
    assert_ptr_equal(a, batch);
    pp_batch_unref(a);
    assert_true(pp_batch_filter_resources(batch, keep_bit, &none, &a, NULL));
    assert_null(a);
    assert_true(pp_batch_filter_resources(batch, keep_bit, &first, &a, NULL));
    assert_true(pp_batch_filter_resources(batch, keep_bit, &second, &b, NULL));
    assert_int_equal(pp_batch_resources(a), 1);
    assert_no_orphans(a);
    both[0] = a;
    both[1] = b;
    assert_same_samples(&batch, 1, both, 2);
    pp_batch_unref(a);
    pp_batch_unref(b);
    pp_batch_unref(batch);
}

/* An unused string, function and location, and a string that stands there twice. */
static void test_compact(void **state)
{
    struct pp_batch *batch = from_text("1{1{1{1\"k\" 2{1\"v\"}}} 2{1{} 2{1{1:2} 2{1:1 4[5]} 5{1:3}}}}"
                                       " 2{1{} 2{} 2{2:5} 2{2:6} 3{} 3{1:1} 4{} 5\"\" 5\"unused\" 5\"cpu\" 5\"cpu\" 6{} 7{} 7{1[2]}}"),
                    *compact;
    const struct pp_tables *t;

    (void)state;
    assert_true(pp_batch_compact(batch, &compact, NULL));
    assert_same_samples(&batch, 1, &compact, 1);
    t = pp_batch_tables(compact, NULL);
    assert_int_equal(t->strings.n, 2);
    assert_int_equal(t->functions.n, 1);
    assert_int_equal(t->locations.n, 2);
    assert_int_equal(t->profiles.v[0].sample_type.type, t->profiles.v[0].period_type.type);
    pp_batch_unref(compact);
    pp_batch_unref(batch);
}

/* Lists that an edit has moved no longer stand in the samples' order, and what only a dropped profile used is left behind. */
static void test_edited_lists(void **state)
{
    (void)state;
    for (unsigned column = 0; column < 4; column++) {
        struct pp_batch *batches[2] = {pp_test_batch(&rich, 8), pp_test_batch(&rich, 9)}, *merged, *compact;
        struct pp_tables *t = pp_batch_edit(&batches[0], PP_EDIT_SAMPLES | PP_EDIT_SCOPES, NULL);
        uint32_t a = 1, b = 3;

        if (column < 2) { /* attributes of two samples change places; those of one are gone */
            struct pp_range first = t->samples.attrs[a];

            t->samples.attrs[a] = t->samples.attrs[b];
            t->samples.attrs[b] = column ? (struct pp_range){0} : first;
        } else if (column == 2) { /* with their values, which belong together with the timestamps */
            struct pp_range values = t->samples.values[a], timestamps = t->samples.timestamps[a];

            t->samples.values[a] = t->samples.values[b];
            t->samples.timestamps[a] = t->samples.timestamps[b];
            t->samples.values[b] = values;
            t->samples.timestamps[b] = timestamps;
        } else {
            t->scopes.v[0].profiles.n--;
        }
        assert_true(pp_batch_compact(batches[0], &compact, NULL));
        assert_no_orphans(compact);
        assert_true(pp_batch_merge(batches, 2, &merged, NULL));
        assert_no_orphans(merged);
        if (column < 3) {
            assert_same_samples(&batches[0], 1, &compact, 1);
            assert_same_samples(batches, 2, &merged, 1);
        }
        pp_batch_unref(batches[0]);
        batches[0] = compact;
        assert_same_samples(batches, 2, &merged, 1);
        pp_batch_unref(compact);
        pp_batch_unref(merged);
        pp_batch_unref(batches[1]);
    }
}

#ifdef PP_ALLOC_FAULTS
static bool merge_and_split(size_t fail_at)
{
    static const struct pp_test_shape small = {2, 1, 1, 6, 10, 5, 5, true};
    struct pp_batch *batches[2] = {pp_test_batch(&small, 1), pp_test_batch(&small, 2)}, *merged = NULL, *part = NULL, *compact = NULL;
    struct parts parts = {0};
    struct pp_error err = {0};
    unsigned first = 1;
    bool ok;

    pp_alloc_fail_at(fail_at);
    ok = pp_batch_merge(batches, 2, &merged, &err) &&
         pp_batch_filter_resources(merged, keep_bit, &first, &part, &err) && pp_batch_compact(merged, &compact, &err) &&
         pp_batch_split(merged, &(struct pp_batch_limits){.samples_max = 5}, take_part, &parts, &err);
    pp_alloc_fail_at(0);
    assert_true(ok || err.kind == PP_ERR_NOMEM);
    drop(&parts);
    pp_batch_unref(part);
    pp_batch_unref(compact);
    pp_batch_unref(merged);
    pp_batch_unref(batches[0]);
    pp_batch_unref(batches[1]);
    return ok;
}

static void test_allocation_failures(void **state)
{
    size_t n = 1;

    (void)state;
    while (!merge_and_split(n))
        n++;
    assert_true(n > 100);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_then_merge),
        cmocka_unit_test(test_split_bytes_is_tight),
        cmocka_unit_test(test_split_within_limits),
        cmocka_unit_test(test_merge_shares_dictionary),
        cmocka_unit_test(test_unknown_fields_travel),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_compact),
        cmocka_unit_test(test_edited_lists),
#ifdef PP_ALLOC_FAULTS
        cmocka_unit_test(test_allocation_failures),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
