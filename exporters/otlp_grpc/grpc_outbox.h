/* What waits to be written to a connection: small pieces copied, large ones by reference, so that a
 * request's body is never copied on its way to the socket. */
#ifndef PP_EXPORTERS_GRPC_OUTBOX_H
#define PP_EXPORTERS_GRPC_OUTBOX_H

#include <sys/uio.h>

#include "base/bytes.h"

/* Pieces that wait; a DATA frame makes two. Power of two. */
#define PP_GRPC_OUTBOX_PIECES 512u
/* Bytes that wait, about: enough for a socket's buffer and no more, since what waits here can neither
 * be cancelled nor overtaken. */
#define PP_GRPC_OUTBOX_BYTES_MAX (1u << 20)
/* Longest piece that is copied into its slot: a frame's header with a gRPC message's prefix. */
#define PP_GRPC_SMALL_BYTES_MAX 16u

struct pp_grpc_piece {
    const char *p; /* NULL: in `small` */
    size_t n;
    struct pp_bytes *owner; /* of `p`; NULL for small ones */
    char small[PP_GRPC_SMALL_BYTES_MAX];
};

struct pp_grpc_outbox {
    struct pp_grpc_piece pieces[PP_GRPC_OUTBOX_PIECES];
    unsigned first, n;
    size_t offset; /* of the first piece that has gone */
    size_t bytes;
};

/* Whether it takes a frame more. */
bool pp_grpc_outbox_has_room(const struct pp_grpc_outbox *outbox);
/* Both need room. The first copies and fails only when memory is out; the second takes a reference of its own to `owner`. */
bool pp_grpc_outbox_copy(struct pp_grpc_outbox *outbox, const void *data, size_t n);
void pp_grpc_outbox_refer(struct pp_grpc_outbox *outbox, struct pp_bytes *owner, const char *p, size_t n);

/* The front as at most `max` slices; returns their number. Valid until pp_grpc_outbox_written. */
int pp_grpc_outbox_front(const struct pp_grpc_outbox *outbox, struct iovec *ret, int max);
/* So many bytes of the front have gone. */
void pp_grpc_outbox_written(struct pp_grpc_outbox *outbox, size_t n);
void pp_grpc_outbox_clear(struct pp_grpc_outbox *outbox);

#endif
