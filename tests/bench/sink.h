/* The sink: what its event loop and its two kinds of connection tell each other. One thread. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAIL_BYTES 4  /* of a body that are looked at: gzip's length of the contents */
#define HEAD_BYTES 24 /* gRPC's prefix and zstd's frame header */

struct sink {
    double bytes_per_s;      /* of bodies, that it takes; 0: as fast as they come */
    uint64_t limit_start_ns; /* since when */
    uint64_t limit_bytes;    /* taken since then */

    uint64_t *arrived; /* where the generator sees how many messages there are */
    uint64_t messages, body_bytes, payload_bytes, broken;
    uint64_t first_ns, last_ns; /* arrival of whole messages */
};

/* What is kept of a body while it is skimmed. */
struct body {
    uint64_t len;
    uint8_t head[HEAD_BYTES];
    uint8_t tail[TAIL_BYTES];
};

struct sink_conn {
    const struct sink_protocol *protocol;
    struct sink *sink;
    int fd;
    bool broken;
};

struct sink_protocol {
    const char *name;
    struct sink_conn *(*open)(struct sink *sink, int fd);
    void (*progress)(struct sink_conn *conn, uint64_t now_ns); /* reads some of what has come (it is called again while there is more), answers */
    void (*close)(struct sink_conn *conn);
};

extern const struct sink_protocol sink_grpc, sink_http;

/* Notes the next bytes of a body. */
void body_add(struct body *body, const uint8_t *bytes, size_t len);

/* Counts a whole message; what is not gzip or zstd by its magic number counts as it is. skip: length of a prefix before it. */
void sink_count(struct sink *sink, const struct body *body, size_t skip, uint64_t now_ns);

#endif
