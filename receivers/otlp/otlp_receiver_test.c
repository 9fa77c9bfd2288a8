/* The receiver as its peers see it: requests in over real sockets, a capturing component behind it. */
#include "config/test_support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/decode.h"
#include "net/compress.h"
#include "net/test_h2.h"
#include "otlp_server.h"
#include "pipeline/fanout.h"
#include "pipeline/instance.h"
#include "pipeline/run.h"
#include "pipeline/service.h"
#include "pipeline/testing/testing.h"

#define MESSAGE_MAX 4096u
#define SAMPLES 5u

extern const struct pp_factory pp_otlp_receiver_factory;

/* What the component behind the receiver does and has seen. */
static struct {
    pthread_mutex_t lock;
    struct pp_result result; /* its answer */
    bool hold;               /* answers only when told */
    struct pp_done *held;
    unsigned calls;
    uint64_t samples;
    bool same_bytes; /* the batch encodes to the bytes that were sent */
    struct pp_str expected;
    bool packed[PP_ENCODINGS]; /* it has the compressed bytes of that encoding */
    char peer[64], metadata[64];
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void look_at(struct pp_batch *batch)
{
    struct pp_encode_options options = {0};
    struct pp_context *context = pp_batch_context(batch);
    struct pp_bytes *bytes = NULL;
    struct pp_str value;
    struct pp_error err;

    seen.calls++;
    seen.samples = pp_batch_samples(batch);
    if (pp_batch_encode(batch, &options, &bytes, &err))
        seen.same_bytes = pp_str_eq(pp_bytes_str(bytes), seen.expected);
    pp_bytes_unref(bytes);
    for (int e = PP_ENCODING_GZIP; e < PP_ENCODINGS; e++) {
        bytes = pp_batch_packed(batch, e, &options);
        seen.packed[e] = bytes != NULL;
        pp_bytes_unref(bytes);
    }
    snprintf(seen.peer, sizeof(seen.peer), PP_STR_FMT, PP_STR_ARG(pp_context_peer(context)));
    seen.metadata[0] = '\0';
    if (pp_context_metadata(context, PP_STR("x-tenant"), 0, &value))
        snprintf(seen.metadata, sizeof(seen.metadata), PP_STR_FMT, PP_STR_ARG(value));
}

static void capture(struct pp_component *self, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_result result;
    bool hold;

    (void)self;
    pthread_mutex_lock(&seen.lock);
    look_at(batch);
    result = seen.result;
    hold = seen.hold;
    if (hold)
        seen.held = done;
    pthread_mutex_unlock(&seen.lock);
    pp_batch_unref(batch);
    if (!hold)
        pp_done_call(done, &result);
}

static const struct pp_factory capture_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXPORTER,
    .type = "capture",
    .summary = "Remembers what it gets.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct pp_component),
    .consume = capture,
};

struct fixture {
    struct world world;
    struct pp_service *service;
    struct pp_instance *receiver, *sink;
    struct test_server grpc, http; /* only the ports */
    struct pp_bytes *message;
};

