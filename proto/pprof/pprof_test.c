#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "pprof/pprof.h"

#define BYTES_MAX ((size_t)1 << 20)

/* Messages written by hand, so that the decoder is not tested against our encoder alone. */
static void put(struct pp_buf *buf, const char *bytes, size_t n)
{
    assert_true(pp_buf_add(buf, bytes, n));
}
#define PUT(buf, literal) put((buf), (literal), sizeof(literal) - 1)

static void put_strings(struct pp_buf *buf)
{
    PUT(buf, "\x32\x00\x32\x03"
             "cpu\x32\x02ns\x32\x04main\x32\x04read\x32\x03key\x32\x01v");
}
enum { S_CPU = 1, S_NS, S_MAIN, S_READ, S_KEY, S_V };

static void put_valid(struct pp_buf *buf)
{
    PUT(buf, "\x0a\x04\x08\x01\x10\x02");                     /* sample type cpu/ns */
    PUT(buf, "\x12\x0c\x08\x07\x08\x05\x10\x2a\x1a\x04\x08\x05\x10\x06"); /* sample: locations 7, 5 unpacked; value 42; label */
    PUT(buf, "\x12\x07\x0a\x02\x07\x05\x12\x01\x03");         /* sample: packed locations, packed value 3 */
    PUT(buf, "\x22\x0b\x08\x07\x18\x80\x20\x22\x04\x08\x09\x10\x0c"); /* location 7: address 0x1000, function 9 line 12 */
    PUT(buf, "\x22\x02\x08\x05");                             /* location 5 */
    PUT(buf, "\x2a\x06\x08\x09\x10\x03\x18\x04");             /* function 9 */
    PUT(buf, "\x6a\x02\x01\x02");                             /* comments, packed */
    put_strings(buf);
    PUT(buf, "\x48\x05\x50\x07\x5a\x04\x08\x01\x10\x02\x60\x0a");
    PUT(buf, "\xa2\x06\x02zz"); /* unknown field 100 */
}

static void check_valid(const struct pp_pprof *p)
{
    assert_int_equal(p->sample_types.n, 1);
    assert_int_equal(p->samples.n, 2);
    assert_int_equal(p->samples.v[0].locations.n, 2);
    assert_int_equal(p->location_refs.v[0], 0);
    assert_int_equal(p->location_refs.v[1], 1);
    assert_int_equal(p->values.v[0], 42);
    assert_int_equal(p->values.v[1], 3);
    assert_int_equal(p->labels.n, 1);
    assert_int_equal(p->labels.v[0].key, S_KEY);
    assert_int_equal(p->labels.v[0].str, S_V);
    assert_int_equal(p->locations.v[0].address, 0x1000);
    assert_int_equal(p->locations.v[0].mapping, PP_PPROF_NONE);
    assert_int_equal(p->lines.v[0].line, 12);
    assert_int_equal(p->lines.v[0].function, 0);
    assert_int_equal(p->functions.v[0].id, 9);
    assert_int_equal(p->functions.v[0].system_name, S_READ);
    assert_int_equal(p->comments.n, 2);
    assert_int_equal(p->time_nanos, 5);
    assert_int_equal(p->duration_nanos, 7);
    assert_int_equal(p->period, 10);
    assert_int_equal(p->period_type.unit, S_NS);
}

static void test_round_trip(void **state)
{
    struct pp_buf buf, again, third;
    struct pp_pprof p, q;
    struct pp_error err = {0};

    (void)state;
    pp_buf_init(&buf, BYTES_MAX);
    pp_buf_init(&again, BYTES_MAX);
    pp_buf_init(&third, BYTES_MAX);
    put_valid(&buf);
    if (!pp_pprof_decode(pp_buf_str(&buf), &p, &err))
        fail_msg("%s", err.message);
    check_valid(&p);
    assert_true(pp_pprof_encode(&p, &again));
    if (!pp_pprof_decode(pp_buf_str(&again), &q, &err))
        fail_msg("%s", err.message);
    check_valid(&q);
    assert_true(pp_pprof_encode(&q, &third));
    assert_int_equal(again.len, third.len);
    assert_memory_equal(again.data, third.data, third.len);
    pp_pprof_done(&p);
    pp_pprof_done(&q);
    pp_buf_done(&buf);
    pp_buf_done(&again);
    pp_buf_done(&third);
}

