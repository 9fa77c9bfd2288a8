/* Requests of HTTP/1: whatever the bytes are and however they are cut, nothing is read outside them, slices stay inside, and the content
 * of a body does not depend on the cuts. */
#include <stdlib.h>

#include "net/http1.h"

#define HEADERS_MAX 16u
#define CONTENT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void require_inside(const char *text, size_t n, struct pp_str s)
{
    /* "/" stands in for the path of an absolute target without one. */
    REQUIRE(s.n == 0 || (s.p >= text && s.p + s.n <= text + n) || pp_str_eq_c(s, "/"));
}

/* Feeds the body in steps of `step` bytes; tells how it ended. */
static enum pp_http1_event read_body(const struct pp_http1_head *head, struct pp_str in, size_t step, struct pp_buf *out)
{
    enum pp_http1_event event = PP_HTTP1_MORE;
    struct pp_http1_body body;

    pp_http1_body_init(&body, head);
    do {
        struct pp_str part = {in.p, in.n < step ? in.n : step}, content;

        in.p += part.n;
        in.n -= part.n;
        do {
            event = pp_http1_body_next(&body, &part, &content);
            if (event == PP_HTTP1_DATA)
                pp_buf_add_str(out, content);
        } while (event == PP_HTTP1_DATA);
    } while (event == PP_HTTP1_MORE && in.n > 0);
    return event;
}

static void check_body(const struct pp_http1_head *head, struct pp_str in)
{
    struct pp_buf whole, bytewise;

    pp_buf_init(&whole, CONTENT_MAX);
    pp_buf_init(&bytewise, CONTENT_MAX);
    REQUIRE(read_body(head, in, SIZE_MAX, &whole) == read_body(head, in, 1, &bytewise));
    REQUIRE(pp_str_eq(pp_buf_str(&whole), pp_buf_str(&bytewise)));
    REQUIRE(whole.len <= in.n);
    pp_buf_done(&whole);
    pp_buf_done(&bytewise);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_str in = {(const char *)data, size};
    struct pp_arena arena = {0};
    struct pp_http1_head head;
    struct pp_error err;
    size_t scanned = 0, n = pp_http1_head_length(in, &scanned), cut = 0;
    char *text;

    /* The end of the head is found at the same place when bytes come one by one. */
    scanned = 0;
    for (size_t i = 1; i <= size && !cut; i++)
        cut = pp_http1_head_length((struct pp_str){in.p, i}, &scanned);
    REQUIRE(cut == n);
    text = n ? malloc(n) : NULL;
    if (!text)
        return 0;
    memcpy(text, data, n);
    if (pp_http1_parse_head(text, n, HEADERS_MAX, &arena, &head, &err) == 0) {
        require_inside(text, n, head.method);
        require_inside(text, n, head.path);
        require_inside(text, n, head.query);
        require_inside(text, n, head.authority);
        REQUIRE(head.headers_n <= HEADERS_MAX);
        for (size_t i = 0; i < head.headers_n; i++) {
            require_inside(text, n, head.headers[i].name);
            require_inside(text, n, head.headers[i].value);
        }
        check_body(&head, (struct pp_str){in.p + n, in.n - n});
    }
    pp_arena_done(&arena);
    free(text);
    return 0;
}
