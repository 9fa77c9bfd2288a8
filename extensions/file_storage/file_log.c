#include "file_log.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"
#include "folder_lock.h"
#include "segment_scan.h"

/* An id is its segment's number and its place in there. */
#define ORDINAL_BITS 20u

static_assert(1u << ORDINAL_BITS == PP_SEGMENT_RECORDS_MAX, "ids hold every ordinal");

struct file_log {
    struct pp_record_log base; /* first */
    struct pp_segment_folder folder;
    const struct pp_record_log_events *events;
    char *path;
    int lock;
    bool sync, keep_broken;
    uint64_t bytes_max, segment_bytes;
    PP_VEC(struct pp_segment *) segments; /* by number; the last one takes records unless it is sealed */
    uint64_t next_number;
    uint64_t read_number; /* segments below it have been read */
    struct pp_segment_place place;
    struct pp_buf head;
    struct pp_record_log_stats stats;
    uint64_t unread;
};

static void log_close(struct pp_record_log *base)
{
    struct file_log *log = (struct file_log *)base;

    if (!log)
        return;
    for (size_t i = 0; i < log->segments.n; i++) {
        struct pp_segment *segment = log->segments.v[i];

        if (segment->live == 0)
            pp_segment_remove(&log->folder, segment, NULL);
        else
            pp_segment_free(&log->folder, segment);
    }
    pp_vec_done(&log->segments);
    pp_buf_done(&log->head);
    if (log->lock >= 0)
        close(log->lock);
    if (log->folder.fd >= 0)
        close(log->folder.fd);
    pp_free(log->path);
    pp_free(log);
}

static struct pp_segment *active(const struct file_log *log)
{
    struct pp_segment *last = log->segments.n ? log->segments.v[log->segments.n - 1] : NULL;

    return last && !last->sealed ? last : NULL;
}

/* The place of the first segment with that number or above. */
static size_t find_segment(const struct file_log *log, uint64_t number)
{
    size_t low = 0, high = log->segments.n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (log->segments.v[middle]->header.number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* All of its records are done: it goes. */
static bool drop_segment(struct file_log *log, size_t i, struct pp_error *err)
{
    struct pp_segment *segment = log->segments.v[i];

    memmove(&log->segments.v[i], &log->segments.v[i + 1], (log->segments.n - i - 1) * sizeof(segment));
    log->segments.n--;
    log->stats.bytes -= segment->bytes + segment->done_bytes;
    if (segment->broken && log->keep_broken)
        return pp_segment_keep(&log->folder, segment, err);
    return pp_segment_remove(&log->folder, segment, err);
}

static void seal(struct file_log *log, struct pp_segment *segment)
{
    segment->sealed = true;
    if (segment->live == 0)
        drop_segment(log, log->segments.n - 1, NULL);
    else if (segment->header.number != log->read_number)
        pp_segment_close(&log->folder, segment);
}

static bool start_segment(struct file_log *log, struct pp_error *err)
{
    struct pp_segment *segment;

    if (!pp_vec_reserve(&log->segments, 1))
        return pp_error_nomem(err);
    if (!pp_segment_create(&log->folder, log->next_number, &segment, err))
        return false;
    log->next_number++;
    log->segments.v[log->segments.n++] = segment;
    log->stats.bytes += segment->bytes;
    /* A file that is in no folder after a power cut is none. */
    if (log->sync && log->folder.ops->fsync(log->folder.fd) != 0) {
        pp_error_set(err, PP_ERR_IO, "%s: cannot sync the directory: %s", log->path, strerror(errno));
        seal(log, segment);
        return false;
    }
    return true;
}

static uint64_t group_bytes(const struct pp_record_parts *records, size_t n)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < n; i++) {
        struct pp_record_header header = {.head_bytes = (uint32_t)records[i].head.n, .body_bytes = (uint32_t)records[i].body.n};

        bytes += pp_record_bytes(&header);
    }
    return bytes;
}

/* Whether the group goes into the segment that is being written; a group is never spread. */
static bool fits(const struct file_log *log, const struct pp_segment *segment, uint64_t bytes, size_t n)
{
    return segment->next_ordinal == 0 ||
           (segment->bytes + bytes <= log->segment_bytes && segment->next_ordinal + n < PP_SEGMENT_RECORDS_MAX);
}

static bool make_room(struct file_log *log, uint64_t bytes, size_t n, struct pp_error *err)
{
    struct pp_segment *segment = active(log);

    if (segment && !fits(log, segment, bytes, n))
        seal(log, segment);
    if (!log->bytes_max || log->stats.bytes + PP_SEGMENT_HEADER_BYTES + bytes <= log->bytes_max)
        return true;
    /* What is done in the last segment gives way. */
    segment = active(log);
    if (segment && segment->live == 0)
        seal(log, segment);
    if (log->stats.bytes + PP_SEGMENT_HEADER_BYTES + bytes <= log->bytes_max)
        return true;
    return pp_error_set(err, PP_ERR_LIMIT, "%s: max_size of %llu bytes is reached", log->path, (unsigned long long)log->bytes_max);
}

