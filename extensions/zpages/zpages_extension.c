/* Pages that show what runs: the service, its pipelines, each component's status. */
#include "base/clock.h"
#include "pipeline/page_server.h"
#include "pipeline/service.h"

struct zpages_config {
    struct pp_http_server_config http;
};

static const struct pp_field zpages_fields[] = {
    PP_ROW_INLINE(struct zpages_config, http, &pp_http_server_group),
    PP_ROW_IGNORED("expvar", "Go's variables, of which there are none here."),
    PP_ROW_END,
};

static const struct pp_group zpages_group = {
    .name = "zpages",
    .size = sizeof(struct zpages_config),
    .defaults = &(const struct zpages_config){
        .http = {PP_HTTP_SERVER_DEFAULTS_BODY, PP_HTTP_SERVER_TIMEOUTS, .endpoint = "localhost:55679"},
    },
    .fields = zpages_fields,
};

struct zpages {
    struct pp_component component;
    struct pp_page_server *server;
};

struct listing {
    struct pp_buf *out;
    bool extensions; /* only these, or only the others */
};

static void add_text(struct pp_buf *out, const char *text)
{
    pp_html_add(out, pp_str_c(text));
}

static void add_cell(struct pp_buf *out, const char *text)
{
    pp_buf_add_c(out, "<td>");
    add_text(out, text);
    pp_buf_add_c(out, "</td>");
}

static void begin_page(struct pp_buf *out, const char *title)
{
    pp_buf_printf(out,
                  "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>profpipe: %s</title>"
                  "<style>:root{color-scheme:light dark}body{font:15px system-ui,sans-serif;margin:2em}table{border-collapse:collapse}"
                  "td,th{padding:.3em .9em;border:1px solid #8886;text-align:left;vertical-align:top}a{margin-right:1em}</style>"
                  "<p><a href=\"/debug/servicez\">service</a><a href=\"/debug/pipelinez\">pipelines</a>"
                  "<a href=\"/debug/extensionz\">extensions</a><a href=\"/debug/featurez\">features</a></p><h1>%s</h1>",
                  title, title);
}

static void add_age(struct pp_buf *out, uint64_t since_unix_ns)
{
    uint64_t now = pp_clock_unix_ns(), s = now > since_unix_ns ? (now - since_unix_ns) / PP_NS_PER_S : 0;

    pp_buf_printf(out, "%llud %02lluh %02llum %02llus", (unsigned long long)(s / 86400), (unsigned long long)(s / 3600 % 24),
                  (unsigned long long)(s / 60 % 60), (unsigned long long)(s % 60));
}

static void add_component(void *arg, const struct pp_component_state *state)
{
    struct listing *listing = arg;
    struct pp_buf *out = listing->out;

    if ((state->kind == PP_EXTENSION) != listing->extensions)
        return;
    pp_buf_add_c(out, "<tr>");
    add_cell(out, pp_component_kind_name(state->kind));
    add_cell(out, state->id);
    if (!listing->extensions)
        add_cell(out, state->pipeline ? state->pipeline : "");
    add_cell(out, pp_stability_name(state->factory->stability));
    add_cell(out, pp_component_status_name(state->status));
    pp_buf_add_c(out, "<td>");
    add_age(out, state->since_unix_ns);
    pp_buf_add_c(out, "</td>");
    add_cell(out, state->message);
    pp_buf_add_c(out, "</tr>");
}

static void add_components(struct zpages *self, struct pp_buf *out, bool extensions)
{
    struct listing listing = {out, extensions};

    pp_buf_printf(out, "<table><tr><th>kind<th>id%s<th>stability<th>status<th>since<th>message</tr>",
                  extensions ? "" : "<th>pipeline");
    pp_service_each_component(self->component.service, add_component, &listing);
    pp_buf_add_c(out, "</table>");
}

static void add_ids(struct pp_buf *out, const char *const *ids)
{
    pp_buf_add_c(out, "<td>");
    for (size_t i = 0; ids[i]; i++) {
        pp_buf_add_c(out, i ? "<br>" : "");
        add_text(out, ids[i]);
    }
    pp_buf_add_c(out, "</td>");
}