/* A port that was free a moment ago. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static const void *decode_config(struct fixture *f, const char *grpc, const char *http)
{
    char text[2048];
    const struct pp_node *node;
    const void *config;

    snprintf(text, sizeof(text), "protocols:\n  grpc:\n    endpoint: 127.0.0.1:%u\n%s  http:\n    endpoint: 127.0.0.1:%u\n%s", f->grpc.port, grpc,
             f->http.port, http);
    node = world_read(&f->world, text);
    config = pp_decode(&f->world.arena, &pp_otlp_receiver_group, node, NULL, (struct pp_mark){0}, &f->world.diags);
    if (!config)
        fail_msg("%s", world_problems(&f->world));
    return config;
}

static void open_fixture(struct fixture *f, const char *grpc, const char *http)
{
    struct pp_service_options options = {.loops_n = 2, .shutdown_timeout_ms = 1000};
    struct pp_instance_spec sink = {.factory = &capture_factory, .id = "capture"};
    struct pp_instance_spec receiver = {.factory = &pp_otlp_receiver_factory, .id = "otlp"};
    struct pp_batch *batch = pp_testing_batch(SAMPLES, 1);
    struct pp_encode_options encode = {0};
    struct pp_target target = {.pipeline = "profiles"};
    struct pp_error err = {0};

    memset(f, 0, sizeof(*f));
    world_open(&f->world);
    f->grpc.port = free_port();
    f->http.port = free_port();
    receiver.config = decode_config(f, grpc, http);
    assert_true(pp_batch_encode(batch, &encode, &f->message, &err));
    pp_batch_unref(batch);
    seen.result = PP_RESULT_ACCEPTED;
    seen.hold = false;
    seen.calls = 0;
    seen.expected = pp_bytes_str(f->message);
    if (!pp_service_new(&options, &f->service, &err) || !pp_instance_new(f->service, &sink, &f->sink, &err) ||
        !pp_instance_new(f->service, &receiver, &f->receiver, &err))
        fail_msg("%s", err.message);
    target.component = f->sink->component;
    pp_downstream_set(&f->receiver->downstream, pp_targets_new(&target, 1));
    if (!pp_instance_start(f->receiver, &err))
        fail_msg("%s", err.message);
}

static void close_fixture(struct fixture *f)
{
    if (f->receiver) {
        pp_instance_shutdown(f->receiver, 0);
        pp_downstream_set(&f->receiver->downstream, NULL);
    }
    pp_instance_free(f->receiver);
    pp_instance_free(f->sink);
    pp_service_free(f->service);
    pp_bytes_unref(f->message);
    world_close(&f->world);
}

/* One HTTP/1.1 request; `headers` are whole lines. The whole answer. */
static char *post(const struct fixture *f, const char *request_line, const char *headers, struct pp_str body)
{
    int fd = test_connect(&f->http);
    char head[1024];
    char *answer;

    snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n", request_line, headers, body.n);
    test_send(fd, pp_str_c(head));
    test_send(fd, body);
    answer = test_read_all(fd, SIZE_MAX / 2, NULL);
    close(fd);
    return answer;
}

#define EXPORT "POST " PP_OTLP_HTTP_PATH
#define PROTO "Content-Type: application/x-protobuf\r\n"

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%.600s", part, text);
}

static void assert_post(const struct fixture *f, const char *request_line, const char *headers, struct pp_str body, const char *status, const char *part)
{
    char *answer = post(f, request_line, headers, body);

    assert_has(answer, status);
    assert_has(answer, part);
    free(answer);
}

/* Prefix and message of a gRPC body, freed by the caller. */
static struct pp_str frame(struct pp_str message, bool compressed)
{
    char *p = malloc(PP_GRPC_PREFIX_SIZE + message.n);

    assert_non_null(p);
    p[0] = compressed;
    for (int i = 0; i < 4; i++)
        p[1 + i] = (char)(message.n >> (24 - 8 * i));
    memcpy(p + PP_GRPC_PREFIX_SIZE, message.p, message.n);
    return (struct pp_str){p, PP_GRPC_PREFIX_SIZE + message.n};
}

/* One call; the answer is in h2->calls[0] until test_h2_close. */
static struct test_call *call(const struct fixture *f, struct test_h2 *h2, struct pp_str message, bool compressed, const char *name, const char *value)
{
    struct pp_str body = frame(message, compressed);
    struct test_call *made;

    test_h2_open(h2, &f->grpc, true);
    made = test_h2_call(h2, PP_OTLP_GRPC_PATH, body, false, name, value, NULL);
    test_h2_run(h2, test_h2_all_closed);
    free((char *)(uintptr_t)body.p);
    return made;
}

static void assert_call(const struct fixture *f, struct pp_str message, bool compressed, const char *name, const char *value, const char *status)
{
    struct test_h2 h2;
    struct test_call *made = call(f, &h2, message, compressed, name, value);

    assert_string_equal(made->status, "200");
    if (strcmp(made->grpc_status, status) != 0)
        fail_msg("%s: %s is %s %s, not %s", name ? name : "", value ? value : "", made->grpc_status, made->grpc_message, status);
    test_h2_close(&h2);
}

