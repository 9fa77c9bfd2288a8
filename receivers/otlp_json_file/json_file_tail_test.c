#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "json_file_tail.h"

#define LINE_BYTES_MAX 100u

struct world {
    char path[64];
};

static int world_open(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    strcpy(w->path, "/tmp/pp_tail_test.XXXXXX");
    close(mkstemp(w->path));
    *state = w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;

    unlink(w->path);
    free(w);
    return 0;
}

static void append(const struct world *w, const char *text, size_t n)
{
    int fd = open(w->path, O_WRONLY | O_APPEND);

    assert_int_equal(write(fd, text, n), n);
    close(fd);
}
#define APPEND(w, literal) append((w), (literal), sizeof(literal) - 1)

static void assert_line(struct pp_json_file_tail *t, const char *want)
{
    struct pp_error err;
    struct pp_str line;

    assert_int_equal(pp_json_file_tail_next(t, &line, &err), PP_TAIL_LINE);
    if (!pp_str_eq_c(line, want))
        fail_msg("\"" PP_STR_FMT "\" in place of \"%s\"", PP_STR_ARG(line), want);
    pp_json_file_tail_take(t);
}

static void assert_result(struct pp_json_file_tail *t, enum pp_tail_result want)
{
    struct pp_error err;
    struct pp_str line;

    assert_int_equal(pp_json_file_tail_next(t, &line, &err), want);
}

static void test_lines(void **state)
{
    struct world *w = *state;
    struct pp_json_file_tail t;
    struct pp_error err;
    struct pp_str line;

    APPEND(w, "one\ntwo\n\nthr");
    assert_true(pp_json_file_tail_open(&t, w->path, false, LINE_BYTES_MAX, &err));
    assert_line(&t, "one");
    assert_int_equal(pp_json_file_tail_next(&t, &line, &err), PP_TAIL_LINE);
    assert_line(&t, "two"); /* not taken before: offered again */
    assert_line(&t, "");
    assert_result(&t, PP_TAIL_NO_MORE);
    APPEND(w, "ee");
    assert_result(&t, PP_TAIL_NO_MORE);
    APPEND(w, "\nfour\n");
    assert_line(&t, "three");
    assert_line(&t, "four");
    assert_result(&t, PP_TAIL_NO_MORE);
    pp_json_file_tail_close(&t);
    assert_true(pp_json_file_tail_open(&t, w->path, true, LINE_BYTES_MAX, &err));
    assert_result(&t, PP_TAIL_NO_MORE);
    APPEND(w, "five\n");
    assert_line(&t, "five");
    pp_json_file_tail_close(&t);
}

static void test_long_lines(void **state)
{
    struct world *w = *state;
    struct pp_json_file_tail t;
    struct pp_error err;
    static char longest[300000];

    memset(longest, 'x', sizeof(longest));
    append(w, longest, LINE_BYTES_MAX);
    APPEND(w, "\n");
    append(w, longest, LINE_BYTES_MAX + 1);
    APPEND(w, "\nafter\n");
    append(w, longest, sizeof(longest));
    APPEND(w, "\nlast\n");
    assert_true(pp_json_file_tail_open(&t, w->path, false, LINE_BYTES_MAX, &err));
    longest[LINE_BYTES_MAX] = '\0';
    assert_line(&t, longest);
    assert_result(&t, PP_TAIL_TOO_LONG);
    assert_line(&t, "after");
    assert_result(&t, PP_TAIL_TOO_LONG);
    assert_line(&t, "last");
    assert_result(&t, PP_TAIL_NO_MORE);
    pp_json_file_tail_close(&t);
}

static void test_truncated_and_renamed(void **state)
{
    struct world *w = *state;
    struct pp_json_file_tail t;
    struct pp_error err;
    char moved[80];

    APPEND(w, "one\ntwo\nha");
    assert_true(pp_json_file_tail_open(&t, w->path, false, LINE_BYTES_MAX, &err));
    assert_line(&t, "one");
    assert_line(&t, "two");
    assert_result(&t, PP_TAIL_NO_MORE);
    assert_int_equal(truncate(w->path, 0), 0);
    APPEND(w, "new\n");
    pp_json_file_tail_check(&t);
    assert_line(&t, "new");
    snprintf(moved, sizeof(moved), "%s.moved", w->path);
    APPEND(w, "before the move\n");
    assert_int_equal(rename(w->path, moved), 0);
    pp_json_file_tail_check(&t);
    assert_line(&t, "before the move");
    pp_json_file_tail_close(&t);
    unlink(moved);
    assert_false(pp_json_file_tail_open(&t, w->path, false, LINE_BYTES_MAX, &err));
    assert_false(pp_json_file_tail_open(&t, "/tmp", false, LINE_BYTES_MAX, &err));
    assert_non_null(strstr(err.message, "not a plain file"));
}

#define FAULTS_MAX 20u

/* Each allocation fails in turn: an error, and the next time all lines are read, from where it stopped. */
static void test_no_memory(void **state)
{
    static const char *const lines[] = {"first", "second", "third"};
    struct world *w = *state;
    struct pp_json_file_tail t;
    size_t n = 1, used = 1, counted;

#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    APPEND(w, "first\nsecond\nthird\n");
    for (; n <= used; n++) {
        struct pp_error err = {0};
        struct pp_str line;
        bool opened;

        assert_true(n < FAULTS_MAX);
        pp_alloc_fail_at(n);
        opened = pp_json_file_tail_open(&t, w->path, false, LINE_BYTES_MAX, &err);
        if (opened && pp_json_file_tail_next(&t, &line, &err) == PP_TAIL_ERROR)
            assert_non_null(strstr(err.message, "out of memory"));
        counted = pp_alloc_count() + !opened; /* there is more behind an open that works */
        used = counted > used ? counted : used;
        pp_alloc_fail_at(0);
        if (!opened)
            assert_true(pp_json_file_tail_open(&t, w->path, false, LINE_BYTES_MAX, &err));
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
            assert_line(&t, lines[i]);
        pp_json_file_tail_close(&t);
    }
    assert_in_range(n, 3, FAULTS_MAX);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {IN_WORLD(test_lines), IN_WORLD(test_long_lines), IN_WORLD(test_truncated_and_renamed), IN_WORLD(test_no_memory)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
