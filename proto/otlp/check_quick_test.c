/* The quick way against the long one: same verdict, same counts, same words, on messages made at random and then damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "proto/otlp/check_quick.h"
#include "proto/wire_out.h"

#define ROUNDS 4000
#define DAMAGES 12 /* of each message */

static uint64_t state = 0x9E3779B97F4A7C15ull;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (uint32_t)(state >> 32) % n : 0;
}

static bool one_in(uint32_t n)
{
    return below(n) == 0;
}

/* How a message differs from a plain one; chances are one in so many, 0 never. */
struct shape {
    uint32_t strings, functions, locations, stacks, samples;
    bool stacks_first, dictionary_first;
    uint32_t odd; /* chance of what the quick way leaves to the long one */
};

static bool odd(const struct shape *s)
{
    return s->odd && one_in(s->odd);
}

static void add_index(struct pp_buf *out, uint32_t field, uint32_t n, const struct shape *s)
{
    uint32_t value = below(n);

    if (odd(s) && one_in(8))
        value = n + below(3); /* out of range */
    pp_out_add_varint(out, field, odd(s) && one_in(8) ? (uint64_t)-1 : value);
}

static void add_packed(struct pp_buf *out, uint32_t field, const int32_t *v, size_t n)
{
    uint8_t *p = (uint8_t *)pp_buf_reserve(out, PP_OUT_PACKED_BYTES_MAX(n));

    out->len += (size_t)(pp_out_packed_int32(p, field, v, n) - p);
}

static void add_strings(struct pp_buf *out, const struct shape *s)
{
    for (uint32_t i = 0; i < s->strings; i++) {
        char text[300];
        size_t n = i == 0 ? 0 : odd(s) ? below(sizeof(text)) : below(40);

        for (size_t b = 0; b < n; b++)
            text[b] = (char)('a' + below(26));
        if (n > 1 && odd(s))
            memcpy(text, one_in(4) ? "\xC0\x80" : "\xC3\xA9", 2);
        pp_out_add_bytes(out, PP_DICTIONARY_STRING, (struct pp_str){text, n});
    }
}

static void add_functions(struct pp_buf *out, const struct shape *s)
{
    for (uint32_t i = 0; i < s->functions; i++) {
        size_t body = pp_out_begin(out, PP_DICTIONARY_FUNCTION, 1);

        if (i > 0) {
            add_index(out, PP_FUNCTION_NAME, s->strings, s);
            if (one_in(3))
                add_index(out, PP_FUNCTION_SYSTEM_NAME, s->strings, s);
            add_index(out, PP_FUNCTION_FILENAME, s->strings, s);
            pp_out_add_varint(out, PP_FUNCTION_START_LINE, odd(s) ? (uint64_t)-1 : below(5000));
            if (odd(s))
                add_index(out, PP_FUNCTION_NAME, s->strings, s); /* once more, behind the others */
        }
        pp_out_end(out, body, 1);
    }
}

static void add_attrs(struct pp_buf *out, uint32_t field, uint32_t n)
{
    int32_t v[6];

    for (uint32_t i = 0; i < n; i++)
        v[i] = (int32_t)below(40);
    add_packed(out, field, v, n);
}

static void add_locations(struct pp_buf *out, const struct shape *s)
{
    for (uint32_t i = 0; i < s->locations; i++) {
        size_t body = pp_out_begin(out, PP_DICTIONARY_LOCATION, 1);

        if (i > 0) {
            uint32_t lines = odd(s) ? below(12) : below(3);

            add_index(out, PP_LOCATION_MAPPING, 3, s);
            pp_out_add_varint(out, PP_LOCATION_ADDRESS, odd(s) ? UINT64_MAX - below(9) : 0x7f0000000000ull + below(1u << 20));
            for (uint32_t l = 0; l < lines; l++) {
                size_t line = pp_out_begin(out, PP_LOCATION_LINES, 1);

                add_index(out, PP_LINE_FUNCTION, s->functions, s);
                pp_out_add_varint(out, PP_LINE_LINE, below(3000));
                pp_out_add_varint(out, PP_LINE_COLUMN, below(2));
                pp_out_end(out, line, 1);
            }
            add_attrs(out, PP_LOCATION_ATTRIBUTES, odd(s) ? below(4) : below(2));
        }
        pp_out_end(out, body, 1);
    }
}

