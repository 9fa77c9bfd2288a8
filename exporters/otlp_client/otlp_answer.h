/* What an OTLP server's answer means, whatever carried it: the response message, google.rpc.Status,
 * and the tables of the OTLP specification ("OTLP/gRPC response", "OTLP/HTTP response") that say
 * what may be sent again. Bytes in, structs out, no sockets. Shared by the OTLP exporters. */
#ifndef PP_EXPORTERS_OTLP_ANSWER_H
#define PP_EXPORTERS_OTLP_ANSWER_H

#include "pipeline/component.h"

/* Bytes of a peer's text that are kept for the log; the rest is cut off. */
#define PP_ANSWER_TEXT_MAX 256

/* A longest allowed answer, in bytes: the OTLP specification recommends that clients read no more
 * than 4 MiB; nothing that an export may answer comes near this. */
#define PP_ANSWER_BYTES_MAX (64u << 10)

/* ExportProfilesServiceResponse. All zero and "" when the server took everything. */
struct pp_otlp_answer {
    int64_t rejected_profiles;
    char error_message[PP_ANSWER_TEXT_MAX]; /* one printable line */
};

/* Both forms of the message. False when it is not one. */
bool pp_otlp_answer_parse(struct pp_str body, struct pp_otlp_answer *ret);
bool pp_otlp_answer_parse_json(struct pp_str body, struct pp_otlp_answer *ret);

static inline bool pp_otlp_answer_is_partial(const struct pp_otlp_answer *answer)
{
    return answer->rejected_profiles != 0 || answer->error_message[0];
}

/* google.rpc.Status, as HTTP bodies and grpc-status-details-bin carry it. */
struct pp_rpc_status {
    int32_t code;
    char message[PP_ANSWER_TEXT_MAX];
    int64_t
        retry_delay_ms; /* of the first google.rpc.RetryInfo among the details; -1: there is none */
};

bool pp_rpc_status_parse(struct pp_str body, struct pp_rpc_status *ret);
bool pp_rpc_status_parse_json(struct pp_str body,
                              struct pp_rpc_status *ret); /* details are not read */

/* Fills `ret` for a gRPC status other than OK. `retry_delay_ms` as above; RESOURCE_EXHAUSTED is
 * worth another try only with it. A code beyond the known ones counts as UNKNOWN. `message` is
 * borrowed. */
void pp_result_from_grpc(int code, int64_t retry_delay_ms, const char *message,
                         struct pp_result *ret);

/* Fills `ret` for an HTTP status outside 200-299: 429, 502, 503 and 504 are worth another try.
 * `retry_after_ms` counts for 429 and 503 only; -1: none was given. */
void pp_result_from_http(long http_status, int64_t retry_after_ms, const char *message,
                         struct pp_result *ret);

/* Copies a peer's text as one printable line: control characters and broken UTF-8 become '?', the
 * end is cut off. */
void pp_answer_text(char out[PP_ANSWER_TEXT_MAX], struct pp_str text);

#endif
