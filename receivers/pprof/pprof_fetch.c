#include "pprof_fetch.h"

#include <curl/curl.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

#define POLL_MS 500
#define SAID_BYTES_MAX 160 /* of what a server says with an error */
#define PROTOCOLS "http,https"
#define HEADER_BYTES_MAX 65536u /* one line */

struct pp_fetcher {
    const struct pp_http_client_config *config;
    const struct pp_client_auth *auth; /* NULL: none */
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    struct pp_buf *body; /* of the transfer that runs */
    char message[CURL_ERROR_SIZE];
};

static void curl_init_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct pp_fetcher *f = arg;

    return pp_buf_add(f->body, data, size * n) ? size * n : 0;
}

/* curl sends a header without a value only when it ends with a semicolon. */
static bool add_header(struct curl_slist **list, const struct pp_http_header *header)
{
    struct curl_slist *longer;
    struct pp_buf line;

    pp_buf_init(&line, HEADER_BYTES_MAX);
    pp_buf_printf(&line, header->value.n ? PP_STR_FMT ": " PP_STR_FMT : PP_STR_FMT ";" PP_STR_FMT, PP_STR_ARG(header->name),
                  PP_STR_ARG(header->value));
    longer = line.failed ? NULL : curl_slist_append(*list, line.data);
    pp_buf_done(&line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool collect_headers(const struct pp_fetcher *f, struct pp_header_set *set, struct pp_error *err)
{
    const struct pp_string_map *headers = &f->config->headers;

    for (size_t i = 0; i < headers->n; i++)
        if (!pp_header_set_put(set, headers->v[i].key, pp_str_c(headers->v[i].value), err))
            return false;
    return pp_client_auth_headers(f->auth, NULL, set, err);
}

/* The headers of the next request. */
static bool set_headers(struct pp_fetcher *f, struct pp_error *err)
{
    struct pp_arena arena = {.bytes_limit = 16 * HEADER_BYTES_MAX};
    struct pp_header_set set = {.arena = &arena};
    struct curl_slist *list = NULL;
    bool ok = collect_headers(f, &set, err);

    for (size_t i = 0; ok && i < set.n; i++)
        ok = add_header(&list, &set.v[i]) || pp_error_nomem(err);
    pp_arena_done(&arena);
    if (!ok) {
        curl_slist_free_all(list);
        return false;
    }
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, list);
    curl_slist_free_all(f->headers);
    f->headers = list;
    return true;
}

static void set_pem(CURL *easy, CURLoption file_option, CURLoption blob_option, const char *file, const char *pem)
{
    struct curl_blob blob = {(void *)(uintptr_t)pem, pem ? strlen(pem) : 0, CURL_BLOB_COPY};

    if (file)
        curl_easy_setopt(easy, file_option, file);
    else if (pem)
        curl_easy_setopt(easy, blob_option, &blob);
}

/* Files are read again at every new connection, so replaced certificates need no reload. */
static void set_tls(CURL *easy, const struct pp_tls_client_config *tls)
{
    static const long least[] = {CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1,
                                 CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3};
    static const long most[] = {CURL_SSLVERSION_MAX_DEFAULT, CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1,
                                CURL_SSLVERSION_MAX_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_3};
    const struct pp_tls_config *c = &tls->common;

    set_pem(easy, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, c->ca_file, c->ca_pem);
    if ((c->ca_file || c->ca_pem) && !c->include_system_ca_certs_pool)
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    set_pem(easy, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, c->cert_file, c->cert_pem);
    set_pem(easy, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, c->key_file, c->key_pem);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, least[c->min_version] | most[c->max_version]);
    if (tls->insecure_skip_verify) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void set_options(struct pp_fetcher *f)
{
    const struct pp_http_client_config *c = f->config;
    long timeout_ms = c->timeout ? (long)((c->timeout + 999999) / 1000000) : PP_FETCH_TIMEOUT_MS_DEFAULT;

    curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR, PROTOCOLS);
    curl_easy_setopt(f->easy, CURLOPT_REDIR_PROTOCOLS_STR, PROTOCOLS);
    curl_easy_setopt(f->easy, CURLOPT_FOLLOWLOCATION, f->auth ? 0L : 1L);
    curl_easy_setopt(f->easy, CURLOPT_MAXREDIRS, (long)PP_FETCH_REDIRECTS_MAX);
    curl_easy_setopt(f->easy, CURLOPT_ACCEPT_ENCODING, ""); /* all that this curl can undo; take_body bounds what comes out */
    curl_easy_setopt(f->easy, CURLOPT_USERAGENT, "profpipe/" PP_VERSION);
    curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->message);
    curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)PP_FETCH_CONNECT_TIMEOUT_MS);
    if (c->proxy_url && *c->proxy_url)
        curl_easy_setopt(f->easy, CURLOPT_PROXY, c->proxy_url);
    if (c->disable_keep_alives)
        curl_easy_setopt(f->easy, CURLOPT_FORBID_REUSE, 1L);
    set_tls(f->easy, &c->tls);
}

