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