static void test_every_encoding_is_passed_on_as_it_came(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f, "", "");
    for (int e = 0; e < PP_ENCODINGS; e++) {
        struct pp_bytes *packed = NULL;
        char header[128];

        assert_true(pp_compress(e, PP_COMPRESS_LEVEL_DEFAULT, pp_bytes_str(f.message), &packed, NULL));
        snprintf(header, sizeof(header), PROTO "Content-Encoding: %s\r\n", e ? pp_encoding_name(e) : "");
        seen.samples = 0;
        assert_post(&f, EXPORT, header, pp_bytes_str(packed), "HTTP/1.1 200 OK", "content-type: application/x-protobuf");
        assert_int_equal(seen.samples, SAMPLES);
        assert_true(seen.same_bytes);
        for (int other = PP_ENCODING_GZIP; other < PP_ENCODINGS; other++)
            assert_int_equal(seen.packed[other], other == e);
        seen.samples = 0;
        assert_call(&f, pp_bytes_str(packed), e != PP_ENCODING_IDENTITY, "grpc-encoding", pp_encoding_name(e), "0");
        assert_int_equal(seen.samples, SAMPLES);
        assert_int_equal(seen.packed[PP_ENCODING_GZIP], e == PP_ENCODING_GZIP);
        pp_bytes_unref(packed);
    }
    close_fixture(&f);
}

/* Framed data under the name of the block format must not be passed on under that name. */
static void test_framed_snappy_labelled_snappy(void **state)
{
    struct pp_bytes *packed = NULL;
    struct fixture f;

    (void)state;
    open_fixture(&f, "", "");
    assert_true(pp_compress(PP_ENCODING_SNAPPY_FRAMED, 0, pp_bytes_str(f.message), &packed, NULL));
    assert_post(&f, EXPORT, PROTO "Content-Encoding: snappy\r\n", pp_bytes_str(packed), "200 OK", "");
    assert_false(seen.packed[PP_ENCODING_SNAPPY]);
    assert_true(seen.packed[PP_ENCODING_SNAPPY_FRAMED]);
    pp_bytes_unref(packed);
    close_fixture(&f);
}

