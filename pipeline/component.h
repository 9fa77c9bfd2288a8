/* The contract between the engine and every receiver, processor, exporter, connector and extension.
 *
 * A component is one folder with one const factory at the end of its main file, listed by hand in receivers.c, processors.c, ... Its
 * instance struct begins with a struct pp_component, which the engine fills before `create`.
 *
 * Life: create -> start -> (consume ...) -> shutdown -> destroy. All of these but `consume` are called on the service's main thread, one at a
 * time. `shutdown` and `destroy` are legal right after `create`; `shutdown` may come twice. Start order: extensions, then exporters back to
 * receivers; shutdown order: receivers first, so that each stage can drain into the next; extensions last. */
#ifndef PP_PIPELINE_COMPONENT_H
#define PP_PIPELINE_COMPONENT_H

#include "base/error.h"
#include "base/log.h"
#include "config/rows.h"
#include "profiles/batch.h"

enum pp_component_kind { PP_RECEIVER, PP_PROCESSOR, PP_EXPORTER, PP_CONNECTOR, PP_EXTENSION, PP_KIND_COUNT };

enum pp_signal { PP_TRACES = 1 << 0, PP_METRICS = 1 << 1, PP_LOGS = 1 << 2, PP_PROFILES = 1 << 3 };

enum pp_stability { PP_DEVELOPMENT, PP_ALPHA, PP_BETA, PP_STABLE };

/* What became of a batch. */
enum pp_outcome {
    PP_ACCEPTED,  /* delivered, or in the care of a queue that will */
    PP_RETRY,     /* not taken, nothing wrong with it: the sender may try again */
    PP_PERMANENT, /* will never be taken */
};

/* gRPC status codes as results carry them (https://grpc.io: status codes). */
enum pp_status_code {
    PP_STATUS_NONE = -1, /* nobody downstream said one */
    PP_STATUS_OK = 0,
    PP_STATUS_CANCELLED,
    PP_STATUS_UNKNOWN,
    PP_STATUS_INVALID_ARGUMENT,
    PP_STATUS_DEADLINE_EXCEEDED,
    PP_STATUS_NOT_FOUND,
    PP_STATUS_ALREADY_EXISTS,
    PP_STATUS_PERMISSION_DENIED,
    PP_STATUS_RESOURCE_EXHAUSTED,
    PP_STATUS_FAILED_PRECONDITION,
    PP_STATUS_ABORTED,
    PP_STATUS_OUT_OF_RANGE,
    PP_STATUS_UNIMPLEMENTED,
    PP_STATUS_INTERNAL,
    PP_STATUS_UNAVAILABLE,
    PP_STATUS_DATA_LOSS,
    PP_STATUS_UNAUTHENTICATED,
};

struct pp_result {
    enum pp_outcome outcome;
    enum pp_status_code status; /* of a peer downstream, to be passed through; PP_STATUS_NONE when there is none */
    int64_t retry_after_ms;     /* PP_RETRY: least wait asked for; -1 when nobody said */
    const char *message;        /* why not; never NULL unless accepted; valid during the call that hands it over */
};

#define PP_RESULT_ACCEPTED ((struct pp_result){.status = PP_STATUS_NONE, .retry_after_ms = -1})
#define PP_RESULT_RETRY(message_) ((struct pp_result){PP_RETRY, PP_STATUS_NONE, -1, (message_)})
#define PP_RESULT_PERMANENT(message_) ((struct pp_result){PP_PERMANENT, PP_STATUS_NONE, -1, (message_)})

/* Who waits for a batch's result. Embedded in the waiter's own request struct (container_of), kept alive by it until `fn` has been called. `fn` is
 * called exactly once, from any thread, possibly before `consume` returns; it must not block. */
struct pp_done {
    void (*fn)(struct pp_done *done, const struct pp_result *result);
};

static inline void pp_done_call(struct pp_done *done, const struct pp_result *result)
{
    done->fn(done, result);
}

struct pp_component;
struct pp_service;    /* the engine: loops, telemetry, extensions; pipeline/service.h */
struct pp_downstream; /* what follows a component in the graph; the engine swaps it at reload */

enum pp_component_status {
    PP_COMPONENT_STARTING,
    PP_COMPONENT_OK,
    PP_COMPONENT_RECOVERABLE_ERROR,
    PP_COMPONENT_PERMANENT_ERROR,
    PP_COMPONENT_FATAL_ERROR, /* the service shuts down */
    PP_COMPONENT_STOPPING,
    PP_COMPONENT_STOPPED,
};

struct pp_factory {
    enum pp_component_kind kind;
    const char *type;           /* the Collector's name where it has the component */
    const char *const *aliases; /* NULL-terminated, or NULL */
    enum pp_stability stability;
    const char *summary;            /* one line, for people */
    unsigned signals;               /* enum pp_signal: what it takes (receivers: what it makes) */
    unsigned signals_out;           /* connectors: what it makes; others: 0 */
    size_t instance_size;           /* of the struct that begins with struct pp_component */
    const struct pp_group *config;  /* rows; NULL: takes no keys */
    const char *readme;             /* the component's folder, for links: "receivers/otlp" */
    /* Extensions: what one with this configuration is to other components, as bits of enum pp_capability (config/rows.h), and the interface for one of
     * them, which its header in pipeline/ describes. Asked for in the `create` of those that use it, so the interface must be there from `create` to
     * `destroy`; its functions are called between the extension's start and shutdown only. Both NULL: nothing. */
    unsigned (*offers)(const void *config);
    void *(*interface)(struct pp_component *self, enum pp_capability capability);
    /* Reload: a changed instance may start while its predecessor with the same id still runs, because servers hand their listening sockets over by
     * owner (net/http_server.h) and clients own nothing. Without it the old one is drained first, senders being asked to retry meanwhile. Processors and
     * connectors always may. */
    bool starts_beside_old;

