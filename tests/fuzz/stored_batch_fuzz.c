/* A record of a stored queue as its reader sees it once the checksums are right: the first two bytes are the head's length, then head and body. What can be
 * read must be written and read again as the same batch. */
#include <stdlib.h>

#include "pipeline/stored_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)
#define FIRST_BYTES 2u
#define HEAD_BYTES_MAX (1u << 20)
/* A head may claim any size; memory grows with what really comes out. */
#define WIRE_BYTES_MAX (16u << 20)

static void write_again(struct pp_batch *batch)
{
    struct pp_stored_info info;
    struct pp_batch *again = NULL;
    struct pp_bytes *body = NULL;
    struct pp_buf head;

    pp_buf_init(&head, HEAD_BYTES_MAX);
    REQUIRE(pp_stored_batch_write(batch, &head, &body, NULL));
    REQUIRE(pp_stored_batch_info(pp_buf_str(&head), &info, NULL));
    REQUIRE(info.samples == pp_batch_samples(batch) && info.wire_bytes == pp_batch_wire_bytes(batch));
    REQUIRE(pp_stored_batch_read(pp_buf_str(&head), body, &again, NULL));
    REQUIRE(pp_batch_samples(again) == pp_batch_samples(batch));
    REQUIRE(pp_str_eq(pp_context_peer(pp_batch_context(again)), pp_context_peer(pp_batch_context(batch))));
    pp_batch_unref(again);
    pp_bytes_unref(body);
    pp_buf_done(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_stored_info info;
    struct pp_batch *batch = NULL;
    struct pp_bytes *body;
    struct pp_str head;

    if (size < FIRST_BYTES)
        return 0;
    head = (struct pp_str){(const char *)data + FIRST_BYTES, (size_t)(data[0] | data[1] << 8)};
    if (head.n > size - FIRST_BYTES)
        head.n = size - FIRST_BYTES;
    if (!pp_stored_batch_info(head, &info, NULL) || info.wire_bytes > WIRE_BYTES_MAX)
        return 0;
    body = pp_bytes_copy((struct pp_str){head.p + head.n, size - FIRST_BYTES - head.n});
    REQUIRE(body);
    if (pp_stored_batch_read(head, body, &batch, NULL)) {
        write_again(batch);
        pp_batch_unref(batch);
    }
    pp_bytes_unref(body);
    return 0;
}
