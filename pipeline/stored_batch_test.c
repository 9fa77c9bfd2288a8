/* Batches as records and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/compress.h"
#include "pipeline/stored_batch.h"
#include "pipeline/testing/testing.h"

#define HEAD_BYTES_MAX 100000u

static struct pp_context *context(void)
{
    const struct pp_metadata metadata[] = {{PP_STR("tenant"), PP_STR("a")}, {PP_STR("tenant"), PP_STR("b")}, {PP_STR("empty"), PP_STR("")}};
    const struct pp_metadata auth[] = {{PP_STR("password"), PP_STR("secret")}};

    return pp_context_new_auth(PP_STR("10.0.0.1:5"), metadata, 3, auth, 1);
}

/* As it comes over the network with this encoding. */
static struct pp_batch *received(unsigned samples, enum pp_encoding encoding)
{
    struct pp_batch *built = pp_testing_batch(samples, samples), *batch = NULL;
    struct pp_batch_source source = {.packed_encoding = encoding, .context = context()};
    const struct pp_encode_options options = {0};

    assert_true(pp_batch_encode(built, &options, &source.wire, NULL));
    if (encoding != PP_ENCODING_IDENTITY)
        assert_true(pp_compress(encoding, PP_COMPRESS_LEVEL_DEFAULT, pp_bytes_str(source.wire), &source.packed, NULL));
    assert_true(pp_batch_from_otlp(&source, &batch, NULL));
    pp_bytes_unref(source.wire);
    pp_bytes_unref(source.packed);
    pp_context_unref(source.context);
    pp_batch_unref(built);
    return batch;
}

static void expect_same(struct pp_batch *a, struct pp_batch *b)
{
    const struct pp_encode_options options = {0};
    struct pp_bytes *x = NULL, *y = NULL;

    assert_true(pp_batch_encode(a, &options, &x, NULL));
    assert_true(pp_batch_encode(b, &options, &y, NULL));
    assert_int_equal(x->len, y->len);
    assert_memory_equal(x->data, y->data, x->len);
    pp_bytes_unref(x);
    pp_bytes_unref(y);
}

static void test_every_encoding(void **state)
{
    (void)state;
    for (int encoding = 0; encoding < PP_ENCODINGS; encoding++) {
        struct pp_batch *batch = received(7, (enum pp_encoding)encoding), *again = NULL;
        struct pp_stored_info info;
        struct pp_bytes *body = NULL;
        struct pp_buf head;
        struct pp_str value;
        enum pp_layout layout;
        enum pp_encoding kept;
        struct pp_bytes *bytes;

        pp_buf_init(&head, HEAD_BYTES_MAX);
        assert_true(pp_stored_batch_write(batch, &head, &body, NULL));
        assert_null(memmem(head.data, head.len, "secret", 6));
        assert_true(pp_stored_batch_info(pp_buf_str(&head), &info, NULL));
        assert_int_equal(info.samples, 7);
        assert_int_equal(info.wire_bytes, pp_batch_wire_bytes(batch));
        assert_true(pp_stored_batch_read(pp_buf_str(&head), body, &again, NULL));
        expect_same(batch, again);
        bytes = pp_batch_received(again, &kept, &layout); /* still compressed, to be passed on so */
        assert_ptr_equal(bytes, body);
        assert_int_equal(kept, encoding);
        pp_bytes_unref(bytes);
        assert_true(pp_str_eq_c(pp_context_peer(pp_batch_context(again)), "10.0.0.1:5"));
        assert_true(pp_context_metadata(pp_batch_context(again), PP_STR("tenant"), 1, &value) && pp_str_eq_c(value, "b"));
        assert_true(pp_context_metadata(pp_batch_context(again), PP_STR("empty"), 0, &value) && value.n == 0);
        assert_false(pp_context_auth(pp_batch_context(again), PP_STR("password"), &value));
        pp_bytes_unref(body);
        pp_buf_done(&head);
        pp_batch_unref(batch);
        pp_batch_unref(again);
    }
}

/* One that was built here, or edited. */
static void test_built(void **state)
{
    struct pp_batch *batch = pp_testing_batch(3, 1), *again = NULL;
    struct pp_bytes *body = NULL;
    struct pp_buf head;

    (void)state;
    pp_buf_init(&head, HEAD_BYTES_MAX);
    assert_true(pp_stored_batch_write(batch, &head, &body, NULL));
    assert_true(pp_stored_batch_read(pp_buf_str(&head), body, &again, NULL));
    expect_same(batch, again);
    assert_null(pp_batch_context(again));
    pp_bytes_unref(body);
    pp_buf_done(&head);
    pp_batch_unref(batch);
    pp_batch_unref(again);
}

/* A head that is cut off or changed anywhere: an error or a batch, never a crash. */
static void test_broken_heads(void **state)
{
    struct pp_batch *batch = received(2, PP_ENCODING_GZIP), *again;
    struct pp_bytes *body = NULL;
    struct pp_buf head;

    (void)state;
    pp_buf_init(&head, HEAD_BYTES_MAX);
    assert_true(pp_stored_batch_write(batch, &head, &body, NULL));
    for (size_t n = 0; n < head.len; n++) {
        struct pp_error err = {0};

        again = NULL;
        assert_false(pp_stored_batch_read((struct pp_str){head.data, n}, body, &again, &err));
        assert_int_equal(err.kind, PP_ERR_INVALID);
    }
    for (size_t at = 0; at < head.len; at++) {
        again = NULL;
        head.data[at] = (char)~head.data[at];
        if (pp_stored_batch_read(pp_buf_str(&head), body, &again, NULL))
            pp_batch_unref(again);
        head.data[at] = (char)~head.data[at];
    }
    pp_bytes_unref(body);
    pp_buf_done(&head);
    pp_batch_unref(batch);
}

static void test_no_memory(void **state)
{
    (void)state;
#ifdef PP_ALLOC_FAULTS
    bool done = false;

    for (size_t n = 1; !done; n++) {
        struct pp_batch *batch = received(2, PP_ENCODING_GZIP), *again = NULL;
        struct pp_bytes *body = NULL;
        struct pp_error err = {0};
        struct pp_buf head;

        assert_true(n < 1000);
        pp_buf_init(&head, HEAD_BYTES_MAX);
        pp_alloc_fail_at(n);
        done = pp_stored_batch_write(batch, &head, &body, &err) && pp_stored_batch_read(pp_buf_str(&head), body, &again, &err);
        pp_alloc_fail_at(0);
        assert_true(done || err.kind == PP_ERR_NOMEM);
        pp_bytes_unref(body);
        pp_batch_unref(again);
        pp_buf_done(&head);
        pp_batch_unref(batch);
    }
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_encoding),
        cmocka_unit_test(test_built),
        cmocka_unit_test(test_broken_heads),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
