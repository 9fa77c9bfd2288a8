/* Headers of a request in the making, and what the extension does to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/decode.h"
#include "config/test_support.h"
#include "pipeline/auth.h"
#include "pipeline/instance.h"

extern const struct pp_factory pp_headers_setter_extension_factory;
#define FACTORY pp_headers_setter_extension_factory

/* ---- the set ---- */

static void header_injection_is_refused(void **state)
{
    static const char *const names[] = {"", "a b", "a:b", "a\r\nb", "a\nb", ":path", "\xC3\xA4", "a\x01"};
    static const struct pp_str values[] = {{"a\r\nX-Evil: 1", 12}, {"a\nb", 3}, {"a\rb", 3}, {"a\0b", 3}, {"\x1b[0m", 4}, {"\x7f", 1}};
    struct pp_arena arena = {0};
    struct pp_header_set set = {.arena = &arena};
    struct pp_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_false(pp_header_set_put(&set, names[i], PP_STR("v"), &err));
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_false(pp_header_set_put(&set, "X-A", values[i], &err));
        assert_int_equal(err.kind, PP_ERR_INVALID);
        assert_null(strstr(err.message, "Evil")); /* values may be secret */
    }
    assert_int_equal(set.n, 0);
    assert_true(pp_header_set_put(&set, "X-A", PP_STR("tab\there, \xC3\xA4"), &err));
    assert_true(pp_header_set_put(&set, "x-a", PP_STR("2"), &err));
    assert_int_equal(set.n, 1);
    for (unsigned i = 0; i < PP_AUTH_HEADERS_MAX - 1; i++) {
        char name[16];

        snprintf(name, sizeof(name), "x%u", i);
        assert_true(pp_header_set_put(&set, name, PP_STR(""), &err));
    }
    assert_false(pp_header_set_put(&set, "one-more", PP_STR(""), &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    pp_header_set_remove(&set, "X-a");
    assert_null(pp_header_set_find(&set, "x-A"));
    pp_arena_done(&arena);
}

/* ---- the extension ---- */

struct fixture {
    struct world world;
    struct pp_component *self;
};

static void open_fixture(struct fixture *f, const char *yaml)
{
    struct pp_error err = {0};

    memset(f, 0, sizeof(*f));
    world_open(&f->world);
    f->self = pp_calloc(1, FACTORY.instance_size);
    f->self->factory = &FACTORY;
    f->self->id = "headers_setter";
    f->self->log_id = "extension headers_setter";
    f->self->config = pp_decode(&f->world.arena, FACTORY.config, world_read(&f->world, yaml), NULL, (struct pp_mark){0}, &f->world.diags);
    if (!f->self->config)
        fail_msg("%s", world_problems(&f->world));
    if (!FACTORY.create(f->self, &err) || !FACTORY.start(f->self, &err))
        fail_msg("%s", err.message);
}

static void close_fixture(struct fixture *f)
{
    FACTORY.shutdown(f->self, 0);
    FACTORY.destroy(f->self);
    pp_free(f->self);
    world_close(&f->world);
}

/* The headers after signing a request that has "x-there: old", as "name=value;..."; the error's text when it is refused. */
static const char *sign(struct fixture *f, struct pp_context *context)
{
    static char text[1024];
    const struct pp_client_auth *client = FACTORY.interface(f->self, PP_OFFERS_CLIENT_AUTH);
    struct pp_arena arena = {0};
    struct pp_header_set headers = {.arena = &arena};
    struct pp_error err = {0};
    size_t n = 0;

    assert_false(client->needs_tls);
    assert_true(pp_header_set_put(&headers, "X-There", PP_STR("old"), &err));
    text[0] = '\0';
    if (!client->sign(client->component, context, &headers, &err))
        snprintf(text, sizeof(text), "%s", err.message);
    else
        for (size_t i = 0; i < headers.n; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, PP_STR_FMT "=" PP_STR_FMT ";", PP_STR_ARG(headers.v[i].name),
                                  PP_STR_ARG(headers.v[i].value));
    pp_arena_done(&arena);
    return text;
}

static void actions(void **state)
{
    static const struct {
        const char *header, *expected;
    } cases[] = {
        {"{action: insert, key: x-new, value: v}", "X-There=old;x-new=v;"},
        {"{action: insert, key: x-there, value: v}", "X-There=old;"},
        {"{action: update, key: x-new, value: v}", "X-There=old;"},
        {"{action: update, key: x-there, value: v}", "x-there=v;"},
        {"{action: upsert, key: x-new, value: v}", "X-There=old;x-new=v;"},
        {"{key: x-there, value: v}", "x-there=v;"},
        {"{action: delete, key: x-THERE}", ""},
        {"{action: delete, key: x-new}", "X-There=old;"},
        {"{key: t, from_context: X-Tenant}", "X-There=old;t=red;"},
        {"{key: t, from_context: none}", "X-There=old;t=;"},
        {"{key: t, from_context: none, default_value: d}", "X-There=old;t=d;"},
        {"{key: t, from_context: twice}", "extension headers_setter: the data came with more than one value of \"twice\""},
        {"{key: t, from_context: evil}", "extension headers_setter: the value for header \"t\" has a control character in it"},
        {"{key: u, from_attribute: username}", "X-There=old;u=ann;"},
        {"{key: u, from_attribute: other, default_value: d}", "X-There=old;u=d;"},
        {"{key: a, value: '1'}, {action: insert, key: A, value: '2'}, {action: update, key: a, value: '3'}", "X-There=old;a=3;"},
    };
    const struct pp_metadata metadata[] = {{PP_STR("x-tenant"), PP_STR("red")}, {PP_STR("twice"), PP_STR("1")}, {PP_STR("twice"), PP_STR("2")},
                                           {PP_STR("evil"), PP_STR("a\r\nX-Evil: 1")}};
    const struct pp_metadata auth[] = {{PP_STR("username"), PP_STR("ann")}};
    struct pp_context *context = pp_context_new_auth(PP_STR("1:1"), metadata, 4, auth, 1);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        char yaml[256];

        snprintf(yaml, sizeof(yaml), "headers: [%s]", cases[i].header);
        open_fixture(&f, yaml);
        assert_string_equal(sign(&f, context), cases[i].expected);
        close_fixture(&f);
    }
    pp_context_unref(context);
}