/* What downstream says, and what the sender hears. */
static void test_results(void **state)
{
    static const struct {
        struct pp_result result;
        const char *http, *header; /* "" none expected */
        const char *grpc;
        bool retry_info;
    } cases[] = {
        {{.outcome = PP_RETRY, .status = PP_STATUS_NONE, .retry_after_ms = -1, .message = "queue full"}, "503", "retry-after: 1\r\n", "14", true},
        {{.outcome = PP_RETRY, .status = PP_STATUS_NONE, .retry_after_ms = 2500, .message = "m"}, "503", "retry-after: 3\r\n", "14", true},
        {{.outcome = PP_PERMANENT, .status = PP_STATUS_NONE, .retry_after_ms = -1, .message = "broken"}, "500", "", "13", false},
        {{.outcome = PP_RETRY, .status = PP_STATUS_UNAVAILABLE, .retry_after_ms = 7000, .message = "m"}, "503", "retry-after: 7\r\n", "14", true},
        {{.outcome = PP_RETRY, .status = PP_STATUS_RESOURCE_EXHAUSTED, .retry_after_ms = 3000, .message = "m"}, "429", "retry-after: 3\r\n", "8", true},
        {{.outcome = PP_PERMANENT, .status = PP_STATUS_RESOURCE_EXHAUSTED, .retry_after_ms = -1, .message = "m"}, "429", "", "8", false},
        {{.outcome = PP_RETRY, .status = PP_STATUS_CANCELLED, .retry_after_ms = -1, .message = "m"}, "503", "", "1", false},
        {{.outcome = PP_RETRY, .status = PP_STATUS_DEADLINE_EXCEEDED, .retry_after_ms = -1, .message = "m"}, "503", "", "4", false},
        {{.outcome = PP_RETRY, .status = PP_STATUS_ABORTED, .retry_after_ms = -1, .message = "m"}, "503", "", "10", false},
        {{.outcome = PP_RETRY, .status = PP_STATUS_OUT_OF_RANGE, .retry_after_ms = -1, .message = "m"}, "503", "", "11", false},
        {{.outcome = PP_RETRY, .status = PP_STATUS_DATA_LOSS, .retry_after_ms = -1, .message = "m"}, "503", "", "15", false},
        {{.outcome = PP_PERMANENT, .status = PP_STATUS_INVALID_ARGUMENT, .retry_after_ms = -1, .message = "m"}, "400", "", "3", false},
        {{.outcome = PP_PERMANENT, .status = PP_STATUS_UNAUTHENTICATED, .retry_after_ms = -1, .message = "m"}, "401", "", "16", false},
        {{.outcome = PP_PERMANENT, .status = PP_STATUS_PERMISSION_DENIED, .retry_after_ms = -1, .message = "m"}, "403", "", "7", false},
        {{.outcome = PP_PERMANENT, .status = PP_STATUS_UNIMPLEMENTED, .retry_after_ms = -1, .message = "m"}, "404", "", "12", false},
        {{.outcome = PP_PERMANENT, .status = PP_STATUS_NOT_FOUND, .retry_after_ms = -1, .message = "m"}, "500", "", "5", false},
    };
    struct fixture f;

    (void)state;
    open_fixture(&f, "", "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_h2 h2;
        struct test_call *made;
        char status[32], *answer;

        seen.result = cases[i].result;
        snprintf(status, sizeof(status), "HTTP/1.1 %s ", cases[i].http);
        answer = post(&f, EXPORT, PROTO, pp_bytes_str(f.message));
        assert_has(answer, status);
        assert_has(answer, cases[i].header);
        assert_int_equal(strstr(answer, "retry-after") != NULL, cases[i].header[0] != '\0');
        assert_has(answer, cases[i].result.message); /* in the rpc.Status of the body */
        free(answer);
        made = call(&f, &h2, pp_bytes_str(f.message), false, NULL, NULL);
        assert_string_equal(made->grpc_status, cases[i].grpc);
        assert_string_equal(made->grpc_message, cases[i].result.message);
        assert_int_equal(made->details[0] != '\0', cases[i].retry_info);
        test_h2_close(&h2);
    }
    close_fixture(&f);
}

static void test_wrong_requests(void **state)
{
    static const struct {
        const char *line, *headers, *status, *part;
    } cases[] = {
        {"GET " PP_OTLP_HTTP_PATH, PROTO, "405", "405 method not allowed, supported: [POST]"},
        {"POST /v1/profiles", PROTO, "404", ""},
        {EXPORT, "", "415", "415 unsupported media type, supported: [application/json, application/x-protobuf]"},
        {EXPORT, "Content-Type: text/plain\r\n", "415", "text/plain"},
        {EXPORT, PROTO "Content-Encoding: br\r\n", "400", "Content-Encoding"},
        {EXPORT, PROTO "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", "400", "Content-Encoding"},
        {EXPORT, PROTO "Content-Encoding: gzip\r\n", "400", "gzip"}, /* it is not */
        {EXPORT, PROTO "OTLP-Profiles-Development-Version: 2\r\n", "400", "otlp-profiles-development-version"},
        {EXPORT, PROTO "OTLP-Profiles-Development-Version: \r\n", "400", "otlp-profiles-development-version"},
        {EXPORT, PROTO "OTLP-Profiles-Development-Version: 1\r\nOTLP-Profiles-Development-Version: 1\r\n", "400", "version"},
        {EXPORT, "Content-Type: application/json\r\nOTLP-Profiles-Development-Version: 01\r\n", "400", "{\"code\":3,\"message\":\""},
    };
    struct fixture f;

    (void)state;
    open_fixture(&f, "", "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char status[32];

        snprintf(status, sizeof(status), "HTTP/1.1 %s ", cases[i].status);
        assert_post(&f, cases[i].line, cases[i].headers, pp_bytes_str(f.message), status, cases[i].part);
    }
    assert_post(&f, EXPORT, PROTO "OTLP-Profiles-Development-Version: 1\r\n", pp_bytes_str(f.message), "200", "");
    assert_int_equal(seen.calls, 1);
    close_fixture(&f);
}

