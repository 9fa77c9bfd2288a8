#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define FILE_MODE 0640
#define NUMBER_DIGITS 20u
/* Header, head, body, padding. */
#define PARTS_OF_RECORD 4u
/* Done entries read or written at a time. */
#define DONE_ENTRIES 512u
/* Marks are made for this many records at least, in words of 64. */
#define MARKS_WORDS_MIN 4u

void pp_segment_name(uint64_t number, const char *suffix, char out[PP_SEGMENT_NAME_BYTES])
{
    snprintf(out, PP_SEGMENT_NAME_BYTES, "%020" PRIu64 "%s", number, suffix);
}

bool pp_segment_number(const char *name, const char *suffix, uint64_t *ret)
{
    if (strlen(name) != NUMBER_DIGITS + strlen(suffix) || strcmp(name + NUMBER_DIGITS, suffix) != 0)
        return false;
    return pp_str_to_u64((struct pp_str){name, NUMBER_DIGITS}, ret);
}

static bool fail(const struct pp_segment_folder *folder, const char *name, const char *doing, int error, struct pp_error *err)
{
    return pp_error_set(err, PP_ERR_IO, "%s/%s: cannot %s: %s", folder->path, name, doing, strerror(error));
}

static struct pp_segment *segment_new(uint64_t number)
{
    struct pp_segment *segment = pp_calloc(1, sizeof(*segment));

    if (!segment)
        return NULL;
    segment->header.number = number;
    segment->fd = -1;
    return segment;
}

void pp_segment_close(const struct pp_segment_folder *folder, struct pp_segment *segment)
{
    if (segment->fd >= 0)
        folder->ops->close(segment->fd);
    segment->fd = -1;
}

void pp_segment_free(const struct pp_segment_folder *folder, struct pp_segment *segment)
{
    if (!segment)
        return;
    pp_segment_close(folder, segment);
    pp_free(segment->marks);
    pp_free(segment);
}

bool pp_segment_reserve(struct pp_segment *segment, uint32_t records)
{
    uint32_t words = (records + 63) / 64;
    uint64_t *marks;

    if (words <= segment->marks_words)
        return true;
    if (words < segment->marks_words * 2)
        words = segment->marks_words * 2;
    if (words < MARKS_WORDS_MIN)
        words = MARKS_WORDS_MIN;
    marks = pp_reallocarray(segment->marks, words, sizeof(*marks));
    if (!marks)
        return false;
    memset(marks + segment->marks_words, 0, (words - segment->marks_words) * sizeof(*marks));
    segment->marks = marks;
    segment->marks_words = words;
    return true;
}

bool pp_segment_is_done(const struct pp_segment *segment, uint32_t ordinal)
{
    return ordinal / 64 < segment->marks_words && segment->marks[ordinal / 64] >> (ordinal % 64) & 1;
}

bool pp_segment_mark(struct pp_segment *segment, uint32_t ordinal)
{
    if (ordinal / 64 >= segment->marks_words || pp_segment_is_done(segment, ordinal))
        return false;
    segment->marks[ordinal / 64] |= 1ull << (ordinal % 64);
    return true;
}

