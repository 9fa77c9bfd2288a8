#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "profiles/any_value.h"
#include "profiles/builder.h"
#include "profiles/edit.h"
#include "profiles/testing/batch_testing.h"
#include "proto/otlp/testing/wire_text.h"

#define EDIT_ALL 0x7FFu

static const struct pp_encode_options inline_keys = {0}, by_reference = {.references = true};
static const struct pp_test_shape rich = {
    .resources = 2, .scopes = 2, .profiles = 2, .samples = 20, .functions = 40, .stacks = 30, .depth = 20, .rich = true};

static struct pp_batch *from_bytes(struct pp_bytes *bytes, enum pp_layout layout)
{
    struct pp_batch_source source = {.wire = bytes, .layout = layout};
    struct pp_batch *batch = NULL;
    struct pp_error err = {0};

    if (!pp_batch_from_otlp(&source, &batch, &err))
        fail_msg("%s", err.message);
    return batch;
}

static struct pp_batch *from_text(const char *text, enum pp_layout layout)
{
    struct pp_bytes *bytes;
    struct pp_batch *batch;
    struct pp_buf buf;

    pp_wire_text(&buf, text);
    bytes = pp_bytes_take(&buf);
    batch = from_bytes(bytes, layout);
    pp_bytes_unref(bytes);
    return batch;
}

static struct pp_bytes *encode(struct pp_batch *batch, const struct pp_encode_options *options)
{
    struct pp_bytes *bytes = NULL;
    struct pp_error err = {0};

    if (!pp_batch_encode(batch, options, &bytes, &err))
        fail_msg("%s", err.message);
    return bytes;
}

static void assert_same_content(struct pp_batch *a, struct pp_batch *b)
{
    char *x = pp_test_dump_sorted(&a, 1), *y = pp_test_dump_sorted(&b, 1);

    assert_string_equal(x, y);
    assert_int_equal(pp_batch_samples(a), pp_batch_samples(b));
    assert_int_equal(pp_batch_profiles(a), pp_batch_profiles(b));
    assert_int_equal(pp_batch_resources(a), pp_batch_resources(b));
    free(x);
    free(y);
}

static void assert_same_bytes(struct pp_bytes *a, struct pp_bytes *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->data, b->data, a->len);
}

static void test_built_encoded_decoded(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct pp_batch *built = pp_test_batch(&rich, seed), *back;
        struct pp_bytes *bytes = encode(built, &inline_keys), *again;

        assert_true(bytes->len <= pp_batch_wire_bytes(built));
        back = from_bytes(bytes, PP_LAYOUT_AUTO);
        again = encode(back, &inline_keys);
        assert_ptr_equal(again, bytes);
        assert_same_content(built, back);
        pp_bytes_unref(again);
        pp_bytes_unref(bytes);
        pp_batch_unref(back);
        pp_batch_unref(built);
    }
}

/* Re-encoding a table that was opened for writing but not written gives the same bytes: each table alone, then all. */
static void test_edit_nothing(void **state)
{
    struct pp_batch *built = pp_test_batch(&rich, 77);
    struct pp_bytes *bytes = encode(built, &inline_keys);

    (void)state;
    for (unsigned set = 1; set <= EDIT_ALL + 1; set *= 2) {
        struct pp_batch *batch = from_bytes(bytes, PP_LAYOUT_AUTO);
        struct pp_bytes *again;

        assert_non_null(pp_batch_edit(&batch, set > EDIT_ALL ? EDIT_ALL : set, NULL));
        again = encode(batch, &inline_keys);
        assert_ptr_not_equal(again, bytes);
        assert_same_bytes(again, bytes);
        assert_true(again->len <= pp_batch_wire_bytes(batch));
        pp_bytes_unref(again);
        pp_batch_unref(batch);
    }
    pp_bytes_unref(bytes);
    pp_batch_unref(built);
}

static void set_service_name(struct pp_batch **batch, const char *name)
{
    struct pp_tables *t = pp_batch_edit(batch, PP_EDIT_RESOURCES, NULL);
    struct pp_key_value kv = {.key = PP_STR("service.name")};

    assert_non_null(t);
    assert_true(pp_any_value_from_string(pp_batch_arena(*batch), pp_str_c(name), &kv.value));
    for (uint32_t i = 0; i < t->resources.n; i++) {
        uint32_t first = t->key_values.n;

        assert_true(pp_table_push(&t->key_values, kv));
        t->resources.v[i].attributes = (struct pp_range){first, 1};
    }
}

