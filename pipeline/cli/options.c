#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/go_duration.h"
#include "net/loop.h"
#include "pipeline/run.h"

enum option_id { CONFIG = 1, SET, GATES, PROFILES_ONLY, SHUTDOWN_TIMEOUT, LOOPS, MODE, FORMAT, VALIDATE, HELP, VERSION };

/* One week: far more than any drain, and far from overflow. */
#define SHUTDOWN_TIMEOUT_NS_MAX (7ll * 24 * 3600 * 1000000000)

static const struct option long_options[] = {
    {"config", required_argument, NULL, CONFIG},
    {"set", required_argument, NULL, SET},
    {"feature-gates", required_argument, NULL, GATES},
    {"profiles-only", no_argument, NULL, PROFILES_ONLY},
    {"shutdown-timeout", required_argument, NULL, SHUTDOWN_TIMEOUT},
    {"loops", required_argument, NULL, LOOPS},
    {"mode", required_argument, NULL, MODE},
    {"format", required_argument, NULL, FORMAT},
    {"validate", optional_argument, NULL, VALIDATE},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {0},
};

static const char *const option_names[] = {"--config",           "--set",   "--feature-gates", "--profiles-only",
                                           "--shutdown-timeout", "--loops", "--mode",          "--format",
                                           "--validate",         "--help",  "--version",       NULL};

void pp_options_help(void)
{
    printf("Usage: profpipe [command] [options]\n"
           "\n"
           "Without a command: runs the pipelines of the configuration until SIGTERM or SIGINT.\n"
           "\n"
           "Commands:\n"
           "  validate              Checks the configuration and starts nothing.\n"
           "  components            Lists what is built in, as YAML.\n"
           "  print-config          Prints the configuration as merged and expanded.\n"
           "  schema                Prints the JSON Schema of configurations.\n"
           "  featuregate [id]      Lists feature gates.\n"
           "  docs <kind> <type>    Prints a component's table of keys, as in its README.\n"
           "  help, version\n"
           "\n"
           "Options:\n"
           "  --config URI          file path, file:, env:, yaml:, http:, https:; may be repeated, later ones win.\n"
           "  --set KEY=VALUE       Sets one key (a.b.c=v) over all --config; may be repeated.\n"
           "  --feature-gates LIST  id, +id or -id, separated by commas.\n"
           "  --profiles-only       Leaves out pipelines of other signals that cannot run here, with a warning.\n"
           "  --shutdown-timeout D  Time for draining at the end and for what a reload replaces (default %us).\n"
           "  --loops N             Event loops (default: one for each processor it may use, at most %u).\n"
           "  --mode M              print-config: redacted (default) or unredacted.\n"
           "  --format F            print-config: yaml (default) or json.\n"
           "  --validate[=BOOL]     print-config: whether to check first (default true).\n"
           "  --help, --version\n"
           "\n"
           "Signals: SIGTERM and SIGINT drain and exit, a second one exits at once; SIGHUP reloads the configuration.\n"
           "\n"
           "Exit codes: 0 success; 1 the configuration is wrong; 2 the command line is wrong; 3 something did not start;\n"
           "4 a component failed while running; 128 + signal after a second SIGTERM or SIGINT.\n",
           PP_SHUTDOWN_TIMEOUT_MS_DEFAULT / 1000, PP_LOOPS_DEFAULT_MAX);
}

static bool usage(const char *fmt, const char *what, const char *nearest)
{
    fprintf(stderr, "profpipe: ");
    fprintf(stderr, fmt, what);
    if (nearest)
        fprintf(stderr, "; did you mean \"%s\"?", nearest);
    fprintf(stderr, "\nRun 'profpipe --help' for usage.\n");
    return false;
}

static bool choose(const char *option, const char *value, const char *off, const char *on, bool *ret)
{
    if (strcmp(value, off) != 0 && strcmp(value, on) != 0) {
        fprintf(stderr, "profpipe: %s: expected %s or %s, not \"%s\"\n", option, off, on, value);
        return false;
    }
    *ret = strcmp(value, on) == 0;
    return true;
}

static bool parse_number(const char *option, const char *value, uint64_t max, size_t *ret)
{
    uint64_t n;

    if (!pp_str_to_u64(pp_str_c(value), &n) || n < 1 || n > max) {
        fprintf(stderr, "profpipe: %s: expected a number from 1 to %llu, not \"%s\"\n", option, (unsigned long long)max, value);
        return false;
    }
    *ret = (size_t)n;
    return true;
}

static bool parse_timeout(const char *value, uint64_t *ret_ms)
{
    int64_t ns;

    if (!pp_duration_parse(pp_str_c(value), &ns) || ns < 1000000 || ns > SHUTDOWN_TIMEOUT_NS_MAX) {
        fprintf(stderr, "profpipe: --shutdown-timeout: expected a duration from 1ms to 168h, not \"%s\"\n", value);
        return false;
    }
    *ret_ms = (uint64_t)ns / 1000000u;
    return true;
}

static bool nomem(void)
{
    fprintf(stderr, "profpipe: out of memory\n");
    return false;
}

static bool apply(struct pp_options *options, int option, const char *value)
{
    switch (option) {
    case CONFIG:
        return pp_vec_push(&options->configs, value) || nomem();
    case SET:
        if (!strchr(value, '='))
            return usage("--set: expected KEY=VALUE, not \"%s\"", value, NULL);
        return pp_vec_push(&options->sets, value) || nomem();
    case GATES:
        return pp_gates_parse(&options->gates, value);
    case PROFILES_ONLY:
        options->profiles_only = true;
        return true;
    case SHUTDOWN_TIMEOUT:
        return parse_timeout(value, &options->shutdown_timeout_ms);
    case LOOPS:
        return parse_number("--loops", value, PP_LOOPS_MAX, &options->loops);
    case MODE:
        return choose("--mode", value, "redacted", "unredacted", &options->unredacted);
    case FORMAT:
        return choose("--format", value, "yaml", "json", &options->json);
    case VALIDATE:
        return !value || choose("--validate", value, "false", "true", &options->validate);
    case HELP:
        options->help = true;
        return true;
    case VERSION:
        options->version = true;
        return true;
    default:
        return false;
    }
}

static bool unknown_option(const char *text)
{
    size_t n = strcspn(text, "=");

    return usage("unknown or incomplete option \"%s\"", text, pp_str_nearest((struct pp_str){text, n}, option_names));
}

bool pp_options_parse(int argc, char **argv, struct pp_options *ret)
{
    int option, i;
    size_t n = 0;

    *ret = (struct pp_options){.command = "", .validate = true};
    opterr = 0;
    optind = 1;
    while ((option = getopt_long_only(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?' || option == ':')
            return unknown_option(argv[optind - 1]);
        if (!apply(ret, option, optarg))
            return false;
    }
    i = optind;
    if (i < argc)
        ret->command = argv[i++];
    for (; i < argc; i++) {
        if (n + 1 >= sizeof(ret->args) / sizeof(ret->args[0]))
            return usage("unexpected argument \"%s\"", argv[i], NULL);
        ret->args[n++] = argv[i];
    }
    return true;
}

void pp_options_done(struct pp_options *options)
{
    pp_vec_done(&options->configs);
    pp_vec_done(&options->sets);
}