static void add_pipeline(void *arg, const struct pp_pipeline_state *state)
{
    struct pp_buf *out = arg;

    pp_buf_add_c(out, "<tr>");
    add_cell(out, state->id);
    add_ids(out, state->receivers);
    add_ids(out, state->processors);
    add_ids(out, state->exporters);
    pp_buf_add_c(out, "</tr>");
}

static void service_page(struct zpages *self, struct pp_buf *out)
{
    static const char *const states[] = {
        [PP_SERVICE_STARTING] = "starting", [PP_SERVICE_READY] = "ready", [PP_SERVICE_STOPPING] = "stopping"};

    begin_page(out, "service");
    pp_buf_printf(out, "<table><tr><th>version<td>%s</tr><tr><th>state<td>%s</tr><tr><th>up for<td>", PP_VERSION,
                  states[pp_service_state(self->component.service)]);
    add_age(out, pp_service_started_unix_ns(self->component.service));
    pp_buf_add_c(out, "</tr></table>");
}

static void pipelines_page(struct zpages *self, struct pp_buf *out)
{
    begin_page(out, "pipelines");
    pp_buf_add_c(out, "<table><tr><th>pipeline<th>receivers<th>processors<th>exporters</tr>");
    pp_service_each_pipeline(self->component.service, add_pipeline, out);
    pp_buf_add_c(out, "</table><h2>components</h2>");
    add_components(self, out, false);
}

static void extensions_page(struct zpages *self, struct pp_buf *out)
{
    begin_page(out, "extensions");
    add_components(self, out, true);
}

/* The Collector's gates are accepted on the command line; none of them changes anything here. */
static void features_page(struct zpages *self, struct pp_buf *out)
{
    (void)self;
    begin_page(out, "features");
    pp_buf_add_c(out, "<p>The Collector's feature gates are accepted; see <code>profpipe featuregate</code> for what each means here.</p>");
}

static bool zpage(void *context, struct pp_str path, struct pp_page *page)
{
    static const struct {
        const char *path;
        void (*write)(struct zpages *self, struct pp_buf *out);
    } pages[] = {
        {"/debug/servicez", service_page},
        {"/debug/pipelinez", pipelines_page},
        {"/debug/extensionz", extensions_page},
        {"/debug/featurez", features_page},
    };

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (pp_str_eq_c(path, pages[i].path)) {
            pages[i].write(context, &page->body);
            return true;
        }
    }
    return false;
}

static bool zpages_open(struct pp_component *component, struct pp_error *err)
{
    struct zpages *self = (struct zpages *)component;
    const struct zpages_config *config = component->config;

    if (!self->server)
        self->server =
            pp_page_server_open(&config->http, component, component->log_id, pp_service_loops(component->service), zpage, self, err);
    return self->server != NULL;
}

static bool zpages_start(struct pp_component *component, struct pp_error *err)
{
    struct zpages *self = (struct zpages *)component;

    if (!zpages_open(component, err) || !pp_page_server_serve(self->server, err))
        return false; /* destroy closes it */
    pp_log(PP_LOG_INFO, component->log_id, "listening on %s/debug/servicez", pp_page_server_address(self->server));
    return true;
}

static void zpages_shutdown(struct pp_component *component, uint64_t deadline_mono_ms)
{
    struct zpages *self = (struct zpages *)component;

    pp_page_server_stop(self->server, deadline_mono_ms);
    self->server = NULL;
}

static void zpages_destroy(struct pp_component *component)
{
    zpages_shutdown(component, 0);
}

const struct pp_factory pp_zpages_extension_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXTENSION,
    .type = "zpages",
    .stability = PP_BETA,
    .summary = "Pages that show the service, its pipelines and each component's status.",
    .instance_size = sizeof(struct zpages),
    .config = &zpages_group,
    .readme = "extensions/zpages",
    .starts_beside_old = true,
    .open = zpages_open,
    .start = zpages_start,
    .shutdown = zpages_shutdown,
    .destroy = zpages_destroy,
};
