/* The files of file_storage: what a log makes of a segment and its done file, whatever is in them. The first byte says which checksums are made right
 * before (a fuzzer does not guess them), the next two where the done file begins, from the end. All that a log counts is handed out or told of as damaged; what is
 * handed out is marked done and does not come again. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_log.h"
#include "record_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPAIR_HEADERS = 1, REPAIR_HEADS = 2, REPAIR_BODIES = 4 };

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)
#define FIRST_BYTES 3u

static char folder[64];

struct told {
    unsigned found, damaged;
};

static void on_found(void *arg, struct pp_str head)
{
    (void)head;
    ((struct told *)arg)->found++;
}

static void on_damaged(void *arg, enum pp_record_damage kind, const char *message)
{
    (void)kind;
    REQUIRE(strlen(message) > 0);
    ((struct told *)arg)->damaged++;
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        perror(command);
}

static void make_folder(void)
{
    if (folder[0])
        return;
    snprintf(folder, sizeof(folder), "%s/pp-storage-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    REQUIRE(mkdtemp(folder));
    atexit(remove_folder);
}

static void write_file(const char *name, const char *data, size_t size)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static uint32_t get4(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/* The header of the record at `p`, where its magic stands, with checksums that fit what is there. */
static void repair_record(char *p, size_t left, uint64_t nonce, unsigned what)
{
    struct pp_record_header header = {get4(p + 8), get4(p + 12), get4(p + 16), get4(p + 20), get4(p + 24)};
    uint64_t room = left - PP_RECORD_HEADER_BYTES;

    if (what & REPAIR_HEADS && header.head_bytes <= room)
        header.head_crc = pp_record_crc(nonce, (struct pp_str){p + PP_RECORD_HEADER_BYTES, header.head_bytes});
    if (what & REPAIR_BODIES && (uint64_t)header.head_bytes + header.body_bytes <= room)
        header.body_crc = pp_record_crc(nonce, (struct pp_str){p + PP_RECORD_HEADER_BYTES + header.head_bytes, header.body_bytes});
    pp_record_header_write(&header, nonce, p);
}

static void repair(char *data, size_t size, unsigned what)
{
    struct pp_segment_header header = {1, 0x1122334455667788u};

    if (size < PP_SEGMENT_HEADER_BYTES || !(what & REPAIR_HEADERS))
        return;
    pp_segment_header_write(&header, data);
    for (size_t at = PP_SEGMENT_HEADER_BYTES; at + PP_RECORD_HEADER_BYTES <= size; at += PP_RECORD_ALIGN)
        if (memcmp(data + at, "PREC", 4) == 0)
            repair_record(data + at, size - at, header.nonce, what);
}

static struct pp_record_log *open_log(struct told *told, struct pp_record_log_events *events)
{
    struct pp_file_log_options options = {.path = folder};
    struct pp_record_log *log = NULL;

    *told = (struct told){0};
    *events = (struct pp_record_log_events){told, on_found, on_damaged};
    REQUIRE(pp_file_log_open(&options, events, &log, NULL));
    return log;
}

/* Reads everything and marks it done. */
static void drain(struct pp_record_log *log, const struct told *told)
{
    struct pp_record_log_stats stats;
    struct pp_record record;
    unsigned read = 0, damaged = 0;
    enum pp_record_read result;

    log->ops->stats(log, &stats);
    REQUIRE(stats.records == told->found);
    while ((result = log->ops->read(log, &record, NULL)) != PP_RECORD_END) {
        REQUIRE(result != PP_RECORD_FAILED);
        if (result == PP_RECORD_DAMAGED) {
            damaged++;
            continue;
        }
        read++;
        pp_bytes_unref(record.body);
        REQUIRE(log->ops->done(log, &record.id, 1, NULL));
    }
    REQUIRE(read + damaged == told->found);
    REQUIRE(log->ops->at_end(log));
    log->ops->stats(log, &stats);
    REQUIRE(stats.records == 0 && stats.bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pp_record_parts parts = {PP_STR("head"), PP_STR("body")};
    struct pp_record_log_events events;
    struct pp_record_log *log;
    struct told told;
    size_t done_bytes;
    uint64_t id;
    char *copy;

    if (size < FIRST_BYTES)
        return 0;
    make_folder();
    copy = malloc(size);
    REQUIRE(copy);
    memcpy(copy, data, size);
    size -= FIRST_BYTES;
    done_bytes = (size_t)(data[1] | data[2] << 8) % (size + 1);
    repair(copy + FIRST_BYTES, size - done_bytes, data[0]);
    write_file("00000000000000000001.seg", copy + FIRST_BYTES, size - done_bytes);
    write_file("00000000000000000001.done", copy + FIRST_BYTES + size - done_bytes, done_bytes);
    free(copy);
    log = open_log(&told, &events);
    drain(log, &told);
    REQUIRE(log->ops->append(log, &parts, 1, &id, NULL));
    log->ops->close(log);
    log = open_log(&told, &events);
    REQUIRE(told.found == 1);
    drain(log, &told);
    log->ops->close(log);
    return 0;
}
