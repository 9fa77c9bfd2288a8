#include "pipeline/metrics_server.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/page_server.h"
#include "pipeline/service_state.h"

#define STOP_TIMEOUT_MS 1000u
#define METRICS_BYTES_MAX PP_PAGE_BYTES_MAX
#define TARGET_INFO_BYTES_MAX 65536u
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct endpoint {
    struct pp_metrics_server *server;
    char address[512]; /* as configured */
    struct pp_telemetry_text_options text;
    struct pp_http_server_config config;
    struct pp_page_server *pages;
};

struct pp_metrics_server {
    struct pp_telemetry *telemetry;
    char *target_info;
    struct endpoint endpoints[PP_METRICS_ENDPOINTS_MAX];
    size_t n;
};

static bool serve(void *context, struct pp_str path, struct pp_page *page)
{
    const struct endpoint *endpoint = context;

    if (!pp_str_eq_c(path, "/metrics"))
        return false;
    page->content_type = CONTENT_TYPE;
    pp_buf_add_c(&page->body, endpoint->server->target_info);
    if (!pp_telemetry_write(endpoint->server->telemetry, &endpoint->text, &page->body)) {
        page->status = 500;
        pp_buf_reset(&page->body);
        pp_buf_add_c(&page->body, "metrics do not fit in memory\n");
    }
    return true;
}

/* Label names of Prometheus have letters, digits and underscores only. */
static void add_label(struct pp_buf *out, const char *name, const char *value)
{
    if (out->failed)
        return;
    pp_buf_add_c(out, out->data[out->len - 1] == '{' ? "" : ",");
    for (; *name; name++)
        pp_buf_add_byte(out, (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9')
                                 ? *name
                                 : '_');
    pp_buf_add_c(out, "=\"");
    for (; *value; value++) {
        if (*value == '\n')
            pp_buf_add_c(out, "\\n");
        else if (*value == '"' || *value == '\\')
            pp_buf_printf(out, "\\%c", *value);
        else
            pp_buf_add_byte(out, *value);
    }
    pp_buf_add_byte(out, '"');
}

/* What service.telemetry.resource says about a name: whether it mentions it at all. */
static bool is_overridden(const struct pp_service_telemetry *telemetry, const char *name)
{
    const char *other, *value;

    for (size_t i = 0; pp_telemetry_attribute(telemetry, i, &other, &value); i++)
        if (strcmp(other, name) == 0)
            return true;
    return false;
}

static char *render_target_info(struct pp_service *service, const struct pp_service_telemetry *telemetry)
{
    const char *const defaults[][2] = {
        {"service.name", "profpipe"}, {"service.version", PP_VERSION}, {"service.instance.id", service->instance_id}};
    const char *name, *value;
    struct pp_buf buf;
    char *text;

    pp_buf_init(&buf, TARGET_INFO_BYTES_MAX);
    pp_buf_add_c(&buf, "# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info{");
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (!is_overridden(telemetry, defaults[i][0]))
            add_label(&buf, defaults[i][0], defaults[i][1]);
    for (size_t i = 0; !buf.failed && pp_telemetry_attribute(telemetry, i, &name, &value); i++)
        if (value)
            add_label(&buf, name, value);
    pp_buf_add_c(&buf, "} 1\n");
    text = buf.failed ? NULL : pp_str_dup(pp_buf_str(&buf));
    pp_buf_done(&buf);
    return text;
}

static bool open_endpoint(struct pp_metrics_server *server, struct pp_service *service,
                          const struct pp_telemetry_prometheus *prometheus, struct pp_error *err)
{
    struct endpoint *endpoint = &server->endpoints[server->n];
    bool bare_ipv6 = strchr(prometheus->host, ':') && prometheus->host[0] != '[';

    endpoint->server = server;
    endpoint->text = (struct pp_telemetry_text_options){!prometheus->without_type_suffix, !prometheus->without_units};
    snprintf(endpoint->address, sizeof(endpoint->address), bare_ipv6 ? "[%s]:%d" : "%s:%d", prometheus->host,
             (int)prometheus->port);
    endpoint->config = (struct pp_http_server_config){PP_HTTP_SERVER_DEFAULTS_BODY, PP_HTTP_SERVER_TIMEOUTS};
    endpoint->config.endpoint = endpoint->address;
    endpoint->pages =
        pp_page_server_start(&endpoint->config, NULL, "service::telemetry::metrics", pp_service_loops(service), serve, endpoint, err);
    if (!endpoint->pages)
        return pp_error_prefix(err, "service::telemetry::metrics (level: none turns it off)");
    server->n++;
    return true;
}

void pp_metrics_server_stop(struct pp_metrics_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < server->n; i++)
        pp_page_server_stop(server->endpoints[i].pages, pp_clock_mono_ms() + STOP_TIMEOUT_MS);
    pp_free(server->target_info);
    pp_free(server);
}

bool pp_metrics_server_configure(struct pp_service *service, const struct pp_service_telemetry *telemetry, struct pp_error *err)
{
    struct pp_metrics_server *server = pp_calloc(1, sizeof(*server));
    const struct pp_telemetry_prometheus *prometheus;
    bool ok = true;

    if (!server)
        return pp_error_nomem(err);
    server->telemetry = service->telemetry;
    server->target_info = render_target_info(service, telemetry);
    if (!server->target_info)
        ok = pp_error_nomem(err);
    for (size_t i = 0; ok && (prometheus = pp_telemetry_endpoint(telemetry, i)); i++) {
        if (i >= PP_METRICS_ENDPOINTS_MAX)
            ok = pp_error_set(err, PP_ERR_CONFIG, "service::telemetry::metrics: more than %u readers", PP_METRICS_ENDPOINTS_MAX);
        else
            ok = open_endpoint(server, service, prometheus, err);
    }
    if (!ok) {
        pp_metrics_server_stop(server);
        return false;
    }
    pp_metrics_server_stop(service->metrics_server);
    service->metrics_server = server;
    return true;
}

const char *pp_metrics_server_address(const struct pp_metrics_server *server, size_t i)
{
    return server && i < server->n ? pp_page_server_address(server->endpoints[i].pages) : NULL;
}