static struct pp_str service_name(struct pp_batch *batch)
{
    const struct pp_tables *t = pp_batch_tables(batch, NULL);
    struct pp_str name = {0};

    assert_true(pp_any_value_string(t->key_values.v[t->resources.v[0].attributes.first].value, &name));
    return name;
}

static void test_edit_shared(void **state)
{
    struct pp_batch *built = pp_test_batch(&rich, 3), *one, *two, *three;
    struct pp_bytes *bytes = encode(built, &inline_keys), *edited;
    const struct pp_tables *before;

    (void)state;
    one = from_bytes(bytes, PP_LAYOUT_AUTO);
    before = pp_batch_tables(one, NULL);
    two = pp_batch_ref(one);
    set_service_name(&two, "changed");
    assert_ptr_not_equal(one, two);
    assert_true(pp_str_eq_c(service_name(one), "service-0"));
    assert_true(pp_str_eq_c(service_name(two), "changed"));
    assert_ptr_equal(pp_batch_tables(two, NULL)->stacks.v, before->stacks.v);
    assert_ptr_not_equal(pp_batch_tables(two, NULL)->resources.v, before->resources.v);
    pp_batch_unref(one); /* the derived batch keeps what it needs */
    three = two;
    set_service_name(&three, "again"); /* the only owner now: in place */
    assert_ptr_equal(two, three);
    edited = encode(two, &inline_keys);
    one = from_bytes(edited, PP_LAYOUT_AUTO);
    assert_true(pp_str_eq_c(service_name(one), "again"));
    assert_same_content(one, two);
    assert_int_equal(pp_batch_samples(one), pp_batch_samples(built));
    pp_bytes_unref(edited);
    pp_bytes_unref(bytes);
    pp_batch_unref(one);
    pp_batch_unref(two);
    pp_batch_unref(built);
}

/* Fields 12 to 15 are of no schema we know, at every level. */
static const char unknown_everywhere[] =
    "1{1{1{1\"k\" 2{1\"v\" 13:5} 14:1} 15:2} 2{1{1\"s\" 15:3} 2{1{1:1 12:4} 2{1:1 2[1] 4[5] 13\"x\"} 5{14:6} 13:7} 15:8} 15:9}"
    " 2{1{} 1{1:7 15:1} 2{} 2{2:5 3{1:1 15:2} 15:3} 3{} 3{1:1 15:4} 4{} 4{1\"0123456789abcdef\" 15:5} 5\"\" 5\"f\" 6{} 6{1:1 2{3:7} 15:6}"
    " 7{} 7{1[1] 15:7} 15:8} 14\"new\"";

static void test_unknown_fields(void **state)
{
    struct pp_batch *batch = from_text(unknown_everywhere, PP_LAYOUT_AUTO);
    struct pp_bytes *bytes = encode(batch, &inline_keys), *again;

    (void)state;
    assert_non_null(pp_batch_edit(&batch, EDIT_ALL, NULL));
    again = encode(batch, &inline_keys);
    assert_same_bytes(bytes, again);
    pp_bytes_unref(bytes);
    pp_bytes_unref(again);
    pp_batch_unref(batch);
}

static const char with_references[] =
    "1{1{1{2{8:2} 3:1} 1{2{5{1{8:1} 1{6{1{2{3:4} 3:2}}}}} 3:2}} 2{1{} 2{1{} 2{1:1 2[1] 4[9]} 5{}}}}"
    " 2{1{} 2{} 3{} 4{} 5\"\" 5\"service.name\" 5\"shop\" 6{} 6{1:1 2{8:2}} 7{} 7{}}";
static const char without_references[] =
    "1{1{1{1\"service.name\" 2{1\"shop\"}} 1{1\"shop\" 2{5{1{1\"service.name\"} 1{6{1{2{3:4} 1\"shop\"}}}}}}} 2{1{} 2{1{} 2{1:1 2[1] 4[9]} 5{}}}}"
    " 2{1{} 2{} 3{} 4{} 5\"\" 5\"service.name\" 5\"shop\" 6{} 6{1:1 2{1\"shop\"}} 7{} 7{}}";

