#include "net/http_internal.h"

static bool has_nothing_to_do(const struct http_conn *conn)
{
    return !conn->protocol || conn->protocol->idle(conn);
}

static bool has_stalled(const struct http_conn *conn, uint64_t now_ms)
{
    return conn->protocol && conn->protocol->stalled(conn, now_ms);
}

static void evict(struct http_conn *conn)
{
    http_server_protected(conn->shard->server, PP_HTTP_EVICTED, NULL);
    http_conn_enter(conn);
    if (conn->protocol)
        conn->protocol->evict(conn);
    http_conn_close(conn);
    http_conn_leave(conn);
}

bool http_shard_make_room(struct http_shard *shard)
{
    uint64_t now_ms = http_now();

    for (struct http_conn *conn = shard->conns_last; conn; conn = conn->prev) {
        if (has_nothing_to_do(conn)) {
            evict(conn);
            return true;
        }
    }
    for (struct http_conn *conn = shard->conns_last; conn; conn = conn->prev) {
        if (has_stalled(conn, now_ms)) {
            evict(conn);
            return true;
        }
    }
    return false;
}
