/* A small file with secrets (tokens, passwords), read again when it changes. */
#ifndef PP_PIPELINE_SECRET_FILE_H
#define PP_PIPELINE_SECRET_FILE_H

#include "base/error.h"
#include "base/str.h"

/* How often a file that is in use is looked at. */
#define PP_SECRET_FILE_CHECK_MS 1000u

struct pp_secret_file;

struct pp_secret_file_options {
    const char *path;   /* borrowed, as all of these */
    size_t bytes_max;   /* a longer file is refused */
    const char *log_id; /* of the component */
    /* What to do with the content, which is wiped when this returns. False: it is not what it should be; what was there before goes on being used. Called
     * by one thread at a time. */
    bool (*on_content)(void *arg, struct pp_str content, struct pp_error *err);
    void *arg;
};

/* Reads nothing yet. NULL when memory is out. */
struct pp_secret_file *pp_secret_file_new(const struct pp_secret_file_options *options);
void pp_secret_file_free(struct pp_secret_file *file);

/* Reads it now. The error says which file and why. */
bool pp_secret_file_load(struct pp_secret_file *file, struct pp_error *err);
/* Called before each use, by any thread: at most once a second looks whether the file has changed (a file put in its place, a symbolic link turned over, a
 * write), and reads it if so. A file that went away or broke is logged once; its last good content stays in use. */
void pp_secret_file_poll(struct pp_secret_file *file);

#endif
