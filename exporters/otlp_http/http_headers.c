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

static bool given(const struct pp_string_map *headers, const char *name)
{
    for (size_t i = 0; i < headers->n; i++) {
        if (pp_str_eq_nocase(pp_str_c(headers->v[i].key), pp_str_c(name))) {
            return true;
        }
    }
    return false;
}

static bool add_default(struct curl_slist **list, const struct pp_string_map *headers,
                        const char *name, const char *value)
{
    return !value || given(headers, name) || add(list, name, value);
}

struct curl_slist *pp_http_headers_make(const struct pp_http_post_options *options)
{
    const struct pp_string_map *headers = &options->config->headers;
    struct curl_slist *list = NULL;
    bool ok = true;

    for (size_t i = 0; ok && i < headers->n; i++) {
        ok = add(&list, headers->v[i].key, headers->v[i].value);
    }
    ok = ok && add_default(&list, headers, "Host", options->url->host) &&
         add_default(&list, headers, "Content-Type", options->content_type) &&
         add_default(&list, headers, "Content-Encoding", options->content_encoding) &&
         add_default(&list, headers, "User-Agent", "profpipe/" PP_VERSION) &&
         add_default(&list, headers, PP_OTLP_VERSION_HEADER, PP_OTLP_VERSION);
    if (ok && !given(headers, "Expect")) {
        struct curl_slist *longer =
            curl_slist_append(list, "Expect:"); /* no round trip to ask whether a body is welcome */

        ok = longer != NULL;
        list = longer ? longer : list;
    }
    if (!ok) {
        curl_slist_free_all(list);
        return NULL;
    }
    return list;
}