    /* Cross-field rules only; rows check each key alone. May be NULL-filled by PP_FACTORY_DEFAULTS. Not a method: no instance yet. */
    void (*validate)(const void *config, struct pp_check *check);
    /* Connectors: the ids of pipelines that the config names, each checked to be fed by this connector; calls `fn` for each with a path like
     * those of pp_check_error. NULL: names none. */
    void (*pipelines_named)(const void *config, void (*fn)(void *arg, const char *path, const char *pipeline_id), void *arg);
    /* Prepares memory; opens nothing. On failure the engine calls neither shutdown nor destroy: `create` cleans up itself. */
    bool (*create)(struct pp_component *self, struct pp_error *err);
    /* Opens listening sockets and takes nothing from them yet. At the first start the engine calls it on every component before it starts any, so that
     * a port in use ends the start while nothing runs; a reload does not. `start` opens what is not open, `destroy` closes what never started. */
    bool (*open)(struct pp_component *self, struct pp_error *err);
    /* Opens sockets, files, threads. On failure it has closed again what it opened; `destroy` follows. The error is one line: what, where, what to do. */
    bool (*start)(struct pp_component *self, struct pp_error *err);
    /* Takes the reference to `batch`, on failure too, and answers through `done` exactly once. Any thread, several at once; must not block. */
    void (*consume)(struct pp_component *self, struct pp_batch *batch, struct pp_done *done);
    /* Stops taking in, then drains: when it returns (by the deadline, pp_clock_mono_ms), no thread of the component runs, every `done` has been called and
     * what could not be delivered has been counted and logged. */
    void (*shutdown)(struct pp_component *self, uint64_t deadline_mono_ms);
    /* Frees what `create` made; the engine frees the instance itself. */
    void (*destroy)(struct pp_component *self);
};

/* First in a factory's initializer: slots that do nothing, so that no caller tests for NULL. */
#define PP_FACTORY_DEFAULTS                                                                                            \
    .validate = pp_default_validate, .create = pp_default_create, .open = pp_default_open,                             \
    .start = pp_default_start, .consume = pp_default_consume, .shutdown = pp_default_shutdown, .destroy = pp_default_destroy

void pp_default_validate(const void *config, struct pp_check *check);
bool pp_default_create(struct pp_component *self, struct pp_error *err);
bool pp_default_open(struct pp_component *self, struct pp_error *err);
bool pp_default_start(struct pp_component *self, struct pp_error *err);
void pp_default_consume(struct pp_component *self, struct pp_batch *batch, struct pp_done *done); /* permanent error */
void pp_default_shutdown(struct pp_component *self, uint64_t deadline_mono_ms);
void pp_default_destroy(struct pp_component *self);

struct pp_instance; /* the engine's record of an instance: pipeline/instance.h */

struct pp_component {
    const struct pp_factory *factory;
    const char *id;        /* "otlp/central" */
    const char *log_id;    /* "exporter otlp/central", for pp_log */
    const void *config;    /* the group's struct, decoded and validated; lives as long as the instance */
    struct pp_service *service;
    struct pp_downstream *downstream; /* receivers, processors, connectors */
    struct pp_instance *instance;     /* the engine's; NULL in unit tests without one */
};

/* Hands a batch (the reference with it) to what follows in the graph: to one consumer directly, to several through a fan-out that joins their
 * results (the worst one counts). A receiver counts what it accepted and refused by pp_receiver_emit. Any thread. */
void pp_emit(struct pp_component *self, struct pp_batch *batch, struct pp_done *done);

/* The same for receivers, with the Collector's metrics otelcol_receiver_{accepted,refused}_profile_samples{receiver,transport}. */
void pp_receiver_emit(struct pp_component *self, const char *transport, struct pp_batch *batch, struct pp_done *done);

/* Connectors: hands a batch to one of the pipelines it feeds, by id ("profiles/x"); false, reference kept, when it feeds no such pipeline. */
bool pp_emit_to(struct pp_component *self, const char *pipeline_id, struct pp_batch *batch, struct pp_done *done);

/* Says how the component is; shown by zpages and health_check. Any thread. A fatal error shuts the service down. */
void pp_component_report(struct pp_component *self, enum pp_component_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define pp_container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* The hand-written tables (receivers/receivers.c, ...), NULL-terminated. Defined by the component layers, above the engine. */
extern const struct pp_factory *const pp_receivers[];
extern const struct pp_factory *const pp_processors[];
extern const struct pp_factory *const pp_exporters[];
extern const struct pp_factory *const pp_connectors[];
extern const struct pp_factory *const pp_extensions[];

#endif
