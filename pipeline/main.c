/* profpipe: the components built in, and the command line. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    const struct pp_factories factories = {.tables = {
                                               [PP_RECEIVER] = pp_receivers,
                                               [PP_PROCESSOR] = pp_processors,
                                               [PP_EXPORTER] = pp_exporters,
                                               [PP_CONNECTOR] = pp_connectors,
                                               [PP_EXTENSION] = pp_extensions,
                                           }};

    return pp_cli_main(argc, argv, &factories);
}
