/* The log of one client: what comes back after a close, a crash, damage, a full disk, a power cut. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "client_name.h"
#include "file_log.h"
#include "record_format.h"
#include "test_disk.h"

#define RECORDS_MAX 4096
#define BODY_MAX 3000
/* Small, so that a few records fill one. */
#define SEGMENT_BYTES 8192u

/* What a test's log has told. */
struct told {
    struct pp_record_log_events events;
    unsigned found, broken, cut_off, foreign;
    char last[512];
};

static void on_found(void *arg, struct pp_str head)
{
    assert_int_equal(head.n, sizeof(uint32_t));
    ((struct told *)arg)->found++;
}

static void on_damaged(void *arg, enum pp_record_damage kind, const char *message)
{
    struct told *told = arg;

    (*(kind == PP_RECORD_BROKEN ? &told->broken : kind == PP_RECORD_CUT_OFF ? &told->cut_off : &told->foreign))++;
    snprintf(told->last, sizeof(told->last), "%s", message);
}

struct fixture {
    char folder[64];
    struct pp_file_log_options options;
    struct told told;
    struct pp_record_log *log;
    uint64_t ids[RECORDS_MAX];
};

static void make_folder(char out[64])
{
    snprintf(out, 64, "/tmp/pp-file-log-XXXXXX");
    assert_non_null(mkdtemp(out));
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR), 0);
    closedir(dir);
    assert_int_equal(rmdir(folder), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    make_folder(f->folder);
    test_disk_reset();
    f->options = (struct pp_file_log_options){.path = f->folder, .segment_bytes = SEGMENT_BYTES, .ops = &test_disk_ops};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->log)
        f->log->ops->close(f->log);
    remove_folder(f->folder);
    test_disk_reset();
    free(f);
    return 0;
}

static bool try_open(struct fixture *f, struct pp_error *err)
{
    f->told = (struct told){.events = {&f->told, on_found, on_damaged}};
    f->log = NULL;
    return pp_file_log_open(&f->options, &f->told.events, &f->log, err);
}

static void open_log(struct fixture *f)
{
    struct pp_error err = {0};

    if (!try_open(f, &err))
        fail_msg("%s", err.message);
}

static void close_log(struct fixture *f)
{
    f->log->ops->close(f->log);
    f->log = NULL;
}

/* The n-th record's body: its size and content follow from n. */
static size_t body_of(uint32_t n, char out[BODY_MAX])
{
    size_t size = 1 + n * 7919u % (BODY_MAX - 1);

    for (size_t i = 0; i < size; i++)
        out[i] = (char)(n * 31 + i * 7 + (i >> 8));
    return size;
}

static bool append(struct fixture *f, uint32_t first, uint32_t n, struct pp_error *err)
{
    static char bodies[64][BODY_MAX];
    struct pp_record_parts parts[64];
    uint32_t numbers[64];

    assert_true(n <= 64);
    for (uint32_t i = 0; i < n; i++) {
        numbers[i] = first + i;
        parts[i].head = (struct pp_str){(const char *)&numbers[i], sizeof(numbers[i])};
        parts[i].body = (struct pp_str){bodies[i], body_of(first + i, bodies[i])};
    }
    return f->log->ops->append(f->log, parts, n, f->ids + first, err);
}

static void append_all(struct fixture *f, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        assert_true(append(f, first + i, 1, NULL));
}

/* Reads one record, whose body must be what was written; its number, or -1 at the end, -2 for a damaged body, -3 for a failure. */
static int64_t read_one(struct fixture *f, uint64_t *ret_id)
{
    char body[BODY_MAX];
    struct pp_record record;
    uint32_t number;

    switch (f->log->ops->read(f->log, &record, NULL)) {
    case PP_RECORD_END:
        return -1;
    case PP_RECORD_DAMAGED:
        return -2;
    case PP_RECORD_FAILED:
        return -3;
    case PP_RECORD_READ:
        break;
    }
    memcpy(&number, record.head.p, sizeof(number));
    assert_int_equal(record.body->len, body_of(number, body));
    assert_memory_equal(record.body->data, body, record.body->len);
    pp_bytes_unref(record.body);
    if (ret_id)
        *ret_id = record.id;
    return number;
}

