#include "cli/fetch.h"

#include <curl/curl.h>

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    return pp_buf_add(arg, data, size * n) ? size * n : 0;
}

bool pp_fetch(void *ctx, const char *url, struct pp_buf *ret_body, struct pp_error *err)
{
    char detail[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    CURLcode code;
    long status = 0;

    (void)ctx;
    if (!curl)
        return pp_error_nomem(err);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, PP_FETCH_REDIRECTS_MAX);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, PP_FETCH_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret_body);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (ret_body->failed)
        return pp_error_set(err, PP_ERR_LIMIT, "%s: larger than %zu bytes", url, ret_body->max);
    if (code != CURLE_OK)
        return pp_error_set(err, PP_ERR_IO, "%s: %s", url, detail[0] ? detail : curl_easy_strerror(code));
    if (status != 200)
        return pp_error_set(err, PP_ERR_IO, "%s: status %ld, expected 200", url, status);
    return true;
}
