#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/test_server.h"
#include "net/tls.h"

#define CURL "curl -sS --max-time 10 --noproxy '*' "
#define PATH_MAX_HERE 128

/* A folder with an authority, a server's certificate for localhost and 127.0.0.1, two clients', and another authority. */
static char folder[] = "/tmp/profpipe-tls-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[8][PATH_MAX_HERE];
    static unsigned turn;
    char *path = paths[turn++ % 8];

    snprintf(path, PATH_MAX_HERE, "%s/%s", folder, name);
    return path;
}

static void make_authority(const char *name)
{
    free(test_run(0, "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=%s' "
                     "-keyout %s.key -out %s.pem 2>&1",
                  folder, name, name, name));
}

static void make_certificate(const char *authority, const char *name, const char *subject)
{
    free(test_run(0,
                  "cd %s && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '%s' -keyout %s.key -out %s.csr 2>&1 && "
                  "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > %s.ext && openssl x509 -req -in %s.csr -CA %s.pem -CAkey %s.key "
                  "-CAcreateserial -days 2 -extfile %s.ext -out %s.pem 2>&1",
                  folder, subject, name, name, name, name, authority, authority, name, name));
}

static int make_folder(void **state)
{
    FILE *f;

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    make_authority("ca");
    make_authority("other");
    make_certificate("ca", "server", "/CN=server one");
    make_certificate("ca", "second", "/CN=server two");
    make_certificate("ca", "client", "/O=Acme/CN=client");
    make_certificate("other", "stranger", "/CN=stranger");
    f = fopen(in_folder("empty.pem"), "w");
    return f ? fclose(f) : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    free(test_run(0, "rm -r %s", folder));
    return 0;
}

static struct pp_tls_options server_options(void)
{
    return (struct pp_tls_options){.cert = {.file = in_folder("server.pem")}, .key = {.file = in_folder("server.key")}};
}

static void start(struct test_server *t, const struct pp_tls_options *options)
{
    struct pp_error err = {0};

    test_server_init(t, 1);
    t->options.tls = pp_tls_server_new(options, &err);
    if (!t->options.tls)
        fail_msg("%s", err.message);
    test_server_start(t);
}

static void stop(struct test_server *t)
{
    test_server_stop(t);
    pp_tls_server_free(t->options.tls);
}

static void check(char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%.1000s", part, text);
    free(text);
}

static void test_both_versions(void **state)
{
    struct pp_tls_options options = server_options();
    struct test_server t;

    (void)state;
    start(&t, &options);
    check(test_run(0, CURL "-i --cacert %s/ca.pem --http2 -d hello https://localhost:%u/echo", folder, t.port), "POST v20");
    check(test_run(0, CURL "-i --cacert %s/ca.pem --http2 -d hello https://127.0.0.1:%u/echo", folder, t.port), "tls=1");
    check(test_run(0, CURL "-i --cacert %s/ca.pem --http1.1 -d hello https://localhost:%u/echo", folder, t.port), "POST v11");
    check(test_run(0, CURL "-i --cacert %s/ca.pem --no-alpn -d hello https://localhost:%u/echo", folder, t.port), "POST v11");
    for (int version = 1; version <= 2; version++)
        check(test_run(0,
                       "cd %s && head -c 5000000 /dev/urandom > big && " CURL
                       "--cacert ca.pem %s --data-binary @big https://localhost:%u/echo -o back && cmp big back && echo same",
                       folder, version == 1 ? "--http1.1" : "--http2", t.port),
              "same");
    free(test_run(60, CURL "--cacert %s/other.pem https://localhost:%u/echo 2>&1", folder, t.port));
    free(test_run(0, CURL "--max-time 5 -d x http://127.0.0.1:%u/echo 2>&1 || true", t.port)); /* clear text: refused, not hung */
    check(test_run(0, CURL "-i --cacert %s/ca.pem https://localhost:%u/nope", folder, t.port), "404");
    stop(&t);
}