static void mark(struct fixture *f, uint32_t number)
{
    assert_true(f->log->ops->done(f->log, &f->ids[number], 1, NULL));
}

static struct pp_record_log_stats stats(struct fixture *f)
{
    struct pp_record_log_stats ret;

    f->log->ops->stats(f->log, &ret);
    return ret;
}

static unsigned files(const struct fixture *f, const char *ending)
{
    char command[160];
    unsigned n = 0;
    FILE *p;

    snprintf(command, sizeof(command), "ls %s | grep -c '%s$'", f->folder, ending);
    p = popen(command, "r");
    assert_non_null(p);
    assert_int_equal(fscanf(p, "%u", &n), 1);
    pclose(p);
    return n;
}

static void path_of(const struct fixture *f, uint64_t segment, const char *ending, char out[128])
{
    snprintf(out, 128, "%s/%020llu%s", f->folder, (unsigned long long)segment, ending);
}

static void test_order(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    open_log(f);
    assert_true(f->log->ops->at_end(f->log));
    assert_int_equal(read_one(f, NULL), -1);
    append_all(f, 0, 20);
    assert_false(f->log->ops->at_end(f->log));
    assert_true(files(f, ".seg") > 2);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(read_one(f, &id), i);
        assert_true(id == f->ids[i]);
    }
    assert_int_equal(read_one(f, NULL), -1);
    assert_true(f->log->ops->at_end(f->log));
    append_all(f, 20, 3);
    (f->log->ops->skip)(f->log); /* cmocka has a macro of that name */
    assert_int_equal(read_one(f, NULL), -1);
    append_all(f, 23, 1);
    assert_int_equal(read_one(f, NULL), 23);
    assert_true(append(f, 24, 10, NULL)); /* one group */
    for (uint32_t i = 24; i < 34; i++)
        assert_int_equal(read_one(f, NULL), i);
    assert_int_equal(stats(f).records, 34);
}

static void test_done(void **state)
{
    struct fixture *f = *state;
    unsigned segments;

    open_log(f);
    append_all(f, 0, 40);
    segments = files(f, ".seg");
    for (uint32_t i = 40; i-- > 20;) /* in any order */
        mark(f, i);
    for (uint32_t i = 0; i < 20; i += 2)
        mark(f, i);
    mark(f, 0); /* again: nothing */
    assert_int_equal(stats(f).records, 10);
    assert_true(files(f, ".seg") < segments);
    close_log(f);
    open_log(f);
    assert_int_equal(f->told.found, 10);
    assert_int_equal(f->told.broken + f->told.cut_off + f->told.foreign, 0);
    for (uint32_t i = 1; i < 20; i += 2) {
        assert_int_equal(read_one(f, &f->ids[i]), i);
        mark(f, i);
    }
    assert_int_equal(read_one(f, NULL), -1);
    assert_int_equal(files(f, ".seg"), 0);
    assert_int_equal(files(f, ".done"), 0);
    assert_int_equal(stats(f).bytes, 0);
    append_all(f, 40, 1); /* numbers go on */
    close_log(f);
    open_log(f);
    assert_int_equal(read_one(f, NULL), 40);
}

/* What was handed out and not marked is there again; what a crash leaves in the done file's last entry does not matter. */
static void test_crash(void **state)
{
    struct fixture *f = *state;
    char path[128];

    open_log(f);
    append_all(f, 0, 3);
    assert_int_equal(read_one(f, NULL), 0);
    mark(f, 1);
    mark(f, 2);
    close_log(f);
    path_of(f, 1, ".done", path);
    assert_int_equal(truncate(path, PP_DONE_ENTRY_BYTES + 3), 0);
    open_log(f);
    assert_int_equal(f->told.found, 2);
    assert_int_equal(read_one(f, NULL), 0);
    assert_int_equal(read_one(f, &f->ids[2]), 2);
    mark(f, 2);
    close_log(f);
    open_log(f);
    assert_int_equal(f->told.found, 1);
}

