/* Edits of resources that leave the rest of a message undecoded: the same outcome as edits of the decoded batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "profiles/any_value.h"
#include "profiles/batch_impl.h"
#include "profiles/resource_edit.h"
#include "profiles/testing/batch_testing.h"
#include "proto/otlp/testing/wire_text.h"

static const struct pp_encode_options inline_keys = {0}, by_reference = {.references = true};
static const struct pp_test_shape rich = {
    .resources = 3, .scopes = 2, .profiles = 2, .samples = 10, .functions = 20, .stacks = 10, .depth = 8, .rich = true};

static struct pp_batch *from_bytes(struct pp_bytes *bytes)
{
    struct pp_batch_source source = {.wire = bytes};
    struct pp_batch *batch = NULL;
    struct pp_error err = {0};

    if (!pp_batch_from_otlp(&source, &batch, &err))
        fail_msg("%s", err.message);
    return batch;
}

static struct pp_bytes *from_text(const char *text)
{
    struct pp_buf buf;

    pp_wire_text(&buf, text);
    return pp_bytes_take(&buf);
}

static struct pp_bytes *encode(struct pp_batch *batch, const struct pp_encode_options *options)
{
    struct pp_bytes *bytes = NULL;

    assert_true(pp_batch_encode(batch, options, &bytes, NULL));
    return bytes;
}

static struct pp_bytes *random_message(uint64_t seed)
{
    struct pp_batch *built = pp_test_batch(&rich, seed);
    struct pp_bytes *bytes = encode(built, &inline_keys);

    pp_batch_unref(built);
    return bytes;
}

/* Some resources are left alone, some get one more, lose one, or have one replaced. */
static bool change(struct pp_tables *t, struct pp_arena *arena, unsigned how)
{
    for (uint32_t i = 0; i < t->resources.n; i++, how /= 4) {
        struct pp_resource_edit edit = {.tables = t, .resource = i};
        bool removes[64] = {true};
        struct pp_str value;

        if (!pp_any_value_from_string(arena, PP_STR("new value"), &value))
            return false;
        if (how % 4 == 1 && !pp_resource_set(&edit, PP_STR("new.key"), value))
            return false;
        if (how % 4 == 2 && t->resources.v[i].attributes.n && !pp_resource_remove(&edit, removes))
            return false;
        if (how % 4 == 3 && t->resources.v[i].attributes.n && !pp_resource_replace(&edit, 0, value))
            return false;
        t->resources.v[i].dropped_attributes_count += how % 4;
    }
    return true;
}

static void edit_part(struct pp_batch **batch, unsigned how)
{
    struct pp_tables *t = pp_batch_edit_origins(batch, NULL);

    assert_non_null(t);
    assert_true(change(t, pp_batch_arena(*batch), how));
}

static void edit_whole(struct pp_batch **batch, unsigned how)
{
    struct pp_tables *t = pp_batch_edit(batch, PP_EDIT_RESOURCES, NULL);

    assert_non_null(t);
    assert_true(change(t, pp_batch_arena(*batch), how));
}

static void assert_same_bytes(struct pp_bytes *a, struct pp_bytes *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->data, b->data, a->len);
    pp_bytes_unref(a);
    pp_bytes_unref(b);
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

/* The same bytes before the other tables are asked for, the same tables and bytes afterwards. */
static void compare(struct pp_bytes *message, unsigned how, bool part)
{
    struct pp_batch *a = from_bytes(message), *b = from_bytes(message);
    struct pp_bytes *bytes;
    struct pp_batch *back;

    edit_part(&a, how);
    assert_int_equal(part, !a->data);
    edit_whole(&b, how);
    bytes = encode(a, &inline_keys);
    assert_true(bytes->len <= pp_batch_wire_bytes(a));
    assert_int_equal(pp_batch_samples(a), pp_batch_samples(b));
    back = from_bytes(bytes);
    assert_same_bytes(bytes, encode(b, &inline_keys));
    assert_same_content(back, b);
    assert_int_equal(part, !a->data);
    assert_same_content(a, b);
    assert_same_bytes(encode(a, &inline_keys), encode(b, &inline_keys));
    assert_same_bytes(encode(a, &by_reference), encode(b, &by_reference));
    edit_part(&a, how / 2 + 5); /* on top of what has been completed */
    edit_whole(&b, how / 2 + 5);
    assert_same_content(a, b);
    pp_batch_unref(back);
    pp_batch_unref(a);
    pp_batch_unref(b);
}

