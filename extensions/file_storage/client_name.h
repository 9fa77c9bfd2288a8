/* The name of a client's folder, as the Collector's file_storage makes names out of components. */
#ifndef PP_FILE_STORAGE_CLIENT_NAME_H
#define PP_FILE_STORAGE_CLIENT_NAME_H

#include "base/buf.h"
#include "pipeline/record_log.h"

/* File names end at 255 bytes. */
#define PP_CLIENT_NAME_BYTES_MAX 255u

/* Adds "<kind>_<type>_<name>_<purpose>.queue", where a character of the name outside A-Z a-z 0-9 . - _ is '~' and its code point as four hex digits or
 * more ("a/b" is "a~002Fb"). The ending keeps it apart from the Collector's own files. A name that would be too long ends in a checksum. */
void pp_client_name(const struct pp_record_client *client, struct pp_buf *out);

#endif
