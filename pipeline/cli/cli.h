/* The command line: options and sub-commands. Exit codes are documented by --help. */
#ifndef PP_CLI_CLI_H
#define PP_CLI_CLI_H

#include "pipeline/factories.h"

enum pp_exit {
    PP_EXIT_OK = 0,
    PP_EXIT_CONFIG = 1, /* the configuration is wrong, as the Collector's `validate` */
    PP_EXIT_USAGE = 2,  /* the command line is wrong */
    PP_EXIT_START = 3,  /* something did not start: a port in use, a file that cannot be opened */
    PP_EXIT_FATAL = 4,  /* a component failed while running */
};

int pp_cli_main(int argc, char **argv, const struct pp_factories *factories);

#endif