static void test_references(void **state)
{
    struct pp_batch *batch = from_text(with_references, PP_LAYOUT_AUTO), *expected = from_text(without_references, PP_LAYOUT_AUTO);
    struct pp_bytes *as_came = encode(batch, &by_reference), *bytes = encode(batch, &inline_keys),
                    *want = encode(expected, &inline_keys);
    struct pp_batch *back;

    (void)state;
    assert_ptr_not_equal(bytes, as_came);
    assert_same_bytes(bytes, want);
    pp_bytes_unref(bytes);
    set_service_name(&batch, "not in the table");
    bytes = encode(batch, &by_reference);
    assert_null(memmem(bytes->data, bytes->len, "\x0a\x0cservice.name\x12", 15));
    back = from_bytes(bytes, PP_LAYOUT_AUTO);
    assert_true(pp_str_eq_c(service_name(back), "not in the table"));
    assert_same_content(back, batch);
    pp_bytes_unref(bytes);
    bytes = encode(back, &inline_keys);
    assert_non_null(memmem(bytes->data, bytes->len, "\x0a\x0cservice.name\x12", 15));
    pp_bytes_unref(bytes);
    pp_bytes_unref(as_came);
    pp_bytes_unref(want);
    pp_batch_unref(back);
    pp_batch_unref(batch);
    pp_batch_unref(expected);
}

#define DICTIONARY " 2{1{} 2{} 3{} 4{} 4{1\"0123456789abcdef\"} 5\"\" 5\"cpu\" 6{} 6{1:1 2{3:7}} 7{} 7{}}"

static void test_old_layouts(void **state)
{
    static const struct {
        const char *old;
        enum pp_layout layout;
    } cases[] = {
        {"1{1{} 2{1{} 2{1{1:1} 2{1:1 2[5] 3[1] 4:1} 5{1:1} 7\"0123456789abcdef\" 11[1]}}}" DICTIONARY, PP_LAYOUT_AUTO},
        {"1{1{} 2{1{} 2{1{1:1 3:2} 2{1:1 2[5] 3[1] 4:1} 5{1:1} 7[1] 8\"0123456789abcdef\" 12[1]}}}" DICTIONARY, PP_LAYOUT_1_8},
    };
    struct pp_batch *now = from_text(
        "1{1{} 2{1{} 2{1{1:1} 2{1:1 2[1] 3:1 4[5]} 5{1:1} 7\"0123456789abcdef\" 11[1]}}}" DICTIONARY, PP_LAYOUT_AUTO);
    struct pp_bytes *want = encode(now, &inline_keys);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pp_batch *old = from_text(cases[i].old, cases[i].layout);
        struct pp_bytes *bytes = encode(old, &inline_keys);

        assert_same_bytes(bytes, want);
        assert_same_content(old, now);
        pp_bytes_unref(bytes);
        pp_batch_unref(old);
    }
    pp_bytes_unref(want);
    pp_batch_unref(now);
}

static void test_absent_tables(void **state)
{
    struct pp_batch *batch = from_text("1{2{2{2{4[1]}}}}", PP_LAYOUT_AUTO);
    const struct pp_tables *t = pp_batch_tables(batch, NULL);
    struct pp_bytes *bytes;

    (void)state;
    assert_int_equal(t->strings.n, 1);
    assert_int_equal(t->stacks.n, 1);
    assert_int_equal(t->samples.stack[0], 0);
    set_service_name(&batch, "x");
    bytes = encode(batch, &by_reference); /* the strings of the references must not become entry 0 */
    pp_batch_unref(batch);
    batch = from_bytes(bytes, PP_LAYOUT_AUTO);
    assert_true(pp_str_eq_c(service_name(batch), "x"));
    pp_bytes_unref(bytes);
    pp_batch_unref(batch);
}