static void add_stacks(struct pp_buf *out, const struct shape *s)
{
    for (uint32_t i = 0; i < s->stacks; i++) {
        size_t body = pp_out_begin(out, PP_DICTIONARY_STACK, 1);
        int32_t v[300];
        uint32_t n = i == 0 ? 0 : odd(s) ? below(300) : below(60);

        for (uint32_t k = 0; k < n; k++)
            v[k] = (int32_t)below(s->locations) + (odd(s) && one_in(40) ? 3 : 0);
        add_packed(out, PP_STACK_LOCATIONS, v, n);
        pp_out_end(out, body, 1);
    }
}

/* Forty attributes with ten keys, so that some lists break the rule. */
static void add_small_tables(struct pp_buf *out, const struct shape *s)
{
    for (uint32_t i = 0; i < 3; i++)
        pp_out_add_bytes(out, PP_DICTIONARY_MAPPING, (struct pp_str){0});
    for (uint32_t i = 0; i < 40; i++) {
        size_t body = pp_out_begin(out, PP_DICTIONARY_ATTRIBUTE, 1);

        pp_out_add_varint(out, PP_ATTRIBUTE_KEY, i ? i % (s->strings < 10 ? s->strings : 10) : 0);
        pp_out_end(out, body, 1);
    }
    for (uint32_t i = 0; i < 5; i++) {
        size_t body = pp_out_begin(out, PP_DICTIONARY_LINK, 1);

        if (i > 0) {
            pp_out_add_bytes(out, PP_LINK_TRACE_ID, PP_STR("0123456789abcdef"));
            pp_out_add_bytes(out, PP_LINK_SPAN_ID, odd(s) ? PP_STR("0123456") : PP_STR("01234567"));
        }
        pp_out_end(out, body, 1);
    }
}

static void add_dictionary(struct pp_buf *out, const struct shape *s)
{
    size_t body = pp_out_begin(out, PP_REQUEST_DICTIONARY, 3);

    add_small_tables(out, s);
    if (s->stacks_first)
        add_stacks(out, s);
    add_locations(out, s);
    add_functions(out, s);
    add_strings(out, s);
    if (!s->stacks_first)
        add_stacks(out, s);
    pp_out_end(out, body, 3);
}

static void add_sample(struct pp_buf *out, const struct shape *s)
{
    size_t body = pp_out_begin(out, PP_PROFILE_SAMPLES, 1);
    uint32_t points = odd(s) ? below(40) : 1 + below(3);
    int32_t values[41];
    uint64_t times[40] = {0};

    add_index(out, PP_SAMPLE_STACK, s->stacks, s);
    add_attrs(out, PP_SAMPLE_ATTRIBUTES, one_in(4) ? odd(s) ? below(6) : 0 : 1);
    if (one_in(5))
        add_index(out, PP_SAMPLE_LINK, 5, s);
    for (uint32_t i = 0; i < points; i++)
        values[i] = (int32_t)below(odd(s) ? INT32_MAX : 500);
    if (one_in(2) || points == 1)
        add_packed(out, PP_SAMPLE_VALUES, values, points - (odd(s) && one_in(9) && points));
    if (points > 1 || one_in(3))
        pp_out_add_bytes(out, PP_SAMPLE_TIMESTAMPS, (struct pp_str){(char *)times, 8 * points - (odd(s) && one_in(9) && points)});
    if (odd(s) && one_in(9))
        pp_out_add_varint(out, 9, 7); /* of a newer schema */
    pp_out_end(out, body, 1);
}

