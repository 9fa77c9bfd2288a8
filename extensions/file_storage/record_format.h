/* What stands in a segment file. Bytes in, structs out, no I/O. All numbers little-endian.
 *
 *   segment   "PPSEGv1\n"  number:8  nonce:8  zero:4  crc:4 (of what stands before)
 *   record    "PREC"  crc:4 (of the 24 bytes behind)  ordinal:4  head_bytes:4  body_bytes:4  head_crc:4  body_crc:4  zero:4
 *             head  body  zeros up to a multiple of 8
 *   done file of a segment:  ordinal:4 crc:4, one for each record that is done
 *
 * Each CRC-32C starts from the segment's nonce, so that what an earlier file left on the disk never passes for a record of this one. */
#ifndef PP_FILE_STORAGE_RECORD_FORMAT_H
#define PP_FILE_STORAGE_RECORD_FORMAT_H

#include "base/str.h"

#define PP_SEGMENT_HEADER_BYTES 32u
#define PP_RECORD_HEADER_BYTES 32u
#define PP_RECORD_ALIGN 8u
#define PP_DONE_ENTRY_BYTES 8u
/* Records of one segment: bounds the memory for its marks. Power of two. */
#define PP_SEGMENT_RECORDS_MAX (1u << 20)

struct pp_segment_header {
    uint64_t number, nonce;
};

struct pp_record_header {
    uint32_t ordinal;
    uint32_t head_bytes, body_bytes;
    uint32_t head_crc, body_crc;
};

void pp_segment_header_write(const struct pp_segment_header *header, char out[PP_SEGMENT_HEADER_BYTES]);
/* False when these are not the first bytes of a segment. */
bool pp_segment_header_read(struct pp_str bytes, struct pp_segment_header *ret);

uint32_t pp_record_crc(uint64_t nonce, struct pp_str bytes);
void pp_record_header_write(const struct pp_record_header *header, uint64_t nonce, char out[PP_RECORD_HEADER_BYTES]);
/* False when no record begins here; sizes are within the limits of pipeline/record_log.h, the ordinal below PP_SEGMENT_RECORDS_MAX. */
bool pp_record_header_read(struct pp_str bytes, uint64_t nonce, struct pp_record_header *ret);
/* With header and padding. */
uint64_t pp_record_bytes(const struct pp_record_header *header);
/* The first place at or behind `from` (a multiple of PP_RECORD_ALIGN from the start of `bytes`) where a record's header stands whole; bytes.n when there
 * is none. */
size_t pp_record_find(struct pp_str bytes, size_t from, uint64_t nonce);

void pp_done_entry_write(uint32_t ordinal, uint64_t nonce, char out[PP_DONE_ENTRY_BYTES]);
bool pp_done_entry_read(struct pp_str bytes, uint64_t nonce, uint32_t *ret_ordinal);

#endif
