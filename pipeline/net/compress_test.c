#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/compress.h"
#include "base/crc32c.h"

#define LIMIT (64u * 1024 * 1024)

/* Bytes between random and constant, so that every codec has something to match. */
static char *sample(size_t n, unsigned seed)
{
    char *p = malloc(n + 1);

    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1103515245u + 12345u;
        p[i] = seed >> 28 ? "main.work;runtime.goexit;"[(seed >> 16) % 25] : (char)(seed >> 8);
    }
    return p;
}

static struct pp_bytes *pack(enum pp_encoding encoding, int level, struct pp_str in)
{
    struct pp_bytes *out = NULL;
    struct pp_error err = {0};

    if (!pp_compress(encoding, level, in, &out, &err))
        fail_msg("%s: %s", pp_encoding_name(encoding), err.message);
    return out;
}

static enum pp_error_kind unpack_fails(enum pp_encoding encoding, struct pp_str in, size_t max)
{
    struct pp_bytes *out = NULL;
    struct pp_error err = {0};

    if (pp_decompress(encoding, in, max, &out, &err)) {
        pp_bytes_unref(out);
        return PP_ERR_NONE;
    }
    assert_null(out);
    assert_true(err.message[0] != '\0');
    return err.kind;
}

static void assert_unpacks(enum pp_encoding encoding, struct pp_str packed, struct pp_str expected, size_t max)
{
    struct pp_bytes *out = NULL;
    struct pp_error err = {0};

    if (!pp_decompress(encoding, packed, max, &out, &err))
        fail_msg("%s of %zu bytes: %s", pp_encoding_name(encoding), expected.n, err.message);
    assert_true(pp_str_eq(pp_bytes_str(out), expected));
    assert_true(out->cap <= out->len + out->len / 4 + 1);
    pp_bytes_unref(out);
}

static void test_round_trips(void **state)
{
    static const size_t sizes[] = {0, 1, 19, 4095, 65535, 65536, 65537, 1000003};

    (void)state;
    for (int encoding = 0; encoding < PP_ENCODINGS; encoding++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            char *text = sample(sizes[i], 7);
            struct pp_str in = {text, sizes[i]};
            struct pp_bytes *packed = pack(encoding, PP_COMPRESS_LEVEL_DEFAULT, in);

            assert_unpacks(encoding, pp_bytes_str(packed), in, LIMIT);
            assert_unpacks(encoding, pp_bytes_str(packed), in, in.n); /* the limit is inclusive */
            if (in.n > 0)
                assert_int_equal(unpack_fails(encoding, pp_bytes_str(packed), in.n - 1), PP_ERR_LIMIT);
            pp_bytes_unref(packed);
            free(text);
        }
    }
}

static void test_levels(void **state)
{
    char *text = sample(200000, 3);
    struct pp_str in = {text, 200000};
    struct pp_bytes *fast = pack(PP_ENCODING_GZIP, 1, in), *best = pack(PP_ENCODING_GZIP, 12, in), *none = NULL;
    struct pp_error err = {0};

    (void)state;
    assert_true(best->len < fast->len);
    assert_false(pp_compress(PP_ENCODING_GZIP, 13, in, &none, &err));
    assert_int_equal(err.kind, PP_ERR_CONFIG);
    assert_false(pp_compress(PP_ENCODING_ZSTD, 0, in, &none, &err));
    assert_null(none);
    pp_bytes_unref(fast);
    pp_bytes_unref(best);
    free(text);
}

/* Every prefix of a stream is refused as invalid, whatever the format, and never read past its end (the copy is exact, so
 * that sanitizers see it). */
static void test_cut_short(void **state)
{
    char *text = sample(3000, 11);
    struct pp_str in = {text, 3000};

    (void)state;
    for (int encoding = PP_ENCODING_GZIP; encoding < PP_ENCODINGS; encoding++) {
        struct pp_bytes *packed = pack(encoding, PP_COMPRESS_LEVEL_DEFAULT, in);

        for (size_t n = 0; n < packed->len; n++) {
            char *copy = malloc(n + 1);
            bool whole_chunks = encoding == PP_ENCODING_SNAPPY_FRAMED && n == 10; /* a stream without content */

            memcpy(copy, packed->data, n);
            copy = realloc(copy, n ? n : 1);
            assert_int_equal(unpack_fails(encoding, (struct pp_str){copy, n}, LIMIT),
                             whole_chunks ? PP_ERR_NONE : PP_ERR_INVALID);
            free(copy);
        }
        pp_bytes_unref(packed);
    }
    free(text);
}

