#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "condition.h"

static void get(const void *context, enum pp_condition_scope scope, struct pp_str key, size_t i, struct pp_any_value *ret)
{
    static const char *const teams[] = {"red", "blue"};

    (void)context;
    if (scope == PP_CONDITION_REQUEST) {
        if (pp_str_eq_c(key, "x-team") && i < 2)
            *ret = (struct pp_any_value){.kind = PP_ANY_STRING, .string = pp_str_c(teams[i])};
        else if (pp_str_eq_c(key, "x-tenant") && i == 0)
            *ret = (struct pp_any_value){.kind = PP_ANY_STRING, .string = PP_STR("acme")};
    } else if (pp_str_eq_c(key, "service.name")) {
        *ret = (struct pp_any_value){.kind = PP_ANY_STRING, .string = PP_STR("checkout")};
    } else if (pp_str_eq_c(key, "pid")) {
        *ret = (struct pp_any_value){.kind = PP_ANY_INT, .integer = 42};
    } else if (pp_str_eq_c(key, "ratio")) {
        *ret = (struct pp_any_value){.kind = PP_ANY_DOUBLE, .number = 0.5};
    } else if (pp_str_eq_c(key, "canary")) {
        *ret = (struct pp_any_value){.kind = PP_ANY_BOOL, .boolean = true};
    } else if (pp_str_eq_c(key, "aaa")) {
        *ret = (struct pp_any_value){.kind = PP_ANY_STRING, .string = PP_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")};
    }
}

static const struct {
    const char *text;
    bool statement, holds;
} good[] = {
    {"attributes[\"service.name\"] == \"checkout\"", false, true},
    {"resource.attributes[\"service.name\"] != \"checkout\"", false, false},
    {"route() where attributes[\"service.name\"] == \"checkout\"", true, true},
    {"route()", true, true},
    {"request[\"x-tenant\"] == \"acme\"", false, true},
    {"request[\"X-Tenant\"] == \"acme\"", false, true}, /* names of metadata have no case */
    {"request[\"none\"] != \"acme\"", false, false},
    {"request[\"none\"] == nil", false, true},
    {"request[\"x-team\"] == \"red\" and \"blue\" == request[\"x-team\"]", false, true}, /* one of its values is enough */
    {"request[\"x-team\"] != \"red\" and request[\"x-team\"] != \"blue\"", false, true},
    {"request[\"x-team\"] == \"green\"", false, false},
    {"not request[\"x-team\"] == \"blue\"", false, false},
    {"IsMatch(request[\"x-team\"], \"^bl\")", false, true},
    {"request[\"x-team\"] == request[\"x-tenant\"]", false, false},
    {"request[\"x-tenant\"] != nil", false, true},
    {"attributes[\"none\"] != \"x\"", false, true},
    {"attributes[\"none\"] == nil", false, true},
    {"attributes[\"pid\"] != nil and attributes[\"pid\"] >= 42 and attributes[\"pid\"] < 42.5", false, true},
    {"attributes[\"ratio\"] > 1", false, false},
    {"attributes[\"canary\"] == true", false, true},
    {"attributes[\"pid\"] == \"42\"", false, false}, /* unlike types are unequal */
    {"attributes[\"pid\"] != \"42\"", false, true},
    {"false or not (attributes[\"pid\"] == 1) and true", false, true},
    {"true and false or true", false, true}, /* "and" binds tighter */
    {"IsMatch(attributes[\"service.name\"], \"^check(in|out)$\")", false, true},
    {"IsMatch(attributes[\"pid\"], \"4\")", false, false},
    {"IsMatch(attributes[\"aaa\"], \"^(a+)+$\")", false, false}, /* gives up after its steps */
    {"attributes[\"q\\\"uote\"] == nil", false, true},
    {"\n attributes [ \"pid\" ]==42 ", false, true},
};

static void test_good(void **state)
{
    struct pp_condition_source source = {.get = get};
    struct pp_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct pp_condition *condition = pp_condition_new(good[i].text, good[i].statement, &err);
        if (!condition)
            fail_msg("%s: %s", good[i].text, err.message);
        if (pp_condition_holds(condition, &source) != good[i].holds)
            fail_msg("%s: not %d", good[i].text, good[i].holds);
        pp_condition_free(condition);
    }
}

static const struct {
    const char *text;
    bool statement;
    const char *message;
} bad[] = {
    {"", false, "column 1: expected attributes[...], resource.attributes[...], request[...], a string, a number, true, false or nil, found the end"},
    {"attributes[\"a\"] = \"b\"", false, "column 17: expected ==, !=, <, <=, > or >=, found \"= \"b\"\""},
    {"attributes[a] == 1", false, "column 12: expected a string in double quotes, found \"a] == 1\""},
    {"attributes[\"a", false, "column 12: expected a string that ends with a double quote, found \"\"a\""},
    {"attributes[\"a\"] == 1 xor true", false, "column 22: expected \"and\", \"or\" or the end, found \"xor true\""},
    {"(true", false, "column 6: expected \")\", found the end"},
    {"route() when true", true, "column 9: expected \"where\", found \"when true\""},
    {"delete_key(attributes, \"x\")", true, "column 1: expected \"route\", found \"delete_key(attribute\""},
    {"IsMatch(attributes[\"a\"], \"(\")", false, "column 29: regular expression \"(\": missing closing parenthesis"},
    {"attributes[\"a\"] == 99999999999999999999", false, "column 20: expected an integer of 64 bits, found \"99999999999999999999\""},
};

static void test_bad(void **state)
{
    struct pp_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(pp_condition_new(bad[i].text, bad[i].statement, &err));
        assert_string_equal(err.message, bad[i].message);
    }
}

static void test_limits(void **state)
{
    char text[PP_CONDITION_BYTES_MAX + 2];
    struct pp_error err;

    (void)state;
    memset(text, '(', 100);
    text[100] = '\0';
    assert_null(pp_condition_new(text, false, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);

    text[0] = '\0';
    for (size_t i = 0; i < 300; i++)
        memcpy(text + i * 8, "true or ", 9);
    assert_null(pp_condition_new(text, false, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);

    memset(text, ' ', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_null(pp_condition_new(text, false, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
}

static void test_out_of_memory(void **state)
{
    struct pp_error err;
    struct pp_condition *condition = NULL;

    (void)state;
    for (size_t n = 1; n < 50 && !condition; n++) {
        pp_alloc_fail_at(n);
        condition = pp_condition_new("not (attributes[\"a\"] == \"b\" or IsMatch(attributes[\"c\"], \"d\"))", false, &err);
        if (!condition)
            assert_int_equal(err.kind, PP_ERR_NOMEM);
    }
    pp_alloc_fail_at(0);
    assert_non_null(condition);
    pp_condition_free(condition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
