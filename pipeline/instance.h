/* The engine's record of one component in the running graph. */
#ifndef PP_PIPELINE_INSTANCE_H
#define PP_PIPELINE_INSTANCE_H

#include "pipeline/fanout.h"
#include "pipeline/service.h"

#define PP_STATUS_MESSAGE_MAX 256u

/* Configuration that instances point into; lives until the last one is gone. */
struct pp_config_owner {
    unsigned refs; /* main thread only */
    void (*free)(struct pp_config_owner *owner);
};

/* An extension that a component uses, by the id in its configuration. */
struct pp_instance_use {
    const char *id;
    struct pp_component *extension;
};

struct pp_instance {
    const struct pp_factory *factory;
    struct pp_component *component; /* factory->instance_size bytes */
    char *id, *log_id;
    char *pipeline;    /* processors; else NULL */
    struct pp_config_owner *owner;
    struct pp_downstream downstream;
    struct pp_instance_use *uses;
    size_t uses_n;
    bool created, started;
    /* What it reports; under the service's status lock. */
    enum pp_component_status status;
    char message[PP_STATUS_MESSAGE_MAX];
    uint64_t since_unix_ns;
    struct pp_instance *next_kept; /* freed later; main thread only */
};

/* What an instance is made from. `config` is the decoded struct, NULL for a component without keys. */
struct pp_instance_spec {
    const struct pp_factory *factory;
    const char *id, *pipeline;
    const void *config;
    struct pp_config_owner *owner; /* may be NULL */
    const struct pp_instance_use *uses; /* copied; ids live as long as `config` */
    size_t uses_n;
};

/* Makes and creates it; opens nothing. */
bool pp_instance_new(struct pp_service *service, const struct pp_instance_spec *spec, struct pp_instance **ret, struct pp_error *err);
/* Opens its listening sockets ahead of the start, which may be left out. */
bool pp_instance_open(struct pp_instance *instance, struct pp_error *err);
/* Reports its status as it goes. */
bool pp_instance_start(struct pp_instance *instance, struct pp_error *err);
void pp_instance_shutdown(struct pp_instance *instance, uint64_t deadline_mono_ms);
/* Shut down before, if it was started. Accepts NULL. A receiver whose deadline passed while something downstream, not shut down with it (a
 * reload), still owes it an answer is kept until a later call finds it answered. */
void pp_instance_free(struct pp_instance *instance);

/* Counter of what a processor takes in; NULL for others. */
struct pp_counter *pp_instance_incoming(struct pp_instance *instance);
struct pp_histogram *pp_instance_duration(struct pp_instance *instance);

/* pp_component_report without the format. */
void pp_instance_report(struct pp_instance *instance, enum pp_component_status status, const char *message);

#endif