static void test_limit(void **state)
{
    struct fixture *f = *state;
    struct pp_error err = {0};
    uint32_t n = 0;

    f->options.bytes_max = 40000;
    open_log(f);
    while (append(f, n, 1, &err))
        assert_true(++n < 200);
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    assert_true(stats(f).bytes <= 40000 && stats(f).bytes > 36000);
    for (uint32_t i = 0; i < n / 2; i++)
        mark(f, i);
    assert_true(append(f, n, 1, &err));
    for (uint32_t i = 0; i <= n; i++)
        if (i >= n / 2)
            mark(f, i);
    /* Never stuck on what is done in the segment that is being written. */
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(append(f, 0, 1, &err));
        mark(f, 0);
    }
}

static void test_lock(void **state)
{
    struct fixture *f = *state;
    struct pp_record_log *first;
    struct pp_error err = {0};
    int ready[2], status;
    pid_t child;
    char c;

    open_log(f);
    first = f->log;
    assert_false(try_open(f, &err));
    assert_non_null(strstr(err.message, "is in use by process"));
    first->ops->close(first);
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        if (!try_open(f, NULL) || write(ready[1], "x", 1) != 1)
            _exit(1);
        usleep(300000);
        _exit(0); /* without closing: the kernel lets go */
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    f->options.lock_timeout_ms = 50;
    assert_false(try_open(f, &err));
    f->options.lock_timeout_ms = 5000;
    assert_true(try_open(f, &err));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ready[0]);
    close(ready[1]);
}

static void flip(const char *path, long offset)
{
    int fd = open(path, O_RDWR);
    char c;

    assert_int_equal(pread(fd, &c, 1, offset), 1);
    c = (char)~c;
    assert_int_equal(pwrite(fd, &c, 1, offset), 1);
    close(fd);
}

static bool near_a_header(const uint64_t starts[4], uint64_t at)
{
    for (unsigned i = 0; i < 4; i++)
        if (at >= starts[i] - 9 && at < starts[i] + PP_RECORD_HEADER_BYTES + 8)
            return true;
    return false;
}

/* Every byte of the headers and some of the bodies of a segment of three records in turn are damaged: the damaged one is left out and told of, the others come. */
static void test_flipped(void **state)
{
    struct fixture *f = *state;
    char path[128], body[BODY_MAX];
    uint64_t starts[4] = {PP_SEGMENT_HEADER_BYTES};

    path_of(f, 1, ".seg", path);
    for (uint32_t i = 0; i < 3; i++)
        starts[i + 1] = starts[i] + (PP_RECORD_HEADER_BYTES + 4 + body_of(i + 1, body) + 7) / 8 * 8;
    f->options.segment_bytes = 1 << 20;
    for (uint64_t at = PP_SEGMENT_HEADER_BYTES; at < starts[3]; at += near_a_header(starts, at) ? 1 : 41) {
        uint32_t hit = at < starts[1] ? 1 : at < starts[2] ? 2 : 3;
        uint64_t pad = starts[hit] - (PP_RECORD_HEADER_BYTES + 4 + body_of(hit, body) + 7) / 8 * 8 + PP_RECORD_HEADER_BYTES + 4 + body_of(hit, body);
        uint32_t expected = 1;
        int64_t number;

        open_log(f);
        append_all(f, 1, 3);
        close_log(f);
        flip(path, (long)at);
        open_log(f);
        while ((number = read_one(f, NULL)) != -1) {
            if (number == -2)
                continue;
            expected += expected == hit && number != hit;
            assert_int_equal(number, expected++);
        }
        if (at < pad) {
            assert_int_equal(f->told.broken + f->told.cut_off, 1);
            assert_true(expected == (hit == 3 ? 3u : 4u));
            assert_non_null(strstr(f->told.last, "00001.seg"));
            assert_int_equal(stats(f).records, 2);
        } else {
            assert_int_equal(f->told.broken + f->told.cut_off, 0); /* padding */
        }
        close_log(f);
        remove_folder(f->folder);
        assert_int_equal(mkdir(f->folder, 0700), 0);
    }
}

