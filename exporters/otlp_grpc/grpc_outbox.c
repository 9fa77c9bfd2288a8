#include "grpc_outbox.h"

#include <assert.h>

static struct pp_grpc_piece *slot(struct pp_grpc_outbox *outbox, unsigned i)
{
    return &outbox->pieces[(outbox->first + i) % PP_GRPC_OUTBOX_PIECES];
}

bool pp_grpc_outbox_has_room(const struct pp_grpc_outbox *outbox)
{
    return outbox->n + 2 <= PP_GRPC_OUTBOX_PIECES && outbox->bytes < PP_GRPC_OUTBOX_BYTES_MAX;
}

bool pp_grpc_outbox_copy(struct pp_grpc_outbox *outbox, const void *data, size_t n)
{
    struct pp_grpc_piece *piece = slot(outbox, outbox->n);

    assert(outbox->n < PP_GRPC_OUTBOX_PIECES);
    *piece = (struct pp_grpc_piece){.n = n};
    if (n <= sizeof(piece->small)) {
        memcpy(piece->small, data, n);
    } else {
        piece->owner = pp_bytes_copy((struct pp_str){data, n});
        if (!piece->owner) {
            return false;
        }
        piece->p = piece->owner->data;
    }
    outbox->n++;
    outbox->bytes += n;
    return true;
}

void pp_grpc_outbox_refer(struct pp_grpc_outbox *outbox, struct pp_bytes *owner, const char *p, size_t n)
{
    assert(outbox->n < PP_GRPC_OUTBOX_PIECES);
    *slot(outbox, outbox->n) = (struct pp_grpc_piece){.p = p, .n = n, .owner = pp_bytes_ref(owner)};
    outbox->n++;
    outbox->bytes += n;
}

int pp_grpc_outbox_front(const struct pp_grpc_outbox *outbox, struct iovec *ret, int max)
{
    int n = 0;

    for (unsigned i = 0; i < outbox->n && n < max; i++) {
        const struct pp_grpc_piece *piece = &outbox->pieces[(outbox->first + i) % PP_GRPC_OUTBOX_PIECES];
        const char *p = piece->p ? piece->p : piece->small;
        size_t skip = i == 0 ? outbox->offset : 0;

        ret[n++] = (struct iovec){(char *)p + skip, piece->n - skip};
    }
    return n;
}

void pp_grpc_outbox_written(struct pp_grpc_outbox *outbox, size_t n)
{
    assert(n <= outbox->bytes);
    outbox->bytes -= n;
    n += outbox->offset;
    while (outbox->n > 0 && n >= slot(outbox, 0)->n) {
        n -= slot(outbox, 0)->n;
        pp_bytes_unref(slot(outbox, 0)->owner);
        outbox->first = (outbox->first + 1) % PP_GRPC_OUTBOX_PIECES;
        outbox->n--;
    }
    outbox->offset = n;
}

void pp_grpc_outbox_clear(struct pp_grpc_outbox *outbox)
{
    pp_grpc_outbox_written(outbox, outbox->bytes);
}
