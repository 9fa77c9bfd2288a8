/* What an extension says becomes headers of HTTP requests and metadata of gRPC calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "pipeline/client_auth.h"
#include "pipeline/instance.h"

static const char *name, *value;

static bool sign(struct pp_component *self, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err)
{
    (void)self;
    (void)context;
    return name ? pp_header_set_put(headers, name, pp_str_c(value), err) : pp_error_set(err, PP_ERR_IO, "not yet");
}

static struct pp_client_auth auth = {NULL, true, sign};

static void *interface(struct pp_component *self, enum pp_capability capability)
{
    (void)self;
    return capability == PP_OFFERS_CLIENT_AUTH ? &auth : NULL;
}

static const struct pp_factory factory = {PP_FACTORY_DEFAULTS, .kind = PP_EXTENSION, .type = "x", .interface = interface};

static void extensions_are_found(void **state)
{
    struct pp_component extension = {.factory = &factory};
    struct pp_instance_use use = {"x/1", &extension};
    struct pp_instance instance = {.uses = &use, .uses_n = 1};
    struct pp_component self = {.instance = &instance};
    const struct pp_client_auth *found = &auth;
    struct pp_error err;

    (void)state;
    assert_true(pp_client_auth_find(&self, NULL, true, &found, &err));
    assert_null(found);
    assert_true(pp_client_auth_find(&self, &(struct pp_auth_config){.authenticator = "x/1"}, false, &found, &err));
    assert_ptr_equal(found, &auth);
    assert_false(pp_client_auth_find(&self, &(struct pp_auth_config){.authenticator = "x/1"}, true, &found, &err));
    assert_non_null(strstr(err.message, "are not sent without TLS"));
    assert_false(pp_client_auth_find(&self, &(struct pp_auth_config){.authenticator = "x/2"}, false, &found, &err));
    assert_non_null(strstr(err.message, "there is no authenticator \"x/2\""));
}

/* The one header of a gRPC call as "name=value", or the error. */
static const char *metadata(const char *name_, const char *value_)
{
    static char text[PP_ERROR_MESSAGE_MAX];
    struct pp_arena arena = {0};
    struct pp_header_set set = {.arena = &arena};
    struct pp_error err = {0};

    name = name_;
    value = value_;
    if (!pp_client_auth_metadata(&auth, NULL, &set, &err))
        snprintf(text, sizeof(text), "%s", err.message);
    else
        snprintf(text, sizeof(text), PP_STR_FMT "=" PP_STR_FMT, PP_STR_ARG(set.v[0].name), PP_STR_ARG(set.v[0].value));
    pp_arena_done(&arena);
    return text;
}

static void grpc_has_rules_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(metadata("X-Scope-OrgID", "Red"), "x-scope-orgid=Red");
    assert_string_equal(metadata("Authorization", ""), "authorization=");
    assert_string_equal(metadata("Trace-Bin", "ab\xff"), "trace-bin=YWL/");
    assert_string_equal(metadata("X", "\xC3\xA4"), "auth: the value for header \"x\" is not printable ASCII, which gRPC needs");
    assert_string_equal(metadata("X", "a\tb"), "auth: the value for header \"x\" is not printable ASCII, which gRPC needs");
    assert_string_equal(metadata("Grpc-Timeout", "1"), "auth: header \"grpc-timeout\" is gRPC's own");
    assert_string_equal(metadata("TE", "x"), "auth: header \"te\" is gRPC's own");
    assert_string_equal(metadata("a\nb", "x"), "auth: \"a\nb\" cannot be the name of a header");
    assert_string_equal(metadata(NULL, NULL), "auth: not yet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extensions_are_found),
        cmocka_unit_test(grpc_has_rules_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
