#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "convert/any_text.h"
#include "convert/pprof_merge.h"
#include "convert/pprof_names.h"
#include "convert/pprof_open.h"
#include "convert/pprof_to_batch.h"
#include "convert/utf8_repair.h"
#include "profiles/any_value.h"

#define BYTES_MAX ((size_t)64 << 20)

/* A profile with every field of the format in use. */
static uint32_t add_string(struct pp_pprof *p, const char *s)
{
    for (uint32_t i = 0; i < p->strings.n; i++)
        if (pp_str_eq_c(p->strings.v[i], s))
            return i;
    assert_true(pp_vec_push(&p->strings, pp_str_c(s)));
    return (uint32_t)p->strings.n - 1;
}

static void add_label(struct pp_pprof *p, const char *key, const char *str, int64_t num, const char *unit)
{
    struct pp_pprof_label label = {.key = add_string(p, key), .num = num};

    label.str = str ? add_string(p, str) : 0;
    label.num_unit = unit ? add_string(p, unit) : 0;
    assert_true(pp_vec_push(&p->labels, label));
    p->samples.v[p->samples.n - 1].labels.n++;
}

static void add_sample(struct pp_pprof *p, const uint32_t *locations, uint32_t n, int64_t a, int64_t b)
{
    struct pp_pprof_sample sample = {{(uint32_t)p->location_refs.n, n}, {(uint32_t)p->values.n, 2}, {(uint32_t)p->labels.n, 0}};

    for (uint32_t i = 0; i < n; i++)
        assert_true(pp_vec_push(&p->location_refs, locations[i]));
    assert_true(pp_vec_push(&p->values, a) && pp_vec_push(&p->values, b));
    assert_true(pp_vec_push(&p->samples, sample));
}

static void add_types(struct pp_pprof *p)
{
    struct pp_pprof_value_type types[2];

    types[0] = (struct pp_pprof_value_type){add_string(p, "alloc_objects"), add_string(p, "count")};
    types[1] = (struct pp_pprof_value_type){add_string(p, "alloc_space"), add_string(p, "bytes")};
    assert_true(pp_vec_push(&p->sample_types, types[0]) && pp_vec_push(&p->sample_types, types[1]));
    p->period_type = (struct pp_pprof_value_type){add_string(p, "space"), add_string(p, "bytes")};
    p->period = 524288;
    p->time_nanos = 1700000000123456789;
    p->duration_nanos = 10000000000;
    p->default_sample_type = add_string(p, "alloc_space");
    p->doc_url = add_string(p, "https://example.com/doc");
    p->drop_frames = add_string(p, "runtime\\..*");
    p->keep_frames = add_string(p, "runtime\\.main");
    assert_true(pp_vec_push(&p->comments, add_string(p, "first")) && pp_vec_push(&p->comments, add_string(p, "second")));
}

static void add_code(struct pp_pprof *p)
{
    struct pp_pprof_mapping main_map = {1, 0x400000, 0x500000, 0x1000, add_string(p, "/bin/app"), add_string(p, "deadbeef01"), true, true, true, true};
    struct pp_pprof_mapping unused = {2, 0x700000, 0x800000, 0, add_string(p, "/lib/x.so"), add_string(p, "go/build/id"), false, true, false, false};
    struct pp_pprof_function f = {1, add_string(p, "main.work"), add_string(p, "_main.work"), add_string(p, "/src/a.go"), 10};
    struct pp_pprof_function g = {2, add_string(p, "main.inlined"), 0, add_string(p, "/src/b.go"), 0};
    struct pp_pprof_line lines[] = {{1, 22, 7}, {0, 11, 3}};

    assert_true(pp_vec_push(&p->mappings, main_map) && pp_vec_push(&p->mappings, unused));
    assert_true(pp_vec_push(&p->functions, f) && pp_vec_push(&p->functions, g));
    assert_true(pp_vec_push(&p->lines, lines[0]) && pp_vec_push(&p->lines, lines[1]));
    assert_true(pp_vec_push(&p->locations, (struct pp_pprof_location){1, 0x401234, 0, {0, 2}, true}));
    assert_true(pp_vec_push(&p->locations, (struct pp_pprof_location){2, 0x402000, 0, {0, 0}, false}));
    assert_true(pp_vec_push(&p->locations, (struct pp_pprof_location){3, 0xabc, PP_PPROF_NONE, {0, 0}, false}));
}

