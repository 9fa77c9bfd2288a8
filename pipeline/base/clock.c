#include "base/clock.h"

#include <sys/random.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * PP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t pp_clock_unix_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

uint64_t pp_clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t pp_clock_mono_ms(void)
{
    return pp_clock_mono_ns() / PP_NS_PER_MS;
}

double pp_random_unit(void)
{
    static _Thread_local uint64_t state;

    if (state == 0) {
        if (getrandom(&state, sizeof(state), 0) != sizeof(state))
            state = pp_clock_mono_ns();
        state |= 1; /* xorshift has no way out of zero, and never gets there from elsewhere */
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / (double)(1ull << 53);
}
