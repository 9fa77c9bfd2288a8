#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json_text.h"

#define LOG_LINE_BYTES_MAX (64u * 1024)

/* Different messages may share a slot: then they are thinned out together, which costs lines but no memory. */
#define SAMPLING_SLOTS 256u

static struct {
    uint64_t tick, seen, left_out;
} sampling_slots[SAMPLING_SLOTS];
static struct pp_log_options log_options;
static atomic_int log_level = PP_LOG_INFO; /* apart from the options: read without the lock */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

void pp_log_configure(const struct pp_log_options *options)
{
    pthread_mutex_lock(&log_lock);
    log_options = *options;
    atomic_store(&log_level, (int)options->level);
    pthread_mutex_unlock(&log_lock);
}

bool pp_log_enabled(enum pp_log_level level)
{
    return (int)level >= atomic_load_explicit(&log_level, memory_order_relaxed);
}

const char *pp_log_level_name(enum pp_log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    return names[level];
}

static void add_time(struct pp_buf *line)
{
    uint64_t now = pp_clock_unix_ns();
    time_t seconds = (time_t)(now / PP_NS_PER_S);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    pp_buf_printf(line, "%s.%03uZ", text, (unsigned)(now % PP_NS_PER_S / PP_NS_PER_MS));
}

static void format_json(struct pp_buf *line, enum pp_log_level level, const char *component, struct pp_str message)
{
    pp_buf_printf(line, "{\"level\":\"%s\",\"ts\":\"", pp_log_level_name(level));
    add_time(line);
    pp_buf_add_c(line, "\",\"msg\":");
    pp_json_add_string(line, message);
    if (component) {
        pp_buf_add_c(line, ",\"component\":");
        pp_json_add_string(line, pp_str_c(component));
    }
    if (log_options.fields)
        pp_buf_printf(line, ",%s", log_options.fields);
    pp_buf_add_c(line, "}\n");
}

/* Peers' bytes reach messages: control characters would let them forge lines. */
static void add_printable(struct pp_buf *line, struct pp_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7F)
            pp_buf_printf(line, "\\x%02x", c);
        else
            pp_buf_add_byte(line, (char)c);
    }
}

static void format_console(struct pp_buf *line, enum pp_log_level level, const char *component, struct pp_str message)
{
    add_time(line);
    pp_buf_printf(line, "\t%s\t", pp_log_level_name(level));
    if (component)
        pp_buf_printf(line, "%s\t", component);
    add_printable(line, message);
    if (log_options.fields)
        pp_buf_printf(line, "\t{%s}", log_options.fields);
    pp_buf_add_byte(line, '\n');
}

/* With the lock held: whether the line is left out; if not, *ret_left_out is how many were since the last that was not. The format's address stands
 * for the message: what varies in it does not make it another one. */
static bool sampled_out(enum pp_log_level level, const char *component, const char *fmt, uint64_t *ret_left_out)
{
    const struct pp_log_sampling *sampling = &log_options.sampling;
    size_t slot = (((uintptr_t)fmt >> 3) ^ ((uintptr_t)component >> 4)) % SAMPLING_SLOTS;
    uint64_t tick, extra;

    *ret_left_out = 0;
    if (level < PP_LOG_WARN || sampling->tick_ms == 0)
        return false;
    tick = pp_clock_mono_ms() / sampling->tick_ms + 1;
    if (sampling_slots[slot].tick != tick) {
        sampling_slots[slot].tick = tick;
        sampling_slots[slot].seen = 0;
    }
    sampling_slots[slot].seen++;
    extra = sampling_slots[slot].seen > sampling->initial ? sampling_slots[slot].seen - sampling->initial : 0;
    if (extra && (sampling->thereafter == 0 || extra % sampling->thereafter != 0)) {
        sampling_slots[slot].left_out++;
        return true;
    }
    *ret_left_out = sampling_slots[slot].left_out;
    sampling_slots[slot].left_out = 0;
    return false;
}

/* Appends to a message of `n` bytes in a buffer of `size`, if there is room; the new length. */
static size_t add_left_out(char *message, size_t n, size_t size, uint64_t left_out)
{
    int added = left_out ? snprintf(message + n, size - n, " (%llu like it left out)", (unsigned long long)left_out) : 0;

    return added > 0 && (size_t)added < size - n ? n + (size_t)added : n;
}

static void write_line(const struct pp_buf *line)
{
    for (size_t i = 0; i < log_options.outputs_n || i == 0; i++) {
        FILE *out = log_options.outputs_n ? log_options.outputs[i] : stderr;

        fwrite(line->data, 1, line->len, out);
        fflush(out);
    }
}

static void log_message(enum pp_log_level level, const char *component, struct pp_str message)
{
    struct pp_buf line;

    pp_buf_init(&line, LOG_LINE_BYTES_MAX);
    if (log_options.encoding == PP_LOG_JSON)
        format_json(&line, level, component, message);
    else
        format_console(&line, level, component, message);
    if (!line.failed)
        write_line(&line);
    pp_buf_done(&line);
}

void pp_log(enum pp_log_level level, const char *component, const char *fmt, ...)
{
    char message[4096];
    uint64_t left_out;
    va_list args;
    int n;

    if (!pp_log_enabled(level))
        return;
    va_start(args, fmt);
    n = vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof(message))
        n = sizeof(message) - 1;
    pthread_mutex_lock(&log_lock);
    if (!sampled_out(level, component, fmt, &left_out))
        log_message(level, component, (struct pp_str){message, add_left_out(message, (size_t)n, sizeof(message), left_out)});
    pthread_mutex_unlock(&log_lock);
}
