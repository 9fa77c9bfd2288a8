#include "cors.h"

bool pp_cors_is_preflight(const struct pp_http_request *request)
{
    return pp_str_eq_c(request->method, "OPTIONS") && pp_http_request_header(request, "origin").p &&
           pp_http_request_header(request, "access-control-request-method").p;
}

/* `*` in the pattern stands for any text; the configuration allows one. */
static bool origin_matches(const char *pattern, struct pp_str origin)
{
    const char *star = strchr(pattern, '*');
    struct pp_str prefix, suffix;

    if (!star)
        return pp_str_eq_nocase(pp_str_c(pattern), origin);
    prefix = (struct pp_str){pattern, (size_t)(star - pattern)};
    suffix = pp_str_c(star + 1);
    return origin.n >= prefix.n + suffix.n && pp_str_eq_nocase(prefix, (struct pp_str){origin.p, prefix.n}) &&
           pp_str_eq_nocase(suffix, (struct pp_str){origin.p + origin.n - suffix.n, suffix.n});
}

static bool origin_allowed(const struct pp_cors_config *config, struct pp_str origin)
{
    for (size_t i = 0; i < config->allowed_origins.n; i++)
        if (origin_matches(config->allowed_origins.v[i], origin))
            return true;
    return false;
}

static bool header_allowed(const struct pp_cors_config *config, struct pp_str name)
{
    static const char *const always[] = {"accept", "content-type", "x-requested-with"}; /* as the Collector's library */

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        if (pp_str_eq_nocase(name, pp_str_c(always[i])))
            return true;
    for (size_t i = 0; i < config->allowed_headers.n; i++)
        if (strcmp(config->allowed_headers.v[i], "*") == 0 || pp_str_eq_nocase(name, pp_str_c(config->allowed_headers.v[i])))
            return true;
    return false;
}

/* All of a comma-separated list must be allowed. */
static bool headers_allowed(const struct pp_cors_config *config, struct pp_str list)
{
    while (list.n) {
        const char *comma = memchr(list.p, ',', list.n);
        struct pp_str name = {list.p, comma ? (size_t)(comma - list.p) : list.n};

        list = (struct pp_str){list.p + name.n, list.n - name.n};
        if (comma)
            list = (struct pp_str){list.p + 1, list.n - 1};
        name = pp_str_trim(name);
        if (name.n && !header_allowed(config, name))
            return false;
    }
    return true;
}

static void add(struct pp_cors_answer *answer, struct pp_str name, struct pp_str value)
{
    answer->headers[answer->headers_n++] = (struct pp_http_header){name, value};
}

static bool begin(const struct pp_cors_config *config, const struct pp_http_request *request, struct pp_cors_answer *ret)
{
    struct pp_str origin = pp_http_request_header(request, "origin");

    ret->headers_n = 0;
    if (!config || !config->allowed_origins.n)
        return false;
    add(ret, PP_STR("vary"), PP_STR("origin"));
    if (!origin.p || !origin_allowed(config, origin))
        return false;
    return true;
}

static void allow_origin(const struct pp_http_request *request, struct pp_cors_answer *ret)
{
    add(ret, PP_STR("access-control-allow-origin"), pp_http_request_header(request, "origin"));
    add(ret, PP_STR("access-control-allow-credentials"), PP_STR("true"));
}

void pp_cors_preflight(const struct pp_cors_config *config, struct pp_http_request *request, struct pp_cors_answer *ret)
{
    struct pp_str wanted = pp_http_request_header(request, "access-control-request-headers");
    const char *age;

    if (!begin(config, request, ret) || !pp_str_eq_c(pp_http_request_header(request, "access-control-request-method"), "POST") ||
        !headers_allowed(config, wanted))
        return;
    allow_origin(request, ret);
    add(ret, PP_STR("access-control-allow-methods"), PP_STR("POST"));
    if (wanted.n)
        add(ret, PP_STR("access-control-allow-headers"), wanted);
    age = config->max_age ? pp_arena_printf(&request->arena, "%lld", (long long)config->max_age) : NULL;
    if (age)
        add(ret, PP_STR("access-control-max-age"), pp_str_c(age));
}

void pp_cors_actual(const struct pp_cors_config *config, struct pp_http_request *request, struct pp_cors_answer *ret)
{
    char *list;
    size_t at = 0, bytes = 1;

    if (!begin(config, request, ret))
        return;
    allow_origin(request, ret);
    for (size_t i = 0; i < config->exposed_headers.n; i++)
        bytes += strlen(config->exposed_headers.v[i]) + 2;
    list = config->exposed_headers.n ? pp_arena_alloc(&request->arena, bytes) : NULL;
    if (!list)
        return;
    for (size_t i = 0; i < config->exposed_headers.n; i++) {
        size_t n = strlen(config->exposed_headers.v[i]);

        memcpy(list + at, ", ", i ? 2 : 0);
        at += i ? 2 : 0;
        memcpy(list + at, config->exposed_headers.v[i], n);
        at += n;
    }
    add(ret, PP_STR("access-control-expose-headers"), (struct pp_str){list, at});
}