static void test_wrong_calls(void **state)
{
    struct fixture f;
    struct test_h2 h2;
    struct pp_str framed;

    (void)state;
    open_fixture(&f, "", "");
    assert_call(&f, PP_STR("\xff\xff\xff"), false, NULL, NULL, "3");
    assert_call(&f, pp_bytes_str(f.message), true, "grpc-encoding", "br", "12");
    assert_call(&f, pp_bytes_str(f.message), true, NULL, NULL, "13"); /* flagged as compressed, by what? */
    assert_call(&f, pp_bytes_str(f.message), true, "grpc-encoding", "gzip", "3");
    assert_call(&f, pp_bytes_str(f.message), false, PP_OTLP_VERSION_HEADER, "2", "3");
    assert_int_equal(seen.calls, 0);
    assert_call(&f, pp_bytes_str(f.message), false, "grpc-encoding", "gzip", "0"); /* the flag decides */
    framed = frame(pp_bytes_str(f.message), false);
    test_h2_open(&h2, &f.grpc, true);
    test_h2_call(&h2, "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Import", framed, false, NULL);
    test_h2_run(&h2, test_h2_all_closed);
    assert_string_equal(h2.calls[0].grpc_status, "12");
    test_h2_close(&h2);
    free((char *)(uintptr_t)framed.p);
    close_fixture(&f);
}

/* Nothing in it: accepted without asking the pipeline. */
static void test_empty_requests(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f, "", "");
    seen.result = PP_RESULT_PERMANENT("must not be asked");
    assert_post(&f, EXPORT, PROTO, PP_STR(""), "200 OK", "content-length: 0");
    assert_call(&f, PP_STR(""), false, NULL, NULL, "0");
    assert_int_equal(seen.calls, 0);
    close_fixture(&f);
}

static void test_limits(void **state)
{
    struct fixture f;
    size_t n = 3u * 1024 * 1024;
    char *big = calloc(1, n);
    struct pp_bytes *bomb = NULL;
    struct test_h2 h2;
    struct test_call *made;
    char *answer;

    (void)state;
    assert_non_null(big);
    open_fixture(&f, "    max_recv_msg_size_mib: 1\n", "    max_request_body_size: 1048576\n");
    assert_true(pp_compress(PP_ENCODING_ZSTD, PP_COMPRESS_LEVEL_DEFAULT, (struct pp_str){big, n}, &bomb, NULL));
    answer = post(&f, EXPORT, PROTO, (struct pp_str){big, n});
    assert_has(answer, "413 ");
    assert_null(strstr(answer, "retry-after"));
    free(answer);
    assert_post(&f, EXPORT, PROTO "Content-Encoding: zstd\r\n", pp_bytes_str(bomb), "413 ", "over the limit of 1048576 bytes");
    assert_call(&f, (struct pp_str){big, n}, false, NULL, NULL, "8");
    made = call(&f, &h2, pp_bytes_str(bomb), true, "grpc-encoding", "zstd");
    assert_string_equal(made->grpc_status, "8");
    assert_string_equal(made->details, ""); /* no RetryInfo */
    test_h2_close(&h2);
    assert_int_equal(seen.calls, 0);
    pp_bytes_unref(bomb);
    free(big);
    close_fixture(&f);
}

static void test_metadata_and_headers(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f, "    include_metadata: true\n", "    include_metadata: true\n    response_headers:\n      X-Own: mine\n");
    assert_post(&f, EXPORT, PROTO "X-Tenant: blue\r\n", pp_bytes_str(f.message), "200 OK", "x-own: mine\r\n");
    assert_string_equal(seen.metadata, "blue");
    assert_has(seen.peer, "127.0.0.1:");
    assert_call(&f, pp_bytes_str(f.message), false, "x-tenant", "red", "0");
    assert_string_equal(seen.metadata, "red");
    close_fixture(&f);
    open_fixture(&f, "", "");
    assert_post(&f, EXPORT, PROTO "X-Tenant: blue\r\n", pp_bytes_str(f.message), "200 OK", "");
    assert_string_equal(seen.metadata, ""); /* not asked for */
    close_fixture(&f);
}

