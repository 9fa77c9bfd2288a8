#include "pipeline/page_server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pipeline/http_auth.h"

#define EXTRA_HEADERS_MAX 32u

struct pp_page_server {
    const struct pp_http_server_config *config;
    char *owner;
    pp_page_fn *page;
    void *context;
    struct pp_http_auth auth;
    struct pp_tls_server *tls;
    struct pp_http_server *http;
};

static void respond(struct pp_page_server *self, struct pp_http_request *request, struct pp_page *page)
{
    struct pp_http_header headers[EXTRA_HEADERS_MAX + 2] = {{PP_STR("content-type"), pp_str_c(page->content_type)}};
    const struct pp_string_map *extra = &self->config->response_headers;
    struct pp_http_response response = {.status = page->status, .headers = headers, .headers_n = 1};

    if (page->status == 405) /* RFC 9110, section 15.5.6 */
        headers[response.headers_n++] = (struct pp_http_header){PP_STR("allow"), PP_STR("GET, HEAD")};
    for (size_t i = 0; i < extra->n && i < EXTRA_HEADERS_MAX; i++)
        headers[response.headers_n++] = (struct pp_http_header){pp_str_c(extra->v[i].key), pp_str_c(extra->v[i].value)};
    response.body = pp_bytes_take(&page->body);
    if (!response.body)
        response.status = 503;
    pp_buf_done(&page->body);
    pp_http_respond(request, &response);
}

static enum pp_http_admission authenticate(void *context, struct pp_http_request *request)
{
    struct pp_page_server *self = context;

    return pp_http_auth_check(&self->auth, request);
}

static void on_request(void *context, struct pp_http_request *request)
{
    struct pp_page_server *self = context;
    struct pp_page page = {.status = 200, .content_type = "text/html; charset=utf-8"};

    pp_buf_init(&page.body, PP_PAGE_BYTES_MAX);
    if (!pp_str_eq_c(request->method, "GET") && !pp_str_eq_c(request->method, "HEAD")) {
        page.status = 405;
        page.content_type = "text/plain";
        pp_buf_add_c(&page.body, "405 method not allowed, supported: [GET, HEAD]");
    } else if (!self->page(self->context, request->path, &page)) {
        page.status = 404;
        page.content_type = "text/plain";
        pp_buf_reset(&page.body);
        pp_buf_add_c(&page.body, "404 page not found");
    }
    respond(self, request, &page);
}

static void on_warning(void *context, const char *message)
{
    const struct pp_page_server *self = context;

    pp_log(PP_LOG_WARN, self->owner, "%s", message);
}

static void free_server(struct pp_page_server *self)
{
    pp_http_server_free(self->http);
    pp_http_auth_drain(&self->auth);
    pp_tls_server_free(self->tls);
    pp_free(self->owner);
    pp_free(self);
}

struct pp_page_server *pp_page_server_open(const struct pp_http_server_config *config, const struct pp_component *component, const char *owner,
                                           const struct pp_loop_pool *loops, pp_page_fn *page, void *context, struct pp_error *err)
{
    struct pp_page_server *self = pp_calloc(1, sizeof(*self));
    struct pp_http_handler handler = {.context = self, .authenticate = authenticate, .on_request = on_request, .on_warning = on_warning};
    struct pp_http_server_options options;

    if (!self) {
        pp_error_nomem(err);
        return NULL;
    }
    *self = (struct pp_page_server){.config = config, .owner = pp_strdup(owner), .page = page, .context = context};
    if (!self->owner)
        pp_error_nomem(err);
    else if (pp_http_auth_init(&self->auth, component, config->auth, NULL, NULL, err) &&
             pp_http_server_options_from(config, self->owner, &options, &self->tls, err))
        self->http = pp_http_server_new(&options, &handler, loops, err);
    if (!self->http) {
        free_server(self);
        return NULL;
    }
    return self;
}

bool pp_page_server_serve(struct pp_page_server *server, struct pp_error *err)
{
    return pp_http_server_start(server->http, err);
}

struct pp_page_server *pp_page_server_start(const struct pp_http_server_config *config, const struct pp_component *component, const char *owner,
                                            const struct pp_loop_pool *loops, pp_page_fn *page, void *context, struct pp_error *err)
{
    struct pp_page_server *server = pp_page_server_open(config, component, owner, loops, page, context, err);

    if (server && !pp_page_server_serve(server, err)) {
        pp_page_server_stop(server, 0);
        return NULL;
    }
    return server;
}

const char *pp_page_server_address(const struct pp_page_server *server)
{
    return pp_http_server_address(server->http);
}

void pp_page_server_stop(struct pp_page_server *server, uint64_t deadline_mono_ms)
{
    uint64_t now = pp_clock_mono_ms();

    if (!server)
        return;
    pp_http_server_stop(server->http, deadline_mono_ms > now ? deadline_mono_ms - now : 0);
    free_server(server);
}

void pp_html_add(struct pp_buf *buf, struct pp_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (c == '<')
            pp_buf_add_c(buf, "&lt;");
        else if (c == '>')
            pp_buf_add_c(buf, "&gt;");
        else if (c == '&')
            pp_buf_add_c(buf, "&amp;");
        else if (c == '"')
            pp_buf_add_c(buf, "&quot;");
        else
            pp_buf_add_byte(buf, c);
    }
}
