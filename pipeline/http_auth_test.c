/* A server's `auth` block: what an extension says becomes an answer, or lets the request in with what is known of its sender. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "net/test_server.h"
#include "pipeline/http_auth.h"
#include "pipeline/instance.h"
#include "pipeline/run.h"

#define LATER_US 50000u

static struct pp_http_auth auth;

static enum pp_auth_outcome decide(struct pp_auth_check *check, struct pp_str user)
{
    struct pp_http_header *attributes = pp_arena_array(&check->request->arena, 1, sizeof(*attributes));

    assert_non_null(attributes);
    attributes[0] = (struct pp_http_header){PP_STR("username"), user};
    check->attributes = attributes;
    check->attributes_n = 1;
    check->why = "not you";
    if (pp_str_starts(user, "busy"))
        return check->outcome = PP_AUTH_BUSY;
    return check->outcome = pp_str_starts(user, "no") ? PP_AUTH_REFUSED : PP_AUTH_ADMITTED;
}

static void *decide_later(void *arg)
{
    struct pp_auth_check *check = arg;

    usleep(LATER_US);
    decide(check, pp_auth_credential(check, "x-user"));
    check->decided(check);
    return NULL;
}

/* By the x-user header: "no...", "busy...", others are let in; what ends in "later" is decided by a thread. */
static enum pp_auth_outcome check_user(struct pp_component *self, struct pp_auth_check *check)
{
    struct pp_str user = pp_auth_credential(check, "X-User");
    pthread_t thread;

    (void)self;
    if (user.n < 5 || memcmp(user.p + user.n - 5, "later", 5) != 0)
        return decide(check, user);
    if (pthread_create(&thread, NULL, decide_later, check) != 0)
        abort();
    pthread_detach(thread);
    return PP_AUTH_PENDING;
}

static struct pp_server_auth extension_auth = {NULL, "Test realm=\"t\"", check_user};

static void *interface(struct pp_component *self, enum pp_capability capability)
{
    (void)self;
    return capability == PP_OFFERS_SERVER_AUTH ? &extension_auth : NULL;
}

static const struct pp_factory factory = {PP_FACTORY_DEFAULTS, .kind = PP_EXTENSION, .type = "x", .interface = interface};

static enum pp_http_admission authenticate(void *context, struct pp_http_request *request)
{
    (void)context;
    return pp_http_auth_check(&auth, request);
}

/* Tells who is in. */
static void on_request(void *context, struct pp_http_request *request)
{
    struct pp_http_response response = {.status = 200};

    (void)context;
    response.body = pp_bytes_copy(request->auth_n ? request->auth[0].value : PP_STR("nobody"));
    pp_http_respond(request, &response);
}

struct fixture {
    struct test_server server;
    struct pp_service *service;
    struct pp_component extension, self;
    struct pp_instance_use use;
    struct pp_instance instance;
};

static void open_fixture(struct fixture *f, const struct pp_auth_config *config)
{
    struct pp_service_options options = {.loops_n = 1};
    struct pp_error err = {0};

    memset(f, 0, sizeof(*f));
    assert_true(pp_service_new(&options, &f->service, &err));
    f->extension.factory = &factory;
    f->use = (struct pp_instance_use){"x", &f->extension};
    f->instance.uses = &f->use;
    f->instance.uses_n = 1;
    f->self = (struct pp_component){.id = "server", .instance = &f->instance, .service = f->service};
    if (!pp_http_auth_init(&auth, &f->self, config, NULL, NULL, &err))
        fail_msg("%s", err.message);
    test_server_init(&f->server, 1);
    f->server.handler = (struct pp_http_handler){.authenticate = authenticate, .on_request = on_request};
    test_server_start(&f->server);
}

static void close_fixture(struct fixture *f)
{
    test_server_stop(&f->server);
    pp_http_auth_drain(&auth);
    assert_int_equal(atomic_load(&auth.pending), 0);
    pp_service_free(f->service);
}

static void assert_answer(struct fixture *f, const char *target, const char *user, const char *first, const char *second)
{
    char text[512];
    char *answer;

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s%s\r\n\r\n", target, user ? "x-user: " : "", user ? user : "x-none: 1");
    answer = test_talk(&f->server, text);
    if (!strstr(answer, first) || !strstr(answer, second))
        fail_msg("%s as %s: no \"%s\", \"%s\" in\n%s", target, user ? user : "nobody", first, second, answer);
    free(answer);
}

static uint64_t counted(struct fixture *f, const char *outcome)
{
    const struct pp_label labels[] = {{"component", "server"}, {"extension", "x"}, {"outcome", outcome}};

    return pp_telemetry_value(pp_service_telemetry(f->service), "profpipe_extension_auth_requests", labels, 3);
}

static void outcomes_become_answers(void **state)
{
    static const char *const params[] = {"x-user"};
    const struct pp_auth_config config = {.authenticator = "x", .request_params = {params, 1}};
    struct fixture f;

    (void)state;
    open_fixture(&f, &config);
    assert_answer(&f, "/", "ann", "HTTP/1.1 200", "\r\n\r\nann");
    assert_answer(&f, "/", "ann-later", "HTTP/1.1 200", "\r\n\r\nann-later");
    assert_answer(&f, "/?x-user=eve", NULL, "HTTP/1.1 200", "\r\n\r\neve");
    assert_answer(&f, "/", "no", "HTTP/1.1 401", "www-authenticate: Test realm=\"t\"\r\n");
    assert_answer(&f, "/", "no-later", "HTTP/1.1 401", "not you");
    assert_answer(&f, "/", "busy", "HTTP/1.1 503", "retry-after: 1\r\n");
    assert_answer(&f, "/", "busy-later", "HTTP/1.1 503", "not you");
    assert_int_equal(counted(&f, "admitted"), 3);
    assert_int_equal(counted(&f, "refused"), 2);
    assert_int_equal(counted(&f, "busy"), 2);
    close_fixture(&f);
}

static void without_a_block_everybody_comes_in(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_answer(&f, "/", "no", "HTTP/1.1 200", "nobody");
    close_fixture(&f);
}

static void a_missing_extension_is_an_error(void **state)
{
    struct pp_component self = {.id = "server"};
    struct pp_http_auth made;
    struct pp_error err;

    (void)state;
    assert_false(pp_http_auth_init(&made, &self, &(struct pp_auth_config){.authenticator = "x"}, NULL, NULL, &err));
    assert_string_equal(err.message, "auth: there is no authenticator \"x\"");
    assert_false(pp_http_auth_init(&made, NULL, &(struct pp_auth_config){.authenticator = "x"}, NULL, NULL, &err));
}

/* What `auth` is in may be freed once a server has been stopped in spite of requests that wait. */
static void a_stop_waits_for_verdicts(void **state)
{
    const struct pp_auth_config config = {.authenticator = "x"};
    struct fixture f;
    int fd;

    (void)state;
    open_fixture(&f, &config);
    fd = test_connect(&f.server);
    test_send(fd, PP_STR("GET / HTTP/1.1\r\nHost: h\r\nx-user: ann-later\r\n\r\n"));
    for (int i = 0; i < TEST_TIMEOUT_MS && atomic_load(&auth.pending) == 0; i++)
        usleep(1000);
    pp_http_server_stop(f.server.server, 0);
    pp_http_auth_drain(&auth);
    assert_int_equal(counted(&f, "admitted"), 1);
    close(fd);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_become_answers),
        cmocka_unit_test(without_a_block_everybody_comes_in),
        cmocka_unit_test(a_missing_extension_is_an_error),
        cmocka_unit_test(a_stop_waits_for_verdicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
