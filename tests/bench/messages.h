/* The bodies a load consists of, compressed once before anything is measured. */
#ifndef BENCH_MESSAGES_H
#define BENCH_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

enum encoding { ENCODING_NONE, ENCODING_GZIP, ENCODING_ZSTD };

struct message {
    uint8_t *body;      /* as it goes over the wire: behind a gRPC prefix if there is one */
    size_t body_len;
    size_t payload_len; /* uncompressed, without the prefix */
};

struct messages {
    struct message *items;
    size_t n;
    enum encoding encoding;
};

/* The encoding of this name ("none", "gzip", "zstd"). Ends the program on another one. */
enum encoding encoding_named(const char *name);
const char *encoding_name(enum encoding encoding); /* as in a header */

/* Loads every file of a folder, in the order of their names. Ends the program when it cannot. */
struct messages messages_load(const char *folder, enum encoding encoding, size_t prefix_len);

#endif
