#include "pipeline/http_auth.h"

static const struct pp_metric requests_metric = {
    .name = "profpipe_extension_auth_requests",
    .help = "Requests that an authenticator let in (admitted), did not (refused), or had no room to check (busy).",
    .unit = "{requests}",
};

static void refuse_plain(void *context, struct pp_http_request *request, const struct pp_auth_refusal *refusal)
{
    struct pp_http_header headers[] = {
        {PP_STR("content-type"), PP_STR("text/plain; charset=utf-8")},
        refusal->http_status == 401 ? refusal->challenge : (struct pp_http_header){PP_STR("retry-after"), PP_STR("1")},
    };

    (void)context;
    pp_http_respond(request, &(struct pp_http_response){refusal->http_status, headers, 2, pp_bytes_copy(refusal->why)});
}

static struct pp_counter *counter(const struct pp_component *self, const char *extension, const char *outcome)
{
    const struct pp_label labels[] = {{"component", self->id}, {"extension", extension}, {"outcome", outcome}};

    return pp_telemetry_counter(pp_service_telemetry(self->service), &requests_metric, labels, 3);
}

bool pp_http_auth_init(struct pp_http_auth *auth, const struct pp_component *self, const struct pp_auth_config *config, pp_auth_refuse *refuse,
                       void *context, struct pp_error *err)
{
    const struct pp_server_auth *extension;

    *auth = (struct pp_http_auth){0};
    if (!config)
        return true;
    extension = self ? pp_component_server_auth(self, config->authenticator) : NULL;
    if (!extension)
        return pp_error_set(err, PP_ERR_CONFIG, "auth: there is no authenticator \"%s\"", config->authenticator);
    *auth = (struct pp_http_auth){
        .extension = extension,
        .request_params = &config->request_params,
        .refuse = refuse ? refuse : refuse_plain,
        .context = context,
        .admitted = counter(self, config->authenticator, "admitted"),
        .refused = counter(self, config->authenticator, "refused"),
        .busy = counter(self, config->authenticator, "busy"),
    };
    return true;
}