/* A flipped bit is noticed by every format with a checksum, and harmless in the others. */
static void test_damaged(void **state)
{
    char *text = sample(2000, 5);
    struct pp_str in = {text, 2000};

    (void)state;
    for (int encoding = PP_ENCODING_GZIP; encoding < PP_ENCODINGS; encoding++) {
        struct pp_bytes *packed = pack(encoding, PP_COMPRESS_LEVEL_DEFAULT, in);
        bool checked = encoding == PP_ENCODING_DEFLATE || encoding == PP_ENCODING_SNAPPY_FRAMED;

        for (size_t i = 0; i < packed->len; i++) {
            enum pp_error_kind kind;

            packed->data[i] ^= 0x10;
            kind = unpack_fails(encoding, pp_bytes_str(packed), 100000);
            if (checked && kind == PP_ERR_NONE && !(encoding == PP_ENCODING_SNAPPY_FRAMED && i < 14))
                fail_msg("%s accepts damage at byte %zu", pp_encoding_name(encoding), i);
            packed->data[i] ^= 0x10;
        }
        pp_bytes_unref(packed);
    }
    free(text);
}

static void test_trailing_and_members(void **state)
{
    char *text = sample(5000, 9);
    struct pp_str in = {text, 5000};
    static const enum pp_encoding several[] = {PP_ENCODING_GZIP, PP_ENCODING_ZSTD, PP_ENCODING_LZ4,
                                               PP_ENCODING_SNAPPY_FRAMED};

    (void)state;
    for (size_t i = 0; i < sizeof(several) / sizeof(several[0]); i++) {
        struct pp_bytes *packed = pack(several[i], PP_COMPRESS_LEVEL_DEFAULT, in);
        struct pp_buf twice, twice_in;

        pp_buf_init(&twice, SIZE_MAX);
        pp_buf_init(&twice_in, SIZE_MAX);
        for (int k = 0; k < 2; k++) {
            pp_buf_add_str(&twice, pp_bytes_str(packed));
            pp_buf_add_str(&twice_in, in);
        }
        assert_unpacks(several[i], pp_buf_str(&twice), pp_buf_str(&twice_in), LIMIT);
        assert_int_equal(unpack_fails(several[i], pp_buf_str(&twice), 9999), PP_ERR_LIMIT);
        pp_buf_done(&twice);
        pp_buf_done(&twice_in);
        pp_bytes_unref(packed);
    }
    for (int encoding = PP_ENCODING_GZIP; encoding < PP_ENCODINGS; encoding++) {
        struct pp_bytes *packed = pack(encoding, PP_COMPRESS_LEVEL_DEFAULT, in);
        struct pp_buf more;

        pp_buf_init(&more, SIZE_MAX);
        pp_buf_add_str(&more, pp_bytes_str(packed));
        pp_buf_add_c(&more, "garbage behind the end of the stream");
        assert_int_equal(unpack_fails(encoding, pp_buf_str(&more), LIMIT), PP_ERR_INVALID);
        pp_buf_done(&more);
        pp_bytes_unref(packed);
    }
    free(text);
}

static size_t memory_peak_kib(void)
{
    char line[256];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");

    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        sscanf(line, "VmHWM: %zu", &kib);
    fclose(f);
    return kib;
}

/* Sets the high-water mark back to what is in use now. */
static void peak_reset(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");

    assert_non_null(f);
    fputs("5", f);
    fclose(f);
}

/* 256 MiB of zeros in every format, inflated against a limit of 1 MiB: refused, and the process does not grow by it. */
static void test_bombs(void **state)
{
    const size_t big = 256u * 1024 * 1024, limit = 1024 * 1024;
    struct pp_bytes *bombs[PP_ENCODINGS] = {0};
    char *zeros = calloc(1, big);
    size_t before;

    (void)state;
    for (int encoding = PP_ENCODING_GZIP; encoding < PP_ENCODINGS; encoding++)
        bombs[encoding] = pack(encoding, encoding == PP_ENCODING_LZ4 ? 0 : 1, (struct pp_str){zeros, big});
    free(zeros);
    peak_reset();
    before = memory_peak_kib();
    for (int encoding = PP_ENCODING_GZIP; encoding < PP_ENCODINGS; encoding++) {
        assert_int_equal(unpack_fails(encoding, pp_bytes_str(bombs[encoding]), limit), PP_ERR_LIMIT);
        pp_bytes_unref(bombs[encoding]);
    }
    assert_true(memory_peak_kib() < before + 32 * 1024);
}

