#include "segment_scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

/* Read at a time while looking for the next record behind damage. */
#define WINDOW_BYTES 65536u
#define REPORT_BYTES_MAX 512u

/* What a disk does not give back is lost like what it gives back wrong; without memory or descriptors one tries again. */
static bool is_lost(int error)
{
    return error != ENOMEM && error != EMFILE && error != ENFILE;
}

static void report(const struct pp_segment_folder *folder, struct pp_segment *segment, const struct pp_record_log_events *events,
                   enum pp_record_damage kind, uint64_t at, uint64_t bytes)
{
    char name[PP_SEGMENT_NAME_BYTES], text[REPORT_BYTES_MAX];

    segment->broken = segment->broken || kind == PP_RECORD_BROKEN;
    if (!events)
        return;
    pp_segment_name(segment->header.number, ".seg", name);
    snprintf(text, sizeof(text), kind == PP_RECORD_CUT_OFF ? "%s/%s: cut off within a record: the last %" PRIu64 " bytes, from offset %" PRIu64 ", are left out"
                                                           : "%s/%s: damaged: %" PRIu64 " bytes from offset %" PRIu64 " are left out",
             folder->path, name, bytes, at);
    events->damaged(events->arg, kind, text);
}

enum look { LOOK_WHOLE, LOOK_CUT_OFF, LOOK_NONE, LOOK_UNREADABLE };

/* A file that is shorter than it was ends where it ends now. */
static bool is_shorter(struct pp_segment *segment, uint64_t at, ssize_t n, size_t wanted)
{
    if (n < 0 || (size_t)n == wanted)
        return false;
    segment->bytes = at + (uint64_t)n;
    return true;
}

static enum look look(struct pp_segment *segment, const struct pp_segment_place *place, struct pp_record_header *ret)
{
    char bytes[PP_RECORD_HEADER_BYTES];
    uint64_t left = segment->bytes - place->at;
    ssize_t n;

    if (left < sizeof(bytes))
        return LOOK_CUT_OFF;
    n = pp_file_read(segment->fd, bytes, sizeof(bytes), place->at);
    if (n < 0)
        return LOOK_UNREADABLE;
    if (is_shorter(segment, place->at, n, sizeof(bytes)))
        return LOOK_CUT_OFF;
    if (!pp_record_header_read((struct pp_str){bytes, sizeof(bytes)}, segment->header.nonce, ret) || ret->ordinal < place->ordinal)
        return LOOK_NONE;
    return pp_record_bytes(ret) <= left ? LOOK_WHOLE : LOOK_CUT_OFF;
}

/* The next place behind `at` with a header, the file's end when there is none. False with errno. */
static bool resync(const struct pp_segment *segment, uint64_t at, uint64_t *ret)
{
    PP_AUTOFREE char *window = pp_malloc(WINDOW_BYTES);

    errno = ENOMEM;
    if (!window)
        return false;
    for (at += PP_RECORD_ALIGN; at + PP_RECORD_HEADER_BYTES <= segment->bytes; at += WINDOW_BYTES - PP_RECORD_HEADER_BYTES) {
        ssize_t n = pp_file_read(segment->fd, window, WINDOW_BYTES, at);
        size_t found;

        if (n < 0)
            return false;
        found = pp_record_find((struct pp_str){window, (size_t)n}, 0, segment->header.nonce);
        if (found < (size_t)n) {
            *ret = at + found;
            return true;
        }
        if (n < (ssize_t)WINDOW_BYTES)
            break;
    }
    *ret = segment->bytes;
    return true;
}

/* Moves `place` to the next whole record or the file's end; what it says of the first place. False with errno: try again. */
static bool seek(struct pp_segment *segment, struct pp_segment_place *place, struct pp_record_header *ret, enum look *ret_first)
{
    uint64_t first = place->at;

    while (place->at < segment->bytes) {
        enum look seen = look(segment, place, ret);
        bool ok = seen != LOOK_UNREADABLE;

        if (place->at == first)
            *ret_first = seen;
        if (seen == LOOK_WHOLE)
            return true;
        /* A header whose record is longer than the file may be damage's work too: what is behind it decides. */
        ok = ok && resync(segment, place->at, &place->at);
        if (!ok && !is_lost(errno))
            return false;
        if (!ok)
            place->at = segment->bytes;
    }
    return true;
}

