/* What the two protocols of the otlp receiver share: one served protocol, and one request on its way through the pipeline. */
#ifndef PP_OTLP_RECEIVER_SERVER_H
#define PP_OTLP_RECEIVER_SERVER_H

#include "net/http_server.h"
#include "otlp_config.h"
#include "pipeline/component.h"
#include "pipeline/http_auth.h"
#include "pipeline/telemetry.h"

#define PP_OTLP_GRPC_PATH "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
#define PP_OTLP_HTTP_PATH "/v1development/profiles"
/* Facts: header of the development version; a single value, exactly "1". */
#define PP_OTLP_VERSION_HEADER "otlp-profiles-development-version"
/* What a sender is told to wait when nobody downstream said. */
#define PP_OTLP_RETRY_DEFAULT_MS 1000

struct pp_otlp_server {
    struct pp_component *component;
    const char *transport; /* label of the metrics: "grpc" or "http" */
    const struct pp_grpc_server_config *grpc_config; /* one of the two */
    const struct pp_http_server_config *http_config;
    size_t message_bytes_max; /* inflated */
    bool include_metadata;
    enum pp_layout layout;
    struct pp_counter *rejected; /* requests that never became a batch */
    struct pp_http_auth auth;
    struct pp_counter *protections[PP_HTTP_PROTECTIONS];
    struct pp_tls_server *tls;
    struct pp_http_server *http;
};

/* Lives in the request's arena; gone with the answer. */
struct pp_otlp_call {
    struct pp_done done; /* first */
    struct pp_otlp_server *server;
    struct pp_http_request *request;
    enum pp_encoding encoding;
    bool json;
    /* Answers with a status; `retry_after_ms` -1: none is sent. */
    void (*answer)(struct pp_otlp_call *call, enum pp_status_code code, struct pp_str message, int64_t retry_after_ms);
    /* The same for a message that we refuse ourselves, before the pipeline. */
    void (*reject)(struct pp_otlp_call *call, enum pp_status_code code, struct pp_str message, int64_t retry_after_ms);
};

extern const struct pp_http_handler pp_otlp_grpc_handler; /* context: struct pp_otlp_server */
extern const struct pp_http_handler pp_otlp_http_handler;
/* Answers a request that is not let in; context: struct pp_otlp_server. */
void pp_otlp_grpc_refuse(void *context, struct pp_http_request *request, const struct pp_auth_refusal *refusal);
void pp_otlp_http_refuse(void *context, struct pp_http_request *request, const struct pp_auth_refusal *refusal);

/* NULL when the version header is absent or right; else why not. */
const char *pp_otlp_version_problem(const struct pp_http_request *request);

/* Handler functions that both share. */
void pp_otlp_on_warning(void *context, const char *message);
void pp_otlp_on_protection(void *context, enum pp_http_protection protection);

/* A request whose body is complete: inflates, decodes and sends it down the pipeline; answers through call->answer. */
void pp_otlp_receive(struct pp_otlp_call *call);

#endif
