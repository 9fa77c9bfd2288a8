#include "grpc_channel.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "grpc_resolver.h"

#define BACKOFF_FACTOR 1.6
#define BACKOFF_SPREAD 0.2

enum sub_state {
    SUB_IDLE,
    SUB_CONNECTING,
    SUB_READY,
    SUB_FAILED, /* not before retry_at_ms */
};

/* One address and the connection to it. */
struct sub {
    struct pp_grpc_channel *channel;
    struct sub *next; /* among those that drain */
    struct pp_grpc_address address;
    struct pp_grpc_connection *connection;
    enum sub_state state;
    bool drains; /* lets its calls end; another has taken its place, or the address is gone */
    double backoff_ms;
    uint64_t retry_at_ms;
};

struct pp_grpc_channel {
    struct pp_loop *loop;
    const struct pp_grpc_channel_config *config;
    struct pp_grpc_keepalive keepalive;
    struct sub *subs[PP_GRPC_ADDRESSES_MAX];
    size_t subs_n, next;
    struct sub *draining;
    struct pp_grpc_lookup *lookup;
    bool stale; /* the addresses should be asked for again */
    double resolve_backoff_ms;
    uint64_t resolve_at_ms; /* not before */
    struct pp_grpc_calls waiting;
    struct pp_timer *timer; /* wait_for_ready: the next try */
    char trouble[PP_ANSWER_TEXT_MAX];
};

static void make_progress(struct pp_grpc_channel *channel);

/* The next pause; `*interval_ms` 0 at first. */
static uint64_t back_off(double *interval_ms)
{
    double next = *interval_ms * BACKOFF_FACTOR;

    if (*interval_ms == 0) {
        next = PP_GRPC_BACKOFF_MS_MIN;
    }
    *interval_ms = next < PP_GRPC_BACKOFF_MS_MAX ? next : PP_GRPC_BACKOFF_MS_MAX;
    return (uint64_t)(*interval_ms * (1 + BACKOFF_SPREAD * (2 * pp_random_unit() - 1)));
}

static void note_trouble(struct pp_grpc_channel *channel, const char *why)
{
    snprintf(channel->trouble, sizeof(channel->trouble), "%.*s", PP_ANSWER_TEXT_MAX - 1, why);
}

const char *pp_grpc_channel_trouble(const struct pp_grpc_channel *channel)
{
    return channel->trouble;
}

static struct sub *sub_new(struct pp_grpc_channel *channel, const struct pp_grpc_address *address)
{
    struct sub *sub = pp_calloc(1, sizeof(*sub));

    if (sub) {
        sub->channel = channel;
        sub->address = *address;
    }
    return sub;
}

static void sub_free(struct sub *sub)
{
    pp_grpc_connection_free(sub->connection);
    pp_free(sub);
}

static bool is_ready(const struct sub *sub)
{
    return sub->state == SUB_READY && pp_grpc_connection_ready(sub->connection);
}

static struct sub *pick(struct pp_grpc_channel *channel)
{
    for (size_t i = 0; i < channel->subs_n; i++) {
        size_t at = channel->config->round_robin ? (channel->next + i) % channel->subs_n : i;

        if (is_ready(channel->subs[at])) {
            channel->next = at + 1;
            return channel->subs[at];
        }
    }
    return NULL;
}

/* False: there is no connection that takes it. */
static bool start_call(struct pp_grpc_channel *channel, struct pp_grpc_call *call)
{
    struct sub *sub = pick(channel);
    struct pp_error err;

    if (!sub) {
        return false;
    }
    if (!pp_grpc_connection_call(sub->connection, call, &err)) {
        pp_grpc_call_fail(call, PP_STATUS_UNAVAILABLE, err.message);
    }
    return true;
}

static void start_waiting(struct pp_grpc_channel *channel)
{
    struct pp_grpc_call *call;

    while ((call = channel->waiting.first) && pick(channel)) {
        pp_grpc_calls_remove(&channel->waiting, call);
        start_call(channel, call);
    }
}

static void on_ready(void *sub_)
{
    struct sub *sub = sub_;

    sub->state = SUB_READY;
    sub->backoff_ms = 0;
    sub->channel->trouble[0] = '\0';
    start_waiting(sub->channel);
}

static void unlink_draining(struct sub *sub)
{
    struct sub **at = &sub->channel->draining;

    while (*at != sub) {
        at = &(*at)->next;
    }
    *at = sub->next;
}

static void drain(struct sub *sub)
{
    sub->drains = true;
    sub->next = sub->channel->draining;
    sub->channel->draining = sub;
}

static void on_going_away(void *sub_, bool calm_down)
{
    struct sub *sub = sub_, *successor;
    struct pp_grpc_channel *channel = sub->channel;

    if (calm_down) {
        channel->keepalive.time_ms *= 2;
    }
    successor = sub->drains ? NULL : sub_new(channel, &sub->address);
    if (!successor) {
        return; /* on_closed will make this one usable again */
    }
    for (size_t i = 0; i < channel->subs_n; i++) {
        if (channel->subs[i] == sub) {
            channel->subs[i] = successor;
        }
    }
    drain(sub);
    channel->stale = true;
    make_progress(channel);
}

