#include "http_post.h"

#include <limits.h>
#include <stdio.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http_headers.h"
#include "http_tls.h"
#include "pipeline/exporter_base.h"

/* Of the user's and an extension's headers. */
#define HEADER_BYTES_MAX (1u << 20)

struct pp_http_poster {
    struct pp_http_post_options options;
    struct curl_slist *headers;
    struct curl_slist *connect; /* NULL: to the URL's own host */
    CURLM *multi;               /* owns the connections */
    CURL *easy;
    struct pp_tls_material *material; /* what `easy` was made with */
    struct pp_buf body;               /* of the answer */
    bool body_cut;
    char error[CURL_ERROR_SIZE];
};

static size_t take_body(char *data, size_t size, size_t n, void *poster_)
{
    struct pp_http_poster *poster = poster_;
    size_t room = PP_ANSWER_BYTES_MAX - poster->body.len;

    n *= size;
    if (n > room || !pp_buf_add(&poster->body, data, n)) {
        poster->body_cut = true;
        pp_buf_add(&poster->body, data, room < n ? room : 0);
        return 0; /* ends the transfer: nobody reads more */
    }
    return n;
}

static void set_connection(CURL *easy, const struct pp_http_client_config *config)
{
    curl_easy_setopt(
        easy, CURLOPT_HTTP_VERSION,
        (long)(config->force_attempt_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    if (config->proxy_url && *config->proxy_url) {
        curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy_url);
    }
    if (config->disable_keep_alives) {
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    if (config->idle_conn_timeout > 0) {
        int64_t seconds =
            (config->idle_conn_timeout + (int64_t)PP_NS_PER_S - 1) / (int64_t)PP_NS_PER_S;

        curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)seconds);
    }
}

static void set_request(struct pp_http_poster *poster, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_URL, poster->options.url->url);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, poster->headers);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, poster->connect);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, poster);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, poster->error);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
}

static CURL *easy_new(struct pp_http_poster *poster, const struct pp_tls_material *material)
{
    CURL *easy = curl_easy_init();

    if (!easy) {
        return NULL;
    }
    set_request(poster, easy);
    set_connection(easy, poster->options.config);
    if (material && !pp_http_tls_apply(easy, &poster->options.config->tls, material)) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

/* The headers of the next request; the list that the handle has stays until it gets the new one. */
static bool set_headers(struct pp_http_poster *poster, const struct pp_context *context,
                        struct pp_error *err)
{
    struct pp_arena arena = {.bytes_limit = HEADER_BYTES_MAX};
    struct pp_header_set set = {.arena = &arena};
    struct curl_slist *list = NULL;

    if (pp_http_headers_configured(&poster->options, &set, err) &&
        pp_client_auth_headers(poster->options.auth, context, &set, err)) {
        list = pp_http_headers_make(&poster->options, &set);
        if (!list) {
            pp_error_nomem(err);
        }
    }
    pp_arena_done(&arena);
    if (!list) {
        return false;
    }
    if (poster->easy) {
        curl_easy_setopt(poster->easy, CURLOPT_HTTPHEADER, list);
    }
    curl_slist_free_all(poster->headers);
    poster->headers = list;
    return true;
}

struct pp_http_poster *pp_http_poster_new(const struct pp_http_post_options *options,
                                          struct pp_error *err)
{
    struct pp_http_poster *poster = pp_calloc(1, sizeof(*poster));

    if (!poster) {
        pp_error_nomem(err);
        return NULL;
    }
    poster->options = *options;
    pp_buf_init(&poster->body, PP_ANSWER_BYTES_MAX);
    if (options->url->connect) {
        poster->connect = curl_slist_append(NULL, options->url->connect);
    }
    if (!poster->connect != !options->url->connect) {
        pp_error_nomem(err);
    } else if (options->auth || set_headers(poster, NULL, err)) {
        return poster;
    }
    pp_http_poster_free(poster);
    return NULL;
}

bool pp_http_post_sign(struct pp_http_poster *poster, const struct pp_context *context,
                       struct pp_error *err)
{
    return set_headers(poster, context, err);
}

static void disconnect(struct pp_http_poster *poster)
{
    curl_easy_cleanup(poster->easy);
    curl_multi_cleanup(poster->multi);
    pp_tls_material_unref(poster->material);
    poster->easy = NULL;
    poster->multi = NULL;
    poster->material = NULL;
}

void pp_http_poster_free(struct pp_http_poster *poster)
{
    if (!poster) {
        return;
    }
    disconnect(poster);
    curl_slist_free_all(poster->headers);
    curl_slist_free_all(poster->connect);
    pp_buf_done(&poster->body);
    pp_free(poster);
}

/* A handle with the certificates of now; connections made with others are closed. */
static bool handle_ready(struct pp_http_poster *poster)
{
    struct pp_tls_material *material = NULL;
    struct pp_error warning;

    if (poster->options.tls) {
        material = pp_client_tls_material(poster->options.tls, &warning);
        if (warning.kind != PP_ERR_NONE) {
            pp_log(PP_LOG_WARN, poster->options.owner->log_id, "%s", warning.message);
        }
    }
    if (poster->easy && poster->material == material) {
        pp_tls_material_unref(material);
        return true;
    }
    disconnect(poster);
    poster->material = material;
    poster->multi = curl_multi_init();
    poster->easy = poster->multi ? easy_new(poster, material) : NULL;
    return poster->easy != NULL;
}

/* Runs the transfer to its end, or until the exporter is shut down. */
static CURLcode run(struct pp_http_poster *poster, uint64_t deadline_mono_ms)
{
    CURLcode code = CURLE_OPERATION_TIMEDOUT;
    int running, left;
    CURLMsg *done;

    for (;;) {
        if (curl_multi_perform(poster->multi, &running) != CURLM_OK) {
            return CURLE_OUT_OF_MEMORY;
        }
        if (!running) {
            break;
        }
        if (pp_clock_mono_ms() >= pp_exporter_deadline(poster->options.owner, deadline_mono_ms)) {
            snprintf(poster->error, sizeof(poster->error), "no answer by the deadline");
            return code;
        }
        curl_multi_poll(poster->multi, NULL, 0, PP_EXPORTER_POLL_MS, NULL);
    }
    while ((done = curl_multi_info_read(poster->multi, &left))) {
        code = done->msg == CURLMSG_DONE ? done->data.result : code;
    }
    return code;
}

static void set_deadline(CURL *easy, uint64_t deadline_mono_ms)
{
    uint64_t now = pp_clock_mono_ms();
    uint64_t left = deadline_mono_ms > now ? deadline_mono_ms - now : 1;

    if (deadline_mono_ms == UINT64_MAX) {
        left = 0; /* none */
    } else if (left > LONG_MAX) {
        left = LONG_MAX;
    }
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left);
}

