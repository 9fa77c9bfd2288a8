/* Every form of a hashed password, by hashes that other programs made (openssl passwd, libcrypt, Apache's and Solar Designer's published ones). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "password_hash.h"

static const struct {
    const char *hashed, *password;
    bool slow;
} right[] = {
    {"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", true},
    {"$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret", true},
    {"$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", "secret", true},
    {"$2x$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret", true},
    {"$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/", "secret", true},
    {"$apr1$abcdefgh$/Xv5Ux4Vaw/nCu4OVXxMK1", "p\xC3\xA4ss w\xC3\xB6rd", true},
    {"$apr1$abcdefgh$82JubPF2dQkt1tVfvLnXS.", "x", true},
    {"$apr1$abcdefgh$xe0/u8PPbW7KZ5ZfwUvgj0", "0123456789012345678901234567890123456789", true},
    {"$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", "secret", true},
    {"$1$abcdefgh$cHEQ93worP4USgc5xGNtp/", "p\xC3\xA4ss w\xC3\xB6rd", true},
    {"$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.", "secret", true},
    {"$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.", "secret", true},
    {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", false},
    {"{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "secret", false},
    {"secret", "secret", false},
    {"{PLAIN}secret", "secret", false},
    {"{PLAIN}secret", "{PLAIN}secret", false},
    {"$ecret", "$ecret", false},
    {"", "", false},
};

static bool matches(const char *hashed, struct pp_str password)
{
    return pp_password_matches(pp_str_c(hashed), password);
}

static void every_form_knows_its_password(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        struct pp_str hashed = pp_str_c(right[i].hashed), password = pp_str_c(right[i].password);
        char other[128];

        if (!pp_password_is_usable(hashed) || !pp_password_matches(hashed, password))
            fail_msg("\"%s\" is not taken for %s", right[i].password, right[i].hashed);
        assert_int_equal(pp_password_is_slow(hashed), right[i].slow);
        assert_false(matches(right[i].hashed, PP_STR("secreT")));
        assert_false(matches(right[i].hashed, PP_STR("other")));
        /* C's end of a string is none of ours. */
        memcpy(other, password.p, password.n);
        memcpy(other + password.n, "\0tail", 5);
        assert_false(matches(right[i].hashed, (struct pp_str){other, password.n + 5}));
        assert_false(matches(right[i].hashed, (struct pp_str){other, password.n + 1}));
        if (password.n > 0)
            assert_false(matches(right[i].hashed, (struct pp_str){other, password.n - 1}));
    }
}

static void broken_and_costly_forms_are_not_usable(void **state)
{
    static const char *const bad[] = {
        "$2a$05$short",
        "$2a$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$xx$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$17$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$apr1$abcdefgh",
        "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ",
        "$1$$",
        "$5$abcdefgh",
        "$6$rounds=2000000$abcdefgh$x",
        "$6$rounds=x$abcdefgh$x",
        "{SHA}",
        "{SHA}notbase64",
        "{SHA}c2hvcnQ=",
        "{SSHA}c2hvcnQ=",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (pp_password_is_usable(pp_str_c(bad[i])))
            fail_msg("%s is usable", bad[i]);
}

static void long_passwords_are_refused(void **state)
{
    char *text = malloc(PP_PASSWORD_BYTES_MAX + 2);

    (void)state;
    memset(text, 'a', PP_PASSWORD_BYTES_MAX + 1);
    text[PP_PASSWORD_BYTES_MAX + 1] = '\0';
    assert_true(pp_password_matches((struct pp_str){text, PP_PASSWORD_BYTES_MAX}, (struct pp_str){text, PP_PASSWORD_BYTES_MAX}));
    assert_false(pp_password_matches((struct pp_str){text, PP_PASSWORD_BYTES_MAX + 1}, (struct pp_str){text, PP_PASSWORD_BYTES_MAX + 1}));
    assert_false(matches("$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", (struct pp_str){text, PP_PASSWORD_BYTES_MAX + 1}));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_knows_its_password),
        cmocka_unit_test(broken_and_costly_forms_are_not_usable),
        cmocka_unit_test(long_passwords_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
