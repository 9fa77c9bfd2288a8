/* A batch as the body of an OTLP export request. */
#ifndef PP_EXPORTERS_OTLP_REQUEST_H
#define PP_EXPORTERS_OTLP_REQUEST_H

#include "pipeline/component.h"

/* Largest request, uncompressed, that is sent: the OTLP specification's recommended limit of
 * servers and clients. In bytes. */
#define PP_OTLP_REQUEST_BYTES_MAX (64u << 20)

/* Version of the development protocol that we speak, sent with each request under this name (see
 * the proposal in opentelemetry-proto #857); servers refuse what they do not know before they
 * decode. */
#define PP_OTLP_VERSION_HEADER "otlp-profiles-development-version"
#define PP_OTLP_VERSION "1"

struct pp_otlp_request_options {
    enum pp_encoding encoding;
    int level; /* of the encoding; -1: its default */
    bool json; /* OTLP/JSON in place of protobuf */
    struct pp_encode_options encode;
};

/* The body, compressed, with one reference. A batch that came in with the same encoding goes out as
 * the bytes that came. On failure (too large, memory) NULL and `ret` says what becomes of the
 * batch, its message in `text`. */
struct pp_bytes *pp_otlp_request_make(struct pp_batch *batch,
                                      const struct pp_otlp_request_options *options,
                                      struct pp_error *text, struct pp_result *ret);

/* Whether pp_otlp_request_make is quick: the bytes go out as they came, or are few. */
bool pp_otlp_request_is_light(struct pp_batch *batch, const struct pp_otlp_request_options *options);

/* PP_RETRY for what may pass (memory, the system), PP_PERMANENT for the rest. The message is
 * borrowed from `err`. */
void pp_result_from_error(const struct pp_error *err, struct pp_result *ret);

#endif
