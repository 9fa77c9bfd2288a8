#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "file_backups.h"
#include "file_path.h"
#include "file_seen.h"
#include "file_snapshot.h"
#include "file_stream.h"

static uint64_t lost; /* bytes, of all streams that were closed in a test */

struct world {
    char dir[64];
    char path[128];
    struct pp_file_config config;
};

static int world_open(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    strcpy(w->dir, "/tmp/pp_file_test.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/data.bin", w->dir);
    lost = 0;
    w->config = *(const struct pp_file_config *)pp_file_config_group.defaults;
    w->config.path = w->path;
    w->config.format = PP_FILE_PROTO;
    *state = w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
    free(w);
    return 0;
}

static char *slurp(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    char *content = calloc(1, 1 << 20);

    if (!f) {
        free(content);
        return NULL;
    }
    *ret_n = fread(content, 1, (1 << 20) - 1, f);
    fclose(f);
    return content;
}

static void assert_content(const char *path, const char *want, size_t n)
{
    size_t have_n;
    char *have = slurp(path, &have_n);

    assert_non_null(have);
    assert_int_equal(have_n, n);
    assert_memory_equal(have, want, n);
    free(have);
}

static void test_framing(void **state)
{
    struct world *w = *state;
    struct pp_file_stream s;
    struct pp_error err = {0};

    assert_true(pp_file_stream_open(&s, &w->config, w->path, false, &err));
    assert_true(pp_file_stream_add(&s, PP_STR("abc"), &err));
    assert_true(pp_file_stream_add(&s, PP_STR(""), &err));
    assert_content(w->path, "", 0);
    assert_true(pp_file_stream_flush(&s, &err));
    assert_content(w->path, "\0\0\0\3abc\0\0\0\0", 11);
    assert_true(pp_file_stream_close(&s, &lost, &err));

    w->config.format = PP_FILE_JSON;
    w->config.flush_interval = 0;
    assert_true(pp_file_stream_open(&s, &w->config, w->path, true, &err));
    assert_true(pp_file_stream_add(&s, PP_STR("{}"), &err));
    assert_content(w->path, "\0\0\0\3abc\0\0\0\0{}\n", 14);
    assert_true(pp_file_stream_close(&s, &lost, &err));
    assert_true(pp_file_stream_open(&s, &w->config, w->path, false, &err));
    assert_content(w->path, "", 0);
    assert_true(pp_file_stream_close(&s, &lost, &err));
    assert_false(pp_file_stream_open(&s, &w->config, "/nonexistent/x", false, &err));
    assert_string_equal(err.message, "cannot open /nonexistent/x: No such file or directory");
}

static size_t size_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

/* Renamed away, removed, and cut short by others: what comes then is in the file at the path, whole. */
static void test_rotated_away(void **state)
{
    struct world *w = *state;
    struct pp_file_stream s;
    struct pp_error err = {0};
    char aside[sizeof(w->path) + 2];

    w->config.flush_interval = 0;
    snprintf(aside, sizeof(aside), "%s.1", w->path);
    assert_true(pp_file_stream_open(&s, &w->config, w->path, false, &err));
    assert_true(pp_file_stream_add(&s, PP_STR("one"), &err));
    assert_int_equal(rename(w->path, aside), 0);
    assert_true(pp_file_stream_add(&s, PP_STR("two"), &err));
    assert_content(aside, "\0\0\0\3one", 7);
    assert_content(w->path, "\0\0\0\3two", 7);
    assert_int_equal(unlink(w->path), 0);
    assert_true(pp_file_stream_add(&s, PP_STR("three"), &err));
    assert_content(w->path, "\0\0\0\5three", 9);
    assert_int_equal(truncate(w->path, 0), 0);
    assert_true(pp_file_stream_add(&s, PP_STR("four"), &err));
    assert_int_equal(s.size, size_of(w->path));
    assert_true(pp_file_stream_close(&s, &lost, &err));
    assert_content(w->path, "\0\0\0\4four", 8);
    unlink(aside);
}

