#include "grpc_test_server.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#define TEXT_MAX 512
#define METADATA_MAX 32

struct pair {
    char key[64], value[TEXT_MAX];
};

struct test_server {
    grpc_server *core;
    grpc_completion_queue *queue;
    pthread_t thread;
    int port;
    pthread_mutex_t lock; /* for all below */
    struct test_answer answer;
    char method[TEXT_MAX];
    struct pair metadata[METADATA_MAX];
    size_t metadata_n;
    char *message;
    size_t message_n;
    bool gzip;
    unsigned calls;
    char *shown; /* the message that a test looks at; its thread's alone */
};

struct server_call {
    grpc_call *core;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *message;
};

static void copy_slice(char *out, size_t max, grpc_slice slice)
{
    snprintf(out, max, "%.*s", (int)GRPC_SLICE_LENGTH(slice),
             (const char *)GRPC_SLICE_START_PTR(slice));
}

static void wait_for(struct test_server *server, void *tag)
{
    grpc_event event;

    do {
        event =
            grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    } while (event.tag != tag && event.type != GRPC_QUEUE_SHUTDOWN);
}

static void keep(struct test_server *server, struct server_call *call)
{
    grpc_byte_buffer_reader reader;
    grpc_slice whole;

    pthread_mutex_lock(&server->lock);
    server->calls++;
    copy_slice(server->method, sizeof(server->method), call->details.method);
    server->metadata_n = 0;
    for (size_t i = 0; i < call->metadata.count && i < METADATA_MAX; i++) {
        struct pair *pair = &server->metadata[server->metadata_n++];

        copy_slice(pair->key, sizeof(pair->key), call->metadata.metadata[i].key);
        copy_slice(pair->value, sizeof(pair->value), call->metadata.metadata[i].value);
    }
    free(server->message);
    server->message = NULL;
    server->message_n = 0;
    if (call->message && grpc_byte_buffer_reader_init(&reader, call->message)) {
        whole = grpc_byte_buffer_reader_readall(&reader);
        server->message_n = GRPC_SLICE_LENGTH(whole);
        server->message = malloc(server->message_n + 1);
        memcpy(server->message, GRPC_SLICE_START_PTR(whole), server->message_n);
        server->gzip = call->message->data.raw.compression == GRPC_COMPRESS_GZIP;
        grpc_slice_unref(whole);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    pthread_mutex_unlock(&server->lock);
}

static void respond(struct test_server *server, struct server_call *call)
{
    struct test_answer answer;
    grpc_op ops[4] = {0};
    grpc_slice body, status = grpc_empty_slice();
    grpc_metadata trailer = {0};
    grpc_byte_buffer *buffer = NULL;
    size_t n = 0;
    int cancelled;

    pthread_mutex_lock(&server->lock);
    answer = server->answer;
    pthread_mutex_unlock(&server->lock);
    usleep((useconds_t)answer.delay_ms * 1000);
    ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (answer.code == 0 && !answer.no_body) {
        body = grpc_slice_from_copied_buffer(answer.body.p ? answer.body.p : "", answer.body.n);
        buffer = grpc_raw_compressed_byte_buffer_create(
            &body, 1, answer.body_gzip ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);
        grpc_slice_unref(body);
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n].flags = answer.body_gzip ? 0 : GRPC_WRITE_NO_COMPRESS;
        ops[n++].data.send_message.send_message = buffer;
    }
    ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[n].data.send_status_from_server.status = (grpc_status_code)answer.code;
    if (answer.message) {
        status = grpc_slice_from_copied_string(answer.message);
        ops[n].data.send_status_from_server.status_details = &status;
    }
    if (answer.details_bin.n) {
        trailer.key = grpc_slice_from_static_string("grpc-status-details-bin");
        trailer.value = grpc_slice_from_copied_buffer(answer.details_bin.p, answer.details_bin.n);
        ops[n].data.send_status_from_server.trailing_metadata = &trailer;
        ops[n].data.send_status_from_server.trailing_metadata_count = 1;
    }
    n++;
    ops[n].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[n++].data.recv_close_on_server.cancelled = &cancelled;
    if (grpc_call_start_batch(call->core, ops, n, ops, NULL) == GRPC_CALL_OK) {
        wait_for(server, ops);
    }
    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(status);
    if (answer.details_bin.n) {
        grpc_slice_unref(trailer.value);
    }
}

