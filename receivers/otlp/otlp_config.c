#include "otlp_config.h"

#include "proto/otlp/otlp_layout.h"

static const char *const layouts[] = {
    [PP_LAYOUT_AUTO] = "auto", [PP_LAYOUT_1_8] = "1.8", [PP_LAYOUT_1_9] = "1.9", [PP_LAYOUT_1_10] = "1.10", NULL};

static const struct pp_group grpc_group = {
    .name = "grpc server",
    .size = sizeof(struct pp_grpc_server_config),
    .defaults = &(const struct pp_grpc_server_config){PP_GRPC_SERVER_DEFAULTS_BODY, .endpoint = "localhost:4317"},
    .fields = pp_grpc_server_fields,
    .validate = pp_grpc_server_validate,
};

/* The same struct as the shared group, which is its only member, with the paths of the other signals beside its keys; the profiles path is
 * fixed, as in the Collector. */
struct otlp_http_config {
    struct pp_http_server_config server;
};

static const struct pp_field otlp_http_fields[] = {
    PP_ROW_INLINE(struct otlp_http_config, server, &pp_http_server_group),
    PP_ROW_IGNORED("traces_url_path", "This receiver takes profiles only."),
    PP_ROW_IGNORED("metrics_url_path", "This receiver takes profiles only."),
    PP_ROW_IGNORED("logs_url_path", "This receiver takes profiles only."),
    PP_ROW_END,
};

/* Unlike other HTTP servers' the Collector's OTLP receiver sets no timeouts; the server's own guard against slow peers. */
static const struct pp_group http_group = {
    .name = "http server",
    .size = sizeof(struct otlp_http_config),
    .defaults = &(const struct otlp_http_config){{PP_HTTP_SERVER_DEFAULTS_BODY, .endpoint = "localhost:4318"}},
    .fields = otlp_http_fields,
};

static const struct pp_field protocols_fields[] = {
    PP_ROW_OPTIONAL(struct pp_otlp_protocols, grpc, &grpc_group, "OTLP/gRPC."),
    PP_ROW_OPTIONAL(struct pp_otlp_protocols, http, &http_group, "OTLP/HTTP: POST /v1development/profiles, protobuf or JSON."),
    PP_ROW_END,
};

static void protocols_validate(const void *config_, struct pp_check *check)
{
    const struct pp_otlp_protocols *config = config_;

    if (!config->grpc && !config->http)
        pp_check_error(check, "", "needs grpc or http");
}

static const struct pp_group protocols_group = {
    .name = "protocols",
    .size = sizeof(struct pp_otlp_protocols),
    .fields = protocols_fields,
    .validate = protocols_validate,
};

static const struct pp_field receiver_fields[] = {
    PP_ROW_GROUP(struct pp_otlp_receiver_config, protocols, &protocols_group, "What to serve; at least one."),
    PP_ROW_ENUM(struct pp_otlp_receiver_config, layout, 0, layouts,
                "Field numbering of the senders' OTLP version; auto tells 1.9 from 1.10 and later by the message."),
    PP_ROW_END,
};

const struct pp_group pp_otlp_receiver_group = {
    .name = "otlp",
    .size = sizeof(struct pp_otlp_receiver_config),
    .fields = receiver_fields,
};
