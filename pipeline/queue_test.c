#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pipeline/queue.h"
#include "pipeline/testing/testing.h"

#define MS 1000000ll

static struct pp_sending_queue_config config;
static struct pp_batch_config batching;
static struct pp_queue queue;

static int setup(void **state)
{
    (void)state;
    config = (struct pp_sending_queue_config)PP_SENDING_QUEUE_DEFAULTS;
    batching = (struct pp_batch_config)PP_BATCH_DEFAULTS;
    batching.min_size = 10;
    batching.flush_timeout = 100 * MS;
    return 0;
}

static struct pp_request *request(unsigned samples, const char *tenant)
{
    struct pp_request *r = pp_calloc(1, sizeof(*r));
    struct pp_metadata metadata = {PP_STR("tenant"), pp_str_c(tenant)};
    struct pp_context *context = tenant ? pp_context_new(PP_STR(""), &metadata, 1) : NULL;

    assert_non_null(r);
    r->batch = pp_testing_batch_from(samples, samples, context);
    pp_context_unref(context);
    return r;
}

static enum pp_queue_verdict push(unsigned samples, const char *tenant, uint64_t now_ms)
{
    struct pp_request *r = request(samples, tenant);
    enum pp_queue_verdict verdict = pp_queue_push(&queue, r, now_ms);

    if (verdict != PP_QUEUE_TAKEN && verdict != PP_QUEUE_WAITING) {
        pp_batch_unref(r->batch);
        pp_free(r);
    }
    return verdict;
}

static void free_list(struct pp_request *list)
{
    while (list) {
        struct pp_request *r = list;

        list = r->next;
        pp_queue_release(&queue, r);
        pp_batch_unref(r->batch);
        pp_free(r);
    }
}

/* Takes once, gives everything up, and returns the samples and the number of requests taken. */
static uint64_t take(uint64_t now_ms, bool flush, unsigned *ret_n, uint64_t *ret_room)
{
    uint64_t room = 0, samples = 0;
    struct pp_request *list = pp_queue_take(&queue, now_ms, flush, &room);
    unsigned n = 0;

    for (struct pp_request *r = list; r; r = r->next, n++)
        samples += r->samples;
    free_list(list);
    if (ret_n)
        *ret_n = n;
    if (ret_room)
        *ret_room = room;
    return samples;
}

static void first_in_first_out_one_by_one(void **state)
{
    (void)state;
    pp_queue_init(&queue, &config);
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(push(i, NULL, 0), PP_QUEUE_TAKEN);
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(take(0, false, NULL, NULL), i);
    assert_int_equal(take(0, true, NULL, NULL), 0);
    assert_int_equal(queue.admitted + queue.size + queue.memory_bytes + queue.pending, 0);
    assert_int_equal(pp_queue_due_ms(&queue), PP_QUEUE_NEVER_MS);
}

static void room_is_held_until_release(void **state)
{
    uint64_t room;
    struct pp_request *taken;

    (void)state;
    config.queue_size = 1;
    pp_queue_init(&queue, &config);
    assert_int_equal(push(1, NULL, 0), PP_QUEUE_TAKEN);
    taken = pp_queue_take(&queue, 0, false, &room);
    assert_int_equal(push(1, NULL, 0), PP_QUEUE_FULL);
    free_list(taken);
    assert_int_equal(push(1, NULL, 0), PP_QUEUE_TAKEN);
    take(0, false, NULL, NULL);
}

static void one_batch_larger_than_the_memory_limit_still_passes(void **state)
{
    (void)state;
    pp_queue_init(&queue, &config);
    queue.memory_bytes_max = 1;
    assert_int_equal(push(5, NULL, 0), PP_QUEUE_TAKEN);
    assert_int_equal(push(5, NULL, 0), PP_QUEUE_FULL);
    take(0, false, NULL, NULL);
    assert_int_equal(push(5, NULL, 0), PP_QUEUE_TAKEN);
    take(0, false, NULL, NULL);
}

static void waiting_is_fair_and_bounded(void **state)
{
    struct pp_request *admitted, *taken;
    uint64_t room;

    (void)state;
    config.sizer = PP_SIZER_ITEMS;
    config.queue_size = 10;
    config.block_on_overflow = true;
    pp_queue_init(&queue, &config);
    assert_int_equal(push(6, NULL, 0), PP_QUEUE_TAKEN);
    assert_int_equal(push(8, NULL, 0), PP_QUEUE_WAITING);
    /* It would fit, but comes after one that waits. */
    assert_int_equal(push(1, NULL, 0), PP_QUEUE_WAITING);
    assert_int_equal(push(11, NULL, 0), PP_QUEUE_TOO_LARGE);
    assert_null(pp_queue_admit(&queue, 0));
    taken = pp_queue_take(&queue, 0, false, &room);
    assert_null(pp_queue_admit(&queue, 0));
    free_list(taken);
    admitted = pp_queue_admit(&queue, 5);
    assert_int_equal(admitted->samples, 8);
    assert_int_equal(admitted->arrived_ms, 5);
    assert_int_equal(pp_queue_admit(&queue, 5)->samples, 1);
    assert_int_equal(queue.waiting_n + queue.waiting_bytes, 0);
    take(5, false, NULL, NULL);
    take(5, false, NULL, NULL);
    queue.waiting_n = PP_QUEUE_WAITING_MAX;
    assert_int_equal(push(6, NULL, 0), PP_QUEUE_TAKEN);
    assert_int_equal(push(6, NULL, 0), PP_QUEUE_FULL);
    queue.waiting_n = 0;
    take(5, false, NULL, NULL);
}

