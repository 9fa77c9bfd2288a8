#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/slab.h"
#include "base/bytes.h"
#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS false
#elif defined(__has_feature)
#define KEEPS (!__has_feature(address_sanitizer))
#else
#define KEEPS true
#endif

#define MIB (1024u * 1024)

static void empty(void)
{
    pp_slabs_trim();
    assert_int_equal(pp_slabs_trim(), 0);
}

static int leave_empty(void **state)
{
    (void)state;
    empty();
    return 0;
}

static void test_sizes(void **state)
{
    (void)state;
    for (size_t size = 1; size < 70 * MIB; size = size * 3 + 1) {
        size_t cap = 0;
        char *block = pp_slab_new(size, &cap);

        assert_non_null(block);
        assert_true(cap >= size && cap >= PP_SLAB_BYTES_MIN);
        if (size > PP_SLAB_BYTES_MIN)
            assert_true(cap - size <= size / 8 + 4096);
        block[0] = block[cap - 1] = 'x';
        pp_slab_free(block, cap);
    }
    assert_null(pp_slab_new(SIZE_MAX - 1, &(size_t){0}));
    pp_slab_free(NULL, 0);
}

/* The nearest size is found again, and one far too large is not wasted on a small need. */
static void test_reuse(void **state)
{
    size_t cap1, cap2, cap;
    char *small = pp_slab_new(100 * 1024, &cap1), *large = pp_slab_new(2 * MIB, &cap2);

    (void)state;
    if (!KEEPS) {
        pp_slab_free(small, cap1);
        pp_slab_free(large, cap2);
        skip();
    }
    pp_slab_free(small, cap1);
    pp_slab_free(large, cap2);
    assert_int_equal(pp_slabs_trim(), cap1 + cap2);
    assert_ptr_equal(pp_slab_new(90 * 1024, &cap), small);
    assert_int_equal(cap, cap1);
    pp_slab_free(small, cap);
    assert_ptr_equal(pp_slab_new(3 * MIB / 2, &cap), large);
    assert_int_equal(cap, cap2);
    pp_slab_free(large, cap);
    small = pp_slab_new(MIB / 2, &cap);
    assert_ptr_not_equal(small, large);
    pp_slab_free(small, cap);
}

static void *free_here(void *block)
{
    pp_slab_free(block, MIB);
    return NULL;
}

/* Each thread gets back what it had itself. */
static void test_threads(void **state)
{
    size_t cap;
    char *mine = pp_slab_new(MIB, &cap), *other = pp_slab_new(MIB, &cap);
    pthread_t thread;

    (void)state;
    assert_int_equal(cap, MIB);
    pp_slab_free(mine, MIB);
    assert_int_equal(pthread_create(&thread, NULL, free_here, other), 0);
    pthread_join(thread, NULL);
    if (!KEEPS)
        skip();
    assert_ptr_equal(pp_slab_new(MIB, &cap), mine);
    assert_ptr_equal(pp_slab_new(MIB, &cap), other); /* better than none */
    pp_slab_free(mine, MIB);
    pp_slab_free(other, MIB);
}

static void test_bound(void **state)
{
    char *blocks[20];
    size_t caps[20];

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_non_null(blocks[i] = pp_slab_new(MIB, &caps[i]));
    for (int i = 0; i < 20; i++)
        pp_slab_free(blocks[i], caps[i]);
    assert_int_equal(pp_slabs_trim(), KEEPS ? PP_SLABS_KEPT_BYTES_MAX : 0);
    /* One that is used between two trims stays, the others go. */
    blocks[0] = pp_slab_new(MIB, &caps[0]);
    pp_slab_free(blocks[0], caps[0]);
    assert_int_equal(pp_slabs_trim(), KEEPS ? MIB : 0);
    assert_int_equal(pp_slabs_trim(), 0);
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void use_block(void)
{
    size_t cap;
    char *block = pp_slab_new(MIB, &cap);

    pp_slab_free(block, cap);
}

static void test_wakes_once(void **state)
{
    int woken = 0;

    (void)state;
    pp_slabs_on_kept(count, &woken);
    use_block();
    use_block();
    assert_int_equal(woken, KEEPS ? 1 : 0);
    pp_slabs_trim();
    use_block();
    assert_int_equal(woken, KEEPS ? 1 : 0);
    empty();
    use_block();
    assert_int_equal(woken, KEEPS ? 2 : 0);
    pp_slabs_on_kept(NULL, NULL);
    empty();
    use_block();
    assert_int_equal(woken, KEEPS ? 2 : 0);
}

static void test_bytes(void **state)
{
    struct pp_bytes *small = pp_bytes_new(PP_SLAB_BYTES_MIN - 1), *large = pp_bytes_new(PP_SLAB_BYTES_MIN + 1);
    char *data = large->data;

    (void)state;
    assert_false(small->slab);
    assert_true(large->slab && large->cap >= large->len && large->len == PP_SLAB_BYTES_MIN + 1);
    memset(large->data, 'x', large->cap);
    pp_bytes_unref(small);
    pp_bytes_unref(large);
    large = pp_bytes_new(PP_SLAB_BYTES_MIN + 1);
    if (KEEPS)
        assert_ptr_equal(large->data, data);
    pp_bytes_unref(large);
}

static void test_no_memory(void **state)
{
    size_t cap = 7;

    (void)state;
    if (pp_alloc_count() == 0)
        pp_free(pp_malloc(1));
    pp_alloc_fail_at(1);
    if (!pp_slab_new(MIB, &cap)) {
        assert_int_equal(cap, 7);
        pp_alloc_fail_at(2); /* the block is there, what counts its references is not */
        assert_null(pp_bytes_new(MIB));
    }
    pp_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_sizes, leave_empty),      cmocka_unit_test_teardown(test_reuse, leave_empty),
        cmocka_unit_test_teardown(test_threads, leave_empty),
        cmocka_unit_test_teardown(test_bound, leave_empty),      cmocka_unit_test_teardown(test_wakes_once, leave_empty),
        cmocka_unit_test_teardown(test_bytes, leave_empty),      cmocka_unit_test_teardown(test_no_memory, leave_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
