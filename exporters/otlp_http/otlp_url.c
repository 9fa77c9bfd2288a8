#include "otlp_url.h"

#include <curl/curl.h>

#include "base/buf.h"
#include "base/mem.h"

/* Longest URL, in bytes. */
#define URL_BYTES_MAX 8192

/* Whether this is a URL with a host, before a path is hung onto it. */
static bool check_url(const char *text, struct pp_error *err)
{
    CURLU *handle = curl_url();
    CURLUcode code = handle ? curl_url_set(handle, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;

    curl_url_cleanup(handle);
    return code == CURLUE_OK || pp_error_set(err, PP_ERR_CONFIG, "\"%s\" is not a URL: %s", text,
                                             curl_url_strerror(code));
}

/* The URL as one string in `out`. */
static bool compose(const char *endpoint, const char *profiles_endpoint, struct pp_buf *out,
                    struct pp_error *err)
{
    size_t n;

    if (profiles_endpoint && *profiles_endpoint) {
        pp_buf_add_c(out, profiles_endpoint);
    } else if (endpoint && *endpoint) {
        if (!check_url(endpoint, err)) {
            return false;
        }
        n = strlen(endpoint);
        pp_buf_add(out, endpoint, endpoint[n - 1] == '/' ? n - 1 : n);
        pp_buf_add_c(out, PP_OTLP_PROFILES_PATH);
    } else {
        return pp_error_set(err, PP_ERR_CONFIG,
                            "either endpoint or profiles_endpoint must be given");
    }
    pp_buf_add_byte(out, '\0');
    return !out->failed ||
           pp_error_set(err, PP_ERR_CONFIG, "the URL is longer than %d bytes", URL_BYTES_MAX);
}

/* A part of the URL as a string of our own; NULL when there is none. */
static char *part(CURLU *handle, CURLUPart what, unsigned flags)
{
    char *text, *copy;

    if (curl_url_get(handle, what, &text, flags) != CURLUE_OK) {
        return NULL;
    }
    copy = pp_strdup(text);
    curl_free(text);
    return copy;
}

/* Puts `server_name` in the host's place and notes where to connect to. */
static bool override_host(CURLU *handle, const char *server_name, struct pp_otlp_url *url,
                          struct pp_error *err)
{
    PP_AUTOFREE char *host = part(handle, CURLUPART_HOST, 0);
    PP_AUTOFREE char *port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    PP_AUTOFREE char *written = part(handle, CURLUPART_PORT, 0);
    struct pp_buf buf;

    if (!host || !port) {
        return pp_error_nomem(err);
    }
    if (curl_url_set(handle, CURLUPART_HOST, server_name, 0) != CURLUE_OK) {
        return pp_error_set(err, PP_ERR_CONFIG,
                            "tls.server_name_override: \"%s\" is not a host name", server_name);
    }
    pp_buf_init(&buf, URL_BYTES_MAX);
    pp_buf_printf(&buf, "%s:%s:%s:%s", server_name, port, host, port);
    url->connect = buf.failed ? NULL : pp_str_dup(pp_buf_str(&buf));
    pp_buf_reset(&buf);
    pp_buf_printf(&buf, "%s%s%s", host, written ? ":" : "", written ? written : "");
    url->host = buf.failed ? NULL : pp_str_dup(pp_buf_str(&buf));
    pp_buf_done(&buf);
    return (url->connect && url->host) || pp_error_nomem(err);
}

static bool check_scheme(CURLU *handle, const char *text, struct pp_otlp_url *url,
                         struct pp_error *err)
{
    PP_AUTOFREE char *scheme = part(handle, CURLUPART_SCHEME, 0);

    url->tls = scheme && strcmp(scheme, "https") == 0;
    return url->tls || (scheme && strcmp(scheme, "http") == 0) ||
           pp_error_set(err, PP_ERR_CONFIG, "\"%s\" is not an http:// or https:// URL", text);
}

/* The parts of an URL for a client of our own. */
static bool take_parts(CURLU *handle, struct pp_otlp_url *url)
{
    PP_AUTOFREE char *host = part(handle, CURLUPART_HOST, 0);
    PP_AUTOFREE char *written = part(handle, CURLUPART_PORT, 0);
    PP_AUTOFREE char *path = part(handle, CURLUPART_PATH, 0);
    PP_AUTOFREE char *query = part(handle, CURLUPART_QUERY, 0);
    PP_AUTOFREE char *user = part(handle, CURLUPART_USER, 0);
    PP_AUTOFREE char *password = part(handle, CURLUPART_PASSWORD, 0);
    size_t n = host ? strlen(host) : 0;
    struct pp_buf buf;

    url->has_user = user || password;
    url->port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (n == 0 || !path || !url->port) {
        return false;
    }
    url->name = host[0] == '[' ? pp_str_dup((struct pp_str){host + 1, n - 2}) : pp_strdup(host);
    pp_buf_init(&buf, URL_BYTES_MAX);
    pp_buf_printf(&buf, "%s%s%s", host, written ? ":" : "", written ? written : "");
    url->authority = buf.failed ? NULL : pp_str_dup(pp_buf_str(&buf));
    pp_buf_reset(&buf);
    pp_buf_printf(&buf, "%s%s%s", path, query ? "?" : "", query ? query : "");
    url->target = buf.failed ? NULL : pp_str_dup(pp_buf_str(&buf));
    pp_buf_done(&buf);
    url->path = pp_strdup(path);
    return url->name && url->authority && url->target && url->path;
}

static bool take_apart(CURLU *handle, const char *text, const char *server_name,
                       struct pp_otlp_url *url, struct pp_error *err)
{
    CURLUcode code = curl_url_set(handle, CURLUPART_URL, text, 0);
    CURLU *shown;

    if (code != CURLUE_OK) {
        return pp_error_set(err, PP_ERR_CONFIG, "\"%s\" is not a URL: %s", text,
                            curl_url_strerror(code));
    }
    if (!check_scheme(handle, text, url, err)) {
        return false;
    }
    shown = curl_url_dup(handle);
    if (shown) {
        curl_url_set(shown, CURLUPART_USER, NULL, 0);
        curl_url_set(shown, CURLUPART_PASSWORD, NULL, 0);
        curl_url_set(shown, CURLUPART_QUERY, NULL, 0); /* may hold a token */
        url->shown = part(shown, CURLUPART_URL, 0);
        curl_url_cleanup(shown);
    }
    if (!take_parts(handle, url)) {
        return pp_error_nomem(err);
    }
    if (url->tls && server_name && *server_name && !override_host(handle, server_name, url, err)) {
        return false;
    }
    url->url = part(handle, CURLUPART_URL, 0);
    return (url->url && url->shown) || pp_error_nomem(err);
}

bool pp_otlp_url_make(const char *endpoint, const char *profiles_endpoint, const char *server_name,
                      struct pp_otlp_url *ret, struct pp_error *err)
{
    struct pp_otlp_url url = {0};
    CURLU *handle = NULL;
    struct pp_buf text;
    bool ok;

    pp_buf_init(&text, URL_BYTES_MAX);
    ok = compose(endpoint, profiles_endpoint, &text, err);
    if (ok) {
        handle = curl_url();
        ok = handle ? take_apart(handle, text.data, server_name, &url, err) : pp_error_nomem(err);
    }
    curl_url_cleanup(handle);
    pp_buf_done(&text);
    if (ok) {
        *ret = url;
    } else {
        pp_otlp_url_done(&url);
    }
    return ok;
}

void pp_otlp_url_done(struct pp_otlp_url *url)
{
    pp_free(url->url);
    pp_free(url->shown);
    pp_free(url->connect);
    pp_free(url->host);
    pp_free(url->name);
    pp_free(url->port);
    pp_free(url->authority);
    pp_free(url->target);
    pp_free(url->path);
    *url = (struct pp_otlp_url){0};
}