static bool append_once(struct file_log *log, const struct pp_record_parts *records, size_t n, uint64_t *ret_ids, struct pp_error *err)
{
    struct pp_segment *segment;
    uint64_t before;
    uint32_t ordinal;

    if (!active(log) && !start_segment(log, err))
        return false;
    segment = active(log);
    before = segment->bytes;
    ordinal = segment->next_ordinal;
    if (!pp_segment_append(&log->folder, segment, records, n, log->sync, err)) {
        if (segment->sealed)
            seal(log, segment);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        ret_ids[i] = segment->header.number << ORDINAL_BITS | (ordinal + i);
    log->stats.bytes += segment->bytes - before;
    log->stats.records += n;
    log->unread += n;
    segment->unread += (uint32_t)n;
    return true;
}

static bool log_append(struct pp_record_log *base, const struct pp_record_parts *records, size_t n, uint64_t *ret_ids, struct pp_error *err)
{
    struct file_log *log = (struct file_log *)base;
    struct pp_segment *segment;

    for (size_t i = 0; i < n; i++)
        if (records[i].head.n > PP_RECORD_HEAD_BYTES_MAX || records[i].body.n > PP_RECORD_BODY_BYTES_MAX)
            return pp_error_set(err, PP_ERR_INVALID, "a record of %zu and %zu bytes is too large for the storage", records[i].head.n, records[i].body.n);
    if (!make_room(log, group_bytes(records, n), n, err))
        return false;
    if (append_once(log, records, n, ret_ids, err))
        return true;
    /* A full disk, and what is done still lies on it. */
    segment = active(log);
    if (!segment || segment->live > 0 || segment->next_ordinal == 0)
        return false;
    seal(log, segment);
    return append_once(log, records, n, ret_ids, err);
}

/* The segment that is read ends here: what was counted in it and not found is lost, and has been reported. False: it may get more. */
static bool leave_segment(struct file_log *log, size_t i)
{
    struct pp_segment *segment = log->segments.v[i];

    segment->live -= segment->unread;
    log->unread -= segment->unread;
    log->stats.records -= segment->unread;
    segment->unread = 0;
    if (!segment->sealed)
        return false;
    log->read_number = segment->header.number + 1;
    log->place = (struct pp_segment_place){0};
    if (segment->live == 0)
        drop_segment(log, i, NULL);
    else
        pp_segment_close(&log->folder, segment);
    return true;
}

static void hand_out(struct file_log *log, struct pp_segment *segment)
{
    segment->unread--;
    log->unread--;
}

static void give_up(struct file_log *log, struct pp_segment *segment, uint32_t ordinal, const struct pp_error *err)
{
    log->events->damaged(log->events->arg, PP_RECORD_BROKEN, err->message);
    if (!pp_segment_mark(segment, ordinal))
        return;
    segment->live--;
    log->stats.records--;
}

/* The record at log->place. PP_RECORD_END: go on behind it. */
static enum pp_record_read read_record(struct file_log *log, struct pp_segment *segment, const struct pp_record_header *header, struct pp_record *ret,
                                       struct pp_error *err)
{
    struct pp_record record = {.id = segment->header.number << ORDINAL_BITS | header->ordinal};
    struct pp_error problem = {0};
    bool has_head = pp_segment_read_head(&log->folder, segment, &log->place, header, &log->head, &problem);

    record.head = has_head ? pp_buf_str(&log->head) : PP_STR("");
    if (has_head && pp_segment_read_body(&log->folder, segment, &log->place, header, &record.body, &problem)) {
        hand_out(log, segment);
        *ret = record;
        return PP_RECORD_READ;
    }
    if (problem.kind != PP_ERR_INVALID) {
        if (err)
            *err = problem;
        return PP_RECORD_FAILED;
    }
    hand_out(log, segment);
    give_up(log, segment, header->ordinal, &problem);
    if (!has_head)
        return PP_RECORD_END;
    *ret = record;
    return PP_RECORD_DAMAGED;
}

static enum pp_record_read log_read(struct pp_record_log *base, struct pp_record *ret, struct pp_error *err)
{
    struct file_log *log = (struct file_log *)base;
    size_t i;

    while ((i = find_segment(log, log->read_number)) < log->segments.n) {
        struct pp_segment *segment = log->segments.v[i];
        struct pp_record_header header;
        enum pp_segment_found found;
        enum pp_record_read result = PP_RECORD_END;

        if (segment->header.number != log->read_number)
            log->place = (struct pp_segment_place){0};
        log->read_number = segment->header.number;
        found = segment->unread == 0 ? PP_SEGMENT_END
                                     : pp_segment_find(&log->folder, segment, &log->place, segment->looked_through ? NULL : log->events, &header, err);
        if (found == PP_SEGMENT_FAILED)
            return PP_RECORD_FAILED;
        if (found == PP_SEGMENT_END) {
            if (!leave_segment(log, i))
                return PP_RECORD_END;
            continue;
        }
        if (!pp_segment_is_done(segment, header.ordinal))
            result = read_record(log, segment, &header, ret, err);
        if (result == PP_RECORD_FAILED)
            return result;
        pp_segment_pass(&log->place, &header);
        if (result != PP_RECORD_END)
            return result;
    }
    return PP_RECORD_END;
}

static bool log_at_end(const struct pp_record_log *base)
{
    return ((const struct file_log *)base)->unread == 0;
}

static void log_skip(struct pp_record_log *base)
{
    struct file_log *log = (struct file_log *)base;
    struct pp_segment *last = log->segments.n ? log->segments.v[log->segments.n - 1] : NULL;

    for (size_t i = find_segment(log, log->read_number); i < log->segments.n; i++)
        log->segments.v[i]->unread = 0;
    log->unread = 0;
    if (!last)
        return;
    log->read_number = last->header.number;
    log->place = (struct pp_segment_place){last->bytes, last->next_ordinal};
}

/* Marks those of one segment; *ret_n of them were in it. */
static bool done_in_segment(struct file_log *log, const uint64_t *ids, size_t n, size_t *ret_n, struct pp_error *err)
{
    uint64_t number = ids[0] >> ORDINAL_BITS;
    size_t i = find_segment(log, number), marked = 0;
    struct pp_segment *segment = i < log->segments.n && log->segments.v[i]->header.number == number ? log->segments.v[i] : NULL;
    uint32_t ordinals[64];
    bool ok;

    for (*ret_n = 0; *ret_n < n && marked < sizeof(ordinals) / sizeof(ordinals[0]) && ids[*ret_n] >> ORDINAL_BITS == number; (*ret_n)++) {
        uint32_t ordinal = (uint32_t)ids[*ret_n] & (PP_SEGMENT_RECORDS_MAX - 1);

        if (segment && pp_segment_mark(segment, ordinal))
            ordinals[marked++] = ordinal;
    }
    if (marked == 0)
        return true;
    segment->live -= (uint32_t)marked;
    log->stats.records -= marked;
    if (segment->live == 0 && segment->sealed)
        return drop_segment(log, i, err);
    log->stats.bytes -= segment->done_bytes;
    ok = pp_segment_write_done(&log->folder, segment, ordinals, marked, err);
    log->stats.bytes += segment->done_bytes;
    return ok;
}

static bool log_done(struct pp_record_log *base, const uint64_t *ids, size_t n, struct pp_error *err)
{
    bool ok = true;

    while (n > 0) {
        size_t k;

        ok = done_in_segment((struct file_log *)base, ids, n, &k, err) && ok;
        ids += k;
        n -= k;
    }
    return ok;
}

static void log_stats(const struct pp_record_log *base, struct pp_record_log_stats *ret)
{
    *ret = ((const struct file_log *)base)->stats;
}

static const struct pp_record_log_ops ops = {
    .append = log_append,
    .read = log_read,
    .at_end = log_at_end,
    .skip = log_skip,
    .done = log_done,
    .stats = log_stats,
    .close = log_close,
};

static int by_number(const void *a, const void *b)
{
    const struct pp_segment *x = *(struct pp_segment *const *)a, *y = *(struct pp_segment *const *)b;

    return x->header.number < y->header.number ? -1 : x->header.number > y->header.number;
}

/* Counts what is there and not done. */
static bool look_through(struct file_log *log, struct pp_segment *segment, struct pp_error *err)
{
    struct pp_segment_place place = {0};
    struct pp_record_header header;
    enum pp_segment_found found;

    while ((found = pp_segment_find(&log->folder, segment, &place, log->events, &header, err)) == PP_SEGMENT_FOUND) {
        struct pp_error problem = {0};

        if (!pp_segment_reserve(segment, header.ordinal + 1))
            return pp_error_nomem(err);
        if (pp_segment_is_done(segment, header.ordinal)) {
            /* nothing to count */
        } else if (pp_segment_read_head(&log->folder, segment, &place, &header, &log->head, &problem)) {
            segment->live++;
            log->events->found(log->events->arg, pp_buf_str(&log->head));
        } else if (problem.kind == PP_ERR_INVALID) {
            log->events->damaged(log->events->arg, PP_RECORD_BROKEN, problem.message);
            pp_segment_mark(segment, header.ordinal);
        } else {
            if (err)
                *err = problem;
            return false;
        }
        pp_segment_pass(&place, &header);
    }
    segment->unread = segment->live;
    segment->looked_through = true;
    pp_segment_close(&log->folder, segment);
    return found == PP_SEGMENT_END;
}

static bool add_segment(struct file_log *log, uint64_t number, struct pp_error *err)
{
    struct pp_error problem = {0};
    struct pp_segment *segment;

    if (number >= log->next_number)
        log->next_number = number + 1;
    if (!pp_vec_reserve(&log->segments, 1))
        return pp_error_nomem(err);
    if (!pp_segment_open(&log->folder, number, &segment, &problem)) {
        if (problem.kind != PP_ERR_INVALID) {
            if (err)
                *err = problem;
            return false;
        }
        log->events->damaged(log->events->arg, PP_RECORD_FOREIGN, problem.message);
        return true;
    }
    pp_segment_close(&log->folder, segment); /* there may be more of them than descriptors */
    log->segments.v[log->segments.n++] = segment;
    return true;
}

/* The folder's segments in their order. */
static bool list_segments(struct file_log *log, struct pp_error *err)
{
    int fd = dup(log->folder.fd);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    bool ok = true;

    if (!dir) {
        pp_error_set(err, PP_ERR_IO, "%s: cannot list: %s", log->path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    rewinddir(dir);
    while (ok && (entry = readdir(dir))) {
        uint64_t number;

        if (pp_segment_number(entry->d_name, ".seg", &number) && number < UINT64_MAX >> ORDINAL_BITS)
            ok = add_segment(log, number, err);
        else if (pp_segment_number(entry->d_name, ".backup", &number) && number >= log->next_number && number < UINT64_MAX >> ORDINAL_BITS)
            log->next_number = number + 1;
    }
    closedir(dir);
    if (log->segments.n > 1)
        qsort(log->segments.v, log->segments.n, sizeof(log->segments.v[0]), by_number);
    return ok;
}

static bool recover(struct file_log *log, struct pp_error *err)
{
    if (!list_segments(log, err))
        return false;
    for (size_t i = 0; i < log->segments.n; i++) {
        struct pp_segment *segment = log->segments.v[i];

        if (!look_through(log, segment, err))
            return false;
        log->stats.bytes += segment->bytes + segment->done_bytes;
        log->stats.records += segment->live;
        log->unread += segment->live;
    }
    for (size_t i = log->segments.n; i-- > 0;)
        if (log->segments.v[i]->live == 0)
            drop_segment(log, i, NULL);
    return true;
}

static uint64_t segment_bytes(const struct pp_file_log_options *options)
{
    uint64_t bytes = options->segment_bytes ? options->segment_bytes : PP_SEGMENT_BYTES_DEFAULT;

    if (options->bytes_max && bytes > options->bytes_max / PP_SEGMENTS_PER_LOG_MIN)
        bytes = options->bytes_max / PP_SEGMENTS_PER_LOG_MIN;
    return bytes;
}

bool pp_file_log_open(const struct pp_file_log_options *options, const struct pp_record_log_events *events, struct pp_record_log **ret,
                      struct pp_error *err)
{
    struct file_log *log = pp_calloc(1, sizeof(*log));

    if (!log)
        return pp_error_nomem(err);
    *log = (struct file_log){
        .base = {&ops},
        .events = events,
        .path = pp_strdup(options->path),
        .lock = -1,
        .sync = options->sync,
        .keep_broken = options->keep_broken,
        .bytes_max = options->bytes_max,
        .segment_bytes = segment_bytes(options),
        .next_number = 1,
        .folder = {.fd = open(options->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .ops = options->ops ? options->ops : &pp_file_ops},
    };
    pp_buf_init(&log->head, PP_RECORD_HEAD_BYTES_MAX + 1);
    log->folder.path = log->path;
    if (!log->path)
        pp_error_nomem(err);
    else if (log->folder.fd < 0)
        pp_error_set(err, PP_ERR_IO, "%s: cannot open the directory: %s", options->path, strerror(errno));
    else if ((log->lock = pp_folder_lock(log->folder.fd, log->path, options->lock_timeout_ms, err)) >= 0 && recover(log, err)) {
        *ret = &log->base;
        return true;
    }
    /* Nothing that was found may go: not all of it has been looked at. */
    for (size_t i = 0; i < log->segments.n; i++)
        log->segments.v[i]->live++;
    log_close(&log->base);
    return false;
}