static void test_interning(void **state)
{
    struct pp_builder *b = pp_builder_new(NULL);
    struct pp_function f = {.name = pp_builder_string(b, PP_STR("f"))};
    struct pp_location l = {.address = 5};
    struct pp_line line = {.function = pp_builder_function(b, &f), .line = 3};
    int32_t a = pp_builder_location(b, &l, &line, 1, NULL, 0), stack[2] = {a, a};
    struct pp_batch *batch = NULL;
    struct pp_error err = {0};

    (void)state;
    assert_int_equal(a, pp_builder_location(b, &l, &line, 1, NULL, 0));
    line.column = 1;
    assert_int_not_equal(a, pp_builder_location(b, &l, &line, 1, NULL, 0));
    assert_int_equal(pp_builder_stack(b, stack, 2), pp_builder_stack(b, stack, 2));
    assert_int_not_equal(pp_builder_stack(b, stack, 2), pp_builder_stack(b, stack, 1));
    assert_int_equal(pp_builder_stack(b, stack, 0), 0);
    assert_int_equal(pp_builder_attribute_int(b, PP_STR("k"), 7, PP_STR("By")), pp_builder_attribute_int(b, PP_STR("k"), 7, PP_STR("By")));
    assert_int_not_equal(pp_builder_attribute_int(b, PP_STR("k"), 7, PP_STR("By")), pp_builder_attribute_int(b, PP_STR("k"), 7, PP_STR("")));
    assert_true(pp_builder_add_resource(b, &(struct pp_builder_resource){0}));
    assert_true(pp_builder_add_scope(b, &(struct pp_builder_scope){.name = PP_STR("s")}));
    assert_true(pp_builder_add_profile(b, &(struct pp_profile){0}, NULL, 0));
    assert_false(pp_builder_add_sample(b, &(struct pp_builder_sample){.stack = 1}));
    assert_false(pp_builder_finish(b, &batch, &err));
    assert_int_equal(err.kind, PP_ERR_INVALID);
    assert_null(batch);
    pp_builder_free(b);
}

static void test_packed_and_context(void **state)
{
    struct pp_metadata metadata[] = {{PP_STR("tenant"), PP_STR("a")}, {PP_STR("tenant"), PP_STR("b")}};
    struct pp_context *context = pp_context_new(PP_STR("10.0.0.1:5"), metadata, 2);
    struct pp_bytes *wire = pp_bytes_new(0), *packed = pp_bytes_copy(PP_STR("gz"));
    struct pp_batch_source source = {.wire = wire, .packed = packed, .packed_encoding = PP_ENCODING_GZIP, .context = context};
    struct pp_batch *batch;
    struct pp_bytes *got;
    struct pp_str value;

    (void)state;
    assert_true(pp_batch_from_otlp(&source, &batch, NULL));
    pp_context_unref(context);
    pp_bytes_unref(wire);
    pp_bytes_unref(packed);
    assert_null(pp_batch_packed(batch, PP_ENCODING_ZSTD, &inline_keys));
    got = pp_batch_packed(batch, PP_ENCODING_GZIP, &inline_keys);
    assert_ptr_equal(got, packed);
    pp_bytes_unref(got);
    assert_true(pp_context_metadata(pp_batch_context(batch), PP_STR("tenant"), 1, &value));
    assert_true(pp_str_eq_c(value, "b"));
    assert_false(pp_context_metadata(pp_batch_context(batch), PP_STR("tenant"), 2, &value));
    assert_true(pp_str_eq_c(pp_context_peer(pp_batch_context(batch)), "10.0.0.1:5"));
    assert_non_null(pp_batch_edit(&batch, PP_EDIT_RESOURCES, NULL));
    assert_null(pp_batch_packed(batch, PP_ENCODING_GZIP, &inline_keys));
    pp_batch_unref(batch);
}

static struct pp_context *context_of(const char *peer, const char *tenant, const char *other, const char *user)
{
    struct pp_metadata metadata[] = {{PP_STR("x-tenant"), pp_str_c(tenant)}, {PP_STR("x-other"), pp_str_c(other)}};
    struct pp_metadata auth[] = {{PP_STR("username"), pp_str_c(user)}};
    struct pp_context *context = pp_context_new_auth(pp_str_c(peer), metadata, 2, auth, 1);

    assert_non_null(context);
    return context;
}

static const char *value_of(const struct pp_context *context, const char *key)
{
    static char text[64];
    struct pp_str value = PP_STR("-");

    (void)(pp_context_metadata(context, pp_str_c(key), 0, &value) || pp_context_auth(context, pp_str_c(key), &value));
    snprintf(text, sizeof(text), PP_STR_FMT, PP_STR_ARG(value));
    return text;
}

