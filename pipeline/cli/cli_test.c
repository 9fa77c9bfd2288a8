/* Command lines of the real binary: what they print and how they end. The binary is the program's argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define OUTPUT_MAX (4 << 20)

/* A configuration without a file: receiver and exporter nop. */
#define NOP " --config 'yaml:receivers::nop:' --config 'yaml:exporters::nop:'"
#define NOP_PIPELINE                                                                                                   \
    NOP " --config 'yaml:service::pipelines::profiles::receivers: [nop]'"                                              \
        " --config 'yaml:service::pipelines::profiles::exporters: [nop]'"

static const char *binary;

static const struct {
    const char *args;
    int code;
    const char *expected; /* somewhere in standard output and error */
} cases[] = {
    {"--version", 0, "profpipe version "},
    {"--help", 0, "Exit codes: 0 success; 1 the configuration is wrong"},
    {"help", 0, "--shutdown-timeout"},
    {"vlidate", 2, "unknown command \"vlidate\"; did you mean \"validate\"?"},
    {"--cofnig=x", 2, "unknown or incomplete option \"--cofnig=x\"; did you mean \"--config\"?"},
    {"validate --config", 2, "unknown or incomplete option \"--config\""},
    {"validate --set x", 2, "--set: expected KEY=VALUE, not \"x\""},
    {"--shutdown-timeout=5", 2, "--shutdown-timeout: expected a duration from 1ms to 168h, not \"5\""},
    {"--loops=0", 2, "--loops: expected a number from 1 to 256, not \"0\""},
    {"validate", 1, "no configuration: give --config FILE"},
    {"validate --config /nonexistent/x.yaml", 1, "/nonexistent/x.yaml"},
    {"validate" NOP_PIPELINE, 0, ""},
    {"validate" NOP_PIPELINE " --feature-gates=service.profilesSupport,-service.partialReloadReceivers", 0, ""},
    {"validate" NOP_PIPELINE " --feature-gates=service.profileSupport", 2,
     "no such feature gate \"service.profileSupport\"; did you mean \"service.profilesSupport\"?"},
    {"validate" NOP, 1, "at least one pipeline"},
    {"validate" NOP_PIPELINE " --set receivers.nop.x=1", 1, "receivers::nop"},
    {"validate" NOP_PIPELINE " --set service.pipelines.profiles.receivers=[nope]", 1, "did you mean \"nop\"?"},
    {"validate --config 'http://localhost:9/c.yaml'", 1, "http://localhost:9/c.yaml"},
    {"print-config" NOP_PIPELINE, 0, "exporters:\n  nop:"},
    {"print-config --format=json" NOP_PIPELINE, 0, "\"nop\""},
    {"print-config --format=xml" NOP_PIPELINE, 2, "--format: expected yaml or json, not \"xml\""},
    {"print-config --config 'yaml:exporters::otlp_http::endpoint: http://h' --set exporters.otlp_http.headers.authorization=hush"
     " --config 'yaml:receivers::nop:' --config 'yaml:service::pipelines::profiles::receivers: [nop]'"
     " --config 'yaml:service::pipelines::profiles::exporters: [otlp_http]'",
     0, "[REDACTED]"},
    {"print-config --validate=false" NOP, 2, "needs --mode=unredacted"},
    {"print-config --validate=false --mode=unredacted" NOP, 0, "exporters:\n  nop:"},
    {"schema", 0, "\"$schema\""},
    {"components", 0, "    - name: otlp_grpc\n      module: exporters/otlp_grpc\n      aliases:\n        - otlp\n"},
    {"featuregate", 0, "service.AllowNoPipelines"},
    {"featuregate service.profilesSupport", 0, "always on"},
    {"featuregate nope", 2, "no such feature gate \"nope\""},
    {"docs receiver otlp", 0, "| `protocols.grpc.endpoint` |"},
    {"docs exporter nop", 0, "It takes no keys."},
    {"docs exporter nope", 2, "there is no exporter \"nope\""},
    {"--config /nonexistent/x.yaml", 1, "/nonexistent/x.yaml"},
    {NOP_PIPELINE " --set service.telemetry.metrics.level=none --set service.telemetry.logs.output_paths=[/nonexistent/log]", 3,
     "cannot write /nonexistent/log"},
    /* timeout(1) sends SIGTERM, once with --foreground; --preserve-status hands our own code on. */
    {NOP_PIPELINE " --set service.telemetry.metrics.level=none", 0, "runs 2 component instances in 1 pipelines"},
};

static int run(const char *args, char *output)
{
    char command[4096];
    size_t n;
    FILE *pipe;

    snprintf(command, sizeof(command), "timeout --foreground --preserve-status 2 %s %s 2>&1", binary, args);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    n = fread(output, 1, OUTPUT_MAX - 1, pipe);
    output[n] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

static void every_command_line(void **state)
{
    static char output[OUTPUT_MAX];
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int code = run(cases[i].args, output);

        if (code == cases[i].code && strstr(output, cases[i].expected))
            continue;
        failed++;
        print_error("profpipe %s\n  code %d, expected %d; expected \"%s\" in:\n%.2000s\n", cases[i].args, code, cases[i].code,
                    cases[i].expected, output);
    }
    assert_int_equal(failed, 0);
}

static void secrets_are_not_printed(void **state)
{
    static char output[OUTPUT_MAX];

    (void)state;
    run("print-config --config 'yaml:exporters::otlp_http::endpoint: http://h' --set exporters.otlp_http.headers.authorization=hush"
        " --config 'yaml:receivers::nop:' --config 'yaml:service::pipelines::profiles::receivers: [nop]'"
        " --config 'yaml:service::pipelines::profiles::exporters: [otlp_http]'",
        output);
    assert_null(strstr(output, "hush"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_line),
        cmocka_unit_test(secrets_are_not_printed),
    };

    if (argc != 2)
        return 2;
    binary = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
