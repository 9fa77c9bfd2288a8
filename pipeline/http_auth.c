#include "pipeline/http_auth.h"

#include <unistd.h>

#define DRAIN_STEP_US 1000u

/* A request that waits for its verdict; in its arena. */
struct waiting {
    struct pp_auth_check check;
    struct pp_http_auth *auth;
};

/* Whether the request comes in; else it has been answered. */
static bool settle(struct pp_http_auth *auth, const struct pp_auth_check *check)
{
    struct pp_auth_refusal refusal = {
        .http_status = check->outcome == PP_AUTH_BUSY ? 503 : 401,
        .why = pp_str_c(check->why),
        .challenge = {PP_STR("www-authenticate"), pp_str_c(auth->extension->challenge)},
    };

    if (check->outcome == PP_AUTH_ADMITTED) {
        pp_counter_add(auth->admitted, 1);
        check->request->auth = check->attributes;
        check->request->auth_n = check->attributes_n;
        return true;
    }
    pp_counter_add(check->outcome == PP_AUTH_BUSY ? auth->busy : auth->refused, 1);
    auth->refuse(auth->context, check->request, &refusal);
    return false;
}

static void decided(struct pp_auth_check *check)
{
    struct pp_http_auth *auth = ((struct waiting *)check)->auth;
    struct pp_http_request *request = check->request;

    if (settle(auth, check))
        pp_http_request_admit(request);
    atomic_fetch_sub_explicit(&auth->pending, 1, memory_order_release);
}

void pp_http_auth_drain(struct pp_http_auth *auth)
{
    while (atomic_load_explicit(&auth->pending, memory_order_acquire) > 0)
        usleep(DRAIN_STEP_US);
}

enum pp_http_admission pp_http_auth_check(struct pp_http_auth *auth, struct pp_http_request *request)
{
    struct pp_auth_check no_memory = {.request = request, .outcome = PP_AUTH_BUSY, .why = "out of memory, try again"};
    struct waiting *waiting;

    if (!auth->extension)
        return PP_HTTP_ADMITTED;
    waiting = pp_arena_alloc(&request->arena, sizeof(*waiting));
    if (!waiting) {
        settle(auth, &no_memory);
        return PP_HTTP_ANSWERED;
    }
    *waiting = (struct waiting){{.request = request, .request_params = auth->request_params, .decided = decided}, auth};
    atomic_fetch_add_explicit(&auth->pending, 1, memory_order_relaxed);
    if (auth->extension->check(auth->extension->component, &waiting->check) == PP_AUTH_PENDING)
        return PP_HTTP_HELD;
    atomic_fetch_sub_explicit(&auth->pending, 1, memory_order_relaxed);
    return settle(auth, &waiting->check) ? PP_HTTP_ADMITTED : PP_HTTP_ANSWERED;
}
