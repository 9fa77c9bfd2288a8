#include "sink.h"

#include <string.h>
#include <zstd.h>

static uint32_t u32_little(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void body_add(struct body *body, const uint8_t *bytes, size_t len)
{
    if (body->len < HEAD_BYTES) {
        size_t room = HEAD_BYTES - (size_t)body->len;
        memcpy(body->head + body->len, bytes, len < room ? len : room);
    }
    if (len >= TAIL_BYTES) {
        memcpy(body->tail, bytes + len - TAIL_BYTES, TAIL_BYTES);
    } else if (len > 0) {
        memmove(body->tail, body->tail + len, TAIL_BYTES - len);
        memcpy(body->tail + TAIL_BYTES - len, bytes, len);
    }
    body->len += len;
}

/* Uncompressed length of what the body holds, as its own header or trailer gives it. */
static uint64_t payload_len(const struct body *body, size_t skip)
{
    const uint8_t *at = body->head + skip;
    uint64_t len = body->len > skip ? body->len - skip : 0;
    unsigned long long said;

    if (len < 18)
        return len;
    if (at[0] == 0x1f && at[1] == 0x8b)
        return u32_little(body->tail);
    if (u32_little(at) != ZSTD_MAGICNUMBER)
        return len;
    said = ZSTD_getFrameContentSize(at, HEAD_BYTES - skip);
    return said == ZSTD_CONTENTSIZE_UNKNOWN || said == ZSTD_CONTENTSIZE_ERROR ? 0 : said;
}

void sink_count(struct sink *sink, const struct body *body, size_t skip, uint64_t now_ns)
{
    if (sink->messages == 0)
        sink->first_ns = now_ns;
    sink->last_ns = now_ns;
    sink->messages++;
    __atomic_store_n(sink->arrived, sink->messages, __ATOMIC_RELAXED);
    sink->body_bytes += body->len > skip ? body->len - skip : 0;
    sink->payload_bytes += payload_len(body, skip);
    sink->limit_bytes += body->len;
}