static uint64_t random_nonce(void)
{
    uint64_t nonce;

    if (getrandom(&nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
        nonce = (uint64_t)(uintptr_t)&nonce ^ (uint64_t)getpid() << 32;
    return nonce;
}

bool pp_segment_create(const struct pp_segment_folder *folder, uint64_t number, struct pp_segment **ret, struct pp_error *err)
{
    struct pp_segment *segment = segment_new(number);
    char name[PP_SEGMENT_NAME_BYTES], done[PP_SEGMENT_NAME_BYTES], header[PP_SEGMENT_HEADER_BYTES];
    struct iovec part = {header, sizeof(header)};

    if (!segment)
        return pp_error_nomem(err);
    pp_segment_name(number, ".seg", name);
    pp_segment_name(number, ".done", done);
    folder->ops->unlink(folder->fd, done);
    segment->fd = folder->ops->open(folder->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (segment->fd < 0) {
        fail(folder, name, "make the file", errno, err);
        pp_segment_free(folder, segment);
        return false;
    }
    segment->header.nonce = random_nonce();
    pp_segment_header_write(&segment->header, header);
    if (!pp_file_write(folder->ops, segment->fd, &part, 1, 0)) {
        fail(folder, name, "write", errno, err);
        pp_segment_remove(folder, segment, NULL);
        return false;
    }
    segment->bytes = sizeof(header);
    *ret = segment;
    return true;
}

bool pp_segment_reopen(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_error *err)
{
    char name[PP_SEGMENT_NAME_BYTES];

    if (segment->fd >= 0)
        return true;
    pp_segment_name(segment->header.number, ".seg", name);
    segment->fd = folder->ops->open(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (segment->fd >= 0)
        return true;
    if (errno == ELOOP)
        return pp_error_set(err, PP_ERR_INVALID, "%s/%s: a symbolic link, left alone", folder->path, name);
    return fail(folder, name, "open", errno, err);
}

/* Marks from the done file; what is not whole there only means that a record comes again. */
static bool read_done(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_error *err)
{
    char name[PP_SEGMENT_NAME_BYTES], entries[DONE_ENTRIES * PP_DONE_ENTRY_BYTES];
    ssize_t n;
    int fd;

    pp_segment_name(segment->header.number, ".done", name);
    fd = folder->ops->open(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return errno == ENOENT || fail(folder, name, "open", errno, err);
    while ((n = pp_file_read(fd, entries, sizeof(entries), segment->done_bytes)) >= (ssize_t)PP_DONE_ENTRY_BYTES) {
        for (size_t at = 0; at + PP_DONE_ENTRY_BYTES <= (size_t)n; at += PP_DONE_ENTRY_BYTES) {
            uint32_t ordinal;

            if (!pp_done_entry_read((struct pp_str){entries + at, PP_DONE_ENTRY_BYTES}, segment->header.nonce, &ordinal))
                continue;
            if (!pp_segment_reserve(segment, ordinal + 1)) {
                folder->ops->close(fd);
                return pp_error_nomem(err);
            }
            pp_segment_mark(segment, ordinal);
        }
        segment->done_bytes += (uint64_t)n / PP_DONE_ENTRY_BYTES * PP_DONE_ENTRY_BYTES;
    }
    folder->ops->close(fd);
    return n >= 0 || fail(folder, name, "read", errno, err);
}

static bool read_header(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_error *err)
{
    char name[PP_SEGMENT_NAME_BYTES], bytes[PP_SEGMENT_HEADER_BYTES];
    struct pp_segment_header header;
    struct stat stat;
    ssize_t n;

    pp_segment_name(segment->header.number, ".seg", name);
    if (fstat(segment->fd, &stat) != 0)
        return fail(folder, name, "read", errno, err);
    if (!S_ISREG(stat.st_mode))
        return pp_error_set(err, PP_ERR_INVALID, "%s/%s: not a regular file, left alone", folder->path, name);
    n = pp_file_read(segment->fd, bytes, sizeof(bytes), 0);
    if (n < 0)
        return fail(folder, name, "read", errno, err);
    if (!pp_segment_header_read((struct pp_str){bytes, (size_t)n}, &header) || header.number != segment->header.number)
        return pp_error_set(err, PP_ERR_INVALID, "%s/%s: does not begin as a segment of that number does, %lld bytes are left alone",
                            folder->path, name, (long long)stat.st_size);
    segment->header = header;
    segment->bytes = (uint64_t)stat.st_size;
    return true;
}

bool pp_segment_open(const struct pp_segment_folder *folder, uint64_t number, struct pp_segment **ret, struct pp_error *err)
{
    struct pp_segment *segment = segment_new(number);

    if (!segment)
        return pp_error_nomem(err);
    segment->sealed = true;
    if (pp_segment_reopen(folder, segment, err) && read_header(folder, segment, err) && read_done(folder, segment, err)) {
        *ret = segment;
        return true;
    }
    pp_segment_free(folder, segment);
    return false;
}

bool pp_segment_keep(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_error *err)
{
    char name[PP_SEGMENT_NAME_BYTES], backup[PP_SEGMENT_NAME_BYTES];
    bool ok = true;

    pp_segment_name(segment->header.number, ".seg", name);
    pp_segment_name(segment->header.number, ".backup", backup);
    if (renameat(folder->fd, name, folder->fd, backup) != 0)
        ok = fail(folder, name, "rename", errno, err);
    pp_segment_name(segment->header.number, ".done", name);
    if (ok)
        folder->ops->unlink(folder->fd, name);
    pp_segment_free(folder, segment);
    return ok;
}

/* The marks last: without them the records would come again. */
bool pp_segment_remove(const struct pp_segment_folder *folder, struct pp_segment *segment, struct pp_error *err)
{
    char name[PP_SEGMENT_NAME_BYTES];
    bool ok = true;

    pp_segment_name(segment->header.number, ".seg", name);
    if (folder->ops->unlink(folder->fd, name) != 0 && errno != ENOENT)
        ok = fail(folder, name, "remove", errno, err);
    pp_segment_name(segment->header.number, ".done", name);
    if (ok && folder->ops->unlink(folder->fd, name) != 0 && errno != ENOENT)
        ok = fail(folder, name, "remove", errno, err);
    pp_segment_free(folder, segment);
    return ok;
}

static char padding[PP_RECORD_ALIGN];

/* Fills in the parts of all records, headers in `headers`; returns the bytes. */
static uint64_t make_parts(const struct pp_segment *segment, const struct pp_record_parts *records, size_t n,
                           char (*headers)[PP_RECORD_HEADER_BYTES], struct iovec *parts)
{
    uint64_t nonce = segment->header.nonce, total = 0;

    for (size_t i = 0; i < n; i++) {
        struct pp_record_header header = {
            .ordinal = segment->next_ordinal + (uint32_t)i,
            .head_bytes = (uint32_t)records[i].head.n,
            .body_bytes = (uint32_t)records[i].body.n,
            .head_crc = pp_record_crc(nonce, records[i].head),
            .body_crc = pp_record_crc(nonce, records[i].body),
        };
        uint64_t bytes = pp_record_bytes(&header);

        pp_record_header_write(&header, nonce, headers[i]);
        *parts++ = (struct iovec){headers[i], PP_RECORD_HEADER_BYTES};
        *parts++ = (struct iovec){(void *)records[i].head.p, records[i].head.n};
        *parts++ = (struct iovec){(void *)records[i].body.p, records[i].body.n};
        *parts++ = (struct iovec){padding, (size_t)(bytes - PP_RECORD_HEADER_BYTES - records[i].head.n - records[i].body.n)};
        total += bytes;
    }
    return total;
}

/* After a failed write or sync nobody knows what is on the disk: it is taken back, or else nothing follows it. */
static bool take_back(const struct pp_segment_folder *folder, struct pp_segment *segment, bool synced, int error, struct pp_error *err)
{
    char name[PP_SEGMENT_NAME_BYTES];

    if (folder->ops->ftruncate(segment->fd, (off_t)segment->bytes) != 0 || synced)
        segment->sealed = true;
    pp_segment_name(segment->header.number, ".seg", name);
    return fail(folder, name, synced ? "sync" : "write", error, err);
}

bool pp_segment_append(const struct pp_segment_folder *folder, struct pp_segment *segment, const struct pp_record_parts *records,
                       size_t n, bool sync, struct pp_error *err)
{
    PP_AUTOFREE char(*headers)[PP_RECORD_HEADER_BYTES] = pp_reallocarray(NULL, n, sizeof(*headers));
    PP_AUTOFREE struct iovec *parts = pp_reallocarray(NULL, n, PARTS_OF_RECORD * sizeof(*parts));
    uint64_t bytes;

    if (!headers || !parts || !pp_segment_reserve(segment, segment->next_ordinal + (uint32_t)n))
        return pp_error_nomem(err);
    bytes = make_parts(segment, records, n, headers, parts);
    if (!pp_file_write(folder->ops, segment->fd, parts, n * PARTS_OF_RECORD, segment->bytes))
        return take_back(folder, segment, false, errno, err);
    /* The kernel may forget after a failed sync what it could not write: this file takes no more. */
    if (sync && folder->ops->fdatasync(segment->fd) != 0)
        return take_back(folder, segment, true, errno, err);
    segment->bytes += bytes;
    segment->next_ordinal += (uint32_t)n;
    segment->live += (uint32_t)n;
    return true;
}

static bool write_entries(const struct pp_segment_folder *folder, struct pp_segment *segment, int fd, const uint32_t *ordinals, size_t n)
{
    char entries[DONE_ENTRIES * PP_DONE_ENTRY_BYTES];

    while (n > 0) {
        size_t k = n < DONE_ENTRIES ? n : DONE_ENTRIES;
        struct iovec part = {entries, k * PP_DONE_ENTRY_BYTES};

        for (size_t i = 0; i < k; i++)
            pp_done_entry_write(ordinals[i], segment->header.nonce, entries + i * PP_DONE_ENTRY_BYTES);
        if (!pp_file_write(folder->ops, fd, &part, 1, segment->done_bytes))
            return false;
        segment->done_bytes += k * PP_DONE_ENTRY_BYTES;
        ordinals += k;
        n -= k;
    }
    return true;
}

bool pp_segment_write_done(const struct pp_segment_folder *folder, struct pp_segment *segment, const uint32_t *ordinals, size_t n,
                           struct pp_error *err)
{
    char name[PP_SEGMENT_NAME_BYTES];
    bool ok;
    int fd;

    pp_segment_name(segment->header.number, ".done", name);
    fd = folder->ops->open(folder->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return fail(folder, name, "make the file", errno, err);
    ok = write_entries(folder, segment, fd, ordinals, n) || fail(folder, name, "write", errno, err);
    folder->ops->close(fd);
    return ok;
}