static void test_cors(void **state)
{
    static const char cors[] = "    cors:\n      allowed_origins: [\"https://*.example.com\"]\n      allowed_headers: [X-Token]\n      max_age: 60\n";
    static const char ask[] = "Access-Control-Request-Method: POST\r\n";
    struct fixture f;
    char headers[256], *answer;

    (void)state;
    open_fixture(&f, "", cors);
    snprintf(headers, sizeof(headers), "Origin: https://a.example.com\r\n%sAccess-Control-Request-Headers: x-token, content-type\r\n", ask);
    assert_post(&f, "OPTIONS " PP_OTLP_HTTP_PATH, headers, PP_STR(""), "204 No Content", "access-control-allow-origin: https://a.example.com\r\n");
    assert_post(&f, "OPTIONS " PP_OTLP_HTTP_PATH, headers, PP_STR(""), "204", "access-control-max-age: 60\r\n");
    snprintf(headers, sizeof(headers), "Origin: https://a.example.com\r\n%sAccess-Control-Request-Headers: x-other\r\n", ask);
    answer = post(&f, "OPTIONS " PP_OTLP_HTTP_PATH, headers, PP_STR(""));
    assert_null(strstr(answer, "access-control-allow"));
    free(answer);
    answer = post(&f, EXPORT, PROTO "Origin: https://example.org\r\n", pp_bytes_str(f.message));
    assert_has(answer, "200 OK");
    assert_null(strstr(answer, "access-control-allow"));
    free(answer);
    assert_post(&f, EXPORT, PROTO "Origin: https://a.example.com\r\n", pp_bytes_str(f.message), "200 OK", "access-control-allow-credentials: true");
    close_fixture(&f);
}

/* Until the component behind holds a batch's answer back. */
static void wait_held(void)
{
    bool is_held = false;

    for (int i = 0; i < TEST_TIMEOUT_MS && !is_held; i++) {
        usleep(1000);
        pthread_mutex_lock(&seen.lock);
        is_held = seen.held != NULL;
        pthread_mutex_unlock(&seen.lock);
    }
    assert_true(is_held);
}

/* The result may come late, from another thread. */
static void test_late_result(void **state)
{
    struct fixture f;
    struct pp_result result = PP_RESULT_RETRY("late");
    struct pp_done *held;
    int fd;
    char head[256], *answer;

    (void)state;
    open_fixture(&f, "", "");
    seen.hold = true;
    fd = test_connect(&f.http);
    snprintf(head, sizeof(head), EXPORT " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" PROTO "Content-Length: %zu\r\n\r\n", f.message->len);
    test_send(fd, pp_str_c(head));
    test_send(fd, pp_bytes_str(f.message));
    wait_held();
    held = seen.held;
    seen.held = NULL;
    pp_done_call(held, &result);
    answer = test_read_all(fd, SIZE_MAX / 2, NULL);
    assert_has(answer, "503 Service Unavailable");
    assert_has(answer, "late");
    free(answer);
    close(fd);
    close_fixture(&f);
}

/* A reload's deadline may pass before the answer: it then comes to a receiver that is gone. */
static void test_result_after_the_end(void **state)
{
    struct pp_result result = PP_RESULT_RETRY("too late");
    struct fixture f;
    char head[256];
    int fd;

    (void)state;
    open_fixture(&f, "", "    response_headers:\n      X-Own: mine\n");
    seen.hold = true;
    fd = test_connect(&f.http);
    snprintf(head, sizeof(head), EXPORT " HTTP/1.1\r\nHost: x\r\n" PROTO "Content-Length: %zu\r\n\r\n", f.message->len);
    test_send(fd, pp_str_c(head));
    test_send(fd, pp_bytes_str(f.message));
    wait_held();
    pp_instance_shutdown(f.receiver, 0);
    pp_downstream_set(&f.receiver->downstream, NULL);
    pp_instance_free(f.receiver); /* kept: sanitizers see it touched below */
    f.receiver = NULL;
    pp_done_call(seen.held, &result);
    seen.held = NULL;
    close(fd);
    close_fixture(&f);
}

