#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/http_internal.h"
#include "net/tls.h"

/* What every HTTP/2 connection starts with (RFC 9113, 3.4). */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_SIZE (sizeof(preface) - 1)

/* Connections of one age would all come back at once. */
#define AGE_JITTER 0.1

uint64_t http_now(void)
{
    return pp_clock_mono_ms();
}

/* Arms the timer for the earliest deadline, when that is nearer than what it is set to; a timer that fires too early finds nothing
 * due and is armed anew. */
static void arm(struct http_conn *conn)
{
    const struct pp_http_server_options *options = &conn->shard->server->options;
    uint64_t at = PP_HTTP_NEVER, now;

    if (conn->protocol)
        at = conn->protocol->deadline(conn);
    else if (options->header_timeout_ms)
        at = conn->opened_ms + options->header_timeout_ms;
    if (at >= conn->timer_at_ms)
        return;
    now = http_now();
    conn->timer_at_ms = at;
    pp_timer_start(conn->timer, at > now ? at - now : 0);
}

static void conn_free(struct http_conn *conn)
{
    struct pp_http_server *server = conn->shard->server;

    if (conn->protocol)
        conn->protocol->release(conn);
    pp_free(conn->tls_peer_name);
    pp_free(conn);
    http_server_conn_closed(server);
    http_server_unref(server);
}

void http_conn_enter(struct http_conn *conn)
{
    conn->depth++;
}

void http_conn_leave(struct http_conn *conn)
{
    if (conn->depth == 1 && !conn->closed && conn->protocol)
        conn->protocol->settle(conn);
    if (conn->depth == 1 && !conn->closed && conn->rearm) {
        conn->rearm = false;
        arm(conn);
    }
    if (--conn->depth == 0 && conn->closed)
        conn_free(conn);
}

/* Always between enter and leave: the memory goes with the last of these. */
void http_conn_close(struct http_conn *conn)
{
    if (conn->closed)
        return;
    conn->closed = true;
    pp_stream_close(conn->stream);
    pp_timer_free(conn->timer);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        conn->shard->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    else
        conn->shard->conns_last = conn->prev;
}

static void on_timer(void *arg)
{
    struct http_conn *conn = arg;

    http_conn_enter(conn);
    conn->timer_at_ms = PP_HTTP_NEVER;
    conn->rearm = true;
    if (conn->protocol) {
        conn->protocol->expire(conn, http_now());
    } else if (http_now() >= conn->opened_ms + conn->shard->server->options.header_timeout_ms) {
        http_server_protected(conn->shard->server, PP_HTTP_SLOW, conn->peer);
        http_conn_close(conn);
    }
    http_conn_leave(conn);
}

static void take_peer_name(struct http_conn *conn)
{
    X509 *certificate = SSL_get0_peer_certificate(pp_stream_ssl(conn->stream));
    BIO *bio = certificate ? BIO_new(BIO_s_mem()) : NULL;
    char *text;
    long n;

    if (!bio)
        return;
    if (X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        n = BIO_get_mem_data(bio, &text);
        conn->tls_peer_name = n > 0 ? pp_str_dup((struct pp_str){text, (size_t)n}) : NULL;
    }
    BIO_free(bio);
}

static void on_open(void *arg)
{
    struct http_conn *conn = arg;

    conn->open = true;
    if (pp_stream_ssl(conn->stream))
        take_peer_name(conn);
}

/* Decides by the first bytes. HTTP/1 as soon as they differ from the preface; nothing is known while they agree. */
static bool choose_protocol(struct http_conn *conn, struct pp_str data)
{
    size_t seen = conn->sniffed, n = data.n < PREFACE_SIZE - seen ? data.n : PREFACE_SIZE - seen;
    bool same = memcmp(preface + seen, data.p, n) == 0;

    if (same && seen + n < PREFACE_SIZE) {
        conn->sniffed = (unsigned)(seen + n);
        return true;
    }
    conn->rearm = true;
    if (same && conn->shard->server->options.http1_only)
        return false;
    return same ? http_h2_init(conn) : http_h1_init(conn);
}

