#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/index.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/vec.h"

static void test_str(void **state)
{
    uint64_t value = 7;

    (void)state;
    assert_true(pp_str_eq_nocase(PP_STR("Content-Type"), PP_STR("content-tYPE")));
    assert_false(pp_str_eq_nocase(PP_STR("a"), PP_STR("b")));
    assert_true(pp_str_eq_c(pp_str_trim(PP_STR(" \t x y\r\n")), "x y"));
    assert_true(pp_str_to_u64(PP_STR("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_false(pp_str_to_u64(PP_STR("18446744073709551616"), &value));
    assert_false(pp_str_to_u64(PP_STR(""), &value));
    assert_false(pp_str_to_u64(PP_STR("-1"), &value));
    assert_true(value == UINT64_MAX);
}

static void test_utf8(void **state)
{
    static const struct {
        struct pp_str s;
        bool valid;
    } cases[] = {
        {PP_STR(""), true},
        {PP_STR("plain ascii, longer than a word"), true},
        {PP_STR("12345678\xC3\xA9"), true},
        {PP_STR("\xF0\x9F\x94\xA5"), true},
        {PP_STR("with\0nul"), true},
        {PP_STR("\xC0\x80"), false},         /* overlong */
        {PP_STR("\xED\xA0\x80"), false},     /* surrogate */
        {PP_STR("\xF4\x90\x80\x80"), false}, /* past U+10FFFF */
        {PP_STR("\xE2\x82"), false},         /* cut short */
        {PP_STR("\xFF"), false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(pp_utf8_valid(cases[i].s), cases[i].valid);
}

static void test_nearest(void **state)
{
    static const char *const names[] = {"endpoint", "compression", "timeout", NULL};

    (void)state;
    assert_string_equal(pp_str_nearest(PP_STR("endpont"), names), "endpoint");
    assert_string_equal(pp_str_nearest(PP_STR("Timeout"), names), "timeout");
    assert_null(pp_str_nearest(PP_STR("zzz"), names));
}

static void test_arena(void **state)
{
    struct pp_arena arena = {.bytes_limit = 100000};
    char *a = pp_arena_alloc(&arena, 3), *b = pp_arena_alloc(&arena, 70000);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal((uintptr_t)b % 16, 0);
    assert_int_equal(b[69999], 0);
    assert_string_equal(pp_arena_printf(&arena, "%d-%s", 5, "x"), "5-x");
    assert_null(pp_arena_alloc(&arena, 40000));
    assert_true(arena.failed);
    assert_null(pp_arena_alloc(&arena, 1));
    pp_arena_done(&arena);
    assert_non_null(pp_arena_alloc(&arena, 1));
    pp_arena_done(&arena);
}

static void test_buf(void **state)
{
    struct pp_buf buf;
    struct pp_bytes *bytes;

    (void)state;
    pp_buf_init(&buf, 1000);
    for (int i = 0; i < 100; i++)
        assert_true(pp_buf_printf(&buf, "%03d,", i));
    assert_int_equal(buf.len, 400);
    assert_memory_equal(buf.data + 396, "099,", 4);
    bytes = pp_bytes_take(&buf);
    assert_int_equal(bytes->len, 400);
    assert_null(buf.data);
    pp_bytes_unref(pp_bytes_ref(bytes));
    pp_bytes_unref(bytes);
    for (int i = 0; i < 1000; i++)
        assert_true(pp_buf_add_byte(&buf, 'x'));
    assert_false(pp_buf_add_byte(&buf, 'x'));
    assert_true(buf.failed);
    pp_buf_done(&buf);
    pp_buf_init(&buf, 5);
    assert_true(pp_buf_printf(&buf, "%d", 12345)); /* fills it to the brim */
    assert_true(pp_buf_printf(&buf, "%s", ""));
    assert_false(pp_buf_printf(&buf, "%d", 6));
    pp_buf_done(&buf);
    pp_buf_init(&buf, 100);
    assert_true(pp_buf_add_u64(&buf, 0) && pp_buf_add_byte(&buf, ' ') && pp_buf_add_u64(&buf, 1234567890) && pp_buf_add_byte(&buf, ' ') &&
                pp_buf_add_u64(&buf, UINT64_MAX));
    assert_true(pp_str_eq_c(pp_buf_str(&buf), "0 1234567890 18446744073709551615"));
    pp_buf_done(&buf);
}

static bool equal_number(const void *context, uint32_t id)
{
    return *(const uint32_t *)context == id * 3;
}

static void test_index(void **state)
{
    struct pp_index index = {0};

    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t key = i * 3;
        uint64_t hash = key * 0x9E3779B97F4A7C15ull;
        assert_int_equal(pp_index_find(&index, hash, equal_number, &key), PP_INDEX_NONE);
        assert_true(pp_index_add(&index, hash, i));
    }
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t key = i * 3;
        assert_int_equal(pp_index_find(&index, key * 0x9E3779B97F4A7C15ull, equal_number, &key), i);
    }
    pp_index_done(&index);
}

static void test_json_string(void **state)
{
    struct pp_buf buf;

    (void)state;
    pp_buf_init(&buf, 1000);
    pp_json_add_string(&buf, PP_STR("a\"b\\c\n\x01\xC3\xA9\xFF!"));
    pp_buf_add_byte(&buf, '\0');
    assert_string_equal(buf.data, "\"a\\\"b\\\\c\\n\\u0001\xC3\xA9\xEF\xBF\xBD!\"");
    pp_buf_done(&buf);
}

/* A message that does not fit is cut between characters: it goes into protobuf strings. */
static void test_error_is_cut_whole(void **state)
{
    char text[PP_ERROR_MESSAGE_MAX + 8];
    struct pp_error err;

    (void)state;
    for (size_t ascii = 0; ascii < 3; ascii++) {
        memset(text, 'a', ascii);
        for (size_t i = ascii; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4);
        pp_error_set(&err, PP_ERR_INVALID, "%s", text);
        assert_int_equal(strlen(err.message), ascii + (PP_ERROR_MESSAGE_MAX - 1 - ascii) / 3 * 3);
        assert_true(pp_utf8_valid(pp_str_c(err.message)));
        pp_error_prefix(&err, "x");
        assert_true(pp_utf8_valid(pp_str_c(err.message)));
    }
}

static void test_error(void **state)
{
    struct pp_error err = {0};

    (void)state;
    assert_false(pp_error_set(&err, PP_ERR_LIMIT, "over %d", 5));
    assert_false(pp_error_prefix(&err, "stack[%d]", 3));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    assert_string_equal(err.message, "stack[3]: over 5");
}

static void test_log(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    pp_log_configure(&(struct pp_log_options){.level = PP_LOG_WARN, .encoding = PP_LOG_JSON, .outputs = {out}, .outputs_n = 1});
    pp_log(PP_LOG_INFO, NULL, "unseen");
    pp_log(PP_LOG_ERROR, "exporter file/x", "cannot write \"%s\"", "y");
    pp_log_configure(&(struct pp_log_options){.level = PP_LOG_INFO, .outputs = {out}, .outputs_n = 1});
    pp_log(PP_LOG_INFO, NULL, "forged\nline");
    pp_log_configure(&(struct pp_log_options){.level = PP_LOG_INFO});
    fclose(out);
    assert_null(strstr(text, "unseen"));
    assert_non_null(strstr(text, "\"msg\":\"cannot write \\\"y\\\"\",\"component\":\"exporter file/x\"}\n"));
    assert_non_null(strstr(text, "\tinfo\tforged\\x0aline\n"));
    free(text);
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;

    while ((text = strstr(text, what))) {
        text += strlen(what);
        n++;
    }
    return n;
}

static void test_log_sampling(void **state)
{
    char *texts[2] = {NULL, NULL};
    size_t sizes[2];
    FILE *outs[2] = {open_memstream(&texts[0], &sizes[0]), open_memstream(&texts[1], &sizes[1])};

    (void)state;
    /* A tick that no test run outlasts. */
    pp_log_configure(&(struct pp_log_options){.level = PP_LOG_INFO, .outputs = {outs[0], outs[1]}, .outputs_n = 2,
                                              .fields = "\"site\":\"a\"", .sampling = {UINT64_MAX, 3, 10}});
    for (int i = 0; i < 33; i++) {
        pp_log(PP_LOG_WARN, "exporter x", "repeats %d", i);
        pp_log(PP_LOG_INFO, "exporter x", "said %d", i);
    }
    pp_log_configure(&(struct pp_log_options){.level = PP_LOG_INFO});
    for (int i = 0; i < 2; i++) {
        fclose(outs[i]);
        assert_int_equal(count_of(texts[i], "repeats"), 6); /* the first three, the 13th, 23rd and 33rd */
        assert_non_null(strstr(texts[i], "repeats 2\t{\"site\":\"a\"}\n"));
        assert_non_null(strstr(texts[i], "repeats 12 (9 like it left out)\t{\"site\":\"a\"}\n"));
        assert_int_equal(count_of(texts[i], "said"), 33);
        free(texts[i]);
    }
}

static void test_vec(void **state)
{
    PP_VEC(int) numbers = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_true(pp_vec_push(&numbers, i));
    assert_int_equal(numbers.v[999], 999);
    pp_vec_done(&numbers);
    assert_true(pp_random_unit() < 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str),   cmocka_unit_test(test_utf8), cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_arena), cmocka_unit_test(test_buf),  cmocka_unit_test(test_index),
        cmocka_unit_test(test_error), cmocka_unit_test(test_log),  cmocka_unit_test(test_json_string),
        cmocka_unit_test(test_vec),   cmocka_unit_test(test_log_sampling), cmocka_unit_test(test_error_is_cut_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
