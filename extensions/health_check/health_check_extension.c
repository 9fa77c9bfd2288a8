/* Tells probes whether the service is ready: 200 from the moment that everything has started until it begins to stop, else 503. */
#include <time.h>

#include "base/clock.h"
#include "pipeline/page_server.h"
#include "pipeline/service.h"

struct response_body_config {
    const char *healthy, *unhealthy;
};

struct health_check_config {
    struct pp_http_server_config http;
    const char *path;
    struct response_body_config *response_body;
};

static const struct pp_field response_body_fields[] = {
    PP_ROW_STRING(struct response_body_config, healthy, 0, "Body of the answer while the service is ready."),
    PP_ROW_STRING(struct response_body_config, unhealthy, 0, "Body of the answer while it is not."),
    PP_ROW_END,
};

static const struct pp_group response_body_group = {
    .name = "response_body",
    .size = sizeof(struct response_body_config),
    .defaults = &(const struct response_body_config){.healthy = "", .unhealthy = ""},
    .fields = response_body_fields,
};

static const struct pp_field health_check_fields[] = {
    PP_ROW_INLINE(struct health_check_config, http, &pp_http_server_group),
    PP_ROW_STRING(struct health_check_config, path, PP_FIELD_NONEMPTY, "Path that answers; with a slash at its end all paths below it do."),
    PP_ROW_OPTIONAL(struct health_check_config, response_body, &response_body_group,
                    "Fixed answers in place of the JSON with status and uptime."),
    PP_ROW_IGNORED("check_collector_pipeline", "Removed from the Collector's extension."),
    PP_ROW_END,
};

static const struct pp_group health_check_group = {
    .name = "health_check",
    .size = sizeof(struct health_check_config),
    .defaults = &(const struct health_check_config){
        .http = {PP_HTTP_SERVER_DEFAULTS_BODY, PP_HTTP_SERVER_TIMEOUTS, .endpoint = "localhost:13133"},
        .path = "/",
    },
    .fields = health_check_fields,
};

struct health_check {
    struct pp_component component;
    struct pp_page_server *server;
};

static void add_time(struct pp_buf *out, uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / PP_NS_PER_S);
    struct tm tm;
    char text[40];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    pp_buf_printf(out, "%s.%09uZ", text, (unsigned)(unix_ns % PP_NS_PER_S));
}

static void add_status(struct pp_buf *out, bool ready, uint64_t since_unix_ns)
{
    uint64_t now = pp_clock_unix_ns();

    pp_buf_printf(out, "{\"status\":\"%s\"", ready ? "Server available" : "Server not available");
    if (ready) {
        pp_buf_add_c(out, ",\"upSince\":\"");
        add_time(out, since_unix_ns);
        pp_buf_printf(out, "\",\"uptime\":\"%.9fs\"", now > since_unix_ns ? (double)(now - since_unix_ns) / 1e9 : 0.0);
    }
    pp_buf_add_c(out, "}");
}

/* As Go's ServeMux, which the Collector uses: a path that ends with a slash stands for all below it. */
static bool path_answers(const char *configured, struct pp_str path)
{
    size_t n = strlen(configured);

    return configured[n - 1] == '/' ? pp_str_starts(path, configured) : pp_str_eq_c(path, configured);
}

static bool health_page(void *context, struct pp_str path, struct pp_page *page)
{
    struct health_check *self = context;
    const struct health_check_config *config = self->component.config;
    bool ready = pp_service_state(self->component.service) == PP_SERVICE_READY;

    if (!path_answers(config->path, path))
        return false;
    page->status = ready ? 200 : 503;
    if (config->response_body) {
        page->content_type = "text/plain; charset=utf-8";
        pp_buf_add_c(&page->body, ready ? config->response_body->healthy : config->response_body->unhealthy);
    } else {
        page->content_type = "application/json";
        add_status(&page->body, ready, pp_service_started_unix_ns(self->component.service));
    }
    return true;
}

static bool health_check_open(struct pp_component *component, struct pp_error *err)
{
    struct health_check *self = (struct health_check *)component;
    const struct health_check_config *config = component->config;

    if (!self->server)
        self->server =
            pp_page_server_open(&config->http, component, component->log_id, pp_service_loops(component->service), health_page, self, err);
    return self->server != NULL;
}

static bool health_check_start(struct pp_component *component, struct pp_error *err)
{
    struct health_check *self = (struct health_check *)component;
    const struct health_check_config *config = component->config;

    if (!health_check_open(component, err) || !pp_page_server_serve(self->server, err))
        return false; /* destroy closes it */
    pp_log(PP_LOG_INFO, component->log_id, "listening on %s%s", pp_page_server_address(self->server), config->path);
    return true;
}

static void health_check_shutdown(struct pp_component *component, uint64_t deadline_mono_ms)
{
    struct health_check *self = (struct health_check *)component;

    pp_page_server_stop(self->server, deadline_mono_ms);
    self->server = NULL;
}

static void health_check_destroy(struct pp_component *component)
{
    health_check_shutdown(component, 0);
}

static void health_check_validate(const void *config_, struct pp_check *check)
{
    const struct health_check_config *config = config_;

    if (config->path[0] != '/')
        pp_check_error(check, "path", "\"%s\" does not begin with a slash", config->path);
}

const struct pp_factory pp_health_check_extension_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXTENSION,
    .type = "health_check",
    .aliases = (const char *const[]){"healthcheck", NULL},
    .stability = PP_BETA,
    .summary = "Answers liveness and readiness probes.",
    .instance_size = sizeof(struct health_check),
    .config = &health_check_group,
    .readme = "extensions/health_check",
    .starts_beside_old = true,
    .validate = health_check_validate,
    .open = health_check_open,
    .start = health_check_start,
    .shutdown = health_check_shutdown,
    .destroy = health_check_destroy,
};