static void test_errors(void **state)
{
    static const struct {
        struct pp_str more; /* behind a valid message */
        const char *want;
    } cases[] = {
        {PP_STR("\x48\x07"), "concatenated"},
        {PP_STR("\x38\x63"), "string index out of range"},
        {PP_STR("\x4a\x00"), "type mismatch"},
        {PP_STR("\x12\x04\x08\x63\x10\x01"), "nil location"},
        {PP_STR("\x12\x02\x08\x07"), "0 values vs. 1 types"},
        {PP_STR("\x22\x02\x08\x07"), "same id: 7"},
        {PP_STR("\x22\x00"), "reserved ID=0"},
        {PP_STR("\x22\x06\x08\x01\x22\x02\x08\x01"), "nil function"},
        {PP_STR("\x2a\x02\x08\x09"), "same id: 9"},
        {PP_STR("\x1a\x00"), "found mapping with reserved ID=0"},
        {PP_STR("\x12\x7f"), "cut short"},
        {PP_STR("\x60\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "cut short"},
        {PP_STR("\x07"), "bad field number"},
    };
    struct pp_pprof p = {0};
    struct pp_error err;

    (void)state;
    assert_false(pp_pprof_decode(PP_STR(""), &p, &err));
    assert_string_equal(err.message, "empty input file");
    assert_false(pp_pprof_decode(PP_STR("\x32\x01x"), &p, &err));
    assert_non_null(strstr(err.message, "string_table[0]"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pp_buf buf;

        pp_buf_init(&buf, BYTES_MAX);
        put_valid(&buf);
        pp_buf_add_str(&buf, cases[i].more);
        if (pp_pprof_decode(pp_buf_str(&buf), &p, &err))
            fail_msg("case %zu was taken", i);
        if (!strstr(err.message, cases[i].want))
            fail_msg("case %zu: %s", i, err.message);
        assert_int_equal(err.kind, PP_ERR_INVALID);
        pp_buf_done(&buf);
    }
}

/* Two bytes of input must not buy unlimited memory: empty entries are the worst there is. */
static void test_memory_limit(void **state)
{
    enum { ENTRIES = 400000 };
    struct pp_buf buf;
    struct pp_pprof p;
    struct pp_error err;

    (void)state;
    pp_buf_init(&buf, BYTES_MAX * 8);
    PUT(&buf, "\x32\x00");
    for (int i = 0; i < ENTRIES; i++)
        PUT(&buf, "\x0a\x00");
    assert_true(pp_pprof_decode(pp_buf_str(&buf), &p, &err));
    assert_int_equal(p.sample_types.n, ENTRIES);
    pp_pprof_done(&p);
    pp_buf_reset(&buf);
    for (int i = 0; i < ENTRIES; i++)
        PUT(&buf, "\x1a\x00");
    assert_false(pp_pprof_decode(pp_buf_str(&buf), &p, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    pp_buf_done(&buf);
}

/* Every cut of a valid message, and every single byte changed, is refused or read, never more. */
static void test_damaged(void **state)
{
    struct pp_buf buf;
    struct pp_pprof p;
    struct pp_error err;

    (void)state;
    pp_buf_init(&buf, BYTES_MAX);
    put_valid(&buf);
    for (size_t n = 0; n < buf.len; n++) {
        char *copy = malloc(n + 1);

        memcpy(copy, buf.data, n);
        if (pp_pprof_decode((struct pp_str){copy, n}, &p, &err))
            pp_pprof_done(&p);
        free(copy);
    }
    for (size_t i = 0; i < buf.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            buf.data[i] ^= (char)(1 << bit);
            if (pp_pprof_decode(pp_buf_str(&buf), &p, &err))
                pp_pprof_done(&p);
            buf.data[i] ^= (char)(1 << bit);
        }
    pp_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