static void test_versions_and_suites(void **state)
{
    static const char *const suites[] = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"};
    static const char *const curves[] = {"X25519MLKEM768", "P256"};
    struct pp_tls_options options = server_options();
    struct test_server t;

    (void)state;
    start(&t, &options); /* 1.2 is the least without being told */
    free(test_run(35, CURL "--cacert %s/ca.pem --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 --tlsv1.0 https://localhost:%u/ 2>&1", folder, t.port));
    check(test_run(0, CURL "-v --cacert %s/ca.pem --tls-max 1.2 https://localhost:%u/ 2>&1", folder, t.port), "TLSv1.2");
    stop(&t);
    options.min_version = "1.3";
    start(&t, &options);
    free(test_run(35, CURL "--cacert %s/ca.pem --tls-max 1.2 https://localhost:%u/ 2>&1", folder, t.port));
    check(test_run(0, CURL "-v --cacert %s/ca.pem https://localhost:%u/ 2>&1", folder, t.port), "TLSv1.3");
    stop(&t);
    options.min_version = NULL;
    options.max_version = "1.2";
    options.cipher_suites = suites;
    options.cipher_suites_n = 2;
    options.curves = curves;
    options.curves_n = 2;
    start(&t, &options);
    check(test_run(0, CURL "-v --cacert %s/ca.pem https://localhost:%u/ 2>&1", folder, t.port), "ECDHE-ECDSA-AES128-GCM-SHA256");
    free(test_run(35, CURL "--cacert %s/ca.pem --ciphers ECDHE-ECDSA-AES256-GCM-SHA384 https://localhost:%u/ 2>&1", folder, t.port));
    stop(&t);
}

static void test_client_certificates(void **state)
{
    struct pp_tls_options options = server_options();
    struct test_server t;

    (void)state;
    options.client_ca.file = in_folder("ca.pem");
    start(&t, &options);
    check(test_run(0, CURL "-i --cacert %s/ca.pem --cert %s/client.pem --key %s/client.key -d x https://localhost:%u/echo", folder, folder, folder, t.port),
          "cn=CN=client,O=Acme");
    check(test_run(0, CURL "--cacert %s/ca.pem -d x https://localhost:%u/echo >/dev/null 2>&1 || echo refused", folder, t.port), "refused");
    check(test_run(0, CURL "--cacert %s/ca.pem --cert %s/stranger.pem --key %s/stranger.key -d x https://localhost:%u/echo >/dev/null 2>&1 || echo refused",
                   folder, folder, folder, t.port),
          "refused");
    assert_int_equal(atomic_load(&t.requests_seen), 1);
    stop(&t);
}

static char *served_subject(const struct test_server *t)
{
    return test_run(0, CURL "-v --cacert %s/ca.pem https://localhost:%u/ 2>&1 | grep subject:", folder, t->port);
}

/* New files are served to new connections; bad ones are reported and the old certificate goes on. */
static void test_reload(void **state)
{
    struct pp_tls_options options = server_options();
    struct test_server t;
    struct pp_error warning = {0};
    SSL_CTX *context;

    (void)state;
    free(test_run(0, "cd %s && cp server.pem live.pem && cp server.key live.key", folder));
    options.cert.file = in_folder("live.pem");
    options.key.file = in_folder("live.key");
    options.reload_interval_ms = 1;
    start(&t, &options);
    check(served_subject(&t), "server one");
    free(test_run(0, "cd %s && cp second.pem live.pem && cp second.key live.key", folder));
    check(served_subject(&t), "server two");
    free(test_run(0, "cd %s && cp empty.pem live.pem", folder));
    check(served_subject(&t), "server two");
    usleep(5000);
    context = pp_tls_server_context(t.options.tls, &warning);
    assert_non_null(context);
    SSL_CTX_free(context);
    assert_non_null(strstr(warning.message, "live.pem"));
    stop(&t);
}

static void test_client_ca_reload(void **state)
{
    struct pp_tls_options options = server_options();
    struct test_server t;

    (void)state;
    free(test_run(0, "cd %s && cp other.pem clients.pem", folder));
    options.client_ca.file = in_folder("clients.pem");
    options.client_ca_reload = true;
    start(&t, &options);
    check(test_run(0, CURL "--cacert %s/ca.pem --cert %s/client.pem --key %s/client.key -d x https://localhost:%u/echo >/dev/null 2>&1 || echo refused", folder,
                   folder, folder, t.port),
          "refused");
    usleep(1100 * 1000); /* looked at once a second at most */
    free(test_run(0, "cd %s && cp ca.pem clients.new && mv clients.new clients.pem", folder));
    check(test_run(0, CURL "-i --cacert %s/ca.pem --cert %s/client.pem --key %s/client.key -d x https://localhost:%u/echo", folder, folder, folder, t.port),
          "200");
    stop(&t);
}