static void test_same_as_whole(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 64; how++) {
        struct pp_bytes *message = random_message(how + 1);

        compare(message, how, true);
        pp_bytes_unref(message);
    }
}

#define DICTIONARY "2{1{} 2{} 3{} 4{} 5\"\" 5\"cpu\" 6{} 7{}}"

/* Fields 12 to 15 are of no schema we know. */
static const struct {
    const char *message;
    bool part; /* can be edited in part */
} shapes[] = {
    {"1{1{1{1\"k\" 2{1\"v\" 13:5} 14:1} 15:2} 2{1{1\"s\"} 2{1{} 2{4[5]} 5{}}} 3\"url\" 15:9} 14\"new\" " DICTIONARY, true},
    {DICTIONARY " 1{1{1{1\"k\"}} 2{1{} 2{1{} 5{}}}} 13:1 1{1{} 2{1{1\"s\"}} 2{1{1\"t\"}}} 14:2", true},
    {"1{2{1{}} 1{1{1\"late\"}} 2{1{}} 1{1{1\"piece\"}} 3\"a\" 12:1 3\"b\" 12:2} " DICTIONARY, true},
    {"1{1{1{1\"a\"}} 2{1{}}} 2{1{} 2{}} 2{3{} 4{} 5\"\" 6{} 7{}}", true},
    {"", true},
    {"1{1{1{3:1 2{1\"x\"}}}} " DICTIONARY, false},
    {"1{1{1{1\"a\" 2{1\"x\"}}} 2{1{} 2{1{} 2{1:0 2[5] 3[0] 4:0} 5{}}}} " DICTIONARY, false},
};

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        for (unsigned how = 0; how < 16; how++) {
            struct pp_bytes *message = from_text(shapes[i].message);
            struct pp_batch *a = from_bytes(message), *b = from_bytes(message), *back;
            struct pp_bytes *bytes;

            edit_part(&a, how);
            edit_whole(&b, how);
            assert_int_equal(shapes[i].part, !a->data);
            bytes = encode(a, &inline_keys);
            assert_true(bytes->len <= pp_batch_wire_bytes(a));
            back = from_bytes(bytes);
            assert_same_content(back, b);
            assert_same_content(a, b);
            pp_bytes_unref(bytes);
            bytes = encode(a, &inline_keys);
            pp_batch_unref(back);
            back = from_bytes(bytes);
            assert_same_content(back, b);
            pp_bytes_unref(bytes);
            pp_bytes_unref(message);
            pp_batch_unref(back);
            pp_batch_unref(a);
            pp_batch_unref(b);
        }
}

static void test_unknown_fields_stay(void **state)
{
    struct pp_bytes *message = from_text(shapes[0].message), *bytes;
    struct pp_batch *batch = from_bytes(message);

    (void)state;
    assert_non_null(pp_batch_edit_origins(&batch, NULL));
    bytes = encode(batch, &inline_keys);
    /* as it came, but for the order: unknown fields of the request stand last */
    assert_int_equal(bytes->len, message->len);
    assert_non_null(memmem(bytes->data, bytes->len, message->data, 40));
    pp_bytes_unref(bytes);
    pp_bytes_unref(message);
    pp_batch_unref(batch);
}

