/* profile.proto (google/pprof) as flat tables: bytes in, tables out, and back. As strict and as lenient as google/pprof's reader.
 *
 * Entries refer to each other by position, not by id; ids are kept for those who write the profile again. Strings are slices of the message
 * that was decoded (or of whoever filled the tables), which must live as long as the profile. Slices need not be UTF-8: pprof's reader
 * does not ask for it. */
#ifndef PP_PPROF_PPROF_H
#define PP_PPROF_PPROF_H

#include "base/buf.h"
#include "base/error.h"
#include "base/vec.h"

#define PP_PPROF_NONE UINT32_MAX

/* Decoded tables may take this many bytes for one byte of the message, and PP_PPROF_BYTES_MIN beside; only a hostile message needs more. */
#define PP_PPROF_BYTES_PER_WIRE_BYTE 16u
#define PP_PPROF_BYTES_MIN ((size_t)1 << 20)
#define PP_PPROF_BYTES_MAX ((size_t)1 << 30) /* and never more than this */

struct pp_pprof_list {
    uint32_t first, n;
};

struct pp_pprof_value_type {
    uint32_t type, unit; /* strings */
};

/* Either `str` (a string) or `num` with `num_unit`. */
struct pp_pprof_label {
    uint32_t key, str, num_unit; /* strings; 0: not set */
    int64_t num;
};

struct pp_pprof_sample {
    struct pp_pprof_list locations; /* in location_refs, leaf first */
    struct pp_pprof_list values;    /* as many as sample types */
    struct pp_pprof_list labels;
};

struct pp_pprof_mapping {
    uint64_t id, memory_start, memory_limit, file_offset;
    uint32_t filename, build_id; /* strings */
    bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct pp_pprof_line {
    uint32_t function; /* position */
    int64_t line, column;
};

struct pp_pprof_location {
    uint64_t id, address;
    uint32_t mapping; /* position, or PP_PPROF_NONE */
    struct pp_pprof_list lines; /* innermost inlined function first */
    bool is_folded;
};

struct pp_pprof_function {
    uint64_t id;
    uint32_t name, system_name, filename; /* strings */
    int64_t start_line;
};

/* All zero is empty. */
struct pp_pprof {
    PP_VEC(struct pp_str) strings; /* strings.v[0] is "" */
    PP_VEC(struct pp_pprof_value_type) sample_types;
    PP_VEC(struct pp_pprof_sample) samples;
    PP_VEC(struct pp_pprof_mapping) mappings;
    PP_VEC(struct pp_pprof_location) locations;
    PP_VEC(struct pp_pprof_function) functions;
    PP_VEC(uint32_t) location_refs;
    PP_VEC(int64_t) values;
    PP_VEC(struct pp_pprof_label) labels;
    PP_VEC(struct pp_pprof_line) lines;
    PP_VEC(uint32_t) comments;                                        /* strings */
    uint32_t drop_frames, keep_frames, default_sample_type, doc_url;  /* strings; 0: not set */
    int64_t time_nanos, duration_nanos, period;
    struct pp_pprof_value_type period_type;
};

/* Decodes an uncompressed message. PP_ERR_INVALID names the rule that is broken, in google/pprof's words where it has them; PP_ERR_LIMIT past
 * the memory limit above. `ret` is to be given to pp_pprof_done; untouched on failure. */
bool pp_pprof_decode(struct pp_str wire, struct pp_pprof *ret, struct pp_error *err);
void pp_pprof_done(struct pp_pprof *profile);

/* Appends the encoded message (uncompressed). Written as google/pprof writes it: repeated numbers packed when there are more than two, field 14
 * always. False when `buf` is full or memory is out. */
bool pp_pprof_encode(const struct pp_pprof *profile, struct pp_buf *buf);

#endif
