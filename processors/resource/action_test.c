#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "action.h"
#include "base/buf.h"
#include "config/tree.h"

#define KEY_VALUES_MAX 64

/* Storage behind the tables, roomy enough that no edit makes them grow. */
struct room {
    struct pp_key_value key_values[KEY_VALUES_MAX];
    struct pp_resource resource;
};

/* A resource: service.name="shop", pid=42, ratio=0.1, canary=true, user.mail="a@b". */
static void make_resource(struct room *room, struct pp_tables *tables, struct pp_arena *arena)
{
    struct pp_str values[5];

    assert_true(pp_any_value_from_string(arena, PP_STR("shop"), &values[0]));
    assert_true(pp_any_value_from_int(arena, 42, &values[1]));
    assert_true(pp_any_value_from_double(arena, 0.1, &values[2]));
    assert_true(pp_any_value_from_bool(arena, true, &values[3]));
    assert_true(pp_any_value_from_string(arena, PP_STR("a@b"), &values[4]));
    room->key_values[0] = (struct pp_key_value){PP_STR("service.name"), values[0]};
    room->key_values[1] = (struct pp_key_value){PP_STR("pid"), values[1]};
    room->key_values[2] = (struct pp_key_value){PP_STR("ratio"), values[2]};
    room->key_values[3] = (struct pp_key_value){PP_STR("canary"), values[3]};
    room->key_values[4] = (struct pp_key_value){PP_STR("user.mail"), values[4]};
    /* Somebody else's attribute behind: it must stay. */
    room->key_values[5] = (struct pp_key_value){PP_STR("other"), values[0]};
    room->resource = (struct pp_resource){.attributes = {0, 5}};
    *tables = (struct pp_tables){
        .key_values = {room->key_values, 6, KEY_VALUES_MAX},
        .resources = {&room->resource, 1, 1},
    };
}

static void print_value(struct pp_buf *out, struct pp_str encoded)
{
    struct pp_any_value value;

    assert_true(pp_any_value_read(encoded, &value));
    if (value.kind == PP_ANY_STRING)
        pp_buf_printf(out, "\"" PP_STR_FMT "\"", PP_STR_ARG(value.string));
    else if (value.kind == PP_ANY_INT)
        pp_buf_printf(out, "%lld", (long long)value.integer);
    else if (value.kind == PP_ANY_DOUBLE)
        pp_buf_printf(out, "%gd", value.number);
    else if (value.kind == PP_ANY_BOOL)
        pp_buf_add_c(out, value.boolean ? "true" : "false");
    else
        pp_buf_printf(out, "kind%d", (int)value.kind);
}

static void print_resource(struct pp_buf *out, const struct pp_tables *tables)
{
    for (uint32_t i = 0; i < tables->resources.v[0].attributes.n; i++) {
        const struct pp_key_value *attribute = pp_resource_attribute(tables, 0, i);

        pp_buf_printf(out, "%s" PP_STR_FMT "=", i ? " " : "", PP_STR_ARG(attribute->key));
        print_value(out, attribute->value);
    }
    pp_buf_add_byte(out, '\0');
}

static const struct pp_node value_v = {.kind = PP_NODE_SCALAR, .text = {"v", 1}};
static const struct pp_node value_7 = {.kind = PP_NODE_SCALAR, .text = {"7", 1}};
static const struct pp_node *const items[] = {&value_v, &value_7};
static const struct pp_node value_list = {.kind = PP_NODE_LIST, .n = 2, .items = items};

#define REST " pid=42 ratio=0.1d canary=true user.mail=\"a@b\""

