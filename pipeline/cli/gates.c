#include "cli/gates.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"

#define NO_EFFECT "no effect"
#define ALWAYS "always on"

const struct pp_gate pp_gate_table[] = {
    {"service.profilesSupport", false, "Alpha", "Controls whether profiles support can be enabled.", ALWAYS},
    {"service.AllowNoPipelines", false, "Alpha", "Allows starting without any pipeline, with extensions only.", "honoured"},
    {"service.partialReload", false, "Alpha", "Reloads only what has changed.", ALWAYS},
    {"service.partialReloadReceivers", true, "Beta", "Reloads only receivers when nothing else has changed.", ALWAYS},
    {"service.noopTracerProvider", false, "Deprecated", "Sets a no-op tracer provider.", ALWAYS},
    {"telemetry.newPipelineTelemetry", false, "Alpha", "Instruments all component boundaries.", NO_EFFECT},
    {"telemetry.disableHighCardinalityMetrics", false, "Deprecated", "Leaves out metrics of high cardinality.", NO_EFFECT},
    {"telemetry.UseLocalHostAsDefaultMetricsAddress", true, "Stable", "Metrics are on localhost by default.", ALWAYS},
    {"component.UseLocalHostAsDefaultHost", true, "Stable", "Servers listen on localhost by default.", ALWAYS},
    {"receiverhelper.newReceiverMetrics", false, "Alpha", "Tells failed from refused items.", NO_EFFECT},
    {"pdata.useProtoPooling", false, "Alpha", "Reuses decoded messages.", NO_EFFECT},
    {"pdata.useCustomProtoEncoding", true, "Stable", "Uses an own protobuf encoder.", ALWAYS},
    {"pdata.enableRefCounting", true, "Beta", "Counts references to data.", ALWAYS},
    {"pkg.exporterhelper.queueBatchEnabled", false, "Alpha", "Batches in sending queues by default.", NO_EFFECT},
    {"pkg.confighttp.PrioritizeNewKeepalive", true, "Beta", "Keep-alive settings of the block win over those outside of it.", ALWAYS},
    {"exporter.file.nativeCompression", false, "Alpha", "Compresses files as a whole, not by message.", NO_EFFECT},
    {"exporter.PersistRequestContext", false, "Alpha", "Keeps request contexts in persistent queues.", NO_EFFECT},
    {"confmap.enableMergeAppendOption", false, "Alpha", "Merges lists of components by appending.", "honoured"},
    {"confmap.newExpandedValueSanitizer", true, "Beta", "Keeps expanded values as strings where strings are wanted.", ALWAYS},
    {"confmap.strictlyTypedInput", true, "Stable", "Configuration values must have the right type.", ALWAYS},
    {"confmap.unifyEnvVarExpansion", true, "Stable", "Expands only ${env:NAME} and ${NAME}.", ALWAYS},
    {"configgrpc.framedSnappy", true, "Beta", "Framed snappy over HTTP.", ALWAYS},
    {"confighttp.framedSnappy", true, "Beta", "Framed snappy over HTTP.", ALWAYS},
    {"otelcol.printInitialConfig", false, "Alpha", "Allows the print-config command.", ALWAYS},
    {0},
};
static_assert(sizeof(pp_gate_table) / sizeof(pp_gate_table[0]) - 1 <= PP_GATES_MAX, "one place for each gate");

static size_t gate_find(struct pp_str id)
{
    size_t i = 0;

    while (pp_gate_table[i].id && !pp_str_eq_c(id, pp_gate_table[i].id))
        i++;
    return i;
}

static bool unknown(struct pp_str id)
{
    const char *names[PP_GATES_MAX + 1] = {0};
    const char *nearest;

    for (size_t i = 0; pp_gate_table[i].id; i++)
        names[i] = pp_gate_table[i].id;
    nearest = pp_str_nearest(id, names);
    fprintf(stderr, "profpipe: no such feature gate \"" PP_STR_FMT "\"", PP_STR_ARG(id));
    fprintf(stderr, nearest ? "; did you mean \"%s\"?\n" : "; 'profpipe featuregate' lists them%s\n", nearest ? nearest : "");
    return false;
}

bool pp_gates_parse(struct pp_gates *gates, const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        struct pp_str id = pp_str_trim((struct pp_str){list, n});
        bool off = pp_str_starts(id, "-");
        size_t i;

        list += n + (list[n] == ',');
        if (off || pp_str_starts(id, "+"))
            id = (struct pp_str){id.p + 1, id.n - 1};
        if (id.n == 0)
            continue;
        i = gate_find(id);
        if (!pp_gate_table[i].id)
            return unknown(id);
        gates->set[i] = off ? -1 : 1;
    }
    return true;
}

bool pp_gates_enabled(const struct pp_gates *gates, const char *id)
{
    size_t i = gate_find(pp_str_c(id));

    return gates->set[i] ? gates->set[i] > 0 : pp_gate_table[i].enabled;
}

void pp_gates_warn(const struct pp_gates *gates)
{
    for (size_t i = 0; pp_gate_table[i].id; i++) {
        bool changed = gates->set[i] && (gates->set[i] > 0) != pp_gate_table[i].enabled;

        if (changed && strcmp(pp_gate_table[i].here, NO_EFFECT) == 0)
            pp_log(PP_LOG_WARN, NULL, "feature gate %s has no effect here", pp_gate_table[i].id);
    }
}

int pp_gates_print(const struct pp_gates *gates, const char *id)
{
    size_t only = id ? gate_find(pp_str_c(id)) : 0;

    if (id && !pp_gate_table[only].id) {
        unknown(pp_str_c(id));
        return PP_EXIT_USAGE;
    }
    printf("%-46s %-8s %-11s %-10s %s\n", "ID", "Enabled", "Stage", "Here", "Description");
    for (size_t i = 0; pp_gate_table[i].id; i++) {
        const struct pp_gate *gate = &pp_gate_table[i];

        if (!id || i == only)
            printf("%-46s %-8s %-11s %-10s %s\n", gate->id, pp_gates_enabled(gates, gate->id) ? "true" : "false", gate->stage,
                   gate->here, gate->description);
    }
    return PP_EXIT_OK;
}