static void add_data(struct pp_buf *out, const struct shape *s)
{
    size_t resource = pp_out_begin(out, PP_REQUEST_RESOURCE_PROFILES, 3), scope, profile;

    scope = pp_out_begin(out, PP_RESOURCE_PROFILES_SCOPES, 3);
    profile = pp_out_begin(out, PP_SCOPE_PROFILES_PROFILES, 3);
    for (uint32_t i = 0; i < s->samples; i++)
        add_sample(out, s);
    pp_out_end(out, profile, 3);
    pp_out_end(out, scope, 3);
    pp_out_end(out, resource, 3);
}

static void make_message(struct pp_buf *out, const struct shape *s)
{
    pp_buf_reset(out);
    if (s->dictionary_first)
        add_dictionary(out, s);
    add_data(out, s);
    if (!s->dictionary_first)
        add_dictionary(out, s);
    assert_false(out->failed);
}

/* The message in a block of its own, so that a sanitizer sees reads behind the end. Whether it passed. */
static bool compare(struct pp_str message)
{
    struct pp_otlp_info info[2] = {0};
    struct pp_error err[2] = {0};
    char *copy = pp_malloc(message.n + 1);
    bool ok[2];

    memcpy(copy + 1, message.p, message.n);
    for (unsigned quick = 0; quick < 2; quick++)
        ok[quick] = check_message((struct pp_str){copy + 1, message.n}, PP_LAYOUT_AUTO, quick, &info[quick], &err[quick]);
    pp_free(copy);
    if (ok[0] != ok[1] || err[0].kind != err[1].kind || strcmp(err[0].message, err[1].message) != 0)
        fail_msg("long: %d %s, quick: %d %s", ok[0], err[0].message, ok[1], err[1].message);
    assert_memory_equal(&info[0], &info[1], sizeof(info[0]));
    return ok[0];
}

static void damage(struct pp_buf *message)
{
    size_t at[3];
    char was[3];
    unsigned n = 1 + below(3);

    for (unsigned i = 0; i < n; i++) {
        at[i] = below((uint32_t)message->len);
        was[i] = message->data[at[i]];
        message->data[at[i]] = (char)(one_in(2) ? was[i] ^ (1 << below(8)) : (int)below(256));
    }
    compare(pp_buf_str(message));
    for (unsigned i = n; i-- > 0;)
        message->data[at[i]] = was[i];
    compare((struct pp_str){message->data, below((uint32_t)message->len)});
}

static void test_same_verdict(void **unused)
{
    static const uint32_t sizes[] = {2, 20, 127, 128, 129, 300, 16384, 16500};
    struct pp_buf message;
    unsigned passed = 0;

    (void)unused;
    pp_buf_init(&message, 1u << 24);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct shape s = {.stacks_first = one_in(6), .dictionary_first = one_in(2), .odd = one_in(3) ? 0 : 5 + below(300)};
        unsigned large = round % 200 == 0 ? 8 : 6; /* the largest tables take their time */

        s.strings = sizes[below(large)];
        s.functions = sizes[below(6)];
        s.locations = sizes[below(large)];
        s.stacks = sizes[below(5)];
        s.samples = below(60);
        make_message(&message, &s);
        passed += compare(pp_buf_str(&message));
        for (unsigned i = 0; i < DAMAGES; i++)
            damage(&message);
    }
    pp_buf_done(&message);
    assert_true(passed > ROUNDS / 3);
    assert_true(passed < ROUNDS);
}