static void make_full(struct pp_pprof *p)
{
    static const uint32_t one[] = {0, 1}, two[] = {1, 2};

    *p = (struct pp_pprof){0};
    assert_true(pp_vec_push(&p->strings, PP_STR("")));
    add_types(p);
    add_code(p);
    add_sample(p, one, 2, 5, 4096);
    add_label(p, "bytes", NULL, 64, "bytes");
    add_label(p, "thread", "worker", 0, NULL);
    add_label(p, "thread", "io", 0, NULL);
    add_label(p, "mixed", "text", 0, NULL);
    add_label(p, "mixed", NULL, 7, NULL);
    add_label(p, "units", NULL, 1, "kilobytes");
    add_label(p, "units", NULL, 2, "seconds");
    add_label(p, "zero", NULL, 0, "bytes");
    add_sample(p, two, 2, 0, -3);
    add_sample(p, NULL, 0, 1, 1);
    add_sample(p, NULL, 0, 0, 0);
}

static void to_batch(const struct pp_pprof *p, struct pp_batch **ret)
{
    struct pp_pprof_origin origin = {.scope_name = PP_STR("test"), .scope_version = PP_STR("1")};
    struct pp_error err = {0};

    if (!pp_batch_from_pprof(p, &origin, ret, &err))
        fail_msg("%s", err.message);
}

static void to_pprof(struct pp_batch *batch, struct pp_pprof_merge *merge, bool exact)
{
    struct pp_error err = {0};
    const struct pp_tables *tables = pp_batch_tables(batch, &err);

    assert_non_null(tables);
    assert_true(pp_pprof_merge_add(merge, tables, &(struct pp_pprof_merge_options){.exact = exact}, &err));
}

static void assert_text(const struct pp_pprof *p, uint32_t s, const struct pp_pprof *q, uint32_t t)
{
    if (!pp_str_eq(p->strings.v[s], q->strings.v[t]))
        fail_msg("\"" PP_STR_FMT "\" became \"" PP_STR_FMT "\"", PP_STR_ARG(p->strings.v[s]), PP_STR_ARG(q->strings.v[t]));
}

static void assert_same_header(const struct pp_pprof *p, const struct pp_pprof *q)
{
    assert_int_equal(p->sample_types.n, q->sample_types.n);
    for (size_t i = 0; i < p->sample_types.n; i++) {
        assert_text(p, p->sample_types.v[i].type, q, q->sample_types.v[i].type);
        assert_text(p, p->sample_types.v[i].unit, q, q->sample_types.v[i].unit);
    }
    assert_text(p, p->period_type.type, q, q->period_type.type);
    assert_text(p, p->period_type.unit, q, q->period_type.unit);
    assert_text(p, p->drop_frames, q, q->drop_frames);
    assert_text(p, p->keep_frames, q, q->keep_frames);
    assert_text(p, p->doc_url, q, q->doc_url);
    assert_text(p, p->default_sample_type, q, q->default_sample_type);
    assert_true(p->time_nanos == q->time_nanos);
    assert_true(p->duration_nanos == q->duration_nanos);
    assert_true(p->period == q->period);
    assert_int_equal(p->comments.n, q->comments.n);
    for (size_t i = 0; i < p->comments.n; i++)
        assert_text(p, p->comments.v[i], q, q->comments.v[i]);
}

static void assert_same_mappings(const struct pp_pprof *p, const struct pp_pprof *q)
{
    assert_int_equal(p->mappings.n, q->mappings.n);
    for (size_t i = 0; i < p->mappings.n; i++) {
        const struct pp_pprof_mapping *a = &p->mappings.v[i], *b = &q->mappings.v[i];

        assert_true(a->memory_start == b->memory_start && a->memory_limit == b->memory_limit && a->file_offset == b->file_offset);
        assert_text(p, a->filename, q, b->filename);
        assert_text(p, a->build_id, q, b->build_id);
        assert_true(a->has_functions == b->has_functions && a->has_filenames == b->has_filenames);
        assert_true(a->has_line_numbers == b->has_line_numbers && a->has_inline_frames == b->has_inline_frames);
    }
}

static void assert_same_location(const struct pp_pprof *p, const struct pp_pprof_location *a, const struct pp_pprof *q, const struct pp_pprof_location *b)
{
    assert_true(a->address == b->address);
    assert_int_equal(a->mapping, b->mapping);
    assert_int_equal(a->is_folded, b->is_folded);
    assert_int_equal(a->lines.n, b->lines.n);
    for (uint32_t i = 0; i < a->lines.n; i++) {
        const struct pp_pprof_line *x = &p->lines.v[a->lines.first + i], *y = &q->lines.v[b->lines.first + i];
        const struct pp_pprof_function *f = &p->functions.v[x->function], *g = &q->functions.v[y->function];

        assert_true(x->line == y->line && x->column == y->column && f->start_line == g->start_line);
        assert_text(p, f->name, q, g->name);
        assert_text(p, f->system_name, q, g->system_name);
        assert_text(p, f->filename, q, g->filename);
    }
}