static void test_inline_pem(void **state)
{
    char *cert = test_run(0, "cat %s/server.pem", folder), *key = test_run(0, "cat %s/server.key", folder);
    struct pp_tls_options options = {.cert = {.pem = cert}, .key = {.pem = key}};
    struct test_server t;

    (void)state;
    start(&t, &options);
    check(test_run(0, CURL "-i --cacert %s/ca.pem https://localhost:%u/nope", folder, t.port), "404");
    stop(&t);
    free(cert);
    free(key);
}

static void test_bad_settings(void **state)
{
    static const char *const unknown[] = {"TLS_NONSENSE"}, *const mlkem[] = {"X25519MLKEM768"}, *const curve[] = {"P255"};
    const char *good_cert = in_folder("server.pem"), *good_key = in_folder("server.key");
    const struct {
        struct pp_tls_options options;
        enum pp_error_kind kind;
        const char *part;
    } cases[] = {
        {{.reload_interval_ms = 0}, PP_ERR_CONFIG, "needs a certificate"},
        {{.cert = {.file = good_cert}}, PP_ERR_CONFIG, "come together"},
        {{.cert = {.file = "/nonexistent.pem"}, .key = {.file = good_key}}, PP_ERR_IO, "/nonexistent.pem: No such file"},
        {{.cert = {.file = in_folder("empty.pem")}, .key = {.file = good_key}}, PP_ERR_CONFIG, "empty.pem holds no usable"},
        {{.cert = {.file = good_cert}, .key = {.file = in_folder("empty.pem")}}, PP_ERR_CONFIG, "empty.pem holds no usable"},
        {{.cert = {.file = good_cert}, .key = {.file = in_folder("second.key")}}, PP_ERR_CONFIG, "does not belong to"},
        {{.cert = {.file = good_cert}, .key = {.file = folder}}, PP_ERR_IO, folder},
        {{.cert = {.file = good_cert}, .key = {.file = good_key}, .client_ca = {.file = "/none.pem"}}, PP_ERR_IO, "/none.pem"},
        {{.cert = {.file = good_cert}, .key = {.file = good_key}, .min_version = "1.4"}, PP_ERR_CONFIG, "min_version \"1.4\""},
        {{.cert = {.file = good_cert}, .key = {.file = good_key}, .cipher_suites = unknown, .cipher_suites_n = 1}, PP_ERR_CONFIG, "TLS_NONSENSE"},
        {{.cert = {.file = good_cert}, .key = {.file = good_key}, .curves = curve, .curves_n = 1}, PP_ERR_CONFIG, "P255"},
        {{.cert = {.file = good_cert}, .key = {.file = good_key}, .curves = mlkem, .curves_n = 1}, PP_ERR_CONFIG, "none of the curves"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pp_error err = {0};

        assert_null(pp_tls_server_new(&cases[i].options, &err));
        assert_int_equal(err.kind, cases[i].kind);
        if (!strstr(err.message, cases[i].part))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].part, err.message);
    }
}

static void test_client_context(void **state)
{
    struct pp_tls_options options = {.ca.file = in_folder("ca.pem")};
    struct pp_error err = {0};
    struct pp_tls_client *client = pp_tls_client_new(&options, &err);
    SSL_CTX *context;

    (void)state;
    assert_non_null(client);
    context = pp_tls_client_context(client, NULL);
    assert_int_equal(SSL_CTX_get_verify_mode(context), SSL_VERIFY_PEER);
    SSL_CTX_free(context);
    pp_tls_client_free(client);
    options = (struct pp_tls_options){.ca.file = "/none.pem"};
    assert_null(pp_tls_client_new(&options, &err));
    assert_non_null(strstr(err.message, "/none.pem"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_versions), cmocka_unit_test(test_versions_and_suites), cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_reload),        cmocka_unit_test(test_client_ca_reload),    cmocka_unit_test(test_inline_pem),
        cmocka_unit_test(test_bad_settings),  cmocka_unit_test(test_client_context),
    };

    return cmocka_run_group_tests_name("tls", tests, make_folder, remove_folder);
}
