/* What a storage extension (PP_OFFERS_STORAGE) is to those who keep something over restarts: logs of records. A record is put at a log's end, read
 * back in order, and marked done in any order; what has not been marked is there again after the next open. */
#ifndef PP_PIPELINE_RECORD_LOG_H
#define PP_PIPELINE_RECORD_LOG_H

#include "base/bytes.h"
#include "base/error.h"

#define PP_RECORD_HEAD_BYTES_MAX (1u << 20)
#define PP_RECORD_BODY_BYTES_MAX (1u << 30)

/* What is written: a small head, which an open hands to its caller, and a body. */
struct pp_record_parts {
    struct pp_str head, body;
};

struct pp_record {
    uint64_t id;
    struct pp_str head;    /* borrowed until the next read */
    struct pp_bytes *body; /* one reference; NULL unless PP_RECORD_READ */
};

enum pp_record_read {
    PP_RECORD_READ,
    PP_RECORD_END,     /* nothing behind the last one that was read */
    PP_RECORD_DAMAGED, /* the head is whole, the body is not: it has been reported and marked done */
    PP_RECORD_FAILED,  /* the system or memory said no; the same record comes at the next try */
};

enum pp_record_damage {
    PP_RECORD_BROKEN,  /* bytes are not what was written */
    PP_RECORD_CUT_OFF, /* a file ends within a record: writing it was not finished, so that nobody was told it is kept, or the file was shortened */
    PP_RECORD_FOREIGN, /* a file is none of the log's; it stays */
};

/* What a log tells its client. Called by the thread that is in one of the log's functions. */
struct pp_record_log_events {
    void *arg;
    /* During open: there is a record that is not done. */
    void (*found)(void *arg, struct pp_str head);
    /* Something cannot be read: one line with file, place and size. */
    void (*damaged)(void *arg, enum pp_record_damage kind, const char *message);
};

struct pp_record_log_stats {
    uint64_t records; /* not done */
    uint64_t bytes;   /* on the disk, with what is done and not yet removed */
};

struct pp_record_log;

/* One thread at a time is in them; they block on the disk. */
struct pp_record_log_ops {
    /* Puts `n` records at the end, all or none of them, and returns when they will survive: the death of the process always, that of the machine where
     * the extension is set to that. PP_ERR_LIMIT: the log has reached its largest size; PP_ERR_IO, PP_ERR_NOMEM. */
    bool (*append)(struct pp_record_log *log, const struct pp_record_parts *records, size_t n, uint64_t *ret_ids, struct pp_error *err);
    /* The next record that is not done. Each is handed out once between open and close. */
    enum pp_record_read (*read)(struct pp_record_log *log, struct pp_record *ret, struct pp_error *err);
    /* Whether read would find nothing. */
    bool (*at_end)(const struct pp_record_log *log);
    /* Leaves what is there now out of what `read` gives: the caller has it in memory. */
    void (*skip)(struct pp_record_log *log);
    /* Marks records done. False when that could not be written down: then they may come again after a restart. */
    bool (*done)(struct pp_record_log *log, const uint64_t *ids, size_t n, struct pp_error *err);
    void (*stats)(const struct pp_record_log *log, struct pp_record_log_stats *ret);
    void (*close)(struct pp_record_log *log);
};

/* First member of what an extension makes. */
struct pp_record_log {
    const struct pp_record_log_ops *ops;
};

/* Whose log: names make the place on the disk, so that a restart finds it again. */
struct pp_record_client {
    const char *kind;    /* "exporter" */
    const char *id;      /* "otlp_grpc/central" */
    const char *purpose; /* "profiles": the signal of a queue */
};

/* The extension's interface. */
struct pp_record_store {
    /* Opens a client's log and looks through it; `events` lives as long as the log. The main thread. An error is one line: what, where, what to do. */
    bool (*open)(struct pp_record_store *store, const struct pp_record_client *client, const struct pp_record_log_events *events,
                 struct pp_record_log **ret, struct pp_error *err);
};

#endif
