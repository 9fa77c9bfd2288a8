#include "otlp_request.h"

#include "net/compress.h"
#include "profiles/otlp_json.h"

void pp_result_from_error(const struct pp_error *err, struct pp_result *ret)
{
    bool passes = err->kind == PP_ERR_NOMEM || err->kind == PP_ERR_IO;

    *ret = passes ? PP_RESULT_RETRY(err->message) : PP_RESULT_PERMANENT(err->message);
}

static bool small_enough(size_t bytes, struct pp_error *err)
{
    return bytes <= PP_OTLP_REQUEST_BYTES_MAX ||
           pp_error_set(err, PP_ERR_LIMIT, "not sent: the request has %zu bytes, the limit is %u",
                        bytes, PP_OTLP_REQUEST_BYTES_MAX);
}

/* OTLP JSON; its limit is the request's. */
static struct pp_bytes *encode_json(struct pp_batch *batch, struct pp_error *err)
{
    struct pp_bytes *bytes = NULL;
    struct pp_buf text;

    pp_buf_init(&text, PP_OTLP_REQUEST_BYTES_MAX);
    if (pp_batch_to_json(batch, &text, err)) {
        bytes = pp_bytes_take(&text);
        if (!bytes) {
            pp_error_nomem(err);
        }
    }
    pp_buf_done(&text);
    return bytes;
}

static struct pp_bytes *encode_protobuf(struct pp_batch *batch,
                                        const struct pp_encode_options *options,
                                        struct pp_error *err)
{
    struct pp_bytes *bytes;

    if (!pp_batch_encode(batch, options, &bytes, err)) {
        return NULL;
    }
    if (!small_enough(bytes->len, err)) {
        pp_bytes_unref(bytes);
        return NULL;
    }
    return bytes;
}

static struct pp_bytes *encode(struct pp_batch *batch,
                               const struct pp_otlp_request_options *options, struct pp_error *err)
{
    struct pp_bytes *plain =
        options->json ? encode_json(batch, err) : encode_protobuf(batch, &options->encode, err);
    struct pp_bytes *packed = NULL;

    if (!plain || options->encoding == PP_ENCODING_IDENTITY) {
        return plain;
    }
    if (!pp_compress(options->encoding, options->level, pp_bytes_str(plain), &packed, err)) {
        packed = NULL;
    }
    pp_bytes_unref(plain);
    return packed;
}

/* About a millisecond's work each at most: encoding costs some 0.5 us a sample, compressing 10 us a KiB. */
#define LIGHT_SAMPLES_MAX 1000u
#define LIGHT_COMPRESS_BYTES_MAX (32u * 1024)

/* The batch as it came, when it came in this encoding. */
static struct pp_bytes *as_received(struct pp_batch *batch,
                                    const struct pp_otlp_request_options *options)
{
    static const char framed[] = "\xff\x06\0\0sNaPpY";
    struct pp_bytes *packed;

    if (options->json || options->encoding == PP_ENCODING_IDENTITY) {
        return NULL;
    }
    packed = pp_batch_packed(batch, options->encoding, &options->encode);
    /* Some send framed snappy under the name of the block format; not every server recognises it.
     */
    if (packed && options->encoding == PP_ENCODING_SNAPPY && packed->len >= sizeof(framed) - 1 &&
        memcmp(packed->data, framed, sizeof(framed) - 1) == 0) {
        pp_bytes_unref(packed);
        packed = NULL;
    }
    return packed;
}

struct pp_bytes *pp_otlp_request_make(struct pp_batch *batch,
                                      const struct pp_otlp_request_options *options,
                                      struct pp_error *text, struct pp_result *ret)
{
    struct pp_bytes *body = as_received(batch, options);

    if (body && !small_enough(pp_batch_wire_bytes(batch), text)) {
        pp_bytes_unref(body);
        body = NULL;
    } else if (!body) {
        body = encode(batch, options, text);
    }
    if (!body) {
        pp_result_from_error(text, ret);
    }
    return body;
}

bool pp_otlp_request_is_light(struct pp_batch *batch, const struct pp_otlp_request_options *options)
{
    bool as_is = !options->json && pp_batch_is_as_received(batch, &options->encode);

    if (as_is && options->encoding == PP_ENCODING_IDENTITY) {
        return true;
    }
    if (as_is && pp_batch_has_packed(batch, options->encoding)) {
        return true;
    }
    if (pp_batch_samples(batch) > LIGHT_SAMPLES_MAX) {
        return false;
    }
    return options->encoding == PP_ENCODING_IDENTITY || (as_is && pp_batch_wire_bytes(batch) <= LIGHT_COMPRESS_BYTES_MAX);
}
