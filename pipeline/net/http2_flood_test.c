/* HTTP/2 peers that ask for work without end: frames by hand, and what stops them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/test_server.h"

#define FRAMES_MAX 100000u
#define SEND_BYTES_MAX (16u << 20)
#define FRAME_HEADER_BYTES 9u

static atomic_uint protections[PP_HTTP_PROTECTIONS];

static void count_protection(void *context, enum pp_http_protection protection)
{
    (void)context;
    atomic_fetch_add(&protections[protection], 1);
}

static void init(struct test_server *t)
{
    for (int i = 0; i < PP_HTTP_PROTECTIONS; i++)
        atomic_store(&protections[i], 0);
    test_server_init(t, 1);
    t->handler.on_protection = count_protection;
}

static void add_frame(struct pp_buf *out, unsigned type, unsigned flags, uint32_t stream, struct pp_str payload)
{
    const char head[FRAME_HEADER_BYTES] = {(char)(payload.n >> 16), (char)(payload.n >> 8), (char)payload.n, (char)type, (char)flags,
                                           (char)(stream >> 24), (char)(stream >> 16), (char)(stream >> 8), (char)stream};

    pp_buf_add(out, head, sizeof(head));
    pp_buf_add_str(out, payload);
}

static void add_field(struct pp_buf *block, struct pp_str name, struct pp_str value)
{
    pp_buf_add_byte(block, 0); /* literal, never indexed names of under 127 bytes */
    pp_buf_add_byte(block, (char)name.n);
    pp_buf_add_str(block, name);
    if (value.n < 127) {
        pp_buf_add_byte(block, (char)value.n);
    } else { /* RFC 7541, 5.1: 127 and the rest in groups of 7 bits */
        pp_buf_add_byte(block, 127);
        pp_buf_add_byte(block, (char)(((value.n - 127) & 127) | 128));
        pp_buf_add_byte(block, (char)((value.n - 127) >> 7));
    }
    pp_buf_add_str(block, value);
}

static void add_request(struct pp_buf *out, uint32_t stream, unsigned flags, struct pp_str padding)
{
    struct pp_buf block;

    pp_buf_init(&block, SEND_BYTES_MAX);
    add_field(&block, PP_STR(":method"), PP_STR("POST"));
    add_field(&block, PP_STR(":scheme"), PP_STR("http"));
    add_field(&block, PP_STR(":path"), PP_STR("/echo"));
    add_field(&block, PP_STR(":authority"), PP_STR("x"));
    if (padding.n)
        add_field(&block, PP_STR("padding"), padding);
    add_frame(out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | flags, stream, pp_buf_str(&block));
    pp_buf_done(&block);
}

