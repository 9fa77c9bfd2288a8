/* What an HTTP/2 answer says about a gRPC call in its headers and trailers (the gRPC project's
 * PROTOCOL-HTTP2.md). */
#ifndef PP_EXPORTERS_GRPC_TRAILERS_H
#define PP_EXPORTERS_GRPC_TRAILERS_H

#include "base/encoding.h"
#include "otlp_client/otlp_answer.h"

/* Longest grpc-status-details-bin that is looked at, in bytes before decoding. */
#define PP_GRPC_DETAILS_BYTES_MAX 8192u

struct pp_grpc_trailers {
    bool has_status;
    int status;
    char message[PP_ANSWER_TEXT_MAX]; /* decoded */
    int64_t retry_delay_ms;           /* of the details' RetryInfo; -1: none */
    bool encoding_known;              /* of the answer's message, by grpc-encoding */
    enum pp_encoding encoding;
};

static inline void pp_grpc_trailers_init(struct pp_grpc_trailers *trailers)
{
    *trailers = (struct pp_grpc_trailers){.retry_delay_ms = -1, .encoding_known = true};
}

/* One header or trailer; names in any case. */
void pp_grpc_trailers_see(struct pp_grpc_trailers *trailers, struct pp_str name,
                          struct pp_str value);

/* The gRPC status that an answer without one stands for. */
int pp_grpc_status_of_http(long http_status);

#endif
