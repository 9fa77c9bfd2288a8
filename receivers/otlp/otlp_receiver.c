/* Takes profiles over OTLP, by gRPC and HTTP. */
#include <stdio.h>

#include "base/clock.h"
#include "net/server_config.h"
#include "otlp_server.h"
#include "pipeline/service.h"

/* A component's id has at most 64 and 1024 characters, of 4 bytes. */
#define OWNER_BYTES_MAX 4608u

static const struct pp_metric rejected_metric = {
    .name = "profpipe_receiver_otlp_rejected_requests",
    .help = "Requests that were malformed, broke a rule of the data format, or went over a limit.",
    .unit = "{requests}",
};

static const struct pp_metric protections_metric = {
    .name = "profpipe_receiver_otlp_protections",
    .help = "Connections closed or kept waiting because there was no room, or because the peer sent floods or was too slow.",
    .unit = "{connections}",
};

struct otlp_receiver {
    struct pp_component component;
    struct pp_otlp_server grpc, http;
};

static void init_server(struct otlp_receiver *self, struct pp_otlp_server *server, const char *transport)
{
    const struct pp_otlp_receiver_config *config = self->component.config;
    const struct pp_label labels[] = {{"receiver", self->component.id}, {"transport", transport}};

    *server = (struct pp_otlp_server){.component = &self->component, .transport = transport, .layout = config->layout};
    for (int p = 0; p < PP_HTTP_PROTECTIONS; p++) {
        const struct pp_label with_reason[] = {labels[0], labels[1], {"reason", pp_http_protection_name(p)}};

        server->protections[p] = pp_telemetry_counter(pp_service_telemetry(self->component.service), &protections_metric, with_reason, 3);
    }
    server->rejected = pp_telemetry_counter(pp_service_telemetry(self->component.service), &rejected_metric, labels, 2);
}

static bool otlp_create(struct pp_component *component, struct pp_error *err)
{
    struct otlp_receiver *self = (struct otlp_receiver *)component;
    const struct pp_otlp_protocols *protocols = &((const struct pp_otlp_receiver_config *)component->config)->protocols;

    init_server(self, &self->grpc, "grpc");
    init_server(self, &self->http, "http");
    self->grpc.grpc_config = protocols->grpc;
    self->http.http_config = protocols->http;
    if (protocols->grpc) {
        self->grpc.message_bytes_max = pp_grpc_server_message_bytes_max(protocols->grpc);
        self->grpc.include_metadata = protocols->grpc->include_metadata;
        if (!pp_http_auth_init(&self->grpc.auth, component, protocols->grpc->auth, pp_otlp_grpc_refuse, &self->grpc, err))
            return pp_error_prefix(err, "protocols.grpc");
    }
    if (protocols->http) {
        self->http.message_bytes_max = pp_http_server_body_bytes_max(protocols->http);
        self->http.include_metadata = protocols->http->include_metadata;
        if (!pp_http_auth_init(&self->http.auth, component, protocols->http->auth, pp_otlp_http_refuse, &self->http, err))
            return pp_error_prefix(err, "protocols.http");
    }
    return true;
}

static void close_server(struct pp_otlp_server *server)
{
    pp_http_server_free(server->http);
    pp_http_auth_drain(&server->auth);
    pp_tls_server_free(server->tls);
    server->http = NULL;
    server->tls = NULL;
}

static bool open_server(struct pp_otlp_server *server, const struct pp_http_handler *handler_, struct pp_error *err)
{
    struct pp_component *component = server->component;
    struct pp_http_handler handler = *handler_;
    struct pp_http_server_options options;
    char owner[OWNER_BYTES_MAX];
    bool ok;

    if (server->http)
        return true;
    handler.context = server;
    /* By protocol: a successor takes the socket over, but the two protocols never share one. */
    snprintf(owner, sizeof(owner), "%s %s", component->log_id, server->transport);
    ok = server->grpc_config ? pp_grpc_server_options_from(server->grpc_config, owner, &options, &server->tls, err)
                             : pp_http_server_options_from(server->http_config, owner, &options, &server->tls, err);
    if (!ok)
        return pp_error_prefix(err, "protocols.%s", server->transport);
    server->http = pp_http_server_new(&options, &handler, pp_service_loops(component->service), err);
    return server->http || pp_error_prefix(err, "protocols.%s", server->transport);
}

static bool start_server(struct pp_otlp_server *server, struct pp_error *err)
{
    if (!server->http)
        return true;
    if (!pp_http_server_start(server->http, err))
        return false;
    pp_log(PP_LOG_INFO, server->component->log_id, "listening for OTLP/%s on %s%s", server->grpc_config ? "gRPC" : "HTTP",
           pp_http_server_address(server->http), server->tls ? " with TLS" : "");
    return true;
}

static void otlp_close(struct pp_component *component)
{
    struct otlp_receiver *self = (struct otlp_receiver *)component;

    close_server(&self->grpc);
    close_server(&self->http);
}

/* Both ports are opened before either takes a connection, so that a port in use stops the start before data has come in. */
static bool otlp_open(struct pp_component *component, struct pp_error *err)
{
    struct otlp_receiver *self = (struct otlp_receiver *)component;

    struct pp_error first = {0}, second = {0};
    bool grpc = !self->grpc.grpc_config || open_server(&self->grpc, &pp_otlp_grpc_handler, &first);
    bool http = !self->http.http_config || open_server(&self->http, &pp_otlp_http_handler, &second);

    if (grpc && http)
        return true;
    otlp_close(component);
    return pp_error_set(err, grpc ? second.kind : first.kind, "%s%s%s", first.message, grpc || http ? "" : "; ", second.message);
}

static bool otlp_start(struct pp_component *component, struct pp_error *err)
{
    struct otlp_receiver *self = (struct otlp_receiver *)component;

    if (otlp_open(component, err) && start_server(&self->grpc, err) && start_server(&self->http, err))
        return true;
    otlp_close(component);
    return false;
}

static void stop_server(struct pp_otlp_server *server, uint64_t deadline_mono_ms)
{
    uint64_t now = pp_clock_mono_ms();

    if (server->http)
        pp_http_server_stop(server->http, deadline_mono_ms > now ? deadline_mono_ms - now : 0);
}

static void otlp_shutdown(struct pp_component *component, uint64_t deadline_mono_ms)
{
    struct otlp_receiver *self = (struct otlp_receiver *)component;

    stop_server(&self->grpc, deadline_mono_ms);
    stop_server(&self->http, deadline_mono_ms);
    otlp_close(component);
}

const struct pp_factory pp_otlp_receiver_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_RECEIVER,
    .type = "otlp",
    .stability = PP_BETA,
    .summary = "Takes profiles over OTLP, by gRPC and HTTP.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct otlp_receiver),
    .config = &pp_otlp_receiver_group,
    .readme = "receivers/otlp",
    .starts_beside_old = true,
    .create = otlp_create,
    .open = otlp_open,
    .start = otlp_start,
    .shutdown = otlp_shutdown,
    .destroy = otlp_close,
};
