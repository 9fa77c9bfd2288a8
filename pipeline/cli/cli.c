#include "cli/cli.h"

#include <curl/curl.h>
#include <stdio.h>

#include "cli/components.h"
#include "cli/daemon.h"
#include "cli/docs.h"
#include "cli/load.h"
#include "cli/print_config.h"

struct command {
    const char *name;
    int (*run)(const struct pp_options *options, const struct pp_factories *factories);
};

static int run_validate(const struct pp_options *options, const struct pp_factories *factories)
{
    struct pp_plan *plan = pp_load_plan(options, factories, false);
    int code = plan ? PP_EXIT_OK : PP_EXIT_CONFIG;

    pp_plan_unref(plan);
    return code;
}

static int run_components(const struct pp_options *options, const struct pp_factories *factories)
{
    (void)options;
    return pp_components_print(factories);
}

static int run_featuregate(const struct pp_options *options, const struct pp_factories *factories)
{
    (void)factories;
    return pp_gates_print(&options->gates, options->args[0]);
}

static int run_docs(const struct pp_options *options, const struct pp_factories *factories)
{
    return pp_docs_print(factories, options->args[0], options->args[1]);
}

static int run_schema(const struct pp_options *options, const struct pp_factories *factories)
{
    (void)options;
    return pp_print_schema(factories);
}

static int run_help(const struct pp_options *options, const struct pp_factories *factories)
{
    (void)options;
    (void)factories;
    pp_options_help();
    return PP_EXIT_OK;
}

static int run_version(const struct pp_options *options, const struct pp_factories *factories)
{
    (void)options;
    (void)factories;
    printf("profpipe version " PP_VERSION "\n");
    return PP_EXIT_OK;
}

static const struct command commands[] = {
    {"", pp_daemon_run},
    {"validate", run_validate},
    {"components", run_components},
    {"print-config", pp_print_config},
    {"print-initial-config", pp_print_config},
    {"schema", run_schema},
    {"featuregate", run_featuregate},
    {"docs", run_docs},
    {"help", run_help},
    {"version", run_version},
};
#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
    const char *names[COMMANDS_N] = {0};
    const char *nearest;

    for (size_t i = 0; i < COMMANDS_N; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
        if (i > 0)
            names[i - 1] = commands[i].name;
    }
    nearest = pp_str_nearest(pp_str_c(name), names);
    fprintf(stderr, "profpipe: unknown command \"%s\"", name);
    fprintf(stderr, nearest ? "; did you mean \"%s\"?\n" : "\nRun 'profpipe --help' for usage.%s\n", nearest ? nearest : "");
    return NULL;
}

int pp_cli_main(int argc, char **argv, const struct pp_factories *factories)
{
    const struct command *command;
    struct pp_options options;
    int code = PP_EXIT_USAGE;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (pp_options_parse(argc, argv, &options)) {
        command = find_command(options.help ? "help" : options.version ? "version" : options.command);
        if (command)
            code = command->run(&options, factories);
    }
    pp_options_done(&options);
    curl_global_cleanup();
    return code;
}
