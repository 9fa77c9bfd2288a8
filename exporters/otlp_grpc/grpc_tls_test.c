/* TLS of the gRPC client against a real server. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "grpc_client.h"
#include "grpc_h2_client.h"
#include "grpc_library.h"
#include "grpc_test_server.h"
#include "otlp_client/tls_cases.h"

#define CALL_MS 20000

static struct pp_component owner = {.id = "otlp_grpc", .log_id = "exporter otlp_grpc"};

/* The exporter base's: this test drives the client alone. */
uint64_t pp_exporter_deadline(struct pp_component *self, uint64_t deadline_mono_ms);
uint64_t pp_exporter_deadline(struct pp_component *self, uint64_t deadline_mono_ms)
{
    (void)self;
    return deadline_mono_ms;
}

static struct tls_certs certs;

static int setup(void **state)
{
    (void)state;
    tls_certs_make(&certs);
    pp_grpc_library_ref();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pp_grpc_library_unref();
    tls_certs_free(&certs);
    return 0;
}

/* Either client, behind one door. */
struct client {
    struct pp_grpc_client *core;
    struct pp_grpc_h2_client *h2;
};

static bool client_open(struct client *client, const struct pp_grpc_client_config *config, bool h2,
                        struct pp_error *err)
{
    *client = (struct client){0};
    if (h2) {
        client->h2 = pp_grpc_h2_client_new(&owner, config, PP_ENCODING_ZSTD, err);
    } else {
        client->core = pp_grpc_client_new(&owner, config, err);
    }
    return client->core || client->h2;
}

static void client_close(struct client *client)
{
    pp_grpc_client_free(client->core);
    pp_grpc_h2_client_free(client->h2);
}

/* One call on a new connection (h2) or the channel's (core). */
static int call(const struct client *client, char message[PP_ANSWER_TEXT_MAX])
{
    struct pp_bytes *bytes = pp_bytes_copy(PP_STR("x"));
    uint64_t deadline = pp_clock_mono_ms() + CALL_MS;
    struct pp_grpc_answer answer;

    if (client->h2) {
        struct pp_grpc_h2_worker *worker = pp_grpc_h2_worker_new(client->h2, NULL);

        pp_grpc_h2_call(worker, bytes, deadline, &answer);
        pp_grpc_h2_worker_free(worker);
    } else {
        struct pp_grpc_worker *worker = pp_grpc_worker_new(client->core, NULL);

        pp_grpc_call(worker, bytes, false, deadline, &answer);
        pp_grpc_worker_free(worker);
    }
    pp_bytes_unref(bytes);
    memcpy(message, answer.message, PP_ANSWER_TEXT_MAX);
    return answer.code;
}

static int call_once(struct pp_grpc_client_config *config, bool h2, int port,
                     char message[PP_ANSWER_TEXT_MAX])
{
    struct client client;
    struct pp_error err = {0};
    char endpoint[64];
    int code;

    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", port);
    config->endpoint = endpoint;
    if (!client_open(&client, config, h2, &err)) {
        fail_msg("%s", err.message);
    }
    code = call(&client, message);
    client_close(&client);
    return code;
}

static void check_case(const struct tls_case *c, bool h2)
{
    const struct test_cert *cert = c->named ? &certs.named : &certs.server;
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    struct test_server *server =
        test_server_new(0, cert->cert, cert->key, c->wants_client ? certs.ca.cert : NULL);
    char message[PP_ANSWER_TEXT_MAX];
    int code;

    config.tls = tls_case_config(c, &certs);
    code = call_once(&config, h2, test_server_port(server), message);
    if (code != (c->works ? PP_STATUS_OK : PP_STATUS_UNAVAILABLE)) {
        fail_msg("%s: %s: %d %s", c->what, h2 ? "h2" : "grpc core", code, message);
    }
    test_server_free(server);
}

static void test_cases(void **state)
{
    (void)state;
    for (const struct tls_case *c = tls_cases; c->what; c++) {
        check_case(c, false);
        check_case(c, true);
    }
}

static void test_plaintext_server(void **state)
{
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    struct test_server *server = test_server_new(0, NULL, NULL, NULL);
    char message[PP_ANSWER_TEXT_MAX];

    (void)state;
    assert_int_equal(call_once(&config, false, test_server_port(server), message),
                     PP_STATUS_UNAVAILABLE);
    assert_int_equal(call_once(&config, true, test_server_port(server), message),
                     PP_STATUS_UNAVAILABLE);
    assert_int_equal(test_server_calls(server), 0);
    test_server_free(server);
}

/* A server that trusts only the first authority is reached as soon as the client's files have been
 * replaced. */
static void check_reload(bool h2)
{
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    struct test_server *server =
        test_server_new(0, certs.server.cert, certs.server.key, certs.ca.cert);
    char dir[] = "/tmp/pp_tls_XXXXXX", cert[64], key[64], endpoint[64], message[PP_ANSWER_TEXT_MAX];
    struct test_cert stranger = {0};
    struct client client;
    int code = -1;

    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    test_cert_make(&stranger, "DNS:stranger.test", &certs.other_ca);
    test_file_replace(cert, stranger.cert);
    test_file_replace(key, stranger.key);
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", test_server_port(server));
    config.endpoint = endpoint;
    config.tls.common = (struct pp_tls_config){.ca_pem = certs.ca.cert,
                                               .cert_file = cert,
                                               .key_file = key,
                                               .reload_interval = (int64_t)(50 * PP_NS_PER_MS)};
    assert_true(client_open(&client, &config, h2, NULL));
    assert_int_equal(call(&client, message), PP_STATUS_UNAVAILABLE);
    test_file_replace(cert, certs.client.cert);
    test_file_replace(key, certs.client.key);
    for (int i = 0; i < 100 && code != PP_STATUS_OK; i++) {
        usleep(50 * 1000);
        code = call(&client, message);
    }
    assert_int_equal(code, PP_STATUS_OK);
    client_close(&client);
    test_server_free(server);
    test_cert_free(&stranger);
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

static void test_reload(void **state)
{
    (void)state;
    check_reload(false);
    check_reload(true);
}

static void test_bad_files(void **state)
{
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    struct pp_error err;

    (void)state;
    config.endpoint = "127.0.0.1:1";
    config.tls.common.ca_file = "/does/not/exist.pem";
    assert_null(pp_grpc_client_new(&owner, &config, &err));
    assert_non_null(strstr(err.message, "/does/not/exist.pem"));
    config.tls.common = (struct pp_tls_config){
        .ca_pem = certs.ca.cert, .cert_pem = certs.client.cert, .key_pem = certs.server.key};
    assert_null(pp_grpc_client_new(&owner, &config, &err)); /* a key of another certificate */
    config.tls.common = (struct pp_tls_config){.ca_pem = "not a certificate"};
    assert_null(pp_grpc_client_new(&owner, &config, &err));
    config.tls.common =
        (struct pp_tls_config){.ca_file = "/proc/self/cmdline"}; /* readable, and no certificate */
    assert_null(pp_grpc_client_new(&owner, &config, &err));
    assert_non_null(strstr(err.message, "/proc/self/cmdline"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_plaintext_server),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_bad_files),
    };

    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    return cmocka_run_group_tests(tests, setup, teardown);
}
