/* Names with several addresses: how calls spread over them, and what happens when addresses come, go or cannot be found. */
#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "grpc_test_caller.h"
#include "grpc_test_server.h"

/* 127.0.0.1, 127.0.0.2, ...: a bit each of what the name has. */
static atomic_uint named;
static atomic_uint lookups;

/* In place of the system's resolver, for libuv too. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    struct addrinfo **tail = ret;
    unsigned bits = named;

    (void)hints;
    lookups++;
    assert_string_equal(name, "servers.test");
    *ret = NULL;
    for (unsigned i = 0; i < 8; i++) {
        struct addrinfo *info;
        struct sockaddr_in *address;

        if (!(bits & 1u << i)) {
            continue;
        }
        info = calloc(1, sizeof(*info) + sizeof(*address));
        address = (struct sockaddr_in *)(info + 1);
        *address = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(service)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK + i)};
        info->ai_family = AF_INET;
        info->ai_addr = (struct sockaddr *)address;
        info->ai_addrlen = sizeof(*address);
        *tail = info;
        tail = &info->ai_next;
    }
    return *ret ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;

        free(list);
        list = next;
    }
}

#define SERVERS 3

struct fixture {
    struct test_server *servers[SERVERS];
    struct pp_grpc_client_config config;
    char endpoint[64];
    struct caller caller;
    int port;
};

static void start_server(struct fixture *f, int i)
{
    char address[32];
    const struct test_server_options options = {.port = f->port, .address = address};

    snprintf(address, sizeof(address), "127.0.0.%d", i + 1);
    f->servers[i] = test_server_new_with(&options);
    f->port = test_server_port(f->servers[i]);
}

static void stop_server(struct fixture *f, int i)
{
    test_server_free(f->servers[i]);
    f->servers[i] = NULL;
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.config = PP_GRPC_CLIENT_DEFAULTS};
    f.config.tls.insecure = true;
    named = 1u | 2u | 4u;
    lookups = 0;
    for (int i = 0; i < SERVERS; i++) {
        start_server(&f, i);
    }
    snprintf(f.endpoint, sizeof(f.endpoint), "dns:///servers.test:%d", f.port);
    f.config.endpoint = f.endpoint;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    caller_close(&f->caller);
    for (int i = 0; i < SERVERS; i++) {
        if (f->servers[i]) {
            stop_server(f, i);
        }
    }
    return 0;
}

static int call(struct fixture *f)
{
    return caller_call(&f->caller, PP_STR("x"), false, CALL_MS)->code;
}

/* Until calls have reached the servers of `bits`, counted from now on. */
static void expect_to_reach(struct fixture *f, unsigned bits)
{
    unsigned before[SERVERS] = {0}, reached = 0;

    for (int i = 0; i < SERVERS; i++) {
        before[i] = f->servers[i] ? test_server_calls(f->servers[i]) : 0;
    }
    for (int n = 0; n < 400 && reached != bits; n++) {
        call(f);
        for (int i = 0; i < SERVERS; i++) {
            reached |= f->servers[i] && test_server_calls(f->servers[i]) > before[i] ? 1u << i : 0;
        }
        usleep(10 * 1000);
    }
    assert_int_equal(reached, bits);
}

static void round_robin_uses_every_address(void **state)
{
    struct fixture *f = *state;

    caller_open(&f->caller, &f->config, PP_ENCODING_IDENTITY);
    expect_to_reach(f, 7);
    assert_int_equal(lookups, 1);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(call(f), 0);
    }
    for (int i = 0; i < SERVERS; i++) {
        assert_true(test_server_calls(f->servers[i]) >= 10);
    }
}

static void pick_first_uses_one_and_falls_back(void **state)
{
    struct fixture *f = *state;

    f->config.balancer_name = "pick_first";
    caller_open(&f->caller, &f->config, PP_ENCODING_IDENTITY);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(call(f), 0);
    }
    assert_int_equal(test_server_calls(f->servers[0]), 10);
    assert_int_equal(test_server_connections(f->servers[1]), 0);
    stop_server(f, 0);
    expect_to_reach(f, 2);
    assert_int_equal(test_server_connections(f->servers[2]), 0);
}

static void a_lost_address_is_avoided_and_comes_back(void **state)
{
    struct fixture *f = *state;
    unsigned failed = 0;

    caller_open(&f->caller, &f->config, PP_ENCODING_IDENTITY);
    expect_to_reach(f, 7);
    stop_server(f, 1);
    for (int i = 0; i < 30; i++) {
        failed += call(f) != 0;
    }
    assert_true(failed <= 1); /* the one that was sent as the connection broke */
    start_server(f, 1);
    expect_to_reach(f, 7);
}

static void addresses_change_with_the_name(void **state)
{
    struct fixture *f = *state;

    named = 1;
    caller_open(&f->caller, &f->config, PP_ENCODING_IDENTITY);
    assert_int_equal(call(f), 0);
    named = 4;
    /* The loss of the connection is what makes it ask again. */
    stop_server(f, 0);
    expect_to_reach(f, 4);
    assert_int_equal(test_server_calls(f->servers[1]), 0);
    assert_true(lookups >= 2);
}

static void a_name_that_is_not_found_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    const struct pp_grpc_answer *answer;

    named = 0;
    caller_open(&f->caller, &f->config, PP_ENCODING_IDENTITY);
    answer = caller_call(&f->caller, PP_STR("x"), false, CALL_MS);
    assert_int_equal(answer->code, PP_STATUS_UNAVAILABLE);
    assert_non_null(strstr(answer->message, "cannot resolve servers.test"));
    for (int i = 0; i < 50; i++) {
        assert_int_equal(call(f), PP_STATUS_UNAVAILABLE);
    }
    assert_true(lookups < 10); /* not once a call */
    named = 7;
    expect_to_reach(f, 7);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(round_robin_uses_every_address),
        TEST(pick_first_uses_one_and_falls_back),
        TEST(a_lost_address_is_avoided_and_comes_back),
        TEST(addresses_change_with_the_name),
        TEST(a_name_that_is_not_found_is_asked_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
