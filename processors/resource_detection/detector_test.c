#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/groups/duration.h"
#include "detector.h"
#include "dns_name.h"

static const char *found(const struct pp_detected *detected, const char *key)
{
    for (size_t i = 0; i < detected->n; i++)
        if (pp_str_eq_c(detected->v[i].key, key))
            return detected->v[i].value.p;
    return NULL;
}

static void test_env(void **state)
{
    struct pp_detected detected = {0};
    struct pp_error err;

    (void)state;
    assert_true(pp_detect_env("service.name=a%20b, k8s.pod.name = x ,,empty=,again=1,again=2,odd=50%", &detected, &err));
    assert_memory_equal(found(&detected, "service.name"), "a b", 3);
    assert_string_equal(found(&detected, "k8s.pod.name"), "x");
    assert_string_equal(found(&detected, "empty"), "");
    assert_string_equal(found(&detected, "again"), "1");
    assert_string_equal(found(&detected, "odd"), "50%");
    assert_int_equal(detected.n, 5);
    pp_detected_done(&detected);
}

static void test_env_errors(void **state)
{
    static const struct {
        const char *list, *message;
    } cases[] = {
        {"a=1,b", "OTEL_RESOURCE_ATTRIBUTES: \"b\" is not key=value"},
        {"=1", "OTEL_RESOURCE_ATTRIBUTES: \"=1\" has no key"},
        {"a=%FF", "OTEL_RESOURCE_ATTRIBUTES: \"a=%FF\" is not UTF-8"},
    };
    struct pp_detected detected = {0};
    struct pp_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(pp_detect_env(cases[i].list, &detected, &err));
        assert_string_equal(err.message, cases[i].message);
        pp_detected_done(&detected);
    }
}

static void test_too_many(void **state)
{
    struct pp_detected detected = {0};
    struct pp_error err = {0};
    char key[16];
    bool ok = true;

    (void)state;
    for (unsigned i = 0; ok && i <= PP_DETECTED_ATTRIBUTES_MAX; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        ok = pp_detected_add(&detected, pp_str_c(key), PP_STR("v"), &err);
    }
    assert_false(ok);
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    pp_detected_done(&detected);
}

static void test_system(void **state)
{
    static const char *const os[] = {"os"};
    static const char *const keys[] = {"host.arch", "os.type"};
    static const struct pp_attribute_switch switches[] = {{true}, {false}};
    const struct pp_system_detector_config config = {{os, 1}, {keys, switches, 2}};
    struct pp_detected detected = {0};
    struct pp_error err;
    char host[256];

    (void)state;
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    assert_true(pp_detect_system(&config, PP_NS(5), &detected, &err));
    assert_string_equal(found(&detected, "host.name"), host);
    assert_non_null(found(&detected, "host.arch"));
    assert_null(found(&detected, "os.type"));
    assert_null(found(&detected, "host.id"));
    pp_detected_done(&detected);
}

#define SLOW_MS 300u

static atomic_uint resolved;

static bool quick(const char *host, char ret_name[PP_DNS_NAME_BYTES_MAX])
{
    snprintf(ret_name, PP_DNS_NAME_BYTES_MAX, "%s.example.org", host);
    return true;
}

static bool slow(const char *host, char ret_name[PP_DNS_NAME_BYTES_MAX])
{
    usleep(SLOW_MS * 1000);
    quick(host, ret_name);
    resolved++;
    return true;
}

static bool nobody(const char *host, char ret_name[PP_DNS_NAME_BYTES_MAX])
{
    (void)host;
    ret_name[0] = 'x';
    return false;
}

static void test_name_in_time(void **state)
{
    char name[PP_DNS_NAME_BYTES_MAX] = "as it was";
    uint64_t started_ms = pp_clock_mono_ms();

    (void)state;
    assert_false(pp_dns_name(slow, "a", PP_NS(0.01), name));
    assert_int_equal(resolved, 0);
    assert_string_equal(name, "as it was");
    assert_false(pp_dns_name(nobody, "a", PP_NS(5), name));
    assert_string_equal(name, "as it was");
    assert_true(pp_dns_name(quick, "a", PP_NS(5), name));
    assert_string_equal(name, "a.example.org");
    assert_true(pp_dns_name(slow, "b", 0, name));
    assert_string_equal(name, "b.example.org");
    while (resolved < 2 && pp_clock_mono_ms() - started_ms < 20 * SLOW_MS)
        usleep(1000); /* the first one still goes on, and frees what it has */
    assert_int_equal(resolved, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_env),
        cmocka_unit_test(test_env_errors),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_system),
        cmocka_unit_test(test_name_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
