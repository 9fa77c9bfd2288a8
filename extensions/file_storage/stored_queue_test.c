/* The sending queue with its half on a disk, behind both kinds of exporters: what is accepted is delivered, over restarts, a full disk and damage. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "file_log.h"
#include "pipeline/exporter_core.h"
#include "pipeline/exporter_fake.h"
#include "pipeline/service.h"
#include "pipeline/service_state.h"
#include "test_disk.h"

#define SHORT_MS 200u

/* An extension that keeps its one log in `folder`. */
struct test_store {
    struct pp_component component; /* first */
    struct pp_record_store store;
};

static char folder[64];
static uint64_t bytes_max;

static bool open_log(struct pp_record_store *store, const struct pp_record_client *client, const struct pp_record_log_events *events,
                     struct pp_record_log **ret, struct pp_error *err)
{
    const struct pp_file_log_options options = {.path = folder, .segment_bytes = 8192, .bytes_max = bytes_max, .ops = &test_disk_ops};

    (void)store;
    assert_string_equal(client->kind, "exporter");
    assert_string_equal(client->id, "fake");
    return pp_file_log_open(&options, events, ret, err);
}

static struct test_store store = {.store.open = open_log};

static void *store_interface(struct pp_component *self, enum pp_capability capability)
{
    assert_int_equal(capability, PP_OFFERS_STORAGE);
    return &((struct test_store *)self)->store;
}

static const struct pp_factory store_factory = {PP_FACTORY_DEFAULTS, .kind = PP_EXTENSION, .type = "store", .interface = store_interface};
static const struct pp_instance_use use = {"store", &store.component};

static int setup(void **state, int (*fake_setup)(void **state))
{
    store.component.factory = &store_factory;
    fake_use = &use;
    bytes_max = 0;
    snprintf(folder, sizeof(folder), "/tmp/pp-stored-queue-XXXXXX");
    test_disk_reset();
    return mkdtemp(folder) ? fake_setup(state) : -1;
}

static int setup_blocking(void **state)
{
    return setup(state, fake_setup_blocking);
}

static int setup_lanes(void **state)
{
    return setup(state, fake_setup_lanes);
}

static int teardown(void **state)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(folder);
    test_disk_reset();
    return fake_teardown(state);
}

static struct fake_config stored_config(void)
{
    struct fake_config config = fake_default_config();

    config.queue.storage = "store";
    config.queue.queue_size = 100000;
    config.queue.num_consumers = 4;
    return config;
}

static size_t memory_of(struct pp_instance *instance, size_t *ret_pending)
{
    struct pp_exporter_core *core = ((struct pp_exporter *)instance->component)->core;
    size_t bytes;

    pthread_mutex_lock(&core->lock);
    bytes = core->queue.memory_bytes;
    *ret_pending = core->queue.pending;
    pthread_mutex_unlock(&core->lock);
    return bytes;
}

static bool says(struct pp_instance *instance, const char *text)
{
    bool found;

    pp_service_lock_status(fake_service);
    found = *text ? strstr(instance->message, text) != NULL : !*instance->message;
    pp_service_unlock_status(fake_service);
    return found;
}

static void wait_for_metric(const char *name, uint64_t value)
{
    uint64_t until_ms = pp_clock_mono_ms() + PP_TESTING_WAIT_MS;

    while (fake_metric(name) != value && pp_clock_mono_ms() < until_ms)
        usleep(1000);
    assert_int_equal(fake_metric(name), value);
}

static void expect_seen(unsigned first, unsigned end)
{
    pthread_mutex_lock(&fake_sink.lock);
    for (unsigned i = first; i < end; i++)
        assert_true(fake_sink.seen[i]);
    pthread_mutex_unlock(&fake_sink.lock);
}

static unsigned segments(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        n += strstr(entry->d_name, ".seg") != NULL;
    closedir(dir);
    return n;
}