static const struct {
    struct pp_action_config config;
    const char *expected;
} cases[] = {
    {{.key = "new", .action = PP_ACTION_INSERT, .value = &value_7}, "service.name=\"shop\"" REST " new=7"},
    {{.key = "new", .action = PP_ACTION_INSERT, .value = &value_list}, "service.name=\"shop\"" REST " new=kind5"},
    {{.key = "service.name", .action = PP_ACTION_INSERT, .value = &value_v}, "service.name=\"shop\"" REST},
    {{.key = "service.name", .action = PP_ACTION_UPDATE, .value = &value_v}, "service.name=\"v\"" REST},
    {{.key = "new", .action = PP_ACTION_UPDATE, .value = &value_v}, "service.name=\"shop\"" REST},
    {{.key = "service.name", .action = PP_ACTION_UPSERT, .from_attribute = "pid"}, "service.name=42" REST},
    {{.key = "service.name", .action = PP_ACTION_UPSERT, .from_attribute = "none"}, "service.name=\"shop\"" REST},
    {{.key = "peer", .action = PP_ACTION_UPSERT, .from_context = "client.address"}, "service.name=\"shop\"" REST " peer=\"10.0.0.1:9\""},
    {{.key = "t", .action = PP_ACTION_UPSERT, .from_context = "metadata.x-tenant"}, "service.name=\"shop\"" REST " t=\"a;b\""},
    {{.key = "t", .action = PP_ACTION_UPSERT, .from_context = "metadata.X-Tenant"}, "service.name=\"shop\"" REST " t=\"a;b\""},
    {{.key = "t", .action = PP_ACTION_UPSERT, .from_context = "metadata.x-raw"}, "service.name=\"shop\"" REST " t=\"\xEF\xBF\xBDz\""},
    {{.key = "u", .action = PP_ACTION_UPSERT, .from_context = "auth.username"}, "service.name=\"shop\"" REST " u=\"ann\""},
    {{.key = "u", .action = PP_ACTION_UPSERT, .from_context = "auth.none"}, "service.name=\"shop\"" REST},
    {{.key = "t", .action = PP_ACTION_UPSERT, .from_context = "metadata.none"}, "service.name=\"shop\"" REST},
    {{.key = "pid", .action = PP_ACTION_DELETE}, "service.name=\"shop\" ratio=0.1d canary=true user.mail=\"a@b\""},
    {{.key = "pid", .pattern = "^(user\\.|rat)", .action = PP_ACTION_DELETE}, "service.name=\"shop\" canary=true"},
    {{.pattern = "^(service.name|ratio|user.mail)$", .action = PP_ACTION_DELETE}, "pid=42 canary=true"},
    {{.pattern = "^none$", .action = PP_ACTION_DELETE}, "service.name=\"shop\"" REST},
    {{.key = "user.mail", .action = PP_ACTION_HASH},
     "service.name=\"shop\" pid=42 ratio=0.1d canary=true "
     "user.mail=\"7508d8b5018ea640b85269861a101203f0c26900555268e930025dac844b0f35\""},
    {{.key = "user.mail", .pattern = "^(?P<user.name>x)", .action = PP_ACTION_EXTRACT}, NULL},
    {{.key = "user.mail", .pattern = "^(?P<who>[^@]*)@(?P<where>.*)$", .action = PP_ACTION_EXTRACT},
     "service.name=\"shop\"" REST " where=\"b\" who=\"a\""},
    {{.key = "pid", .pattern = "(?P<x>4)", .action = PP_ACTION_EXTRACT}, "service.name=\"shop\"" REST},
    {{.key = "user.mail", .pattern = "no group", .action = PP_ACTION_EXTRACT}, NULL},
    {{.key = "pid", .action = PP_ACTION_CONVERT, .converted_type = "string"},
     "service.name=\"shop\" pid=\"42\" ratio=0.1d canary=true user.mail=\"a@b\""},
    {{.key = "ratio", .action = PP_ACTION_CONVERT, .converted_type = "string"},
     "service.name=\"shop\" pid=42 ratio=\"0.1\" canary=true user.mail=\"a@b\""},
    {{.key = "pid", .action = PP_ACTION_CONVERT, .converted_type = "double"},
     "service.name=\"shop\" pid=42d ratio=0.1d canary=true user.mail=\"a@b\""},
    {{.key = "ratio", .action = PP_ACTION_CONVERT, .converted_type = "int"},
     "service.name=\"shop\" pid=42 ratio=0 canary=true user.mail=\"a@b\""},
    {{.key = "canary", .action = PP_ACTION_CONVERT, .converted_type = "int"},
     "service.name=\"shop\" pid=42 ratio=0.1d canary=1 user.mail=\"a@b\""},
    {{.key = "user.mail", .action = PP_ACTION_CONVERT, .converted_type = "int"}, "service.name=\"shop\"" REST},
};

/* Returns whether the action could be compiled and applied. */
static bool run_case(size_t i, struct pp_buf *out)
{
    struct pp_arena arena = {0};
    struct room room;
    struct pp_tables tables;
    struct pp_error err = {0};
    struct pp_action action;
    struct pp_action_copy copies[1] = {0};
    struct pp_action_site site = {.arena = &arena, .copies = copies};
    struct pp_context *context;
    bool ok;

    make_resource(&room, &tables, &arena);
    context = pp_context_new_auth(PP_STR("10.0.0.1:9"), (struct pp_metadata[]){{PP_STR("x-tenant"), PP_STR("a")}, {PP_STR("x-tenant"), PP_STR("b")},
                                                                                      {PP_STR("x-raw"), PP_STR("\xFFz")}}, 3,
                                  (struct pp_metadata[]){{PP_STR("username"), PP_STR("ann")}}, 1);
    assert_non_null(context);
    site.edit.tables = &tables;
    site.context = context;
    ok = pp_action_init(&action, &cases[i].config, &arena, &err);
    if (!ok) {
        assert_int_equal(err.kind, PP_ERR_CONFIG);
        assert_null(cases[i].expected);
    } else {
        ok = pp_action_apply(&action, &site);
        print_resource(out, &tables);
    }
    assert_true(pp_str_eq_c(tables.key_values.v[5].key, "other"));
    pp_action_done(&action);
    pp_context_unref(context);
    pp_arena_done(&arena);
    return ok;
}

static void test_actions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pp_buf out;

        pp_buf_init(&out, 4096);
        if (run_case(i, &out) != (cases[i].expected != NULL))
            fail_msg("case %zu", i);
        if (cases[i].expected && strcmp(out.data, cases[i].expected) != 0)
            fail_msg("case %zu: %s, not %s", i, out.data, cases[i].expected);
        pp_buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_actions)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
