#include "cli/components.h"

#include <stdio.h>

#include "cli/cli.h"
#include "pipeline/service.h"

static const char *stability(const struct pp_factory *factory)
{
    static const char *const names[] = {"Development", "Alpha", "Beta", "Stable"};

    return names[factory->stability];
}

static void print_stability(const struct pp_factory *factory)
{
    printf("      stability:\n");
    if (factory->kind == PP_EXTENSION)
        printf("        extension: %s\n", stability(factory));
    for (int in = 0; in < PP_PIPELINE_SIGNALS; in++) {
        if (!(factory->signals & 1u << in))
            continue;
        if (factory->kind != PP_CONNECTOR) {
            printf("        %s: %s\n", pp_pipeline_signal_names[in], stability(factory));
            continue;
        }
        for (int out = 0; out < PP_PIPELINE_SIGNALS; out++)
            if (factory->signals_out & 1u << out)
                printf("        %s-to-%s: %s\n", pp_pipeline_signal_names[in], pp_pipeline_signal_names[out],
                       stability(factory));
    }
}

static void print_factory(const struct pp_factory *factory)
{
    printf("    - name: %s\n      module: %s\n", factory->type, factory->readme);
    if (factory->aliases && factory->aliases[0]) {
        printf("      aliases:\n");
        for (const char *const *alias = factory->aliases; *alias; alias++)
            printf("        - %s\n", *alias);
    }
    print_stability(factory);
    printf("      description: \"%s\"\n", factory->summary);
}

int pp_components_print(const struct pp_factories *factories)
{
    static const enum pp_component_kind order[] = {PP_RECEIVER, PP_PROCESSOR, PP_EXPORTER, PP_CONNECTOR, PP_EXTENSION};

    printf("buildinfo:\n    command: profpipe\n    description: Continuous-profiling pipeline\n    version: " PP_VERSION "\n");
    for (size_t i = 0; i < PP_KIND_COUNT; i++) {
        const struct pp_factory *const *table = factories->tables[order[i]];

        printf("%s:%s\n", pp_section_names[order[i]], *table ? "" : " []");
        for (; *table; table++)
            print_factory(*table);
    }
    return PP_EXIT_OK;
}
