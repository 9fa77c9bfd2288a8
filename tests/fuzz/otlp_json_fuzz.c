/* OTLP JSON: what is accepted is written out and read again to the same text. */
#include <assert.h>
#include <stdlib.h>

#include "profiles/otlp_json.h"

#define JSON_BYTES_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pp_buf write(struct pp_batch *batch)
{
    struct pp_buf out;

    pp_buf_init(&out, JSON_BYTES_MAX);
    if (!pp_batch_to_json(batch, &out, NULL))
        abort();
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_batch *batch = NULL, *again = NULL;
    struct pp_buf first, second;

    if (!pp_batch_from_json((struct pp_str){(const char *)data, size}, NULL, &batch, NULL))
        return 0;
    first = write(batch);
    if (!pp_batch_from_json(pp_buf_str(&first), NULL, &again, NULL))
        abort();
    second = write(again);
    assert(pp_str_eq(pp_buf_str(&first), pp_buf_str(&second)));
    pp_buf_done(&first);
    pp_buf_done(&second);
    pp_batch_unref(batch);
    pp_batch_unref(again);
    return 0;
}