static void batches_wait_for_size_or_time(void **state)
{
    unsigned n;

    (void)state;
    config.batch = &batching;
    pp_queue_init(&queue, &config);
    push(4, NULL, 1000);
    assert_int_equal(pp_queue_due_ms(&queue), 1100);
    assert_int_equal(take(1099, false, &n, NULL), 0);
    assert_int_equal(take(1100, false, &n, NULL), 4);
    push(4, NULL, 2000);
    push(7, NULL, 2050);
    push(3, NULL, 2060);
    assert_int_equal(take(2061, false, &n, NULL), 11);
    assert_int_equal(n, 2);
    /* The rest waits as long as its own oldest request may. */
    assert_int_equal(pp_queue_due_ms(&queue), 2160);
    assert_int_equal(take(2061, true, &n, NULL), 3);
}

static void unlike_metadata_stays_apart(void **state)
{
    static const char *const keys[] = {"tenant"};
    unsigned n;

    (void)state;
    batching.partition.metadata_keys = (struct pp_string_list){keys, 1};
    config.batch = &batching;
    pp_queue_init(&queue, &config);
    push(6, "a", 0);
    push(5, "b", 1);
    push(3, NULL, 2);
    assert_int_equal(take(3, false, &n, NULL), 0);
    push(6, "b", 3);
    /* b is full although a is older. */
    assert_int_equal(take(4, false, &n, NULL), 11);
    assert_int_equal(n, 2);
    assert_int_equal(take(100, false, &n, NULL), 6);
    assert_int_equal(take(101, false, &n, NULL), 0);
    assert_int_equal(take(102, false, &n, NULL), 3);
    for (unsigned i = 0; i < PP_QUEUE_BUCKETS; i++)
        assert_null(queue.buckets[i]);
}

static void the_last_request_is_cut_or_left(void **state)
{
    uint64_t room;
    unsigned n;

    (void)state;
    batching.min_size = 64;
    batching.max_size = 80;
    config.batch = &batching;
    pp_queue_init(&queue, &config);
    push(50, NULL, 0);
    push(100, NULL, 0);
    assert_int_equal(take(0, false, &n, &room), 150);
    assert_int_equal(room, 30);
    assert_int_equal(n, 2);
    /* Alone above max_size. */
    push(200, NULL, 0);
    assert_int_equal(take(0, false, &n, &room), 200);
    assert_int_equal(room, 80);
    /* No crumbs: less than an eighth of max_size is not filled up. */
    batching.min_size = 80;
    push(75, NULL, 0);
    push(100, NULL, 0);
    assert_int_equal(take(0, false, &n, &room), 75);
    assert_int_equal(room, 0);
    assert_int_equal(take(0, false, &n, &room), 100);
    assert_int_equal(room, 80);
}

static void pieces_come_back_in_front(void **state)
{
    struct pp_request *piece = request(9, NULL);
    uint64_t room;
    struct pp_request *list;

    (void)state;
    config.batch = &batching;
    pp_queue_init(&queue, &config);
    push(2, NULL, 0);
    piece->samples = piece->weight = 9;
    assert_true(pp_queue_put_back(&queue, piece, 50));
    assert_int_equal(queue.pending, 2);
    list = pp_queue_take(&queue, 50, false, &room);
    assert_ptr_equal(list, piece);
    assert_int_equal(list->next->samples, 2);
    queue.admitted++; /* a piece has no room of its own; free_list releases one for each */
    free_list(list);
    assert_int_equal(queue.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(first_in_first_out_one_by_one, setup),
        cmocka_unit_test_setup(room_is_held_until_release, setup),
        cmocka_unit_test_setup(one_batch_larger_than_the_memory_limit_still_passes, setup),
        cmocka_unit_test_setup(waiting_is_fair_and_bounded, setup),
        cmocka_unit_test_setup(batches_wait_for_size_or_time, setup),
        cmocka_unit_test_setup(unlike_metadata_stays_apart, setup),
        cmocka_unit_test_setup(the_last_request_is_cut_or_left, setup),
        cmocka_unit_test_setup(pieces_come_back_in_front, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
