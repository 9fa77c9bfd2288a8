#include "cli/docs.h"

#include <stdio.h>

#include "cli/cli.h"
#include "config/table.h"
#include "pipeline/service.h"

bool pp_docs_write(const struct pp_factory *factory, struct pp_buf *out)
{
    if (factory->config)
        return pp_table_print(factory->config, out);
    return pp_buf_add_c(out, "It takes no keys.\n");
}

int pp_docs_print(const struct pp_factories *factories, const char *kind, const char *type)
{
    const struct pp_factory *factory = NULL;
    struct pp_buf out;
    bool ok;

    if (!kind || !type) {
        fprintf(stderr, "profpipe: docs: expected <kind> <type>, as in: docs receiver otlp\n");
        return PP_EXIT_USAGE;
    }
    for (int k = 0; k < PP_KIND_COUNT; k++)
        if (strcmp(kind, pp_component_kind_name((enum pp_component_kind)k)) == 0)
            factory = pp_factory_find(factories, (enum pp_component_kind)k, pp_str_c(type));
    if (!factory) {
        fprintf(stderr, "profpipe: docs: there is no %s \"%s\"; 'profpipe components' lists what there is\n", kind, type);
        return PP_EXIT_USAGE;
    }
    pp_buf_init(&out, PP_DOCS_BYTES_MAX);
    ok = pp_docs_write(factory, &out);
    fwrite(out.data, 1, out.len, stdout);
    pp_buf_done(&out);
    return ok ? PP_EXIT_OK : PP_EXIT_START;
}