static void on_closed(void *sub_, const char *why)
{
    struct sub *sub = sub_;
    struct pp_grpc_channel *channel = sub->channel;

    pp_grpc_connection_free(sub->connection);
    sub->connection = NULL;
    if (sub->drains) {
        unlink_draining(sub);
        sub_free(sub);
        return;
    }
    note_trouble(channel, why);
    if (sub->state == SUB_READY) {
        sub->state = SUB_IDLE;
    } else {
        sub->state = SUB_FAILED;
        sub->retry_at_ms = pp_clock_mono_ms() + back_off(&sub->backoff_ms);
    }
    channel->stale = true;
    make_progress(channel);
}

static void on_refused(void *sub_, struct pp_grpc_call *call, const char *why)
{
    struct sub *sub = sub_;

    (void)why;
    call->tried_again = true;
    if (!start_call(sub->channel, call)) {
        pp_grpc_calls_add(&sub->channel->waiting, call);
        make_progress(sub->channel);
    }
}

static const struct pp_grpc_connection_events connection_events = {on_ready, on_going_away, on_closed, on_refused};

static void connect_sub(struct sub *sub)
{
    struct pp_grpc_channel *channel = sub->channel;
    struct pp_error err = {0};

    sub->connection = pp_grpc_connection_new(channel->loop, (const struct sockaddr *)&sub->address.socket, sub->address.n,
                                             &channel->config->peer, &channel->keepalive, &connection_events, sub, &err);
    if (sub->connection) {
        sub->state = SUB_CONNECTING;
        return;
    }
    note_trouble(channel, err.message);
    sub->state = SUB_FAILED;
    sub->retry_at_ms = pp_clock_mono_ms() + back_off(&sub->backoff_ms);
}

static bool may_connect(const struct sub *sub, uint64_t now_ms)
{
    return sub->state == SUB_IDLE || (sub->state == SUB_FAILED && now_ms >= sub->retry_at_ms);
}

/* round_robin: to every address; pick_first: to the next one until one is connected. */
static void connect_subs(struct pp_grpc_channel *channel)
{
    uint64_t now_ms = pp_clock_mono_ms();

    for (size_t i = 0; i < channel->subs_n; i++) {
        struct sub *sub = channel->subs[i];

        if (may_connect(sub, now_ms)) {
            connect_sub(sub);
        }
        if (!channel->config->round_robin && sub->state != SUB_FAILED) {
            return;
        }
    }
}

/* The new addresses take the places of those before; connections to addresses that stay are kept. */
static void set_addresses(struct pp_grpc_channel *channel, const struct pp_grpc_address *addresses, size_t n)
{
    struct sub *old[PP_GRPC_ADDRESSES_MAX];
    size_t old_n = channel->subs_n;

    memcpy(old, channel->subs, sizeof(old));
    channel->subs_n = 0;
    for (size_t i = 0; i < n; i++) {
        struct sub *sub = NULL;

        for (size_t k = 0; k < old_n && !sub; k++) {
            if (old[k] && old[k]->address.n == addresses[i].n &&
                memcmp(&old[k]->address.socket, &addresses[i].socket, addresses[i].n) == 0) {
                sub = old[k];
                old[k] = NULL;
            }
        }
        sub = sub ? sub : sub_new(channel, &addresses[i]);
        if (sub) {
            channel->subs[channel->subs_n++] = sub;
        }
    }
    for (size_t k = 0; k < old_n; k++) {
        if (old[k] && old[k]->connection && pp_grpc_connection_has_calls(old[k]->connection)) {
            drain(old[k]);
            pp_grpc_connection_drain(old[k]->connection);
        } else if (old[k]) {
            sub_free(old[k]);
        }
    }
}

static void on_looked_up(void *channel_, const struct pp_grpc_address *addresses, size_t n, const char *why)
{
    struct pp_grpc_channel *channel = channel_;

    channel->lookup = NULL;
    if (n > 0) {
        channel->resolve_backoff_ms = 0;
        channel->resolve_at_ms = pp_clock_mono_ms() + PP_GRPC_RESOLVE_MS_MIN;
        set_addresses(channel, addresses, n);
    } else {
        channel->resolve_at_ms = pp_clock_mono_ms() + back_off(&channel->resolve_backoff_ms);
        note_trouble(channel, why);
    }
    channel->stale = n == 0;
    make_progress(channel);
}