static void serve(struct test_server *server, struct server_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->message};

    if (grpc_call_start_batch(call->core, &op, 1, &op, NULL) == GRPC_CALL_OK) {
        wait_for(server, &op);
    }
    keep(server, call);
    respond(server, call);
    grpc_byte_buffer_destroy(call->message);
}

static void *server_main(void *server_)
{
    struct test_server *server = server_;
    grpc_event event;

    do {
        struct server_call call = {0};

        grpc_call_details_init(&call.details);
        grpc_metadata_array_init(&call.metadata);
        event.success = 0;
        if (grpc_server_request_call(server->core, &call.core, &call.details, &call.metadata,
                                     server->queue, server->queue, &call) == GRPC_CALL_OK) {
            event = grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                               NULL);
            if (event.tag == &call && event.success) {
                serve(server, &call);
                grpc_call_unref(call.core);
            }
        }
        grpc_call_details_destroy(&call.details);
        grpc_metadata_array_destroy(&call.metadata);
    } while (event.success);
    return NULL;
}

static grpc_server_credentials *credentials(const char *cert, const char *key,
                                            const char *client_ca)
{
    grpc_ssl_pem_key_cert_pair pair = {.private_key = key, .cert_chain = cert};

    if (!cert) {
        return grpc_insecure_server_credentials_create();
    }
    return grpc_ssl_server_credentials_create_ex(
        client_ca, &pair, 1,
        client_ca ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                  : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
        NULL);
}

struct test_server *test_server_new(int port, const char *cert, const char *key,
                                    const char *client_ca)
{
    struct test_server *server = calloc(1, sizeof(*server));
    grpc_arg arg[] = {
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION,
         .value.integer = 0},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_ALLOW_REUSEPORT, .value.integer = 0},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
         .value.integer = -1},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM,
         .value.integer = GRPC_COMPRESS_GZIP},
    };
    grpc_channel_args args = {4, arg};
    grpc_server_credentials *creds = credentials(cert, key, client_ca);
    char address[64];

    pthread_mutex_init(&server->lock, NULL);
    server->core = grpc_server_create(&args, NULL);
    server->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server->core, server->queue, NULL);
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    server->port = grpc_server_add_http2_port(server->core, address, creds);
    grpc_server_credentials_release(creds);
    assert(server->port > 0);
    grpc_server_start(server->core);
    pthread_create(&server->thread, NULL, server_main, server);
    return server;
}

void test_server_free(struct test_server *server)
{
    grpc_completion_queue *stop = grpc_completion_queue_create_for_pluck(NULL);

    grpc_server_shutdown_and_notify(server->core, stop, server);
    grpc_server_cancel_all_calls(server->core);
    grpc_completion_queue_pluck(stop, server, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    pthread_join(server->thread, NULL);
    grpc_completion_queue_shutdown(stop);
    grpc_completion_queue_destroy(stop);
    grpc_completion_queue_shutdown(server->queue);
    while (
        grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
        GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_server_destroy(server->core);
    grpc_completion_queue_destroy(server->queue);
    pthread_mutex_destroy(&server->lock);
    free(server->message);
    free(server->shown);
    free(server);
}

int test_server_port(const struct test_server *server)
{
    return server->port;
}

void test_server_answer(struct test_server *server, const struct test_answer *answer)
{
    pthread_mutex_lock(&server->lock);
    server->answer = *answer;
    pthread_mutex_unlock(&server->lock);
}

/* The locks below order these reads behind the server's thread; nothing changes between two calls.
 */
const char *test_server_method(struct test_server *server)
{
    pthread_mutex_lock(&server->lock);
    pthread_mutex_unlock(&server->lock);
    return server->method;
}

const char *test_server_metadata(struct test_server *server, const char *key)
{
    const char *value = "";

    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->metadata_n; i++) {
        if (strcmp(server->metadata[i].key, key) == 0) {
            value = server->metadata[i].value;
        }
    }
    pthread_mutex_unlock(&server->lock);
    return value;
}

struct pp_str test_server_message(struct test_server *server, bool *ret_gzip)
{
    struct pp_str message;

    pthread_mutex_lock(&server->lock);
    *ret_gzip = server->gzip;
    free(server->shown);
    server->shown = server->message;
    message = (struct pp_str){server->shown, server->message_n};
    server->message = NULL;
    server->message_n = 0;
    pthread_mutex_unlock(&server->lock);
    return message;
}

unsigned test_server_calls(struct test_server *server)
{
    unsigned calls;

    pthread_mutex_lock(&server->lock);
    calls = server->calls;
    pthread_mutex_unlock(&server->lock);
    return calls;
}