enum pp_segment_found pp_segment_find(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_segment_place *place,
                                      const struct pp_record_log_events *events, struct pp_record_header *ret, struct pp_error *err)
{
    struct pp_segment_place start = place->at ? *place : (struct pp_segment_place){PP_SEGMENT_HEADER_BYTES, 0};
    uint64_t size = segment->bytes, end;
    enum look seen = LOOK_WHOLE;
    bool at_end;

    *place = start;
    if (start.at >= size)
        return PP_SEGMENT_END;
    if (!pp_segment_reopen(folder, segment, err)) {
        if (errno != ENOENT && errno != ELOOP)
            return PP_SEGMENT_FAILED;
        place->at = segment->bytes; /* somebody has removed it */
    } else if (!seek(segment, place, ret, &seen)) {
        *place = start;
        pp_error_nomem(err);
        return PP_SEGMENT_FAILED;
    }
    at_end = place->at >= segment->bytes;
    end = at_end ? size : place->at; /* the file may have become shorter meanwhile */
    if (end > start.at)
        report(folder, segment, events, at_end && seen == LOOK_CUT_OFF ? PP_RECORD_CUT_OFF : PP_RECORD_BROKEN, start.at, end - start.at);
    return at_end ? PP_SEGMENT_END : PP_SEGMENT_FOUND;
}

void pp_segment_pass(struct pp_segment_place *place, const struct pp_record_header *header)
{
    place->at += pp_record_bytes(header);
    place->ordinal = header->ordinal + 1;
}

static bool damaged(const struct pp_segment_folder *folder, struct pp_segment *segment, const struct pp_segment_place *place,
                    const struct pp_record_header *header, struct pp_error *err)
{
    char name[PP_SEGMENT_NAME_BYTES];

    segment->broken = true;
    pp_segment_name(segment->header.number, ".seg", name);
    return pp_error_set(err, PP_ERR_INVALID, "%s/%s: damaged: the record of %" PRIu64 " bytes at offset %" PRIu64 " is left out", folder->path, name,
                        pp_record_bytes(header), place->at);
}

/* Reads `size` bytes of the record; PP_ERR_INVALID when they are lost. */
static bool read_part(const struct pp_segment_folder *folder, struct pp_segment *segment, const struct pp_segment_place *place,
                      const struct pp_record_header *header, uint64_t at, char *to, size_t size, struct pp_error *err)
{
    ssize_t n = -1;

    if (pp_segment_reopen(folder, segment, err))
        n = pp_file_read(segment->fd, to, size, at);
    if (n == (ssize_t)size)
        return true;
    return n < 0 && !is_lost(errno) ? pp_error_nomem(err) : damaged(folder, segment, place, header, err);
}

bool pp_segment_read_head(const struct pp_segment_folder *folder, struct pp_segment *segment, const struct pp_segment_place *place,
                          const struct pp_record_header *header, struct pp_buf *out, struct pp_error *err)
{
    char *to;

    pp_buf_reset(out);
    to = pp_buf_reserve(out, header->head_bytes + 1);
    if (!to)
        return pp_error_nomem(err);
    if (!read_part(folder, segment, place, header, place->at + PP_RECORD_HEADER_BYTES, to, header->head_bytes, err))
        return false;
    out->len = header->head_bytes;
    return pp_record_crc(segment->header.nonce, pp_buf_str(out)) == header->head_crc || damaged(folder, segment, place, header, err);
}

bool pp_segment_read_body(const struct pp_segment_folder *folder, struct pp_segment *segment, const struct pp_segment_place *place,
                          const struct pp_record_header *header, struct pp_bytes **ret, struct pp_error *err)
{
    struct pp_bytes *body = pp_bytes_new(header->body_bytes);

    if (!body)
        return pp_error_nomem(err);
    if (read_part(folder, segment, place, header, place->at + PP_RECORD_HEADER_BYTES + header->head_bytes, body->data, header->body_bytes, err) &&
        (pp_record_crc(segment->header.nonce, pp_bytes_str(body)) == header->body_crc || damaged(folder, segment, place, header, err))) {
        *ret = body;
        return true;
    }
    pp_bytes_unref(body);
    return false;
}
