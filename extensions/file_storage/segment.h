/* One file of records, and beside it the marks of those that are done. Written from front to end once, never changed, removed when all are done. */
#ifndef PP_FILE_STORAGE_SEGMENT_H
#define PP_FILE_STORAGE_SEGMENT_H

#include "base/buf.h"
#include "base/error.h"
#include "file_ops.h"
#include "pipeline/record_log.h"
#include "record_format.h"

#define PP_SEGMENT_NAME_BYTES 32u

/* The folder that segments are in. */
struct pp_segment_folder {
    int fd;
    const char *path; /* for people */
    const struct pp_file_ops *ops;
};

struct pp_segment {
    struct pp_segment_header header;
    int fd;               /* -1: closed */
    uint64_t bytes;       /* of the file, as far as it holds what was written */
    uint64_t done_bytes;  /* of the done file */
    uint32_t next_ordinal;
    uint32_t live;        /* records not done */
    uint32_t unread;      /* of these, not handed out yet */
    uint64_t *marks;      /* by ordinal: done */
    uint32_t marks_words;
    bool sealed;          /* nothing is appended any more */
    bool looked_through;  /* at open: what is broken has been reported */
    bool broken;
};

/* "00000000000000000017.seg", ".done" */
void pp_segment_name(uint64_t number, const char *suffix, char out[PP_SEGMENT_NAME_BYTES]);
bool pp_segment_number(const char *name, const char *suffix, uint64_t *ret);

/* Makes the file with its header, open for writing; what a lost predecessor of that number left beside it goes. */
bool pp_segment_create(const struct pp_segment_folder *folder, uint64_t number, struct pp_segment **ret, struct pp_error *err);
/* Opens an existing file and its marks for reading, counting nothing yet. PP_ERR_INVALID: it is not a segment. */
bool pp_segment_open(const struct pp_segment_folder *folder, uint64_t number, struct pp_segment **ret, struct pp_error *err);
/* Opens the file again for reading, if it is closed. */
bool pp_segment_reopen(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_error *err);
void pp_segment_close(const struct pp_segment_folder *folder, struct pp_segment *segment);
/* Frees it; the files stay. */
void pp_segment_free(const struct pp_segment_folder *folder, struct pp_segment *segment);
/* Removes the files and frees it, on failure too. */
bool pp_segment_remove(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_error *err);

/* Renames the file to "<number>.backup", and frees it, on failure too. */
bool pp_segment_keep(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_error *err);

/* Writes records at the end, with their data on the disk when `sync`; ordinals count up from segment->next_ordinal before. On failure none of them is there:
 * the file is cut back, or else sealed, with what cannot be taken back behind its end. */
bool pp_segment_append(const struct pp_segment_folder *folder, struct pp_segment *segment, const struct pp_record_parts *records,
                       size_t n, bool sync, struct pp_error *err);

/* Room for the marks of that many records, so that marking never needs memory. */
bool pp_segment_reserve(struct pp_segment *segment, uint32_t records);
bool pp_segment_is_done(const struct pp_segment *segment, uint32_t ordinal);
/* Marks it in memory; false when it was already. */
bool pp_segment_mark(struct pp_segment *segment, uint32_t ordinal);
/* Writes marks into the done file. */
bool pp_segment_write_done(const struct pp_segment_folder *folder, struct pp_segment *segment, const uint32_t *ordinals, size_t n,
                           struct pp_error *err);

#endif
