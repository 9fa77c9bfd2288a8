/* Finding the records of a segment, also behind a place that is damaged. */
#ifndef PP_FILE_STORAGE_SEGMENT_SCAN_H
#define PP_FILE_STORAGE_SEGMENT_SCAN_H

#include "segment.h"

struct pp_segment_place {
    uint64_t at;      /* bytes from the file's beginning; 0: before the first record */
    uint32_t ordinal; /* none below it is expected any more */
};

enum pp_segment_found { PP_SEGMENT_FOUND, PP_SEGMENT_END, PP_SEGMENT_FAILED };

/* The record at `place` or, where no header stands, the first behind it; `place` moves to the record's beginning. What is left out is reported to `events`,
 * unless that is NULL. The whole record is within the file; its head and body have not been looked at. */
enum pp_segment_found pp_segment_find(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_segment_place *place,
                                      const struct pp_record_log_events *events, struct pp_record_header *ret, struct pp_error *err);
/* Behind that record. */
void pp_segment_pass(struct pp_segment_place *place, const struct pp_record_header *header);

/* Reads the head into `out` (emptied first). False with PP_ERR_INVALID when it is not what was written. */
bool pp_segment_read_head(const struct pp_segment_folder *folder, struct pp_segment *segment, const struct pp_segment_place *place,
                          const struct pp_record_header *header, struct pp_buf *out, struct pp_error *err);
/* Reads the body; one reference. False with PP_ERR_INVALID when it is not what was written. */
bool pp_segment_read_body(const struct pp_segment_folder *folder, struct pp_segment *segment, const struct pp_segment_place *place,
                          const struct pp_record_header *header, struct pp_bytes **ret, struct pp_error *err);

#endif
