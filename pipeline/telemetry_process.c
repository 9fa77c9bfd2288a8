/* The process's own metrics, read when they are asked for. */
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "pipeline/telemetry_series.h"

static uint64_t rss_bytes(void)
{
    unsigned long long size, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void write_one(const struct pp_metric *metric, enum pp_series_kind kind, double value,
                      const struct pp_telemetry_text_options *options, struct pp_buf *out)
{
    char name[128];

    pp_telemetry_write_head(metric, kind, options, name, sizeof(name), out);
    pp_buf_printf(out, "%s %.15g\n", name, value);
}

void pp_telemetry_write_process(const struct pp_telemetry *telemetry, const struct pp_telemetry_text_options *options,
                                struct pp_buf *out)
{
    static const struct pp_metric uptime = {"otelcol_process_uptime", "Uptime of the process", "s", NULL, 0};
    static const struct pp_metric cpu = {"otelcol_process_cpu_seconds", "Total CPU user and system time in seconds", "s", NULL, 0};
    static const struct pp_metric rss = {"otelcol_process_memory_rss", "Total physical memory (resident set size)", "By", NULL, 0};
    static const struct pp_metric heap = {"otelcol_process_runtime_heap_alloc_bytes", "Bytes of allocated heap objects", "By", NULL, 0};
    static const struct pp_metric sys = {"otelcol_process_runtime_total_sys_memory_bytes",
                                         "Total bytes of memory obtained from the OS for the heap", "By", NULL, 0};
    struct mallinfo2 heap_info = mallinfo2();

    write_one(&uptime, PP_SERIES_COUNTER, (double)(pp_clock_mono_ns() - telemetry->started_mono_ns) / 1e9, options, out);
    write_one(&cpu, PP_SERIES_COUNTER, cpu_seconds(), options, out);
    write_one(&rss, PP_SERIES_GAUGE, (double)rss_bytes(), options, out);
    write_one(&heap, PP_SERIES_GAUGE, (double)(heap_info.uordblks + heap_info.hblkhd), options, out);
    write_one(&sys, PP_SERIES_GAUGE, (double)(heap_info.arena + heap_info.hblkhd), options, out);
}
