#include "load.h"

#include <string.h>

#define WINDOW_POLL_NS 200000

static uint64_t due_of(const struct load_run *run, uint64_t k)
{
    return run->start_ns + (uint64_t)((double)k * run->interval_ns);
}

/* With answers that come before delivery a closed loop would only measure how fast a queue fills; this one keeps it short. */
static bool window_full(const struct load_run *run)
{
    uint64_t arrived;

    if (!run->window)
        return false;
    arrived = __atomic_load_n(run->arrived, __ATOMIC_RELAXED) - run->arrived_before;
    return run->started >= arrived + run->refused + run->failed + run->window;
}

uint64_t load_next_due(const struct load_run *run, uint64_t now_ns)
{
    uint64_t due = run->interval_ns > 0 ? due_of(run, run->started) : now_ns;

    if (due >= run->end_ns || (run->count_max && run->started >= run->count_max))
        return UINT64_MAX;
    return window_full(run) ? now_ns + WINDOW_POLL_NS : due;
}

bool load_take(struct load_run *run, uint64_t now_ns, struct load_request *ret_request)
{
    uint64_t due = load_next_due(run, now_ns);

    if (due > now_ns)
        return false;
    *ret_request = (struct load_request){&run->messages->items[run->started % run->messages->n], due};
    run->started++;
    return true;
}

void load_answered(struct load_run *run, const struct load_request *request, uint64_t now_ns, enum outcome outcome, const char *text)
{
    run->last_answer_ns = now_ns;
    if (outcome == OUTCOME_OK) {
        run->ok++;
        run->ok_payload_bytes += request->message->payload_len;
        run->ok_body_bytes += request->message->body_len;
        histogram_add(&run->latency, now_ns - request->intended_ns);
        return;
    }
    if (outcome == OUTCOME_REFUSED)
        run->refused++;
    else
        run->failed++;
    if (!run->first_refusal[0] && text)
        strncpy(run->first_refusal, text, sizeof run->first_refusal - 1);
}

void load_conn_fail(struct load_conn *conn, const char *fault)
{
    if (!conn->broken)
        strncpy(conn->fault, fault, sizeof conn->fault - 1);
    conn->broken = true;
}
