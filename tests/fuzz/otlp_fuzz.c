/* OTLP protobuf: the first byte chooses the layout, the rest is the message. What passes the check must decode, survive an edit of everything
 * and a split, and give messages that pass the check again with as many samples. The check's quick way and its long one agree. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/batch.h"
#include "profiles/resource_edit.h"
#include "proto/otlp/check_state.h"

#define EDIT_ALL 0x7FFu
#define SPLIT_SAMPLES 3u
#define PARTS_MAX 64u /* of a split, to bound the time of one input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pp_encode_options inline_keys = {0}, by_reference = {.references = true};

struct parts {
    const struct pp_batch *whole;
    uint64_t samples;
    unsigned n;
};

/* `bounded`: the size told beforehand is a bound, which for a batch that is as it came holds for those bytes only. */
static void check_again(struct pp_batch *batch, const struct pp_encode_options *options, bool bounded)
{
    struct pp_batch_source source = {.layout = PP_LAYOUT_1_10};
    struct pp_batch *again;
    struct pp_error err = {0};

    if (!pp_batch_encode(batch, options, &source.wire, &err))
        abort();
    assert(!bounded || source.wire->len <= pp_batch_wire_bytes(batch));
    if (!pp_batch_from_otlp(&source, &again, &err))
        /* Re-encoded without padding the same entries may be over the limit on expansion; keys by reference to different entries with the same text
         * are told apart no more once they are inline. */
        assert(err.kind == PP_ERR_LIMIT || (err.kind == PP_ERR_INVALID && strstr(err.message, "two have the key")));
    else {
        assert(pp_batch_samples(again) == pp_batch_samples(batch));
        assert(pp_batch_profiles(again) == pp_batch_profiles(batch));
        pp_batch_unref(again);
    }
    pp_bytes_unref(source.wire);
}

static bool take_part(void *arg, struct pp_batch *part)
{
    struct parts *parts = arg;

    parts->samples += pp_batch_samples(part);
    assert(pp_batch_samples(part) <= SPLIT_SAMPLES);
    check_again(part, &inline_keys, part != parts->whole);
    pp_batch_unref(part);
    return ++parts->n < PARTS_MAX;
}

/* Every resource gets one attribute; then the other tables are asked for. */
static void edit_origins(const struct pp_batch *batch)
{
    struct pp_batch *other = pp_batch_ref((struct pp_batch *)batch);
    struct pp_tables *t = pp_batch_edit_origins(&other, NULL);

    if (!t)
        abort();
    for (uint32_t i = 0; i < t->resources.n; i++) {
        struct pp_resource_edit edit = {.tables = t, .resource = i};

        if (!pp_resource_set(&edit, PP_STR("set"), PP_STR("\x18\x01")))
            abort();
    }
    check_again(other, &inline_keys, true);
    if (!pp_batch_tables(other, NULL))
        abort();
    check_again(other, &inline_keys, false);
    pp_batch_unref(other);
}

/* The long way alone says the same as with the quick one. */
static void check_both_ways(struct pp_str message, enum pp_layout layout)
{
    struct pp_otlp_info info[2] = {0};
    struct pp_error err[2] = {0};
    bool ok[2];

    for (unsigned quick = 0; quick < 2; quick++)
        ok[quick] = check_message(message, layout, quick, &info[quick], &err[quick]);
    if (ok[0] != ok[1] || err[0].kind != err[1].kind || strcmp(err[0].message, err[1].message) != 0 ||
        memcmp(&info[0], &info[1], sizeof(info[0])) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pp_batch_limits limits = {.samples_max = SPLIT_SAMPLES};
    struct pp_batch_source source = {0};
    struct pp_batch *batch = NULL;
    struct parts parts = {0};
    uint64_t samples;

    if (size == 0)
        return 0;
    source.layout = (enum pp_layout)(data[0] % 4);
    source.wire = pp_bytes_copy((struct pp_str){(const char *)data + 1, size - 1});
    check_both_ways(pp_bytes_str(source.wire), source.layout);
    if (pp_batch_from_otlp(&source, &batch, NULL)) {
        samples = pp_batch_samples(batch);
        check_again(batch, &inline_keys, false);
        parts.whole = batch;
        if (!pp_batch_split(batch, &limits, take_part, &parts, NULL))
            abort();
        assert(parts.n == PARTS_MAX || parts.samples == samples);
        edit_origins(batch);
        if (!pp_batch_edit(&batch, EDIT_ALL, NULL))
            abort();
        check_again(batch, &inline_keys, true);
        check_again(batch, &by_reference, false);
        pp_batch_unref(batch);
    }
    pp_bytes_unref(source.wire);
    return 0;
}