static void assert_same_samples(const struct pp_pprof *p, const struct pp_pprof *q)
{
    assert_int_equal(p->samples.n, q->samples.n);
    for (size_t i = 0; i < p->samples.n; i++) {
        const struct pp_pprof_sample *a = &p->samples.v[i], *b = &q->samples.v[i];

        assert_int_equal(a->locations.n, b->locations.n);
        for (uint32_t j = 0; j < a->locations.n; j++)
            assert_same_location(p, &p->locations.v[p->location_refs.v[a->locations.first + j]], q,
                                 &q->locations.v[q->location_refs.v[b->locations.first + j]]);
        assert_int_equal(a->values.n, b->values.n);
        for (uint32_t j = 0; j < a->values.n; j++)
            assert_true(p->values.v[a->values.first + j] == q->values.v[b->values.first + j]);
        assert_int_equal(a->labels.n, b->labels.n);
        for (uint32_t j = 0; j < a->labels.n; j++) {
            const struct pp_pprof_label *x = &p->labels.v[a->labels.first + j], *y = &q->labels.v[b->labels.first + j];

            assert_text(p, x->key, q, y->key);
            assert_text(p, x->str, q, y->str);
            assert_text(p, x->num_unit, q, y->num_unit);
            assert_true(x->num == y->num);
        }
    }
}

static void test_nothing_is_lost(void **state)
{
    struct pp_pprof p;
    struct pp_pprof_merge merge = {0};
    struct pp_batch *batch;

    (void)state;
    make_full(&p);
    to_batch(&p, &batch);
    assert_int_equal(pp_batch_profiles(batch), 2);
    assert_int_equal(pp_batch_samples(batch), 8);
    to_pprof(batch, &merge, true);
    assert_same_header(&p, &merge.profile);
    assert_same_mappings(&p, &merge.profile);
    assert_same_samples(&p, &merge.profile);
    pp_pprof_merge_done(&merge);
    pp_batch_unref(batch);
    pp_pprof_done(&p);
}

/* The same through the wire: what we make passes our own check of the data-format rules. */
static void test_over_otlp(void **state)
{
    struct pp_pprof p;
    struct pp_pprof_merge merge = {0};
    struct pp_batch *batch, *again;
    struct pp_bytes *wire;
    struct pp_error err = {0};

    (void)state;
    make_full(&p);
    to_batch(&p, &batch);
    assert_true(pp_batch_encode(batch, &(struct pp_encode_options){0}, &wire, &err));
    if (!pp_batch_from_otlp(&(struct pp_batch_source){.wire = wire}, &again, &err))
        fail_msg("%s", err.message);
    to_pprof(again, &merge, true);
    assert_same_header(&p, &merge.profile);
    assert_same_mappings(&p, &merge.profile);
    assert_same_samples(&p, &merge.profile);
    pp_pprof_merge_done(&merge);
    pp_bytes_unref(wire);
    pp_batch_unref(batch);
    pp_batch_unref(again);
    pp_pprof_done(&p);
}

static const struct pp_str *attribute_of(const struct pp_tables *t, struct pp_range attrs, const char *key, struct pp_str *ret_unit)
{
    for (uint32_t i = 0; i < attrs.n; i++) {
        const struct pp_attribute *a = &t->attributes.v[t->attr_indices.v[attrs.first + i]];

        if (!pp_str_eq_c(t->strings.v[a->key], key))
            continue;
        *ret_unit = t->strings.v[a->unit];
        return &a->value;
    }
    return NULL;
}

static void assert_attribute(const struct pp_tables *t, struct pp_range attrs, const char *key, const char *want, const char *want_unit)
{
    struct pp_str unit;
    const struct pp_str *value = attribute_of(t, attrs, key, &unit);
    struct pp_buf buf;

    if (!value)
        fail_msg("no attribute %s", key);
    pp_buf_init(&buf, 4096);
    pp_any_text_add(&buf, *value);
    if (!pp_str_eq_c(pp_buf_str(&buf), want) || !pp_str_eq_c(unit, want_unit))
        fail_msg("%s: " PP_STR_FMT " (" PP_STR_FMT ")", key, PP_STR_ARG(pp_buf_str(&buf)), PP_STR_ARG(unit));
    pp_buf_done(&buf);
}