/* A disk that is full in the middle of a message: the message is refused, the file ends before it, and later it fits. */
static void test_disk_full(void **state)
{
    struct world *w = *state;
    struct rlimit old, limit;
    struct pp_file_stream s;
    struct pp_error err = {0};
    char large[3000];

    memset(large, 'x', sizeof(large));
    w->config.flush_interval = 0;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 4096;
    assert_true(pp_file_stream_open(&s, &w->config, w->path, false, &err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_true(pp_file_stream_add(&s, (struct pp_str){large, sizeof(large)}, &err));
    assert_false(pp_file_stream_add(&s, (struct pp_str){large, sizeof(large)}, &err));
    assert_int_equal(err.kind, PP_ERR_IO);
    assert_int_equal(s.size, sizeof(large) + 4);
    assert_int_equal(s.pending.len, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    {
        struct stat st;
        assert_int_equal(stat(w->path, &st), 0);
        assert_int_equal(st.st_size, sizeof(large) + 4);
    }
    assert_true(pp_file_stream_add(&s, (struct pp_str){large, sizeof(large)}, &err));
    assert_int_equal(s.size, 2 * (sizeof(large) + 4));
    assert_true(pp_file_stream_close(&s, &lost, &err));
}

/* With a buffer what was accepted stays in it until the disk has room. */
static void test_disk_full_buffered(void **state)
{
    struct world *w = *state;
    struct rlimit old, limit;
    struct pp_file_stream s;
    struct pp_error err = {0};

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 2;
    assert_true(pp_file_stream_open(&s, &w->config, w->path, false, &err));
    assert_true(pp_file_stream_add(&s, PP_STR("one"), &err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(pp_file_stream_flush(&s, &err));
    assert_true(pp_file_stream_add(&s, PP_STR("two"), &err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_content(w->path, "", 0);
    assert_true(pp_file_stream_close(&s, &lost, &err));
    assert_content(w->path, "\0\0\0\3one\0\0\0\3two", 14);
    assert_int_equal(lost, 0);
    assert_true(pp_file_stream_open(&s, &w->config, w->path, false, &err));
    assert_true(pp_file_stream_add(&s, PP_STR("one"), &err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(pp_file_stream_close(&s, &lost, &err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(lost, 7);
}

static size_t count_files(const char *dir, const char *prefix)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    size_t n = 0;

    while ((e = readdir(d)))
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(d);
    return n;
}

static void test_rotation(void **state)
{
    struct world *w = *state;
    struct pp_file_rotation rotation = {.max_megabytes = 1, .max_backups = 2};
    struct pp_file_stream s;
    struct pp_error err = {0};
    size_t n = 600 * 1024;
    char *large = calloc(1, n);

    w->config.rotation = &rotation;
    assert_true(pp_file_stream_open(&s, &w->config, w->path, true, &err));
    for (int i = 0; i < 5; i++) {
        assert_true(pp_file_stream_add(&s, (struct pp_str){large, n}, &err));
        usleep(3000); /* rotated names tell milliseconds apart */
    }
    assert_int_equal(s.size, n + 4);
    assert_true(pp_file_stream_close(&s, &lost, &err));
    assert_int_equal(count_files(w->dir, "data-"), 2);
    assert_int_equal(count_files(w->dir, "data.bin"), 1);
    free(large);
}

static void touch(const struct world *w, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    close(open(path, O_CREAT | O_WRONLY, 0600));
}

static void test_backups(void **state)
{
    struct world *w = *state;
    struct pp_file_rotation rotation = {.max_megabytes = 1, .max_days = 2};
    struct pp_error err = {0};
    struct pp_buf buf;
    uint64_t now = 1663131734ull * PP_NS_PER_S + 173000000; /* 2022-09-14T05:02:14.173Z */

    pp_buf_init(&buf, 4096);
    assert_true(pp_file_backup_name("/a.b/data.json", now, false, &buf));
    assert_string_equal(buf.data, "/a.b/data-2022-09-14T05-02-14.173.json");
    pp_buf_reset(&buf);
    assert_true(pp_file_backup_name("/a.b/data", now, false, &buf));
    assert_string_equal(buf.data, "/a.b/data-2022-09-14T05-02-14.173");
    pp_buf_done(&buf);
    touch(w, "data-2022-09-14T05-02-14.173.bin");
    touch(w, "data-2022-09-11T05-02-14.173.bin");
    touch(w, "data-2022-09-11T05-02-14.17x.bin");
    touch(w, "data-2022-09-11T05-02-14.173.bin.bak");
    touch(w, "other-2022-09-11T05-02-14.173.bin");
    assert_true(pp_file_backups_prune(w->path, &rotation, now, &err));
    assert_int_equal(count_files(w->dir, "data-2022-09-14"), 1);
    assert_int_equal(count_files(w->dir, "data-2022-09-11"), 2);
    assert_int_equal(count_files(w->dir, "other"), 1);
}

/* Whatever the value, the path stays below the pattern's folder. */
static void test_group_paths(void **state)
{
    static const struct {
        const char *pattern;
        struct pp_str value;
        const char *want;
    } cases[] = {
        {"/d/*.json", PP_STR("shop"), "/d/shop.json"},
        {"/d/*.json", PP_STR("../../etc/passwd"), "/d/etc/passwd.json"},
        {"/d/*.json", PP_STR("/etc/passwd"), "/d/etc/passwd.json"},
        {"/d/*.json", PP_STR(".."), "/d/_.json"},
        {"/d/*", PP_STR(".."), "/d/_"},
        {"/d/*/x", PP_STR("a/../../b"), "/d/a/b/x"},
        {"/d/.*", PP_STR("."), "/d/.__"},
        {"/d/.*", PP_STR("./x"), "/d/._x"},
        {"/d/.*", PP_STR("./../x"), "/d/._x"},
        {"/d/*.", PP_STR("."), "/d/_."},
        {"/d/*", PP_STR(""), "/d/_"},
        {"/d/*", PP_STR("////"), "/d/_"},
        {"/d/*", PP_STR("a\0b\nc"), "/d/a_b_c"},
        {"/d/*", PP_STR("a//b/./c/"), "/d/a/b/c"},
    };
    char longest[1000];
    struct pp_buf buf;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pp_buf_init(&buf, 8192);
        assert_true(pp_file_group_path(cases[i].pattern, cases[i].value, &buf));
        assert_string_equal(buf.data, cases[i].want);
        pp_buf_done(&buf);
    }
    memset(longest, 'y', sizeof(longest));
    pp_buf_init(&buf, 8192);
    assert_true(pp_file_group_path("/d/*.json", (struct pp_str){longest, sizeof(longest)}, &buf));
    assert_int_equal(strlen(buf.data), 3 + PP_FILE_SEGMENT_BYTES_MAX + 5);
    pp_buf_done(&buf);
}

static void test_seen(void **state)
{
    char path[32];

    (void)state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 1000; i++) {
            snprintf(path, sizeof(path), "/d/%d", i);
            assert_int_equal(pp_file_seen_before(path), round);
        }
}

static void test_folders(void **state)
{
    struct world *w = *state;
    struct pp_error err = {0};
    char path[256];
    struct stat st;

    snprintf(path, sizeof(path), "%s/a/b/c.json", w->dir);
    assert_true(pp_file_make_parents(path, 0700, &err));
    snprintf(path, sizeof(path), "%s/a/b", w->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    touch(w, "plain");
    snprintf(path, sizeof(path), "%s/plain/x/y", w->dir);
    assert_false(pp_file_make_parents(path, 0700, &err));
    assert_non_null(strstr(err.message, "Not a directory"));
}

/* An empty document is there from the start; a failed write leaves the old one. */
static void test_snapshot_replace(void **state)
{
    struct world *w = *state;
    struct pp_file_snapshot s;
    struct pp_error err = {0};
    size_t n;
    char *page;

    w->config.format = PP_FILE_FLAMEGRAPH;
    pp_file_snapshot_init(&s, &w->config, "file/x");
    assert_true(pp_file_snapshot_write(&s, &err));
    page = slurp(w->path, &n);
    assert_non_null(strstr(page, "\"title\":\"file/x\""));
    free(page);
    assert_int_equal(count_files(w->dir, "data.bin"), 1);
    w->config.path = "/nonexistent/page.html";
    assert_false(pp_file_snapshot_write(&s, &err));
    assert_string_equal(err.message, "cannot write a file beside /nonexistent/page.html: No such file or directory");
    pp_file_snapshot_done(&s);
    w->config.format = PP_FILE_PPROF;
    pp_file_snapshot_init(&s, &w->config, "file/x");
    assert_false(pp_file_snapshot_begin(&s, &err));
    w->config.path = w->dir;
    assert_false(pp_file_snapshot_begin(&s, &err));
    w->config.path = w->path;
    assert_int_equal(unlink(w->path), 0);
    assert_true(pp_file_snapshot_begin(&s, &err));
    assert_int_equal(count_files(w->dir, "data"), 0);
    pp_file_snapshot_done(&s);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_framing),     IN_WORLD(test_disk_full), IN_WORLD(test_disk_full_buffered), IN_WORLD(test_rotated_away),
        IN_WORLD(test_rotation),    IN_WORLD(test_backups),   cmocka_unit_test(test_group_paths),
        cmocka_unit_test(test_seen), IN_WORLD(test_folders),     IN_WORLD(test_snapshot_replace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