static void begin(struct pp_buf *out)
{
    pp_buf_init(out, SEND_BYTES_MAX);
    pp_buf_add_str(out, PP_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    add_frame(out, NGHTTP2_SETTINGS, 0, 0, (struct pp_str){0});
}

/* Sends, and reads until the server has closed; the code of its GOAWAY, UINT32_MAX without one. */
static uint32_t talk(const struct test_server *t, struct pp_buf *out)
{
    int fd = test_connect(t);
    uint32_t code = UINT32_MAX;
    const unsigned char *p;
    char *answer;
    size_t n, length;

    test_send(fd, pp_buf_str(out));
    answer = test_read_all(fd, SEND_BYTES_MAX, &n);
    p = (const unsigned char *)answer;
    for (; n >= FRAME_HEADER_BYTES; p += length, n -= length) {
        length = FRAME_HEADER_BYTES + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
        if (length > n)
            break;
        if (p[3] == NGHTTP2_GOAWAY && length >= FRAME_HEADER_BYTES + 8)
            code = (uint32_t)p[13] << 24 | (uint32_t)p[14] << 16 | (uint32_t)p[15] << 8 | p[16];
    }
    free(answer);
    close(fd);
    pp_buf_done(out);
    return code;
}

static void check_serves(const struct test_server *t)
{
    char *answer = test_talk(t, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    assert_non_null(strstr(answer, "200 OK"));
    free(answer);
}

/* Frames that make work but no request; each kind alone goes on until it is stopped. (Frames of unknown kinds make none: they are skipped.) */
static void test_idle_frames(void **state)
{
    static const struct {
        unsigned type;
        uint32_t stream;
        struct pp_str payload;
    } kinds[] = {
        {NGHTTP2_WINDOW_UPDATE, 0, {"\0\0\0\1", 4}},
        {NGHTTP2_PRIORITY, 1, {"\0\0\0\3\1", 5}},
        {NGHTTP2_DATA, 1, {"", 0}},
        {NGHTTP2_SETTINGS, 0, {"\0\4\0\0\1\0", 6}},
        {NGHTTP2_PING, 0, {"12345678", 8}},
    };

    (void)state;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        struct test_server t;
        struct pp_buf out;

        init(&t);
        test_server_start(&t);
        begin(&out);
        add_request(&out, 1, 0, (struct pp_str){0});
        for (unsigned i = 0; i < FRAMES_MAX; i++)
            add_frame(&out, kinds[k].type, 0, kinds[k].stream, kinds[k].payload);
        talk(&t, &out);
        assert_int_equal(atomic_load(&protections[PP_HTTP_FLOODED]), 1);
        check_serves(&t);
        test_server_stop(&t);
    }
}

/* CVE-2023-44487: requests opened and reset at once never count as open. */
static void test_rapid_reset(void **state)
{
    struct test_server t;
    struct pp_buf out;

    (void)state;
    init(&t);
    test_server_start(&t);
    begin(&out);
    for (uint32_t i = 0; i < 20000; i++) {
        add_request(&out, 2 * i + 1, 0, (struct pp_str){0});
        add_frame(&out, NGHTTP2_RST_STREAM, 0, 2 * i + 1, (struct pp_str){"\0\0\0\10", 4});
    }
    talk(&t, &out);
    assert_in_range(atomic_load(&t.headers_seen), 1, 2000);
    assert_int_equal(atomic_load(&protections[PP_HTTP_FLOODED]), 1);
    check_serves(&t);
    test_server_stop(&t);
}

/* Requests that stay open hold their headers: these count against the budget for what is in flight. */
static void test_header_memory(void **state)
{
    char padding[8000];
    struct test_server t;
    struct pp_buf out;

    (void)state;
    memset(padding, 'p', sizeof(padding));
    init(&t);
    t.options.inflight_bytes_max = 200u * 1024;
    t.options.stall_timeout_ms = 200;
    t.options.idle_timeout_ms = 200;
    test_server_start(&t);
    begin(&out);
    for (uint32_t i = 0; i < 100; i++)
        add_request(&out, 2 * i + 1, 0, (struct pp_str){padding, sizeof(padding)});
    talk(&t, &out);
    assert_in_range(atomic_load(&t.headers_seen), 10, 25); /* the others have had their 503 */
    check_serves(&t);
    test_server_stop(&t);
}

/* Refusals of streams beyond the limit queue up for a peer that reads nothing. */
static void test_queued_frames(void **state)
{
    struct test_server t;
    struct pp_buf out;
    int fd, size = 4096;

    (void)state;
    init(&t);
    t.options.streams_max = 4;
    t.options.stall_timeout_ms = 60000;
    test_server_start(&t);
    begin(&out);
    for (uint32_t i = 0; i < FRAMES_MAX; i++)
        add_request(&out, 2 * i + 1, 0, (struct pp_str){0});
    fd = test_connect(&t);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    test_send(fd, pp_buf_str(&out)); /* ends when the server closes */
    for (int i = 0; i < TEST_TIMEOUT_MS && pp_http_server_connections(t.server) > 0; i++)
        usleep(1000);
    assert_int_equal(pp_http_server_connections(t.server), 0);
    assert_int_equal(atomic_load(&protections[PP_HTTP_FLOODED]), 1);
    close(fd);
    pp_buf_done(&out);
    check_serves(&t);
    test_server_stop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_frames),
        cmocka_unit_test(test_rapid_reset),
        cmocka_unit_test(test_header_memory),
        cmocka_unit_test(test_queued_frames),
    };

    return cmocka_run_group_tests_name("http2_flood", tests, NULL, NULL);
}