/* What two senders do not both say is nobody's. */
static void test_common_context(void **state)
{
    struct pp_context *a = context_of("1:1", "red", "x", "ann"), *same = context_of("1:1", "red", "x", "ann");
    struct pp_context *b = context_of("1:1", "blue", "x", "ann"), *c = context_of("2:2", "red", "y", "bob");
    struct pp_context *none = context_of("3:3", "green", "z", "cat"), *common;

    (void)state;
    assert_true(pp_context_common(a, same, &common));
    assert_ptr_equal(common, a);
    pp_context_unref(common);
    assert_true(pp_context_common(a, b, &common));
    assert_string_equal(value_of(common, "X-Tenant"), "-");
    assert_string_equal(value_of(common, "X-Other"), "x");
    assert_string_equal(value_of(common, "username"), "ann");
    assert_true(pp_str_eq_c(pp_context_peer(common), "1:1"));
    pp_context_unref(common);
    assert_true(pp_context_common(a, c, &common));
    assert_string_equal(value_of(common, "x-tenant"), "red");
    assert_string_equal(value_of(common, "username"), "-");
    assert_int_equal(pp_context_peer(common).n, 0);
    pp_context_unref(common);
    assert_true(pp_context_common(a, none, &common));
    assert_null(common);
    assert_true(pp_context_common(a, NULL, &common));
    assert_null(common);
    pp_context_unref(a);
    pp_context_unref(same);
    pp_context_unref(b);
    pp_context_unref(c);
    pp_context_unref(none);
}

static void *decode_thread(void *arg)
{
    return (void *)pp_batch_tables(arg, NULL);
}

static void test_decode_from_threads(void **state)
{
    struct pp_batch *built = pp_test_batch(&rich, 5), *batch;
    struct pp_bytes *bytes = encode(built, &inline_keys);
    pthread_t threads[4];
    void *tables[4];

    (void)state;
    for (int round = 0; round < 20; round++) {
        batch = from_bytes(bytes, PP_LAYOUT_AUTO);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, decode_thread, batch), 0);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], &tables[i]);
        for (int i = 0; i < 4; i++)
            assert_ptr_equal(tables[i], pp_batch_tables(batch, NULL));
        pp_batch_unref(batch);
    }
    pp_bytes_unref(bytes);
    pp_batch_unref(built);
}

#ifdef PP_ALLOC_FAULTS
/* Decode, edit and encode with the n-th allocation failing, for every n until all succeed: clean errors, no leak, the batch still good. */
static bool decode_edit_encode(struct pp_bytes *bytes, size_t fail_at)
{
    struct pp_batch_source source = {.wire = bytes};
    struct pp_batch *batch = NULL, *other;
    struct pp_bytes *out = NULL;
    struct pp_error err = {0};
    bool ok = false;

    pp_alloc_fail_at(fail_at);
    if (!pp_batch_from_otlp(&source, &batch, &err))
        goto done;
    other = pp_batch_ref(batch);
    if (pp_batch_edit(&other, EDIT_ALL, &err))
        ok = pp_batch_encode(other, &by_reference, &out, &err);
    pp_batch_unref(other);
done:
    pp_alloc_fail_at(0);
    assert_true(ok || err.kind == PP_ERR_NOMEM);
    if (batch)
        assert_non_null(pp_batch_tables(batch, NULL));
    pp_batch_unref(batch);
    pp_bytes_unref(out);
    return ok;
}

static void test_allocation_failures(void **state)
{
    struct pp_batch *small = pp_test_batch(
        &(struct pp_test_shape){.resources = 1, .scopes = 1, .profiles = 2, .samples = 5, .functions = 10, .stacks = 5, .depth = 5, .rich = true}, 9);
    struct pp_bytes *bytes = encode(small, &inline_keys);
    size_t n = 1;

    (void)state;
    while (!decode_edit_encode(bytes, n))
        n++;
    assert_true(n > 30);
    pp_bytes_unref(bytes);
    pp_batch_unref(small);
    for (n = 1;; n++) {
        pp_alloc_fail_at(n);
        small = pp_test_batch(&(struct pp_test_shape){1, 1, 1, 5, 10, 5, 5, true}, 9);
        pp_alloc_fail_at(0);
        if (small)
            break;
    }
    assert_true(n > 30);
    pp_batch_unref(small);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_encoded_decoded),
        cmocka_unit_test(test_edit_nothing),
        cmocka_unit_test(test_edit_shared),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_old_layouts),
        cmocka_unit_test(test_absent_tables),
        cmocka_unit_test(test_interning),
        cmocka_unit_test(test_packed_and_context),
        cmocka_unit_test(test_common_context),
        cmocka_unit_test(test_decode_from_threads),
#ifdef PP_ALLOC_FAULTS
        cmocka_unit_test(test_allocation_failures),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