static void test_snappy_forms(void **state)
{
    struct pp_str in = PP_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    struct pp_bytes *framed = pack(PP_ENCODING_SNAPPY_FRAMED, 0, in);

    (void)state;
    assert_unpacks(PP_ENCODING_SNAPPY, pp_bytes_str(framed), in, LIMIT);
    assert_int_equal(pp_encoding_detect(PP_ENCODING_SNAPPY, pp_bytes_str(framed)), PP_ENCODING_SNAPPY_FRAMED);
    assert_int_equal(pp_encoding_detect(PP_ENCODING_GZIP, pp_bytes_str(framed)), PP_ENCODING_GZIP);
    assert_int_equal(pp_encoding_detect(PP_ENCODING_SNAPPY, PP_STR("\xff\x06\x00\x00sNaPp")), PP_ENCODING_SNAPPY);
    pp_bytes_unref(framed);
    /* a block that claims 4 GiB, and one that claims a bit too much for its size */
    assert_int_equal(unpack_fails(PP_ENCODING_SNAPPY, PP_STR("\xff\xff\xff\xff\x0f\x00"), SIZE_MAX), PP_ERR_INVALID);
    assert_int_equal(unpack_fails(PP_ENCODING_SNAPPY, PP_STR("\x64\x00\x61"), SIZE_MAX), PP_ERR_INVALID);
    assert_int_equal(unpack_fails(PP_ENCODING_SNAPPY_FRAMED, PP_STR("\xff\x06\x00\x00sNaPpY\x02\x00\x00\x00"), 100),
                     PP_ERR_INVALID); /* reserved chunk that must not be skipped */
    assert_unpacks(PP_ENCODING_SNAPPY_FRAMED, PP_STR("\xff\x06\x00\x00sNaPpY\x80\x01\x00\x00x"), PP_STR(""), 100);
}

static void test_names(void **state)
{
    static const struct {
        struct pp_str name;
        int encoding; /* -1: unknown */
    } cases[] = {
        {PP_STR(""), PP_ENCODING_IDENTITY},        {PP_STR("none"), PP_ENCODING_IDENTITY},
        {PP_STR("identity"), PP_ENCODING_IDENTITY}, {PP_STR("GZip"), PP_ENCODING_GZIP},
        {PP_STR("x-gzip"), PP_ENCODING_GZIP},      {PP_STR("deflate"), PP_ENCODING_DEFLATE},
        {PP_STR("zlib"), PP_ENCODING_DEFLATE},     {PP_STR("zstd"), PP_ENCODING_ZSTD},
        {PP_STR("snappy"), PP_ENCODING_SNAPPY},    {PP_STR("x-snappy-framed"), PP_ENCODING_SNAPPY_FRAMED},
        {PP_STR("lz4"), PP_ENCODING_LZ4},          {PP_STR("br"), -1},
        {PP_STR("gzip\0"), -1},                    {PP_STR("gzip, gzip"), -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum pp_encoding encoding = PP_ENCODINGS;

        assert_int_equal(pp_encoding_by_name(cases[i].name, &encoding), cases[i].encoding >= 0);
        assert_int_equal(encoding, cases[i].encoding >= 0 ? cases[i].encoding : PP_ENCODINGS);
    }
}

static void test_crc32c(void **state)
{
    (void)state;
    assert_int_equal(pp_crc32c(PP_STR("123456789")), 0xE3069283u); /* RFC 3720's check value */
    assert_int_equal(pp_crc32c(PP_STR("")), 0);
    assert_int_equal(pp_crc32c_more(pp_crc32c(PP_STR("12345")), PP_STR("6789")), 0xE3069283u);
}

/* Every allocation of ours fails in turn: an error each time, never a leak or a crash. */
static void test_no_memory(void **state)
{
#ifdef PP_ALLOC_FAULTS
    char *text = sample(200000, 1);

    for (int encoding = 0; encoding < PP_ENCODINGS; encoding++) {
        struct pp_bytes *packed = pack(encoding, PP_COMPRESS_LEVEL_DEFAULT, (struct pp_str){text, 200000});
        size_t n = 1;

        for (bool failed = true; failed; n++) {
            struct pp_bytes *out = NULL;
            struct pp_error err = {0};

            assert_true(n < 1000);
            pp_alloc_fail_at(n);
            failed = !pp_decompress(encoding, pp_bytes_str(packed), LIMIT, &out, &err);
            failed = failed || pp_alloc_count() >= n; /* giving back slack may fail and still succeed */
            pp_alloc_fail_at(0);
            assert_true(out || err.kind == PP_ERR_NOMEM);
            pp_bytes_unref(out);
        }
        assert_true(n > 2);
        pp_bytes_unref(packed);
        n = 1;
        for (bool failed = true; failed; n++) {
            struct pp_error err = {0};

            assert_true(n < 1000);
            packed = NULL;
            pp_alloc_fail_at(n);
            failed = !pp_compress(encoding, PP_COMPRESS_LEVEL_DEFAULT, (struct pp_str){text, 200000}, &packed, &err);
            failed = failed || pp_alloc_count() >= n;
            pp_alloc_fail_at(0);
            assert_true(packed || err.kind == PP_ERR_NOMEM);
            pp_bytes_unref(packed);
        }
        assert_true(n > 2);
    }
    free(text);
#else
    skip();
#endif
    (void)state;
}

static void *other_thread(void *arg)
{
    test_round_trips(arg);
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, other_thread, state), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_levels),       cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_damaged),     cmocka_unit_test(test_snappy_forms), cmocka_unit_test(test_trailing_and_members),
        cmocka_unit_test(test_bombs),       cmocka_unit_test(test_names),        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_no_memory),   cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests_name("compress", tests, NULL, NULL);
}