static void delivered_and_forgotten(void **state)
{
    struct fake_config config = stored_config();
    struct pp_instance *instance = fake_start(&config);

    (void)state;
    for (unsigned i = 1; i <= 50; i++)
        fake_expect(instance, i, PP_ACCEPTED);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    expect_seen(1, 51);
    assert_int_equal(fake_sink.delivered, 50);
    assert_int_equal(segments(), 0);
    assert_int_equal(fake_metric("otelcol_exporter_queue_capacity"), 0);
}

static void comes_again_after_a_restart(void **state)
{
    struct fake_config config = stored_config();
    struct pp_instance *instance = fake_start(&config);

    (void)state;
    fake_set_closed(true);
    for (unsigned i = 1; i <= 50; i++)
        fake_expect(instance, i, PP_ACCEPTED);
    fake_stop(instance, SHORT_MS);
    assert_int_equal(fake_sink.delivered, 0);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 0);
    assert_int_equal(fake_failed_metric("false", "_OTHER"), 0); /* nothing is lost, nothing counted as such */
    instance = fake_start(&config);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 50);
    assert_int_equal(fake_metric("profpipe_exporter_storage_recovered_batches"), 50);
    fake_set_closed(false);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    expect_seen(1, 51);
    assert_int_equal(segments(), 0);
}

/* Far more than memory may hold: the rest waits on the disk, and is read back in its turn. */
static void memory_stays_bounded(void **state)
{
    enum { N = 1500 };
    struct fake_config config = stored_config();
    struct pp_instance *instance;
    size_t pending = 0;

    (void)state;
    config.queue.max_bytes_mib = 1;
    instance = fake_start(&config);
    fake_set_closed(true);
    for (unsigned i = 1; i <= N; i++) {
        fake_expect(instance, i, PP_ACCEPTED);
        assert_true(memory_of(instance, &pending) <= 1 << 20);
    }
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), N);
    assert_true(pending > 0 && pending < N / 2);
    fake_set_closed(false);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    expect_seen(1, N + 1);
    assert_int_equal(fake_sink.delivered, N);
    assert_int_equal(fake_metric("otelcol_exporter_sent_profile_samples"), N * (N + 1) / 2);
    fake_stop(instance, PP_TESTING_WAIT_MS);
}

static void queue_size_counts_what_is_on_the_disk(void **state)
{
    struct fake_config config = stored_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.queue_size = 100;
    config.queue.sizer = PP_SIZER_ITEMS;
    instance = fake_start(&config);
    fake_set_closed(true);
    fake_expect(instance, 60, PP_ACCEPTED);
    fake_expect(instance, 41, PP_RETRY);
    fake_expect(instance, 40, PP_ACCEPTED);
    fake_expect(instance, 101, PP_PERMANENT);
    fake_stop(instance, SHORT_MS);
    instance = fake_start(&config);
    fake_expect(instance, 1, PP_RETRY);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 100);
    fake_set_closed(false);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    fake_expect(instance, 100, PP_ACCEPTED);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    expect_seen(60, 61);
    expect_seen(40, 41);
}

static void a_full_disk_is_said_and_survived(void **state)
{
    struct fake_config config = stored_config();
    struct pp_instance *instance = fake_start(&config);

    (void)state;
    fake_set_closed(true);
    fake_expect(instance, 1, PP_ACCEPTED);
    test_disk_fail(TEST_DISK_WRITE, 1, ENOSPC);
    for (unsigned i = 10; i < 13; i++)
        fake_expect(instance, i, PP_RETRY);
    assert_int_equal(fake_metric("otelcol_exporter_enqueue_failed_profile_samples"), 10 + 11 + 12);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 1);
    assert_true(says(instance, "No space left"));
    test_disk_fail(TEST_DISK_WRITE, 0, 0);
    fake_expect(instance, 2, PP_ACCEPTED);
    assert_true(says(instance, ""));
    fake_set_closed(false);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    expect_seen(1, 3);
    assert_int_equal(fake_sink.delivered, 2);
}

