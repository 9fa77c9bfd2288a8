/* OTLP JSON: what is accepted is written out and read again to the same text. One way of breaking a rule shows only then: two attributes whose keys are
 * references to different entries of the string table with the same text (the table may hold duplicates, proto/otlp/README.md). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

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
    struct pp_error err = {0};

    if (!pp_batch_from_json((struct pp_str){(const char *)data, size}, NULL, &batch, NULL))
        return 0;
    first = write(batch);
    if (pp_batch_from_json(pp_buf_str(&first), NULL, &again, &err)) {
        second = write(again);
        assert(pp_str_eq(pp_buf_str(&first), pp_buf_str(&second)));
        pp_buf_done(&second);
    } else {
        assert(err.kind == PP_ERR_INVALID && strstr(err.message, "two have the key"));
    }
    pp_buf_done(&first);
    pp_batch_unref(batch);
    pp_batch_unref(again);
    return 0;
}