static void read_content_type(CURL *easy, struct pp_http_answer *answer)
{
    const char *type = NULL;
    struct pp_str media;

    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    if (type) {
        media = pp_str_trim((struct pp_str){type, strcspn(type, ";")});
        snprintf(answer->content_type, sizeof(answer->content_type), PP_STR_FMT, PP_STR_ARG(media));
    }
}

static void read_answer(struct pp_http_poster *poster, struct pp_http_answer *answer)
{
    const char *redirect = NULL;
    curl_off_t retry_after = 0;

    answer->body = pp_buf_str(&poster->body);
    read_content_type(poster->easy, answer);
    curl_easy_getinfo(poster->easy, CURLINFO_REDIRECT_URL, &redirect);
    pp_answer_text(answer->redirect, pp_str_c(redirect));
    curl_easy_getinfo(poster->easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (retry_after > 0) {
        answer->retry_after_ms =
            retry_after < INT_MAX ? retry_after * (int64_t)PP_MS_PER_S : (int64_t)INT_MAX * 1000;
    }
}

static void transfer(struct pp_http_poster *poster, uint64_t deadline_mono_ms,
                     struct pp_http_answer *answer)
{
    CURLcode code;

    set_deadline(poster->easy, deadline_mono_ms);
    if (curl_multi_add_handle(poster->multi, poster->easy) != CURLM_OK) {
        pp_answer_text(answer->message, PP_STR("out of memory"));
        return;
    }
    code = run(poster, deadline_mono_ms);
    curl_easy_getinfo(poster->easy, CURLINFO_RESPONSE_CODE, &answer->status);
    if (code != CURLE_OK && !poster->body_cut) {
        answer->status = 0; /* an answer that broke off is none */
        pp_answer_text(answer->message,
                       pp_str_c(poster->error[0] ? poster->error : curl_easy_strerror(code)));
    } else {
        answer->body_whole = code == CURLE_OK;
        read_answer(poster, answer);
    }
    curl_multi_remove_handle(poster->multi, poster->easy);
}

void pp_http_post(struct pp_http_poster *poster, struct pp_str body, uint64_t deadline_mono_ms,
                  struct pp_http_answer *ret)
{
    *ret = (struct pp_http_answer){.retry_after_ms = -1};
    pp_buf_reset(&poster->body);
    poster->body_cut = false;
    poster->error[0] = '\0';
    if (!handle_ready(poster)) {
        disconnect(poster);
        pp_answer_text(ret->message, PP_STR("cannot set the connection up: out of memory"));
        return;
    }
    curl_easy_setopt(poster->easy, CURLOPT_POSTFIELDS, body.n ? body.p : "");
    curl_easy_setopt(poster->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    transfer(poster, deadline_mono_ms, ret);
}
