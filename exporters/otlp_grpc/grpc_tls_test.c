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
#include "grpc_test_caller.h"
#include "grpc_test_server.h"
#include "otlp_client/tls_cases.h"

static struct tls_certs certs;

static int setup(void **state)
{
    (void)state;
    tls_certs_make(&certs);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tls_certs_free(&certs);
    return 0;
}

static int call_once(struct pp_grpc_client_config *config, int port, char message[PP_ANSWER_TEXT_MAX])
{
    const struct pp_grpc_answer *answer;
    struct caller caller;
    char endpoint[64];
    int code;

    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", port);
    config->endpoint = endpoint;
    caller_open(&caller, config, PP_ENCODING_IDENTITY);
    answer = caller_call(&caller, PP_STR("x"), false, CALL_MS);
    code = answer->code;
    memcpy(message, answer->message, PP_ANSWER_TEXT_MAX);
    caller_close(&caller);
    return code;
}

static void check_case(const struct tls_case *c)
{
    const struct test_cert *cert = c->named ? &certs.named : &certs.server;
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    struct test_server *server =
        test_server_new(0, cert->cert, cert->key, c->wants_client ? certs.ca.cert : NULL);
    char message[PP_ANSWER_TEXT_MAX];
    int code;

    config.tls = tls_case_config(c, &certs);
    code = call_once(&config, test_server_port(server), message);
    if (code != (c->works ? PP_STATUS_OK : PP_STATUS_UNAVAILABLE)) {
        fail_msg("%s: %d %s", c->what, code, message);
    }
    test_server_free(server);
}

static void test_cases(void **state)
{
    (void)state;
    for (const struct tls_case *c = tls_cases; c->what; c++) {
        check_case(c);
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
    char dir[] = "/tmp/pp_tls_XXXXXX", cert[64], key[64], endpoint[64];
    struct test_cert stranger = {0};
    struct caller caller;
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
    caller_open(&caller, &config, PP_ENCODING_IDENTITY);
    assert_int_equal(caller_call(&caller, PP_STR("x"), false, CALL_MS)->code, PP_STATUS_UNAVAILABLE);
    test_file_replace(cert, certs.client.cert);
    test_file_replace(key, certs.client.key);
    for (int i = 0; i < 100 && code != PP_STATUS_OK; i++) {
        usleep(50 * 1000);
        code = caller_call(&caller, PP_STR("x"), false, CALL_MS)->code;
    }
    assert_int_equal(code, PP_STATUS_OK);
    caller_close(&caller);
    test_server_free(server);
    test_cert_free(&stranger);
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

/* Versions, ciphers and curves. */
static void test_versions(void **state)
{
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    const struct test_server_options old = {.cert = certs.server.cert, .key = certs.server.key, .tls_versions_max = "1.2"};
    struct test_server *server = test_server_new_with(&old);
    const char *suites[] = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"};
    const char *curves[] = {"P256"};
    char message[PP_ANSWER_TEXT_MAX];

    (void)state;
    config.tls.common = (struct pp_tls_config){.ca_pem = certs.ca.cert};
    assert_int_equal(call_once(&config, test_server_port(server), message), 0);
    config.tls.common.cipher_suites = (struct pp_string_list){suites, 2};
    config.tls.common.curve_preferences = (struct pp_string_list){curves, 1};
    assert_int_equal(call_once(&config, test_server_port(server), message), 0);
    config.tls.common.min_version = PP_TLS_1_3;
    assert_int_equal(call_once(&config, test_server_port(server), message), PP_STATUS_UNAVAILABLE);
    assert_non_null(strstr(message, "TLS handshake failed"));
    test_server_free(server);
}

/* Many records, whose writes are cut anywhere. */
static void test_large_message(void **state)
{
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    struct test_server *server = test_server_new(0, certs.server.cert, certs.server.key, NULL);
    struct pp_bytes *bytes = pp_bytes_new(20u << 20);
    struct caller caller;
    char endpoint[64];
    bool compressed;

    (void)state;
    for (size_t i = 0; i < bytes->len; i++) {
        bytes->data[i] = (char)(i * 11 + i / 1000);
    }
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", test_server_port(server));
    config.endpoint = endpoint;
    config.tls.common.ca_pem = certs.ca.cert;
    caller_open(&caller, &config, PP_ENCODING_IDENTITY);
    assert_int_equal(caller_call(&caller, pp_bytes_str(bytes), false, CALL_MS)->code, 0);
    assert_true(pp_str_eq(test_server_message(server, &compressed), pp_bytes_str(bytes)));
    assert_string_equal(test_server_metadata(server, ":scheme"), "https");
    caller_close(&caller);
    test_server_free(server);
    pp_bytes_unref(bytes);
}

static void test_bad_files(void **state)
{
    struct pp_grpc_client_config config = PP_GRPC_CLIENT_DEFAULTS;
    struct pp_error err;

    (void)state;
    config.endpoint = "127.0.0.1:1";
    config.tls.common.ca_file = "/does/not/exist.pem";
    assert_null(pp_grpc_client_new("x", &config, PP_ENCODING_IDENTITY, &err));
    assert_non_null(strstr(err.message, "/does/not/exist.pem"));
    config.tls.common = (struct pp_tls_config){
        .ca_pem = certs.ca.cert, .cert_pem = certs.client.cert, .key_pem = certs.server.key};
    assert_null(pp_grpc_client_new("x", &config, PP_ENCODING_IDENTITY, &err)); /* a key of another certificate */
    config.tls.common = (struct pp_tls_config){.ca_pem = "not a certificate"};
    assert_null(pp_grpc_client_new("x", &config, PP_ENCODING_IDENTITY, &err));
    config.tls.common =
        (struct pp_tls_config){.ca_file = "/proc/self/cmdline"}; /* readable, and no certificate */
    assert_null(pp_grpc_client_new("x", &config, PP_ENCODING_IDENTITY, &err));
    assert_non_null(strstr(err.message, "/proc/self/cmdline"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_plaintext_server),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_large_message),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_bad_files),
    };

    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    return cmocka_run_group_tests(tests, setup, teardown);
}
