/* One file that messages are added to: buffered, rotated by size, and never left with half a message. Not thread-safe. */
#ifndef PP_FILE_STREAM_H
#define PP_FILE_STREAM_H

#include "base/buf.h"
#include "base/error.h"
#include "file_config.h"

#define PP_FILE_BUFFER_BYTES (256u << 10)

struct pp_file_stream {
    char *path;
    const struct pp_file_config *config;
    int fd;                /* -1: not open */
    uint64_t size;         /* of the file, without what is buffered */
    struct pp_buf pending; /* whole messages, not written yet */
};

/* Opens (`append`: keeps what is there) or fails with one line. `path` is copied. */
bool pp_file_stream_open(struct pp_file_stream *stream, const struct pp_file_config *config, const char *path, bool append, struct pp_error *err);

/* Adds one message, framed as the format asks: a line for uncompressed JSON, else a 4-byte big-endian length before it. Writes at once when the buffer is full or
 * flush_interval is 0. On failure (disk full) the message is not in the file nor in the buffer: the caller may offer it again. */
bool pp_file_stream_add(struct pp_file_stream *stream, struct pp_str message, struct pp_error *err);

/* Writes what is buffered; where the file has been renamed or removed meanwhile, to a new one at the path. On failure it stays buffered, and the file ends with a whole message; if even that cannot be had, what is written stays and
 * the rest follows it next time. */
bool pp_file_stream_flush(struct pp_file_stream *stream, struct pp_error *err);

/* Flushes and closes; the error is the flush's. Frees everything in any case: what could not be written is added to *lost_bytes. */
bool pp_file_stream_close(struct pp_file_stream *stream, uint64_t *lost_bytes, struct pp_error *err);

#endif