/* One port for both protocols is one too many, and said in one line before anything listens. */
static void test_same_port_twice(void **state)
{
    struct pp_service_options options = {.loops_n = 1, .shutdown_timeout_ms = 1000};
    struct pp_instance_spec spec = {.factory = &pp_otlp_receiver_factory, .id = "otlp"};
    struct pp_instance *receiver;
    struct pp_error err = {0};
    struct fixture f;

    (void)state;
    memset(&f, 0, sizeof(f));
    world_open(&f.world);
    f.grpc.port = f.http.port = free_port();
    spec.config = decode_config(&f, "", "");
    assert_true(pp_service_new(&options, &f.service, &err));
    assert_true(pp_instance_new(f.service, &spec, &receiver, &err));
    assert_false(pp_instance_start(receiver, &err));
    assert_has(err.message, "protocols.http: cannot listen on 127.0.0.1:");
    assert_has(err.message, "address already in use");
    pp_instance_free(receiver);
    pp_service_free(f.service);
    world_close(&f.world);
}

#define FAULTS_MAX 1000u

static void fail_at(void *arg)
{
    pp_alloc_fail_at(*(size_t *)arg);
}

static void count(void *arg)
{
    size_t *most = arg, n = pp_alloc_count();

    *most = n > *most ? n : *most;
}

static void on_loops(const struct fixture *f, void (*fn)(void *arg), size_t *arg)
{
    const struct pp_loop_pool *loops = pp_service_loops(f->service);

    for (size_t i = 0; i < loops->n; i++)
        assert_true(pp_loop_call(loops->loops[i], fn, arg));
}

/* Each allocation on the way of a request fails in turn, over both protocols, compressed and as JSON: what is taken is whole, what is not is refused or
 * its connection closed, nothing leaks, and the next one is served. */
static void test_no_memory(void **state)
{
    struct pp_bytes *packed = NULL;
    size_t never = 0, n = 1, used = 1;
    struct fixture f;

    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    open_fixture(&f, "    include_metadata: true\n", "    include_metadata: true\n");
    assert_true(pp_compress(PP_ENCODING_GZIP, PP_COMPRESS_LEVEL_DEFAULT, pp_bytes_str(f.message), &packed, NULL));
    for (; n <= used; n++) {
        unsigned calls = seen.calls;
        struct test_h2 h2;
        char *answer;

        assert_true(n < FAULTS_MAX);
        on_loops(&f, fail_at, &n);
        answer = post(&f, EXPORT, PROTO "Content-Encoding: gzip\r\n", pp_bytes_str(packed));
        assert_true(!strstr(answer, "200 OK") || seen.calls > calls);
        free(answer);
        free(post(&f, EXPORT, "Content-Type: application/json\r\n", PP_STR("{\"resourceProfiles\":[],\"dictionary\":{}}")));
        call(&f, &h2, pp_bytes_str(packed), true, "grpc-encoding", "gzip");
        test_h2_close(&h2);
        on_loops(&f, count, &used);
        on_loops(&f, fail_at, &never);
    }
    assert_true(n > 20);
    assert_post(&f, EXPORT, PROTO, pp_bytes_str(f.message), "HTTP/1.1 200 OK", "content-type");
    assert_call(&f, pp_bytes_str(packed), true, "grpc-encoding", "gzip", "0");
    pp_bytes_unref(packed);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_encoding_is_passed_on_as_it_came),
        cmocka_unit_test(test_framed_snappy_labelled_snappy),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_wrong_requests),
        cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_empty_requests),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_metadata_and_headers),
        cmocka_unit_test(test_cors),
        cmocka_unit_test(test_late_result),
        cmocka_unit_test(test_result_after_the_end),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_same_port_twice),
    };

    return cmocka_run_group_tests_name("otlp_receiver", tests, NULL, NULL);
}
