/* CRC-32C (Castagnoli), as framed snappy and the records of file_storage use it. */
#ifndef PP_BASE_CRC32C_H
#define PP_BASE_CRC32C_H

#include "base/str.h"

uint32_t pp_crc32c(struct pp_str s);
/* Goes on from the value for what stands before; 0 at the beginning. */
uint32_t pp_crc32c_more(uint32_t crc, struct pp_str s);

#endif