/* The shape that the semantic conventions and the Collector's translator prescribe. */
static void test_shape(void **state)
{
    struct pp_pprof p;
    struct pp_batch *batch;
    const struct pp_tables *t;
    struct pp_error err;

    (void)state;
    make_full(&p);
    to_batch(&p, &batch);
    t = pp_batch_tables(batch, &err);
    assert_int_equal(t->scopes.n, 1);
    assert_int_equal(t->profiles.n, 2);
    assert_true(pp_str_eq_c(t->strings.v[t->profiles.v[1].sample_type.type], "alloc_space"));
    assert_int_equal(t->profiles.v[0].period, 524288);
    assert_attribute(t, t->profiles.v[0].attrs, PP_ATTR_COMMENT, "[\"first\",\"second\"]", "");
    assert_attribute(t, t->profiles.v[1].attrs, PP_ATTR_DOC_URL, "https://example.com/doc", "");
    assert_int_equal(t->scopes.v[0].attributes.n, 2);
    assert_true(pp_str_eq_c(t->key_values.v[t->scopes.v[0].attributes.first].key, PP_ATTR_SAMPLE_TYPE_ORDER));
    assert_attribute(t, t->samples.attrs[0], "bytes", "64", "bytes");
    assert_attribute(t, t->samples.attrs[0], "thread", "[\"worker\",\"io\"]", "");
    assert_attribute(t, t->samples.attrs[0], "mixed", "[\"text\",7]", "");
    assert_attribute(t, t->samples.attrs[0], "units", "[{\"num\":1,\"unit\":\"kilobytes\"},{\"num\":2,\"unit\":\"seconds\"}]", "");
    assert_attribute(t, t->mappings.v[1].attrs, PP_ATTR_BUILD_ID_GNU, "deadbeef01", "");
    assert_attribute(t, t->mappings.v[2].attrs, PP_ATTR_BUILD_ID_GO, "go/build/id", "");
    assert_int_equal(t->samples.values[4].n, 1);
    assert_int_equal(t->values.v[t->samples.values[4].first], 4096);
    pp_batch_unref(batch);
    pp_pprof_done(&p);
}

/* Merging doubles the values and nothing else; past the limit there is "[other]". */
static void test_merge(void **state)
{
    struct pp_pprof p;
    struct pp_pprof_merge merge = {0}, small = {.samples_max = 1};
    struct pp_batch *batch;
    const struct pp_pprof *q = &merge.profile;

    (void)state;
    make_full(&p);
    to_batch(&p, &batch);
    to_pprof(batch, &merge, false);
    to_pprof(batch, &merge, false);
    assert_same_header(&p, q);
    assert_int_equal(q->samples.n, 3);
    assert_int_equal(q->values.v[q->samples.v[0].values.first + 1], 8192);
    assert_int_equal(q->values.v[q->samples.v[1].values.first + 1], -6);
    to_pprof(batch, &small, false);
    q = &small.profile;
    assert_int_equal(q->samples.n, 2);
    assert_int_equal(q->values.v[q->samples.v[0].values.first + 1], 4096);
    assert_int_equal(q->values.v[q->samples.v[1].values.first + 1], -2);
    assert_true(pp_str_eq_c(q->strings.v[q->functions.v[q->functions.n - 1].name], "[other]"));
    pp_pprof_merge_done(&merge);
    pp_pprof_merge_done(&small);
    pp_batch_unref(batch);
    pp_pprof_done(&p);
}

#ifdef PP_ALLOC_FAULTS
static void check_merge_failures(const struct pp_pprof *p)
{
    struct pp_batch *batch;
    const struct pp_tables *tables;
    struct pp_error err;
    bool whole = false;

    to_batch(p, &batch);
    tables = pp_batch_tables(batch, &err);
    for (size_t n = 1; !whole; n++) {
        struct pp_pprof_merge merge = {0};
        struct pp_buf buf;

        pp_buf_init(&buf, BYTES_MAX);
        pp_alloc_fail_at(n);
        if (pp_pprof_merge_add(&merge, tables, &(struct pp_pprof_merge_options){.exact = n % 2}, &err))
            whole = pp_pprof_encode(&merge.profile, &buf) && pp_alloc_count() < n;
        else
            pp_pprof_encode(&merge.profile, &buf); /* part of it is still a profile */
        pp_alloc_fail_at(0);
        pp_buf_done(&buf);
        pp_pprof_merge_done(&merge);
        assert_true(n < 10000);
    }
    pp_batch_unref(batch);
}
#endif

