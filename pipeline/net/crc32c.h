/* CRC-32C (Castagnoli), as framed snappy uses it. */
#ifndef PP_NET_CRC32C_H
#define PP_NET_CRC32C_H

#include "base/str.h"

uint32_t pp_crc32c(struct pp_str s);

#endif
