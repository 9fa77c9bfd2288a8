/* TLS of the HTTP client against a real server. */
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
#include "http_post.h"
#include "http_test_server.h"
#include "otlp_client/tls_cases.h"

#define CALL_MS 20000

static struct pp_component owner = {.id = "otlp_http", .log_id = "exporter otlp_http"};

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
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tls_certs_free(&certs);
    return 0;
}

struct client {
    struct pp_http_client_config config;
    struct pp_otlp_url url;
    struct pp_client_tls *tls;
    struct pp_http_poster *poster;
};

static bool client_open(struct client *client, int port, struct pp_error *err)
{
    struct pp_http_post_options options = {
        .owner = &owner, .config = &client->config, .url = &client->url, .content_type = "x/y"};
    char endpoint[64];

    snprintf(endpoint, sizeof(endpoint), "https://127.0.0.1:%d", port);
    assert_true(pp_otlp_url_make(endpoint, NULL, client->config.tls.server_name_override,
                                 &client->url, err));
    client->tls = pp_client_tls_new(&client->config.tls, err);
    if (!client->tls) {
        return false;
    }
    options.tls = client->tls;
    client->poster = pp_http_poster_new(&options, err);
    return client->poster != NULL;
}

static void client_close(struct client *client)
{
    pp_http_poster_free(client->poster);
    pp_client_tls_free(client->tls);
    pp_otlp_url_done(&client->url);
}

static long post(struct client *client, struct pp_http_answer *answer)
{
    pp_http_post(client->poster, PP_STR("x"), pp_clock_mono_ms() + CALL_MS, answer);
    return answer->status;
}

static struct http_test_server *serve(const struct test_cert *cert, bool wants_client)
{
    struct http_test_server *server =
        http_test_server_new(cert->cert, cert->key, wants_client ? certs.ca.cert : NULL);

    http_test_server_answer(server, PP_STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 0);
    return server;
}

static void test_cases(void **state)
{
    (void)state;
    for (const struct tls_case *c = tls_cases; c->what; c++) {
        struct http_test_server *server =
            serve(c->named ? &certs.named : &certs.server, c->wants_client);
        struct client client = {
            .config = {PP_HTTP_CLIENT_DEFAULTS_BODY, .tls = tls_case_config(c, &certs)}};
        struct pp_http_answer answer;
        struct pp_error err;

        assert_true(client_open(&client, http_test_server_port(server), &err));
        if (post(&client, &answer) != (c->works ? 200 : 0)) {
            fail_msg("%s: %ld %s", c->what, answer.status, answer.message);
        }
        if (c->works && c->override) {
            assert_non_null(strstr(http_test_server_head(server), "Host: 127.0.0.1:"));
        }
        client_close(&client);
        http_test_server_free(server);
    }
}

/* A server that trusts only the first authority is reached as soon as the client's files have been
 * replaced. */
static void test_reload(void **state)
{
    struct http_test_server *server = serve(&certs.server, true);
    char dir[] = "/tmp/pp_tls_XXXXXX", cert[64], key[64];
    struct client client = {.config = {PP_HTTP_CLIENT_DEFAULTS_BODY}};
    struct test_cert stranger = {0};
    struct pp_http_answer answer = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    test_cert_make(&stranger, "DNS:stranger.test", &certs.other_ca);
    test_file_replace(cert, stranger.cert);
    test_file_replace(key, stranger.key);
    client.config.tls.common =
        (struct pp_tls_config){.ca_pem = certs.ca.cert,
                               .cert_file = cert,
                               .key_file = key,
                               .reload_interval = (int64_t)(50 * PP_NS_PER_MS)};
    assert_true(client_open(&client, http_test_server_port(server), NULL));
    assert_int_equal(post(&client, &answer), 0);
    test_file_replace(cert, certs.client.cert);
    test_file_replace(key, certs.client.key);
    for (int i = 0; i < 100 && answer.status != 200; i++) {
        usleep(50 * 1000);
        post(&client, &answer);
    }
    assert_int_equal(answer.status, 200);
    client_close(&client);
    http_test_server_free(server);
    test_cert_free(&stranger);
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

/* What has been replaced by rubbish is not used: the old certificates stay. */
static void test_reload_of_rubbish(void **state)
{
    struct http_test_server *server = serve(&certs.server, false);
    char dir[] = "/tmp/pp_tls_XXXXXX", ca[64];
    struct client client = {.config = {PP_HTTP_CLIENT_DEFAULTS_BODY, .disable_keep_alives = true}};
    struct pp_http_answer answer;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
    test_file_replace(ca, certs.ca.cert);
    client.config.tls.common = (struct pp_tls_config){.ca_file = ca, .reload_interval = 1};
    assert_true(client_open(&client, http_test_server_port(server), NULL));
    assert_int_equal(post(&client, &answer), 200);
    test_file_replace(ca, "rubbish");
    usleep(20 * 1000);
    assert_int_equal(post(&client, &answer), 200);
    test_file_replace(ca, certs.other_ca.cert); /* good, but not this server's */
    usleep(20 * 1000);
    assert_int_equal(post(&client, &answer), 0);
    client_close(&client);
    http_test_server_free(server);
    unlink(ca);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_reload_of_rubbish),
    };

    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    return cmocka_run_group_tests(tests, setup, teardown);
}
