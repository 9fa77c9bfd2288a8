#include "grpc_target.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static bool strip(const char **text, const char *prefix)
{
    size_t n = strlen(prefix);

    if (strncmp(*text, prefix, n) != 0) {
        return false;
    }
    *text += n;
    return true;
}

static bool port_valid(const char *port)
{
    uint64_t value;

    return pp_str_to_u64(pp_str_c(port), &value) && value > 0 && value <= 65535;
}

/* host:port with a host that is a name, an IPv4 address or an IPv6 address in brackets. */
static bool check_address(const char *endpoint, const char *address, struct pp_error *err)
{
    const char *colon = strrchr(address, ':');
    const char *bracket = strrchr(address, ']');

    if (strchr(address, '/')) {
        return pp_error_set(err, PP_ERR_CONFIG, "endpoint \"%s\": a gRPC endpoint has no path",
                            endpoint);
    }
    if (!colon || (bracket && colon < bracket)) {
        return pp_error_set(err, PP_ERR_CONFIG,
                            "endpoint \"%s\": the port is missing; expected host:port", endpoint);
    }
    if (address[0] != '[' && memchr(address, ':', (size_t)(colon - address))) {
        return pp_error_set(err, PP_ERR_CONFIG,
                            "endpoint \"%s\": an IPv6 address is written in brackets, [::1]:4317",
                            endpoint);
    }
    if (colon == address) {
        return pp_error_set(err, PP_ERR_CONFIG, "endpoint \"%s\": the host is missing", endpoint);
    }
    if (!port_valid(colon + 1)) {
        return pp_error_set(err, PP_ERR_CONFIG, "endpoint \"%s\": invalid port \"%s\"", endpoint,
                            colon + 1);
    }
    return true;
}

static bool set_name(struct pp_grpc_target *target, const char *scheme, const char *rest,
                     const char *endpoint, struct pp_error *err)
{
    int n = snprintf(target->name, sizeof(target->name), "%s%s", scheme, rest);

    return (n > 0 && (size_t)n < sizeof(target->name)) ||
           pp_error_set(err, PP_ERR_CONFIG, "endpoint \"%.40s...\": longer than %d bytes", endpoint,
                        PP_GRPC_TARGET_MAX - 1);
}

static bool parse_dns(const char *endpoint, const char *rest, struct pp_grpc_target *target,
                      struct pp_error *err)
{
    const char *slash = strchr(rest, '/'); /* dns://[server]/host:port */

    if (!slash) {
        return pp_error_set(err, PP_ERR_CONFIG, "endpoint \"%s\": expected dns:///host:port",
                            endpoint);
    }
    return check_address(endpoint, slash + 1, err) &&
           set_name(target, "dns://", rest, endpoint, err);
}

bool pp_grpc_target_parse(const char *endpoint, struct pp_grpc_target *ret, struct pp_error *err)
{
    struct pp_grpc_target target = {0};
    const char *rest = endpoint;
    bool ok;

    if (!*endpoint) {
        return pp_error_set(err, PP_ERR_CONFIG, "endpoint is empty; expected host:port");
    }
    if (strip(&rest, "unix:") || strip(&rest, "unix-abstract:")) {
        target.local = true;
        ok = *rest ? set_name(&target, "", endpoint, endpoint, err)
                   : pp_error_set(err, PP_ERR_CONFIG,
                                  "endpoint \"%s\": the socket's path is missing", endpoint);
    } else if (strip(&rest, "dns://")) {
        ok = parse_dns(endpoint, rest, &target, err);
    } else {
        target.tls = strip(&rest, "https://");
        target.http = !target.tls && strip(&rest, "http://");
        strip(&rest, "passthrough:///"); /* grpc-go's word for "no name resolution but the
                                            system's", which is what we do */
        ok =
            check_address(endpoint, rest, err) && set_name(&target, "dns:///", rest, endpoint, err);
    }
    if (ok) {
        *ret = target;
    }
    return ok;
}

void pp_grpc_target_split(const struct pp_grpc_target *target, char host[PP_GRPC_TARGET_MAX], const char **ret_port)
{
    const char *address = strrchr(target->name, '/') + 1;
    const char *colon = strrchr(address, ':');
    bool brackets = address[0] == '[';

    snprintf(host, PP_GRPC_TARGET_MAX, "%.*s", (int)(colon - address) - 2 * brackets, address + brackets);
    *ret_port = colon + 1;
}