static void max_size_refuses_until_there_is_room(void **state)
{
    struct fake_config config = stored_config();
    struct pp_instance *instance;
    unsigned n = 0;

    (void)state;
    bytes_max = 100000;
    instance = fake_start(&config);
    fake_set_closed(true);
    for (;;) {
        struct pp_testing_done done;
        enum pp_outcome outcome;

        pp_testing_done_init(&done);
        fake_hand_in(instance, n + 1, &done);
        assert_true(pp_testing_done_wait(&done, PP_TESTING_WAIT_MS));
        outcome = done.result.outcome;
        if (outcome == PP_RETRY)
            assert_non_null(strstr(done.message, "max_size"));
        pp_testing_done_free(&done);
        if (outcome == PP_RETRY)
            break;
        assert_true(++n < 1000);
    }
    assert_true(n > 20);
    fake_set_closed(false);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    usleep(50000); /* marks are gathered */
    fake_expect(instance, n + 1, PP_ACCEPTED);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    expect_seen(1, n + 1);
}

static void damage(long offset)
{
    char path[160];
    int fd;

    snprintf(path, sizeof(path), "%s/00000000000000000001.seg", folder);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\xFF\xFF\xFF\xFF", 4, offset), 4);
    close(fd);
}

/* A body is lost, and a header: counted, told of, and the queue's size is right again. */
static void damage_is_counted(void **state)
{
    struct fake_config config = stored_config();
    struct pp_instance *instance = fake_start(&config);

    (void)state;
    fake_set_closed(true);
    for (unsigned i = 1; i <= 30; i++)
        fake_expect(instance, i, PP_ACCEPTED);
    fake_stop(instance, SHORT_MS);
    damage(32 + 32 + 28 + 40);
    instance = fake_start(&config);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 30);
    fake_set_closed(false);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    assert_int_equal(fake_metric("profpipe_exporter_storage_damages"), 1);
    assert_int_equal(fake_metric("profpipe_exporter_storage_lost_samples"), 1);
    assert_false(fake_sink.seen[1]);
    expect_seen(2, 31);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(segments(), 0);
}

/* While it runs: nothing can say how large those were that a damaged place has hidden. */
static void damage_while_running(void **state)
{
    struct fake_config config = stored_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.max_bytes_mib = 1;
    instance = fake_start(&config);
    fake_set_closed(true);
    for (unsigned i = 1; i <= 1500; i++)
        fake_expect(instance, i, PP_ACCEPTED);
    fake_stop(instance, SHORT_MS);
    instance = fake_start(&config);
    fake_set_closed(true);
    for (unsigned i = 1501; i <= 1600; i++)
        fake_expect(instance, i, PP_ACCEPTED);
    /* All of the new ones are on the disk only, in the last segments. */
    {
        char path[160];
        uint64_t last = 0;
        DIR *dir = opendir(folder);
        struct dirent *entry;

        while ((entry = readdir(dir)))
            if (strstr(entry->d_name, ".seg") && strtoull(entry->d_name, NULL, 10) > last)
                last = strtoull(entry->d_name, NULL, 10);
        closedir(dir);
        snprintf(path, sizeof(path), "%s/%020llu.seg", folder, (unsigned long long)last);
        assert_int_equal(truncate(path, 40), 0);
    }
    fake_set_closed(false);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    assert_true(fake_metric("profpipe_exporter_storage_damages") > 0);
    expect_seen(1, 1590);
    fake_expect(instance, 1700, PP_ACCEPTED);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    expect_seen(1700, 1701);
}

static void what_is_refused_for_good_does_not_come_again(void **state)
{
    struct fake_config config = stored_config();
    struct pp_instance *instance = fake_start(&config);

    (void)state;
    fake_sink.failures = 1;
    fake_sink.failure = PP_RESULT_PERMANENT("no");
    fake_expect(instance, 3, PP_ACCEPTED);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    assert_int_equal(fake_failed_metric("true", "_OTHER"), 3);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    instance = fake_start(&config);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 0);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.delivered, 0);
}

