#include "config/groups/net.h"

#include <string.h>
#include <sys/un.h>

#include "base/str.h"

#define PORT_MAX 65535u

const char *const pp_transport_choices[] = {"tcp", "tcp4", "tcp6", "unix", NULL};

static void check_path(struct pp_check *check, const char *key, const char *path)
{
    struct sockaddr_un address;

    if (strlen(path) >= sizeof(address.sun_path))
        pp_check_error(check, key, "\"%s\" is longer than a socket's path may be (%zu bytes)", path,
                       sizeof(address.sun_path) - 1);
}

static bool port_valid(const char *port)
{
    uint64_t number;

    return pp_str_to_u64(pp_str_c(port), &number) && number <= PORT_MAX;
}

void pp_endpoint_check(struct pp_check *check, const char *key, const char *endpoint, int transport)
{
    const char *colon = strrchr(endpoint, ':'), *host_end = colon;

    if (transport == PP_TRANSPORT_UNIX) {
        check_path(check, key, endpoint);
        return;
    }
    if (strstr(endpoint, "://")) {
        pp_check_error(check, key, "\"%s\" is a URL; a server listens on host:port", endpoint);
        return;
    }
    if (endpoint[0] == '[')
        host_end = strstr(endpoint, "]:");
    if (!colon || !host_end || (endpoint[0] == '[' && host_end + 1 != colon)) {
        pp_check_error(check, key, "\"%s\" has no port; expected host:port", endpoint);
        return;
    }
    if (endpoint[0] != '[' && memchr(endpoint, ':', (size_t)(colon - endpoint)))
        pp_check_error(check, key, "\"%s\": an IPv6 address stands in brackets: [::1]:4317",
                       endpoint);
    else if (!port_valid(colon + 1))
        pp_check_error(check, key, "\"%s\": the port must be a number from 0 to %u", endpoint,
                       PORT_MAX);
}