struct pp_fetcher *pp_fetcher_new(const struct pp_http_client_config *config, const struct pp_client_auth *auth, struct pp_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct pp_fetcher *f = pp_calloc(1, sizeof(*f));

    pthread_once(&once, curl_init_once);
    if (f) {
        f->config = config;
        f->auth = auth;
        f->easy = curl_easy_init();
        f->multi = curl_multi_init();
    }
    if (!f || !f->easy || !f->multi) {
        pp_fetcher_free(f);
        pp_error_nomem(err);
        return NULL;
    }
    if (!auth && !set_headers(f, err)) {
        pp_fetcher_free(f);
        return NULL;
    }
    set_options(f);
    if (curl_easy_setopt(f->easy, CURLOPT_URL, config->endpoint) != CURLE_OK) {
        pp_error_set(err, PP_ERR_CONFIG, "%s: not a usable URL", config->endpoint);
        pp_fetcher_free(f);
        return NULL;
    }
    return f;
}

void pp_fetcher_free(struct pp_fetcher *f)
{
    if (!f)
        return;
    curl_easy_cleanup(f->easy);
    curl_multi_cleanup(f->multi);
    curl_slist_free_all(f->headers);
    pp_free(f);
}

void pp_fetcher_wake(struct pp_fetcher *f)
{
    curl_multi_wakeup(f->multi);
}

/* Runs the transfer to its end; false when it was broken off. */
static bool perform(struct pp_fetcher *f, const atomic_bool *stop, CURLcode *ret_code)
{
    int running = 1, queued;
    CURLMsg *message;

    *ret_code = CURLE_FAILED_INIT;
    if (curl_multi_add_handle(f->multi, f->easy) != CURLM_OK)
        return true;
    while (running && !atomic_load(stop)) {
        if (curl_multi_perform(f->multi, &running) != CURLM_OK)
            break;
        if (running)
            curl_multi_poll(f->multi, NULL, 0, POLL_MS, NULL);
    }
    while ((message = curl_multi_info_read(f->multi, &queued)))
        if (message->msg == CURLMSG_DONE)
            *ret_code = message->data.result;
    curl_multi_remove_handle(f->multi, f->easy);
    return !running;
}

/* The first line of a text, printable. */
static void first_line(struct pp_str text, char *out, size_t out_bytes)
{
    size_t n = 0;

    text = pp_str_trim(text);
    while (n < text.n && n + 1 < out_bytes && (unsigned char)text.p[n] >= 0x20 && (unsigned char)text.p[n] < 0x7F) {
        out[n] = text.p[n];
        n++;
    }
    out[n] = '\0';
}

static bool check_answer(struct pp_fetcher *f, CURLcode code, struct pp_error *err)
{
    const char *url = f->config->endpoint;
    char said[SAID_BYTES_MAX];
    long status = 0;

    if (f->body->failed)
        return pp_error_set(err, PP_ERR_LIMIT, "%s: the answer is larger than %zu MiB", url, f->body->max >> 20);
    if (code != CURLE_OK)
        return pp_error_set(err, PP_ERR_IO, "%s: %s", url, f->message[0] ? f->message : curl_easy_strerror(code));
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        return true;
    first_line(pp_buf_str(f->body), said, sizeof(said));
    return pp_error_set(err, PP_ERR_IO, "%s: HTTP %ld%s%s", url, status, said[0] ? ": " : "", said);
}

bool pp_fetcher_get(struct pp_fetcher *f, const atomic_bool *stop, struct pp_buf *body, struct pp_error *err)
{
    CURLcode code;

    f->body = body;
    f->message[0] = '\0';
    pp_buf_reset(body);
    if (f->auth && !set_headers(f, err))
        return pp_error_prefix(err, "%s", f->config->endpoint);
    if (!perform(f, stop, &code))
        return pp_error_set(err, PP_ERR_IO, "%s: broken off, the receiver stops", f->config->endpoint);
    return check_answer(f, code, err);
}
