#include "record_format.h"

#include "base/crc32c.h"
#include "pipeline/record_log.h"

static const char segment_magic[8] = "PPSEGv1\n";
static const char record_magic[4] = "PREC";

#define SEGMENT_CRC_AT (PP_SEGMENT_HEADER_BYTES - 4)
#define RECORD_CRC_AT 4u
#define RECORD_CRC_FROM 8u

static void put(char *out, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (char)(value >> (8 * i));
}

static uint64_t get(const char *in, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)in[i] << (8 * i);
    return value;
}

void pp_segment_header_write(const struct pp_segment_header *header, char out[PP_SEGMENT_HEADER_BYTES])
{
    memset(out, 0, PP_SEGMENT_HEADER_BYTES);
    memcpy(out, segment_magic, sizeof(segment_magic));
    put(out + 8, 8, header->number);
    put(out + 16, 8, header->nonce);
    put(out + SEGMENT_CRC_AT, 4, pp_crc32c((struct pp_str){out, SEGMENT_CRC_AT}));
}

bool pp_segment_header_read(struct pp_str bytes, struct pp_segment_header *ret)
{
    if (bytes.n < PP_SEGMENT_HEADER_BYTES || memcmp(bytes.p, segment_magic, sizeof(segment_magic)) != 0 ||
        get(bytes.p + SEGMENT_CRC_AT, 4) != pp_crc32c((struct pp_str){bytes.p, SEGMENT_CRC_AT}))
        return false;
    *ret = (struct pp_segment_header){get(bytes.p + 8, 8), get(bytes.p + 16, 8)};
    return true;
}

uint32_t pp_record_crc(uint64_t nonce, struct pp_str bytes)
{
    char start[8];

    put(start, sizeof(start), nonce);
    return pp_crc32c_more(pp_crc32c((struct pp_str){start, sizeof(start)}), bytes);
}

static uint32_t header_crc(const char *in, uint64_t nonce)
{
    return pp_record_crc(nonce, (struct pp_str){in + RECORD_CRC_FROM, PP_RECORD_HEADER_BYTES - RECORD_CRC_FROM});
}

void pp_record_header_write(const struct pp_record_header *header, uint64_t nonce, char out[PP_RECORD_HEADER_BYTES])
{
    memset(out, 0, PP_RECORD_HEADER_BYTES);
    memcpy(out, record_magic, sizeof(record_magic));
    put(out + 8, 4, header->ordinal);
    put(out + 12, 4, header->head_bytes);
    put(out + 16, 4, header->body_bytes);
    put(out + 20, 4, header->head_crc);
    put(out + 24, 4, header->body_crc);
    put(out + RECORD_CRC_AT, 4, header_crc(out, nonce));
}

bool pp_record_header_read(struct pp_str bytes, uint64_t nonce, struct pp_record_header *ret)
{
    struct pp_record_header header;

    if (bytes.n < PP_RECORD_HEADER_BYTES || memcmp(bytes.p, record_magic, sizeof(record_magic)) != 0 ||
        get(bytes.p + RECORD_CRC_AT, 4) != header_crc(bytes.p, nonce))
        return false;
    header = (struct pp_record_header){
        .ordinal = (uint32_t)get(bytes.p + 8, 4),
        .head_bytes = (uint32_t)get(bytes.p + 12, 4),
        .body_bytes = (uint32_t)get(bytes.p + 16, 4),
        .head_crc = (uint32_t)get(bytes.p + 20, 4),
        .body_crc = (uint32_t)get(bytes.p + 24, 4),
    };
    if (header.head_bytes > PP_RECORD_HEAD_BYTES_MAX || header.body_bytes > PP_RECORD_BODY_BYTES_MAX ||
        header.ordinal >= PP_SEGMENT_RECORDS_MAX)
        return false;
    *ret = header;
    return true;
}

uint64_t pp_record_bytes(const struct pp_record_header *header)
{
    uint64_t bytes = (uint64_t)PP_RECORD_HEADER_BYTES + header->head_bytes + header->body_bytes;

    return (bytes + PP_RECORD_ALIGN - 1) / PP_RECORD_ALIGN * PP_RECORD_ALIGN;
}

size_t pp_record_find(struct pp_str bytes, size_t from, uint64_t nonce)
{
    struct pp_record_header header;

    for (size_t at = from; at + PP_RECORD_HEADER_BYTES <= bytes.n; at += PP_RECORD_ALIGN)
        if (pp_record_header_read((struct pp_str){bytes.p + at, bytes.n - at}, nonce, &header))
            return at;
    return bytes.n;
}

static uint32_t done_crc(const char *in, uint64_t nonce)
{
    return pp_record_crc(nonce, (struct pp_str){in, 4});
}

void pp_done_entry_write(uint32_t ordinal, uint64_t nonce, char out[PP_DONE_ENTRY_BYTES])
{
    put(out, 4, ordinal);
    put(out + 4, 4, done_crc(out, nonce));
}

bool pp_done_entry_read(struct pp_str bytes, uint64_t nonce, uint32_t *ret_ordinal)
{
    uint64_t ordinal;

    if (bytes.n < PP_DONE_ENTRY_BYTES || get(bytes.p + 4, 4) != done_crc(bytes.p, nonce))
        return false;
    ordinal = get(bytes.p, 4);
    if (ordinal >= PP_SEGMENT_RECORDS_MAX)
        return false;
    *ret_ordinal = (uint32_t)ordinal;
    return true;
}