/* A file cut off anywhere gives all records before the cut. */
static void test_truncated(void **state)
{
    struct fixture *f = *state;
    char path[128], copy[320];
    struct stat size;

    f->options.segment_bytes = 1 << 20;
    open_log(f);
    append_all(f, 1, 3);
    close_log(f);
    path_of(f, 1, ".seg", path);
    snprintf(copy, sizeof(copy), "cp %s %s/copy", path, f->folder);
    assert_int_equal(system(copy), 0);
    assert_int_equal(stat(path, &size), 0);
    for (long cut = size.st_size - 1; cut >= 0; cut -= cut < 200 || cut % 64 < 8 ? 1 : 13) {
        uint32_t n = 0;
        int64_t number;

        assert_int_equal(truncate(path, cut), 0);
        open_log(f);
        while ((number = read_one(f, NULL)) != -1)
            assert_int_equal(number, ++n);
        assert_int_equal(n, f->told.found);
        assert_int_equal(n, stats(f).records);
        assert_true(f->told.cut_off + f->told.foreign == 1 || (f->told.cut_off == 0 && f->told.broken == 0));
        close_log(f);
        snprintf(copy, sizeof(copy), "cp %s/copy %s", f->folder, path);
        assert_int_equal(system(copy), 0);
    }
}

