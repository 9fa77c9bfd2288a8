/* TLS of the gRPC client against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "grpc_client.h"
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

static int call(struct pp_grpc_client *client, char message[PP_ANSWER_TEXT_MAX])
{
    struct pp_grpc_worker *worker = pp_grpc_worker_new(client, NULL);
    struct pp_bytes *bytes = pp_bytes_copy(PP_STR("x"));
    struct pp_grpc_answer answer;

    pp_grpc_call(worker, bytes, false, pp_clock_mono_ms() + CALL_MS, &answer);
    pp_bytes_unref(bytes);
    pp_grpc_worker_free(worker);
    memcpy(message, answer.message, PP_ANSWER_TEXT_MAX);
    return answer.code;
}

static int call_once(struct pp_grpc_client_config *config, int port,
                     char message[PP_ANSWER_TEXT_MAX])
{
    struct pp_grpc_client *client;
    struct pp_error err = {0};
    char endpoint[64];
    int code;

    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", port);
    config->endpoint = endpoint;
    client = pp_grpc_client_new(&owner, config, &err);
    if (!client) {
        fail_msg("%s", err.message);
    }
    code = call(client, message);
    pp_grpc_client_free(client);
    return code;
}

static void test_cases(void **state)
{
    char message[PP_ANSWER_TEXT_MAX];

    (void)state;
    for (const struct tls_case *c = tls_cases; c->what; c++) {
        const struct test_cert *cert = c->named ? &certs.named : &certs.server;
        struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
        struct test_server *server =
            test_server_new(0, cert->cert, cert->key, c->wants_client ? certs.ca.cert : NULL);
        int code;

        config.tls = tls_case_config(c, &certs);
        code = call_once(&config, test_server_port(server), message);
        if (code != (c->works ? PP_STATUS_OK : PP_STATUS_UNAVAILABLE)) {
            fail_msg("%s: %d %s", c->what, code, message);
        }
        test_server_free(server);
    }
}

static void test_plaintext_server(void **state)
{
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    struct test_server *server = test_server_new(0, NULL, NULL, NULL);
    char message[PP_ANSWER_TEXT_MAX];

    (void)state;
    assert_int_equal(call_once(&config, test_server_port(server), message), PP_STATUS_UNAVAILABLE);
    assert_int_equal(test_server_calls(server), 0);
    test_server_free(server);
}

/* A server that trusts only the first authority is reached as soon as the client's files have been
 * replaced. */
static void test_reload(void **state)
{
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    struct test_server *server =
        test_server_new(0, certs.server.cert, certs.server.key, certs.ca.cert);
    char dir[] = "/tmp/pp_tls_XXXXXX", cert[64], key[64], endpoint[64], message[PP_ANSWER_TEXT_MAX];
    struct test_cert stranger = {0};
    struct pp_grpc_client *client;
    int code = -1;

    (void)state;
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
    client = pp_grpc_client_new(&owner, &config, NULL);
    assert_non_null(client);
    assert_int_equal(call(client, message), PP_STATUS_UNAVAILABLE);
    test_file_replace(cert, certs.client.cert);
    test_file_replace(key, certs.client.key);
    for (int i = 0; i < 100 && code != PP_STATUS_OK; i++) {
        usleep(50 * 1000);
        code = call(client, message);
    }
    assert_int_equal(code, PP_STATUS_OK);
    pp_grpc_client_free(client);
    test_server_free(server);
    test_cert_free(&stranger);
    unlink(cert);
    unlink(key);
    rmdir(dir);
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

    return cmocka_run_group_tests(tests, setup, teardown);
}