static void on_room(void *arg, char **ret_at, size_t *ret_n)
{
    struct http_conn *conn = arg;

    if (conn->protocol && conn->protocol->room)
        conn->protocol->room(conn, ret_at, ret_n);
}

static void on_data(void *arg, struct pp_str data)
{
    struct http_conn *conn = arg;
    unsigned sniffed = conn->sniffed;

    http_conn_enter(conn);
    if (!conn->protocol) {
        if (!choose_protocol(conn, data))
            http_conn_close(conn);
        else if (conn->protocol && sniffed > 0) /* what came before is known by heart */
            conn->protocol->data(conn, (struct pp_str){preface, sniffed});
    }
    if (!conn->closed && conn->protocol)
        conn->protocol->data(conn, data);
    http_conn_leave(conn);
}

static void on_end(void *arg)
{
    struct http_conn *conn = arg;

    http_conn_enter(conn);
    if (conn->protocol)
        conn->protocol->end(conn);
    else
        http_conn_close(conn);
    http_conn_leave(conn);
}

static void on_writable(void *arg)
{
    /* Settling writes. */
    http_conn_enter(arg);
    http_conn_leave(arg);
}

static void on_error(void *arg, const char *why)
{
    /* A peer that breaks off is everyday life, and what it did to a TLS handshake its own to tell. */
    (void)why;
    http_conn_enter(arg);
    http_conn_close(arg);
    http_conn_leave(arg);
}

static const struct pp_stream_events stream_events = {
    .on_room = on_room,
    .on_open = on_open,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_error = on_error,
};

static void take_peer_address(struct http_conn *conn, int fd)
{
    struct pp_address address = {.size = sizeof(address.storage)};
    char text[PP_ADDRESS_TEXT_MAX] = "?";

    if (getpeername(fd, &address.any, &address.size) == 0)
        pp_address_text(&address, text);
    snprintf(conn->peer, sizeof(conn->peer), "%.*s", (int)sizeof(conn->peer) - 1, text);
}

static uint64_t age_limit(const struct http_conn *conn)
{
    uint64_t age = conn->shard->server->options.max_connection_age_ms;

    if (age == 0)
        return PP_HTTP_NEVER;
    return conn->opened_ms + (uint64_t)((double)age * (1 - AGE_JITTER + 2 * AGE_JITTER * pp_random_unit()));
}

/* The context of this moment: certificates may have been read again. */
static bool tls_context(struct pp_http_server *server, SSL_CTX **ret)
{
    struct pp_error warning = {0};

    *ret = NULL;
    if (!server->options.tls)
        return true;
    *ret = pp_tls_server_context(server->options.tls, &warning);
    if (warning.kind != PP_ERR_NONE)
        http_server_warn(server, warning.message);
    return *ret != NULL;
}

void http_conn_open(struct http_shard *shard, int fd)
{
    struct http_conn *conn = pp_calloc(1, sizeof(*conn));
    SSL_CTX *tls = NULL;

    if (!conn || !tls_context(shard->server, &tls))
        goto fail;
    conn->shard = shard;
    conn->opened_ms = http_now();
    conn->timer_at_ms = PP_HTTP_NEVER;
    conn->age_limit_ms = age_limit(conn);
    take_peer_address(conn, fd);
    conn->timer = pp_timer_new(shard->loop, on_timer, conn);
    if (!conn->timer)
        goto fail;
    conn->stream = pp_stream_new(shard->loop, fd, tls, &stream_events, conn);
    if (!conn->stream)
        goto fail;
    SSL_CTX_free(tls);
    conn->next = shard->conns;
    if (conn->next)
        conn->next->prev = conn;
    else
        shard->conns_last = conn;
    shard->conns = conn;
    http_server_ref(shard->server);
    http_server_conn_opened(shard->server);
    http_conn_enter(conn);
    conn->rearm = true;
    pp_stream_start(conn->stream);
    http_conn_leave(conn);
    return;
fail:
    SSL_CTX_free(tls);
    if (conn)
        pp_timer_free(conn->timer);
    pp_free(conn);
    close(fd);
}