static void test_foreign(void **state)
{
    struct fixture *f = *state;
    char path[128];
    FILE *file;

    path_of(f, 7, ".seg", path);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("PPSEGv1\nbut nothing of that kind behind it, and more than a header", file);
    fclose(file);
    path_of(f, 9, ".seg", path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of(f, 8, ".seg", path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/notes.txt", f->folder);
    fclose(fopen(path, "w"));
    open_log(f);
    assert_int_equal(f->told.foreign, 3);
    append_all(f, 0, 1);
    assert_int_equal(read_one(f, NULL), 0);
    mark(f, 0);
    close_log(f);
    assert_int_equal(files(f, ".seg"), 3); /* they stay */
}

static void test_keep_broken(void **state)
{
    struct fixture *f = *state;
    char path[128];

    f->options.keep_broken = true;
    open_log(f);
    append_all(f, 1, 2);
    close_log(f);
    path_of(f, 1, ".seg", path);
    flip(path, PP_SEGMENT_HEADER_BYTES + PP_RECORD_HEADER_BYTES + 5);
    open_log(f);
    assert_int_equal(read_one(f, NULL), -2);
    assert_int_equal(read_one(f, &f->ids[2]), 2);
    assert_int_equal(read_one(f, NULL), -1);
    mark(f, 2);
    append_all(f, 3, 9);
    assert_int_equal(files(f, ".backup"), 1);
    close_log(f);
    open_log(f);
    assert_int_equal(f->told.foreign + f->told.broken, 0);
}

/* A disk that is full, or says no: nothing of the group is there, and all goes on when it can. */
static void test_write_errors(void **state)
{
    struct fixture *f = *state;
    static const enum test_disk_call calls[] = {TEST_DISK_WRITE, TEST_DISK_SYNC, TEST_DISK_OPEN, TEST_DISK_SYNC_FOLDER};
    uint32_t n = 0, failed = 0;

    f->options.sync = true;
    open_log(f);
    for (unsigned round = 0; round < 64; round++) {
        struct pp_error err = {0};
        uint32_t accepted = n;

        if (round % 4 == 3)
            test_disk_fail(TEST_DISK_TRUNCATE, 1, EIO);
        test_disk_fail(calls[round % 4], 1 + round / 16, round % 2 ? EIO : ENOSPC);
        for (int i = 0; i < 6; i++) {
            if (append(f, n, 3, &err)) {
                n += 3;
                continue;
            }
            failed++;
            assert_int_equal(err.kind, PP_ERR_IO);
            assert_non_null(strstr(err.message, f->folder));
        }
        for (int call = 0; call < TEST_DISK_CALLS; call++)
            test_disk_fail((enum test_disk_call)call, 0, 0);
        assert_true(append(f, n, 3, &err));
        n += 3;
        for (uint32_t i = accepted; i < n; i++)
            assert_int_equal(read_one(f, NULL), i);
        assert_int_equal(read_one(f, NULL), -1);
    }
    assert_true(failed > 50);
    assert_int_equal(stats(f).records, n);
    close_log(f);
    f->options.sync = false;
    open_log(f);
    /* Refused ones may be there too, where they could not be taken back. */
    assert_true(f->told.found >= n);
    close_log(f);
}

/* The disk is full until what is done in the last segment goes. */
static void test_done_gives_room(void **state)
{
    struct fixture *f = *state;
    struct pp_error err = {0};

    f->options.segment_bytes = 1 << 20;
    open_log(f);
    append_all(f, 0, 4);
    for (uint32_t i = 0; i < 4; i++)
        mark(f, i);
    test_disk_fail(TEST_DISK_WRITE, 1, ENOSPC);
    assert_false(append(f, 4, 1, &err));
    assert_int_equal(files(f, ".seg"), 0);
    test_disk_fail(TEST_DISK_WRITE, 0, 0);
    assert_true(append(f, 4, 1, &err));
}

static void test_short_writes(void **state)
{
    struct fixture *f = *state;

    test_disk_cut_writes(100);
    open_log(f);
    assert_true(append(f, 0, 40, NULL));
    close_log(f);
    open_log(f);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(read_one(f, NULL), i);
}

static void test_too_large(void **state)
{
    struct fixture *f = *state;
    struct pp_record_parts parts = {.head = {"x", PP_RECORD_HEAD_BYTES_MAX + 1}};
    struct pp_error err = {0};

    open_log(f);
    assert_false(f->log->ops->append(f->log, &parts, 1, f->ids, &err));
    assert_int_equal(err.kind, PP_ERR_INVALID);
}

/* A file that is cut off or removed under a running log: the rest is told of, the log goes on. */
static void test_changed_underneath(void **state)
{
    struct fixture *f = *state;
    char path[128];
    int64_t number;
    unsigned read = 0;

    open_log(f);
    append_all(f, 0, 30);
    path_of(f, 1, ".seg", path);
    assert_int_equal(truncate(path, PP_SEGMENT_HEADER_BYTES + 40), 0);
    path_of(f, 2, ".seg", path);
    assert_int_equal(unlink(path), 0);
    while ((number = read_one(f, NULL)) != -1) {
        assert_true(number >= -2);
        read += number >= 0;
    }
    assert_true(read > 10 && read < 30);
    assert_true(f->told.broken + f->told.cut_off >= 2);
    assert_int_equal(stats(f).records, read);
    append_all(f, 30, 1);
    assert_int_equal(read_one(f, NULL), 30);
}

/* Each allocation in turn fails: a clean error, nothing leaks, nothing accepted is lost. */
static void test_no_memory(void **state)
{
#ifdef PP_ALLOC_FAULTS
    struct fixture *f = *state;
    size_t n = 0, total = 1;

    while (++n <= total) {
        uint32_t accepted = 0, found = 0;
        int64_t number;

        pp_alloc_fail_at(n);
        for (unsigned i = 0; i < 2 && !f->log; i++)
            try_open(f, NULL);
        assert_non_null(f->log); /* only one of them failed */
        for (uint32_t i = 0; i < 12; i++)
            if (append(f, accepted, 1, NULL))
                accepted++;
        close_log(f);
        for (unsigned i = 0; i < 2 && !f->log; i++)
            try_open(f, NULL);
        while ((number = read_one(f, NULL)) != -1)
            found += number >= 0;
        total = pp_alloc_count();
        pp_alloc_fail_at(0);
        assert_true(accepted >= 11);
        assert_int_equal(found, accepted);
        close_log(f);
        remove_folder(f->folder);
        assert_int_equal(mkdir(f->folder, 0700), 0);
        test_disk_reset();
    }
    assert_true(n > 20);
#else
    (void)state;
    skip();
#endif
}

/* One run of writing, marking and reading; when each record was accepted, and when marked, in changes of the disk. */
struct history {
    uint32_t n;
    size_t accepted_at[RECORDS_MAX], marked_at[RECORDS_MAX];
};

static void live(struct fixture *f, struct history *h, unsigned seed)
{
    srand(seed);
    open_log(f);
    while (h->n < 120) {
        uint32_t n = 1 + (uint32_t)rand() % 5;

        if (append(f, h->n, n, NULL))
            for (uint32_t i = 0; i < n; i++, h->n++) {
                h->accepted_at[h->n] = test_disk_events();
                h->marked_at[h->n] = SIZE_MAX;
            }
        for (int i = rand() % 4; i > 0; i--) {
            uint32_t number = (uint32_t)rand() % h->n;

            if (h->marked_at[number] != SIZE_MAX)
                continue;
            h->marked_at[number] = test_disk_events();
            mark(f, number);
        }
    }
}

/* Records accepted and not marked before the cut that did not come back. */
static unsigned missing_after(struct fixture *f, const struct history *h, size_t events, unsigned seed)
{
    struct fixture after = {.options = f->options};
    bool seen[RECORDS_MAX] = {0};
    unsigned missing = 0;
    int64_t number;

    make_folder(after.folder);
    after.options.path = after.folder;
    after.options.ops = NULL;
    test_disk_cut_power(after.folder, events, seed);
    open_log(&after);
    while ((number = read_one(&after, NULL)) != -1)
        if (number >= 0)
            seen[number] = true;
    close_log(&after);
    remove_folder(after.folder);
    for (uint32_t i = 0; i < h->n; i++)
        missing += h->accepted_at[i] <= events && h->marked_at[i] >= events && !seen[i];
    return missing;
}

/* The write log replayed without what was not synced: after a cut at every single change, nothing accepted is missing. */
static void test_power_cut(void **state)
{
    struct fixture *f = *state;
    struct history *h = calloc(1, sizeof(*h));

    f->options.sync = true;
    live(f, h, 1);
    for (size_t events = 0; events <= test_disk_events(); events++)
        for (unsigned seed = 0; seed < 2; seed++)
            assert_int_equal(missing_after(f, h, events, (unsigned)events * 2 + seed), 0);
    free(h);
}

/* The same without fsync loses something: the test before this one can fail. */
static void test_power_cut_without_sync(void **state)
{
    struct fixture *f = *state;
    struct history *h = calloc(1, sizeof(*h));
    unsigned missing = 0;

    live(f, h, 1);
    for (size_t events = 0; events <= test_disk_events(); events += 7)
        missing += missing_after(f, h, events, (unsigned)events);
    assert_true(missing > 0);
    free(h);
}

static void test_client_names(void **state)
{
    static const struct {
        const char *id, *name;
    } cases[] = {
        {"otlp_grpc", "exporter_otlp_grpc__profiles.queue"},
        {"otlp_grpc/central", "exporter_otlp_grpc_central_profiles.queue"},
        {"otlp/logs/container", "exporter_otlp_logs~002Fcontainer_profiles.queue"},
        {"otlp/a~b c", "exporter_otlp_a~007Eb~0020c_profiles.queue"},
        {"otlp/../../x", "exporter_otlp_..~002F..~002Fx_profiles.queue"},
        {"otlp/\xC3\xA9\xF0\x9F\x98\x80", "exporter_otlp_~00E9~1F600_profiles.queue"},
    };
    char text[400] = "otlp/", other[400];
    struct pp_buf a, b;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pp_record_client client = {"exporter", cases[i].id, "profiles"};

        pp_buf_init(&a, 4096);
        pp_client_name(&client, &a);
        pp_buf_add_byte(&a, '\0');
        assert_string_equal(a.data, cases[i].name);
        pp_buf_done(&a);
    }
    memset(text + 5, 'x', 390);
    memcpy(other, text, sizeof(text));
    other[394] = 'y';
    pp_buf_init(&a, 4096);
    pp_buf_init(&b, 4096);
    pp_client_name(&(struct pp_record_client){"exporter", text, "profiles"}, &a);
    pp_client_name(&(struct pp_record_client){"exporter", other, "profiles"}, &b);
    assert_int_equal(a.len, PP_CLIENT_NAME_BYTES_MAX);
    assert_false(pp_str_eq(pp_buf_str(&a), pp_buf_str(&b)));
    pp_buf_done(&a);
    pp_buf_done(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),       TEST(test_done),        TEST(test_crash),           TEST(test_limit),
        TEST(test_lock),        TEST(test_flipped),     TEST(test_truncated),       TEST(test_foreign),
        TEST(test_keep_broken), TEST(test_write_errors), TEST(test_done_gives_room), TEST(test_short_writes),
        TEST(test_too_large),   TEST(test_changed_underneath), TEST(test_no_memory), TEST(test_power_cut),
        TEST(test_power_cut_without_sync), cmocka_unit_test(test_client_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
