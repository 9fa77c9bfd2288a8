/* What gRPC adds to HTTP/2: status codes, the rpc.Status message with its details, percent-coded messages. Rules: the gRPC
 * project's PROTOCOL-HTTP2.md and statuscodes.md, google/rpc/status.proto and error_details.proto. Sans-I/O. */
#ifndef PP_NET_GRPC_H
#define PP_NET_GRPC_H

#include "base/buf.h"

enum pp_grpc_code {
    PP_GRPC_OK = 0,
    PP_GRPC_CANCELLED = 1,
    PP_GRPC_UNKNOWN = 2,
    PP_GRPC_INVALID_ARGUMENT = 3,
    PP_GRPC_DEADLINE_EXCEEDED = 4,
    PP_GRPC_NOT_FOUND = 5,
    PP_GRPC_ALREADY_EXISTS = 6,
    PP_GRPC_PERMISSION_DENIED = 7,
    PP_GRPC_RESOURCE_EXHAUSTED = 8,
    PP_GRPC_FAILED_PRECONDITION = 9,
    PP_GRPC_ABORTED = 10,
    PP_GRPC_OUT_OF_RANGE = 11,
    PP_GRPC_UNIMPLEMENTED = 12,
    PP_GRPC_INTERNAL = 13,
    PP_GRPC_UNAVAILABLE = 14,
    PP_GRPC_DATA_LOSS = 15,
    PP_GRPC_UNAUTHENTICATED = 16,
};

#define PP_GRPC_NO_RETRY_DELAY UINT64_MAX

/* What a call ends with. */
struct pp_grpc_status {
    enum pp_grpc_code code;
    struct pp_str message;   /* any bytes */
    uint64_t retry_delay_ms; /* sent as a RetryInfo detail; PP_GRPC_NO_RETRY_DELAY: none. 0 is a delay: retry at once */
};

/* "UNAVAILABLE"; "UNKNOWN" for a number outside the enum. */
const char *pp_grpc_code_name(enum pp_grpc_code code);

/* Bytes before each message: compressed flag, length as big-endian 32 bits. */
#define PP_GRPC_PREFIX_SIZE 5u

/* google.rpc.Status in protobuf, with google.rpc.RetryInfo among its details when a delay is given. */
bool pp_grpc_status_encode(const struct pp_grpc_status *status, struct pp_buf *out);
/* The same in proto3 JSON: {"code":14,"message":"...","details":[{"@type":...,"retryDelay":"1.500s"}]}. */
bool pp_grpc_status_encode_json(const struct pp_grpc_status *status, struct pp_buf *out);
/* The grpc-message header: all but printable ASCII, and '%' itself, as %XX. */
bool pp_grpc_message_escape(struct pp_str message, struct pp_buf *out);
/* Standard base64 without padding, as senders of "-bin" headers write it. */
bool pp_base64_add(struct pp_buf *out, struct pp_str data);

#endif
