#include "pipeline/stored_batch.h"

#include "base/mem.h"
#include "base/vec.h"
#include "net/compress.h"

#define VERSION 1u
#define ENTRY_BYTES 8u

static void add_number(struct pp_buf *out, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++)
        pp_buf_add_byte(out, (char)(value >> (8 * i)));
}

static bool take_number(struct pp_str *in, size_t bytes, uint64_t *ret)
{
    *ret = 0;
    if (in->n < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        *ret |= (uint64_t)(unsigned char)in->p[i] << (8 * i);
    *in = (struct pp_str){in->p + bytes, in->n - bytes};
    return true;
}

static bool take_text(struct pp_str *in, uint64_t bytes, struct pp_str *ret)
{
    if (bytes > in->n)
        return false;
    *ret = (struct pp_str){in->p, (size_t)bytes};
    *in = (struct pp_str){in->p + bytes, in->n - (size_t)bytes};
    return true;
}

static void add_context(struct pp_buf *out, const struct pp_context *context)
{
    struct pp_str peer = pp_context_peer(context);
    struct pp_metadata entry;
    size_t n = 0;

    add_number(out, 4, peer.n);
    pp_buf_add_str(out, peer);
    while (pp_context_metadata_at(context, n, &entry))
        n++;
    add_number(out, 4, n);
    for (size_t i = 0; pp_context_metadata_at(context, i, &entry); i++) {
        add_number(out, 4, entry.key.n);
        add_number(out, 4, entry.value.n);
        pp_buf_add_str(out, entry.key);
        pp_buf_add_str(out, entry.value);
    }
}

bool pp_stored_batch_write(struct pp_batch *batch, struct pp_buf *head, struct pp_bytes **ret_body, struct pp_error *err)
{
    const struct pp_encode_options options = {.references = true}; /* we read both forms */
    enum pp_encoding encoding = PP_ENCODING_IDENTITY;
    enum pp_layout layout = PP_LAYOUT_1_10;
    struct pp_bytes *body = pp_batch_received(batch, &encoding, &layout);

    if (!body && !pp_batch_encode(batch, &options, &body, err))
        return false;
    pp_buf_add_byte(head, VERSION);
    pp_buf_add_byte(head, (char)encoding);
    pp_buf_add_byte(head, (char)layout);
    pp_buf_add_byte(head, 0);
    add_number(head, 8, pp_batch_samples(batch));
    add_number(head, 8, pp_batch_wire_bytes(batch));
    add_context(head, pp_batch_context(batch));
    if (head->failed) {
        pp_bytes_unref(body);
        return pp_error_nomem(err);
    }
    *ret_body = body;
    return true;
}

struct fixed {
    uint64_t version, encoding, layout, zero;
    struct pp_stored_info info;
};

static bool take_fixed(struct pp_str *in, struct fixed *ret, struct pp_error *err)
{
    if (take_number(in, 1, &ret->version) && ret->version == VERSION && take_number(in, 1, &ret->encoding) && ret->encoding < PP_ENCODINGS &&
        take_number(in, 1, &ret->layout) && ret->layout <= PP_LAYOUT_1_10 && take_number(in, 1, &ret->zero) &&
        take_number(in, 8, &ret->info.samples) && take_number(in, 8, &ret->info.wire_bytes))
        return true;
    return pp_error_set(err, PP_ERR_INVALID, "a record that is no batch, or one of another version");
}

bool pp_stored_batch_info(struct pp_str head, struct pp_stored_info *ret, struct pp_error *err)
{
    struct fixed fixed;

    if (!take_fixed(&head, &fixed, err))
        return false;
    *ret = fixed.info;
    return true;
}

/* *ret is NULL when there was none. */
static bool take_context(struct pp_str in, struct pp_context **ret, struct pp_error *err)
{
    PP_AUTOFREE struct pp_metadata *entries = NULL;
    uint64_t peer_bytes, n, key, value;
    struct pp_str peer;

    if (!take_number(&in, 4, &peer_bytes) || !take_text(&in, peer_bytes, &peer) || !take_number(&in, 4, &n) || n > in.n / ENTRY_BYTES)
        return pp_error_set(err, PP_ERR_INVALID, "a record whose context is cut off");
    *ret = NULL;
    if (peer.n == 0 && n == 0)
        return true;
    entries = pp_reallocarray(NULL, (size_t)n, sizeof(*entries));
    if (!entries)
        return pp_error_nomem(err);
    for (size_t i = 0; i < n; i++)
        if (!take_number(&in, 4, &key) || !take_number(&in, 4, &value) || !take_text(&in, key, &entries[i].key) || !take_text(&in, value, &entries[i].value))
            return pp_error_set(err, PP_ERR_INVALID, "a record whose context is cut off");
    *ret = pp_context_new(peer, entries, (size_t)n);
    return *ret || pp_error_nomem(err);
}

bool pp_stored_batch_read(struct pp_str head, struct pp_bytes *body, struct pp_batch **ret, struct pp_error *err)
{
    struct pp_batch_source source = {0};
    struct fixed fixed;
    bool ok;

    if (!take_fixed(&head, &fixed, err) || !take_context(head, &source.context, err))
        return false;
    source.layout = (enum pp_layout)fixed.layout;
    source.wire = body;
    if (fixed.encoding != PP_ENCODING_IDENTITY) {
        source.packed = body;
        source.packed_encoding = (enum pp_encoding)fixed.encoding;
        source.wire = NULL;
    }
    ok = source.wire || pp_decompress(source.packed_encoding, pp_bytes_str(body), (size_t)fixed.info.wire_bytes, &source.wire, err);
    ok = ok && pp_batch_from_otlp(&source, ret, err);
    if (source.packed)
        pp_bytes_unref(source.wire);
    pp_context_unref(source.context);
    return ok;
}
