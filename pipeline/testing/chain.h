/* For unit tests of processors and connectors: one component made from YAML, capturing exporters behind it. */
#ifndef PP_PIPELINE_TESTING_CHAIN_H
#define PP_PIPELINE_TESTING_CHAIN_H

#include "config/yaml.h"
#include "pipeline/instance.h"

#define PP_TESTING_SINKS_MAX 4u

/* An exporter that remembers what came and answers as it is told. Several threads may send; read it when none does. */
struct pp_testing_sink {
    struct pp_component component; /* first */
    struct pp_result result;
    unsigned calls;
    uint64_t samples;
    char resources[1024]; /* of the last batch: "key=value key=value" for each resource and a '|' behind it; what is no string as its kind's number */
};

struct pp_testing_chain {
    struct pp_arena arena;
    struct pp_diags diags;
    struct pp_service *service;
    struct pp_instance *instance; /* of the component under test */
    struct pp_testing_sink *sinks[PP_TESTING_SINKS_MAX];
    struct pp_instance *sink_instances[PP_TESTING_SINKS_MAX];
    size_t sinks_n;
};

/* `pipelines`: NULL-terminated; one sink is reached by each. Aborts with a message when anything fails. */
void pp_testing_chain_open(struct pp_testing_chain *chain, const struct pp_factory *factory, const char *yaml, const char *const *pipelines);
void pp_testing_chain_close(struct pp_testing_chain *chain);
/* Forgets what the sinks have seen; they accept again. */
void pp_testing_chain_reset(struct pp_testing_chain *chain);
/* Hands it over, the reference with it, and waits for the answer; *message (may be NULL) lives until the next call. */
enum pp_outcome pp_testing_chain_consume(struct pp_testing_chain *chain, struct pp_batch *batch, const char **message);

/* As it comes over the network, not yet decoded: for each service name (NULL: a resource without attributes) one resource with one sample. `context`
 * may be NULL. Never NULL. */
struct pp_batch *pp_testing_batch_of(const char *const *services, size_t n, struct pp_context *context);

#endif