static void without_a_context(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f, "headers: [{key: t, from_context: x-tenant, default_value: d}, {key: u, from_attribute: username}]");
    assert_string_equal(sign(&f, NULL), "X-There=old;t=d;u=;");
    close_fixture(&f);
}

static void write_file(const char *path, const char *text)
{
    char part[4096];
    FILE *file;

    snprintf(part, sizeof(part), "%s.part", path);
    file = fopen(part, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(part, path), 0);
}

static void files_are_read_again(void **state)
{
    char dir[] = "/tmp/headers-XXXXXX", path[64], yaml[256];
    struct fixture f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/key", dir);
    snprintf(yaml, sizeof(yaml), "headers: [{key: k, value_file: %s}]", path);
    write_file(path, " one\n");
    open_fixture(&f, yaml);
    assert_string_equal(sign(&f, NULL), "X-There=old;k=one;");
    write_file(path, "two");
    usleep(1200000);
    assert_string_equal(sign(&f, NULL), "X-There=old;k=two;");
    close_fixture(&f);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

/* An extension that signs as well. */
static bool sign_too(struct pp_component *self, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err)
{
    (void)self;
    (void)context;
    return pp_header_set_put(headers, "authorization", PP_STR("Bearer x"), err);
}

static struct pp_client_auth other_auth = {NULL, true, sign_too};

static void *other_interface(struct pp_component *self, enum pp_capability capability)
{
    (void)self;
    return capability == PP_OFFERS_CLIENT_AUTH ? &other_auth : NULL;
}

static void additional_auth_signs_last(void **state)
{
    static const struct pp_factory factory = {PP_FACTORY_DEFAULTS, .kind = PP_EXTENSION, .type = "other", .interface = other_interface};
    struct pp_component other = {.factory = &factory};
    struct pp_instance_use use = {"other", &other};
    struct pp_instance instance = {.uses = &use, .uses_n = 1};
    struct pp_component fresh = {.factory = &FACTORY, .id = "h", .log_id = "extension h", .instance = &instance};
    struct pp_component *self = pp_calloc(1, FACTORY.instance_size);
    const struct pp_client_auth *client;
    struct pp_arena arena = {0};
    struct pp_header_set headers = {.arena = &arena};
    struct pp_error err = {0};
    struct world world;

    (void)state;
    world_open(&world);
    fresh.config = pp_decode(&world.arena, FACTORY.config,
                             world_read(&world, "{headers: [{key: authorization, value: mine}, {key: k, value: v}], additional_auth: other}"), NULL,
                             (struct pp_mark){0}, &world.diags);
    *self = fresh;
    assert_true(FACTORY.create(self, &err));
    client = FACTORY.interface(self, PP_OFFERS_CLIENT_AUTH);
    assert_true(client->needs_tls); /* as what it adds */
    assert_true(client->sign(self, NULL, &headers, &err));
    assert_true(pp_str_eq_c(pp_header_set_find(&headers, "Authorization")->value, "Bearer x"));
    assert_true(pp_str_eq_c(pp_header_set_find(&headers, "k")->value, "v"));
    FACTORY.destroy(self);
    /* Without it nothing starts. */
    instance.uses_n = 0;
    memset(self, 0, FACTORY.instance_size);
    *self = fresh;
    assert_false(FACTORY.create(self, &err));
    assert_non_null(strstr(err.message, "additional_auth: there is no authenticator \"other\""));
    pp_arena_done(&arena);
    pp_free(self);
    world_close(&world);
}

static void wrong_configurations(void **state)
{
    static const struct {
        const char *yaml, *problem;
    } cases[] = {
        {"{}", "headers: missing"},
        {"{headers: []}", "headers: must not be empty"},
        {"{headers: [{value: a}]}", "headers::0::key: missing"},
        {"{headers: [{key: 'a b', value: a}]}", "headers::0::key: \"a b\" cannot be the name of a header"},
        {"{headers: [{key: a, value: \"a\\nb\"}]}", "headers::0::value: the value for header \"a\""},
        {"{headers: [{key: a, from_context: b, default_value: \"a\\nb\"}]}", "headers::0::default_value: the value for header \"a\""},
        {"{headers: [{key: a}]}", "headers::0: needs exactly one of"},
        {"{headers: [{key: a, value: a, from_context: b}]}", "headers::0: needs exactly one of"},
        {"{headers: [{key: a, value: a, action: set}]}", "headers::0::action: expected insert, update, upsert, delete"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world;

        world_open(&world);
        assert_null(pp_decode(&world.arena, FACTORY.config, world_read(&world, cases[i].yaml), NULL, (struct pp_mark){0}, &world.diags));
        if (!strstr(world_problems(&world), cases[i].problem))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].problem, world_problems(&world));
        world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_injection_is_refused), cmocka_unit_test(actions),
        cmocka_unit_test(without_a_context),           cmocka_unit_test(files_are_read_again),
        cmocka_unit_test(additional_auth_signs_last),  cmocka_unit_test(wrong_configurations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
