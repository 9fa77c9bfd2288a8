/* A small HTTP server for people and probes: GET and HEAD of pages made on the spot. For extensions and the Prometheus endpoint. */
#ifndef PP_PIPELINE_PAGE_SERVER_H
#define PP_PIPELINE_PAGE_SERVER_H

#include "base/buf.h"
#include "net/server_config.h"
#include "pipeline/component.h"

/* Pages are answers to people, not streams. */
#define PP_PAGE_BYTES_MAX (64u << 20)

struct pp_page {
    int status;               /* 200 unless the function says otherwise */
    const char *content_type; /* static; "text/html; charset=utf-8" unless the function says otherwise */
    struct pp_buf body;
};

/* Fills in the page for `path`; false when there is none (404). On a loop's thread: must not block. */
typedef bool pp_page_fn(void *context, struct pp_str path, struct pp_page *page);

struct pp_page_server;

/* Listens, but takes no connection yet; `config` and `context` outlive it. `self` is the component whose configuration `config` is, NULL when it is none's
 * and so names no authenticator. NULL with a one-line error. */
struct pp_page_server *pp_page_server_open(const struct pp_http_server_config *config, const struct pp_component *self, const char *owner,
                                           const struct pp_loop_pool *loops, pp_page_fn *page, void *context, struct pp_error *err);
bool pp_page_server_serve(struct pp_page_server *server, struct pp_error *err);
/* Both in one. */
struct pp_page_server *pp_page_server_start(const struct pp_http_server_config *config, const struct pp_component *self, const char *owner,
                                            const struct pp_loop_pool *loops, pp_page_fn *page, void *context, struct pp_error *err);
/* Where it really listens. */
const char *pp_page_server_address(const struct pp_page_server *server);
/* Stops by the deadline (pp_clock_mono_ms) and frees it; accepts NULL. */
void pp_page_server_stop(struct pp_page_server *server, uint64_t deadline_mono_ms);

/* Appends text with the characters that mean something in HTML escaped. */
void pp_html_add(struct pp_buf *buf, struct pp_str text);

#endif
