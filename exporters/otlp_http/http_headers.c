#include "http_headers.h"

#include "base/buf.h"
#include "otlp_client/otlp_request.h"

/* Longest header line, in bytes; servers refuse less. */
#define LINE_BYTES_MAX 65536

static bool is_token(const char *name)
{
    return *name &&
           strspn(
               name,
               "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
               strlen(name);
}

bool pp_http_headers_check(const struct pp_string_map *headers, struct pp_error *err)
{
    for (size_t i = 0; i < headers->n; i++) {
        if (!is_token(headers->v[i].key)) {
            return pp_error_set(err, PP_ERR_CONFIG, "headers: \"%s\" is not a legal name",
                                headers->v[i].key);
        }
        if (strpbrk(headers->v[i].value, "\r\n") ||
            strlen(headers->v[i].value) > LINE_BYTES_MAX / 2) {
            return pp_error_set(
                err, PP_ERR_CONFIG,
                "headers: the value of \"%s\" cannot be sent: it has line breaks or is too long",
                headers->v[i].key);
        }
    }
    return true;
}

static bool add(struct curl_slist **list, const char *name, const char *value)
{
    struct curl_slist *longer = NULL;
    struct pp_buf line;

    pp_buf_init(&line, LINE_BYTES_MAX);
    /* curl takes "name:" as a wish to leave the header out, and "name;" as one with an empty value
     */
    pp_buf_printf(&line, *value ? "%s: %s" : "%s;%s", name, value);
    if (!line.failed && pp_buf_add_byte(&line, '\0')) {
        longer = curl_slist_append(*list, line.data);
    }
    pp_buf_done(&line);
    if (longer) {
        *list = longer;
    }
    return longer != NULL;
}

static bool add_default(struct curl_slist **list, const struct pp_header_set *headers,
                        const char *name, const char *value)
{
    return !value || pp_header_set_find(headers, name) || add(list, name, value);
}

/* No round trip to ask whether a body is welcome. */
static bool add_no_expect(struct curl_slist **list, const struct pp_header_set *headers)
{
    struct curl_slist *longer;

    if (pp_header_set_find(headers, "Expect")) {
        return true;
    }
    longer = curl_slist_append(*list, "Expect:");
    if (longer) {
        *list = longer;
    }
    return longer != NULL;
}

struct curl_slist *pp_http_headers_make(const struct pp_http_post_options *options,
                                        const struct pp_header_set *headers)
{
    struct curl_slist *list = NULL;
    bool ok = true;

    for (size_t i = 0; ok && i < headers->n; i++) {
        ok = add(&list, headers->v[i].name.p, headers->v[i].value.p);
    }
    ok = ok && add_default(&list, headers, "Host", options->url->host) &&
         add_default(&list, headers, "Content-Type", options->content_type) &&
         add_default(&list, headers, "Content-Encoding", options->content_encoding) &&
         add_default(&list, headers, "User-Agent", "profpipe/" PP_VERSION) &&
         add_default(&list, headers, PP_OTLP_VERSION_HEADER, PP_OTLP_VERSION) &&
         add_no_expect(&list, headers);
    if (!ok) {
        curl_slist_free_all(list);
        return NULL;
    }
    return list;
}

bool pp_http_headers_configured(const struct pp_http_post_options *options,
                                struct pp_header_set *ret, struct pp_error *err)
{
    const struct pp_string_map *headers = &options->config->headers;

    for (size_t i = 0; i < headers->n; i++) {
        if (!pp_header_set_put(ret, headers->v[i].key, pp_str_c(headers->v[i].value), err)) {
            return false;
        }
    }
    return true;
}

/* The client itself says how long the body is and what becomes of the connection. */
static bool is_own(struct pp_str name)
{
    static const char *const own[] = {"content-length", "transfer-encoding", "connection"};

    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
        if (pp_str_eq_nocase(name, pp_str_c(own[i]))) {
            return true;
        }
    }
    return false;
}

static void add_line(struct pp_buf *out, struct pp_str name, struct pp_str value)
{
    pp_buf_add_str(out, name);
    pp_buf_add_c(out, ": ");
    pp_buf_add_str(out, value);
    pp_buf_add_c(out, "\r\n");
}

static void add_unless_given(struct pp_buf *out, const struct pp_header_set *headers, const char *name, const char *value)
{
    if (value && !pp_header_set_find(headers, name)) {
        add_line(out, pp_str_c(name), pp_str_c(value));
    }
}

static void write_head(const struct pp_http_post_options *options, const struct pp_header_set *headers, struct pp_buf *out)
{
    pp_buf_printf(out, "POST %s HTTP/1.1\r\n", options->url->target);
    add_unless_given(out, headers, "Host", options->url->authority);
    for (size_t i = 0; i < headers->n; i++) {
        if (!is_own(headers->v[i].name)) {
            add_line(out, headers->v[i].name, headers->v[i].value);
        }
    }
    add_unless_given(out, headers, "Content-Type", options->content_type);
    add_unless_given(out, headers, "Content-Encoding", options->content_encoding);
    add_unless_given(out, headers, "User-Agent", "profpipe/" PP_VERSION);
    add_unless_given(out, headers, PP_OTLP_VERSION_HEADER, PP_OTLP_VERSION);
}

bool pp_http_head_make(const struct pp_http_post_options *options, const struct pp_context *context, struct pp_buf *out,
                       struct pp_error *err)
{
    struct pp_arena arena = {.bytes_limit = out->max};
    struct pp_header_set set = {.arena = &arena};
    bool ok = pp_http_headers_configured(options, &set, err) && pp_client_auth_headers(options->auth, context, &set, err);

    if (ok) {
        write_head(options, &set, out);
        ok = !out->failed || pp_error_nomem(err);
    }
    pp_arena_done(&arena);
    return ok;
}
