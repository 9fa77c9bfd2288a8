/* The debug exporter: prints what comes, to the log or to files. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/groups/duration.h"
#include "config/groups/sending_queue.h"
#include "debug_text.h"
#include "pipeline/exporter_base.h"

#define TEXT_BYTES_MAX ((size_t)64 << 20) /* of one batch; what does not fit is left out, and said so */
#define SAMPLING_TICK_MS 1000u

enum verbosity { VERBOSITY_BASIC, VERBOSITY_NORMAL, VERBOSITY_DETAILED };

struct debug_config {
    int verbosity;
    int64_t sampling_initial, sampling_thereafter;
    bool use_internal_logger;
    struct pp_string_list output_paths;
    struct pp_sending_queue_config sending_queue;
};

static const char *const verbosity_choices[] = {"basic", "normal", "detailed", NULL};
static const char *const output_default[] = {"stdout"};

static const struct debug_config debug_defaults = {
    .sampling_initial = 2,
    .sampling_thereafter = 1,
    .use_internal_logger = true,
    .output_paths = {output_default, 1},
    .sending_queue = {.num_consumers = 10, .queue_size = 1000, .max_bytes_mib = PP_SENDING_QUEUE_MAX_BYTES_MIB_DEFAULT},
};

static const struct pp_field debug_fields[] = {
    PP_ROW_ENUM(struct debug_config, verbosity, 0, verbosity_choices, "basic: counts; normal: a line a profile; detailed: everything."),
    PP_ROW_INT(struct debug_config, sampling_initial, 0, 0, 1e9, "Batches printed in each second before sampling begins."),
    PP_ROW_INT(struct debug_config, sampling_thereafter, 0, 0, 1e9, "After those every n-th batch is printed; 0: none."),
    PP_ROW_BOOL(struct debug_config, use_internal_logger, 0, "Prints through the daemon's log instead of to output_paths."),
    PP_ROW_STRINGS(struct debug_config, output_paths, PP_FIELD_NONEMPTY,
                   "Where to print without the internal logger: stdout, stderr or files, which are added to."),
    PP_ROW_GROUP(struct debug_config, sending_queue, &pp_sending_queue_group, "Off unless enabled."),
    PP_ROW_END,
};

static const struct pp_group debug_group = {
    .name = "debug", .size = sizeof(struct debug_config), .defaults = &debug_defaults, .fields = debug_fields};

struct debug_exporter {
    struct pp_exporter base; /* first */
    pthread_mutex_t lock;    /* over the outputs and the sampling below */
    FILE **outputs;
    size_t outputs_n;
    uint64_t tick_ms, seen;
    struct pp_error send_error;
};

static struct debug_exporter *exporter_of(struct pp_component *self)
{
    return (struct debug_exporter *)self;
}

static bool sampled(struct debug_exporter *x, const struct debug_config *config)
{
    uint64_t now_ms = pp_clock_mono_ms();

    if (now_ms - x->tick_ms >= SAMPLING_TICK_MS) {
        x->tick_ms = now_ms;
        x->seen = 0;
    }
    x->seen++;
    if (x->seen <= (uint64_t)config->sampling_initial)
        return true;
    return config->sampling_thereafter > 0 && (x->seen - (uint64_t)config->sampling_initial) % (uint64_t)config->sampling_thereafter == 0;
}

static void print_line(struct debug_exporter *x, struct pp_str line)
{
    if (x->outputs_n == 0)
        pp_log(PP_LOG_INFO, x->base.component.log_id, PP_STR_FMT, PP_STR_ARG(line));
    for (size_t i = 0; i < x->outputs_n; i++) {
        fwrite(line.p, 1, line.n, x->outputs[i]);
        fputc('\n', x->outputs[i]);
    }
}

static void print_lines(struct debug_exporter *x, struct pp_str text)
{
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;

        print_line(x, (struct pp_str){text.p, n});
        text.p += n + (end ? 1 : 0);
        text.n -= n + (end ? 1 : 0);
    }
}

static void print_counts(struct debug_exporter *x, struct pp_batch *batch)
{
    char line[128];
    int n = snprintf(line, sizeof(line), "Profiles {\"resource profiles\": %u, \"sample records\": %llu}", pp_batch_resources(batch),
                     (unsigned long long)pp_batch_samples(batch));

    print_line(x, (struct pp_str){line, (size_t)n});
}