/* Every allocation on the way fails once; nothing leaks, nothing crashes (the sanitizers tell). */
static void test_allocation_failures(void **state)
{
#ifdef PP_ALLOC_FAULTS
    struct pp_pprof p;
    size_t limit;

    (void)state;
    make_full(&p);
    pp_alloc_fail_at(0);
    {
        struct pp_batch *batch;
        to_batch(&p, &batch);
        pp_batch_unref(batch);
    }
    limit = pp_alloc_count();
    assert_true(limit > 10);
    for (size_t n = 1; n <= limit; n++) {
        struct pp_pprof_origin origin = {0};
        struct pp_error err = {0};
        struct pp_batch *batch = NULL;
        bool ok;

        pp_alloc_fail_at(n);
        ok = pp_batch_from_pprof(&p, &origin, &batch, &err);
        pp_alloc_fail_at(0);
        if (ok)
            pp_batch_unref(batch);
        else
            assert_int_equal(err.kind, PP_ERR_NOMEM);
    }
    check_merge_failures(&p);
    pp_pprof_done(&p);
#else
    (void)state;
    skip();
#endif
}

static void test_open(void **state)
{
    static const struct {
        struct pp_str content;
        const char *want;
    } cases[] = {
        {PP_STR(""), "empty profile"},
        {PP_STR("<!doctype html><p>no</p>"), "an HTML page"},
        {PP_STR("{\"error\": 1}"), "JSON"},
        {PP_STR("\x1f\x8bgarbage"), "profile: "},
        {PP_STR("\x28\xb5\x2f\xfdgarbage"), "profile: "},
    };
    struct pp_pprof_file file;
    struct pp_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(pp_pprof_file_open(cases[i].content, &file, &err));
        if (!strstr(err.message, cases[i].want))
            fail_msg("case %zu: %s", i, err.message);
    }
}

static void test_repair(void **state)
{
    struct pp_arena arena = {0};
    struct pp_str out;

    (void)state;
    assert_true(pp_utf8_repair(&arena, PP_STR("a\xFF\xC3\xA9\xE2\x82z"), &out));
    assert_true(pp_str_eq_c(out, "a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBDz"));
    pp_arena_done(&arena);
}

/* convert_test --round-trip IN OUT: a pprof to a batch, over OTLP bytes and back; the oracle's tool compares (go_oracle_test.sh). */
static int round_trip(const char *in, const char *out)
{
    FILE *f = fopen(in, "rb");
    char *content = malloc(BYTES_MAX);
    struct pp_pprof_file file;
    struct pp_pprof_origin origin = {0};
    struct pp_pprof_merge merge = {0};
    struct pp_batch *batch, *again;
    struct pp_bytes *wire;
    struct pp_error err;
    struct pp_buf buf;
    size_t n = f ? fread(content, 1, BYTES_MAX, f) : 0;

    pp_buf_init(&buf, BYTES_MAX);
    if (!f || !pp_pprof_file_open((struct pp_str){content, n}, &file, &err) || !pp_batch_from_pprof(&file.profile, &origin, &batch, &err) ||
        !pp_batch_encode(batch, &(struct pp_encode_options){0}, &wire, &err) ||
        !pp_batch_from_otlp(&(struct pp_batch_source){.wire = wire}, &again, &err)) {
        fprintf(stderr, "%s: %s\n", in, f ? err.message : "cannot be read");
        return 1;
    }
    fclose(f);
    to_pprof(again, &merge, true);
    if (!pp_pprof_encode(&merge.profile, &buf) || !(f = fopen(out, "wb")) || fwrite(buf.data, 1, buf.len, f) != buf.len || fclose(f))
        return 1;
    pp_pprof_merge_done(&merge);
    pp_pprof_file_done(&file);
    pp_bytes_unref(wire);
    pp_batch_unref(batch);
    pp_batch_unref(again);
    pp_buf_done(&buf);
    free(content);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_lost), cmocka_unit_test(test_over_otlp), cmocka_unit_test(test_shape),
        cmocka_unit_test(test_merge),           cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_open),            cmocka_unit_test(test_repair),
    };

    if (argc == 4 && strcmp(argv[1], "--round-trip") == 0)
        return round_trip(argv[2], argv[3]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
