/* HTTP/2 frames from a fuzzer's bytes: their headers are written here, so that most inputs get past the framing. */
#ifndef PP_FUZZ_H2_FRAMES_H
#define PP_FUZZ_H2_FRAMES_H

#include "base/buf.h"

/* Frames stop being added when `out` is half full. */
#define H2_FRAMES_BYTES_MAX (1u << 20)

#define H2_DATA 0u
#define H2_HEADERS 1u
#define H2_SETTINGS 4u
#define H2_END_STREAM 1u
#define H2_END_HEADERS 4u

void h2_frame_add(struct pp_buf *out, unsigned type, unsigned flags, unsigned stream, struct pp_str payload);
/* A HEADERS frame; `fields` are names and values (under 128 bytes each) and NULL, written as literals that leave no trace in HPACK's table. */
void h2_headers_add(struct pp_buf *out, unsigned flags, unsigned stream, const char *const *fields);
/* Reads a list of: type, flags, stream, length (one byte each), payload. Types 14 and 15 are the HEADERS frames made of canned[0] and
 * canned[1]; with the top bit of the type the payload is 64 zeros for each of the length. */
void h2_frames_write(struct pp_buf *out, const char *const *const canned[2], const uint8_t *p, size_t n);

#endif