static void resolve(struct pp_grpc_channel *channel)
{
    struct pp_grpc_address address;
    struct pp_error err;

    channel->stale = false;
    if (pp_grpc_address_of(&channel->config->target, &address, &err)) {
        if (channel->subs_n == 0) {
            set_addresses(channel, &address, 1);
        }
        return;
    }
    if (err.kind == PP_ERR_NONE) {
        channel->lookup = pp_grpc_lookup_start(channel->loop, &channel->config->target, on_looked_up, channel, &err);
    }
    if (!channel->lookup) {
        note_trouble(channel, err.message);
        channel->resolve_at_ms = pp_clock_mono_ms() + back_off(&channel->resolve_backoff_ms);
    }
}

/* Whether something that has begun may still make a connection. */
static bool is_hopeful(const struct pp_grpc_channel *channel)
{
    if (channel->lookup) {
        return true;
    }
    for (size_t i = 0; i < channel->subs_n; i++) {
        const struct sub *sub = channel->subs[i];

        /* A connection that is about to end says so in a moment, and then there is something to do. */
        if (sub->state == SUB_CONNECTING || (sub->state == SUB_READY && !is_ready(sub))) {
            return true;
        }
    }
    return false;
}

/* When it makes sense to try again. */
static uint64_t next_try_ms(const struct pp_grpc_channel *channel)
{
    uint64_t at_ms = channel->stale ? channel->resolve_at_ms : UINT64_MAX;

    for (size_t i = 0; i < channel->subs_n; i++) {
        if (channel->subs[i]->retry_at_ms < at_ms) {
            at_ms = channel->subs[i]->retry_at_ms;
        }
    }
    return at_ms;
}

static void fail_waiting(struct pp_grpc_channel *channel)
{
    struct pp_grpc_calls failed = channel->waiting;
    struct pp_grpc_call *call;
    char why[PP_ANSWER_TEXT_MAX];

    memcpy(why, channel->trouble, sizeof(why));
    channel->waiting = (struct pp_grpc_calls){0};
    while ((call = failed.first)) {
        pp_grpc_calls_remove(&failed, call);
        pp_grpc_call_fail(call, PP_STATUS_UNAVAILABLE, why[0] ? why : "not connected");
    }
}

/* While calls go on: a name whose addresses may have changed is asked for again, lost addresses are tried again. */
static void maintain(struct pp_grpc_channel *channel)
{
    if (channel->stale && !channel->lookup && pp_clock_mono_ms() >= channel->resolve_at_ms) {
        resolve(channel);
    }
    connect_subs(channel);
}

/* Does what can be done towards a connection for the calls that wait; if that is nothing, they fail, or wait for the next try. */
static void make_progress(struct pp_grpc_channel *channel)
{
    uint64_t now_ms = pp_clock_mono_ms(), at_ms;

    if (!channel->waiting.first) {
        return;
    }
    start_waiting(channel);
    channel->stale = channel->stale || channel->subs_n == 0;
    maintain(channel);
    if (!channel->waiting.first || is_hopeful(channel)) {
        return;
    }
    if (!channel->config->wait_for_ready) {
        fail_waiting(channel);
        return;
    }
    at_ms = next_try_ms(channel);
    pp_timer_start(channel->timer, at_ms > now_ms ? at_ms - now_ms : 1);
}

static void on_timer(void *channel)
{
    make_progress(channel);
}

struct pp_grpc_channel *pp_grpc_channel_new(struct pp_loop *loop, const struct pp_grpc_channel_config *config, struct pp_error *err)
{
    struct pp_grpc_channel *channel = pp_calloc(1, sizeof(*channel));

    if (channel) {
        channel->timer = pp_timer_new(loop, on_timer, channel);
    }
    if (!channel || !channel->timer) {
        pp_free(channel);
        pp_error_nomem(err);
        return NULL;
    }
    channel->loop = loop;
    channel->config = config;
    channel->keepalive = config->keepalive;
    return channel;
}

void pp_grpc_channel_free(struct pp_grpc_channel *channel)
{
    if (!channel) {
        return;
    }
    pp_grpc_lookup_cancel(channel->lookup);
    for (size_t i = 0; i < channel->subs_n; i++) {
        sub_free(channel->subs[i]);
    }
    while (channel->draining) {
        struct sub *sub = channel->draining;

        channel->draining = sub->next;
        sub_free(sub);
    }
    pp_timer_free(channel->timer);
    pp_free(channel);
}

void pp_grpc_channel_call(struct pp_grpc_channel *channel, struct pp_grpc_call *call)
{
    call->connection = NULL;
    call->tried_again = false;
    call->received = (struct pp_buf){0};
    if (channel->stale || channel->subs_n > 1) {
        maintain(channel);
    }
    if (start_call(channel, call)) {
        return;
    }
    pp_grpc_calls_add(&channel->waiting, call);
    make_progress(channel);
}

void pp_grpc_channel_cancel(struct pp_grpc_channel *channel, struct pp_grpc_call *call)
{
    if (call->connection) {
        pp_grpc_connection_cancel(call->connection, call);
    } else {
        pp_grpc_calls_remove(&channel->waiting, call);
    }
}
