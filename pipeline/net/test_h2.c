#include "net/test_h2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define WINDOW_BYTES (32 * 1024 * 1024)

static struct test_call *call_of(struct test_h2 *h2, int32_t id)
{
    for (size_t i = 0; i < h2->calls_n; i++)
        if (h2->calls[i].id == id)
            return &h2->calls[i];
    return NULL;
}

static void keep(char *to, size_t room, const uint8_t *value, size_t n)
{
    snprintf(to, room, "%.*s", (int)n, (const char *)value);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    struct test_call *call = call_of(arg, frame->hd.stream_id);
    struct pp_str key = {(const char *)name, name_n};

    (void)session;
    (void)flags;
    if (!call)
        return 0;
    if (pp_str_eq_c(key, ":status"))
        keep(call->status, sizeof(call->status), value, value_n);
    else if (pp_str_eq_c(key, "grpc-status"))
        keep(call->grpc_status, sizeof(call->grpc_status), value, value_n);
    else if (pp_str_eq_c(key, "grpc-message"))
        keep(call->grpc_message, sizeof(call->grpc_message), value, value_n);
    else if (pp_str_eq_c(key, "grpc-status-details-bin"))
        keep(call->details, sizeof(call->details), value, value_n);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct test_h2 *h2 = arg;
    struct test_call *call = call_of(h2, frame->hd.stream_id);

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        h2->goaway = true;
        h2->goaway_error = frame->goaway.error_code;
        h2->goaway_last = frame->goaway.last_stream_id;
    } else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        h2->ping_acks++;
    } else if (frame->hd.type == NGHTTP2_PING) {
        h2->pings++;
    } else if (call && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_RESPONSE) {
        call->headers_only = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *arg)
{
    struct test_call *call = call_of(arg, id);

    (void)session;
    (void)flags;
    if (call)
        pp_buf_add(&call->body, data, n);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
    struct test_call *call = call_of(arg, id);

    (void)session;
    if (call) {
        call->closed = true;
        call->error = error;
    }
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct test_call *call = call_of(arg, id);
    size_t n = call->send.n - call->sent < room ? call->send.n - call->sent : room;

    (void)session;
    (void)source;
    if (n == 0 && call->keep_open)
        return NGHTTP2_ERR_DEFERRED;
    if (n)
        memcpy(to, call->send.p + call->sent, n);
    call->sent += n;
    if (call->sent == call->send.n && !call->keep_open)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

void test_h2_open(struct test_h2 *h2, const struct test_server *t, bool answer_pings)
{
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES}};
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    memset(h2, 0, sizeof(*h2));
    h2->fd = test_connect(t);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_ping_ack(option, !answer_pings);
    assert_int_equal(nghttp2_session_client_new2(&h2->session, callbacks, h2, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(h2->session, 0, settings, 1);
    nghttp2_session_set_local_window_size(h2->session, 0, 0, WINDOW_BYTES);
}

void test_h2_close(struct test_h2 *h2)
{
    for (size_t i = 0; i < h2->calls_n; i++)
        pp_buf_done(&h2->calls[i].body);
    nghttp2_session_del(h2->session);
    close(h2->fd);
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0};
}

struct test_call *test_h2_call(struct test_h2 *h2, const char *path, struct pp_str body, int keep_open, ...)
{
    struct test_call *call = &h2->calls[h2->calls_n++];
    nghttp2_data_provider provider = {.read_callback = read_body};
    nghttp2_nv headers[32] = {nv(":method", "POST"), nv(":scheme", "http"), nv(":path", path), nv(":authority", "x"),
                              nv("content-type", "application/grpc"), nv("te", "trailers")};
    size_t n = 6;
    va_list args;
    const char *name;

    assert_true(h2->calls_n <= TEST_H2_STREAMS_MAX);
    va_start(args, keep_open);
    while ((name = va_arg(args, const char *)) != NULL)
        headers[n++] = nv(name, va_arg(args, const char *));
    va_end(args);
    pp_buf_init(&call->body, SIZE_MAX);
    call->send = body;
    call->keep_open = keep_open;
    call->id = nghttp2_submit_request(h2->session, NULL, headers, n, &provider, NULL);
    assert_true(call->id > 0);
    return call;
}

/* In one write, so that the server reads small requests together. */
void test_h2_flush(struct test_h2 *h2)
{
    struct pp_buf out;
    const uint8_t *data;
    ssize_t n;

    pp_buf_init(&out, SIZE_MAX);
    while ((n = nghttp2_session_mem_send(h2->session, &data)) > 0)
        assert_true(pp_buf_add(&out, data, (size_t)n));
    if (out.len > 0)
        test_send(h2->fd, pp_buf_str(&out));
    pp_buf_done(&out);
}

void test_h2_run(struct test_h2 *h2, bool (*done)(const struct test_h2 *h2))
{
    uint64_t until = pp_clock_mono_ms() + TEST_TIMEOUT_MS;
    uint8_t data[65536];

    for (;;) {
        struct pollfd p = {.fd = h2->fd, .events = POLLIN};
        ssize_t n;

        test_h2_flush(h2);
        if (h2->eof || done(h2))
            return;
        if (pp_clock_mono_ms() > until)
            fail_msg("the answer did not come in time");
        if (poll(&p, 1, 100) <= 0)
            continue;
        n = recv(h2->fd, data, sizeof(data), 0);
        if (n <= 0) {
            h2->eof = true;
            return;
        }
        assert_true(nghttp2_session_mem_recv(h2->session, data, (size_t)n) == n);
    }
}

bool test_h2_all_closed(const struct test_h2 *h2)
{
    for (size_t i = 0; i < h2->calls_n; i++)
        if (!h2->calls[i].closed)
            return false;
    return true;
}

bool test_h2_eof(const struct test_h2 *h2)
{
    return h2->eof;
}

bool test_h2_goaway(const struct test_h2 *h2)
{
    return h2->goaway;
}
