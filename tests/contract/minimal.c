#include "minimal.h"

static const struct {
    enum pp_component_kind kind;
    const char *type, *yaml;
} table[] = {
    {PP_RECEIVER, "otlp", "{protocols: {grpc: {endpoint: 'localhost:0'}, http: {endpoint: 'localhost:0'}}}"},
    {PP_RECEIVER, "pprof", "{server: {endpoint: 'localhost:0'}}"},
    {PP_RECEIVER, "otlp_json_file", "{include: ['contract-*.json']}"},
    {PP_PROCESSOR, "resource", "{attributes: [{key: contract, value: 1, action: upsert}]}"},
    {PP_PROCESSOR, "memory_limiter", "{check_interval: 1s, limit_mib: 1000000}"},
    /* Nobody listens on the discard port: what these accept cannot be delivered. */
    {PP_EXPORTER, "otlp_grpc", "{endpoint: 'localhost:9', tls: {insecure: true}, retry_on_failure: {initial_interval: 10ms}}"},
    {PP_EXPORTER, "otlp_http", "{endpoint: 'http://localhost:9', retry_on_failure: {initial_interval: 10ms}}"},
    {PP_EXPORTER, "file", "{path: contract.json}"},
    {PP_CONNECTOR, "routing",
     "{default_pipelines: [profiles/down], table: [{statement: 'route() where attributes[\"a\"] == \"b\"', pipelines: [profiles/down]}]}"},
    {PP_EXTENSION, "basicauth", "{htpasswd: {inline: 'a:b'}}"},
    {PP_EXTENSION, "bearertokenauth", "{token: t}"},
    {PP_EXTENSION, "headers_setter", "{headers: [{key: k, value: v}]}"},
    {PP_EXTENSION, "file_storage", "{directory: contract_storage, create_directory: true}"},
    {PP_EXTENSION, "health_check", "{endpoint: 'localhost:0'}"},
    {PP_EXTENSION, "zpages", "{endpoint: 'localhost:0'}"},
};

const char *pp_minimal_config(const struct pp_factory *factory)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].kind == factory->kind && strcmp(table[i].type, factory->type) == 0)
            return table[i].yaml;
    return "{}";
}