static void test_shared(void **state)
{
    struct pp_bytes *message = random_message(9), *bytes;
    struct pp_batch *one = from_bytes(message), *two = pp_batch_ref(one), *three;
    const struct pp_tables *before = pp_batch_origins(one, NULL);
    uint32_t pairs = before->key_values.n;

    (void)state;
    edit_part(&two, 021);
    assert_ptr_not_equal(one, two);
    assert_ptr_equal(pp_batch_origins(one, NULL), before);
    assert_int_equal(before->key_values.n, pairs);
    bytes = encode(one, &inline_keys);
    assert_ptr_equal(bytes, message);
    pp_bytes_unref(bytes);
    pp_batch_unref(one); /* the derived one keeps what it needs */
    three = pp_batch_ref(two);
    edit_part(&three, 3); /* from an edited one */
    assert_int_equal(pp_batch_memory_bytes(three) > message->len, true);
    one = pp_batch_ref(three);
    edit_whole(&one, 2);
    bytes = encode(one, &inline_keys);
    pp_batch_unref(one);
    one = from_bytes(bytes);
    assert_int_equal(pp_batch_samples(one), pp_batch_samples(two));
    pp_bytes_unref(bytes);
    pp_bytes_unref(message);
    pp_batch_unref(one);
    pp_batch_unref(two);
    pp_batch_unref(three);
}

static void *edit_in_thread(void *arg)
{
    struct pp_batch *batch = pp_batch_ref(arg);
    struct pp_bytes *bytes;

    edit_part(&batch, 0111);
    bytes = encode(batch, &inline_keys);
    pp_batch_unref(batch);
    return bytes;
}

static void *read_in_thread(void *arg)
{
    assert_non_null(pp_batch_origins(arg, NULL));
    assert_non_null(pp_batch_tables(arg, NULL));
    return NULL;
}

static void test_threads(void **state)
{
    struct pp_bytes *message = random_message(4);

    (void)state;
    for (int round = 0; round < 30; round++) {
        struct pp_batch *batch = from_bytes(message);
        pthread_t threads[4];
        void *bytes[4];

        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, i == 3 ? read_in_thread : edit_in_thread, batch), 0);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], &bytes[i]);
        pp_bytes_ref(bytes[1]);
        assert_same_bytes(bytes[0], bytes[1]);
        assert_same_bytes(bytes[1], bytes[2]);
        pp_batch_unref(batch);
    }
    pp_bytes_unref(message);
}

#ifdef PP_ALLOC_FAULTS
static bool edit_and_complete(struct pp_bytes *message, size_t fail_at)
{
    struct pp_batch *batch = from_bytes(message), *other = pp_batch_ref(batch);
    struct pp_bytes *bytes = NULL;
    struct pp_error err = {0};
    struct pp_tables *t;
    bool ok;

    pp_alloc_fail_at(fail_at);
    t = pp_batch_edit_origins(&other, &err);
    ok = t && (change(t, pp_batch_arena(other), 0123) || pp_error_nomem(&err)) && pp_batch_encode(other, &inline_keys, &bytes, &err) &&
         pp_batch_tables(other, &err) && pp_batch_edit(&other, PP_EDIT_SAMPLES, &err);
    pp_alloc_fail_at(0);
    if (!ok)
        assert_int_equal(err.kind, PP_ERR_NOMEM);
    pp_bytes_unref(bytes);
    bytes = encode(batch, &inline_keys); /* the other owner's is what it was */
    assert_ptr_equal(bytes, message);
    pp_bytes_unref(bytes);
    pp_batch_unref(other);
    pp_batch_unref(batch);
    return ok;
}

static void test_out_of_memory(void **state)
{
    struct pp_bytes *message = random_message(2);
    size_t n = 1;

    (void)state;
    while (!edit_and_complete(message, n)) {
        n++;
        assert_true(n < 10000);
    }
    assert_true(n > 10);
    pp_bytes_unref(message);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_whole), cmocka_unit_test(test_shapes),  cmocka_unit_test(test_unknown_fields_stay),
        cmocka_unit_test(test_shared),        cmocka_unit_test(test_threads),
#ifdef PP_ALLOC_FAULTS
        cmocka_unit_test(test_out_of_memory),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
