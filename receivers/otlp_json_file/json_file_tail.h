/* One file that grows by lines: what is complete and not read yet. Survives rotation by renaming, and truncation. Not thread-safe. */
#ifndef PP_JSON_FILE_TAIL_H
#define PP_JSON_FILE_TAIL_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

#define PP_TAIL_READ_BYTES 65536u

struct pp_json_file_tail {
    char *path;
    int fd; /* stays open, so that what is written to a renamed file is still read */
    dev_t device;
    ino_t inode;
    off_t offset;         /* of the first byte not read from the file */
    struct pp_buf line;   /* read, not complete yet */
    size_t scanned;       /* of `line`: has no newline so far */
    bool passing_over;    /* in a line that is too long */
    bool present, fresh;  /* in the poll that runs */
};

bool pp_json_file_tail_open(struct pp_json_file_tail *tail, const char *path, bool from_end, size_t line_bytes_max, struct pp_error *err);
void pp_json_file_tail_close(struct pp_json_file_tail *tail);

enum pp_tail_result {
    PP_TAIL_LINE,    /* *ret_line is a whole line without its newline, valid until the next call on this tail */
    PP_TAIL_NO_MORE, /* for now */
    PP_TAIL_TOO_LONG, /* a line was longer than the limit and is passed over; go on */
    PP_TAIL_ERROR,
};

/* The next whole line. The line counts as read only after pp_json_file_tail_take. */
enum pp_tail_result pp_json_file_tail_next(struct pp_json_file_tail *tail, struct pp_str *ret_line, struct pp_error *err);
void pp_json_file_tail_take(struct pp_json_file_tail *tail);

/* A file that has become shorter was truncated: it is read from the beginning. */
void pp_json_file_tail_check(struct pp_json_file_tail *tail);
void pp_json_file_tail_rewind(struct pp_json_file_tail *tail);

#endif
