/* The otlp_json_file receiver's file reader: a file that grows, is cut short and is written anew. First byte: the longest line (16 times it); second:
 * where the file ends at first; third: what happens then. Every line within the limit comes out once, in order and whole. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "json_file_tail.h"
#include "profiles/otlp_json.h"

#define LINE_UNIT_BYTES 16u
#define LINES_BYTES_MAX (1u << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static int fd = -1;
static char path[64];

static void open_file(void)
{
    if (fd < 0) {
        fd = memfd_create("lines", MFD_CLOEXEC);
        REQUIRE(fd >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    REQUIRE(ftruncate(fd, 0) == 0);
}

/* What the reader must bring out of `text`: its whole lines that are not too long, each with its newline. */
static void add_expected(struct pp_buf *out, struct pp_str text, size_t line_bytes_max)
{
    const char *end;

    while (text.n > 0 && (end = memchr(text.p, '\n', text.n))) {
        size_t n = (size_t)(end - text.p);

        if (n <= line_bytes_max)
            pp_buf_add(out, text.p, n + 1);
        text.p += n + 1;
        text.n -= n + 1;
    }
}

static void read_lines(struct pp_json_file_tail *tail, struct pp_buf *out, bool decode)
{
    enum pp_tail_result result;
    struct pp_batch *batch;
    struct pp_error err;
    struct pp_str line;

    while ((result = pp_json_file_tail_next(tail, &line, &err)) != PP_TAIL_NO_MORE) {
        REQUIRE(result != PP_TAIL_ERROR);
        if (result == PP_TAIL_TOO_LONG)
            continue;
        pp_buf_add_str(out, line);
        pp_buf_add(out, "\n", 1);
        if (decode && pp_batch_from_json(pp_str_trim(line), NULL, &batch, &err))
            pp_batch_unref(batch);
        pp_json_file_tail_take(tail);
    }
}

static void write_at(off_t offset, struct pp_str text)
{
    REQUIRE(text.n == 0 || pwrite(fd, text.p, text.n, offset) == (ssize_t)text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_json_file_tail tail;
    struct pp_buf got, wanted;
    struct pp_error err;
    struct pp_str text, first;
    size_t line_bytes_max;

    if (size < 3)
        return 0;
    text = (struct pp_str){(const char *)data + 3, size - 3};
    first = (struct pp_str){text.p, text.n * data[1] / 255};
    line_bytes_max = LINE_UNIT_BYTES * (1u + data[0]);
    open_file();
    pp_buf_init(&got, LINES_BYTES_MAX);
    pp_buf_init(&wanted, LINES_BYTES_MAX);
    write_at(0, first);
    REQUIRE(pp_json_file_tail_open(&tail, path, false, line_bytes_max, &err));
    read_lines(&tail, &got, true);
    if (data[2] & 1) { /* cut short, which is seen before it is written anew */
        add_expected(&wanted, first, line_bytes_max);
        REQUIRE(ftruncate(fd, 0) == 0);
        pp_json_file_tail_check(&tail);
        add_expected(&wanted, text, line_bytes_max);
        write_at(0, text);
    } else {
        add_expected(&wanted, text, line_bytes_max);
        write_at((off_t)first.n, (struct pp_str){text.p + first.n, text.n - first.n});
    }
    pp_json_file_tail_check(&tail);
    read_lines(&tail, &got, false);
    REQUIRE(pp_str_eq(pp_buf_str(&got), pp_buf_str(&wanted)));
    pp_json_file_tail_close(&tail);
    pp_buf_done(&got);
    pp_buf_done(&wanted);
    return 0;
}
