#include "grpc_resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <uv.h>

#include "base/mem.h"
#include "otlp_client/otlp_answer.h"

struct pp_grpc_lookup {
    uv_getaddrinfo_t request;
    char host[PP_GRPC_TARGET_MAX];
    pp_grpc_looked_up *fn; /* NULL: nobody waits any more */
    void *arg;
};

static bool unix_address(const struct pp_grpc_target *target, struct pp_grpc_address *ret, struct pp_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool abstract = strncmp(target->name, "unix-abstract:", 14) == 0;
    const char *path = strchr(target->name, ':') + 1;

    path += !abstract && strncmp(path, "//", 2) == 0 ? 2 : 0;
    if (strlen(path) >= sizeof(address.sun_path) - 1) {
        return pp_error_set(err, PP_ERR_IO, "the socket's path is longer than %zu bytes", sizeof(address.sun_path) - 2);
    }
    memcpy(address.sun_path + abstract, path, strlen(path));
    *ret = (struct pp_grpc_address){.n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path))};
    memcpy(&ret->socket, &address, sizeof(address));
    return true;
}

bool pp_grpc_address_of(const struct pp_grpc_target *target, struct pp_grpc_address *ret, struct pp_error *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char host[PP_GRPC_TARGET_MAX];
    const char *port_text;
    in_port_t port;

    *err = (struct pp_error){0};
    if (target->local) {
        return unix_address(target, ret, err);
    }
    pp_grpc_target_split(target, host, &port_text);
    port = htons((in_port_t)atoi(port_text));
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        v4.sin_port = port;
        *ret = (struct pp_grpc_address){.n = sizeof(v4)};
        memcpy(&ret->socket, &v4, sizeof(v4));
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        v6.sin6_port = port;
        *ret = (struct pp_grpc_address){.n = sizeof(v6)};
        memcpy(&ret->socket, &v6, sizeof(v6));
        return true;
    }
    return false;
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct pp_grpc_lookup *lookup = request->data;
    struct pp_grpc_address addresses[PP_GRPC_ADDRESSES_MAX];
    char why[PP_ANSWER_TEXT_MAX] = "";
    size_t n = 0;

    for (struct addrinfo *a = list; status == 0 && a && n < PP_GRPC_ADDRESSES_MAX; a = a->ai_next) {
        addresses[n].n = a->ai_addrlen;
        memset(&addresses[n].socket, 0, sizeof(addresses[n].socket));
        memcpy(&addresses[n++].socket, a->ai_addr, a->ai_addrlen);
    }
    if (n == 0) {
        snprintf(why, sizeof(why), "cannot resolve %.100s: %s", lookup->host, status == 0 ? "no addresses" : uv_strerror(status));
    }
    uv_freeaddrinfo(list);
    if (lookup->fn) {
        lookup->fn(lookup->arg, addresses, n, why);
    }
    pp_free(lookup);
}

struct pp_grpc_lookup *pp_grpc_lookup_start(struct pp_loop *loop, const struct pp_grpc_target *target, pp_grpc_looked_up *fn, void *arg,
                                            struct pp_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct pp_grpc_lookup *lookup = pp_calloc(1, sizeof(*lookup));
    const char *port;
    int rc;

    if (!lookup) {
        pp_error_nomem(err);
        return NULL;
    }
    lookup->fn = fn;
    lookup->arg = arg;
    lookup->request.data = lookup;
    pp_grpc_target_split(target, lookup->host, &port);
    rc = uv_getaddrinfo(pp_loop_uv(loop), &lookup->request, on_looked_up, lookup->host, port, &hints);
    if (rc != 0) {
        pp_error_set(err, PP_ERR_IO, "cannot resolve %.100s: %s", lookup->host, uv_strerror(rc));
        pp_free(lookup);
        return NULL;
    }
    return lookup;
}

void pp_grpc_lookup_cancel(struct pp_grpc_lookup *lookup)
{
    if (lookup) {
        lookup->fn = NULL;
        uv_cancel((uv_req_t *)&lookup->request); /* succeeds while it waits for a thread; on_looked_up comes in any case */
    }
}