/* What is plain does go the quick way: all but the last entries, which have too little behind them. */
static void test_takes_what_is_plain(void **unused)
{
    struct shape s = {.strings = 200, .functions = 100, .locations = 150, .stacks = 90, .samples = 200};
    struct pp_buf message;
    struct check c = {.quick = true, .layout = PP_LAYOUT_1_10};
    uint32_t samples = 0;
    const uint8_t *start, *end, *at;

    (void)unused;
    pp_buf_init(&message, 1u << 20);
    for (unsigned i = 0; i < s.samples; i++)
        add_sample(&message, &s);
    for (unsigned t = 0; t < CHECK_TABLES; t++)
        c.limit[t] = 200;
    for (int i = 0; i < 200; i++)
        assert_true(pp_vec_push(&c.keys, i));
    c.keys_known = true;
    start = (const uint8_t *)message.data;
    c.end = end = start + message.len;
    at = check_quick_samples(&c, start, end, &samples);
    assert_true(end - at < (ptrdiff_t)(CHECK_QUICK_SLACK_BYTES + 2 + CHECK_QUICK_BYTES_MAX));
    assert_true(samples >= s.samples - CHECK_QUICK_SLACK_BYTES / 8);
    pp_vec_done(&c.keys);
    pp_buf_done(&message);
}

static bool packed_below_slowly(struct pp_wire w, uint32_t limit, uint32_t *count)
{
    uint64_t value;

    for (*count = 0; pp_wire_more(&w); ++*count)
        if (!pp_wire_varint(&w, &value) || value >= limit)
            return false;
    return true;
}

/* Packed arrays around every bound, all lengths: yes exactly when each value is good, as long as none takes more than three bytes. */
static void test_packed(void **unused)
{
    static const uint32_t limits[] = {1, 2, 100, 127, 128, 129, 200, 5000, 16383, 16384, 16385, 20000, 2000000, 1u << 21};
    uint8_t room[2 + 5000 * 4 + PP_WIRE_PACKED_SLACK_BYTES];

    (void)unused;
    for (unsigned round = 0; round < 60000; round++) {
        uint32_t limit = limits[below(sizeof(limits) / sizeof(limits[0]))], n = one_in(500) ? below(5000) : below(70), got = 0, want;
        uint8_t *p = room + 2;
        struct pp_wire w;
        bool ok;

        memset(room, round % 2 ? 0 : 0x7F, 2);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t value = one_in(3) ? limit - 1 - below(limit < 3 ? limit : 3) : below(limit);

            p = pp_out_varint(p, one_in(200) && round % 3 ? limit + below(200) : value);
        }
        memset(p, (int)below(256), PP_WIRE_PACKED_SLACK_BYTES);
        w = (struct pp_wire){room + 2, p};
        ok = packed_below_slowly(w, limit, &want);
#ifdef __SSE2__
        assert_int_equal(pp_wire_packed_below(w.p, (size_t)(w.end - w.p), limit, &got), ok);
#else
        assert_true(!pp_wire_packed_below(w.p, (size_t)(w.end - w.p), limit, &got) || ok);
        got = want;
#endif
        if (ok)
            assert_int_equal(got, want);
        if (n)
            p[-1] |= 0x80; /* cut short */
        assert_true(n == 0 || !pp_wire_packed_below(w.p, (size_t)(w.end - w.p), limit, &got));
    }
}

static void test_packed_count(void **unused)
{
    uint8_t room[400];

    (void)unused;
    for (unsigned round = 0; round < 60000; round++) {
        struct pp_wire w = {room, room}, slow;
        uint32_t n = below(30), got = 0, want = 0;
        uint64_t value;
        bool ok = true;

        for (uint32_t i = 0; i < n; i++)
            w.end = pp_out_varint((uint8_t *)w.end, (uint64_t)-1 >> below(64));
        if (one_in(3) && w.end > room)
            room[below((uint32_t)(w.end - room))] ^= 0x80;
        for (slow = w; ok && pp_wire_more(&slow); want++)
            ok = pp_wire_varint(&slow, &value);
        assert_int_equal(pp_wire_packed_count(w, &got), ok);
        if (ok)
            assert_int_equal(got, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_verdict),
        cmocka_unit_test(test_takes_what_is_plain),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_packed_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
