#include "messages.h"

#include <dirent.h>
#include <errno.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "bench_net.h"

#define GZIP_LEVEL 6 /* what senders use where nobody chose one */
#define ZSTD_LEVEL 3
#define MESSAGES_MAX 4096

static const char *const names[] = {"none", "gzip", "zstd"};

enum encoding encoding_named(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0)
            return (enum encoding)i;
    }
    errno = EINVAL;
    bench_die(name);
}

const char *encoding_name(enum encoding encoding)
{
    return names[encoding];
}

static uint8_t *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    long len;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0)
        bench_die(path);
    rewind(file);
    bytes = bench_alloc((size_t)len, 1);
    if (fread(bytes, 1, (size_t)len, file) != (size_t)len)
        bench_die(path);
    fclose(file);
    *ret_len = (size_t)len;
    return bytes;
}

static size_t compress_to(uint8_t *out, size_t room, const uint8_t *in, size_t len, enum encoding encoding)
{
    struct libdeflate_compressor *compressor;
    size_t made;

    if (encoding == ENCODING_ZSTD) {
        made = ZSTD_compress(out, room, in, len, ZSTD_LEVEL);
        return ZSTD_isError(made) ? 0 : made;
    }
    compressor = libdeflate_alloc_compressor(GZIP_LEVEL);
    made = compressor ? libdeflate_gzip_compress(compressor, in, len, out, room) : 0;
    libdeflate_free_compressor(compressor);
    return made;
}

static struct message message_make(uint8_t *payload, size_t len, enum encoding encoding, size_t prefix_len)
{
    size_t room = prefix_len + len + len / 8 + 1024;
    struct message m = {.body = bench_alloc(room, 1), .payload_len = len};
    size_t made = len;

    if (encoding == ENCODING_NONE)
        memcpy(m.body + prefix_len, payload, len);
    else
        made = compress_to(m.body + prefix_len, room - prefix_len, payload, len, encoding);
    if (made == 0 && len > 0)
        bench_die("compression");
    if (prefix_len > 0) {
        m.body[0] = encoding != ENCODING_NONE;
        for (int i = 0; i < 4; i++)
            m.body[1 + i] = (uint8_t)(made >> (24 - 8 * i));
    }
    m.body_len = prefix_len + made;
    return m;
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

struct messages messages_load(const char *folder, enum encoding encoding, size_t prefix_len)
{
    struct messages all = {.encoding = encoding};
    struct dirent **entries;
    int n = scandir(folder, &entries, is_file, alphasort);

    if (n <= 0 || n > MESSAGES_MAX)
        bench_die(folder);
    all.items = bench_alloc((size_t)n, sizeof *all.items);
    for (int i = 0; i < n; i++) {
        char path[4096];
        size_t len;
        uint8_t *payload;

        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        payload = read_file(path, &len);
        all.items[all.n++] = message_make(payload, len, encoding, prefix_len);
        free(payload);
        free(entries[i]);
    }
    free(entries);
    return all;
}