static void those_who_wait_are_written_when_there_is_room(void **state)
{
    enum { N = 30 };
    static struct pp_testing_done done[N];
    struct fake_config config = stored_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.queue_size = 3;
    config.queue.block_on_overflow = true;
    instance = fake_start(&config);
    fake_set_closed(true);
    for (unsigned i = 0; i < N; i++) {
        pp_testing_done_init(&done[i]);
        fake_hand_in(instance, i + 1, &done[i]);
    }
    fake_set_closed(false);
    for (unsigned i = 0; i < N; i++) {
        assert_true(pp_testing_done_wait(&done[i], PP_TESTING_WAIT_MS));
        assert_int_equal(done[i].result.outcome, PP_ACCEPTED);
        pp_testing_done_free(&done[i]);
    }
    wait_for_metric("otelcol_exporter_queue_size", 0);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    expect_seen(1, N + 1);
}

/* Restarts at any time, with a backend that often says "later", and batches that are merged and cut: each accepted sample is delivered at least once. */
static void restarts_lose_nothing(void **state)
{
    enum { ROUNDS = 12, EACH = 40 };
    struct fake_config config = stored_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_instance *instance;
    uint64_t accepted = 0;
    unsigned next = 1;

    (void)state;
    batch.min_size = 500;
    batch.max_size = 700;
    batch.flush_timeout = 3 * MS;
    config.retry.max_elapsed_time = 0;
    config.retry.initial_interval = config.retry.max_interval = 1 * MS;
    config.queue.max_bytes_mib = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        static struct pp_testing_done done[EACH];

        config.queue.batch = round % 2 ? &batch : NULL;
        instance = fake_start(&config);
        pthread_mutex_lock(&fake_sink.lock);
        fake_sink.failures = 60;
        fake_sink.failure = PP_RESULT_RETRY("busy");
        pthread_mutex_unlock(&fake_sink.lock);
        for (unsigned i = 0; i < EACH; i++) {
            pp_testing_done_init(&done[i]);
            fake_hand_in(instance, next + i, &done[i]);
        }
        usleep(round * 700);
        fake_stop(instance, round % 3 ? PP_TESTING_WAIT_MS : 1);
        for (unsigned i = 0; i < EACH; i++) {
            assert_int_equal(done[i].calls, 1);
            if (done[i].result.outcome == PP_ACCEPTED)
                accepted += next + i;
            pp_testing_done_free(&done[i]);
        }
        next += EACH;
    }
    fake_sink.failures = 0;
    instance = fake_start(&config);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_true(accepted > 0);
    assert_true(fake_sink.samples >= accepted);
    assert_int_equal(fake_failed_metric("false", "_OTHER"), 0);
    assert_int_equal(segments(), 0);
}

static void a_log_in_use_stops_the_start(void **state)
{
    struct fake_config config = stored_config();
    struct pp_instance *instance = fake_start(&config);
    struct pp_error err = {0};

    (void)state;
    /* Another instance of the same exporter, as a second daemon would have it. */
    {
        const struct pp_instance_spec spec = {.factory = instance->factory, .id = "fake", .config = &config, .uses = &use, .uses_n = 1};
        struct pp_instance *second;

        assert_true(pp_instance_new(fake_service, &spec, &second, &err));
        assert_false(pp_instance_start(second, &err));
        assert_non_null(strstr(err.message, "is in use by process"));
        pp_instance_free(second);
    }
    fake_expect(instance, 1, PP_ACCEPTED);
    wait_for_metric("otelcol_exporter_queue_size", 0);
    fake_stop(instance, PP_TESTING_WAIT_MS);
}

#define TEST(f) {#f " (blocking)", f, setup_blocking, teardown, NULL}, {#f " (on lanes)", f, setup_lanes, teardown, NULL}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(delivered_and_forgotten),
        TEST(comes_again_after_a_restart),
        TEST(memory_stays_bounded),
        TEST(queue_size_counts_what_is_on_the_disk),
        TEST(a_full_disk_is_said_and_survived),
        TEST(max_size_refuses_until_there_is_room),
        TEST(damage_is_counted),
        TEST(damage_while_running),
        TEST(what_is_refused_for_good_does_not_come_again),
        TEST(those_who_wait_are_written_when_there_is_room),
        TEST(restarts_lose_nothing),
        TEST(a_log_in_use_stops_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
