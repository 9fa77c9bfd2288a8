/* What a server may say to the gRPC exporter's HTTP/2 client: everything is there before the call is made, then the server closes its half. The first
 * byte says whether it is a list of frames (h2_frames.h) or bytes as they are. A call ends, and its answer is within its limits. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2_frames.h"
#include "otlp_grpc/h2_call.h"

/* As much as a socket pair takes at once. */
#define ANSWER_SENT_BYTES_MAX (128u * 1024)
#define BODY_BYTES_MAX 4096u
/* Times that a wait may be asked whether it is over. */
#define WAITS_MAX 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static const char *const answered[] = {":status", "200", "content-type", "application/grpc", NULL};
static const char *const trailers[] = {"grpc-status", "14", "grpc-message", "no%20", "grpc-status-details-bin", "CA4", NULL};
static const char *const *const canned[2] = {answered, trailers};

static bool is_over(void *arg)
{
    return --*(int *)arg < 0;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

static void call(struct pp_h2_conn *conn)
{
    const nghttp2_nv headers[] = {nv(":method", "POST"), nv(":scheme", "http"), nv(":path", "/x"), nv(":authority", "a")};
    int waits = WAITS_MAX;
    const struct pp_h2_patience patience = {is_over, &waits};
    struct pp_h2_answer answer = {0};
    struct pp_error err = {0};

    pp_buf_init(&answer.body, BODY_BYTES_MAX);
    pp_grpc_trailers_init(&answer.trailers);
    if (!pp_h2_call(conn, headers, sizeof(headers) / sizeof(headers[0]), PP_STR("hello"), &patience, &answer, &err))
        REQUIRE(err.kind != PP_ERR_NONE && err.message[0]);
    REQUIRE(answer.body.len <= BODY_BYTES_MAX);
    REQUIRE(answer.trailers.retry_delay_ms >= -1);
    pp_buf_done(&answer.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_h2_socket socket = {0};
    struct pp_h2_conn *conn;
    struct pp_buf sent;
    int ends[2];

    if (size == 0 || size > ANSWER_SENT_BYTES_MAX / 2)
        return 0;
    pp_buf_init(&sent, H2_FRAMES_BYTES_MAX);
    if (data[0] & 1)
        pp_buf_add(&sent, data + 1, size - 1);
    else
        h2_frames_write(&sent, canned, data + 1, size - 1);
    if (sent.len > ANSWER_SENT_BYTES_MAX)
        sent.len = ANSWER_SENT_BYTES_MAX;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    REQUIRE(send(ends[1], sent.data, sent.len, MSG_NOSIGNAL) == (ssize_t)sent.len);
    REQUIRE(shutdown(ends[1], SHUT_WR) == 0);
    socket.fd = ends[0];
    conn = pp_h2_conn_new(&socket);
    REQUIRE(conn);
    call(conn);
    if (pp_h2_conn_usable(conn))
        call(conn);
    pp_h2_conn_free(conn);
    close(ends[1]);
    pp_buf_done(&sent);
    return 0;
}