static bool print_batch(struct debug_exporter *x, const struct debug_config *config, struct pp_batch *batch, struct pp_error *err)
{
    const struct pp_tables *tables = NULL;
    struct pp_buf text;

    if (config->verbosity != VERBOSITY_BASIC && !(tables = pp_batch_tables(batch, err)))
        return false;
    print_counts(x, batch);
    if (!tables)
        return true;
    pp_buf_init(&text, TEXT_BYTES_MAX);
    if (config->verbosity == VERBOSITY_NORMAL)
        pp_debug_text_normal(tables, &text);
    else
        pp_debug_text_detailed(tables, &text);
    print_lines(x, pp_buf_str(&text));
    if (text.failed)
        print_line(x, PP_STR("... and more, which is left out"));
    pp_buf_done(&text);
    return true;
}

static void debug_send(struct pp_component *self, void *worker, struct pp_batch *batch, uint64_t deadline_mono_ms, struct pp_result *ret)
{
    struct debug_exporter *x = exporter_of(self);
    const struct debug_config *config = self->config;

    (void)worker;
    (void)deadline_mono_ms;
    pthread_mutex_lock(&x->lock);
    *ret = PP_RESULT_ACCEPTED;
    if (sampled(x, config) && !print_batch(x, config, batch, &x->send_error))
        *ret = PP_RESULT_RETRY(x->send_error.message);
    for (size_t i = 0; i < x->outputs_n; i++)
        fflush(x->outputs[i]);
    pthread_mutex_unlock(&x->lock);
}

static void close_outputs(struct debug_exporter *x)
{
    for (size_t i = 0; i < x->outputs_n; i++)
        if (x->outputs[i] != stdout && x->outputs[i] != stderr)
            fclose(x->outputs[i]);
    pp_free(x->outputs);
    x->outputs = NULL;
    x->outputs_n = 0;
}

static FILE *open_output(const char *path)
{
    if (strcmp(path, "stdout") == 0)
        return stdout;
    return strcmp(path, "stderr") == 0 ? stderr : fopen(path, "ae");
}

static bool open_outputs(struct debug_exporter *x, const struct pp_string_list *paths, struct pp_error *err)
{
    x->outputs = pp_calloc(paths->n, sizeof(FILE *));
    if (!x->outputs)
        return pp_error_nomem(err);
    for (size_t i = 0; i < paths->n; i++) {
        x->outputs[i] = open_output(paths->v[i]);
        if (!x->outputs[i]) {
            pp_error_set(err, PP_ERR_IO, "cannot open %s: %s", paths->v[i], strerror(errno));
            close_outputs(x);
            return false;
        }
        x->outputs_n++;
    }
    return true;
}

static bool debug_create(struct pp_component *self, struct pp_error *err)
{
    static const struct pp_exporter_ops ops = {.send = debug_send};
    const struct debug_config *config = self->config;
    struct debug_exporter *x = exporter_of(self);

    if (!pp_exporter_create(&x->base, &ops, config->sending_queue.enabled ? &config->sending_queue : NULL, NULL, 0, err))
        return false;
    pthread_mutex_init(&x->lock, NULL);
    return true;
}

static bool debug_start(struct pp_component *self, struct pp_error *err)
{
    struct debug_exporter *x = exporter_of(self);
    const struct debug_config *config = self->config;

    if (!config->use_internal_logger && !open_outputs(x, &config->output_paths, err))
        return false;
    if (pp_exporter_start(self, err))
        return true;
    close_outputs(x);
    return false;
}

static void debug_shutdown(struct pp_component *self, uint64_t deadline_mono_ms)
{
    pp_exporter_shutdown(self, deadline_mono_ms);
    close_outputs(exporter_of(self));
}

static void debug_destroy(struct pp_component *self)
{
    pp_exporter_destroy(self);
    pthread_mutex_destroy(&exporter_of(self)->lock);
}

const struct pp_factory pp_debug_exporter_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXPORTER,
    .type = "debug",
    .stability = PP_BETA,
    .summary = "Prints what comes, in three degrees of detail.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct debug_exporter),
    .config = &debug_group,
    .readme = "exporters/debug",
    .starts_beside_old = true,
    .create = debug_create,
    .start = debug_start,
    .consume = pp_exporter_consume,
    .shutdown = debug_shutdown,
    .destroy = debug_destroy,
};
